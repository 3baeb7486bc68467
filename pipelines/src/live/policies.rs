//! The policies that are in use, by version: what sample takes and update publishes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meed_operators::policy::Policy;
use meed_operators::sample::History;
use meed_operators::{Error, Result};

/// A policy, and what was known of the prompts when it was published.
#[derive(Clone)]
pub struct Published {
    /// The policy.
    pub policy: Arc<dyn Policy>,
    /// Outcomes of earlier iterations, for strategies that spend their budget by them.
    pub history: Arc<History>,
}

/// Policies by version, shared between the workers of a process. Old ones are let go as soon as no
/// epoch can ask for them.
#[derive(Clone, Default)]
pub struct Policies(Arc<Mutex<BTreeMap<i64, Published>>>);

/// The version that samples an epoch: that of `staleness` updates before, or the initial one.
pub fn version_of(epoch: u64, staleness: u64) -> i64 {
    i64::try_from(epoch.saturating_sub(staleness)).unwrap_or(i64::MAX)
}

impl Policies {
    /// Makes a version available.
    pub fn publish(&self, version: i64, published: Published) {
        self.lock().insert(version, published);
    }

    /// Lets go of versions below one.
    pub fn forget_below(&self, version: i64) {
        self.lock().retain(|&kept, _| kept >= version);
    }

    /// A version.
    ///
    /// # Errors
    /// A version that is not published, or not any more.
    pub fn get(&self, version: i64) -> Result<Published> {
        self.lock().get(&version).cloned().ok_or_else(|| {
            Error::external(
                "sampling",
                format!("version {version} of the policy is not there"),
                "this is a defect of meed",
            )
        })
    }

    /// The newest version.
    ///
    /// # Errors
    /// Nothing is published.
    pub fn newest(&self) -> Result<Arc<dyn Policy>> {
        let newest = self.lock().last_key_value().map(|(_, published)| published.policy.clone());
        newest.ok_or_else(|| Error::external("training", "no policy is there", "this is a defect of meed"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Published>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
