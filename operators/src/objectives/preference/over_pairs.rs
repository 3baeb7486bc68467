//! From losses of pairs to the loss of a batch.

use super::forms::PairLoss;
use super::pairs::Pair;
use super::scores::Scores;
use crate::Result;
use crate::objectives::{Columns, Loss};

/// `1/n sum_i weight_i loss_i` over the batch's pairs, with its gradient through the scores. A batch
/// without pairs has loss 0. `rule` is told the pair's number, and the two scores.
///
/// The losses of the pairs, unweighted, are the output `pair_losses`, and their number is the part `pairs`.
///
/// # Errors
/// As [`Columns::known_pairs`].
pub fn mean_over_pairs(
    columns: &Columns,
    scores: &Scores,
    rule: impl Fn(usize, f64, f64) -> PairLoss,
) -> Result<Loss> {
    let pairs = columns.known_pairs()?;
    let of_pair =
        |(i, pair): (usize, &Pair)| rule(i, scores.values[pair.chosen], scores.values[pair.rejected]);
    let losses: Vec<PairLoss> = pairs.iter().enumerate().map(of_pair).collect();
    Ok(of_pairs(columns, pairs, scores, &losses))
}

/// The same for given pairs, and losses that are known already.
pub fn of_pairs(columns: &Columns, pairs: &[Pair], scores: &Scores, losses: &[PairLoss]) -> Loss {
    let mut by_score = vec![0.0; scores.values.len()];
    let mut value = 0.0;
    let share = 1.0 / pairs.len().max(1) as f64;
    for (pair, loss) in pairs.iter().zip(losses) {
        let weight = share * pair.weight;
        value += weight * loss.value;
        by_score[pair.chosen] += weight * loss.chosen;
        by_score[pair.rejected] += weight * loss.rejected;
    }
    let mut loss = Loss { value, logprobs: scores.gradient(columns, &by_score), ..Loss::default() };
    loss.parts.insert("pairs".into(), pairs.len() as f64);
    loss.outputs.insert("pair_losses".into(), losses.iter().map(|loss| loss.value).collect());
    loss
}

/// Adds what a preference run watches: the mean implicit rewards `beta * score` of chosen and rejected
/// rollouts, the mean difference, and the share of pairs in which the chosen one has more (ties have not).
/// The parts are `reward_chosen`, `reward_rejected`, `reward_margins` and `reward_accuracies`; without
/// pairs there are none.
pub fn preferred(loss: &mut Loss, pairs: &[Pair], rewards: &[f64]) {
    if pairs.is_empty() {
        return;
    }
    let mean = |of: &dyn Fn(&Pair) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let right = |pair: &Pair| f64::from(u8::from(rewards[pair.chosen] > rewards[pair.rejected]));
    let parts = [
        ("reward_chosen", mean(&|pair| rewards[pair.chosen])),
        ("reward_rejected", mean(&|pair| rewards[pair.rejected])),
        ("reward_margins", mean(&|pair| rewards[pair.chosen] - rewards[pair.rejected])),
        ("reward_accuracies", mean(&right)),
    ];
    loss.parts.extend(parts.map(|(name, value)| (name.to_owned(), value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objectives::preference::sigmoid;

    fn columns(pairs: Vec<Pair>) -> Columns {
        Columns {
            offsets: vec![0, 2, 3, 5],
            mask: vec![true; 5],
            logprobs: vec![-0.5, -0.2, -1.0, -0.7, -0.9],
            pairs,
            ..Columns::default()
        }
    }

    #[test]
    fn a_rollout_in_two_pairs_gets_both_gradients() {
        let columns = columns(vec![Pair::new(0, 1), Pair::new(0, 2).weighted(0.5)]);
        let loss = |columns: &Columns| {
            let scores = Scores::likelihoods(columns).unwrap();
            mean_over_pairs(columns, &scores, |_, w, l| sigmoid(0.5, 0.0, w, l)).unwrap()
        };
        let at = loss(&columns);
        for t in 0..5 {
            let nudged = |by: f64| {
                let mut columns = columns.clone();
                columns.logprobs[t] += by;
                loss(&columns).value
            };
            let numeric = (nudged(1e-6) - nudged(-1e-6)) / 2e-6;
            assert!((at.logprobs[t] - numeric).abs() < 1e-9, "token {t}");
        }
    }

    #[test]
    fn without_pairs_there_is_no_loss_and_no_gradient() {
        let columns = columns(Vec::new());
        let scores = Scores::likelihoods(&columns).unwrap();
        let loss = mean_over_pairs(&columns, &scores, |_, w, l| sigmoid(0.5, 0.0, w, l)).unwrap();
        assert_eq!((loss.value, loss.logprobs), (0.0, vec![0.0; 5]));
    }
}
