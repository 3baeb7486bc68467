//! Logs of Tree of Thoughts on the Game of 24: candidates that a search proposed, judged and kept.

mod candidates;
mod state;

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field};
use meed_operators::columns::{Table, list_of};
use meed_operators::{Error, Place, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::imported::{Found, Imported, ReportHandle, one_by_one};
use super::json_file::{json_file, shaped};
use super::nodes::{Node, node_rows, path_to};
use super::rollout::reward_at_the_end;
use super::{ImportOptions, Importer, Rollout, RowBuilder, Step};
use crate::store::Location;
use candidates::Tree;

/// Reads the JSON that tree-of-thought-llm writes for the Game of 24: an array of tasks, each with the
/// levels of its search (`new_ys` with their judged `values`, and `select_new_ys`), the last candidates
/// (`ys`) and their verdicts (`infos`).
///
/// A task is a group, `game24-900` after its index. A node of its tree is a candidate, numbered in the order
/// of levels and positions: it is a place in a level and not a text, since texts repeat. The puzzle is the
/// root, and no node; what lies below it has depth 1 and no parent. `kind` is `kept` or `dropped`, `value`
/// what the judge said, `reward` the verdict on a last candidate that was kept, `text` the line that the
/// candidate adds.
/// `metadata` has `step` and `position`, and `duplicate_of` where an earlier candidate of the level has
/// the same text, which the search did not judge again but valued at 0.
///
/// A rollout is a path from the root to a last candidate that was kept, `game24-900-leaf-77` after its
/// node; what was dropped is in the table of nodes only. A step is a line with its line break, so steps
/// add up to `response`. `step_states` has the numbers that remain before the step, in order, and is null
/// where the line before does not tell them; `step_actions` the calculation without what remains;
/// `step_scores` the judge's value of the step's node, `step_values` that of the node it starts from. The
/// last step has the verdict as its reward, the others 0.
///
/// The log does not tell candidates apart whose parents have the same text. They are given to the parents
/// in order: a candidate that repeats one of its parent's begins the next parent's.
pub struct Tot;

const SCORES: &str = "step_scores";

const COLUMNS: &[&str] = &[
    "reward_status",
    "step_states",
    "step_actions",
    "step_rewards",
    "step_values",
    "step_nodes",
    "metadata",
];

impl Importer for Tot {
    fn name(&self) -> &'static str {
        "tot"
    }

    fn reads(&self) -> &'static str {
        "JSON of Tree of Thoughts on the Game of 24: tasks with the candidates of each level"
    }

    fn describe(&self) -> &'static str {
        "A task is a group and one tree; nodes are its candidates, kept and dropped, with the judge's value; \
         a rollout is a path to a last candidate that was kept, with its verdict as reward; a \
         step is a node: step_states has the numbers that remain, step_scores the judge's value of the \
         node, step_values that of the node before it."
    }

    fn leaves_out(&self) -> &'static str {
        "nothing of the search; what has no column is in the metadata. Prompts, and the judge's \
         votes behind a value, are not in these logs."
    }

    fn tables(&self) -> &'static [Table] {
        &[Table::Nodes]
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        let signals = vec![Field::new(SCORES, list_of(DataType::Float64), true)];
        let rows = RowBuilder::new(COLUMNS, signals, options)?;
        let report = ReportHandle::new(options);
        let (inputs, notes, settings) = (inputs.to_vec(), report.clone(), options.clone());
        let mut seen = HashSet::new();
        let tasks = inputs.into_iter().flat_map(|input| tasks(&input));
        let found = tasks.flat_map(move |task| {
            let found = task.and_then(|(place, task)| group(place, task, &mut seen, &settings, &notes));
            one_by_one(found)
        });
        Ok(Imported::from_found(found, rows, options, report))
    }
}

const HINT: &str = "give a file as tree-of-thought-llm writes it: a JSON array of tasks, whole and in UTF-8";

/// The tasks of a file, each with its place.
fn tasks(input: &Location) -> Vec<Result<(Place, Value)>> {
    let tasks: Vec<Value> = match json_file(input, "tasks", HINT) {
        Ok(tasks) => tasks,
        Err(error) => return vec![Err(error)],
    };
    let place = |row: usize| Place::file(input.uri()).row(row as u64);
    tasks.into_iter().enumerate().map(|(row, task)| Ok((place(row), task))).collect()
}

/// A task as the log has it.
#[derive(Deserialize)]
struct Task {
    idx: i64,
    steps: Vec<Level>,
    ys: Vec<String>,
    infos: Vec<Verdict>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One level of the search.
#[derive(Deserialize)]
struct Level {
    x: String,
    ys: Vec<String>,
    new_ys: Vec<String>,
    values: Vec<Option<f64>>,
    select_new_ys: Vec<String>,
}

#[derive(Deserialize)]
struct Verdict {
    r: Option<f64>,
}

/// The tree of a task and its rollouts.
fn group(
    place: Place,
    task: Value,
    seen: &mut HashSet<i64>,
    options: &ImportOptions,
    report: &ReportHandle,
) -> Result<Vec<Found>> {
    let task: Task = shaped(task, &place, "a task of a search", HINT)?;
    let place = Place { rollout: Some(format!("game24-{}", task.idx)), ..place };
    if !seen.insert(task.idx) {
        let hint = "import the files of different runs into different datasets";
        return Err(Error::data(place, "another task has the same index", hint));
    }
    let broken = |message: String| Error::data(place.clone(), message, HINT);
    let puzzle = match task.steps.first() {
        Some(level) if state::is_puzzle(&level.x) => level.x.clone(),
        Some(level) => return Err(broken(format!("`{}` is no puzzle of four numbers", level.x))),
        None => return Err(broken("the search has no levels".to_owned())),
    };
    let mut tree = Tree::new();
    for level in task.steps {
        tree.grow(level, report).map_err(broken)?;
    }
    let Tree { mut nodes, kept, .. } = tree;
    if kept.iter().map(|leaf| &leaf.text).ne(&task.ys) {
        return Err(broken("`ys` are not the candidates that the last level kept".to_owned()));
    }
    if task.infos.len() != kept.len() {
        return Err(broken(format!("{} candidates have {} verdicts", kept.len(), task.infos.len())));
    }
    let leaves: Vec<usize> = kept.iter().filter_map(|leaf| leaf.node).collect();
    for (&leaf, verdict) in leaves.iter().zip(&task.infos) {
        nodes[leaf].reward = verdict.r;
        for node in path_to(leaf, &nodes) {
            nodes[node].visits += 1;
        }
    }
    let group_id = format!("game24-{}", task.idx);
    let mut found = vec![Found::Beside(node_rows(&group_id, &nodes, options)?)];
    for leaf in leaves {
        let rollout = rollout(&group_id, &puzzle, leaf, &nodes);
        found.push(Rollout { place: place.clone(), metadata: task.rest.clone(), ..rollout }.into());
    }
    Ok(found)
}

fn rollout(group_id: &str, puzzle: &str, leaf: usize, nodes: &[Node]) -> Rollout {
    let reward = nodes[leaf].reward;
    let mut state = state::of_puzzle(puzzle);
    let mut steps: Vec<Step> = Vec::new();
    for number in path_to(leaf, nodes) {
        let node = &nodes[number];
        let mut step = Step::new("policy", node.text.as_str());
        step.action = Some(state::action(&node.text));
        step.state = state;
        step.value = node.parent.and_then(|parent| nodes[parent].value);
        step.node = Some(number as i64);
        step.signals.insert(SCORES.to_owned(), node.value.into());
        state = state::after(&node.text);
        steps.push(step);
    }
    reward_at_the_end(&mut steps, reward);
    Rollout {
        group_id: group_id.to_owned(),
        rollout_id: format!("{group_id}-leaf-{leaf}"),
        status: if reward.is_some() { "complete" } else { "error" },
        prompt: Some(puzzle.to_owned()),
        response: Some(steps.iter().map(|step| step.text.as_str()).collect()),
        reward,
        reward_status: reward.is_none().then(|| "the file has no verdict on this leaf".to_owned()),
        steps,
        ..Rollout::default()
    }
}
