//! The rollouts that recipes disagree about most, with what is needed to show them.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use meed_operators::Result;
use meed_operators::credit::{Unit, compare_ids};
use serde::{Deserialize, Serialize};

use super::credits::{RolloutCredit, TOKENS, UnitCredit};

/// A rollout, what recipes give to it, and what is known of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Contested {
    /// Its iteration.
    pub iteration: i64,
    /// Its group.
    pub group_id: String,
    /// Its id.
    pub rollout_id: String,
    /// How far recipes disagree about it: see [`disagreement`].
    pub disagreement: f64,
    /// The rewards of its group, in canonical order, and which of them is its own.
    pub rewards: Vec<Option<f64>>,
    /// Its place among them.
    pub own: usize,
    /// The prompt's text.
    pub prompt: Option<String>,
    /// The text after the prompt.
    pub response: Option<String>,
    /// The gold answer.
    pub reference: Option<String>,
    /// Ids of its tokens.
    pub token_ids: Option<Vec<i32>>,
    /// Texts of its tokens.
    pub token_texts: Option<Vec<Option<String>>>,
    /// True where a token may be trained on.
    pub token_mask: Vec<bool>,
    /// Exclusive token offsets of its steps; empty where the data has none.
    pub step_ends: Vec<usize>,
    /// Texts of its steps.
    pub step_texts: Option<Vec<Option<String>>>,
    /// Signals of its steps that were asked for, by name.
    pub step_scores: Vec<(String, Vec<Option<f64>>)>,
    /// By recipe: the advantages of its tokens, or why it is not trained on.
    pub credit: Vec<std::result::Result<Vec<f32>, String>>,
}

/// The columns that a [`Contested`] is made of, where the data has them.
pub(super) const SHOWN: &[&str] =
    &["reward", "prompt", "response", "reference", "token_ids", "token_texts", "step_ends", "step_texts"];

/// The mean over the trainable tokens of a rollout of the standard deviation (of the population, over the
/// recipes that train on it) of `A / scale`, where `scale` is the recipe's root mean square of all its token
/// advantages. `None` where fewer than two recipes train on it.
pub(super) fn disagreement(rollout: &RolloutCredit, scales: &[Option<f64>]) -> Option<f64> {
    let trained: Vec<usize> = (0..scales.len()).filter(|&recipe| rollout.in_loss[recipe]).collect();
    if trained.len() < 2 {
        return None;
    }
    let recipes = trained.len() as f64;
    let (mut sum, mut tokens) = (0.0, 0);
    for (count, values) in rollout.levels[TOKENS].iter() {
        let scaled =
            || trained.iter().map(|&recipe| scales[recipe].map_or(0.0, |scale| values[recipe] / scale));
        let mean = scaled().sum::<f64>() / recipes;
        let variance = scaled().map(|x| (x - mean) * (x - mean)).sum::<f64>() / recipes;
        sum += variance.sqrt() * count as f64;
        tokens += count;
    }
    (tokens > 0).then(|| sum / tokens as f64)
}

/// The most contested rollouts so far, at most one of a group, the most contested first.
pub(super) struct Most {
    limit: usize,
    pub(super) rollouts: Vec<Contested>,
}

impl Most {
    pub(super) fn new(limit: usize) -> Self {
        Most { limit, rollouts: Vec::new() }
    }

    /// Considers the most contested rollout of a group; `make` is asked for it if it belongs here.
    pub(super) fn consider(
        &mut self,
        disagreement: f64,
        make: impl FnOnce() -> Result<Contested>,
    ) -> Result<()> {
        let least = self.rollouts.last().filter(|_| self.rollouts.len() >= self.limit);
        if self.limit == 0 || least.is_some_and(|least| least.disagreement > disagreement) {
            return Ok(());
        }
        self.add(make()?);
        Ok(())
    }

    pub(super) fn add(&mut self, rollout: Contested) {
        let at = self.rollouts.partition_point(|known| precedes(known, &rollout));
        self.rollouts.insert(at, rollout);
        self.rollouts.truncate(self.limit);
    }
}

/// Among rollouts that are contested alike, the first in canonical order counts.
fn precedes(a: &Contested, b: &Contested) -> bool {
    let order = b.disagreement.total_cmp(&a.disagreement);
    let order = order.then_with(|| a.iteration.cmp(&b.iteration));
    let order = order.then_with(|| compare_ids(&a.group_id, &b.group_id));
    order.then_with(|| compare_ids(&a.rollout_id, &b.rollout_id)) == Ordering::Less
}

/// Everything about one rollout of a unit.
pub(super) fn contested(
    unit: &Unit,
    credit: &UnitCredit<'_>,
    scores: &[String],
    row: usize,
    disagreement: f64,
) -> Contested {
    let of = |name: &str| unit.column(name).filter(|column| column.is_valid(row));
    let list = |name: &str| -> Option<ArrayRef> {
        let list = unit.list(name)?;
        list.is_valid(row).then(|| list.value(row))
    };
    let text = |name: &str| {
        of(name).and_then(|column| column.as_string_opt::<i32>()).map(|texts| texts.value(row).to_owned())
    };
    let texts = |name: &str| {
        let texts = list(name)?;
        let texts = texts.as_string_opt::<i32>()?;
        Some(texts.iter().map(|text| text.map(str::to_owned)).collect())
    };
    let group = unit.group_of()[row];
    let members = unit.groups()[group]..unit.groups()[group + 1];
    let rewards = unit.column("reward").and_then(|column| column.as_primitive_opt::<Float64Type>());
    let reward =
        |row: usize| rewards.filter(|rewards| rewards.is_valid(row)).map(|rewards| rewards.value(row));
    Contested {
        iteration: unit.iteration(row),
        group_id: unit.group_id(row).to_owned(),
        rollout_id: unit.rollout_id(row).to_owned(),
        disagreement,
        own: row - members.start,
        rewards: members.map(reward).collect(),
        prompt: text("prompt"),
        response: text("response"),
        reference: text("reference"),
        token_ids: list("token_ids")
            .and_then(|ids| Some(ids.as_primitive_opt::<Int32Type>()?.values().to_vec())),
        token_texts: texts("token_texts"),
        token_mask: credit.mask(row).values().iter().collect(),
        step_ends: credit.steps(row).into_iter().map(|(_, end)| end).collect(),
        step_texts: texts("step_texts"),
        step_scores: scores.iter().filter_map(|name| Some((name.clone(), numbers(list(name)?)?))).collect(),
        credit: credit.outcomes(row),
    }
}

fn numbers(list: ArrayRef) -> Option<Vec<Option<f64>>> {
    let numbers = arrow::compute::cast(&list, &DataType::Float64).ok()?;
    Some(numbers.as_primitive_opt::<Float64Type>()?.iter().collect())
}
