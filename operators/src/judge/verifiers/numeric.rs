//! `numeric`: the final number of the answer is that of the reference, within a tolerance.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Answer, final_number};
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// 1 where the final number of the answer is near the final number of `reference`, else 0; see
/// [`final_number`] for how numbers are read, and [`Number::is_near`](super::Number::is_near) for
/// how they are compared.
#[derive(Debug, Clone)]
pub struct Numeric {
    /// Where the answer stands.
    pub answer: Answer,
    /// Largest difference.
    pub absolute: f64,
    /// Largest difference as a share of the reference; adds to the absolute one.
    pub relative: f64,
}

impl Default for Numeric {
    fn default() -> Self {
        Numeric { answer: Answer::Whole, absolute: 0.0, relative: 1e-6 }
    }
}

#[async_trait]
impl Judge for Numeric {
    fn name(&self) -> &str {
        "numeric"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({
            "answer": self.answer.parameters(),
            "absolute": self.absolute,
            "relative": self.relative,
        })
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        vec!["response".into(), "reference".into()]
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let reference = rollout.text("reference")?;
        let reference = final_number(reference)
            .ok_or_else(|| Failure::Missing(format!("the reference `{reference}` has no number")))?;
        let answer = self.answer.find(rollout.text("response")?).and_then(final_number);
        let is_right = answer.is_some_and(|answer| answer.is_near(&reference, self.absolute, self.relative));
        Ok(vec![Some(f64::from(is_right))])
    }
}
