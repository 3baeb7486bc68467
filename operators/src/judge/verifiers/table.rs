//! A table of inputs and outputs, as a response writes it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::final_number;

/// What a text says the output is for each input; where it says it twice, the last counts.
///
/// A row is a line `input -> output` (also `=>` and `→`), a row of a Markdown table whose first two
/// cells are input and output, or an entry of a JSON object.
///
/// ```
/// use meed_operators::judge::verifiers::Table;
/// let table = Table::of("| n | square |\n|---|---|\n| 2 | 4 |\n3 -> 9\n");
/// assert!(table.gives("2", "4") && table.gives("3", "9.0"));
/// assert!(!table.gives("3", "8") && !table.gives("4", "16"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, String>);

impl Table {
    /// The table in a text; empty where there is none.
    pub fn of(text: &str) -> Self {
        if let Ok(Value::Object(entries)) = serde_json::from_str(text.trim()) {
            let plain = |value: Value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            return Table(entries.into_iter().map(|(input, output)| (input, plain(output))).collect());
        }
        Table(text.lines().filter_map(row).map(|(input, output)| (input.into(), output.into())).collect())
    }

    /// Whether the table says that the output for `input` is `output`: the same text but for blanks
    /// around it, or the same number.
    pub fn gives(&self, input: &str, output: &str) -> bool {
        self.0.get(input.trim()).is_some_and(|given| {
            let number = |text: &str| text.parse::<f64>().ok().and_then(|_| final_number(text));
            given.trim() == output.trim()
                || match (number(given.trim()), number(output.trim())) {
                    (Some(given), Some(output)) => given == output,
                    _ => false,
                }
        })
    }
}

/// Input and output of a line.
fn row(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (input, output) = match line.strip_prefix('|') {
        Some(cells) => {
            let mut cells = cells.split('|');
            (cells.next()?, cells.next()?)
        }
        None => ["->", "=>", "→"].iter().find_map(|arrow| line.split_once(arrow))?,
    };
    Some((input.trim().trim_matches('`'), output.trim().trim_matches('`')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_in_every_form() {
        let json = Table::of(r#" {"[1, 2]": 3, "a": "b"} "#);
        assert!(json.gives("[1, 2]", "3") && json.gives("a", "b"));
        let lines = Table::of("I think:\n`5` => `x y`\n 1 -> 2\n1 → 3\nno row");
        assert!(lines.gives("5", " x y ") && lines.gives("1", "3") && !lines.gives("1", "2"));
        assert_eq!(Table::of("no table"), Table::default());
        assert!(!Table::of("1 -> 1 apple").gives("1", "1"), "text with a number is no number");
    }
}
