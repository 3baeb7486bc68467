//! `exact`: the answer is the reference, letter by letter.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Answer;
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// 1 where the answer in `response` equals `reference`, else 0. Blanks around both do not count.
#[derive(Debug, Clone, Default)]
pub struct Exact {
    /// Where the answer stands.
    pub answer: Answer,
    /// Take capital and small letters as the same.
    pub ignore_case: bool,
    /// Take any run of blanks and line breaks as one blank.
    pub ignore_spacing: bool,
}

impl Exact {
    fn plain(&self, text: &str) -> String {
        let text = match self.ignore_spacing {
            true => text.split_whitespace().collect::<Vec<_>>().join(" "),
            false => text.trim().to_owned(),
        };
        if self.ignore_case { text.to_lowercase() } else { text }
    }

    /// Whether a response gives the reference.
    pub fn is_right(&self, response: &str, reference: &str) -> bool {
        self.answer.find(response).is_some_and(|answer| self.plain(answer) == self.plain(reference))
    }
}

#[async_trait]
impl Judge for Exact {
    fn name(&self) -> &str {
        "exact"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({
            "answer": self.answer.parameters(),
            "ignore_case": self.ignore_case,
            "ignore_spacing": self.ignore_spacing,
        })
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        vec!["response".into(), "reference".into()]
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let is_right = self.is_right(rollout.text("response")?, rollout.text("reference")?);
        Ok(vec![Some(f64::from(is_right))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_equal() {
        let strict = Exact { answer: Answer::LastLine, ..Exact::default() };
        assert!(strict.is_right("thinking\n Paris \n", "Paris"));
        assert!(!strict.is_right("Paris\nno", "Paris"));
        assert!(!strict.is_right("paris", "Paris"));
        assert!(!strict.is_right("New  York", "New York"));
        let lenient = Exact { ignore_case: true, ignore_spacing: true, ..Exact::default() };
        assert!(lenient.is_right("NEW \n york", "New York"));
        assert!(!lenient.is_right("", ""), "no answer is not right");
    }
}
