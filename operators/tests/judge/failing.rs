//! A judge that hangs, errs, panics or answers nonsense: the batch completes, with typed nulls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use async_trait::async_trait;
use meed_operators::judge::{Failure, Judge, JudgeContext, Judged, Judges};
use meed_operators::random::RandomKey;
use rand::RngCore;

use super::rollouts::{block_on, rollouts};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Fine,
    Hangs,
    Errs,
    Panics,
    Nonsense(usize),
}

/// Fails on a fifth of the rollouts, which depend on their ids alone. Never answers 0.
struct Unreliable {
    name: &'static str,
    level: &'static str,
    blocks: bool,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Unreliable {
    fn new(name: &'static str, level: &'static str, blocks: bool) -> Arc<Self> {
        Arc::new(Unreliable { name, level, blocks, running: 0.into(), most: 0.into() })
    }

    fn fate(&self, rollout: &str) -> Fate {
        let draw = RandomKey::new(5, 0, self.name, rollout).at(0).next_u64();
        match draw % 25 {
            0 => Fate::Hangs,
            1 => Fate::Errs,
            2 => Fate::Panics,
            3 => Fate::Nonsense(draw as usize / 25 % 4),
            4 => Fate::Nonsense(draw as usize / 25 % 4),
            _ => Fate::Fine,
        }
    }
}

#[async_trait]
impl Judge for Unreliable {
    fn name(&self) -> &str {
        self.name
    }

    fn version(&self) -> &str {
        "1"
    }

    fn level(&self) -> &str {
        self.level
    }

    fn reads(&self) -> Vec<String> {
        vec!["response".into()]
    }

    fn blocks(&self) -> bool {
        self.blocks
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        let id = rollout.text("rollout_id")?;
        // Calls end in another order than they begin.
        let pause = Duration::from_micros(RandomKey::new(9, 0, "", id).at(0).next_u64() % 2000);
        match self.blocks {
            true => std::thread::sleep(pause),
            false => tokio::time::sleep(pause).await,
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        let elements = rollout.elements(&self.level.into())?;
        match self.fate(id) {
            Fate::Fine => Ok(vec![Some(rollout.row as f64 + 1.0); elements]),
            Fate::Hangs if self.blocks => {
                std::thread::sleep(Duration::from_secs(600));
                Ok(vec![Some(1.0); elements])
            }
            Fate::Hangs => std::future::pending().await,
            Fate::Errs => Err(Failure::Error("the service said 503".into())),
            // A panic without the message that tests would print.
            Fate::Panics => std::panic::resume_unwind(Box::new("index out of bounds")),
            Fate::Nonsense(0) => Ok(vec![Some(f64::NAN); elements]),
            Fate::Nonsense(1) => Ok(vec![Some(f64::INFINITY); elements]),
            Fate::Nonsense(2) => Ok(vec![Some(1.0); elements + 1]),
            Fate::Nonsense(_) => Ok(Vec::new()),
        }
    }
}

fn expected(fate: Fate) -> (&'static str, &'static str) {
    match fate {
        Fate::Fine => ("ok", ""),
        Fate::Hangs => ("timeout", "no answer within 3 s"),
        Fate::Errs => ("error", "the service said 503"),
        Fate::Panics => ("error", "the judge panicked: index out of bounds"),
        Fate::Nonsense(0) => ("invalid", "score 0 is NaN"),
        Fate::Nonsense(1) => ("invalid", "score 0 is inf"),
        Fate::Nonsense(_) => ("invalid", "scores where there should be"),
    }
}

#[test]
fn every_failure_is_a_typed_null_and_nothing_is_zero() {
    let batch = rollouts(200);
    let judges = [
        Unreliable::new("outcome", "rollout", false),
        Unreliable::new("process", "step", false),
        Unreliable::new("slow", "token", true),
    ];
    let all = Judges::new(judges.iter().map(|judge| judge.clone() as Arc<dyn Judge>).collect()).unwrap();
    let all = all.concurrency(64).deadline(Duration::from_secs(3)).reward("outcome").unwrap();
    let began = Instant::now();
    let judged = block_on(all.judge(batch.clone(), &JudgeContext::default())).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "hanging judges held the batch up");

    // The scores table: canonical order, one row per failure, never a 0.
    let scores = &judged.scores;
    let (ids, names) = (scores["rollout_id"].as_string::<i32>(), scores["judge"].as_string::<i32>());
    let (statuses, reasons) = (scores["status"].as_string::<i32>(), scores["reason"].as_string::<i32>());
    let values = scores["score"].as_primitive::<Float64Type>();
    let mut order = Vec::new();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for row in 0..scores.num_rows() {
        let judge = judges.iter().position(|judge| judge.name == names.value(row)).unwrap();
        let rollout: usize = ids.value(row)[1..].parse().unwrap();
        order.push((rollout, judge));
        let (status, reason) = expected(judges[judge].fate(ids.value(row)));
        assert_eq!(statuses.value(row), status, "{} {}", ids.value(row), names.value(row));
        *kinds.entry(status).or_default() += 1;
        match status {
            "ok" => assert_eq!(values.value(row), rollout as f64 + 1.0),
            _ => {
                assert!(values.is_null(row) && scores["index"].is_null(row));
                assert!(reasons.value(row).contains(reason), "{}", reasons.value(row));
            }
        }
    }
    assert!(order.is_sorted());
    order.dedup();
    assert_eq!(order.len(), 600, "every judge has an answer on every rollout");
    let failures: usize = kinds.iter().filter(|(kind, _)| **kind != "ok").map(|(_, count)| count).sum();
    assert!((90..150).contains(&failures), "a fifth of 600 calls: {kinds:?}");
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), ["error", "invalid", "ok", "timeout"]);

    // The signals.
    let rollouts = &judged.rollouts;
    let (outcome, reward) =
        (rollouts["outcome"].as_primitive::<Float64Type>(), rollouts["reward"].as_primitive::<Float64Type>());
    let why = rollouts["reward_status"].as_string::<i32>();
    let (process, slow) =
        (rollouts["step_process"].as_list::<i32>(), rollouts["token_slow"].as_list::<i32>());
    for row in 0..rollouts.num_rows() {
        let fine = |judge: usize| judges[judge].fate(&format!("r{row}")) == Fate::Fine;
        assert_eq!(outcome.is_valid(row), fine(0));
        assert_eq!((reward.is_valid(row), why.is_null(row)), (fine(0), fine(0)));
        if !fine(0) {
            let (status, _) = expected(judges[0].fate(&format!("r{row}")));
            assert!(why.value(row).starts_with(&format!("{status}: ")), "{}", why.value(row));
        }
        assert_eq!((process.is_valid(row), slow.is_valid(row)), (fine(1), fine(2)));
        assert_eq!(process.value(row).len(), if fine(1) { 2 + row % 3 } else { 0 });
    }
    for judge in &judges[..2] {
        assert!(judge.most.load(Ordering::SeqCst) <= 64, "the limit holds");
    }
    assert!(judges[0].most.load(Ordering::SeqCst) > 1, "judges run beside each other");
}

#[test]
fn results_do_not_depend_on_the_limit() {
    let batch = rollouts(40);
    let judge = |limit: usize| {
        let judges: Vec<Arc<dyn Judge>> =
            vec![Unreliable::new("outcome", "rollout", false), Unreliable::new("process", "step", true)];
        let judges = Judges::new(judges).unwrap().concurrency(limit).deadline(Duration::from_secs(3));
        let judged = block_on(judges.judge(batch.clone(), &JudgeContext::default())).unwrap();
        let latency = judged.scores.schema().index_of("latency_ms").unwrap();
        let kept: Vec<usize> = (0..judged.scores.num_columns()).filter(|column| *column != latency).collect();
        (format!("{:?}", judged.scores.project(&kept).unwrap()), format!("{:?}", judged.rollouts))
    };
    assert_eq!(judge(20), judge(64));
}

/// Keeps its thread, without ever awaiting, until the quick judge has been asked about everything.
struct Busy(Arc<AtomicUsize>);

/// Counts its calls.
struct Quick(Arc<AtomicUsize>);

const ROLLOUTS: usize = 24;

#[async_trait]
impl Judge for Busy {
    fn name(&self) -> &str {
        "busy"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn level(&self) -> &str {
        "rollout"
    }
    fn reads(&self) -> Vec<String> {
        Vec::new()
    }
    fn blocks(&self) -> bool {
        true
    }
    async fn judge(&self, _: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let began = Instant::now();
        while self.0.load(Ordering::SeqCst) < ROLLOUTS {
            if began.elapsed() > Duration::from_secs(20) {
                return Err(Failure::Error("the other judge starved".into()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(vec![Some(1.0)])
    }
}

#[async_trait]
impl Judge for Quick {
    fn name(&self) -> &str {
        "quick"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn level(&self) -> &str {
        "rollout"
    }
    fn reads(&self) -> Vec<String> {
        Vec::new()
    }
    async fn judge(&self, _: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(vec![Some(1.0)])
    }
}

#[test]
fn a_judge_that_computes_does_not_starve_others() {
    let calls = Arc::new(AtomicUsize::new(0));
    let judges: Vec<Arc<dyn Judge>> = vec![Arc::new(Busy(calls.clone())), Arc::new(Quick(calls))];
    let judges = Judges::new(judges).unwrap().concurrency(64);
    let judged = block_on(judges.judge(rollouts(ROLLOUTS), &JudgeContext::default())).unwrap();
    for name in ["busy", "quick"] {
        assert_eq!(judged.rollouts[name].null_count(), 0, "{name}");
    }
}
