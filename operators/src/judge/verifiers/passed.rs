//! `passed`: which unit tests the response's table of outputs passes.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Table;
use crate::credit::{STEP, TURN};
use crate::judge::{Failure, Judge, JudgeContext, Judged};
use crate::{Error, Result};

/// Per unit test: 1 where the table that the response gives has the test's output for its input, else
/// 0; no program is run. The signal is `test_passed`, or per turn `turn_test_passed`.
///
/// Tests are the columns `test_inputs` and `test_outputs`, or else the list `tests` in `metadata` of
/// objects with `input` and `output`. The table is that of `response`, or per turn that of the
/// policy's `step_texts` in the turn; see [`Table`] for its form.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    per_turn: bool,
}

impl Passed {
    /// A judge at level `test` or `turn.test`.
    ///
    /// # Errors
    /// Another level.
    pub fn new(level: &str) -> Result<Self> {
        match level {
            "test" => Ok(Passed { per_turn: false }),
            "turn.test" => Ok(Passed { per_turn: true }),
            other => Err(Error::usage(
                format!("tests are not passed at level {other}"),
                "the levels are test and turn.test",
            )),
        }
    }
}

#[async_trait]
impl Judge for Passed {
    fn name(&self) -> &str {
        "passed"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "level": self.level() })
    }

    fn level(&self) -> &str {
        if self.per_turn { "turn.test" } else { "test" }
    }

    fn reads(&self) -> Vec<String> {
        let texts: &[&str] = match self.per_turn {
            true => &["step_texts", "step_kinds", "step_turns", "step_ends", "token_mask"],
            false => &["response"],
        };
        texts.iter().chain(&["test_inputs", "test_outputs", "metadata"]).map(|name| (*name).into()).collect()
    }

    async fn judge(
        &self,
        rollout: Judged<'_>,
        _: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure> {
        let tests = tests(rollout)?;
        let passed = |table: &Table| -> Vec<Option<f64>> {
            tests.iter().map(|(input, output)| Some(f64::from(table.gives(input, output)))).collect()
        };
        if !self.per_turn {
            return Ok(passed(&Table::of(rollout.text("response")?)));
        }
        Ok(turn_texts(rollout)?.iter().flat_map(|text| passed(&Table::of(text))).collect())
    }
}

/// Inputs and outputs.
fn tests(rollout: Judged<'_>) -> std::result::Result<Vec<(String, String)>, Failure> {
    if let (Ok(inputs), Ok(outputs)) = (rollout.texts("test_inputs"), rollout.texts("test_outputs")) {
        let known = inputs.into_iter().zip(outputs).map(|(input, output)| input.zip(output));
        return known.collect::<Option<_>>().ok_or_else(|| Failure::Missing("a test is null".to_owned()));
    }
    let metadata = rollout.json("metadata")?;
    let absent =
        || Failure::Missing("metadata has no list `tests` of objects with input and output".to_owned());
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let tests = metadata["tests"].as_array().ok_or_else(absent)?;
    let tests = tests.iter().map(|test| text(&test["input"]).zip(text(&test["output"])));
    tests.collect::<Option<_>>().ok_or_else(absent)
}

/// What the policy said in each turn.
fn turn_texts(rollout: Judged<'_>) -> std::result::Result<Vec<String>, Failure> {
    let said = rollout.policy_texts()?;
    let unit = rollout.unit()?;
    let turns = unit.ranges(&TURN, &STEP).map_err(|error| Failure::Missing(error.to_string()))?;
    Ok(turns.iter().map(|&(first, past)| said[first..past].iter().flatten().cloned().collect()).collect())
}
