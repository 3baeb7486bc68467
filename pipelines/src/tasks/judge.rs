//! The verifier and the step oracle of a task as judges.

use async_trait::async_trait;
use meed_operators::columns::is_environment_kind;
use meed_operators::judge::{Failure, Judge, JudgeContext, Judged};
use meed_operators::sample::Prompt;
use serde_json::{Value, json};

use super::Task;

/// What a [`TaskJudge`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// Is the problem solved?
    Outcome,
    /// Was each step a good one?
    Steps,
}

/// A task as a judge of rollouts whose prompts it made.
///
/// A malformed response is wrong and scores 0. A prompt or reference that is not of the task is a
/// failure, and so is a rollout without the text of its turns.
#[derive(Debug, Clone, Copy)]
pub struct TaskJudge {
    task: &'static dyn Task,
    question: Question,
}

impl TaskJudge {
    /// The verifier: one score per rollout, 1 or 0, called `outcome`.
    pub fn outcome(task: &'static dyn Task) -> Self {
        TaskJudge { task, question: Question::Outcome }
    }

    /// The step oracle, where the task has one: a score per step, called `oracle`, which is 1 where the
    /// step was a good one, 0 where it was not, and null at steps of the environment.
    pub fn oracle(task: &'static dyn Task) -> Option<Self> {
        task.has_oracle().then_some(TaskJudge { task, question: Question::Steps })
    }
}

/// The steps of a rollout: texts of the policy's, and for each step whether it is the policy's.
struct Spoken {
    turns: Vec<String>,
    policy: Vec<bool>,
}

#[async_trait]
impl Judge for TaskJudge {
    fn name(&self) -> &str {
        match self.question {
            Question::Outcome => "outcome",
            Question::Steps => "oracle",
        }
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "task": self.task.name() })
    }

    fn level(&self) -> &str {
        match self.question {
            Question::Outcome => "rollout",
            Question::Steps => "step",
        }
    }

    fn reads(&self) -> Vec<String> {
        ["prompt", "reference", "metadata", "response", "step_kinds", "step_texts"]
            .map(str::to_owned)
            .to_vec()
    }

    async fn judge(&self, rollout: Judged<'_>, _context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let prompt = Prompt {
            group_id: String::new(),
            text: rollout.text("prompt")?.to_owned(),
            reference: rollout.optional_text("reference").map(str::to_owned),
            metadata: rollout.optional_text("metadata").map(str::to_owned),
        };
        let steps = self.steps(rollout)?;
        let turns: Vec<&str> = steps.turns.iter().map(String::as_str).collect();
        let broken = |error: meed_operators::Error| Failure::Error(error.to_string());
        match self.question {
            Question::Outcome => Ok(vec![Some(self.task.grade(&prompt, &turns).map_err(broken)?)]),
            Question::Steps => {
                let scores = self.task.step_scores(&prompt, &turns).map_err(broken)?;
                let scores = scores.ok_or_else(|| missing("an oracle of this task"))?;
                let mut scores = scores.into_iter();
                Ok(steps.policy.iter().map(|policy| if *policy { scores.next() } else { None }).collect())
            }
        }
    }
}

impl TaskJudge {
    /// The steps, or the response as the only one where a task has a single turn.
    fn steps(&self, rollout: Judged<'_>) -> Result<Spoken, Failure> {
        let (Ok(kinds), Ok(texts)) = (rollout.texts("step_kinds"), rollout.texts("step_texts")) else {
            let response = rollout.text("response")?.to_owned();
            let single = self.task.limits(self.task.difficulty().default).max_turns == 1;
            return if single {
                Ok(Spoken { turns: vec![response], policy: vec![true] })
            } else {
                Err(missing("step_texts"))
            };
        };
        let policy: Vec<bool> = kinds
            .iter()
            .map(|kind| kind.as_deref().map(|kind| !is_environment_kind(kind)))
            .collect::<Option<_>>()
            .ok_or_else(|| missing("a kind in step_kinds"))?;
        let said = texts.into_iter().zip(&policy).filter(|(_, policy)| **policy).map(|(text, _)| text);
        let turns = said.collect::<Option<_>>().ok_or_else(|| missing("a text in step_texts"))?;
        Ok(Spoken { turns, policy })
    }
}

fn missing(what: &str) -> Failure {
    Failure::Missing(format!("{what} is absent"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder};
    use futures::executor::block_on;

    use super::*;
    use crate::tasks::{ARITHMETIC, CALCULATOR};

    fn scores(
        prompts: Vec<Option<&str>>,
        responses: Vec<Option<&str>>,
    ) -> Vec<Result<Vec<Option<f64>>, Failure>> {
        let batch = RecordBatch::try_from_iter([
            ("prompt", Arc::new(StringArray::from(prompts)) as ArrayRef),
            ("response", Arc::new(StringArray::from(responses))),
        ])
        .unwrap();
        let judge = TaskJudge::outcome(&ARITHMETIC);
        let context = JudgeContext::default();
        (0..batch.num_rows())
            .map(|row| block_on(judge.judge(Judged { batch: &batch, row }, &context)))
            .collect()
    }

    #[test]
    fn wrong_is_zero_and_unknown_is_a_failure() {
        let asked = Some("86=");
        let given = scores(
            vec![asked, asked, asked, asked, None, Some("86")],
            vec![Some("14"), Some("41"), Some(""), None, Some("14"), Some("14")],
        );
        assert_eq!(given[..3], [Ok(vec![Some(1.0)]), Ok(vec![Some(0.0)]), Ok(vec![Some(0.0)])]);
        assert!(matches!(&given[3], Err(Failure::Missing(what)) if what.contains("response")));
        assert!(matches!(&given[4], Err(Failure::Missing(what)) if what.contains("prompt")));
        assert!(matches!(&given[5], Err(Failure::Error(what)) if what.contains("86")));
    }

    fn lists(rows: Vec<Vec<Option<&str>>>) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in rows {
            row.into_iter().for_each(|text| lists.values().append_option(text));
            lists.append(true);
        }
        Arc::new(lists.finish())
    }

    #[test]
    fn turns_are_the_policy_s_steps() {
        let kinds =
            vec![Some("policy"), Some("observation"), Some("policy"), Some("observation"), Some("policy")];
        let said =
            |turns: [Option<&'static str>; 3]| vec![turns[0], Some("5;"), turns[1], Some("12;"), turns[2]];
        let batch = RecordBatch::try_from_iter([
            ("prompt", Arc::new(StringArray::from(vec!["2+3*4="; 3])) as ArrayRef),
            ("step_kinds", lists(vec![kinds; 3])),
            (
                "step_texts",
                lists(vec![
                    said([Some("<2+3>"), Some("<3*4>"), Some("14")]),
                    said([Some("<3*4>"), Some("<2+12>"), Some("12")]),
                    said([Some("<3*4>"), None, Some("14")]),
                ]),
            ),
        ])
        .unwrap();
        let ask = |judge: TaskJudge, row: usize| {
            block_on(judge.judge(Judged { batch: &batch, row }, &JudgeContext::default()))
        };
        let (outcome, oracle) = (TaskJudge::outcome(&CALCULATOR), TaskJudge::oracle(&CALCULATOR).unwrap());
        assert_eq!(ask(outcome, 0), Ok(vec![Some(1.0)]));
        assert_eq!(ask(oracle, 0), Ok(vec![Some(0.0), None, Some(1.0), None, Some(1.0)]));
        assert_eq!(ask(outcome, 1), Ok(vec![Some(0.0)]));
        assert_eq!(ask(oracle, 1), Ok(vec![Some(1.0), None, Some(1.0), None, Some(0.0)]));
        assert!(matches!(ask(outcome, 2), Err(Failure::Missing(what)) if what.contains("step_texts")));
    }

    #[test]
    fn no_oracle_where_the_task_has_none() {
        assert!(TaskJudge::oracle(&ARITHMETIC).is_none());
    }
}
