//! Light-IF's supervised start: train on the tokens that surprise more than their entropy explains.
//!
//! Of all trainable tokens of the batch, the share `token_ratio` with the largest
//! `-logp_t - entropy_coef H_t` is trained by cross-entropy; the others are not.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{Columns, Loss, Objective};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("entropy_coef", "1", "coefficient of the entropy in the choice of tokens"),
    parameter("token_ratio", "0.2", "share of the tokens that is trained, rounded down"),
    parameter(
        "items_in_batch",
        "null",
        "the sum is divided by floor(items * token_ratio); null: by the number of tokens chosen",
    ),
];

/// Entropy-SFT.
pub const LIGHT_IF_SFT: NamedObjective = NamedObjective {
    name: "light_if_sft",
    title: "cross-entropy of the tokens with the largest surprise beyond their entropy",
    citation: "Light-IF, Qihoo360; build_entropy_loss_func",
    formula: "-logp over the top token_ratio of tokens by -logp - entropy_coef H",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss; ties go to the less probable token, then to the earlier one, and where no token is \
                            chosen the loss is 0";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    Ok(Box::new(EntropySft {
        entropy_coef: parameters.number("entropy_coef")?,
        token_ratio: parameters.number("token_ratio")?,
        items: parameters.optional_number("items_in_batch")?,
    }))
}

struct EntropySft {
    entropy_coef: f64,
    token_ratio: f64,
    items: Option<f64>,
}

impl Objective for EntropySft {
    fn name(&self) -> &str {
        "light_if_sft"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let entropies = columns.needed(&columns.entropies, "token_entropies")?;
        let surprise = |t: usize| -columns.logprobs[t] - self.entropy_coef * entropies[t];
        let mut tokens = columns.trainable(0..columns.tokens());
        let trained = tokens.len();
        let chosen = (trained as f64 * self.token_ratio) as usize;
        let order = |a: usize, b: usize| {
            surprise(b).total_cmp(&surprise(a)).then(columns.logprobs[a].total_cmp(&columns.logprobs[b]))
        };
        tokens.sort_by(|&a, &b| order(a, b));
        let divisor = self.items.map_or(chosen as f64, |items| (items * self.token_ratio).floor());
        let mut loss = Loss::zero(columns);
        let mut value = ExactSum::default();
        for &t in tokens.iter().take(chosen).filter(|_| divisor > 0.0) {
            value.add(-columns.logprobs[t] / divisor);
            loss.logprobs[t] = -1.0 / divisor;
        }
        loss.value = value.value();
        loss.part("chosen_fraction", if trained == 0 { 0.0 } else { chosen as f64 / trained as f64 });
        Ok(loss)
    }
}
