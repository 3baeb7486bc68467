//! TempFlow-GRPO: one stochastic step per branch, weighted by the noise that it adds.

use std::collections::BTreeMap;

use meed_operators::Result;
use meed_operators::objectives::denoising::flow_deviation;
use meed_operators::objectives::{Columns, Loss, Ratio};

use super::steps::{CLIP, Steps, advantages};
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::{Parameters, parameter};

/// `L = mean of k (w max(-A r, -A clip(r)) + beta KL)` over rows whose advantage is not 0, or over all
/// where every one is. A row is one branch: a stochastic step from `sigma` to `next_sigma`, `dt` apart, of
/// deviation `s = noise_level sqrt(sigma / (1 - sigma))` (`next_sigma` in the denominator where `sigma` is
/// 1).
///
/// | weight | `w` |
/// |---|---|
/// | `2.25*sigma_t*sqrt(dt)` | the authors' constant |
/// | `mean_1` | `s sqrt(dt)` over its mean over step numbers (the paper) |
/// | `none` | 1 |
/// | `guard` | `1/dt`, with `r = exp(s sqrt(dt) (log-ratio + shift / (2 s^2 dt)))`, `shift` the signal `old_mean_shift` |
///
/// `k` is the mean number of branches per step number over that of the row's (signals `step_index` and
/// `branches`). The divergence is `mean_shift / (2 s^2)`, or also over `dt`. All signals have one value
/// per row. Outputs: `ratios`, `row_losses`, `sde_std`, `trained`.
pub const TEMPFLOW_GRPO: NamedObjective = NamedObjective {
    name: "tempflow_grpo",
    title: "noise-aware clipped loss over branches of denoising",
    citation: "He et al. 2025, TempFlow-GRPO, arXiv 2508.04324",
    formula: "mean k (w max(-A r, -A clip(r)) + beta (mean - mean_ref)^2 / (2 s^2))",
    parameters: &[
        CLIP,
        &[
            parameter("weight", "2.25*sigma_t*sqrt(dt)", "2.25*sigma_t*sqrt(dt), mean_1, none or guard"),
            parameter("noise_level", "0.7", "scale of the deviation"),
            parameter("beta", "0.04", "weight of the divergence"),
            parameter("kl_denominator", "2*sigma_t^2", "2*sigma_t^2 or 2*sigma_t^2*dt"),
        ],
    ],
    build: |parameters| {
        let tempflow = TempFlow::of(parameters)?;
        Ok(function("tempflow_grpo", move |columns| tempflow.loss(columns)))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as a program derived from the authors', whose own repository holds no code. \
    The paper's normalisation (mean_1) is a reading: which of the two the authors ran is not known";

#[derive(Clone, Copy, PartialEq)]
enum Weight {
    Constant,
    MeanOne,
    None,
    Guard,
}

struct TempFlow {
    steps: Steps,
    weight: Weight,
    noise_level: f64,
    beta: f64,
    over_dt: bool,
}

impl TempFlow {
    fn of(parameters: &Parameters) -> Result<Self> {
        let weight = match parameters.text("weight")? {
            "2.25*sigma_t*sqrt(dt)" => Weight::Constant,
            "mean_1" => Weight::MeanOne,
            "none" => Weight::None,
            "guard" => Weight::Guard,
            _ => {
                let known = ["2.25*sigma_t*sqrt(dt)", "mean_1", "none", "guard"];
                return Err(parameters.unknown("weight", &known));
            }
        };
        let over_dt = match parameters.text("kl_denominator")? {
            "2*sigma_t^2" => false,
            "2*sigma_t^2*dt" => true,
            _ => return Err(parameters.unknown("kl_denominator", &["2*sigma_t^2", "2*sigma_t^2*dt"])),
        };
        Ok(TempFlow {
            steps: Steps::of(parameters)?,
            weight,
            noise_level: parameters.number("noise_level")?,
            beta: parameters.number("beta")?,
            over_dt,
        })
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let rows = columns.tokens();
        let (sigma, next) = (columns.token_signal("sigma")?, columns.token_signal("next_sigma")?);
        let advantages = advantages(columns)?;
        let log_ratios = Ratio::default().log_ratios(columns)?.values;
        let of_rows = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..rows).map(|t| if columns.mask[t] { value(t) } else { 0.0 }).collect()
        };
        let dt = of_rows(&|t| (next[t] - sigma[t]).abs());
        let std = of_rows(&|t| flow_deviation(self.noise_level, sigma[t], next[t]));
        let scale = of_rows(&|t| std[t] * dt[t].sqrt());
        let steps = columns.token_signal("step_index")?;
        let branches = columns.token_signal("branches")?;
        let per_step = mean_over_steps(&columns.mask, steps, branches);
        let mean_scale = mean_over_steps(&columns.mask, steps, &scale);
        let old_shift =
            if self.weight == Weight::Guard { Some(columns.token_signal("old_mean_shift")?) } else { None };
        let ref_shift = if self.beta == 0.0 { None } else { Some(columns.token_signal("mean_shift")?) };
        let active = |t: usize| columns.mask[t] && advantages[t] != 0.0;
        let any = (0..rows).any(active);
        let trained: Vec<bool> = (0..rows).map(|t| if any { active(t) } else { columns.mask[t] }).collect();
        let share = 1.0 / trained.iter().filter(|&&on| on).count().max(1) as f64;

        let mut loss = Loss { logprobs: vec![0.0; rows], ..Loss::default() };
        let (mut policy_loss, mut kl) = (0.0, 0.0);
        let (mut ratios, mut row_losses) = (vec![0.0; rows], vec![0.0; rows]);
        let mut by_shift = vec![0.0; rows];
        for t in (0..rows).filter(|&t| columns.mask[t]) {
            let (log_ratio, through) = match old_shift {
                None => (log_ratios[t], 1.0),
                Some(shift) => {
                    ((log_ratios[t] + shift[t] / (2.0 * scale[t] * scale[t])) * scale[t], scale[t])
                }
            };
            let balance = per_step / branches[t];
            let weight = balance
                * match self.weight {
                    Weight::Constant => 2.25 * scale[t],
                    Weight::MeanOne => scale[t] / mean_scale,
                    Weight::None => 1.0,
                    Weight::Guard => 1.0 / dt[t],
                };
            let token = self.steps.token(log_ratio, advantages[t]);
            ratios[t] = log_ratio.exp();
            row_losses[t] = weight * token.loss;
            if !trained[t] {
                continue;
            }
            policy_loss += share * row_losses[t];
            loss.logprobs[t] = share * weight * token.by_log_ratio * through;
            if let Some(shift) = ref_shift {
                let per = share * balance / (2.0 * std[t] * std[t] * if self.over_dt { dt[t] } else { 1.0 });
                kl += per * shift[t];
                by_shift[t] = self.beta * per;
            }
        }
        loss.value = policy_loss + self.beta * kl;
        loss.parts.extend([("policy_loss".to_owned(), policy_loss), ("kl".to_owned(), kl)]);
        if ref_shift.is_some() {
            loss.signals.insert("mean_shift".into(), by_shift);
        }
        let trained = trained.into_iter().map(|on| if on { 1.0 } else { 0.0 }).collect();
        let outputs =
            [("ratios", ratios), ("row_losses", row_losses), ("sde_std", std), ("trained", trained)];
        loss.outputs.extend(outputs.map(|(name, output)| (name.to_owned(), output)));
        Ok(loss)
    }
}

/// The mean over step numbers of the mean over a step's rows, of those in the mask.
fn mean_over_steps(mask: &[bool], steps: &[f64], values: &[f64]) -> f64 {
    let mut of_steps: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for t in (0..mask.len()).filter(|&t| mask[t]) {
        let (sum, count) = of_steps.entry(steps[t] as i64).or_default();
        *sum += values[t];
        *count += 1.0;
    }
    of_steps.values().map(|(sum, count)| sum / count).sum::<f64>() / of_steps.len().max(1) as f64
}
