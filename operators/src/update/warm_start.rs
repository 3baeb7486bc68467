//! Going online from a pretrained policy: a phase that only fills the buffer, then several updates per step.

/// WSRL's schedule (arXiv 2412.07762): for the first `warm_up` steps in the environment the pretrained policy is
/// frozen, so that the buffer holds what it really does; after that every step brings `updates_per_step` updates.
///
/// ```
/// use meed_operators::update::WarmStart;
/// let schedule = WarmStart { warm_up: 5000, updates_per_step: 4 };
/// assert!(!schedule.updates_enabled(4999) && schedule.updates_enabled(5000));
/// assert_eq!(schedule.updates_after(25_000), 80_000);
/// assert_eq!(schedule.updates_after(5000), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmStart {
    /// Steps in the environment before the first update, which is how many transitions the buffer has then.
    pub warm_up: u64,
    /// Updates for each step after them.
    pub updates_per_step: u64,
}

impl WarmStart {
    /// True once so many steps in the environment are enough for updates.
    pub fn updates_enabled(&self, steps: u64) -> bool {
        steps >= self.warm_up
    }

    /// Updates that have been made after so many steps in the environment.
    pub fn updates_after(&self, steps: u64) -> u64 {
        steps.saturating_sub(self.warm_up).saturating_mul(self.updates_per_step)
    }
}
