//! What all recipes give to one rollout, at the level of tokens, steps and the rollout.

use arrow::array::{AsArray, BooleanArray, Float32Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Float32Type;
use meed_operators::credit::{STEP, Unit};
use meed_operators::{Error, Result};

/// The levels that are compared.
pub const LEVELS: [&str; 3] = ["token", "step", "rollout"];
pub(super) const TOKENS: usize = 0;
const STEPS: usize = 1;
const ROLLOUTS: usize = 2;

/// Elements of one level with the credit that each recipe gives them; equal neighbours are one entry.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Elements {
    counts: Vec<u64>,
    values: Vec<f64>,
}

impl Elements {
    fn push(&mut self, count: u64, values: &[f64]) {
        match self.counts.last_mut() {
            Some(last) if self.values[self.values.len() - values.len()..] == *values => *last += count,
            _ => {
                self.counts.push(count);
                self.values.extend_from_slice(values);
            }
        }
    }

    /// How many elements there are, and the credit of each recipe.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &[f64])> {
        let recipes = self.values.len() / self.counts.len().max(1);
        self.counts.iter().copied().zip(self.values.chunks_exact(recipes.max(1)))
    }
}

/// The credit of one rollout by all recipes.
#[derive(Debug, Default)]
pub(super) struct RolloutCredit {
    /// Which recipes train on it.
    pub(super) in_loss: Vec<bool>,
    /// Its trainable tokens, its steps that have some, and itself, if it has some.
    pub(super) levels: [Elements; 3],
}

/// Tokens of steps, by step, and where the steps of each rollout begin.
type Steps = (Vec<(usize, usize)>, Vec<usize>);

/// Rows of the advantages table of all recipes for the rollouts of a unit.
pub(super) struct UnitCredit<'a> {
    unit: &'a Unit,
    mask: ListArray,
    steps: Option<Steps>,
    recipes: Vec<Given>,
}

/// What one recipe gives to the rollouts of a unit.
struct Given {
    advantages: ListArray,
    in_loss: BooleanArray,
    reasons: StringArray,
}

impl<'a> UnitCredit<'a> {
    /// Puts a unit and its rows, a batch per recipe in the unit's order, together.
    pub(super) fn new(unit: &'a Unit, rows: &[RecordBatch]) -> Result<Self> {
        let mask = unit.list("token_mask").cloned().ok_or_else(|| missing("token_mask"))?;
        let steps = match unit.list("step_ends") {
            None => None,
            Some(_) => {
                let extent = unit.extent(&STEP)?;
                extent.spans.clone().map(|spans| (spans, extent.rows.clone()))
            }
        };
        let recipes = rows.iter().map(|rows| {
            let column = |name: &str| rows.column_by_name(name).ok_or_else(|| missing(name));
            let advantages = column("token_advantages")?.as_list_opt::<i32>();
            let in_loss = column("in_loss")?.as_boolean_opt();
            let reasons = column("reason")?.as_string_opt::<i32>();
            match (advantages, in_loss, reasons) {
                (Some(advantages), Some(in_loss), Some(reasons)) => Ok(Given {
                    advantages: advantages.clone(),
                    in_loss: in_loss.clone(),
                    reasons: reasons.clone(),
                }),
                _ => Err(missing("token_advantages")),
            }
        });
        Ok(UnitCredit { unit, mask, steps, recipes: recipes.collect::<Result<_>>()? })
    }

    /// The credit of the tokens of a rollout, by recipe.
    fn advantages(&self, row: usize) -> Vec<Float32Array> {
        let of = |given: &Given| given.advantages.value(row).as_primitive::<Float32Type>().clone();
        self.recipes.iter().map(of).collect()
    }

    /// By recipe: the credit of the tokens of a rollout, or why it is not trained on.
    pub(super) fn outcomes(&self, row: usize) -> Vec<std::result::Result<Vec<f32>, String>> {
        let advantages = self.advantages(row).into_iter().zip(&self.recipes);
        let outcome = |(advantages, given): (Float32Array, &Given)| match given.in_loss.value(row) {
            true => Ok(advantages.values().to_vec()),
            false => Err(given.reasons.value(row).to_owned()),
        };
        advantages.map(outcome).collect()
    }

    /// The mask of a rollout.
    pub(super) fn mask(&self, row: usize) -> BooleanArray {
        self.mask.value(row).as_boolean().clone()
    }

    /// The tokens of the steps of a rollout, counted in the rollout.
    pub(super) fn steps(&self, row: usize) -> Vec<(usize, usize)> {
        let Some((spans, rows)) = &self.steps else {
            return Vec::new();
        };
        let first = self.token(row);
        spans[rows[row]..rows[row + 1]].iter().map(|(begin, end)| (begin - first, end - first)).collect()
    }

    /// The first token of a rollout among those of the unit.
    fn token(&self, row: usize) -> usize {
        let offsets = self.mask.value_offsets();
        (offsets[row] - offsets[0]) as usize
    }

    /// One rollout.
    pub(super) fn rollout(&self, row: usize) -> RolloutCredit {
        let (advantages, mask) = (self.advantages(row), self.mask(row));
        let mut levels: [Elements; 3] = Default::default();
        let mut values = vec![0.0; advantages.len()];
        for token in (0..mask.len()).filter(|&token| mask.value(token)) {
            for (value, of_recipe) in values.iter_mut().zip(&advantages) {
                *value = f64::from(of_recipe.value(token));
            }
            levels[TOKENS].push(1, &values);
        }
        let mut mean = |level: usize, begin: usize, end: usize| {
            let trainable = || (begin..end).filter(|&token| mask.value(token));
            let count = trainable().count() as f64;
            if count == 0.0 {
                return;
            }
            for (value, of_recipe) in values.iter_mut().zip(&advantages) {
                *value = trainable().map(|token| f64::from(of_recipe.value(token))).sum::<f64>() / count;
            }
            levels[level].push(1, &values);
        };
        for (begin, end) in self.steps(row) {
            mean(STEPS, begin, end);
        }
        mean(ROLLOUTS, 0, mask.len());
        let in_loss = self.recipes.iter().map(|given| given.in_loss.value(row)).collect();
        RolloutCredit { in_loss, levels }
    }

    /// The rows of each group.
    pub(super) fn groups(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        self.unit.groups().windows(2).map(|pair| pair[0]..pair[1])
    }
}

fn missing(column: &str) -> Error {
    Error::usage(format!("{column} was not read"), "this is a defect of meed")
}
