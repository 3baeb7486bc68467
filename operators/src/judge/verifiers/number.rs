//! The final number of a text, as people and models write numbers.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Its value; of `50%` this is 50.
    pub value: f64,
    /// Whether a percent sign follows.
    pub percent: bool,
}

impl Number {
    /// Whether both mean the same, within `absolute + relative * |other|`. Where only one of them
    /// has a percent sign, `50%` equals both `50` and `0.5`.
    pub fn is_near(&self, other: &Number, absolute: f64, relative: f64) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= absolute + relative * b.abs();
        near(self.value, other.value)
            || match (self.percent, other.percent) {
                (true, false) => near(self.value / 100.0, other.value),
                (false, true) => near(self.value, other.value / 100.0),
                _ => false,
            }
    }
}

/// A number with digits, commas and decimals; then a fraction of two such; each may have an exponent.
static NUMBERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const PLAIN: &str = r"(?:\d+(?:,\d+)*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?";
    let fraction = format!(r"\\[dt]?frac\{{\s*(?<top>-?{PLAIN})\s*\}}\{{\s*(?<bottom>{PLAIN})\s*\}}");
    let mixed = r"(?<whole>\d+) (?<part>\d+)/(?<of>\d+)";
    let ratio = format!(r"(?<number>{PLAIN})(?:\s?/\s?(?<by>{PLAIN}))?");
    Regex::new(&format!(r"(?:{fraction}|{mixed}|{ratio})(?<percent>\s?(?:\\?%|percent\b))?")).ok()
});

/// The last number in a text; `None` where there is none.
///
/// Understood are signs (a minus after a letter, digit or bracket is a subtraction, and no sign),
/// decimals, exponents, thousands separators (commas that part groups of three digits; other commas
/// part numbers), fractions (`3/4`, `1 1/2`, `\frac{3}{4}`), percent signs, and currency signs, which
/// do not count. A division by zero is no number.
///
/// ```
/// use meed_operators::judge::verifiers::final_number;
/// let value = |text| final_number(text).map(|number| number.value);
/// assert_eq!(value("She pays $1,234.50."), Some(1234.5));
/// assert_eq!(value("from 16 - 3 to 16-4"), Some(4.0));
/// assert_eq!(value("1 1/2 cups"), Some(1.5));
/// assert_eq!(value("none"), None);
/// ```
pub fn final_number(text: &str) -> Option<Number> {
    let text = text.replace("{,}", ",").replace(r"\$", "$").replace(r"\!", "");
    let numbers: Vec<(usize, Captures<'_>)> = NUMBERS
        .as_ref()?
        .captures_iter(&text)
        .filter_map(|found| Some((found.get(0)?.start(), found)))
        .collect();
    numbers.iter().rev().find_map(|(start, found)| {
        let value = value_of(found)?;
        let value = if is_negative(&text[..*start]) { -value } else { value };
        Some(Number { value, percent: found.name("percent").is_some() })
    })
}

fn value_of(found: &Captures<'_>) -> Option<f64> {
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    let value = if let (Some(top), Some(bottom)) = (part("top"), part("bottom")) {
        plain(top)? / plain(bottom)?
    } else if let (Some(whole), Some(top), Some(of)) = (part("whole"), part("part"), part("of")) {
        plain(whole)? + plain(top)? / plain(of)?
    } else {
        let number = plain(part("number")?)?;
        match part("by") {
            Some(by) => number / plain(by)?,
            None => number,
        }
    };
    value.is_finite().then_some(value)
}

/// A number without a fraction. Commas that do not part thousands part numbers: the last counts.
fn plain(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let whole = digits.split(['.', 'e', 'E']).next().unwrap_or_default();
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let thousands = first.len() <= 3 && groups.all(|group| group.len() == 3);
    let number = match thousands {
        true => digits.replace(',', ""),
        false => digits.rsplit(',').next().unwrap_or_default().to_owned(),
    };
    number.parse::<f64>().ok().map(|value| sign * value)
}

/// Whether what stands before a number makes it negative.
fn is_negative(before: &str) -> bool {
    let before = before.trim_end_matches(['$', '€', '£', '¥']);
    let Some(rest) = before.strip_suffix(['-', '\u{2212}']) else {
        return false;
    };
    !rest.trim_end_matches(' ').ends_with(|last: char| last.is_alphanumeric() || matches!(last, ')' | ']'))
        || (rest.ends_with(' ')
            && !rest.trim_end().ends_with(|last: char| last.is_ascii_digit() || last == ')'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_they_are_written() {
        for (text, value, percent) in [
            ("18", 18.0, false),
            ("A: 70,000", 70_000.0, false),
            ("$1,234,567.89 in all.", 1_234_567.89, false),
            ("either 3, 4 or 12,5", 5.0, false),
            ("1,2345", 2345.0, false),
            ("it is -7", -7.0, false),
            ("x = -7.", -7.0, false),
            ("it is \u{2212}7", -7.0, false),
            ("-$5", -5.0, false),
            ("16-3-4=9", 9.0, false),
            ("16-9", 9.0, false),
            ("16 - 9", 9.0, false),
            ("3/4", 0.75, false),
            ("2 1/2 hours", 2.5, false),
            (r"\boxed{\frac{3}{4}}", 0.75, false),
            (r"\dfrac{-1}{8}", -0.125, false),
            (r"$-\frac{1}{8}$", -0.125, false),
            ("50%", 50.0, true),
            (r"12.5\%", 12.5, true),
            ("about 20 percent", 20.0, true),
            ("1.5e-3", 1.5e-3, false),
            (".5", 0.5, false),
            (r"10{,}000", 10_000.0, false),
            ("first 7, then 1/0", 7.0, false),
        ] {
            let number = final_number(text).unwrap_or_else(|| panic!("{text} has a number"));
            assert_eq!((number.value, number.percent), (value, percent), "{text}");
        }
        for text in ["", "none", "-", "1/0", "%"] {
            assert_eq!(final_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_percent_sign_on_one_side_may_mean_both() {
        let number = |text| final_number(text).unwrap();
        let near = |a, b| number(a).is_near(&number(b), 0.0, 1e-9);
        assert!(near("50%", "50") && near("50%", "0.5") && near("0.5", "50%") && near("50%", "50 percent"));
        assert!(!near("50%", "0.5%") && !near("0.5", "50"));
    }

    #[test]
    fn tolerances_add_up() {
        let number = |value| Number { value, percent: false };
        assert!(number(10.4).is_near(&number(10.0), 0.5, 0.0));
        assert!(number(101.0).is_near(&number(100.0), 0.0, 0.01));
        assert!(number(101.5).is_near(&number(100.0), 0.5, 0.01));
        assert!(!number(101.6).is_near(&number(100.0), 0.5, 0.01));
    }
}
