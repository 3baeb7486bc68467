//! Text2Grad: PPO on word-level rewards; a batch whose ratios have run away is not trained on.

use meed_operators::Result;
use meed_operators::objectives::{Clip, Columns, Loss, Objective, PolicyObjective, Ratio, ValueLoss, exact};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.2", "the ratio is clipped at 1 ± clip"),
    parameter("value_clip", "0.2", "how far a value may move before its loss is clipped"),
    parameter("value_coef", "0.1", "coefficient of the critic's loss; 0 needs no values"),
    parameter("ratio_threshold", "10", "where the mean ratio is above it, loss and gradient are 0"),
];

/// Text2Grad's loss.
pub const TEXT2GRAD: NamedObjective = NamedObjective {
    name: "text2grad",
    title: "PPO that skips batches whose mean ratio is above a threshold",
    citation: "Text2Grad, microsoft/Text2Grad; text2grad_trainer.py loss",
    formula: "max(-A r, -A clip(r)) + value_coef / 2 max((v - R)^2, (clip(v) - R)^2); 0 where mean(r) > threshold",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = parameters.number("clip")?;
    let mut objective = PolicyObjective::new("text2grad", Clip::offsets(clip, clip));
    objective.aggregate = aggregate(parameters)?;
    let coef = parameters.number("value_coef")?;
    if coef != 0.0 {
        let clip = Some(parameters.number("value_clip")?);
        objective.terms.push(Box::new(ValueLoss { coef, clip, ..ValueLoss::default() }));
    }
    Ok(Box::new(Text2Grad { objective, threshold: parameters.number("ratio_threshold")? }))
}

struct Text2Grad {
    objective: PolicyObjective,
    threshold: f64,
}

impl Objective for Text2Grad {
    fn name(&self) -> &str {
        "text2grad"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let mut loss = self.objective.loss(columns)?;
        let log_ratios = Ratio::default().log_ratios(columns)?.values;
        let trained = columns.trainable(0..columns.tokens());
        let sum = exact(trained.iter().map(|&t| log_ratios[t].exp()));
        let mean = if trained.is_empty() { 1.0 } else { sum / trained.len() as f64 };
        let skipped = mean > self.threshold;
        if skipped {
            loss.value = 0.0;
            for part in ["policy_loss", "value_loss"] {
                loss.parts.entry(part.to_owned()).and_modify(|value| *value = 0.0);
            }
            loss.logprobs.fill(0.0);
            loss.values.iter_mut().for_each(|values| values.fill(0.0));
        }
        loss.part("mean_ratio", mean);
        loss.part("skipped", f64::from(u8::from(skipped)));
        Ok(loss)
    }
}
