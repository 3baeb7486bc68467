//! Trajectories of tau-bench: trials of an agent that serves a simulated user with tools.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field};
use meed_operators::{Error, Place, Result};
use serde_json::{Map, Value, json};

use super::chat::{Chat, canonical_call};
use super::imported::{BadRow, Imported, ReportHandle};
use super::json_file::json_file;
use super::lines::type_of;
use super::rollout::reward_at_the_end;
use super::{ImportOptions, Importer, Rollout, RowBuilder};
use crate::store::Location;

/// Reads the JSON files that tau-bench writes: an array of trials, each with `task_id`, `trial`,
/// `traj` (the messages), `reward` and `info`. All files are held in memory, because a file lists
/// its trials by trial and not by task.
///
/// The trials of a task are a group, `airline-7`; the domain stands in the system prompt's title,
/// else the file's name takes its place. A trial is the rollout `airline-7-trial-2`. Messages are
/// steps: text of the assistant (`policy`), tool calls (`tool_call`), their results (`observation`)
/// and the user's messages (`user`). The opening system and user messages are the prompt.
/// `step_actions` holds tool calls in one spelling, and `step_states` a hash of what the agent has
/// observed before the step. `step_texts` are exactly the steps' tokens; `response` joins them with
/// line breaks, for reading.
///
/// `step_rewards`, which `gigpo` reads, has the outcome reward at the last policy step, 0 at the
/// other policy steps, and null at the steps of environment and user. `gold_calls` is a JSON list of the
/// task's gold actions, each with `name` and `arguments`. `metadata` holds `info` (the task with its
/// instruction, among others), and `gold_actions`: the gold actions in the spelling of `step_actions`.
///
/// A trial that broke has status `error` and no reward, whatever number the file has for it. A
/// trial that was stopped before tau-bench judged it has status `truncated` and the reward in the
/// file, which is 0.
pub struct TauBench;

const GOLD_CALLS: &str = "gold_calls";

const COLUMNS: &[&str] =
    &["reward_status", "step_turns", "step_states", "step_actions", "step_rewards", "metadata"];

impl Importer for TauBench {
    fn name(&self) -> &'static str {
        "tau-bench"
    }

    fn reads(&self) -> &'static str {
        "JSON of tau-bench: an array of trials with their messages, reward and task"
    }

    fn describe(&self) -> &'static str {
        "The trials of a task are a group; messages are steps; tool calls are in one spelling in \
         step_actions; step_states tells what the agent has observed; step_rewards has the reward \
         at the last policy step; gold_calls has the gold actions as JSON. Broken trials become errors."
    }

    fn leaves_out(&self) -> &'static str {
        "ids of tool calls, parts of messages without text, and keys of messages other than role, content, \
         tool_calls and name; each is counted."
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        let signals = vec![Field::new(GOLD_CALLS, DataType::Utf8, true)];
        let rows = RowBuilder::new(COLUMNS, signals, options)?;
        let report = ReportHandle::new(options);
        let (inputs, notes) = (inputs.to_vec(), report.clone());
        let mut seen = HashSet::new();
        let rollouts = std::iter::once_with(move || trials(&inputs)).flatten().map(move |trial| {
            let rollout = trial?.rollout(&notes)?;
            if seen.insert(rollout.rollout_id.clone()) {
                return Ok(rollout);
            }
            let message = "another trial has the same task and number";
            let hint = "import the files of different runs into different datasets";
            Err(BadRow::from(Error::data(rollout.place, message, hint)))
        });
        Ok(Imported::from_found(rollouts, rows, options, report))
    }
}

/// The trials of all files by task, then trial; failures first.
fn trials(inputs: &[Location]) -> Vec<Result<Trial>> {
    let mut trials = Vec::new();
    let mut failures = Vec::new();
    for input in inputs {
        match read(input) {
            Ok(array) => {
                let domain = domain(&array, input);
                for (row, value) in array.into_iter().enumerate() {
                    let place = Place::file(input.uri()).row(row as u64);
                    match Trial::new(place, &domain, value) {
                        Ok(trial) => trials.push(trial),
                        Err(error) => failures.push(Err(error)),
                    }
                }
            }
            Err(error) => failures.push(Err(error)),
        }
    }
    trials.sort_by(|a, b| a.key().cmp(&b.key()));
    failures.into_iter().chain(trials.into_iter().map(Ok)).collect()
}

/// The array in a file. A file that is none is of no use at all, so that is no matter of a row.
fn read(input: &Location) -> Result<Vec<Value>> {
    let hint = "give a file as tau-bench writes it: a JSON array of trials, whole and in UTF-8";
    json_file(input, "trials", hint)
}

/// One element of the array, with the parts that order and name it.
struct Trial {
    place: Place,
    domain: String,
    task: i64,
    trial: i64,
    fields: Map<String, Value>,
}

impl Trial {
    fn new(place: Place, domain: &str, value: Value) -> Result<Trial> {
        let Value::Object(fields) = value else {
            let found = format!("{} where a trial is expected", type_of(&value));
            return Err(Error::data(place, found, "a trial is a JSON object"));
        };
        let number = |key: &str| {
            fields.get(key).and_then(Value::as_i64).ok_or_else(|| {
                let found = fields.get(key).map_or("missing", type_of);
                let message = format!("{key} is {found}, not a whole number");
                let hint = "number the tasks and the trials of a task";
                Error::data(place.clone().column(key), message, hint)
            })
        };
        Ok(Trial {
            task: number("task_id")?,
            trial: number("trial")?,
            domain: domain.to_owned(),
            place,
            fields,
        })
    }

    fn key(&self) -> (&str, i64, i64) {
        (&self.domain, self.task, self.trial)
    }

    fn rollout(mut self, report: &ReportHandle) -> Result<Rollout> {
        let group_id = format!("{}-{}", self.domain, self.task);
        let rollout_id = format!("{group_id}-trial-{}", self.trial);
        let place = self.place.rollout(&rollout_id);
        let messages = match self.fields.remove("traj") {
            Some(Value::Array(messages)) => messages,
            other => {
                let found = other.as_ref().map_or("missing", type_of);
                let message = format!("traj is {found}, not an array of messages");
                let hint = "write the messages of the trial, or skip it";
                return Err(Error::data(place.column("traj"), message, hint));
            }
        };
        let mut chat = Chat::new(&messages, &place, report)?;
        let outcome = Outcome::new(&mut self.fields, &place)?;
        reward_at_the_end(&mut chat.steps, outcome.reward);
        let texts: Vec<&str> = chat.steps.iter().map(|step| step.text.as_str()).collect();
        let mut signals = Map::new();
        if let Some(gold) = gold_calls(&self.fields) {
            let actions = gold.iter().map(|(name, arguments)| canonical_call(name, arguments.clone()));
            self.fields.insert("gold_actions".to_owned(), actions.collect());
            let call = |(name, arguments): (String, Value)| json!({"name": name, "arguments": arguments});
            let calls: Value = gold.into_iter().map(call).collect();
            signals.insert(GOLD_CALLS.to_owned(), calls.to_string().into());
        }
        Ok(Rollout {
            group_id,
            rollout_id,
            status: outcome.status,
            prompt: (!messages.is_empty()).then_some(chat.prompt),
            response: (!texts.is_empty()).then(|| texts.join("\n")),
            reward: outcome.reward,
            reward_status: outcome.reward_status,
            signals,
            metadata: self.fields,
            steps: chat.steps,
            place,
            ..Rollout::default()
        })
    }
}

/// How a trial ended.
struct Outcome {
    status: &'static str,
    reward: Option<f64>,
    reward_status: Option<String>,
}

impl Outcome {
    /// Takes the reward out of a trial.
    fn new(fields: &mut Map<String, Value>, place: &Place) -> Result<Outcome> {
        let broken = |reason: String| Outcome { status: "error", reward: None, reward_status: Some(reason) };
        let written = fields.remove("reward");
        let info = fields.get("info").unwrap_or(&Value::Null);
        // tau-bench writes a reward of 0 for a trial that raised an exception.
        if let Some(error) = info.get("error").filter(|error| !error.is_null()) {
            let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
            return Ok(broken(format!("the trial failed: {error}")));
        }
        let reward = match written {
            None | Some(Value::Null) => return Ok(broken("the file has no reward".to_owned())),
            Some(written) => written.as_f64().ok_or_else(|| {
                let message = format!("reward is {}, not a number", type_of(&written));
                let hint = "write the reward as a number, or null where there is none";
                Error::data(place.clone().column("reward"), message, hint)
            })?,
        };
        // tau-bench fills `reward_info` when the conversation ends; a trial that reached the limit
        // of steps has none.
        let judged = info.get("reward_info").is_none_or(|reward_info| !reward_info.is_null());
        Ok(Outcome {
            status: if judged { "complete" } else { "truncated" },
            reward: Some(reward),
            reward_status: None,
        })
    }
}

/// The gold actions of a trial's task, each an object with `name` and `arguments`; `None` where the file does
/// not have them.
fn gold_calls(fields: &Map<String, Value>) -> Option<Vec<(String, Value)>> {
    let call = |action: &Value| {
        let name = action.get("name")?.as_str()?.to_owned();
        let mut arguments = action.get("kwargs").or_else(|| action.get("arguments"))?.clone();
        arguments.sort_all_objects();
        Some((name, arguments))
    };
    let actions = fields.get("info")?.get("task")?.get("actions")?.as_array()?;
    Some(actions.iter().filter_map(call).collect())
}

/// Domain of a file's tasks: as the title of a system prompt names it, else the file's name.
fn domain(trials: &[Value], input: &Location) -> String {
    let titled = trials.iter().find_map(|trial| {
        let prompt = trial.get("traj")?.get(0)?.get("content")?.as_str()?;
        let title = prompt.lines().next()?.to_lowercase();
        ["airline", "retail", "telecom"].into_iter().find(|domain| title.contains(domain))
    });
    let name = input.path().filename().unwrap_or("task");
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    titled.unwrap_or(stem).to_owned()
}
