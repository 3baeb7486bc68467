//! `regex`: the response, or each step, matches a regular expression.

use async_trait::async_trait;
use regex::Regex;
use serde_json::{Value, json};

use crate::judge::{Failure, Judge, JudgeContext, Judged};
use crate::{Error, Result};

/// 1 where the text matches, else 0. At rollout level the text is `response`; at step level it is each
/// policy step of `step_texts`, and there is no opinion on what the environment said.
#[derive(Debug, Clone)]
pub struct Pattern {
    pattern: Regex,
    level: &'static str,
}

impl Pattern {
    /// A judge of a pattern in the syntax of the `regex` crate, which takes time in proportion to the
    /// text. It matches anywhere, unless anchored by `^` and `$`.
    ///
    /// # Errors
    /// A pattern that is none, or another level than `rollout` and `step`.
    pub fn new(pattern: &str, level: &str) -> Result<Self> {
        let level = match level {
            "rollout" => "rollout",
            "step" => "step",
            other => {
                return Err(Error::usage(
                    format!("a pattern has no level {other}"),
                    "its levels are rollout and step",
                ));
            }
        };
        let pattern = Regex::new(pattern).map_err(|error| {
            Error::usage(format!("`{pattern}` is no regular expression: {error}"), "see docs.rs/regex")
        })?;
        Ok(Pattern { pattern, level })
    }
}

#[async_trait]
impl Judge for Pattern {
    fn name(&self) -> &str {
        "regex"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "pattern": self.pattern.as_str(), "level": self.level })
    }

    fn level(&self) -> &str {
        self.level
    }

    fn reads(&self) -> Vec<String> {
        match self.level {
            "step" => ["step_texts", "step_kinds", "step_ends", "token_mask"].map(str::to_owned).to_vec(),
            _ => vec!["response".into()],
        }
    }

    async fn judge(
        &self,
        rollout: Judged<'_>,
        _: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure> {
        let matches = |text: &str| f64::from(self.pattern.is_match(text));
        if self.level == "rollout" {
            return Ok(vec![Some(matches(rollout.text("response")?))]);
        }
        let texts = rollout.policy_texts()?;
        Ok(texts.iter().map(|text| text.as_deref().map(matches)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_checked_when_they_are_made() {
        assert!(Pattern::new(r"^<think>.*</think>", "rollout").is_ok());
        assert!(Pattern::new("(", "rollout").is_err());
        assert!(Pattern::new("a", "token").is_err());
    }
}
