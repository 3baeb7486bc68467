//! Checks calculator annotations such as `<<16-3-4=9>>`.

/// Whether the calculations annotated in a line of text are right.
///
/// `Some(false)` if one of them is wrong, `Some(true)` if there are some and all are right, `None`
/// if there is none, or one that is no plain arithmetic (`<<x+56=86>>`) and none that is wrong. A
/// result with decimals is right if it is the value of the expression rounded at the last decimal
/// written; a whole number has to be the value itself.
///
/// ```
/// use meed_operators::judge::verifiers::calculations_correct;
/// assert_eq!(calculations_correct("so 16 - 3 - 4 = <<16-3-4=9>>9 eggs"), Some(true));
/// assert_eq!(calculations_correct("and 2 / 3 is <<2/3=0.66>>0.66"), Some(false));
/// assert_eq!(calculations_correct("nothing to check"), None);
/// ```
pub fn calculations_correct(line: &str) -> Option<bool> {
    let mut all_right = None;
    for annotation in line.split("<<").skip(1) {
        let verdict = annotation.split_once(">>").and_then(|(body, _)| is_right(body));
        match verdict {
            Some(false) => return Some(false),
            Some(true) if all_right.is_none() => all_right = Some(Some(true)),
            Some(true) => {}
            None => all_right = Some(None),
        }
    }
    all_right.flatten()
}

/// Whether `expression=result` holds; `None` if a side is no arithmetic.
fn is_right(body: &str) -> Option<bool> {
    let (expression, result) = body.split_once('=')?;
    let value = evaluate(expression)?;
    let written = evaluate(result)?;
    let half_digit = match result.trim_ascii_end().split_once('.') {
        Some((_, decimals)) => 0.5 * 10f64.powi(-i32::try_from(decimals.len()).ok()?),
        None => 0.0,
    };
    // Both sides are binary fractions: allow their rounding on top of that of the written result.
    let rounding = 1e-12 * value.abs().max(written.abs());
    Some((value - written).abs() <= half_digit + rounding)
}

/// Value of an expression of decimal numbers, `+ - * /` and brackets; `None` for anything else,
/// and for a division by zero.
fn evaluate(expression: &str) -> Option<f64> {
    let mut parser = Parser(expression.trim_ascii());
    let value = parser.sum(0)?;
    (parser.0.is_empty() && value.is_finite()).then_some(value)
}

/// Brackets and signs nest no deeper than this in text that people or models write.
const DEPTH: usize = 64;

struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn take(&mut self, character: char) -> bool {
        self.0 = self.0.trim_ascii_start();
        match self.0.strip_prefix(character) {
            Some(rest) => {
                self.0 = rest.trim_ascii_start();
                true
            }
            None => false,
        }
    }

    fn sum(&mut self, depth: usize) -> Option<f64> {
        let mut value = self.product(depth)?;
        loop {
            if self.take('+') {
                value += self.product(depth)?;
            } else if self.take('-') {
                value -= self.product(depth)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self, depth: usize) -> Option<f64> {
        let mut value = self.factor(depth)?;
        loop {
            if self.take('*') {
                value *= self.factor(depth)?;
            } else if self.take('/') {
                value /= self.factor(depth)?;
            } else {
                return Some(value);
            }
        }
    }

    fn factor(&mut self, depth: usize) -> Option<f64> {
        if depth > DEPTH {
            return None;
        }
        if self.take('-') {
            return Some(-self.factor(depth + 1)?);
        }
        if self.take('(') {
            let value = self.sum(depth + 1)?;
            return self.take(')').then_some(value);
        }
        self.number()
    }

    /// Digits with at most one point; `20,000` is text, because a comma may also part two numbers.
    fn number(&mut self) -> Option<f64> {
        let end = self.0.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        number.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::calculations_correct;

    #[test]
    fn results_are_right_to_their_last_digit() {
        for (line, expected) in [
            ("16 - 3 - 4 = <<16-3-4=9>>9 eggs", Some(true)),
            ("<<16-3-4=10>>10", Some(false)),
            ("<<2/3=0.67>>", Some(true)),
            ("<<2/3=0.66>>", Some(false)),
            ("<<.1+.2=.3>>", Some(true)),
            ("<<10/3=3>>", Some(false)),
            ("<<10/3=3.3333333333333335>>", Some(true)),
            ("<<-(2+3)*-4=20>> <<1+1=2>>", Some(true)),
            ("<<1+1=2>> and <<1+1=3>>", Some(false)),
            ("no calculation", None),
            ("<<x+56=86>>", None),
            ("<<1+1=2>> <<x+56=86>>", None),
            ("<<x+56=86>> <<1+1=2>>", None),
            ("<<x+56=86>> <<1+1=3>>", Some(false)),
            ("<<20,000*2=40,000>>", None),
            ("<<1/0=1>>", None),
            ("<<1+1=2", None),
            ("<<=>> <<1+=1>> <<>>", None),
        ] {
            assert_eq!(calculations_correct(line), expected, "{line}");
        }
    }

    #[test]
    fn deep_nesting_is_no_calculation() {
        let deep = format!("<<{}1=1>>", "-(".repeat(100_000));
        assert_eq!(calculations_correct(&deep), None);
    }
}
