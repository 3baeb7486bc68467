//! Parameters of recipes: declared with defaults, set as JSON, refused by name where unknown.

use std::collections::BTreeMap;

use meed_operators::{Error, Result};
use serde_json::Value;

/// One parameter of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as in the golden vectors.
    pub name: &'static str,
    /// Its default, as JSON.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Declares a parameter.
pub const fn parameter(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, default, meaning }
}

/// The values of a recipe's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Whose they are: `recipe grpo`.
    owner: String,
    values: BTreeMap<String, Value>,
}

impl Parameters {
    /// Defaults, overlaid by the settings in order.
    ///
    /// # Errors
    /// A setting that the recipe does not declare; the hint lists those that it does.
    pub fn new<'a>(
        recipe: &str,
        declared: &[Parameter],
        settings: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Self> {
        Self::of(format!("recipe {recipe}"), declared, settings)
    }

    /// The parameters of something else than a recipe, called `owner` in messages.
    ///
    /// # Errors
    /// As [`Parameters::new`].
    pub fn of<'a>(
        owner: String,
        declared: &[Parameter],
        settings: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Self> {
        let mut values = BTreeMap::new();
        for parameter in declared {
            values.insert(parameter.name.to_owned(), parse(parameter.default));
        }
        for (name, value) in settings {
            if !values.contains_key(name) {
                let known: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
                return Err(Error::usage(
                    format!("{owner} has no parameter `{name}`"),
                    format!("its parameters are: {}", known.join(", ")),
                ));
            }
            values.insert(name.to_owned(), value);
        }
        Ok(Parameters { owner, values })
    }

    /// The values as one JSON object, with sorted keys.
    pub fn json(&self) -> String {
        let object: serde_json::Map<String, Value> = self.values.clone().into_iter().collect();
        Value::Object(object).to_string()
    }

    /// A value; null where the recipe does not declare it.
    pub fn get(&self, name: &str) -> &Value {
        self.values.get(name).unwrap_or(&Value::Null)
    }

    /// True if the value is null.
    pub fn is_null(&self, name: &str) -> bool {
        self.get(name).is_null()
    }

    /// A number.
    pub fn number(&self, name: &str) -> Result<f64> {
        self.get(name).as_f64().ok_or_else(|| self.wrong(name, "a number"))
    }

    /// A number, `None` where null.
    pub fn optional_number(&self, name: &str) -> Result<Option<f64>> {
        if self.is_null(name) { Ok(None) } else { self.number(name).map(Some) }
    }

    /// A whole number in `0..=255`.
    pub fn small(&self, name: &str) -> Result<u8> {
        let value = self.get(name).as_u64().and_then(|value| u8::try_from(value).ok());
        value.ok_or_else(|| self.wrong(name, "a small whole number"))
    }

    /// True or false.
    pub fn boolean(&self, name: &str) -> Result<bool> {
        self.get(name).as_bool().ok_or_else(|| self.wrong(name, "true or false"))
    }

    /// Text; empty where null.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.get(name) {
            Value::Null => Ok(""),
            value => value.as_str().ok_or_else(|| self.wrong(name, "text")),
        }
    }

    /// A list of texts; empty where null.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let wrong = || self.wrong(name, "a list of texts");
        match self.get(name) {
            Value::Null => Ok(Vec::new()),
            Value::Array(values) => {
                values.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Value::String(one) => Ok(one.split(',').map(|part| part.trim().to_owned()).collect()),
            _ => Err(wrong()),
        }
    }

    /// A list of numbers; `None` where null.
    pub fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>> {
        let wrong = || self.wrong(name, "a list of numbers");
        match self.get(name) {
            Value::Null => Ok(None),
            Value::Array(values) => {
                values.iter().map(|value| value.as_f64().ok_or_else(wrong)).collect::<Result<_>>().map(Some)
            }
            _ => Err(wrong()),
        }
    }

    /// The fields of an object, refused by name where not among `known`; `None` where null.
    pub fn object(&self, name: &str, known: &[&str]) -> Result<Option<Fields<'_>>> {
        match self.get(name) {
            Value::Null => Ok(None),
            Value::Object(fields) => {
                if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
                    return Err(Error::usage(
                        format!("{}: parameter {name} has no field `{unknown}`", self.owner),
                        format!("its fields are: {}", known.join(", ")),
                    ));
                }
                Ok(Some(Fields { name: name.to_owned(), of: self, fields }))
            }
            _ => Err(self.wrong(name, "an object")),
        }
    }

    /// An error about a value that is none of the known ones.
    pub fn unknown(&self, name: &str, known: &[&str]) -> Error {
        Error::usage(
            format!("{}: parameter {name} has no value {}", self.owner, self.get(name)),
            format!("its values are: {}", known.join(", ")),
        )
    }

    fn wrong(&self, name: &str, wanted: &str) -> Error {
        Error::usage(
            format!("{}: parameter {name} is {}, where {wanted} is needed", self.owner, self.get(name)),
            "see `meed explain` or docs/judges.md for the parameters and their defaults",
        )
    }
}

/// Fields of a parameter that is an object.
pub struct Fields<'a> {
    name: String,
    of: &'a Parameters,
    fields: &'a serde_json::Map<String, Value>,
}

impl Fields<'_> {
    /// A field, null where absent.
    pub fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }

    /// A number, `None` where absent.
    pub fn number(&self, field: &str) -> Result<Option<f64>> {
        match self.get(field) {
            Value::Null => Ok(None),
            value => {
                value.as_f64().map(Some).ok_or_else(|| self.of.wrong(&self.name, "an object of numbers"))
            }
        }
    }

    /// Text, empty where absent.
    pub fn text(&self, field: &str) -> Result<&str> {
        match self.get(field) {
            Value::Null => Ok(""),
            value => value.as_str().ok_or_else(|| self.of.wrong(&self.name, "an object with text there")),
        }
    }

    /// The parameter that the fields belong to, as an error about `field`.
    pub fn unknown(&self, field: &str, known: &[&str]) -> Error {
        Error::usage(
            format!(
                "{}: parameter {}, field {field} has no value {}",
                self.of.owner,
                self.name,
                self.get(field)
            ),
            format!("its values are: {}", known.join(", ")),
        )
    }
}

/// A value from the command line or a declaration: JSON where it parses, else text.
pub fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
