//! Groups of steps with the same or a similar state, across the rollouts of a group.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};
use difflib::sequencematcher::SequenceMatcher;

use super::AddSignals;
use super::texts::Texts;
use crate::Result;
use crate::columns::list_of;
use crate::credit::{STEP, Unit};

/// Adds `step_state_groups`: the number of the cluster that a policy step's state belongs to,
/// counted inside the group in canonical order; null at environment steps and null states. Rollouts without a
/// trainable token come last, so that they open no cluster that others could join. With a history, steps share a
/// number where their states and those of so many policy steps before them share clusters.
///
/// Greedy clustering: a state joins the first cluster whose first member is at least `similarity`
/// like it (Ratcliff/Obershelp ratio, as in Python's `difflib`), else it opens a new one. At 1 only
/// equal states share a cluster.
#[derive(Debug, Clone)]
pub struct StateGroups {
    /// Least ratio, in `0..=1`.
    pub similarity: f64,
    /// How many earlier policy steps count too. A step with fewer before it is like those that began alike.
    pub history: usize,
}

impl AddSignals for StateGroups {
    fn name(&self) -> &str {
        "state_groups"
    }

    fn reads(&self) -> Vec<String> {
        vec!["step_states".to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("step_state_groups", list_of(DataType::Int64), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let states = Texts::new(unit, self.name(), "step_states")?;
        let (policy, steps) = (unit.policy_steps()?, unit.extent(&STEP)?);
        let untrained = unit.without_trainable_token()?;
        let field = Arc::new(Field::new("element", DataType::Int64, true));
        let mut clusters = ListBuilder::new(Int64Builder::new()).with_field(field);
        for group in unit.groups().windows(2) {
            let mut representatives: Vec<Vec<char>> = Vec::new();
            // An equal text is like the same clusters, so that only new ones are compared.
            let mut known: HashMap<&str, usize> = HashMap::new();
            let mut numbers: HashMap<Vec<usize>, i64> = HashMap::new();
            let mut cluster = |row: usize| {
                let mut recent: Vec<usize> = Vec::new();
                let numbered = states.row(row)?.into_iter().enumerate().map(|(step, state)| {
                    let text = state.filter(|_| policy[steps.rows[row] + step])?;
                    recent.push(*known.entry(text).or_insert_with(|| {
                        let state: Vec<char> = text.chars().collect();
                        let joined = representatives.iter().position(|other| self.similar(other, &state));
                        joined.unwrap_or_else(|| {
                            representatives.push(state);
                            representatives.len() - 1
                        })
                    }));
                    let from = recent.len().saturating_sub(self.history + 1);
                    let next = numbers.len() as i64;
                    Some(*numbers.entry(recent[from..].to_vec()).or_insert(next))
                });
                Some(numbered.collect::<Vec<Option<i64>>>())
            };
            let (later, first): (Vec<usize>, Vec<usize>) =
                (group[0]..group[1]).partition(|row| untrained.binary_search(row).is_ok());
            let mut found: Vec<_> = first.into_iter().chain(later).map(|row| (row, cluster(row))).collect();
            found.sort_by_key(|(row, _)| *row);
            for (_, numbers) in found {
                numbers.iter().flatten().for_each(|&number| clusters.values().append_option(number));
                clusters.append(numbers.is_some());
            }
        }
        Ok(vec![Arc::new(clusters.finish())])
    }
}

impl StateGroups {
    fn similar(&self, known: &[char], state: &[char]) -> bool {
        let (shorter, longer) = (known.len().min(state.len()) as f64, known.len().max(state.len()) as f64);
        let bound = 2.0 * shorter / (shorter + longer);
        self.similarity < 1.0
            && bound >= self.similarity
            && f64::from(SequenceMatcher::new(known, state).ratio()) >= self.similarity
    }
}
