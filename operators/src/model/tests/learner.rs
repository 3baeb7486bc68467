//! The learner: what its steps depend on, and what a checkpoint keeps.

use super::transformer::{Recorder, batch, loss, weights};
use super::{bits, with_threads};
use crate::model::config::ModelConfig;
use crate::model::weights::Lora;
use crate::model::{LearnerOptions, LocalLearner};
use crate::objectives::Loss;
use crate::policy::{Learner, TokenBatch, TokenScores};
use crate::update::{AdamW, AdamWOptions};

fn config() -> ModelConfig {
    ModelConfig::named("32x2x4x48", 19).unwrap().with_value_head()
}

fn learner(tokens_in_memory: usize, lora: bool) -> LocalLearner {
    let lora = lora.then(|| Lora { rank: 2, alpha: 4.0, targets: vec!["v_proj".into(), "gate_proj".into()] });
    let optimizer = Box::new(AdamW::new(AdamWOptions { weight_decay: 0.01, ..AdamWOptions::default() }));
    let options = LearnerOptions { max_grad_norm: Some(0.5), tokens_in_memory };
    LocalLearner::new(weights(&config(), lora), optimizer, options).unwrap()
}

/// Enough for many units.
fn large() -> TokenBatch {
    let mut large = TokenBatch::default();
    for round in 0..40 {
        let small = batch();
        for rollout in 0..small.len() {
            let mut prompt = small.prompt(rollout).to_vec();
            prompt.extend(std::iter::repeat_n(round % 19, 20));
            let mask = &small.mask[small.offsets[rollout]..small.offsets[rollout + 1]];
            large.push(&prompt, small.response(rollout), mask);
        }
    }
    large
}

fn all_bits(learner: &LocalLearner) -> Vec<Vec<u32>> {
    learner.weights().parameters().iter().map(|parameter| bits(&parameter.values().unwrap())).collect()
}

/// Whether results are kept or computed again, and on how many threads: the same bits.
#[test]
fn memory_and_threads_change_no_bit() {
    let run = |tokens_in_memory, threads| {
        with_threads(threads, move || {
            let mut learner = learner(tokens_in_memory, false);
            let reports: Vec<_> = (0..3).map(|_| learner.step(&large(), 0.9, &loss, 1e-3).unwrap()).collect();
            (all_bits(&learner), reports)
        })
    };
    let whole = run(usize::MAX, 1);
    assert!(whole.1[0].tokens > 1000);
    assert_eq!(whole, run(0, 1));
    assert_eq!(whole, run(usize::MAX, 3));
    assert_eq!(whole, run(100, 2));
}

#[test]
fn likelihood_training_learns_its_sequences() {
    let negative = |scores: &TokenScores| {
        let count = scores.logprobs.len() as f64;
        let value = -scores.logprobs.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        Ok(Loss { value, logprobs: vec![-1.0 / count; scores.logprobs.len()], ..Loss::default() })
    };
    for lora in [false, true] {
        let mut learner = learner(1 << 14, lora);
        let frozen: Vec<_> =
            learner.weights().parameters().iter().filter(|p| !p.trainable()).cloned().collect();
        let before: Vec<_> = frozen.iter().map(|p| p.values().unwrap()).collect();
        let mut batch = TokenBatch::default();
        batch.push(&[1, 2], &[3, 4, 5, 6, 7, 0], &[true; 6]);
        let first = learner.step(&batch, 1.0, &negative, 2e-2).unwrap().loss.value;
        let last = (0..60).map(|_| learner.step(&batch, 1.0, &negative, 2e-2).unwrap().loss.value).last();
        assert!(last.unwrap() < 0.3 * first, "{first} to {last:?}");
        assert_eq!(before, frozen.iter().map(|p| p.values().unwrap()).collect::<Vec<_>>());
    }
}

/// Three steps, a process that ends, and three more are six steps.
#[test]
fn a_resumed_learner_has_the_bits_of_one_that_never_stopped() {
    for lora in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut whole = learner(1 << 14, lora);
        let mut cut = learner(1 << 14, lora);
        let step = |learner: &mut LocalLearner| {
            let report = learner.step(&batch(), 1.0, &loss, 1e-3).unwrap();
            learner.publish();
            report
        };
        (0..3).for_each(|_| assert_eq!(step(&mut whole), step(&mut cut)));
        cut.save(directory.path()).unwrap();
        let at_three = cut.score(&batch(), 1.0).unwrap();
        // Work after the checkpoint is lost.
        step(&mut cut);
        drop(cut);
        let mut resumed = learner(1 << 14, lora);
        resumed.load(directory.path()).unwrap();
        assert_eq!((resumed.version(), resumed.score(&batch(), 1.0).unwrap()), (3, at_three.clone()));
        (0..3).for_each(|_| assert_eq!(step(&mut whole), step(&mut resumed)));
        assert_eq!(all_bits(&whole), all_bits(&resumed));
        let saved = resumed.saved_policy(directory.path()).unwrap();
        assert_eq!(saved.version(), 3);
        super::close(&saved.score(&batch(), 1.0).unwrap().logprobs, &at_three.logprobs, 1e-5);
        assert_eq!(resumed.policy().unwrap().version(), 6);
    }
}

/// A process killed while it saves leaves the checkpoint before; damage is found.
#[test]
fn checkpoints_are_whole_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut first = learner(1 << 14, false);
    assert!(first.load(path).unwrap_err().to_string().contains("learner.json"));
    first.step(&batch(), 1.0, &loss, 1e-3).unwrap();
    first.save(path).unwrap();
    let saved = all_bits(&first);
    let manifest = std::fs::read(path.join("learner.json")).unwrap();
    let kept: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    let copies: Vec<_> = kept.iter().map(|path| std::fs::read(path).unwrap()).collect();
    first.step(&batch(), 1.0, &loss, 1e-3).unwrap();
    first.publish();
    first.save(path).unwrap();
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 3);
    // As if killed before the manifest was replaced: files of both, and the manifest of the first.
    for (path, bytes) in kept.iter().zip(&copies) {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(path.join("weights.next"), b"half").unwrap();
    std::fs::write(path.join("learner.json"), &manifest).unwrap();
    let mut resumed = learner(1 << 14, false);
    resumed.load(path).unwrap();
    assert_eq!((all_bits(&resumed), resumed.version()), (saved, 0));

    let before = all_bits(&first);
    let weights = kept.iter().find(|path| path.to_string_lossy().contains("weights-")).unwrap();
    let bytes = std::fs::read(weights).unwrap();
    std::fs::write(weights, &bytes[..bytes.len() - 4]).unwrap();
    assert!(first.load(path).unwrap_err().to_string().contains("not what was saved"));
    std::fs::write(
        path.join("learner.json"),
        b"{\"format\": 2, \"version\": 0, \"weights\": \"\", \"optimizer\": \"\"}",
    )
    .unwrap();
    assert!(first.load(path).unwrap_err().to_string().contains("format 2"));
    assert_eq!((before, 1), (all_bits(&first), first.version()));
}

#[test]
fn what_is_not_finite_changes_nothing() {
    let mut learner = learner(1 << 14, false);
    let before = all_bits(&learner);
    let count = batch().tokens.len();
    let cases: [(Loss, &str); 4] = [
        (Loss { value: f64::NAN, logprobs: vec![0.0; count], ..Loss::default() }, "the loss is NaN"),
        (Loss { logprobs: vec![f64::INFINITY; count], ..Loss::default() }, "gradient at token 0 is inf"),
        (Loss { logprobs: vec![0.0; count - 1], ..Loss::default() }, "gradients for"),
        (Loss { logprobs: vec![1e38; count], ..Loss::default() }, "not finite"),
    ];
    for (loss, reason) in cases {
        let message =
            learner.step(&batch(), 1.0, &|_: &TokenScores| Ok(loss.clone()), 0.1).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
        assert_eq!(before, all_bits(&learner));
    }
    let refused = |_: &TokenScores| Err(crate::Error::usage("no advantages", ""));
    assert!(learner.step(&batch(), 1.0, &refused, 0.1).is_err());
    assert_eq!(before, all_bits(&learner));
}

#[test]
fn gradients_are_clipped_to_their_norm() {
    let run = |max_grad_norm| {
        let recorder = Recorder::default();
        let found = recorder.gradients.clone();
        let options = LearnerOptions { max_grad_norm, ..LearnerOptions::default() };
        let mut learner = LocalLearner::new(weights(&config(), None), Box::new(recorder), options).unwrap();
        let norm = learner.step(&batch(), 1.0, &loss, 0.0).unwrap().grad_norm;
        let found = found.lock().unwrap();
        (norm, found.values().flatten().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt())
    };
    let (before, free) = run(None);
    assert!(before > 1.0 && (before - free).abs() < 1e-6 * before);
    let (reported, clipped) = run(Some(0.25));
    assert_eq!(reported, before);
    assert!((clipped - 0.25).abs() < 1e-6);
}

#[test]
fn an_empty_batch_is_a_step_without_gradient() {
    let mut learner = learner(1 << 14, false);
    let report =
        learner.step(&TokenBatch::default(), 1.0, &|_: &TokenScores| Ok(Loss::default()), 0.0).unwrap();
    assert_eq!((report.tokens, report.grad_norm, report.entropy), (0, 0.0, 0.0));
}
