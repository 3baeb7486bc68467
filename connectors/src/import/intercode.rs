//! Results of InterCode: an agent that works on a task by commands, each of which is graded.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Field};
use meed_operators::columns::list_of;
use meed_operators::{Error, Place, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::course::Course;
use super::imported::{BadRow, Imported, ReportHandle};
use super::json_file::{json_file, shaped};
use super::{ImportOptions, Importer, Rollout, RowBuilder, Step};
use crate::store::Location;

/// Reads the JSON that InterCode writes, one file a model: an object with an episode per task, each with
/// its `turn_history` and `summary`. All files are held in memory, because those of several models have
/// the same tasks.
///
/// A task is a group, `ic_sql-7` after its environment and number. An episode is the rollout
/// `ic_sql-7/gpt4`; the model is what the file's name has beside InterCode's own words, so
/// `ic_sql_multiturn_gpt-4_10_turns.json` is `gpt-4`; it is the column `model` too.
///
/// A turn is the command (`tool_call`) and what it showed (`observation`). `step_rewards` has the grade of
/// the turn at the command, and `turn_rewards` has the same once a turn: how good what it showed was as an answer, and no increment over the turn
/// before. `step_action_valid` says whether the command could be run; `step_states` is a hash of what the
/// agent has seen before the step.
///
/// `reward` is `max_reward` of the summary, the best grade, by which InterCode counts success; in a few
/// episodes a later turn is worse. An episode that used all turns without success is `truncated`.
pub struct InterCode;

const VALID: &str = "step_action_valid";
const GRADES: &str = "turn_rewards";

const COLUMNS: &[&str] =
    &["reward_status", "step_turns", "step_states", "step_actions", "step_rewards", "metadata"];

impl Importer for InterCode {
    fn name(&self) -> &'static str {
        "intercode"
    }

    fn reads(&self) -> &'static str {
        "JSON of InterCode: a file per model with the graded turns of every task"
    }

    fn describe(&self) -> &'static str {
        "A task is a group and each model's episode a rollout; a turn is a command and what it showed; \
         step_rewards and turn_rewards have the grade of each turn, which is no increment, and reward the best one, \
         `max_reward`; step_action_valid says whether the command ran, step_states tells what was seen. \
         Episodes that used all turns without success are truncated."
    }

    fn leaves_out(&self) -> &'static str {
        "nothing; what has no column is in the metadata. The gold command and the thoughts of the model are \
         not in these files."
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        let signals = vec![
            Field::new("model", DataType::Utf8, false),
            Field::new(VALID, list_of(DataType::Boolean), true),
            Field::new(GRADES, list_of(DataType::Float64), true),
        ];
        let rows = RowBuilder::new(COLUMNS, signals, options)?;
        let inputs = inputs.to_vec();
        let mut seen = HashSet::new();
        let rollouts = std::iter::once_with(move || episodes(&inputs)).flatten().map(move |episode| {
            let rollout = episode.and_then(Episode::rollout)?;
            if seen.insert(rollout.rollout_id.clone()) {
                return Ok(rollout);
            }
            let message = "another episode has the same task and model";
            let hint = "name each file after its model, or import them into different datasets";
            Err(BadRow::from(Error::data(rollout.place, message, hint)))
        });
        Ok(Imported::from_found(rollouts, rows, options, ReportHandle::new(options)))
    }
}

const HINT: &str =
    "give a file as InterCode writes it: a JSON object with the `turn_history` and `summary` of every task";

/// An episode with its model.
struct Episode {
    place: Place,
    model: String,
    log: Log,
}

/// An episode as the file has it.
#[derive(Deserialize)]
struct Log {
    environment: String,
    task_id: i64,
    query: String,
    turn_history: Turns,
    summary: Summary,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Turns {
    actions: Vec<String>,
    observations: Vec<Value>,
    rewards: Vec<Option<f64>>,
    valid_action: Vec<Option<bool>>,
}

#[derive(Deserialize)]
struct Summary {
    max_reward: Option<f64>,
    turns_max: Option<usize>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The episodes of all files by task, then in the order of the files; failures first.
fn episodes(inputs: &[Location]) -> Vec<Result<Episode>> {
    let (mut episodes, mut failures) = (Vec::new(), Vec::new());
    for input in inputs {
        let logs: Map<String, Value> = match json_file(input, "episodes", HINT) {
            Ok(logs) => logs,
            Err(error) => {
                failures.push(Err(error));
                continue;
            }
        };
        let model = model(input.path().filename().unwrap_or("model"));
        for (row, (_, log)) in logs.into_iter().enumerate() {
            let place = Place::file(input.uri()).row(row as u64);
            match shaped::<Log>(log, &place, "an episode", HINT) {
                Ok(log) => episodes.push(Episode { place, model: model.clone(), log }),
                Err(error) => failures.push(Err(error)),
            }
        }
    }
    let key = |episode: &Episode| (episode.log.environment.clone(), episode.log.task_id);
    episodes.sort_by_key(key);
    failures.into_iter().chain(episodes.into_iter().map(Ok)).collect()
}

/// What a file's name has beside the words of InterCode; all of it, where nothing else is there.
fn model(file: &str) -> String {
    const WORDS: [&str; 8] = ["intercode", "ic", "sql", "bash", "python", "ctf", "multiturn", "turns"];
    let name = file.strip_suffix(".json").unwrap_or(file);
    let own = |word: &&str| !WORDS.contains(word) && word.parse::<u64>().is_err();
    let words: Vec<&str> = name.split('_').filter(own).collect();
    if words.is_empty() { name.to_owned() } else { words.join("_") }
}

impl Episode {
    fn rollout(self) -> Result<Rollout> {
        let Episode { place, model, log } = self;
        let group_id = format!("{}-{}", log.environment, log.task_id);
        let rollout_id = format!("{group_id}/{model}");
        let place = place.rollout(&rollout_id);
        let turns = log.turn_history;
        let counts = [turns.observations.len(), turns.rewards.len(), turns.valid_action.len()];
        if counts.iter().any(|count| *count != turns.actions.len()) {
            let message = format!(
                "the history has {} actions, {} observations, {} rewards and {} marks of validity",
                turns.actions.len(),
                counts[0],
                counts[1],
                counts[2]
            );
            return Err(Error::data(place.column("turn_history"), message, HINT));
        }
        let taken = turns.actions.len();
        let signals = [("model", model.into()), (GRADES, turns.rewards.iter().copied().collect())];
        let signals = signals.map(|(name, value): (&str, Value)| (name.to_owned(), value));
        let mut course = Course::default();
        course.show("user", &log.query);
        let results = turns.observations.into_iter().zip(turns.rewards).zip(turns.valid_action);
        for (action, ((observed, reward), valid)) in turns.actions.into_iter().zip(results) {
            let canonical = Some(action.trim().to_owned()).filter(|action| !action.is_empty());
            let mut step = Step { action: canonical, reward, ..Step::new("tool_call", action) };
            step.signals.insert(VALID.to_owned(), valid.into());
            course.push(step);
            let text = observed.as_str().map_or_else(|| observed.to_string(), str::to_owned);
            course.push(Step::new("observation", text));
        }
        let reward = log.summary.max_reward;
        let success = reward.is_some_and(|reward| reward >= 1.0);
        let ran_out = log.summary.turns_max.is_some_and(|most| taken >= most);
        let status = match reward {
            None => "error",
            Some(_) if ran_out && !success => "truncated",
            Some(_) => "complete",
        };
        let mut metadata = log.rest;
        let mut summary = log.summary.rest;
        summary.insert("turns_max".to_owned(), log.summary.turns_max.into());
        metadata.insert("summary".to_owned(), summary.into());
        let texts: Vec<&str> = course.steps.iter().map(|step| step.text.as_str()).collect();
        Ok(Rollout {
            group_id,
            rollout_id,
            status,
            prompt: Some(log.query),
            response: Some(texts.join("\n")),
            reward,
            reward_status: reward.is_none().then(|| "the file has no max_reward".to_owned()),
            signals: Map::from_iter(signals),
            metadata,
            steps: course.steps,
            place,
            ..Rollout::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::model;

    #[test]
    fn models_by_the_names_of_files() {
        for (file, name) in [
            ("ic_sql_multiturn_gpt-4_10_turns.json", "gpt-4"),
            ("intercode_sql_gpt35.json", "gpt35"),
            ("ic_sql.json", "ic_sql"),
        ] {
            assert_eq!(model(file), name);
        }
    }
}
