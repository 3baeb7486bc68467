//! The one error type of meed: what went wrong, where, and what to do about it.

use std::fmt;

/// `Result` with meed's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in the data something was found. Every part is optional; what is known is printed.
///
/// ```
/// use meed_operators::Place;
/// let place = Place::file("a.parquet").row(7).rollout("r3").column("step_ends");
/// assert_eq!(place.to_string(), "a.parquet, row 7, rollout r3, column step_ends");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// File, dataset or URI.
    pub file: Option<String>,
    /// Row number in that file, from 0.
    pub row: Option<u64>,
    /// `rollout_id` of the row.
    pub rollout: Option<String>,
    /// Column of the value.
    pub column: Option<String>,
}

impl Place {
    /// A place of which only the file is known.
    pub fn file(file: impl Into<String>) -> Self {
        Place { file: Some(file.into()), ..Place::default() }
    }

    /// The same place with its row number (from 0).
    pub fn row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The same place with its rollout.
    pub fn rollout(mut self, rollout: impl Into<String>) -> Self {
        self.rollout = Some(rollout.into());
        self
    }

    /// The same place with its column.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.file.clone(),
            self.row.map(|row| format!("row {row}")),
            self.rollout.as_ref().map(|id| format!("rollout {id}")),
            self.column.as_ref().map(|name| format!("column {name}")),
        ];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&known.join(", "))
    }
}

/// Any failure of meed, sorted by whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data breaks a rule of the schema.
    #[error("{place}: {message}")]
    Data {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A recipe reads a signal that the data does not have.
    #[error("{recipe}: the data has no column `{signal}`")]
    MissingSignal {
        /// The recipe, or the expression's name.
        recipe: String,
        /// The column that is missing.
        signal: String,
        /// Which operator or import would provide it.
        hint: String,
    },
    /// A credit expression is not well formed for this schema.
    #[error("{expression}: {message}")]
    Expression {
        /// The named signal whose expression is at fault.
        expression: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The caller asked for something that does not exist or does not fit together.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A file, store or other program failed.
    #[error("{what}: {source}")]
    External {
        /// What meed was doing, with the file or URI.
        what: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// What to do.
        hint: String,
    },
    /// A step of the dataflow broke; the run ends everywhere.
    #[error("operator {operator}, epoch {epoch}: {message}")]
    Fault {
        /// The operator.
        operator: String,
        /// The epoch it worked on.
        epoch: u64,
        /// What happened.
        message: String,
        /// What to do.
        hint: String,
    },
}

impl Error {
    /// Data that breaks a rule, with its place and a hint.
    pub fn data(place: Place, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Data { place: Box::new(place), message: message.into(), hint: hint.into() }
    }

    /// A request that cannot be served, with a hint.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage { message: message.into(), hint: hint.into() }
    }

    /// A malformed expression, with a hint.
    pub fn expression(
        expression: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Error::Expression { expression: expression.into(), message: message.into(), hint: hint.into() }
    }

    /// A failure outside meed, with what was being done.
    pub fn external(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
        hint: impl Into<String>,
    ) -> Self {
        Error::External { what: what.into(), source: source.into(), hint: hint.into() }
    }

    /// The same failure as a fault of an operator at an epoch. Faults keep their first context.
    pub fn in_operator(self, operator: &str, epoch: u64) -> Self {
        match self {
            Error::Fault { .. } => self,
            other => Error::Fault {
                operator: operator.to_owned(),
                epoch,
                hint: other.hint().to_owned(),
                message: other.to_string(),
            },
        }
    }

    /// What a person can do about it; empty where nothing is known.
    pub fn hint(&self) -> &str {
        match self {
            Error::Data { hint, .. }
            | Error::MissingSignal { hint, .. }
            | Error::Expression { hint, .. }
            | Error::Usage { hint, .. }
            | Error::External { hint, .. }
            | Error::Fault { hint, .. } => hint,
        }
    }

    /// The same error with its file filled in, where it is about data and has none yet.
    pub fn in_file(mut self, file: &str) -> Self {
        if let Error::Data { place, .. } = &mut self
            && place.file.is_none()
        {
            place.file = Some(file.to_owned());
        }
        self
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(source: arrow::error::ArrowError) -> Self {
        Error::external("arrow", source, "")
    }
}

#[cfg(feature = "model")]
impl From<candle_core::Error> for Error {
    fn from(source: candle_core::Error) -> Self {
        Error::external("candle", source, "")
    }
}
