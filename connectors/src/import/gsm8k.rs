//! Model solutions of grade-school problems, one problem a line.

use arrow::datatypes::{DataType, Field};
use meed_operators::columns::list_of;
use meed_operators::judge::verifiers::calculations_correct;
use meed_operators::{Error, Place, Result};
use serde_json::{Map, Value};

use super::imported::{BadRow, Imported, ReportHandle};
use super::lines::{Line, Lines, type_of};
use super::{ImportOptions, Importer, Rollout, RowBuilder, Step};
use crate::store::Location;

/// Reads `example_model_solutions.jsonl` of grade-school-math and files like it: objects with
/// `question`, `ground_truth`, and a solution per model.
///
/// A problem is a group, called `gsm8k-0007` after its line (from 0; lines of further files count
/// on), and each model's solution is a rollout, called `gsm8k-0007/<model>`. Steps are the lines of
/// the solution with their line breaks, so that they add up to `response`; a blank line belongs to
/// the step before it. `reward` is 1 if `is_correct`, else 0; `reference` is the last answer of the
/// ground truth. Two signals come on top: `model`, and `step_calculations_correct`, which is 1 where
/// all annotated calculations (`<<16-3-4=9>>`) of the step are right, 0 where one is wrong, and null
/// where there is none or none that is plain arithmetic.
pub struct Gsm8k;

const CALCULATIONS: &str = "step_calculations_correct";

const COLUMNS: &[&str] = &["reference", "metadata"];

impl Importer for Gsm8k {
    fn name(&self) -> &'static str {
        "gsm8k"
    }

    fn reads(&self) -> &'static str {
        "JSON Lines of grade-school-math: a question, its ground truth, and a solution per model"
    }

    fn describe(&self) -> &'static str {
        "The solutions of a problem are a group, named by model; one line is one step; the reward \
         is 1 if is_correct, else 0; step_calculations_correct checks the annotated calculations."
    }

    fn leaves_out(&self) -> &'static str {
        "nothing; what has no column is in the metadata."
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        let signals = vec![
            Field::new("model", DataType::Utf8, false),
            Field::new(CALCULATIONS, list_of(DataType::Float64), true),
        ];
        let rows = RowBuilder::new(COLUMNS, signals, options)?;
        let rollouts = Lines::new(inputs).flat_map(|line| match line {
            Ok(line) => group(line),
            Err(bad) => vec![Err(bad)],
        });
        Ok(Imported::from_found(rollouts, rows, options, ReportHandle::new(options)))
    }
}

/// The rollouts of one problem, one per model, in the order of the line.
fn group(line: Line) -> Vec<Result<Rollout, BadRow>> {
    let problem = match Problem::new(line) {
        Ok(problem) => problem,
        Err(error) => return vec![Err(error.into())],
    };
    let rollouts = problem.solutions.iter().map(|solution| problem.rollout(solution));
    rollouts.map(|rollout| rollout.map_err(BadRow::from)).collect()
}

struct Problem {
    place: Place,
    group_id: String,
    question: String,
    ground_truth: String,
    solutions: Vec<(String, Map<String, Value>)>,
    /// Keys of the line that are neither the question, the ground truth nor a solution.
    rest: Map<String, Value>,
}

impl Problem {
    fn new(line: Line) -> Result<Problem> {
        let Line { place, index, object } = line;
        let mut rest = Map::new();
        let mut solutions = Vec::new();
        for (key, value) in object {
            match value {
                Value::Object(solution)
                    if solution.contains_key("solution") || solution.contains_key("is_correct") =>
                {
                    solutions.push((key, solution));
                }
                value => {
                    rest.insert(key, value);
                }
            }
        }
        let problem = Problem {
            group_id: format!("gsm8k-{index:04}"),
            question: take_text(&mut rest, "question", &place)?,
            ground_truth: take_text(&mut rest, "ground_truth", &place)?,
            solutions,
            rest,
            place,
        };
        if problem.solutions.is_empty() {
            return Err(Error::data(
                problem.place,
                "the line has no solution of a model",
                "each model needs an object with `solution` and `is_correct`",
            ));
        }
        Ok(problem)
    }

    fn rollout(&self, (model, solution): &(String, Map<String, Value>)) -> Result<Rollout> {
        let rollout_id = format!("{}/{model}", self.group_id);
        let place = self.place.clone().rollout(&rollout_id);
        let mut rest = solution.clone();
        let response = take_text(&mut rest, "solution", &place)?;
        let reward = match rest.remove("is_correct") {
            Some(Value::Bool(is_correct)) => f64::from(is_correct),
            other => {
                let found = other.as_ref().map_or("missing", type_of);
                return Err(Error::data(
                    place.column("is_correct"),
                    format!("is_correct is {found}, so there is no reward"),
                    "write true or false, or skip the rollout",
                ));
            }
        };
        let mut metadata = self.rest.clone();
        metadata.insert("ground_truth".to_owned(), self.ground_truth.clone().into());
        metadata.extend(rest);
        Ok(Rollout {
            place,
            rollout_id,
            group_id: self.group_id.clone(),
            status: "complete",
            prompt: Some(self.question.clone()),
            reference: answer(&self.ground_truth),
            reward: Some(reward),
            steps: steps(&response),
            response: Some(response),
            signals: Map::from_iter([("model".to_owned(), model.as_str().into())]),
            metadata,
            ..Rollout::default()
        })
    }
}

/// The final answer of a ground truth: what follows `####` or `A:` on its last line.
fn answer(ground_truth: &str) -> Option<String> {
    let last = ground_truth.trim_end().lines().last()?.trim_start();
    let answer = last.strip_prefix("####").or_else(|| last.strip_prefix("A:"))?;
    Some(answer.trim().to_owned())
}

/// One step a line; blank lines go with the line before them.
fn steps(solution: &str) -> Vec<Step> {
    let mut texts: Vec<String> = Vec::new();
    for line in solution.split_inclusive('\n') {
        match texts.last_mut() {
            Some(text) if line.trim().is_empty() || text.trim().is_empty() => text.push_str(line),
            _ => texts.push(line.to_owned()),
        }
    }
    let step = |text: String| {
        let mut step = Step::new("policy", text);
        if let Some(correct) = calculations_correct(&step.text) {
            step.signals.insert(CALCULATIONS.to_owned(), f64::from(correct).into());
        }
        step
    };
    texts.into_iter().map(step).collect()
}

fn take_text(object: &mut Map<String, Value>, key: &str, place: &Place) -> Result<String> {
    match object.remove(key) {
        Some(Value::String(text)) => Ok(text),
        other => {
            let found = other.as_ref().map_or("missing", type_of);
            Err(Error::data(
                place.clone().column(key),
                format!("{key} is {found}, not text"),
                "write it as a JSON string, or skip the row",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{answer, steps};

    #[test]
    fn steps_add_up_to_the_solution() {
        for (solution, count) in [("a\nb", 2), ("a\n\nb\n", 2), ("\n\na", 1), ("", 0), ("\n", 1)] {
            let steps = steps(solution);
            assert_eq!(steps.len(), count, "{solution:?}");
            let texts: String = steps.into_iter().map(|step| step.text).collect();
            assert_eq!(texts, solution);
        }
    }

    #[test]
    fn answers_of_both_notations() {
        assert_eq!(answer("so\nA: 70,000\n").as_deref(), Some("70,000"));
        assert_eq!(answer("so\n#### 18").as_deref(), Some("18"));
        assert_eq!(answer("so 18"), None);
        assert_eq!(answer(""), None);
    }
}
