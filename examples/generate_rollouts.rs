//! Writes the example dataset: multi-turn arithmetic with a calculator, played by a simulated policy.
//!
//! `cargo run --example generate_rollouts [path]` writes the same bytes every time: randomness is
//! counter-based, and every number is exact.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use meed_connectors::{Format, Location, write_batches};
use meed_operators::columns::Table;
use serde_json::{Value, json};

const SEED: u64 = 20_260_801;
const TASKS: u64 = 40;
/// A response with more tokens is cut off here.
const TOKEN_BUDGET: usize = 230;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1);
    let path = path.as_deref().unwrap_or("examples/rollouts/arithmetic.parquet");
    let rows: Vec<Value> = (0..TASKS).flat_map(group).collect();
    let schema = columns_of(&rows);
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(rows.len()).build_decoder()?;
    decoder.serialize(&rows)?;
    let batch = decoder.flush()?.ok_or("there are no rows")?;
    write_batches(&Location::parse(path)?, Format::Parquet, &schema, [Ok(batch)])?;
    Ok(())
}

/// The columns of `rollouts` that the rows have, in the order of the schema.
fn columns_of(rows: &[Value]) -> SchemaRef {
    let schema = Table::Rollouts.schema();
    let present = schema.fields().iter().filter(|field| rows.iter().any(|row| !row[field.name()].is_null()));
    Arc::new(Schema::new(present.cloned().collect::<Vec<_>>()))
}

/// Independent random numbers for one rollout: the n-th is a hash of the seed, the rollout and n.
struct Random {
    key: u64,
    drawn: u64,
}

impl Random {
    fn new(task: u64, member: u64) -> Self {
        Random { key: mix(mix(SEED ^ task) ^ member), drawn: 0 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        mix(self.key ^ self.drawn) % bound
    }
}

/// The finaliser of splitmix64.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const OPERATIONS: [char; 3] = ['*', '+', '-'];

fn calculate(a: i64, operation: char, b: i64) -> i64 {
    match operation {
        '*' => a * b,
        '+' => a + b,
        _ => a - b,
    }
}

/// A number and what to do with it, from left to right.
struct Task {
    start: i64,
    operations: Vec<(char, i64)>,
}

impl Task {
    fn new(task: u64) -> Self {
        let mut random = Random::new(task, u64::MAX);
        let start = 3 + random.below(47) as i64;
        let operations = (0..2 + random.below(2)).map(|_| {
            let operation = OPERATIONS[random.below(3) as usize];
            let largest = if operation == '*' { 9 } else { 90 };
            (operation, 2 + random.below(largest) as i64)
        });
        Task { start, operations: operations.collect() }
    }

    fn question(&self) -> String {
        let term = self.operations.iter().fold(self.start.to_string(), |term, (operation, b)| format!("({term} {operation} {b})"));
        let term = &term[1..term.len() - 1];
        format!("What is {term}? Use the calculator, one operation at a time.")
    }

    fn solution(&self) -> i64 {
        self.operations.iter().fold(self.start, |a, (operation, b)| calculate(a, *operation, *b))
    }
}

/// What makes a group special, so that the dataset has every case that recipes must handle.
struct Circumstances {
    members: u64,
    /// Chance in a hundred of each kind of mistake, at each operation.
    slips: u64,
    always_wrong: bool,
    /// The rollout whose calculator does not answer.
    broken: Option<u64>,
}

impl Circumstances {
    fn of(task: u64) -> Self {
        let usual = Circumstances { members: 6, slips: if iteration(task) == 0 { 11 } else { 6 }, always_wrong: false, broken: None };
        match task {
            4 => Circumstances { members: 1, ..usual },
            6 => Circumstances { broken: Some(3), ..usual },
            9 => Circumstances { slips: 0, ..usual },
            14 => Circumstances { always_wrong: true, ..usual },
            17 => Circumstances { members: 3, ..usual },
            26 => Circumstances { members: 8, ..usual },
            33 => Circumstances { members: 2, ..usual },
            _ => usual,
        }
    }
}

/// The policy of the second half has been trained on the first.
fn iteration(task: u64) -> u64 {
    task * 2 / TASKS
}

fn group(task: u64) -> Vec<Value> {
    (0..Circumstances::of(task).members).map(|member| rollout(task, member)).collect()
}

fn rollout(task: u64, member: u64) -> Value {
    let (circumstances, group) = (Circumstances::of(task), Task::new(task));
    let mut episode = Episode::new(Random::new(task, member));
    let answer = match circumstances.broken == Some(member) {
        true => episode.fail(&group),
        false => episode.play(&group, &circumstances),
    };
    let cut = episode.cut(TOKEN_BUDGET);
    let failed = circumstances.broken == Some(member);
    let status = if failed { "error" } else if cut { "truncated" } else { "complete" };
    let right = !cut && answer == Some(group.solution());
    let reward = if failed { Value::Null } else { json!(f64::from(u8::from(right))) };
    let group_id = format!("arithmetic-{task:02}");
    let question = group.question();
    let mut row = json!({
        "iteration": iteration(task),
        "group_id": group_id,
        "rollout_id": format!("{group_id}-{member}"),
        "status": status,
        "prompt": question,
        "reference": group.solution().to_string(),
        "reward": reward,
        "reward_status": if failed { json!("the calculator did not answer") } else { Value::Null },
        "prompt_ids": question.as_bytes(),
        "metadata": json!({"tool": "calculator", "operations": group.operations.len()}).to_string(),
    });
    episode.write(&mut row);
    row
}

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
struct Episode {
    random: Random,
    steps: Vec<Step>,
    seen: Vec<String>,
}

impl Episode {
    fn new(random: Random) -> Self {
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
        self.push("tool_call", Some(planned), format!("calculator({{\"expression\":\"{expression}\"}})"), unsure);
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
    fn play(&mut self, task: &Task, circumstances: &Circumstances) -> Option<i64> {
        let (mut result, mut before) = (task.start, task.start);
        for &(operation, operand) in &task.operations {
            let luck = self.random.below(100) / circumstances.slips.max(1);
            let slip = if circumstances.slips == 0 { 3 } else { luck };
            if slip == 2 {
                self.call(format!("I compute {result} {operation} {operand}. "), &format!("{result}x{operand}"), true);
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
            self.call(format!("{verb} {result} {tried} {number}. "), &format!("{result}{tried}{number}"), slip < 2);
            before = result;
            result = calculate(result, tried, number);
            self.observe(result.to_string());
        }
        let slip = self.random.below(100) < circumstances.slips;
        let wrong = if before == task.solution() { before + 10 } else { before };
        if slip || circumstances.always_wrong { self.answer(wrong, true) } else { self.answer(result, false) }
    }

    /// The calculator does not answer the first call.
    fn fail(&mut self, task: &Task) -> Option<i64> {
        if let Some((operation, operand)) = task.operations.first() {
            self.call(format!("I compute {} {operation} {operand}. ", task.start), &format!("{}{operation}{operand}", task.start), false);
        }
        None
    }

    /// Cuts the response off after so many tokens; false if it is not that long.
    fn cut(&mut self, budget: usize) -> bool {
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
    fn write(mut self, row: &mut Value) {
        let (mut response, mut mask, mut logprobs, mut entropies) = (String::new(), Vec::new(), Vec::new(), Vec::new());
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
