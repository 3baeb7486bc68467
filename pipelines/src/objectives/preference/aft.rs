//! AFT: the likelihoods of a question's sampled answers, ordered as their rewards are.

use meed_operators::Result;
use meed_operators::objectives::preference::{Pair, Scores, better_against_worse, negative_log_likelihood};
use meed_operators::objectives::{Columns, Loss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = L_SFT + mean over groups of log(1 + sum_{r_i > r_j} exp(s_j - s_i) [+ exp(T_ij - s_j)])`, with `s`
/// the mean log-probability of an answer.
///
/// `constraint`: `none`; `detached` (no gradient to the worse answer of a pair); `boundary` (the second
/// term, with `T_ij = 2 s_min - 2 margin - s_i` held fixed, and `s_min` the least likely answer that is
/// better than `j`). `L_SFT` is the token mean over rollouts that the signal `reference` marks with 1, one
/// per rollout; they are not ranked.
pub const AFT: NamedObjective = NamedObjective {
    name: "aft",
    title: "alignment of likelihoods with ranks",
    citation: "Wang et al. 2023, Making Large Language Models Better Reasoners with Alignment, arXiv 2309.02144",
    formula: "sft_weight NLL(reference) + log(1 + sum_{r_i > r_j} exp(s_j - s_i)), s = mean logp",
    parameters: &[&[
        parameter(
            "constraint",
            "detached",
            "none, detached or boundary: what keeps bad answers from being pushed down",
        ),
        parameter("margin", "0.1", "how far below the least likely good answer the boundary is"),
        parameter("sft_weight", "1", "weight of the likelihood of the reference answers"),
    ]],
    build: |parameters| {
        let constraint = match parameters.text("constraint")? {
            "none" => Constraint::None,
            "detached" => Constraint::Detached,
            "boundary" => Constraint::Boundary { margin: parameters.number("margin")? },
            _ => return Err(parameters.unknown("constraint", &["none", "detached", "boundary"])),
        };
        let sft_weight = parameters.number("sft_weight")?;
        Ok(function("aft", move |columns| {
            let mut loss = constraint.loss(columns)?;
            loss.parts.insert("alignment".into(), loss.value);
            if sft_weight != 0.0 {
                let marked = columns.rollout_signal("reference")?;
                let references = (0..columns.rollouts()).filter(|&rollout| marked[rollout] != 0.0);
                let likelihood = negative_log_likelihood(columns, references)?;
                loss.parts.insert("sft".into(), likelihood.value);
                loss.add_weighted(sft_weight, likelihood);
            }
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "reconstructed: the alignment loss and its detached form are the paper's; the \
    boundary T, that it is held fixed, and the mean over groups are guessed. Binary labels are the \
    ranking of two rewards";

#[derive(Clone, Copy)]
enum Constraint {
    None,
    Detached,
    Boundary { margin: f64 },
}

impl Constraint {
    fn loss(self, columns: &Columns) -> Result<Loss> {
        let scores = Scores::likelihoods(columns)?.per_token(columns);
        let references = columns.signals.get("reference");
        let ranked = |i: usize| references.is_none_or(|marked| marked.get(i).is_none_or(|&mark| mark == 0.0));
        let mut groups: Vec<(usize, Vec<Pair>)> = Vec::new();
        for pair in better_against_worse(columns)? {
            if !ranked(pair.chosen) || !ranked(pair.rejected) {
                continue;
            }
            let group = columns.group(pair.chosen);
            match groups.last_mut() {
                Some((known, pairs)) if *known == group => pairs.push(pair),
                _ => groups.push((group, vec![pair])),
            }
        }
        let all: std::collections::BTreeSet<usize> =
            (0..columns.rollouts()).filter(|&i| ranked(i)).map(|i| columns.group(i)).collect();
        let share = 1.0 / all.len().max(1) as f64;
        let (mut value, mut by_score) = (0.0, vec![0.0; scores.values.len()]);
        for (_, pairs) in &groups {
            value += share * self.group(pairs, &scores.values, share, &mut by_score);
        }
        Ok(Loss { value, logprobs: scores.gradient(columns, &by_score), ..Loss::default() })
    }

    /// `log(1 + sum exp(term))` of one group; its derivatives, times a share, are added.
    fn group(self, pairs: &[Pair], s: &[f64], share: f64, by_score: &mut [f64]) -> f64 {
        // (exponent, who is pushed up by it, who is pushed down)
        let mut terms: Vec<(f64, Option<usize>, Option<usize>)> = Vec::new();
        for pair in pairs {
            let (better, worse) = (pair.chosen, pair.rejected);
            let down = (!matches!(self, Constraint::Detached)).then_some(worse);
            terms.push((s[worse] - s[better], Some(better), down));
            if let Constraint::Boundary { margin } = self {
                let least = pairs
                    .iter()
                    .filter(|other| other.rejected == worse)
                    .map(|other| s[other.chosen])
                    .fold(f64::INFINITY, f64::min);
                let boundary = 2.0 * least - 2.0 * margin - s[better];
                terms.push((boundary - s[worse], Some(worse), None));
            }
        }
        let top = terms.iter().map(|term| term.0).fold(0.0, f64::max);
        let sum = (-top).exp() + terms.iter().map(|term| (term.0 - top).exp()).sum::<f64>();
        for (exponent, up, down) in terms {
            let weight = share * (exponent - top).exp() / sum;
            up.into_iter().for_each(|i| by_score[i] -= weight);
            down.into_iter().for_each(|i| by_score[i] += weight);
        }
        top + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(s: &[f64], rewards: &[f64]) -> Columns {
        Columns {
            offsets: (0..=s.len()).collect(),
            groups: vec![0; s.len()],
            mask: vec![true; s.len()],
            logprobs: s.to_vec(),
            rewards: Some(rewards.to_vec()),
            ..Columns::default()
        }
    }

    #[test]
    fn the_numbers_of_the_section_come_out() {
        let columns = group(&[-0.5, -0.9, -0.4, -1.5], &[1.0, 1.0, 0.0, 0.0]);
        let plain = Constraint::None.loss(&columns).unwrap();
        assert!((plain.value - 1.5412839603).abs() < 1e-9);
        assert!((plain.logprobs[2] - 0.5896248995).abs() < 1e-9);
        assert!((plain.logprobs[3] - 0.1962690793).abs() < 1e-9);
        let detached = Constraint::Detached.loss(&columns).unwrap();
        assert_eq!(detached.value, plain.value);
        assert_eq!(detached.logprobs[2..], [0.0, 0.0]);
        assert_eq!(detached.logprobs[..2], plain.logprobs[..2]);
        let bounded = Constraint::Boundary { margin: 0.1 }.loss(&columns).unwrap();
        assert!((bounded.value - 2.0784240681).abs() < 1e-9);
        let ranking = group(&[-0.5, -0.7, -0.6], &[3.0, 2.0, 1.0]);
        assert!((Constraint::None.loss(&ranking).unwrap().value - 1.3425355295).abs() < 1e-9);
    }

    #[test]
    fn at_the_boundary_the_forces_on_a_bad_answer_balance() {
        let columns = group(&[-0.5, -0.6], &[1.0, 0.0]);
        let loss = Constraint::Boundary { margin: 0.1 }.loss(&columns).unwrap();
        assert!(loss.logprobs[1].abs() < 1e-12);
    }

    #[test]
    fn a_group_of_equals_has_no_alignment_loss() {
        let loss = Constraint::None.loss(&group(&[-0.5, -0.6], &[1.0, 1.0])).unwrap();
        assert_eq!((loss.value, loss.logprobs), (0.0, vec![0.0, 0.0]));
    }
}
