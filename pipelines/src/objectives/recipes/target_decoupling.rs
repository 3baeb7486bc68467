//! Target decoupling: the actor follows the longest horizon alone; critics of other horizons shape what
//! the network represents.
//!
//! PPO's clip with the advantages of one discount, an entropy bonus, and one clipped squared value loss per
//! discount: their mean, or that of the last head (the longest horizon) plus `aux_weight` times the sum of
//! the others.

use meed_operators::Error;
use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{
    Aggregate, Clip, Columns, EntropyBonus, Loss, Objective, PolicyObjective, Term, ValueLoss,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip", "0.2", "ratios are clipped at 1 ± clip, values at that distance from the old ones"),
    parameter("entropy_coef", "0.01", "coefficient of the entropy bonus"),
    parameter("value_coef", "0.5", "coefficient of the critics' loss"),
    parameter("clip_value_loss", "true", "clip the values"),
    parameter(
        "heads",
        "mean",
        "mean over heads, or auxiliary: the last head plus aux_weight times the others",
    ),
    parameter("aux_weight", "0.1", "weight of each other head where heads is auxiliary"),
];

/// PPO with value heads of several discounts. Reads the signals `token_head_values` (now),
/// `token_old_head_values` and `token_head_returns`: as many values per token as there are heads, those of
/// a token beside each other.
pub const TARGET_DECOUPLING: NamedObjective = NamedObjective {
    name: "target_decoupling",
    title: "PPO with auxiliary value heads of shorter horizons",
    citation: "Representation over Routing, arXiv 2604.13517; experiments/4_target_decoupling_final.py",
    formula: "max(-A r, -A clip(r)) - entropy_coef H + value_coef mean over heads of 1/2 max((v - R)^2, (clip(v) - R)^2)",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released losses; the routing variants, which the authors show to fail, differ \
                            in their advantages alone, without the gradient into attention weights";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = parameters.number("clip")?;
    let mut objective = PolicyObjective::new("target_decoupling", Clip::offsets(clip, clip));
    objective.aggregate = aggregate(parameters)?;
    let coef = parameters.number("entropy_coef")?;
    if coef != 0.0 {
        objective.terms.push(Box::new(EntropyBonus { coef, aggregate: None }));
    }
    let auxiliary = match parameters.text("heads")? {
        "mean" => None,
        "auxiliary" => Some(parameters.number("aux_weight")?),
        _ => return Err(parameters.unknown("heads", &["mean", "auxiliary"])),
    };
    let clip = if parameters.boolean("clip_value_loss")? { Some(clip) } else { None };
    let head = ValueLoss { coef: parameters.number("value_coef")?, clip, ..ValueLoss::default() };
    objective.terms.push(Box::new(HeadValues { head, auxiliary }));
    Ok(Box::new(objective))
}

/// One value loss per head.
struct HeadValues {
    head: ValueLoss,
    /// Weight of every head but the last; `None` takes the mean.
    auxiliary: Option<f64>,
}

impl Term for HeadValues {
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        let values = columns.signal("token_head_values")?;
        let old = columns.signal("token_old_head_values")?;
        let returns = columns.signal("token_head_returns")?;
        let heads = values.len() / columns.tokens().max(1);
        let fits = |list: &[f64]| list.len() == heads * columns.tokens();
        if (heads == 0 && columns.tokens() > 0) || !(fits(values) && fits(old) && fits(returns)) {
            return Err(Error::usage(
                format!("the heads' values do not fit the {} tokens of the batch", columns.tokens()),
                "give token_head_values, token_old_head_values and token_head_returns the same number of heads",
            ));
        }
        let shares = aggregate.coefficients(columns, &columns.counted())?;
        let weight = |head: usize| match self.auxiliary {
            None => 1.0 / heads as f64,
            Some(_) if head + 1 == heads => 1.0,
            Some(weight) => weight,
        };
        let mut gradient = vec![0.0; values.len()];
        let mut total = 0.0;
        for head in 0..heads {
            let mut of_head = ExactSum::default();
            for (t, share) in shares.iter().enumerate().filter(|(_, share)| **share != 0.0) {
                let at = t * heads + head;
                let (value, slope, _) = self.head.token(values[at], old[at], returns[at]);
                of_head.add(share * value);
                gradient[at] = self.head.coef * weight(head) * share * slope;
            }
            let of_head = of_head.value();
            total += weight(head) * of_head;
            loss.part(&format!("value_loss_{head}"), of_head);
        }
        loss.value += self.head.coef * total;
        loss.part("value_loss", total);
        loss.signals.insert("token_head_values".into(), gradient);
        Ok(())
    }
}
