//! Controllers of the divergence coefficient.

/// How the coefficient of the divergence changes.
///
/// ```
/// use meed_operators::objectives::KlController;
/// let mut adaptive = KlController::adaptive(0.001, 0.1, 10_000.0);
/// assert!((adaptive.update(0.2, 1024.0) - 0.00102048).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlController {
    /// The coefficient now.
    pub coef: f64,
    /// How it adapts; fixed where absent.
    pub adaptation: Option<Adaptation>,
}

/// `e = clamp(KL / target - 1, -error_clip, error_clip)`, `coef *= 1 + e * steps / horizon` (Ziegler et al. 2019,
/// arXiv 1909.08593).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptation {
    /// Divergence that is aimed at.
    pub target: f64,
    /// Steps over which an error of 1 would double the coefficient.
    pub horizon: f64,
    /// Bound of the relative error.
    pub error_clip: f64,
}

impl KlController {
    /// A coefficient that stays.
    pub fn fixed(coef: f64) -> Self {
        KlController { coef, adaptation: None }
    }

    /// One that adapts, with errors clipped at 0.2.
    pub fn adaptive(coef: f64, target: f64, horizon: f64) -> Self {
        KlController { coef, adaptation: Some(Adaptation { target, horizon, error_clip: 0.2 }) }
    }

    /// The coefficient after a divergence was measured over so many steps (samples).
    pub fn update(&mut self, kl: f64, steps: f64) -> f64 {
        if let Some(adaptation) = self.adaptation {
            let error = (kl / adaptation.target - 1.0).clamp(-adaptation.error_clip, adaptation.error_clip);
            self.coef *= 1.0 + error * steps / adaptation.horizon;
        }
        self.coef
    }
}
