//! Search trees of ToolBench: an agent that calls tools and goes back where a path fails.

mod tree;

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field};
use meed_operators::columns::{Table, list_of};
use meed_operators::{Error, Place, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::chat::written_call;
use super::course::Course;
use super::imported::{Found, Imported, ReportHandle, one_by_one};
use super::json_file::{json_file, shaped};
use super::nodes::{Node, node_rows, path_to};
use super::rollout::reward_at_the_end;
use super::{ImportOptions, Importer, Rollout, RowBuilder, Step};
use crate::store::Location;

/// Reads the JSON that ToolBench's depth-first search writes: one file a task, with the tree of its
/// search.
///
/// A file is a group, named after the file. Its nodes are numbered in the order of the search; `kind` is
/// `thought`, `action` (a tool's name) or `action_input` (its arguments, with what the tool observed), and
/// the root, the file's empty `Action Input`, is `root`. `text` is the node's description; everything else
/// of a node, such as `pruned`, `is_terminal`, `observation` and `observation_code`, is in `metadata`; that
/// of the root also has what the file says about the whole search.
///
/// A rollout is a path from the root to a leaf, `<file>-leaf-7` after its node. Thoughts are `think` steps,
/// actions and their inputs `tool_call`, and an observation is an `observation` step after its input, which
/// is no node of its own. `step_actions` has thoughts, tool names, and at inputs the whole call in one
/// spelling; `step_states` tells what the agent has observed on the path; `step_action_valid` is false at
/// inputs for a tool that does not exist or with arguments that it cannot read, and null where the tool
/// failed for other reasons.
///
/// The reward is 1 where the path ends with an answer and 0 where it gives up, at the last policy step.
/// A path that does not finish has no reward: its status is `truncated` where it reached the search's
/// limit of depth, else `aborted`.
pub struct ToolBench;

const VALID: &str = "step_action_valid";

const COLUMNS: &[&str] =
    &["reward_status", "step_turns", "step_states", "step_actions", "step_rewards", "step_nodes"];

impl Importer for ToolBench {
    fn name(&self) -> &'static str {
        "toolbench"
    }

    fn reads(&self) -> &'static str {
        "JSON of ToolBench: a file per task with the tree of a depth-first search over tool calls"
    }

    fn describe(&self) -> &'static str {
        "A file is a group and one tree; nodes are thoughts, actions and action inputs, pruned and terminal \
         flags and observations are in their metadata; a rollout is a path to a leaf; the reward is 1 for \
         an answer and 0 for giving up, and a path that was cut off is truncated or aborted and has none; \
         step_actions has the calls in one spelling, step_states tells what was observed on the path."
    }

    fn leaves_out(&self) -> &'static str {
        "`compare_candidates` and `train_messages`, which repeat nodes of the tree. Observations that the \
         log itself has shortened stay so; what the agent was told about earlier tries is not in these files."
    }

    fn tables(&self) -> &'static [Table] {
        &[Table::Nodes]
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        let signals = vec![Field::new(VALID, list_of(DataType::Boolean), true)];
        let rows = RowBuilder::new(COLUMNS, signals, options)?;
        let report = ReportHandle::new(options);
        let (inputs, notes, settings) = (inputs.to_vec(), report.clone(), options.clone());
        let mut seen = HashSet::new();
        let found = inputs.into_iter().flat_map(move |input| {
            let found = group(&input, &mut seen, &settings, &notes);
            one_by_one(found)
        });
        Ok(Imported::from_found(found, rows, options, report))
    }
}

const HINT: &str =
    "give a file as ToolBench writes it: a JSON object with a `tree` and an `answer_generation`";

/// A file, as far as it has columns.
#[derive(Deserialize)]
struct Search {
    tree: Whole,
    answer_generation: Generation,
    forward_args: Limits,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Whole {
    tree: Value,
}

#[derive(Deserialize)]
struct Generation {
    query: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// How the search was run.
#[derive(Deserialize)]
struct Limits {
    single_chain_max_step: Option<i32>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The tree of a file and its rollouts.
fn group(
    input: &Location,
    seen: &mut HashSet<String>,
    options: &ImportOptions,
    report: &ReportHandle,
) -> Result<Vec<Found>> {
    let name = input.path().filename().unwrap_or("tree");
    let group_id = name.strip_suffix(".json").unwrap_or(name).to_owned();
    let place = Place::file(input.uri()).row(0);
    if !seen.insert(group_id.clone()) {
        let hint = "a task is named after its file; rename one, or import them into different datasets";
        return Err(Error::data(place, format!("another file is called {group_id} too"), hint));
    }
    let mut search: Search = shaped(json_file(input, "search tree", HINT)?, &place, "a search tree", HINT)?;
    let limit = search.forward_args.single_chain_max_step;
    let query = search.answer_generation.query.clone();
    let mut nodes =
        tree::nodes(search.tree.tree.take()).map_err(|message| Error::data(place.clone(), message, HINT))?;
    let parents: HashSet<usize> = nodes.iter().filter_map(|node| node.parent).collect();
    let leaves: Vec<usize> = (1..nodes.len()).filter(|node| !parents.contains(node)).collect();
    for &leaf in &leaves {
        nodes[leaf].reward = ending(&nodes[leaf], limit).reward;
        for node in path_to(leaf, &nodes) {
            nodes[node].visits += 1;
        }
    }
    let about = about(search, report);
    nodes[0].metadata.extend(about);
    let mut found = vec![Found::Beside(node_rows(&group_id, &nodes, options)?)];
    for leaf in leaves {
        found.push(rollout(&place, &group_id, &query, leaf, &nodes, limit, report).into());
    }
    Ok(found)
}

/// What a file says about the search as a whole.
fn about(search: Search, report: &ReportHandle) -> Map<String, Value> {
    let mut about = search.rest;
    if about.remove("compare_candidates").is_some() {
        report.unmapped("`compare_candidates`, which repeats nodes");
    }
    let mut generation = search.answer_generation.rest;
    if generation.remove("train_messages").is_some() {
        report.unmapped("`train_messages`, which repeats nodes");
    }
    let mut arguments = search.forward_args.rest;
    if let Some(limit) = search.forward_args.single_chain_max_step {
        arguments.insert("single_chain_max_step".to_owned(), limit.into());
    }
    about.insert("forward_args".to_owned(), arguments.into());
    about.insert("answer_generation".to_owned(), generation.into());
    about
}

/// How a path ended.
struct Ending {
    status: &'static str,
    reward: Option<f64>,
    reason: Option<String>,
}

/// What the codes of observations mean: 3 an answer, 4 giving up.
fn ending(leaf: &Node, limit: Option<i32>) -> Ending {
    let without = |status, reason| Ending { status, reward: None, reason: Some(reason) };
    match code(leaf) {
        Some(3) => Ending { status: "complete", reward: Some(1.0), reason: None },
        Some(4) => Ending { status: "complete", reward: Some(0.0), reason: None },
        _ => match limit {
            Some(limit) if leaf.depth >= limit => {
                without("truncated", format!("the path reached the search's limit of {limit} nodes"))
            }
            _ => without("aborted", "the path ends without an answer and without giving up".to_owned()),
        },
    }
}

fn code(node: &Node) -> Option<i64> {
    node.metadata.get("observation_code")?.as_i64()
}

fn rollout(
    place: &Place,
    group_id: &str,
    query: &str,
    leaf: usize,
    nodes: &[Node],
    limit: Option<i32>,
    report: &ReportHandle,
) -> Rollout {
    let mut course = Course::default();
    course.show("user", query);
    let mut tool = "";
    for number in path_to(leaf, nodes).into_iter().skip(1) {
        let node = &nodes[number];
        let (kind, action) = match node.kind.as_str() {
            tree::THOUGHT => ("think", node.text.trim().to_owned()),
            tree::ACTION => {
                tool = &node.text;
                ("tool_call", node.text.trim().to_owned())
            }
            _ => ("tool_call", written_call(tool.trim(), &node.text, report)),
        };
        let mut step = Step::new(kind, node.text.as_str());
        step.action = Some(action).filter(|action| !action.is_empty());
        step.node = Some(number as i64);
        // 0 is an ordinary answer of the tool, 1 an unknown tool, 2 arguments that it cannot read.
        let valid = match code(node) {
            Some(0 | 3 | 4) => Some(true),
            Some(1 | 2) => Some(false),
            _ => None,
        };
        step.signals.insert(VALID.to_owned(), valid.into());
        course.push(step);
        if let Some(observed) = node.metadata.get("observation") {
            let text = observed.as_str().map_or_else(|| observed.to_string(), str::to_owned);
            course.push(Step::new("observation", text));
        }
    }
    let ending = ending(&nodes[leaf], limit);
    let mut steps = course.steps;
    reward_at_the_end(&mut steps, ending.reward);
    let texts: Vec<&str> = steps.iter().map(|step| step.text.as_str()).collect();
    Rollout {
        place: place.clone(),
        group_id: group_id.to_owned(),
        rollout_id: format!("{group_id}-leaf-{leaf}"),
        status: ending.status,
        prompt: Some(query.to_owned()),
        response: Some(texts.join("\n")),
        reward: ending.reward,
        reward_status: ending.reason,
        steps,
        ..Rollout::default()
    }
}
