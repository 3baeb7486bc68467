//! G rollouts per prompt: rows, limits, and the same bits however prompts are spread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::policy::{Characters, Tokenizer};
use meed_operators::sample::{History, JudgeRollouts, JudgedRollouts, Prompt, Sampler};

use super::fakes::{
    Dice, Rule, check_rows, even, integers, joined, prompts, rewards, sample, sample_with, text, texts,
};

fn sampler(group_size: usize, max_tokens: usize) -> Sampler {
    Sampler::new(Arc::new(Characters), group_size, max_tokens)
}

#[test]
fn every_prompt_gets_its_group_in_one_call() {
    let policy = Dice::new(6, "abc");
    let rows = sample(&sampler(12, 8), policy.clone(), &prompts(11)).rollouts;
    assert_eq!(policy.calls.load(Ordering::Relaxed), 1);
    assert_eq!(rows.num_rows(), 11 * 12);
    check_rows(&rows);
    let ids: Vec<String> = texts(&rows, "rollout_id").into_iter().flatten().collect();
    assert_eq!((ids[0].as_str(), ids[11].as_str()), ("task-0/0", "task-0/11"));
    assert_eq!((ids[12].as_str(), ids[131].as_str()), ("task-1/0", "task-10/11"));
    for row in 0..rows.num_rows() {
        let tokens = integers(&rows, "token_ids", row);
        let complete = tokens.last() == Some(&Characters.end());
        let status = text(&rows, "status", row).unwrap();
        assert_eq!(status, if complete { "complete" } else { "truncated" });
        assert!(complete || tokens.len() == 8);
        assert_eq!(integers(&rows, "step_ends", row), [tokens.len() as i32]);
        let number: usize = text(&rows, "reference", row).unwrap().parse().unwrap();
        let metadata = text(&rows, "metadata", row).unwrap();
        assert!(metadata.contains(&format!(r#""number":{number}"#)));
        assert_eq!(metadata.contains("token limit"), !complete);
        assert_eq!(rewards(&rows)[row], even("", &text(&rows, "response", row).unwrap()));
        assert_eq!(text(&rows, "reward_status", row), None);
    }
    let statuses = texts(&rows, "status");
    assert!(statuses.contains(&Some("truncated".into())) && statuses.contains(&Some("complete".into())));
}

#[test]
fn rows_do_not_depend_on_how_prompts_are_spread() {
    let (sampler, tasks) = (sampler(3, 20), prompts(7));
    let whole = sample(&sampler, Dice::new(9, "abcdef"), &tasks).rollouts;
    for cuts in [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![0, 4, 7]] {
        let parts: Vec<_> = cuts
            .windows(2)
            .map(|cut| sample(&sampler, Dice::new(9, "abcdef"), &tasks[cut[0]..cut[1]]).rollouts)
            .collect();
        assert_eq!(joined(&parts), whole);
    }
    let mut reversed = tasks;
    reversed.reverse();
    assert_eq!(sample(&sampler, Dice::new(9, "abcdef"), &reversed).rollouts, whole);
}

#[test]
fn rewards_that_are_unknown_or_no_numbers_are_null_with_a_reason() {
    let judge = Rule(|prompt, _| match prompt {
        "Q0: " => None,
        "Q1: " => Some(f64::NAN),
        _ => Some(0.5),
    });
    let policy = Dice::new(4, "ab");
    let rows =
        sample_with(&sampler(1, 5), policy, &prompts(3), &judge, &History::default()).unwrap().rollouts;
    assert_eq!(rewards(&rows), [None, None, Some(0.5)]);
    let reasons =
        ["the rule has no opinion", "the reward is not a finite number"].map(|text| Some(text.into()));
    assert_eq!(texts(&rows, "reward_status")[..2], reasons);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let refused = |sampler: &Sampler, tasks: &[Prompt]| {
        let outcome = sample_with(sampler, Dice::new(4, "ab"), tasks, &Rule(even), &History::default());
        outcome.unwrap_err().to_string()
    };
    assert_eq!(refused(&sampler(0, 5), &prompts(1)), "`group_size` is 0");
    let twice = [prompts(1), prompts(1)].concat();
    assert_eq!(refused(&sampler(1, 5), &twice), "group task-0 occurs twice among the prompts");
    let mut foreign = prompts(1);
    foreign[0].text = "é".to_owned();
    assert!(refused(&sampler(1, 5), &foreign).starts_with("the prompt of group task-0: "));
}

#[test]
fn no_prompts_give_no_rows_of_the_same_schema() {
    let (none, some) = (
        sample(&sampler(2, 5), Dice::new(4, "ab"), &[]),
        sample(&sampler(2, 5), Dice::new(4, "ab"), &prompts(1)),
    );
    assert_eq!(none.rollouts.num_rows(), 0);
    assert_eq!(none.rollouts.schema(), some.rollouts.schema());
}

/// Does to the rows what a judge must not do.
struct Meddler(fn(RecordBatch) -> RecordBatch);

#[async_trait]
impl JudgeRollouts for Meddler {
    async fn judge_rollouts(&self, rollouts: RecordBatch) -> Result<JudgedRollouts> {
        Ok(JudgedRollouts { rollouts: (self.0)(rollouts), scores: Vec::new() })
    }
}

#[test]
fn judges_return_the_rows_that_they_were_given() {
    let refused = |meddle| {
        let judge = Meddler(meddle);
        let outcome =
            sample_with(&sampler(2, 5), Dice::new(4, "ab"), &prompts(2), &judge, &History::default());
        outcome.unwrap_err().to_string()
    };
    assert_eq!(refused(|rows| rows.slice(1, 3)), "column iteration: the judge changed it");
    let reversed = |rows: RecordBatch| {
        take_record_batch(&rows, &UInt64Array::from_iter_values((0..rows.num_rows() as u64).rev())).unwrap()
    };
    assert_eq!(refused(reversed), "column group_id: the judge changed it");
    let nameless = |rows: RecordBatch| {
        let kept: Vec<usize> =
            (0..rows.num_columns()).filter(|at| rows.schema().field(*at).name() != "reward").collect();
        rows.project(&kept).unwrap()
    };
    assert_eq!(refused(nameless), "column reward: `reward` or `reward_status` is gone, or has another type");
}
