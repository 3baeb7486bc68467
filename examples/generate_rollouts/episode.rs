//! One rollout while it is played: steps of a policy that makes mistakes, and of a calculator.

use serde_json::{Value, json};

use crate::random::Random;
use crate::task::{Circumstances, Task, calculate};

/// One step: a span of tokens with one meaning.
struct Step {
    kind: &'static str,
    turn: i32,
    state: Option<String>,
    action: Option<String>,
    text: String,
    /// Taken off for a call that the calculator cannot read.
    penalty: f64,
    unsure: bool,
}

/// A rollout while it is played.
pub struct Episode {
    random: Random,
    steps: Vec<Step>,
    seen: Vec<String>,
}

impl Episode {
    pub fn new(random: Random) -> Self {
        Episode { random, steps: Vec::new(), seen: Vec::new() }
    }

    fn push(&mut self, kind: &'static str, state: Option<String>, text: String, unsure: bool) {
        let action = (kind == "tool_call").then(|| text.clone());
        let turn = self.steps.last().map_or(0, |last| last.turn + i32::from(last.kind == "observation"));
        self.steps.push(Step { kind, turn, state, action, text, penalty: 0.0, unsure });
    }

    /// What the policy has observed so far: equal in every rollout that got the same results.
    fn state(&self) -> String {
        format!("seen [{}]", self.seen.join(" "))
    }

    fn call(&mut self, thought: String, expression: &str, unsure: bool) {
        self.push("think", Some(self.state()), thought, unsure);
        let planned = format!("{}, planned", self.state());
        self.push(
            "tool_call",
            Some(planned),
            format!("calculator({{\"expression\":\"{expression}\"}})"),
            unsure,
        );
    }

    fn observe(&mut self, result: String) {
        self.push("observation", None, format!("{result}\n"), false);
        self.seen.push(result);
    }

    fn answer(&mut self, answer: i64, unsure: bool) -> Option<i64> {
        self.push("answer", Some(self.state()), format!("The answer is {answer}."), unsure);
        Some(answer)
    }

    /// Works through the task, with mistakes, and returns the answer.
    pub fn play(&mut self, task: &Task, circumstances: &Circumstances) -> Option<i64> {
        let (mut result, mut before) = (task.start, task.start);
        for &(operation, operand) in &task.operations {
            let luck = self.random.below(100) / circumstances.slips.max(1);
            let slip = if circumstances.slips == 0 { 3 } else { luck };
            if slip == 2 {
                self.call(
                    format!("I compute {result} {operation} {operand}. "),
                    &format!("{result}x{operand}"),
                    true,
                );
                if let Some(call) = self.steps.last_mut() {
                    call.penalty = 0.1;
                }
                self.observe("error: unknown operator x".to_owned());
            }
            let (tried, number) = match slip {
                0 => (if operation == '+' { '-' } else { '+' }, operand),
                1 => (operation, operand + 1),
                _ => (operation, operand),
            };
            let verb = if self.random.below(3) == 0 { "Next" } else { "I compute" };
            self.call(
                format!("{verb} {result} {tried} {number}. "),
                &format!("{result}{tried}{number}"),
                slip < 2,
            );
            before = result;
            result = calculate(result, tried, number);
            self.observe(result.to_string());
        }
        let slip = self.random.below(100) < circumstances.slips;
        let wrong = if before == task.solution() { before + 10 } else { before };
        if slip || circumstances.always_wrong { self.answer(wrong, true) } else { self.answer(result, false) }
    }

    /// The calculator does not answer the first call.
    pub fn fail(&mut self, task: &Task) -> Option<i64> {
        if let Some((operation, operand)) = task.operations.first() {
            self.call(
                format!("I compute {} {operation} {operand}. ", task.start),
                &format!("{}{operation}{operand}", task.start),
                false,
            );
        }
        None
    }

    /// Cuts the response off after so many tokens; false if it is not that long.
    pub fn cut(&mut self, budget: usize) -> bool {
        let mut left = budget;
        for index in 0..self.steps.len() {
            let step = &mut self.steps[index];
            if step.text.len() > left {
                step.text.truncate(left);
                step.action = None;
                // A call that was cut off has no result, and a result alone is not worth a step.
                let kept = index + usize::from(left > 0 && step.kind != "observation");
                self.steps.truncate(kept);
                return true;
            }
            left -= step.text.len();
        }
        false
    }

    /// Adds the columns of tokens and steps to a row.
    pub fn write(mut self, row: &mut Value) {
        let (mut response, mut mask, mut logprobs, mut entropies) =
            (String::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut ends, mut rewards) = (Vec::new(), Vec::new());
        let last = self.steps.len().saturating_sub(1);
        for (index, step) in self.steps.iter().enumerate() {
            let policy = step.kind != "observation";
            let outcome = if index == last { row["reward"].as_f64().unwrap_or(0.0) } else { 0.0 };
            for _ in step.text.bytes() {
                let (logprob, entropy) = token(&mut self.random, step);
                mask.push(policy);
                logprobs.push(policy.then_some(logprob));
                entropies.push(policy.then_some(entropy));
            }
            response.push_str(&step.text);
            ends.push(response.len());
            rewards.push(policy.then_some(outcome - step.penalty));
        }
        row["token_ids"] = json!(response.as_bytes());
        row["response"] = json!(response);
        row["token_mask"] = json!(mask);
        row["token_rollout_logprobs"] = json!(logprobs);
        row["token_entropies"] = json!(entropies);
        row["step_ends"] = json!(ends);
        row["step_rewards"] = if row["reward"].is_null() { Value::Null } else { json!(rewards) };
        let steps = |value: fn(&Step) -> Value| Value::Array(self.steps.iter().map(value).collect());
        row["step_kinds"] = steps(|step| json!(step.kind));
        row["step_turns"] = steps(|step| json!(step.turn));
        row["step_states"] = steps(|step| json!(step.state));
        row["step_actions"] = steps(|step| json!(step.action));
        row["step_texts"] = steps(|step| json!(step.text));
    }
}

/// A log-probability and an entropy in 64ths: mostly near 0, larger in thoughts and in mistakes.
fn token(random: &mut Random, step: &Step) -> (f64, f64) {
    let spread = if step.kind == "think" { 32 } else { 12 } + if step.unsure { 24 } else { 0 };
    let surprise = random.below(spread) * random.below(spread) / spread;
    let entropy = (surprise + random.below(spread)) / 2;
    (-(surprise as f64) / 64.0, entropy as f64 / 64.0)
}
