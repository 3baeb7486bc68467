//! Tool calls of a rollout matched with the gold calls of its task.

mod assignment;
mod call;
mod gold_calls;

pub use assignment::{Assignment, LEAST_REGULARISATION};
pub use call::ToolCall;
pub use gold_calls::GoldCalls;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use super::texts::{Texts, text_column};
use crate::columns::list_of;
use crate::credit::{STEP, TURN, Unit};
use crate::{Error, Result};

/// Adds the level `call`, the calls that a rollout makes in order: `call_rewards`, what each earns by its
/// match among the gold calls, and `call_turns`, the turn in which it was made.
///
/// Calls are read from `step_actions` of policy steps (see [`ToolCall::read`]); what is no call on a step of
/// the kind `tool_call` is a call that matches nothing, and a text on any other step none at all.
/// `gold_calls` is a JSON list of calls. A rollout without actions or gold calls (null) has no calls; one
/// with an empty list of gold calls has calls that match nothing.
#[derive(Debug, Clone)]
pub struct MatchCalls {
    /// How calls are assigned to gold calls.
    pub assignment: Assignment,
    /// What a call earns that matches none.
    pub unmatched: f64,
}

const ACTIONS: &str = "step_actions";
const GOLD_CALLS: &str = "gold_calls";

impl AddSignals for MatchCalls {
    fn name(&self) -> &str {
        "match_calls"
    }

    fn reads(&self) -> Vec<String> {
        [ACTIONS, GOLD_CALLS].map(str::to_owned).into()
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("call_rewards", list_of(DataType::Float64), true),
            Field::new("call_turns", list_of(DataType::Int64), true),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let actions = Texts::new(unit, self.name(), ACTIONS)?;
        let gold = text_column(unit, self.name(), GOLD_CALLS)?;
        let (steps, turns, policy) = (unit.extent(&STEP)?, unit.extent(&TURN)?, unit.policy_steps()?);
        let kinds =
            unit.list("step_kinds").map(|_| Texts::new(unit, self.name(), "step_kinds")).transpose()?;
        let field = |inner| Arc::new(Field::new("element", inner, true));
        let mut rewards = ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        let mut of_turns = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        for row in 0..unit.rows() {
            let known = actions.row(row).filter(|_| gold.is_valid(row));
            if let Some(actions) = &known {
                let wanted = ToolCall::read(gold.value(row)).ok_or_else(|| {
                    let place = unit.place(row, GOLD_CALLS);
                    Error::data(
                        place,
                        "is no list of calls",
                        r#"write [{"name": ..., "arguments": {...}}, ...]"#,
                    )
                })?;
                let kinds = kinds.as_ref().and_then(|kinds| kinds.row(row)).unwrap_or_default();
                let mut similarities = Vec::new();
                for turn in turns.rows[row]..turns.rows[row + 1] {
                    let (first, past) = turns.parts.as_ref().map_or((0, 0), |parts| parts[turn]);
                    for step in (first..past).filter(|&step| policy[step]) {
                        let at = step - steps.rows[row];
                        let is_call = kinds.get(at).copied().flatten() == Some("tool_call");
                        for call in calls_of(actions.get(at).copied().flatten(), is_call) {
                            let similarity = |gold| call.as_ref().map_or(0.0, |call| call.similarity(gold));
                            similarities.push(wanted.iter().map(similarity).collect::<Vec<f64>>());
                            of_turns.values().append_value((turn - turns.rows[row]) as i64);
                        }
                    }
                }
                rewards.values().append_slice(&self.assignment.rewards(&similarities, self.unmatched));
            }
            rewards.append(known.is_some());
            of_turns.append(known.is_some());
        }
        Ok(vec![Arc::new(rewards.finish()), Arc::new(of_turns.finish())])
    }
}

/// The calls of a step; `None` among them for one that cannot be read.
fn calls_of(action: Option<&str>, is_call: bool) -> Vec<Option<ToolCall>> {
    match action.map(ToolCall::read) {
        Some(Some(calls)) => calls.into_iter().map(Some).collect(),
        Some(None) if is_call => vec![None],
        _ => Vec::new(),
    }
}
