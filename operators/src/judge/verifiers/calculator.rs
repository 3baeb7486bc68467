//! `calculator`: the calculations that a step annotates are right.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::calculations_correct;
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// Per policy step: 1 where all annotated calculations of its text (`<<16-3-4=9>>`) are right, 0 where
/// one is wrong, and `otherwise` where there is none that can be checked, which is no opinion unless it is
/// set; see [`calculations_correct`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Calculator {
    /// The score of a step without a calculation.
    pub otherwise: Option<f64>,
}

#[async_trait]
impl Judge for Calculator {
    fn name(&self) -> &str {
        "calculator"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn level(&self) -> &str {
        "step"
    }

    fn reads(&self) -> Vec<String> {
        ["step_texts", "step_kinds", "step_ends", "token_mask"].map(str::to_owned).to_vec()
    }

    fn parameters(&self) -> Value {
        self.otherwise.map_or(Value::Null, |otherwise| json!({ "otherwise": otherwise }))
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let texts = rollout.policy_texts()?;
        let score = |text: &str| calculations_correct(text).map(f64::from).or(self.otherwise);
        Ok(texts.iter().map(|text| text.as_deref().and_then(score)).collect())
    }
}
