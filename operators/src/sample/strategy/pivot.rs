//! R3L's pivots: where a rollout is tried again, what of it enters training, and what is masked.

use serde::Deserialize;

/// What the policy says about a rollout of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Reflection {
    /// `success`, `success_but_inefficient` or `failure`; anything else is no reflection.
    pub outcome: String,
    /// The policy turn from which to try again, from 0.
    #[serde(default)]
    pub retry_from_step: Option<usize>,
}

impl Reflection {
    /// The JSON object in a text, from the first brace to the last; `None` where there is none.
    ///
    /// ```
    /// use meed_operators::sample::strategy::Reflection;
    /// let said = r#"I went left. {"outcome": "failure", "retry_from_step": 2}"#;
    /// assert_eq!(Reflection::parse(said).and_then(|it| it.retry_from_step), Some(2));
    /// assert_eq!(Reflection::parse("no idea"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let object = text.get(text.find('{')?..=text.rfind('}')?)?;
        serde_json::from_str(object).ok()
    }

    /// The turn to retry from, where the reflection is valid for a rollout of so many turns.
    pub fn pivot(&self, turns: usize) -> Option<usize> {
        let failed = matches!(self.outcome.as_str(), "failure" | "success_but_inefficient");
        self.retry_from_step.filter(|pivot| failed && *pivot < turns)
    }
}

/// How a rollout went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Its reward, where it is known.
    pub reward: Option<f64>,
    /// Number of policy turns.
    pub turns: usize,
}

/// What of a base rollout, its reflection and its retry enters training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    /// The retry, whose first turns are those of the base; so many are masked in both.
    pub retry_from: Option<usize>,
    /// The reflection.
    pub reflection: bool,
    /// The retry once more, with the guidance in its prompt.
    pub guided: bool,
}

/// Reward of a full success.
pub(super) const FULL_REWARD: f64 = 1.0;

/// The base rollout always enters training. Its retry does, where the reflection is valid. Reflection and
/// guided retry do, where the retry is a full success and better than the base: more reward or fewer
/// turns. So does a reflection that calls a full success one.
pub fn select(base: Outcome, reflection: Option<&Reflection>, retry: Option<Outcome>) -> Selection {
    let full = |outcome: Outcome| outcome.reward.is_some_and(|reward| reward >= FULL_REWARD);
    let pivot = reflection.and_then(|reflection| reflection.pivot(base.turns));
    if let (Some(pivot), Some(retry)) = (pivot, retry) {
        let improved = full(retry) && (retry.reward > base.reward || retry.turns < base.turns);
        return Selection { retry_from: Some(pivot), reflection: improved, guided: improved };
    }
    let praised = reflection.is_some_and(|reflection| reflection.outcome == "success");
    Selection { reflection: praised && full(base), ..Selection::default() }
}

/// The mask of a rollout without its first `turns` policy turns, whose tokens end at `ends`.
pub fn pivot_mask(mask: &[bool], policy_ends: &[usize], turns: usize) -> Vec<bool> {
    let start = turns.checked_sub(1).and_then(|last| policy_ends.get(last)).copied().unwrap_or(0);
    mask.iter().enumerate().map(|(token, trained)| *trained && token >= start).collect()
}
