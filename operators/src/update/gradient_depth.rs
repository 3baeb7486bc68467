//! How far back gradients flow through recurrent cycles, as a schedule over training.

use crate::{Error, Result};

/// The gradient depth of HRM-Text: through how many of the last cycles of a two-level recurrent network
/// gradients flow, growing over the first part of training. The cycles before run without gradient.
///
/// `models/baselines/hrm_nocarry_bp_warmup.py` of sapientinc/HRM-Text: `depth = min + floor(p (max - min))`
/// with `p = min(1, step / (ratio total))`; `min(outer cycles, depth - 1)` of it are outer cycles, the rest
/// inner ones.
///
/// ```
/// use meed_operators::update::{GradientDepth, Cycles};
/// let depth = GradientDepth { least: 2, most: 5, ratio: 0.2, outer_cycles: 2 };
/// assert_eq!(depth.at(134, 1000)?, Cycles { outer: 2, inner: 2 });
/// assert_eq!(depth.at(500, 1000)?, Cycles { outer: 2, inner: 3 });
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientDepth {
    /// The depth at the first step, at least 2.
    pub least: u32,
    /// The depth from `ratio` of the training on.
    pub most: u32,
    /// The part of training over which the depth grows; 0 begins with the greatest.
    pub ratio: f64,
    /// Outer cycles of the network.
    pub outer_cycles: u32,
}

/// The last cycles through which gradients flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycles {
    /// Outer ones.
    pub outer: u32,
    /// Inner ones, of all of the network.
    pub inner: u32,
}

impl GradientDepth {
    /// The cycles at a step of `total`.
    ///
    /// # Errors
    /// A least depth below 2, which would leave no inner cycle, or above the greatest.
    pub fn at(&self, step: u64, total: u64) -> Result<Cycles> {
        if self.least < 2 || self.most < self.least {
            return Err(Error::usage(
                format!("a gradient depth cannot go from {} to {}", self.least, self.most),
                "begin with 2 at least, and do not end lower",
            ));
        }
        let growing = self.ratio * total as f64;
        let progress = if growing > 0.0 { (step as f64 / growing).min(1.0) } else { 1.0 };
        let depth = self.least + (progress * f64::from(self.most - self.least)) as u32;
        let outer = self.outer_cycles.min(depth - 1);
        Ok(Cycles { outer, inner: depth - outer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_of_the_released_schedule() {
        let depth = GradientDepth { least: 2, most: 5, ratio: 0.2, outer_cycles: 2 };
        let wanted = [(0, 1, 1), (50, 1, 1), (67, 2, 1), (134, 2, 2), (200, 2, 3), (500, 2, 3)];
        for (step, outer, inner) in wanted {
            assert_eq!(depth.at(step, 1000).unwrap(), Cycles { outer, inner }, "at {step}");
        }
        let fine_tuning = GradientDepth { ratio: 0.0, ..depth };
        assert_eq!(fine_tuning.at(0, 1000).unwrap(), Cycles { outer: 2, inner: 3 });
    }

    #[test]
    fn a_depth_of_one_has_no_inner_cycle() {
        let depth = GradientDepth { least: 1, most: 5, ratio: 0.2, outer_cycles: 2 };
        assert!(depth.at(0, 10).is_err());
    }
}
