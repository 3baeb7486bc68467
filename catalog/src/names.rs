//! Names of datasets: `gsm8k`, `gsm8k_advantages`, `gsm8k@3`.

use std::fmt;

use meed_operators::columns::Table;
use meed_operators::{Error, Result};

/// A dataset and, after `@`, the version to read.
///
/// ```
/// use meed_catalog::DatasetName;
/// let name = DatasetName::parse("gsm8k@3").unwrap();
/// assert_eq!((name.name.as_str(), name.version), ("gsm8k", Some(3)));
/// assert!(DatasetName::parse("../up").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatasetName {
    /// Name of the dataset, which is also the name of its directory.
    pub name: String,
    /// Version to read; the latest where absent.
    pub version: Option<u64>,
}

impl DatasetName {
    /// Reads `name` or `name@version`.
    ///
    /// # Errors
    /// A name that is empty, begins with a character other than a letter or digit, or holds one
    /// other than letters, digits, `_`, `-` and `.`; a version that is not a number.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, version) = match text.split_once('@') {
            None => (text, None),
            Some((name, version)) => {
                let version = version.parse().map_err(|_| {
                    Error::usage(
                        format!("`{text}`: `{version}` is not a version"),
                        "write the version as a number, as in `gsm8k@3`; `meed history <dataset>` lists them",
                    )
                })?;
                (name, Some(version))
            }
        };
        let legal = name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !legal {
            return Err(Error::usage(
                format!("`{name}` is not a name for a dataset"),
                "use letters, digits, `_`, `-` and `.`, and begin with a letter or digit",
            ));
        }
        Ok(DatasetName { name: name.to_owned(), version })
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The name under which one kind of rows of a dataset is stored: rollouts as `name`, the others
/// as `name_scores`, `name_nodes`, `name_edges`, `name_advantages`, `name_updates`.
pub fn table_name(name: &str, table: Table) -> String {
    match table {
        Table::Rollouts => name.to_owned(),
        other => format!("{name}_{}", other.name()),
    }
}

/// The kind of rows that a dataset of this name holds, by its ending.
pub(crate) fn table_of_name(name: &str) -> Option<Table> {
    Table::ALL
        .into_iter()
        .find(|table| *table != Table::Rollouts && name.ends_with(&format!("_{}", table.name())))
}

/// The candidates that a person who typed `wanted` may have meant, nearest first, at most three.
pub(crate) fn near_names<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let contained = lower.contains(&wanted) || wanted.contains(&lower);
            let distance = edit_distance(&wanted, &lower);
            (if contained { distance.min(1) } else { distance }, name)
        })
        .filter(|(distance, _)| *distance <= 1 + wanted.chars().count() / 3)
        .collect();
    near.sort();
    near.dedup();
    near.truncate(3);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein distance over characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
