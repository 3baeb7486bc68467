//! Where a tree branches: places from which a rollout is worth continuing in another way.

/// A place that a branch may start from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BranchPoint {
    /// Number of the rollout in its group.
    pub rollout: usize,
    /// How many tokens the branch shares with it.
    pub shared: usize,
    /// How much the strategy wants to branch here.
    pub score: f64,
    /// True where the strategy wants it at all; the others fill what is left of the budget.
    pub wanted: bool,
}

/// The `budget` points of a group to branch at: wanted ones by falling score, then the others by
/// falling score, then all chosen ones again, as often as the budget asks. Equal scores keep the order
/// in which the points are given. Empty where there is no point.
///
/// ```
/// use meed_operators::sample::strategy::{BranchPoint, choose_branch_points};
/// let point = |shared, score, wanted| BranchPoint { rollout: 0, shared, score, wanted };
/// let points = [point(0, 0.1, true), point(1, 0.9, false), point(2, 0.5, true)];
/// let chosen: Vec<usize> = choose_branch_points(&points, 4).iter().map(|point| point.shared).collect();
/// assert_eq!(chosen, [2, 0, 1, 2]);
/// ```
pub fn choose_branch_points(points: &[BranchPoint], budget: usize) -> Vec<BranchPoint> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| b.wanted.cmp(&a.wanted).then_with(|| b.score.total_cmp(&a.score)));
    sorted.iter().copied().cycle().take(budget).collect()
}

/// APPO's score of the tokens of one rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BranchScores {
    /// `zH_t * zFV_t`; 0 where the mask is false.
    pub scores: Vec<f64>,
    /// True where `zH_t`, `zFV_t` and their product are positive.
    pub wanted: Vec<bool>,
}

/// APPO's branch score (arXiv 2606.12384):
///
/// ```text
/// FV_t = clip(exp(clamp(sum over k >= t of gamma^(k-t) (lp_current_k - lp_sampled_k), -20, 20)), 1 - c, 1 + c)
/// BS_t = z(H)_t * z(FV)_t,   z(x) = (x - mean) / (population std + 1e-6) over the trainable tokens
/// ```
///
/// `log_ratios` are current minus sampled log-probabilities. `gamma^(k-t)` counts all positions, those
/// of the environment included, whose log-ratio is left out. `value_clip` is `c`; 0 is no clip.
///
/// ```
/// use meed_operators::sample::strategy::appo_branch_scores;
/// let scores = appo_branch_scores(&[0.1, 1.2, 0.3, 0.9], &[0.05, 0.2, -0.1, 0.02], &[true; 4], 1.0, 0.2);
/// assert_eq!(scores.wanted, [false, true, false, false]);
/// for (score, wanted) in scores.scores.iter().zip([-1.425810, 0.817235, 1.025574, -0.269911]) {
///     assert!((score - wanted).abs() < 1e-6);
/// }
/// ```
pub fn appo_branch_scores(
    entropies: &[f64],
    log_ratios: &[f64],
    mask: &[bool],
    gamma: f64,
    value_clip: f64,
) -> BranchScores {
    let mut future = vec![0.0; mask.len()];
    let mut sum = 0.0;
    for t in (0..mask.len()).rev() {
        sum = gamma * sum + if mask[t] { log_ratios[t] } else { 0.0 };
        let value = f64::exp(sum.clamp(-20.0, 20.0));
        future[t] = if value_clip > 0.0 { value.clamp(1.0 - value_clip, 1.0 + value_clip) } else { value };
    }
    let (entropy, value) = (standardized(entropies, mask), standardized(&future, mask));
    let pairs = entropy.iter().zip(&value);
    BranchScores {
        scores: pairs.clone().map(|(entropy, value)| entropy * value).collect(),
        wanted: pairs
            .map(|(&entropy, &value)| entropy > 0.0 && value > 0.0 && entropy * value > 0.0)
            .collect(),
    }
}

/// Distance from the mean in population standard deviations (+ 1e-6); 0 where the mask is false.
fn standardized(values: &[f64], mask: &[bool]) -> Vec<f64> {
    let trained = || values.iter().zip(mask).filter(|(_, trained)| **trained).map(|(value, _)| *value);
    let count = trained().count() as f64;
    let mean = trained().sum::<f64>() / count;
    let deviation = (trained().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let standard = |(value, trained): (&f64, &bool)| match trained {
        true => (value - mean) / (deviation + 1e-6),
        false => 0.0,
    };
    values.iter().zip(mask).map(standard).collect()
}
