//! Losses of a pair, as functions of the scores of its two rollouts, with both derivatives.
//!
//! The names are those of TRL's `DPOConfig.loss_type`. A score is `sum_t (logp_t - ref_t)` unless said
//! otherwise; `beta` scales it.

use super::logistic::{log_sigmoid, logistic};

/// A loss and its derivatives with respect to the two scores.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PairLoss {
    /// The loss.
    pub value: f64,
    /// Derivative with respect to the chosen rollout's score.
    pub chosen: f64,
    /// Derivative with respect to the rejected rollout's score.
    pub rejected: f64,
}

impl PairLoss {
    /// A loss of `beta * (chosen - rejected)`, of which value and derivative are given.
    pub fn of_margin(beta: f64, (value, slope): (f64, f64)) -> Self {
        PairLoss { value, chosen: beta * slope, rejected: -beta * slope }
    }

    /// The loss times a constant.
    pub fn times(self, factor: f64) -> Self {
        PairLoss {
            value: factor * self.value,
            chosen: factor * self.chosen,
            rejected: factor * self.rejected,
        }
    }

    /// The sum of two losses of the same scores.
    pub fn plus(self, other: Self) -> Self {
        PairLoss {
            value: self.value + other.value,
            chosen: self.chosen + other.chosen,
            rejected: self.rejected + other.rejected,
        }
    }
}

/// `-(1 - e) log sigmoid(x) - e log sigmoid(-x)` with `x = beta (w - l)`: DPO (arXiv 2305.18290), and with
/// label smoothing `e` cDPO.
pub fn sigmoid(beta: f64, smoothing: f64, chosen: f64, rejected: f64) -> PairLoss {
    let x = beta * (chosen - rejected);
    let value = -(1.0 - smoothing) * log_sigmoid(x) - smoothing * log_sigmoid(-x);
    PairLoss::of_margin(beta, (value, smoothing * logistic(x) - (1.0 - smoothing) * logistic(-x)))
}

/// `max(0, 1 - beta (w - l))`: SLiC (arXiv 2305.10425).
pub fn hinge(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let x = beta * (chosen - rejected);
    PairLoss::of_margin(beta, if x < 1.0 { (1.0 - x, -1.0) } else { (0.0, 0.0) })
}

/// `(w - l - 1 / (2 beta))^2` of scores per token: IPO (arXiv 2310.12036).
pub fn ipo(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let d = chosen - rejected - 1.0 / (2.0 * beta);
    PairLoss::of_margin(1.0, (d * d, 2.0 * d))
}

/// `p log(p / (1 - e)) + (1 - p) log((1 - p) / e)` with `p = sigmoid(beta (w - l))`: EXO
/// (arXiv 2402.00856), for `e` between 0 and 1.
pub fn exo_pair(beta: f64, smoothing: f64, chosen: f64, rejected: f64) -> PairLoss {
    let x = beta * (chosen - rejected);
    let (p, q) = (logistic(x), logistic(-x));
    let (win, lose) = (log_sigmoid(x) - (-smoothing).ln_1p(), log_sigmoid(-x) - smoothing.ln());
    PairLoss::of_margin(beta, (p * win + q * lose, p * q * (win - lose)))
}

/// `-log sigmoid(beta w) - log sigmoid(-beta w) / 2 - log sigmoid(-beta l) / 2`: NCA (arXiv 2402.05369).
pub fn nca_pair(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let (w, l) = (beta * chosen, beta * rejected);
    PairLoss {
        value: -log_sigmoid(w) - 0.5 * log_sigmoid(-w) - 0.5 * log_sigmoid(-l),
        chosen: beta * (0.5 * logistic(w) - logistic(-w)),
        rejected: beta * 0.5 * logistic(l),
    }
}

/// `(-(1 - e) log sigmoid(x) + e log sigmoid(-x)) / (1 - 2 e)`: robust DPO (arXiv 2403.00409).
pub fn robust(beta: f64, smoothing: f64, chosen: f64, rejected: f64) -> PairLoss {
    let x = beta * (chosen - rejected);
    let value = -(1.0 - smoothing) * log_sigmoid(x) + smoothing * log_sigmoid(-x);
    let slope = -(1.0 - smoothing) * logistic(-x) - smoothing * logistic(x);
    PairLoss::of_margin(beta, (value, slope)).times(1.0 / (1.0 - 2.0 * smoothing))
}

/// `-log sigmoid(beta w) - log sigmoid(-beta l)`: BCO's classifier without its running mean
/// (arXiv 2404.04656).
pub fn bco_pair(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let (w, l) = (beta * chosen, beta * rejected);
    PairLoss {
        value: -log_sigmoid(w) - log_sigmoid(-l),
        chosen: -beta * logistic(-w),
        rejected: beta * logistic(l),
    }
}

/// `(w - 1 / (2 beta))^2 + (l + 1 / (2 beta))^2`: SPPO with hard labels (arXiv 2405.00675).
pub fn sppo_hard(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let (w, l) = (chosen - 0.5 / beta, rejected + 0.5 / beta);
    PairLoss { value: w * w + l * l, chosen: 2.0 * w, rejected: 2.0 * l }
}

/// `1 - sigmoid(beta w) + sigmoid(beta l)`: APO-zero (arXiv 2408.06266, equation 7).
pub fn apo_zero(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let (w, l) = (beta * chosen, beta * rejected);
    PairLoss {
        value: logistic(-w) + logistic(l),
        chosen: -beta * logistic(w) * logistic(-w),
        rejected: beta * logistic(l) * logistic(-l),
    }
}

/// `sigmoid(beta w) + 1 - sigmoid(beta (w - l))`: APO-down (arXiv 2408.06266, equation 8).
pub fn apo_down(beta: f64, chosen: f64, rejected: f64) -> PairLoss {
    let (w, x) = (beta * chosen, beta * (chosen - rejected));
    let down = PairLoss { value: logistic(w), chosen: beta * logistic(w) * logistic(-w), rejected: 0.0 };
    down.plus(PairLoss::of_margin(beta, (logistic(-x), -logistic(x) * logistic(-x))))
}

/// `-(1 - m) log sigmoid(x) + m exp(-x)` with `m = sigmoid(x / tau)`: DiscoPOP (arXiv 2406.08414).
pub fn discopop(beta: f64, tau: f64, chosen: f64, rejected: f64) -> PairLoss {
    let x = beta * (chosen - rejected);
    let (m, decay) = (logistic(x / tau), (-x).exp());
    let turning = m * logistic(-x / tau) / tau;
    let value = -(1.0 - m) * log_sigmoid(x) + m * decay;
    let slope = turning * (log_sigmoid(x) + decay) - (1.0 - m) * logistic(-x) - m * decay;
    PairLoss::of_margin(beta, (value, slope))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Named<'a> = (&'a str, &'a dyn Fn(f64, f64) -> PairLoss);

    #[test]
    fn derivatives_are_those_of_the_values() {
        let forms: [Named<'_>; 12] = [
            ("sigmoid", &|w, l| sigmoid(0.7, 0.1, w, l)),
            ("hinge", &|w, l| hinge(0.7, w, l)),
            ("ipo", &|w, l| ipo(0.7, w, l)),
            ("exo_pair", &|w, l| exo_pair(0.7, 0.1, w, l)),
            ("nca_pair", &|w, l| nca_pair(0.7, w, l)),
            ("robust", &|w, l| robust(0.7, 0.1, w, l)),
            ("bco_pair", &|w, l| bco_pair(0.7, w, l)),
            ("sppo_hard", &|w, l| sppo_hard(0.7, w, l)),
            ("apo_zero", &|w, l| apo_zero(0.7, w, l)),
            ("apo_down", &|w, l| apo_down(0.7, w, l)),
            ("discopop", &|w, l| discopop(0.7, 0.3, w, l)),
            ("sum", &|w, l| sigmoid(0.7, 0.0, w, l).times(0.8).plus(bco_pair(0.7, w, l).times(0.2))),
        ];
        for (name, form) in forms {
            for (w, l) in [(0.3, -0.4), (-1.1, 0.6), (2.5, 0.2)] {
                let (got, h) = (form(w, l), 1e-6);
                let by_chosen = (form(w + h, l).value - form(w - h, l).value) / (2.0 * h);
                let by_rejected = (form(w, l + h).value - form(w, l - h).value) / (2.0 * h);
                assert!((got.chosen - by_chosen).abs() < 1e-7, "{name} at {w}, {l}");
                assert!((got.rejected - by_rejected).abs() < 1e-7, "{name} at {w}, {l}");
            }
        }
    }

    #[test]
    fn without_smoothing_the_robust_loss_is_dpo() {
        assert_eq!(robust(0.1, 0.0, 0.4, -2.0), sigmoid(0.1, 0.0, 0.4, -2.0));
    }
}
