//! Likelihood judges: what they ask of the policy, and where their scores stand.

use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Builder, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::Float64Type;
use meed_operators::Result;
use meed_operators::columns::complete;
use meed_operators::judge::likelihood::{
    AnswerLikelihood, Bridge, Gain, GoldLogprobs, InformationGains, LikelihoodForm, Probe, ProbeOf,
    PromptGoldLogprob, PromptReferenceLogprobs, ReferenceLogprobs,
};
use meed_operators::judge::{Judge, JudgeContext, Judges};
use meed_operators::policy::{
    Characters, Continuation, Generated, Policy, Sampling, TokenBatch, TokenScores, Tokenizer,
};

use super::rollouts::block_on;

/// The log-probability of a token is minus the number of tokens before it, over 16: exact, and
/// different at every place. Remembers what it was asked.
#[derive(Default)]
struct Counting {
    asked: Mutex<Vec<(String, String)>>,
    version: i64,
}

impl Policy for Counting {
    fn version(&self) -> i64 {
        self.version
    }

    fn generate(&self, _: &[Continuation], _: &Sampling) -> Result<Vec<Generated>> {
        Ok(Vec::new())
    }

    fn score(&self, batch: &TokenBatch, temperature: f64) -> Result<TokenScores> {
        assert_eq!(temperature, 1.0);
        let mut logprobs = Vec::new();
        for rollout in 0..batch.len() {
            let (prompt, tokens) = (batch.prompt(rollout), batch.response(rollout));
            let mut asked = self.asked.lock().unwrap();
            asked.push((Characters.decode(prompt)?, Characters.decode(tokens)?));
            logprobs.extend((0..tokens.len()).map(|at| -((prompt.len() + at) as f32) / 16.0));
        }
        Ok(TokenScores { entropies: vec![0.0; logprobs.len()], logprobs, values: None })
    }
}

/// One rollout of three turns: `ab` + `c` (tool), `d` + `ef` (tool), `gh`.
fn batch() -> RecordBatch {
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let mut tokens = ListBuilder::new(Int32Builder::new());
    tokens.values().append_slice(&Characters.encode("abcdefgh").unwrap());
    tokens.append(true);
    let mut ends = ListBuilder::new(Int32Builder::new());
    ends.values().append_slice(&[2, 3, 4, 6, 8]);
    ends.append(true);
    let mut kinds = ListBuilder::new(StringBuilder::new());
    ["policy", "observation", "policy", "observation", "policy"]
        .iter()
        .for_each(|kind| kinds.values().append_value(kind));
    kinds.append(true);
    let mut references = ListBuilder::new(StringBuilder::new());
    ["x", "yz"].iter().for_each(|reference| references.values().append_value(reference));
    references.append(true);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("group_id", text("g")),
        ("rollout_id", text("r")),
        ("prompt", text("PP")),
        ("reference", text("xy|zzz")),
        ("token_ids", Arc::new(tokens.finish())),
        ("step_ends", Arc::new(ends.finish())),
        ("step_kinds", Arc::new(kinds.finish())),
        ("reference_texts", Arc::new(references.finish())),
    ];
    complete(RecordBatch::try_from_iter(columns).unwrap(), "memory").unwrap()
}

fn bridge() -> Bridge {
    Bridge { text: ">".into(), separator: Some("|".into()) }
}

fn ask(judges: Vec<Arc<dyn Judge>>) -> (RecordBatch, Vec<(String, String)>) {
    let policy = Arc::new(Counting::default());
    let context = JudgeContext {
        policy: Some(policy.clone()),
        tokenizer: Some(Arc::new(Characters)),
        ..JudgeContext::default()
    };
    let judged = block_on(Judges::new(judges).unwrap().concurrency(1).judge(batch(), &context)).unwrap();
    let asked = policy.asked.lock().unwrap().clone();
    (judged.rollouts, asked)
}

fn floats(array: &ArrayRef) -> Vec<Option<f64>> {
    array.as_primitive::<Float64Type>().iter().collect()
}

/// The mean over an answer of so many tokens after so many.
fn mean(before: usize, tokens: usize) -> f64 {
    -(0..tokens).map(|at| (before + at) as f64 / 16.0).sum::<f64>() / tokens as f64
}

#[test]
fn the_gold_answer_is_scored_before_and_after_every_turn() {
    let (rollouts, asked) = ask(vec![
        Arc::new(PromptGoldLogprob { bridge: bridge() }),
        Arc::new(GoldLogprobs { bridge: bridge(), last_turn: false }),
    ]);
    let wanted = [("PP>", "xy"), ("PPabc>", "xy"), ("PPabcdef>", "xy")];
    assert_eq!(asked, wanted.map(|(context, answer)| (context.to_owned(), answer.to_owned())));
    assert_eq!(floats(&rollouts["prompt_gold_logprob"]), [Some(mean(3, 2))]);
    let steps = floats(&rollouts["step_gold_logprobs"].as_list::<i32>().value(0));
    assert_eq!(steps, [Some(mean(6, 2)), None, Some(mean(9, 2)), None, None]);

    let (rollouts, _) = ask(vec![Arc::new(GoldLogprobs { bridge: bridge(), last_turn: true })]);
    let steps = floats(&rollouts["step_gold_logprobs"].as_list::<i32>().value(0));
    assert_eq!(steps[4], Some(mean(11, 2)));
}

#[test]
fn gains_are_differences_to_the_turn_before() {
    for (gain, form) in [(Gain::LogProbDiff, (|x| x) as fn(f64) -> f64), (Gain::ProbDiff, f64::exp)] {
        let (rollouts, _) = ask(vec![Arc::new(InformationGains { bridge: bridge(), gain })]);
        let steps = floats(&rollouts["step_information_gains"].as_list::<i32>().value(0));
        let (before, first, second) = (form(mean(3, 2)), form(mean(6, 2)), form(mean(9, 2)));
        assert_eq!(steps, [Some(first - before), None, Some(second - first), None, None]);
    }
}

#[test]
fn every_reference_is_scored_after_every_turn() {
    let (rollouts, _) = ask(vec![
        Arc::new(PromptReferenceLogprobs { bridge: bridge() }),
        Arc::new(ReferenceLogprobs { bridge: bridge() }),
    ]);
    let prompt = floats(&rollouts["prompt_reference_logprobs"].as_list::<i32>().value(0));
    assert_eq!(prompt, [Some(mean(3, 1)), Some(mean(3, 2))]);
    let steps = rollouts["step_reference_logprobs"].as_list::<i32>().value(0);
    let steps: Vec<_> = steps.as_list::<i32>().iter().map(|step| floats(&step.unwrap())).collect();
    let at = |before| vec![Some(mean(before, 1)), Some(mean(before, 2))];
    assert_eq!(steps, [at(6), vec![None; 2], at(9), vec![None; 2], at(11)]);
}

#[test]
fn the_rollouts_own_answer_is_left_out() {
    let likelihood = |before: Option<&str>| {
        let judge = AnswerLikelihood {
            bridge: Bridge { text: String::new(), separator: None },
            form: LikelihoodForm::LogProb,
            before: before.map(str::to_owned),
        };
        let (rollouts, asked) = ask(vec![Arc::new(judge)]);
        (asked[0].0.clone(), floats(&rollouts["answer_likelihood"])[0].unwrap())
    };
    let (context, score) = likelihood(Some("gh"));
    assert_eq!(context, "PPabcdef");
    assert_eq!(score, 6.0 * mean(8, 6));
    assert_eq!(likelihood(None).0, "PPabcdefgh");
    assert_eq!(likelihood(Some("absent")).0, "PPabcdefgh");
}

#[test]
fn without_a_policy_there_is_no_score_and_another_policy_makes_it_stale() {
    let judges =
        || Judges::new(vec![Arc::new(PromptGoldLogprob { bridge: bridge() }) as Arc<dyn Judge>]).unwrap();
    let judged = block_on(judges().judge(batch(), &JudgeContext::default())).unwrap();
    assert_eq!(judged.rollouts["prompt_gold_logprob"].null_count(), 1);
    assert_eq!(judged.scores["status"].as_string::<i32>().value(0), "missing");
    let hash = |version: i64, model: &str| {
        let context = JudgeContext {
            policy: Some(Arc::new(Counting { version, ..Counting::default() })),
            tokenizer: Some(Arc::new(Characters)),
            model: model.to_owned(),
        };
        let judged = block_on(judges().judge(batch(), &context)).unwrap();
        judged.scores["input_hash"].as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(hash(1, "a"), hash(1, "a"));
    assert_ne!(hash(1, "a"), hash(2, "a"));
    assert_ne!(hash(1, "a"), hash(1, "b"));
}

/// Draws `q` with entropy 0.5 as often as it may, and scores as [`Counting`].
#[derive(Default)]
struct Drawing(Counting);

impl Policy for Drawing {
    fn version(&self) -> i64 {
        0
    }

    fn generate(&self, asked: &[Continuation], _: &Sampling) -> Result<Vec<Generated>> {
        let q = Characters.encode("q")?[0];
        let drawn = asked.iter().map(|asked| Generated {
            tokens: vec![q; asked.max_tokens],
            logprobs: vec![-0.1; asked.max_tokens],
            entropies: vec![0.5; asked.max_tokens],
            stopped: false,
        });
        Ok(drawn.collect())
    }

    fn score(&self, batch: &TokenBatch, _: f64) -> Result<TokenScores> {
        self.0.score(batch, 1.0)
    }
}

#[test]
fn probes_score_the_answer_along_completions() {
    let policy = Arc::new(Drawing::default());
    let context = JudgeContext {
        policy: Some(policy.clone()),
        tokenizer: Some(Arc::new(Characters)),
        ..JudgeContext::default()
    };
    let probe = |of| -> Arc<dyn Judge> {
        Arc::new(Probe { of, bridge: bridge(), samples: 2, temperature: 0.6, missing: -10.0 })
    };
    let judges = Judges::new(vec![probe(ProbeOf::Accuracy), probe(ProbeOf::Confidence)]).unwrap();
    let judged = block_on(judges.concurrency(1).judge(batch(), &context)).unwrap();
    let of = |name: &str| floats(&judged.rollouts[name].as_list::<i32>().value(0));
    // The answer has two tokens; the first step ends after `ab`, so `PPab>` has five tokens.
    let accuracy = |before: usize| Some((2.0 * mean(before, 2)).exp() / 2.0);
    assert_eq!(of("step_accuracy"), [accuracy(5), None, accuracy(7), None, accuracy(11)]);
    let confidence = Some((-1.0f64).exp() / 2.0);
    assert_eq!(of("step_confidence"), [confidence, None, confidence, None, confidence]);
    let asked = policy.0.asked.lock().unwrap();
    assert!(asked[..2] == [("PPab>".into(), "x".into()), ("PPab>q".into(), "y".into())], "{asked:?}");
}
