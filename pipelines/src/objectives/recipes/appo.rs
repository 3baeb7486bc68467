//! APPO's policy loss: advantages are scaled by how far the policy will have moved on what follows.
//!
//! With `d = logp - old`, `F_t = sum_{k >= t} 2^(-(k - t) / decay) d_k` over trainable tokens whose `d_k` is at most
//! `ln(dual_clip)`, and `f_t = clip(exp(F_t), low, 1 + future_clip)`, held fixed; where the advantage is negative
//! and the ratio beyond `safety`, `f_t` is clamped to `0.8..=1`. The advantage is `A (1 + weight f_t)`, the loss
//! PPO's dual clip, and rollouts with more than one dual-clipped token leave it.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{Advantages, Aggregate, Clip, Columns, Loss, Objective, Ratio, Rows};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "the ratio is clipped at 1 - clip_low"),
    parameter("clip_high", "0.28", "the ratio is clipped at 1 + clip_high"),
    parameter("dual_clip", "3", "bound c of the loss -A c where the advantage is negative"),
    parameter("decay", "64", "tokens after which a log-ratio counts half"),
    parameter("future_clip", "0.2", "f is clipped at 1 ± future_clip; 0: at 0 and 10"),
    parameter("high_only", "true", "f is at least 1"),
    parameter("weight", "1", "weight of f in the advantage"),
    parameter("safety", "6", "ratio beyond which f is at most 1 where the advantage is negative"),
];

/// The future-KL loss of APPO. The output `token_future_weights` has `f`.
pub const APPO: NamedObjective = NamedObjective {
    name: "appo",
    title: "dual clip with advantages weighted by the discounted log-ratio of what follows",
    citation: "APPO: Agentic Procedural Policy Optimization, arXiv 2606.12384; compute_policy_loss_future_kl",
    formula: "min(max(-A' r, -A' clip(r)), -A' c where A' < 0), A' = A (1 + weight f)",
    parameters: &[PARAMETERS, &AGGREGATE],
    build: |parameters| Ok(Box::new(build(parameters)?)),
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss; its discount counts tokens of the environment too";

fn build(parameters: &Parameters) -> Result<Appo> {
    let offset = parameters.number("future_clip")?;
    let low = if parameters.boolean("high_only")? { 1.0 } else { 1.0 - offset };
    let dual = parameters.number("dual_clip")?;
    Ok(Appo {
        clip: Clip::offsets(parameters.number("clip_low")?, parameters.number("clip_high")?),
        dual,
        future: FutureWeight {
            largest: dual.ln(),
            decay: parameters.number("decay")?,
            bounds: if offset == 0.0 { (0.0, 10.0) } else { (low, 1.0 + offset) },
            safety: parameters.number("safety")?,
        },
        weight: parameters.number("weight")?,
        aggregate: Aggregate { rows: Rows::Trainable, ..aggregate(parameters)? },
    })
}

/// `f`: the clipped exponential of the discounted log-ratios from a token on.
struct FutureWeight {
    /// Log-ratios above this do not count.
    largest: f64,
    /// Tokens after which a log-ratio counts half.
    decay: f64,
    /// Bounds of `f`.
    bounds: (f64, f64),
    /// Ratio beyond which `f` is clamped to `0.8..=1` where the advantage is negative.
    safety: f64,
}

impl FutureWeight {
    /// One per token, 0 outside the mask.
    fn weights(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Vec<f64> {
        let discount = (-1.0 / self.decay).exp2();
        let mut weights = vec![0.0; columns.tokens()];
        for range in columns.ranges() {
            let mut future = 0.0;
            for t in range.rev() {
                let counts = columns.mask[t] && log_ratios[t] <= self.largest;
                future = discount * future + if counts { log_ratios[t] } else { 0.0 };
                if columns.mask[t] {
                    let weight = future.exp().max(self.bounds.0).min(self.bounds.1);
                    let unsafe_step = advantages[t] < 0.0 && log_ratios[t].exp() > self.safety;
                    weights[t] = if unsafe_step { weight.clamp(0.8, 1.0) } else { weight };
                }
            }
        }
        weights
    }
}

struct Appo {
    clip: Clip,
    dual: f64,
    future: FutureWeight,
    weight: f64,
    aggregate: Aggregate,
}

impl Objective for Appo {
    fn name(&self) -> &str {
        "appo"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let advantages = Advantages::Token.of(columns)?;
        let log_ratios = Ratio::default().log_ratios(columns)?.values;
        let future = self.future.weights(columns, &log_ratios, &advantages);
        let mut losses = vec![(0.0, 0.0); columns.tokens()];
        let mut kept = columns.clone();
        let [mut clipped, mut dual_clipped, mut trained] = [0.0; 3];
        let (mut value, mut drift) = (ExactSum::default(), ExactSum::default());
        for range in columns.ranges() {
            let mut beyond = 0;
            for t in columns.trainable(range.clone()) {
                let advantage = advantages[t] * (1.0 + self.weight * future[t]);
                let token = self.clip.token(self.clip.low, self.clip.high, log_ratios[t], advantage);
                losses[t] = (token.loss, token.by_log_ratio);
                let bound = -advantage * self.dual;
                if advantage < 0.0 && token.loss > bound {
                    losses[t] = (bound, 0.0);
                    beyond += 1;
                }
                clipped += f64::from(u8::from(token.clipped));
                drift.add(-log_ratios[t]);
                trained += 1.0;
            }
            dual_clipped += f64::from(beyond);
            if beyond > 1 {
                kept.mask[range].fill(false);
            }
        }
        let coefficients = self.aggregate.coefficients(&kept, &kept.counted())?;
        let mut loss = Loss::zero(columns);
        for (t, (lost, slope)) in losses.into_iter().enumerate().filter(|(t, _)| kept.mask[*t]) {
            value.add(coefficients[t] * lost);
            loss.logprobs[t] = coefficients[t] * slope;
        }
        loss.value = value.value();
        loss.part("policy_loss", loss.value);
        if trained > 0.0 {
            loss.part("clip_fraction", clipped / trained);
            loss.part("dual_clip_fraction", dual_clipped / trained);
            loss.part("ppo_kl", drift.value() / trained);
        }
        loss.outputs.insert("token_future_weights".into(), future);
        Ok(loss)
    }
}
