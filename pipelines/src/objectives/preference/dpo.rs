//! DPO with its variants: forms of the pair's loss, divergences, and weights of tokens and pairs.

use meed_operators::objectives::preference::{
    self as preference, Divergence, Pair, PairLoss, Scores, negative_log_likelihood, of_pairs, preferred,
    sorted_margins,
};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::{Error, Result};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::{Parameter, Parameters, parameter};

/// The temperature of DPO's implicit reward.
pub const BETA: Parameter =
    parameter("beta", "0.1", "scale of log-ratios: the implicit reward is beta * score");

/// `L = -log sigmoid(beta (s_w - s_l))` with `s = sum_t (logp_t - ref_t)`, averaged over pairs.
///
/// `loss` names one or more forms, which are added with `loss_weights`:
///
/// | form | loss of a pair |
/// |---|---|
/// | sigmoid | `-log sigmoid(beta d)`, `d = s_w - s_l` |
/// | sigmoid_norm, ipo | the same, and `(d - 1/(2 beta))^2`, of scores per token |
/// | hinge | `max(0, 1 - beta d)` |
/// | exo_pair, robust, nca_pair, bco_pair, sppo_hard, apo_zero, apo_down, discopop | see [`preference`] |
/// | aot, aot_unpaired | sigmoid of margins between sorted values: depends on what is in a batch together |
/// | sft | `-logp` per token of all chosen rollouts |
pub const DPO: NamedObjective = NamedObjective {
    name: "dpo",
    title: "direct preference optimisation with TRL's variants",
    citation: "Rafailov et al. 2023, arXiv 2305.18290; variants as in TRL's DPOTrainer",
    formula: "-log sigmoid(beta ((logp_w - ref_w) - (logp_l - ref_l)))",
    parameters: &[PARAMETERS],
    build: |parameters| {
        let dpo = Dpo::of(parameters)?;
        Ok(function("dpo", move |columns| dpo.loss(columns)))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as TRL; its apo and aot forms ignore the divergence and its exo_pair divides \
    by 0 without label smoothing, which are refused here; the sft term is not weighted by WPO";

const PARAMETERS: &[Parameter] = &[
    parameter("loss", "[\"sigmoid\"]", "forms of the pair's loss, added"),
    parameter("loss_weights", "null", "one factor per form; 1 where null"),
    BETA,
    parameter("divergence", "reverse_kl", "reverse_kl, forward_kl, js_divergence, alpha_divergence"),
    parameter("alpha", "0.5", "coefficient of alpha_divergence"),
    parameter("label_smoothing", "0", "share of pairs whose order is taken to be wrong"),
    parameter("discopop_tau", "0.05", "temperature of discopop's modulation"),
    parameter(
        "length_desensitisation",
        "null",
        "weight of the tokens beyond the length of the pair's shorter rollout (LD-DPO)",
    ),
    parameter(
        "wpo_weighting",
        "false",
        "weigh pairs by how likely the policy finds them: exp(mean(logp - log sum_v p_v^2)) of both",
    ),
];

#[derive(Clone, Copy)]
enum Form {
    /// Of sums of log-ratios.
    Sums(fn(&Dpo, f64, f64) -> PairLoss),
    /// Of log-ratios per token.
    Means(fn(&Dpo, f64, f64) -> PairLoss),
    /// Sorted log-likelihood margins against sorted reference margins.
    Sorted,
    /// Sorted chosen scores against sorted rejected scores.
    SortedUnpaired,
    /// Likelihood of the chosen rollouts.
    Sft,
}

const FORMS: &[(&str, Form)] = &[
    ("sigmoid", Form::Sums(|dpo, w, l| preference::sigmoid(dpo.beta, dpo.smoothing, w, l))),
    ("sigmoid_norm", Form::Means(|dpo, w, l| preference::sigmoid(dpo.beta, dpo.smoothing, w, l))),
    ("hinge", Form::Sums(|dpo, w, l| preference::hinge(dpo.beta, w, l))),
    ("ipo", Form::Means(|dpo, w, l| preference::ipo(dpo.beta, w, l))),
    ("exo_pair", Form::Sums(|dpo, w, l| preference::exo_pair(dpo.beta, dpo.smoothing, w, l))),
    ("nca_pair", Form::Sums(|dpo, w, l| preference::nca_pair(dpo.beta, w, l))),
    ("robust", Form::Sums(|dpo, w, l| preference::robust(dpo.beta, dpo.smoothing, w, l))),
    ("bco_pair", Form::Sums(|dpo, w, l| preference::bco_pair(dpo.beta, w, l))),
    ("sppo_hard", Form::Sums(|dpo, w, l| preference::sppo_hard(dpo.beta, w, l))),
    ("apo_zero", Form::Sums(|dpo, w, l| preference::apo_zero(dpo.beta, w, l))),
    ("apo_down", Form::Sums(|dpo, w, l| preference::apo_down(dpo.beta, w, l))),
    ("discopop", Form::Sums(|dpo, w, l| preference::discopop(dpo.beta, dpo.tau, w, l))),
    ("aot", Form::Sorted),
    ("aot_unpaired", Form::SortedUnpaired),
    ("sft", Form::Sft),
];

/// Forms that TRL computes from plain log-ratios whatever the divergence.
const PLAIN: &[&str] = &["apo_zero", "apo_down", "aot", "aot_unpaired"];

struct Dpo {
    forms: Vec<(&'static str, Form, f64)>,
    beta: f64,
    smoothing: f64,
    tau: f64,
    divergence: Divergence,
    beyond: Option<f64>,
    wpo: bool,
}

impl Dpo {
    fn of(parameters: &Parameters) -> Result<Self> {
        let names = parameters.texts("loss")?;
        let weights = parameters.numbers("loss_weights")?.unwrap_or_else(|| vec![1.0; names.len()]);
        if names.is_empty() || weights.len() != names.len() {
            return Err(Error::usage(
                format!("dpo: {} forms with {} weights", names.len(), weights.len()),
                "loss names at least one form, and loss_weights has one factor for each",
            ));
        }
        let form = |(name, weight): (&String, f64)| {
            let known: Vec<&str> = FORMS.iter().map(|(known, _)| *known).collect();
            let form = FORMS.iter().find(|(known, _)| known == name);
            let (name, form) = form.ok_or_else(|| parameters.unknown("loss", &known))?;
            Ok((*name, *form, weight))
        };
        let divergence = match parameters.text("divergence")? {
            "reverse_kl" => Divergence::ReverseKl,
            "forward_kl" => Divergence::ForwardKl,
            "js_divergence" => Divergence::JensenShannon,
            "alpha_divergence" => Divergence::Alpha(parameters.number("alpha")?),
            _ => {
                let known = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"];
                return Err(parameters.unknown("divergence", &known));
            }
        };
        let dpo = Dpo {
            forms: names.iter().zip(weights).map(form).collect::<Result<_>>()?,
            beta: parameters.number("beta")?,
            smoothing: parameters.number("label_smoothing")?,
            tau: parameters.number("discopop_tau")?,
            divergence,
            beyond: parameters.optional_number("length_desensitisation")?,
            wpo: parameters.boolean("wpo_weighting")?,
        };
        dpo.allowed()?;
        Ok(dpo)
    }

    /// Combinations that the reference computes, but not as their names say.
    fn allowed(&self) -> Result<()> {
        let refuse =
            |name: &str, why: &str| Err(Error::usage(format!("dpo: {name} {why}"), "choose another form"));
        for (name, form, _) in &self.forms {
            if PLAIN.contains(name) && self.divergence != Divergence::ReverseKl {
                return refuse(name, "knows only the divergence reverse_kl");
            }
            if matches!(form, Form::Sorted | Form::SortedUnpaired) && self.wpo {
                return refuse(
                    name,
                    "sorts across the batch, so that its margins belong to no pair: no wpo_weighting",
                );
            }
            if *name == "exo_pair" && !(self.smoothing > 0.0 && self.smoothing < 1.0) {
                return refuse(name, "needs a label_smoothing above 0 (the paper: 0.001)");
            }
            if *name == "robust" && self.smoothing == 0.5 {
                return refuse(name, "has no value at a label_smoothing of 0.5");
            }
        }
        Ok(())
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
        let weights = self.token_weights(columns)?;
        let scores = Scores::weighted(columns, Some(reference), |t| weights[t])?;
        let sums = scores.clone().map(columns, |_, score| self.divergence.transform(score));
        let means = sums.clone().per_token(columns);
        let pairs = self.weighted_pairs(columns)?;
        let mut loss = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
        for (name, form, factor) in &self.forms {
            let over = |scores: &Scores, rule: fn(&Dpo, f64, f64) -> PairLoss| {
                let of = |pair: &Pair| rule(self, scores.values[pair.chosen], scores.values[pair.rejected]);
                of_pairs(columns, &pairs, scores, &pairs.iter().map(of).collect::<Vec<_>>())
            };
            let part = match form {
                Form::Sums(rule) => over(&sums, *rule),
                Form::Means(rule) => over(&means, *rule),
                Form::Sorted => self.sorted(columns, &pairs, &scores)?,
                Form::SortedUnpaired => self.sorted_unpaired(columns, &pairs, &scores)?,
                Form::Sft => negative_log_likelihood(columns, pairs.iter().map(|pair| pair.chosen))?,
            };
            loss.parts.insert((*name).to_owned(), part.value);
            loss.add_weighted(*factor, part);
        }
        let rewards: Vec<f64> = scores.values.iter().map(|score| self.beta * score).collect();
        preferred(&mut loss, &pairs, &rewards);
        Ok(loss)
    }

    /// 1, and `length_desensitisation` beyond the length of the pair's shorter rollout.
    fn token_weights(&self, columns: &Columns) -> Result<Vec<f64>> {
        let mut weights = vec![1.0; columns.tokens()];
        let Some(beyond) = self.beyond else {
            return Ok(weights);
        };
        let mut paired = vec![false; columns.rollouts()];
        for pair in columns.known_pairs()? {
            let trained = |rollout| columns.range(rollout).filter(|&t| columns.mask[t]);
            let shorter = trained(pair.chosen).count().min(trained(pair.rejected).count());
            for rollout in [pair.chosen, pair.rejected] {
                if std::mem::replace(&mut paired[rollout], true) {
                    return Err(Error::usage(
                        format!("dpo: rollout {rollout} is in two pairs, with length_desensitisation"),
                        "it weighs a rollout's tokens by its partner's length: give each rollout one pair",
                    ));
                }
                trained(rollout).skip(shorter).for_each(|t| weights[t] = beyond);
            }
        }
        Ok(weights)
    }

    /// WPO (arXiv 2406.11827): pairs that the policy finds likely count more.
    fn weighted_pairs(&self, columns: &Columns) -> Result<Vec<Pair>> {
        let mut pairs = columns.known_pairs()?.to_vec();
        if self.wpo {
            let squared = columns.token_signal("token_log_sum_squared_probs")?;
            let likely = Scores::weighted(columns, Some(squared), |_| 1.0)?.per_token(columns).values;
            for pair in &mut pairs {
                pair.weight *= (likely[pair.chosen] + likely[pair.rejected]).exp();
            }
        }
        Ok(pairs)
    }

    fn sorted(&self, columns: &Columns, pairs: &[Pair], scores: &Scores) -> Result<Loss> {
        let now = Scores::likelihoods(columns)?.values;
        let margin = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
            pairs.iter().map(|pair| of(pair.chosen) - of(pair.rejected)).collect()
        };
        let (policy, reference) = (margin(&|i| now[i]), margin(&|i| now[i] - scores.values[i]));
        let (value, slopes, _) = sorted_margins(&policy, &reference, |margin| self.of_margin(margin));
        self.of_sorted(
            columns,
            pairs,
            scores,
            value,
            slopes.into_iter().map(|slope| (slope, -slope)).collect(),
        )
    }

    fn sorted_unpaired(&self, columns: &Columns, pairs: &[Pair], scores: &Scores) -> Result<Loss> {
        let chosen: Vec<f64> = pairs.iter().map(|pair| scores.values[pair.chosen]).collect();
        let rejected: Vec<f64> = pairs.iter().map(|pair| scores.values[pair.rejected]).collect();
        let (value, by_chosen, by_rejected) =
            sorted_margins(&chosen, &rejected, |margin| self.of_margin(margin));
        self.of_sorted(columns, pairs, scores, value, by_chosen.into_iter().zip(by_rejected).collect())
    }

    fn of_margin(&self, margin: f64) -> (f64, f64) {
        let loss = preference::sigmoid(self.beta, self.smoothing, margin, 0.0);
        (loss.value, loss.chosen)
    }

    fn of_sorted(
        &self,
        columns: &Columns,
        pairs: &[Pair],
        scores: &Scores,
        value: f64,
        slopes: Vec<(f64, f64)>,
    ) -> Result<Loss> {
        if pairs.iter().any(|pair| pair.weight != 1.0) {
            return Err(Error::usage(
                "dpo: pairs with weights, in a form that sorts across the batch",
                "its margins belong to no pair: give pairs of weight 1, or choose another form",
            ));
        }
        if self.beyond.is_some() {
            return Err(Error::usage(
                "dpo: length_desensitisation in a form that sorts across the batch",
                "choose another form",
            ));
        }
        let count = pairs.len() as f64;
        let spread =
            |(chosen, rejected)| PairLoss { value, chosen: count * chosen, rejected: count * rejected };
        Ok(of_pairs(columns, pairs, scores, &slopes.into_iter().map(spread).collect::<Vec<_>>()))
    }
}
