//! Levels: where a value lives, and which level lies inside which.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a value lives: rollout, turn, step, token, a segmentation or an item list of the data,
/// or a pair such as `turn.test` (one value per test in each turn).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(Cow<'static, str>);

/// One value per rollout.
pub const ROLLOUT: Level = Level(Cow::Borrowed("rollout"));
/// One value per turn: a maximal run of policy steps and the environment steps after it.
pub const TURN: Level = Level(Cow::Borrowed("turn"));
/// One value per step: a span of tokens with one meaning.
pub const STEP: Level = Level(Cow::Borrowed("step"));
/// One value per token.
pub const TOKEN: Level = Level(Cow::Borrowed("token"));

impl Level {
    /// A level by its name, as it begins column names.
    pub fn named(name: impl Into<String>) -> Self {
        Level(Cow::Owned(name.into()))
    }

    /// One list of `inner` per element of `outer`: the level of a column `<outer>_<inner>_<name>`.
    pub fn pair(outer: &Level, inner: &str) -> Self {
        Level(Cow::Owned(format!("{}.{inner}", outer.0)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Outer and inner level of a pair.
    pub fn parts(&self) -> Option<(Level, Level)> {
        let (outer, inner) = self.0.split_once('.')?;
        Some((Level::named(outer), Level::named(inner)))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Level {
    fn from(name: &str) -> Self {
        Level::named(name)
    }
}

/// Which levels a dataset has, and which of them are spans of tokens.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// Levels with token spans: `step`, `turn` and every level with `<level>_ends`.
    pub spans: BTreeSet<Level>,
    /// Levels of items that are not spans.
    pub items: BTreeSet<Level>,
}

impl Levels {
    /// True if every element of `fine` lies inside one element of `coarse`.
    pub fn within(&self, fine: &Level, coarse: &Level) -> bool {
        if fine == coarse || *coarse == ROLLOUT {
            return true;
        }
        if let Some((outer, _)) = fine.parts() {
            return self.within(&outer, coarse);
        }
        (*fine == TOKEN && self.spans.contains(coarse)) || (*fine == STEP && *coarse == TURN)
    }

    /// The level at which values of two levels meet: the finer one; tokens where spans do not
    /// nest; the pair where one side is its inner level. `None` where they never meet.
    pub fn meet(&self, a: &Level, b: &Level) -> Option<Level> {
        if self.within(a, b) {
            return Some(a.clone());
        }
        if self.within(b, a) {
            return Some(b.clone());
        }
        for (pair, other) in [(a, b), (b, a)] {
            if let Some((_, inner)) = pair.parts()
                && inner == *other
            {
                return Some(pair.clone());
            }
        }
        let spans = |level: &Level| *level == TOKEN || self.spans.contains(level);
        (spans(a) && spans(b)).then_some(TOKEN)
    }
}
