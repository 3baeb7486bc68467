//! Clusters of what steps intend, and which steps of a group decide between the same actions in the same state.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};
use petgraph::unionfind::UnionFind;

use super::AddSignals;
use super::shell::ShellIntents;
use super::texts::{Texts, counted_numbers};
use crate::Result;
use crate::columns::list_of;
use crate::credit::{STEP, Unit};

/// Adds, from the shell commands in `step_actions`:
///
/// - `step_scope_labels`: per policy step one label for each scope. A scope is how many commands count, the
///   step's own being the last (-1: all of the rollout). Among the rollouts of the group that have a policy step of
///   that number, the commands of the scope are clustered by single linkage over the normalised edit distance of
///   their intent tokens, down to one cluster for every `members` rollouts. Ties join the pair that comes first in
///   canonical order.
/// - `step_decision_states`: equal for policy steps of one number whose earlier labels differ by at most `tolerance`,
///   or that are linked by such steps. The difference is the share of the scopes' `weights` whose label differs,
///   averaged over the earlier steps with weights `decay^j` from the first.
/// - `step_decision_actions`: equal for steps of one state whose own labels differ by at most `tolerance`, or are
///   linked by such steps.
///
/// A rollout with a policy step without command, without the signal `value`, or without a trainable token is in no
/// cluster: null.
#[derive(Debug, Clone)]
pub struct IntentLabels {
    /// How many commands count, for each label; -1: all.
    pub scopes: Vec<i64>,
    /// Weight of each scope, of any sum.
    pub weights: Vec<f64>,
    /// Rollouts per cluster.
    pub members: usize,
    /// Greatest difference of labels that count as equal.
    pub tolerance: f64,
    /// Weight of a step's labels relative to those of the step before.
    pub decay: f64,
    /// The rollout signal without which a rollout takes no part.
    pub value: String,
}

const ACTIONS: &str = "step_actions";
/// Keeps a sum of weights from being 0.
const LEAST: f64 = 1e-9;

/// What is known of one rollout: its policy steps, and per policy step the command and the label of each scope.
struct Path<'a> {
    steps: Vec<usize>,
    commands: Vec<&'a str>,
    labels: Vec<Vec<i64>>,
}

/// Per step of the unit.
struct Found {
    labels: Vec<Vec<i64>>,
    states: Vec<Option<i64>>,
    actions: Vec<Option<i64>>,
}

impl AddSignals for IntentLabels {
    fn name(&self) -> &str {
        "intent_labels"
    }

    fn reads(&self) -> Vec<String> {
        vec![ACTIONS.to_owned(), self.value.clone()]
    }

    fn adds(&self) -> Vec<Field> {
        let field = |name: &str, element| Field::new(name, list_of(element), true);
        vec![
            field("step_scope_labels", list_of(DataType::Int64)),
            field("step_decision_states", DataType::Int64),
            field("step_decision_actions", DataType::Int64),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let texts = Texts::new(unit, self.name(), ACTIONS)?;
        let values = counted_numbers(unit, self.name(), &self.value)?;
        let (policy, steps) = (unit.policy_steps()?, unit.extent(&STEP)?);
        let mut taking_part = vec![false; unit.rows()];
        let mut found = Found {
            labels: vec![Vec::new(); steps.len()],
            states: vec![None; steps.len()],
            actions: vec![None; steps.len()],
        };
        let path = |row: usize| -> Option<Path> {
            let (first, past) = (steps.rows[row], steps.rows[row + 1]);
            let own: Vec<usize> = (first..past).filter(|&step| policy[step]).collect();
            let texts = texts.row(row)?;
            let command = |step: &usize| texts.get(step - first).copied().flatten();
            let commands = own.iter().map(command).collect::<Option<_>>()?;
            values[row].map(|_| Path { steps: own, commands, labels: Vec::new() })
        };
        let mut clusters = Clusters::new()?;
        for group in unit.groups().windows(2) {
            let known = (group[0]..group[1]).filter_map(|row| Some((row, path(row)?)));
            let (rows, mut paths): (Vec<usize>, Vec<Path>) = known.unzip();
            for row in rows {
                taking_part[row] = true;
            }
            self.label(&mut paths, &mut clusters)?;
            self.decide(&paths, &mut found);
            for path in paths {
                for (step, labels) in path.steps.into_iter().zip(path.labels) {
                    found.labels[step] = labels;
                }
            }
        }
        Ok(found.columns(&taking_part, &steps.rows))
    }
}

impl IntentLabels {
    /// Labels of every policy step, number by number.
    fn label(&self, paths: &mut [Path], clusters: &mut Clusters) -> Result<()> {
        let longest = paths.iter().map(|path| path.steps.len()).max().unwrap_or(0);
        for number in 0..longest {
            let present: Vec<usize> = (0..paths.len()).filter(|&at| paths[at].steps.len() > number).collect();
            for &scope in &self.scopes {
                let mut texts = Vec::with_capacity(present.len());
                for &at in &present {
                    let commands = &paths[at].commands;
                    let counted = match usize::try_from(scope) {
                        Ok(scope) => &commands[(number + 1).saturating_sub(scope)..=number],
                        Err(_) => &commands[..],
                    };
                    texts.push(clusters.number(&counted.join("\n"))?);
                }
                let wanted = present.len().div_ceil(self.members.max(1)).max(1);
                let labels = linked(present.len(), wanted, |a, b| clusters.distance(texts[a], texts[b]));
                for (&at, label) in present.iter().zip(labels) {
                    let labels = &mut paths[at].labels;
                    labels.resize(number + 1, Vec::new());
                    labels[number].push(label);
                }
            }
        }
        Ok(())
    }

    /// States and actions, numbered in the group in order of first appearance.
    fn decide(&self, paths: &[Path], found: &mut Found) {
        let total = self.weights.iter().sum::<f64>() + LEAST;
        let differ = |a: &[i64], b: &[i64]| -> f64 {
            let labels = self.weights.iter().zip(a.iter().zip(b));
            labels.map(|(weight, (a, b))| if a == b { 0.0 } else { weight / total }).sum()
        };
        let longest = paths.iter().map(|path| path.steps.len()).max().unwrap_or(0);
        let (mut states, mut actions) = (0, 0);
        for number in 0..longest {
            let present: Vec<&Path> = paths.iter().filter(|path| path.steps.len() > number).collect();
            let ages: Vec<f64> = (0..number).map(|j| self.decay.powi(j as i32)).collect();
            let age = ages.iter().sum::<f64>() + LEAST;
            let alike = |a: usize, b: usize| {
                let earlier = present[a].labels[..number].iter().zip(&present[b].labels[..number]);
                let parts = ages.iter().zip(earlier).map(|(weight, (a, b))| weight / age * differ(a, b));
                parts.sum::<f64>() <= self.tolerance
            };
            let of_state = classes(present.len(), alike);
            for state in 0..of_state.iter().max().map_or(0, |last| last + 1) {
                let members: Vec<&Path> = of_state
                    .iter()
                    .zip(&present)
                    .filter(|(of, _)| **of == state)
                    .map(|(_, at)| *at)
                    .collect();
                let same = |a: usize, b: usize| {
                    differ(&members[a].labels[number], &members[b].labels[number]) <= self.tolerance
                };
                let of_action = classes(members.len(), same);
                for (path, action) in members.iter().zip(&of_action) {
                    found.states[path.steps[number]] = Some(states + state);
                    found.actions[path.steps[number]] = Some(actions + action);
                }
                actions += of_action.iter().max().map_or(0, |last| last + 1);
            }
            states += of_state.iter().max().map_or(0, |last| last + 1);
        }
    }
}

impl Found {
    fn columns(self, taking_part: &[bool], rows: &[usize]) -> Vec<ArrayRef> {
        let element = |inner| Arc::new(Field::new("element", inner, true));
        let numbers = || ListBuilder::new(Int64Builder::new()).with_field(element(DataType::Int64));
        let mut labels = ListBuilder::new(numbers()).with_field(element(list_of(DataType::Int64)));
        let (mut states, mut actions) = (numbers(), numbers());
        for (row, &known) in taking_part.iter().enumerate() {
            if known {
                for step in rows[row]..rows[row + 1] {
                    labels.values().append_value(self.labels[step].iter().map(|&label| Some(label)));
                    states.values().append_option(self.states[step]);
                    actions.values().append_option(self.actions[step]);
                }
            }
            labels.append(known);
            states.append(known);
            actions.append(known);
        }
        vec![Arc::new(labels.finish()), Arc::new(states.finish()), Arc::new(actions.finish())]
    }
}

/// Commands that were seen, by number, with what they intend and how far apart they are.
struct Clusters {
    intents: ShellIntents,
    known: HashMap<String, usize>,
    tokens: Vec<Vec<usize>>,
    distances: HashMap<(usize, usize), f64>,
}

impl Clusters {
    fn new() -> Result<Self> {
        Ok(Clusters {
            intents: ShellIntents::new()?,
            known: HashMap::new(),
            tokens: Vec::new(),
            distances: HashMap::new(),
        })
    }

    fn number(&mut self, text: &str) -> Result<usize> {
        if let Some(&known) = self.known.get(text) {
            return Ok(known);
        }
        let tokens = self.intents.of(text)?;
        self.tokens.push(tokens);
        self.known.insert(text.to_owned(), self.tokens.len() - 1);
        Ok(self.tokens.len() - 1)
    }

    /// Edit distance of two commands over the tokens of the longer one.
    fn distance(&mut self, a: usize, b: usize) -> f64 {
        let tokens = &self.tokens;
        *self.distances.entry((a.min(b), a.max(b))).or_insert_with(|| {
            let (a, b) = (&tokens[a], &tokens[b]);
            strsim::generic_levenshtein(a, b) as f64 / a.len().max(b.len()).max(1) as f64
        })
    }
}

/// Single linkage down to so many clusters, numbered by first appearance; ties join the first pair.
fn linked(count: usize, wanted: usize, mut distance: impl FnMut(usize, usize) -> f64) -> Vec<i64> {
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    let mut pairs: Vec<(f64, usize, usize)> = pairs.map(|(a, b)| (distance(a, b), a, b)).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut clusters, mut left) = (UnionFind::new(count), count);
    for (_, a, b) in pairs {
        if left <= wanted {
            break;
        }
        left -= usize::from(clusters.union(a, b));
    }
    by_first_appearance(&clusters.into_labeling())
}

/// The classes of a relation closed transitively, numbered by first appearance.
fn classes(count: usize, related: impl Fn(usize, usize) -> bool) -> Vec<i64> {
    let mut classes = UnionFind::new(count);
    for a in 0..count {
        for b in a + 1..count {
            if !classes.equiv(a, b) && related(a, b) {
                classes.union(a, b);
            }
        }
    }
    by_first_appearance(&classes.into_labeling())
}

fn by_first_appearance(labels: &[usize]) -> Vec<i64> {
    let mut numbers: HashMap<usize, i64> = HashMap::new();
    let number = |label: &usize| {
        let next = numbers.len() as i64;
        *numbers.entry(*label).or_insert(next)
    };
    labels.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The closest two clusters are joined again and again; of equal distances the pair that comes first.
    fn naive(count: usize, wanted: usize, distance: &dyn Fn(usize, usize) -> f64) -> Vec<i64> {
        let mut labels: Vec<usize> = (0..count).collect();
        let clusters = |labels: &[usize]| {
            let mut distinct = labels.to_vec();
            distinct.sort_unstable();
            distinct.dedup();
            distinct.len()
        };
        while clusters(&labels) > wanted {
            let mut best: Option<(f64, usize, usize)> = None;
            for a in 0..count {
                for b in (a + 1..count).filter(|&b| labels[a] != labels[b]) {
                    if best.is_none_or(|(least, _, _)| distance(a, b) < least) {
                        best = Some((distance(a, b), a, b));
                    }
                }
            }
            let Some((_, a, b)) = best else { break };
            let (keep, join) = (labels[a], labels[b]);
            labels.iter_mut().filter(|label| **label == join).for_each(|label| *label = keep);
        }
        by_first_appearance(&labels)
    }

    proptest! {
        #[test]
        fn linkage_joins_the_closest(values in prop::collection::vec(0u8..12, 0..9), wanted in 1usize..5) {
            let distance = |a: usize, b: usize| f64::from(values[a].abs_diff(values[b])) / 11.0;
            prop_assert_eq!(linked(values.len(), wanted, distance), naive(values.len(), wanted, &distance));
        }

        #[test]
        fn classes_are_connected(values in prop::collection::vec(0u8..30, 0..12)) {
            let labels = classes(values.len(), |a, b| values[a].abs_diff(values[b]) <= 1);
            for a in 0..values.len() {
                for b in 0..values.len() {
                    let (low, high) = (values[a].min(values[b]), values[a].max(values[b]));
                    let linked = (low..=high).all(|x| values.contains(&x));
                    prop_assert_eq!(labels[a] == labels[b], linked);
                }
            }
        }
    }
}
