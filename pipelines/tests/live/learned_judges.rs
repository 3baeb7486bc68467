//! A judge that learns beside the policy: its signal, its training, and its place in checkpoints.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float32Type;
use meed_operators::columns::Table;
use meed_operators::credit::{Credit, ROLLOUT, Reduction, group, mean, signal};
use meed_operators::engine::RunOptions;
use meed_operators::judge::Judges;
use meed_operators::policy::{Characters, Learner};
use meed_operators::sample::Sampler;
use meed_pipelines::live::{Checkpoints, LearnedJudge, Training};
use meed_pipelines::stored::RecipeSettings;
use meed_pipelines::{Recipe, find, find_objective};

use crate::bigram::Bigram;
use crate::runs::{Digits, prompts};
use crate::same_bits::same;
use crate::tables::Stored;

/// The outcome and the mean log-ratio of the judge as the advantage.
fn by_judge() -> Recipe {
    Recipe {
        name: "by_judge",
        parameters: &[],
        plan: |_| {
            let ratio = signal("token_prm_logprobs") - signal("token_ref_logprobs");
            let outcome = signal("reward") - mean(signal("reward"), group());
            Ok(Credit::new().advantage(outcome + 0.1 * ratio.reduce(ROLLOUT, Reduction::Mean)).into())
        },
        ..*find("grpo").unwrap()
    }
}

fn attempt(stored: &Stored, checkpoints: &Path, fails_at: Option<u64>) -> meed_operators::Result<()> {
    let sink = stored.sink(fails_at);
    let start = sink.committer()?.resume_at()?;
    let policy = Bigram::new();
    let judge = LearnedJudge {
        learner: Box::new(Bigram::new()),
        signal: "token_prm_logprobs".to_owned(),
        objective: Arc::from(find_objective("prime")?.with(&[])?),
        learning_rate: 20.0,
    };
    Training::new(
        Box::new(policy.clone()),
        Sampler::new(Arc::new(Characters), 5, 4),
        Judges::new(vec![Arc::new(Digits)])?.reward("digits")?,
        RecipeSettings::from(&by_judge()),
        Arc::from(find_objective("ppo_clip")?.with(&[])?),
    )
    .prompts(prompts)
    .epochs(8)
    .schedule(meed_operators::update::Schedule::constant(40.0))
    .reference(policy.policy()?)
    .learned_judge(judge)
    .checkpoints(Checkpoints::new(checkpoints))
    .replay(stored.from(Table::Rollouts, start))
    .run(sink, &RunOptions { commit_interval: Duration::ZERO, ..RunOptions::workers(1) })
    .map(|_| ())
}

#[test]
fn it_learns_from_outcomes_and_resumes_exactly() {
    let (whole, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    attempt(&whole, folder.path(), None).unwrap();
    let rollouts = whole.rows(Table::Rollouts);
    let lists = |name: &str| rollouts.column_by_name(name).unwrap().as_list::<i32>().clone();
    let (judged, reference) = (lists("token_prm_logprobs"), lists("token_ref_logprobs"));
    let last = judged.len() - 1;
    let values = |list: &arrow::array::ListArray, row: usize| {
        list.value(row).as_primitive::<Float32Type>().values().to_vec()
    };
    assert_eq!(values(&judged, 0), values(&reference, 0), "it begins as the policy did");
    assert_ne!(values(&judged, last), values(&reference, last), "it has learned");
    let metrics = whole.rows(Table::Updates);
    let metrics = metrics.column_by_name("metrics").unwrap().as_string::<i32>();
    assert!(metrics.iter().flatten().all(|metrics| metrics.contains("token_prm_logprobs_loss")));

    let (cut, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    assert!(attempt(&cut, folder.path(), Some(3)).is_err());
    attempt(&cut, folder.path(), None).unwrap();
    same(&whole, &cut, "cut off after three epochs");
}
