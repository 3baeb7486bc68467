//! `answer_likelihood`: how likely the reference answer is after the whole rollout, as a reward.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contexts::{Bridge, Contexts, mean};
use super::gold::bridge_parameters;
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// What is made of the probabilities `p_t` of the answer's tokens (arXiv 2602.03979).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikelihoodForm {
    /// `prod_t p_t`
    Prob,
    /// `mean_t p_t`
    AvgProb,
    /// `sum_t log p_t`
    LogProb,
    /// `mean_t log p_t`
    AvgLogProb,
}

impl LikelihoodForm {
    /// All forms with their names.
    pub const ALL: [(&'static str, LikelihoodForm); 4] = [
        ("prob", LikelihoodForm::Prob),
        ("avg_prob", LikelihoodForm::AvgProb),
        ("log_prob", LikelihoodForm::LogProb),
        ("avg_log_prob", LikelihoodForm::AvgLogProb),
    ];

    /// The reward from the log-probabilities of the answer's tokens.
    pub fn of(self, logprobs: &[f64]) -> f64 {
        match self {
            LikelihoodForm::Prob => logprobs.iter().sum::<f64>().exp(),
            LikelihoodForm::AvgProb => {
                mean(&logprobs.iter().map(|logprob| logprob.exp()).collect::<Vec<_>>())
            }
            LikelihoodForm::LogProb => logprobs.iter().sum(),
            LikelihoodForm::AvgLogProb => mean(logprobs),
        }
    }

    fn name(self) -> &'static str {
        LikelihoodForm::ALL.into_iter().find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }
}

/// The likelihood of `reference` after the prompt and the rollout up to `before`, under the policy.
#[derive(Debug, Clone)]
pub struct AnswerLikelihood {
    /// What asks for the answer.
    pub bridge: Bridge,
    /// The form of the reward.
    pub form: LikelihoodForm,
    /// The rollout's own answer begins with the last occurrence of this text, and is left out with
    /// it; without it, the whole rollout is the reasoning.
    pub before: Option<String>,
}

impl AnswerLikelihood {
    /// Tokens before the rollout's own answer: as many as decode to a text without it.
    fn cut(&self, rollout: Judged<'_>, context: &JudgeContext, tokens: usize) -> Result<usize, Failure> {
        let (Some(before), Some(tokenizer)) = (&self.before, &context.tokenizer) else {
            return Ok(tokens);
        };
        let ids = rollout.integers("token_ids")?;
        let text =
            |end: usize| tokenizer.decode(&ids[..end]).map_err(|error| Failure::Error(error.to_string()));
        let Some(at) = text(tokens)?.rfind(before.as_str()) else {
            return Ok(tokens);
        };
        // Decoded length grows with the tokens: look for the last prefix that ends at the answer.
        let (mut low, mut high) = (0, tokens);
        while low < high {
            let middle = (low + high).div_ceil(2);
            match text(middle)?.len() <= at {
                true => low = middle,
                false => high = middle - 1,
            }
        }
        Ok(low)
    }
}

#[async_trait]
impl Judge for AnswerLikelihood {
    fn name(&self) -> &str {
        "answer_likelihood"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({
            "ask": bridge_parameters(&self.bridge),
            "form": self.form.name(),
            "before": self.before,
        })
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        ["prompt", "prompt_ids", "token_ids", "reference"].map(str::to_owned).to_vec()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn asks_policy(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let answer = self.bridge.answer(rollout.text("reference")?);
        let contexts = Contexts::of(rollout, context, &self.bridge)?;
        let cut = self.cut(rollout, context, contexts.tokens())?;
        let logprobs = contexts.logprobs(&[cut], &[answer])?;
        Ok(logprobs.iter().flatten().map(|answer| Some(self.form.of(answer))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numeric check of the section: four chains of thought, an answer of two tokens.
    #[test]
    fn forms_are_those_of_the_paper() {
        let probabilities = [[0.5f64, 0.9], [0.2, 0.5], [0.8, 0.8], [0.1, 0.4]];
        let wanted = [
            (LikelihoodForm::Prob, [0.45, 0.1, 0.64, 0.04]),
            (LikelihoodForm::AvgProb, [0.7, 0.35, 0.8, 0.25]),
            (LikelihoodForm::LogProb, [-0.7985077, -(10f64.ln()), -0.4462871, -3.21887582]),
            (LikelihoodForm::AvgLogProb, [-0.39925385, -1.151292546, -0.22314355, -1.60943791]),
        ];
        for (form, wanted) in wanted {
            for (probabilities, wanted) in probabilities.iter().zip(wanted) {
                let got = form.of(&probabilities.map(f64::ln));
                assert!((got - wanted).abs() < 1e-7, "{form:?}: {got} {wanted}");
            }
        }
    }
}
