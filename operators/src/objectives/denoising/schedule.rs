//! Schedules of denoising: of sigma, of the noise that a step adds, of the steps that are trained.

/// Sigma at `t`, with more of the steps spent at high noise: `shift t / (1 + (shift - 1) t)`.
///
/// ```
/// use meed_operators::objectives::denoising::shifted;
/// assert_eq!([1.0, 0.75, 0.5, 0.25, 0.0].map(|t| shifted(t, 3.0)), [1.0, 0.9, 0.75, 0.5, 0.0]);
/// ```
pub fn shifted(t: f64, shift: f64) -> f64 {
    shift * t / (1.0 + (shift - 1.0) * t)
}

/// The noise of one branch of BranchGRPO (arXiv 2509.06040): `(shared + s own) / sqrt(1 + s^2)`. Every branch
/// is standard normal, so that leaves are distributed as without branching; two branches have covariance
/// `1 / (1 + s^2)`. The released code adds `s std own` to the mean instead, which inflates the variance.
///
/// ```
/// use meed_operators::objectives::denoising::branch_noise;
/// assert!((branch_noise(&[0.5], &[1.0], 4.0)[0] - 1.091410313).abs() < 1e-9);
/// assert!((branch_noise(&[0.5], &[-2.0], 4.0)[0] + 1.819017188).abs() < 1e-9);
/// ```
pub fn branch_noise(shared: &[f64], own: &[f64], s: f64) -> Vec<f64> {
    let scale = (1.0 + s * s).sqrt().recip();
    shared.iter().zip(own).map(|(shared, own)| scale * (shared + s * own)).collect()
}

/// DenseGRPO's noise levels (arXiv 2601.20218, algorithm 1) after a batch: a step that made as many samples
/// better as worse, to within `tolerance`, may add more noise, and any other adds less. `better` and `worse`
/// count the positive and negative step rewards of each step.
///
/// ```
/// use meed_operators::objectives::denoising::calibrated;
/// let levels = calibrated(&[0.7; 3], &[14, 9, 12], &[10, 15, 12], 3, 0.01);
/// assert!(levels.iter().zip([0.69, 0.69, 0.71]).all(|(got, want)| (got - want).abs() < 1e-12));
/// ```
pub fn calibrated(levels: &[f64], better: &[u64], worse: &[u64], tolerance: u64, by: f64) -> Vec<f64> {
    let balanced = |(better, worse): (&u64, &u64)| better.abs_diff(*worse) < tolerance;
    let counts = better.iter().zip(worse).map(balanced);
    levels
        .iter()
        .zip(counts)
        .map(|(level, balanced)| if balanced { level + by } else { level - by })
        .collect()
}

/// What the mean square distance of two velocities is multiplied by in the divergence of trajectories that
/// Euphonium (arXiv 2602.04928) adds per step of a [`Dance`](super::Sampler::Dance) sampler:
/// `dt / (2 eta^2) (1 + eta^2 (1 - sigma) / (2 sigma))^2`. The exact divergence of the step's two Gaussians.
///
/// ```
/// use meed_operators::objectives::denoising::velocity_divergence;
/// assert!((velocity_divergence(0.25, 0.8, 0.7) - 0.812548828).abs() < 1e-9);
/// ```
pub fn velocity_divergence(eta: f64, sigma: f64, next: f64) -> f64 {
    let slope = 1.0 + eta * eta * (1.0 - sigma) / (2.0 * sigma);
    (sigma - next) / (2.0 * eta * eta) * slope * slope
}

/// How many of the last `steps` B2-DiffuRL trains at a stage: `first + floor(stage (steps - first + 1) /
/// stages)`, no more than there are.
///
/// ```
/// use meed_operators::objectives::denoising::trained_last;
/// let trained = [0, 14, 15, 50, 99].map(|stage| trained_last(stage, 100, 14, 20));
/// assert_eq!(trained, [14, 14, 15, 17, 20]);
/// ```
pub fn trained_last(stage: usize, stages: usize, first: usize, steps: usize) -> usize {
    let growth = (steps + 1).saturating_sub(first);
    (first + stage * growth / stages.max(1)).min(steps)
}
