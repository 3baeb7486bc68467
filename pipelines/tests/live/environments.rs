//! Environments that break: their rollouts have no reward, and say why.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use async_trait::async_trait;
use meed_operators::columns::Table;
use meed_operators::engine::hash_group;
use meed_operators::sample::{Environment, Environments, Prompt, Reset, Transition};
use meed_operators::{Error, Result};

use crate::runs::{Digits, EPOCHS, Setting, attempt};
use crate::tables::Stored;

/// Ends every episode after one turn; for one prompt in five it errs or panics instead of beginning.
struct Fragile;

struct Episode {
    trouble: u64,
}

impl Environments for Fragile {
    fn make(&self, prompt: &Prompt) -> Result<Box<dyn Environment>> {
        Ok(Box::new(Episode { trouble: hash_group(0, &prompt.group_id) % 10 }))
    }

    fn max_turns(&self) -> usize {
        1
    }
}

#[async_trait]
impl Environment for Episode {
    async fn reset(&mut self) -> Result<Reset> {
        match self.trouble {
            0 => Err(Error::usage("the sandbox is gone", "")),
            1 => panic!("the sandbox broke"),
            _ => Ok(Reset::default()),
        }
    }

    async fn step(&mut self, _turn: &str) -> Result<Transition> {
        Ok(Transition { done: true, ..Transition::default() })
    }
}

#[test]
fn what_broke_off_has_no_reward_and_is_not_trained_on() {
    let setting = Setting { workers: 2, environments: Some(Arc::new(Fragile)), ..Setting::default() };
    let (stored, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    attempt(&setting, Arc::new(Digits), &stored, folder.path(), None).unwrap();

    let rollouts = stored.rows(Table::Rollouts);
    let text = |name: &str| rollouts.column_by_name(name).unwrap().as_string::<i32>().clone();
    let rewards = rollouts.column_by_name("reward").unwrap().as_primitive::<Float64Type>();
    let (status, reasons, groups) = (text("status"), text("reward_status"), text("group_id"));
    let mut broken = 0;
    for row in 0..rollouts.num_rows() {
        let trouble = hash_group(0, groups.value(row)) % 10;
        assert_eq!(status.value(row) == "error", trouble < 2);
        assert_eq!(rewards.is_null(row), trouble < 2, "a rollout that broke off is not a wrong one");
        if trouble < 2 {
            broken += 1;
            let said = ["the sandbox is gone", "panicked: the sandbox broke"][trouble as usize];
            assert!(reasons.value(row).contains(said), "{}", reasons.value(row));
        }
    }
    assert!((40..EPOCHS * 30 / 2).contains(&broken), "{broken}");

    let advantages = stored.rows(Table::Advantages);
    let in_loss = advantages.column_by_name("in_loss").unwrap().as_boolean();
    assert_eq!(in_loss.iter().filter(|in_loss| *in_loss == Some(false)).count() as u64, broken);
    let scores = stored.rows(Table::Scores);
    let scores = scores.column_by_name("score").unwrap().as_primitive::<Float64Type>();
    assert_eq!(scores.null_count() as u64, broken, "nobody judged them");
}
