//! Light-IF's TEA-RL: PPO's clip less an entropy bonus where log-probability and advantage agree.
//!
//! `cov_t = (A_t - mean A) (logp_t - sg(mean logp))`, means over the batch's trainable tokens;
//! `beta_t = clamp(cov_scale softmax_t(cov), 0, cov_cap)`, the softmax over each rollout; the loss is the
//! policy loss less the aggregate of `beta_t H_t`.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::preference::softmax;
use meed_operators::objectives::{
    Advantages, Aggregate, Clip, Columns, Divergence, Loss, Objective, PolicyObjective, Term, exact,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "1", "the ratio is clipped at 1 - clip_low"),
    parameter("clip_high", "1", "the ratio is clipped at 1 + clip_high"),
    parameter("dual_clip", "10", "bound c of the loss -A c where the advantage is negative; null: none"),
    parameter("cov_scale", "10", "multiplies the softmax of covariances"),
    parameter("cov_cap", "5", "largest coefficient of a token's entropy"),
    parameter("detach", "true", "hold the coefficients fixed; false: as released, their gradient flows"),
    parameter("kl_coef", "0.001", "coefficient of the k3 divergence from the reference policy; 0 needs none"),
];

/// TEA-RL.
pub const LIGHT_IF_TEA: NamedObjective = NamedObjective {
    name: "light_if_tea",
    title: "PPO's clip with an entropy bonus weighted by covariance",
    citation: "Light-IF, Qihoo360; compute_entropy_with_cov",
    formula: "max(-A r, -A clip(r)) - clamp(cov_scale softmax(cov), 0, cov_cap) H + kl_coef KL",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "the bonus equals the released function, which the released trainer cannot reach; its \
                            coefficients are held fixed, as described, where that function lets a gradient \
                            through (detach = false)";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let clip = Clip {
        dual: parameters.optional_number("dual_clip")?,
        ..Clip::offsets(parameters.number("clip_low")?, parameters.number("clip_high")?)
    };
    let mut objective = PolicyObjective::new("light_if_tea", clip);
    objective.aggregate = aggregate(parameters)?;
    objective.terms.push(Box::new(CovarianceEntropy {
        scale: parameters.number("cov_scale")?,
        cap: parameters.number("cov_cap")?,
        detach: parameters.boolean("detach")?,
    }));
    let coef = parameters.number("kl_coef")?;
    if coef != 0.0 {
        objective.terms.push(Box::new(Divergence { coef, ..Divergence::default() }));
    }
    Ok(Box::new(objective))
}

/// Subtracts the aggregate of `beta_t H_t`.
#[derive(Debug, Clone, Copy)]
pub struct CovarianceEntropy {
    /// Multiplies the softmax.
    pub scale: f64,
    /// Largest coefficient.
    pub cap: f64,
    /// Whether coefficients are held fixed.
    pub detach: bool,
}

impl Term for CovarianceEntropy {
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        let advantages = Advantages::Token.of(columns)?;
        let entropies = columns.needed(&columns.entropies, "token_entropies")?;
        let shares = aggregate.coefficients(columns, &columns.counted())?;
        let trained = columns.trainable(0..columns.tokens());
        let mean = |values: &[f64]| exact(trained.iter().map(|&t| values[t])) / trained.len().max(1) as f64;
        let (mean_advantage, mean_logprob) = (mean(&advantages), mean(&columns.logprobs));
        let mut by_entropy = loss.entropies.take().unwrap_or_else(|| vec![0.0; columns.tokens()]);
        let (mut bonus, mut coefficients) = (ExactSum::default(), ExactSum::default());
        for range in columns.ranges() {
            let tokens = columns.trainable(range);
            let covariance =
                |&t: &usize| (advantages[t] - mean_advantage) * (columns.logprobs[t] - mean_logprob);
            let softmax = softmax(&tokens.iter().map(covariance).collect::<Vec<_>>());
            let mut by_softmax = vec![0.0; tokens.len()];
            for (i, &t) in tokens.iter().enumerate() {
                let coefficient = (self.scale * softmax[i]).min(self.cap);
                bonus.add(shares[t] * coefficient * entropies[t]);
                coefficients.add(shares[t] * coefficient);
                by_entropy[t] -= shares[t] * coefficient;
                if self.scale * softmax[i] <= self.cap {
                    by_softmax[i] = shares[t] * entropies[t] * self.scale;
                }
            }
            if !self.detach {
                let inner: f64 = by_softmax.iter().zip(&softmax).map(|(by, p)| by * p).sum();
                for (i, &t) in tokens.iter().enumerate() {
                    let by_covariance = softmax[i] * (by_softmax[i] - inner);
                    loss.logprobs[t] -= by_covariance * (advantages[t] - mean_advantage);
                }
            }
        }
        let bonus = bonus.value();
        loss.value -= bonus;
        loss.entropies = Some(by_entropy);
        loss.part("entropy_loss", bonus);
        loss.part("mean_coefficient", coefficients.value());
        Ok(())
    }
}
