//! SteerLM 2.0: weighted likelihood, where a group's weights are the target posterior less the policy's own.

use meed_operators::Result;
use meed_operators::objectives::preference::{Scores, softmax};
use meed_operators::objectives::{Columns, Loss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;

/// `L = 1/T sum_i (t_i - b_i) NLL_i` per group, with
/// `t = softmax(log P(a|x,y) + log P(y|x) - log Q'(y|a,x))`, `b = softmax(log Q - log Q')` and `T` the
/// mean length of the group's responses; the weights are held fixed.
///
/// Rollouts have the signals `attribute_logprob` (`log P(a|x,y)`) and `unconditional_logprob` (`log P(y|x)`);
/// `log Q'` is the sum of `old_logprobs`. A rollout whose target is not finite has weight 0 in both.
pub const HELPSTEER2_STEERLM2: NamedObjective = NamedObjective {
    name: "helpsteer2_steerlm2",
    title: "the group's target posterior less the policy's own weights, on the likelihood",
    citation: "Wang et al. 2024, HelpSteer2, arXiv 2406.08673; NeMo-Aligner's SteerLM 2.0",
    formula: "1/T sum (softmax(log P(a|y) + log P(y) - log Q') - softmax(log Q - log Q')) NLL",
    parameters: &[],
    build: |_| Ok(function("helpsteer2_steerlm2", loss)),
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations, as in the code; the mean over groups is a guess (the code scales \
    by its number of micro-batches)";

fn loss(columns: &Columns) -> Result<Loss> {
    let attribute = columns.rollout_signal("attribute_logprob")?;
    let unconditional = columns.rollout_signal("unconditional_logprob")?;
    let likelihoods = Scores::likelihoods(columns)?;
    let old = columns.needed(&columns.old_logprobs, "token_old_logprobs")?;
    let change = Scores::weighted(columns, Some(old), |_| 1.0)?.values;
    let groups = columns.members();
    let (mut value, mut divergence) = (0.0, 0.0);
    let mut by_score = vec![0.0; columns.rollouts()];
    let share = 1.0 / groups.len().max(1) as f64;
    for group in &groups {
        let proposal = |i: usize| likelihoods.values[i] - change[i];
        let log_target = |i: usize| attribute[i] + unconditional[i] - proposal(i);
        let group: Vec<usize> = group.iter().copied().filter(|&i| log_target(i).is_finite()).collect();
        let target = softmax(&group.iter().map(|&i| log_target(i)).collect::<Vec<_>>());
        let own = softmax(&group.iter().map(|&i| change[i]).collect::<Vec<_>>());
        let trained = |i: usize| columns.range(i).filter(|&t| columns.mask[t]).count() as f64;
        let length = group.iter().map(|&i| trained(i)).sum::<f64>() / group.len().max(1) as f64;
        if length == 0.0 {
            continue;
        }
        for ((&i, target), own) in group.iter().zip(target).zip(own) {
            let weight = (target - own) / length;
            value -= share * weight * likelihoods.values[i];
            by_score[i] = -share * weight;
            divergence += share * target * ((target + 1e-8) / (own + 1e-8)).ln();
        }
    }
    let parts = [("target_kl".to_owned(), divergence)].into_iter().collect();
    Ok(Loss { value, parts, logprobs: likelihoods.gradient(columns, &by_score), ..Loss::default() })
}
