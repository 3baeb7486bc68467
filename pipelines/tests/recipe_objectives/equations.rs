//! The numbers that the methods' equations give by hand, where no reference was run.

use meed_operators::objectives::Columns;
use meed_pipelines::objectives::recipes::{FIDELITY, RECIPES, archer, habc, sarm, tsallis};
use serde_json::Value;

use crate::differences::{By, agrees, loss, objective};

fn close(got: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.iter().zip(wanted) {
        assert!((got - wanted).abs() < tolerance, "got {got}, expected {wanted}");
    }
}

#[test]
fn every_objective_says_how_far_it_agrees() {
    let names: Vec<&str> = RECIPES.iter().map(|objective| objective.name).collect();
    let said: Vec<&str> = FIDELITY.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, said);
}

#[test]
fn garl_weights_and_losses() {
    let w = [0.1, 0.4, 0.02, 0.08];
    let expected: [(f64, [f64; 4], [f64; 4], f64); 4] = [
        (0.0, [-0.06666667, 0.33333333, -0.17333333, -0.09333333], [0.1, 0.4, 0.02, 0.08], 0.85),
        (
            0.25,
            [-0.10016175, 0.51154342, -0.25942428, -0.14008582],
            [0.16068568, 0.64274274, 0.03213714, 0.12854855],
            1.0119619658,
        ),
        (
            0.75,
            [-0.22405445, 1.15142186, -0.58011869, -0.31332795],
            [0.41488865, 1.65955461, 0.08297773, 0.33191092],
            1.5106680908,
        ),
        (
            1.0,
            [-0.33333333, 1.66666667, -0.86666667, -0.46666667],
            [0.66666667, 2.66666667, 0.13333333, 0.53333333],
            1.8971199849,
        ),
    ];
    for (q, reasoning, answers, value) in expected {
        let (c, weights) = tsallis::garl_weights(&w, q);
        close(&c, &reasoning, 1e-8);
        close(&weights, &answers, 1e-8);
        close(&[tsallis::tsallis_loss(0.15, q)], &[value], 1e-9);
    }
    let (alone, _) = tsallis::garl_weights(&[0.3], 1.0);
    close(&alone, &[1.0], 1e-12);
    assert_eq!(tsallis::garl_weights(&[0.0, 0.0], 0.75).1, [0.0, 0.0]);
}

/// Two rollouts of one prompt: a token of reasoning, one of the environment, two of the answer.
fn answered() -> Columns {
    Columns {
        offsets: vec![0, 4, 8],
        groups: vec![0, 0],
        mask: [true, false, true, true].repeat(2),
        logprobs: vec![-1.1, 0.0, -0.4, -0.7, -0.8, 0.0, -0.2, -0.5],
        signals: [("token_is_answer".to_owned(), [0.0, 0.0, 1.0, 1.0].repeat(2))].into(),
        ..Columns::default()
    }
}

#[test]
fn answers_have_the_gradient_of_the_tsallis_loss() {
    for q in [0.0, 0.25, 0.75, 1.0] {
        let garl = objective("tsallis", &[("q", q.into())]);
        let columns = answered();
        let gradient = loss(garl.as_ref(), &columns).logprobs;
        let answers: Vec<Vec<(usize, f64)>> = [2, 3, 6, 7].into_iter().map(|t| vec![(t, 1.0)]).collect();
        crate::differences::agrees_along(
            garl.as_ref(),
            &columns,
            By::Logprobs,
            crate::differences::value,
            &answers,
        );
        assert_eq!(gradient[1], 0.0);
        // PAFT is GARL without its baseline, and its value has that gradient with the weights held fixed.
        let paft = loss(objective("tsallis", &[("q", q.into()), ("form", "paft".into())]).as_ref(), &columns);
        let expected: f64 = paft.logprobs.iter().zip(&columns.logprobs).map(|(slope, x)| slope * x).sum();
        close(&[paft.value], &[expected], 1e-12);
        close(&[paft.logprobs[2], paft.logprobs[6]], &[gradient[2], gradient[6]], 1e-12);
        close(&[paft.logprobs[0], paft.logprobs[4]], &[gradient[2], gradient[6]], 1e-12);
    }
}

#[test]
fn garl_at_q_0_is_an_unbiased_policy_gradient() {
    // One reasoning token out of three, from a softmax; the answer has a fixed probability after each.
    let (logits, answer) = ([0.3, -0.2, 0.5_f64], [-0.4, -1.7, -0.9_f64]);
    let softmax = |logits: &[f64; 3]| {
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        logits.map(|logit| logit.exp() / sum)
    };
    let correct =
        |logits: &[f64; 3]| -> f64 { softmax(logits).iter().zip(answer).map(|(p, a)| p * a.exp()).sum() };
    let garl = objective("tsallis", &[("q", Value::from(0.0))]);
    let p = softmax(&logits);
    let mut expected = [0.0; 3];
    for first in 0..3 {
        for second in 0..3 {
            let columns = Columns {
                offsets: vec![0, 2, 4],
                groups: vec![0, 0],
                mask: vec![true; 4],
                logprobs: vec![p[first].ln(), answer[first], p[second].ln(), answer[second]],
                signals: [("token_is_answer".to_owned(), vec![0.0, 1.0, 0.0, 1.0])].into(),
                ..Columns::default()
            };
            let gradient = loss(garl.as_ref(), &columns).logprobs;
            for (chosen, slope) in [(first, gradient[0]), (second, gradient[2])] {
                for logit in 0..3 {
                    let by_logit = f64::from(u8::from(logit == chosen)) - p[logit];
                    expected[logit] += p[first] * p[second] * slope * by_logit;
                }
            }
        }
    }
    for logit in 0..3 {
        let (mut up, mut down) = (logits, logits);
        up[logit] += 1e-6;
        down[logit] -= 1e-6;
        // The loss is 1 - P(correct) at q = 0.
        close(&[expected[logit]], &[-(correct(&up) - correct(&down)) / 2e-6], 1e-9);
    }
}

#[test]
fn sarm_weights() {
    let deltas = [-0.01, 0.0, 0.005, 0.02, 0.03, 0.015];
    let weights = sarm::progress_weights(&deltas, 0.01, None, None);
    close(&weights, &[0.0, 0.31101189, 0.40550122, 1.0, 1.0, 1.0], 1e-8);
    let sum: f64 = weights.iter().sum::<f64>() + 1e-6;
    let normalised: Vec<f64> = weights.iter().map(|weight| weight * 6.0 / sum).collect();
    close(&normalised, &[0.0, 0.50210258, 0.65464767, 1.61441604, 1.61441604, 1.61441604], 1e-8);
    assert_eq!(sarm::progress_weights(&[f64::NAN, -1.0], 0.01, None, None), [1.0, 0.0]);

    let columns = Columns {
        offsets: vec![0, 6],
        steps: Some((0..=6).collect()),
        mask: vec![true; 6],
        logprobs: vec![-1.0, -2.0, -3.0, -4.0, -5.0, -6.0],
        signals: [("step_progress_deltas".to_owned(), deltas.to_vec())].into(),
        ..Columns::default()
    };
    let got = loss(objective("sarm", &[]).as_ref(), &columns);
    let wanted: f64 = normalised.iter().zip(&columns.logprobs).map(|(w, x)| -w * x / 6.0).sum();
    close(&[got.value], &[wanted], 1e-9);
    let failed = Columns { signals: [("step_progress_deltas".to_owned(), vec![-1.0; 6])].into(), ..columns };
    assert_eq!(loss(objective("sarm", &[]).as_ref(), &failed).value, 0.0);
}

#[test]
fn habc_gate_and_weights() {
    let g = habc::gate(0.2, 0.8, -5.0, -4.2);
    close(&[g], &[1.158778], 1e-6);
    close(&habc::over_mean(&[g, 0.0, 1.0, 0.5]), &[1.307493, 0.0, 1.128338, 0.564169], 1e-6);
    assert_eq!(habc::over_mean(&[0.0, 0.0]), [0.0, 0.0]);
}

/// Two attempts of one rollout, the request to correct the first between them.
#[test]
fn score_two_attempt_losses() {
    let columns = |advantages: [f64; 3]| Columns {
        offsets: vec![0, 3],
        groups: vec![0],
        mask: vec![true, false, true],
        logprobs: vec![-1.2, -9.0, -0.8],
        ref_logprobs: Some(vec![-1.1, -9.0, -1.0]),
        advantages: advantages.to_vec(),
        ..Columns::default()
    };
    let first = objective("score_two_attempt", &[("stage", 1.into())]);
    close(&[loss(first.as_ref(), &columns([0.0, 0.0, 1.0])).value], &[0.8005170918], 1e-9);
    let second = objective("score_two_attempt", &[]);
    close(&[loss(second.as_ref(), &columns([0.0, 0.0, 11.0])).value], &[8.8002390167], 1e-9);
    // An attempt is a mean over its tokens, whatever its length, and rollouts count alike.
    let longer = Columns {
        offsets: vec![0, 3, 5],
        groups: vec![0, 0],
        mask: vec![true, false, true, true, true],
        logprobs: vec![-1.2, -9.0, -0.8, -0.5, -1.5],
        advantages: vec![0.0, 0.0, 1.0, 1.0, 1.0],
        ..Columns::default()
    };
    let untied = objective("score_two_attempt", &[("beta1", 0.0.into())]);
    close(&[loss(untied.as_ref(), &longer).value], &[(0.8 + 1.0) / 2.0], 1e-12);
    // A token of weight 0 is none, and so is a rollout that has no others.
    let weighted = |weights: [f64; 5]| {
        let columns = Columns { weights: Some(weights.to_vec()), ..longer.clone() };
        loss(untied.as_ref(), &columns).value
    };
    close(&[weighted([1.0, 1.0, 1.0, 1.0, 0.0]), weighted([1.0, 1.0, 1.0, 0.0, 0.0])], &[0.65, 0.8], 1e-12);
}

/// The clip scale of the turn is 1.163737, its advantage 1.461886: the mean ratio is clipped above 1.325846.
#[test]
fn a2tgpo_clips_the_ratio_of_a_turn_by_its_scale() {
    let of = |log_ratios: [f64; 2]| Columns {
        offsets: vec![0, 2],
        mask: vec![true; 2],
        logprobs: log_ratios.to_vec(),
        old_logprobs: Some(vec![0.0; 2]),
        advantages: vec![1.461886; 2],
        signals: [("token_clip_scales".to_owned(), vec![1.163737; 2])].into(),
        ..Columns::default()
    };
    let objective = objective("a2tgpo", &[("clip_low", 0.2.into()), ("clip_high", 0.28.into())]);
    let inside = loss(objective.as_ref(), &of([0.1, 0.3]));
    close(&[inside.value], &[-1.785552], 1e-6);
    close(&inside.logprobs, &[-1.785552 / 2.0; 2], 1e-6);
    let clipped = loss(objective.as_ref(), &of([0.3, 0.5]));
    close(&[clipped.value], &[-1.938237], 1e-6);
    close(&clipped.logprobs, &[0.0; 2], 1e-12);
}

#[test]
fn guide_damps_hinted_ratios_by_their_quantile() {
    let ratios = [0.05f64, 0.2, 0.6, 1.5];
    let columns = Columns {
        offsets: vec![0, 4],
        mask: vec![true; 4],
        logprobs: ratios.map(f64::ln).to_vec(),
        old_logprobs: Some(vec![0.0; 4]),
        advantages: vec![4.0, 0.0, 0.0, 0.0],
        signals: [("hinted".to_owned(), vec![1.0])].into(),
        ..Columns::default()
    };
    let damped = [0.03906250, 0.13986014, 0.32786885, 0.54945055];
    for (at, damped) in damped.into_iter().enumerate() {
        let mut columns = columns.clone();
        columns.advantages = (0..4).map(|t| if t == at { 4.0 } else { 0.0 }).collect();
        close(&[loss(objective("guide", &[]).as_ref(), &columns).value], &[-damped], 1e-8);
    }
}

/// One utterance of two tokens with log-probability -3.2 under critics that are off by 0.22 and 0.075.
#[test]
fn archer_losses() {
    let signals = [
        ("step_rewards", 0.0),
        ("step_dones", 0.0),
        ("step_q1", 0.6),
        ("step_q2", 0.55),
        ("step_v1", 0.3),
        ("step_v2", 0.35),
        ("step_target_q1", 0.3),
        ("step_target_q2", 0.35),
        ("step_target_next_v1", 0.4),
        ("step_target_next_v2", 0.5),
        ("step_pi_q1", 0.6),
        ("step_pi_q2", 0.55),
    ];
    let columns = Columns {
        offsets: vec![0, 2],
        mask: vec![true; 2],
        logprobs: vec![-1.2, -2.0],
        advantages: vec![0.25; 2],
        steps: Some(vec![0, 2]),
        signals: signals.map(|(name, value)| (name.to_owned(), vec![value])).into(),
        ..Columns::default()
    };
    let got = loss(objective("archer", &[]).as_ref(), &columns);
    close(&[got.value, got.parts["q1_loss"] + got.parts["q2_loss"]], &[0.8, 0.054025], 1e-9);
    close(&[got.parts["critic_loss"]], &[0.054025], 1e-9);
}

#[test]
fn rwr_weights() {
    let columns = Columns {
        offsets: vec![0, 1, 2],
        mask: vec![true; 2],
        logprobs: vec![0.0; 2],
        rewards: Some(vec![0.2, -0.5]),
        signals: [("squared_errors".to_owned(), vec![1.0, 1.0])].into(),
        ..Columns::default()
    };
    let got = loss(objective("rwr", &[]).as_ref(), &columns);
    close(&got.signals["squared_errors"], &[1.221402758 / 2.0, 0.606530660 / 2.0], 1e-9);
    agrees(objective("rwr", &[]).as_ref(), &columns, By::Signal("squared_errors"), crate::differences::value);
}

/// Two turns of a rollout, of which the second is clipped where its advantage is positive.
#[test]
fn sorl_ratios_of_turns() {
    let columns = Columns {
        offsets: vec![0, 5],
        mask: vec![true, true, true, false, true],
        logprobs: vec![0.1, -0.05, 0.2, 0.0, 0.5],
        old_logprobs: Some(vec![0.0; 5]),
        advantages: vec![1.0, 1.0, 1.0, 0.0, 2.0],
        ..Columns::default()
    };
    let got = loss(objective("sorl", &[]).as_ref(), &columns);
    close(&[got.value], &[-(3.0 * 1.0869040495 + 2.0 * 1.2) / 4.0], 1e-9);
    close(&got.logprobs, &[-1.0869040495 / 4.0, -1.0869040495 / 4.0, -1.0869040495 / 4.0, 0.0, 0.0], 1e-9);
}

/// The objective of one step with five candidates of one token, whose ratios are given.
#[test]
fn slate_step() {
    let columns = Columns {
        offsets: (0..=5).collect(),
        groups: vec![0; 5],
        mask: vec![true; 5],
        logprobs: [1.3_f64, 0.9, 1.0, 0.7, 1.1].map(f64::ln).to_vec(),
        old_logprobs: Some(vec![0.0; 5]),
        advantages: vec![0.920357, -0.613572, 0.153393, -1.380536, 0.920357],
        ..Columns::default()
    };
    let got = loss(objective("slate", &[("kl_coef", 0.0.into())]).as_ref(), &columns);
    close(&[got.value], &[-0.122714], 1e-6);
}

/// The weights of what follows, and the advantages `A (1 + f)` that they make.
#[test]
fn appo_weights_of_the_future() {
    let moved = [0.05, 0.1, -0.02];
    let columns = Columns {
        offsets: vec![0, 3],
        mask: vec![true; 3],
        logprobs: moved.to_vec(),
        old_logprobs: Some(vec![0.0; 3]),
        advantages: vec![0.5; 3],
        ..Columns::default()
    };
    let got = loss(objective("appo", &[]).as_ref(), &columns);
    close(&got.outputs["token_future_weights"], &[1.138090, 1.083520, 1.0], 1e-6);
    let weighted = [1.069045, 1.041760, 1.0];
    let wanted =
        moved.iter().zip(weighted).map(|(moved, advantage)| -advantage * f64::exp(*moved) / 3.0).sum();
    close(&[got.value], &[wanted], 1e-6);
}

#[test]
fn archer_step() {
    close(
        &[archer::q_target(0.0, false, 0.95, 0.4), archer::q_target(0.0, false, 0.95, 0.5)],
        &[0.38, 0.475],
        1e-12,
    );
    assert_eq!(archer::q_target(0.7, true, 0.95, 0.5), 0.7);
    close(&[archer::advantage([0.6, 0.55], [0.3, 0.35])], &[0.25], 1e-12);
    close(&[archer::soft_update(0.2, 0.5, 0.1)], &[0.23], 1e-12);
}

#[test]
fn oreal_step() {
    let columns = Columns {
        offsets: vec![0, 4],
        mask: vec![true; 4],
        logprobs: [0.9_f64, 0.5, 0.6, 0.7].map(f64::ln).to_vec(),
        ref_logprobs: Some(vec![0.0; 4]),
        advantages: vec![0.8; 4],
        rewards: Some(vec![1.0]),
        signals: [("token_rm_logits".to_owned(), vec![0.2, 1.0, -0.5, 2.0])].into(),
        ..Columns::default()
    };
    let got = loss(objective("oreal", &[]).as_ref(), &columns);
    close(&[got.parts["positive_loss"], got.parts["reward_model_loss"]], &[0.0775514505, 0.4115508329], 1e-9);
}

#[test]
fn what_is_missing_has_a_name() {
    for (name, signal) in [
        ("archer", "step_rewards"),
        ("guide", "hinted"),
        ("sarm", "step_progress_deltas"),
        ("tsallis", "token_is_answer"),
        ("a2tgpo", "token_clip_scales"),
    ] {
        let columns = Columns {
            steps: Some(vec![0, 4, 8]),
            advantages: vec![0.1; 8],
            rewards: Some(vec![1.0; 2]),
            signals: [].into(),
            ..answered()
        };
        let error = objective(name, &[]).loss(&columns).expect_err(name).to_string();
        assert!(error.contains(signal), "{name}: {error}");
    }
    let no_steps = objective("a3", &[]).loss(&Columns { advantages: vec![0.1; 8], ..answered() });
    assert!(no_steps.expect_err("no steps").to_string().contains("step_ends"));
}
