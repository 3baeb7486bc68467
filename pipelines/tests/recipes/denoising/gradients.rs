//! AlignProp, InstructVideo and SRUM: where the gradient of a reward goes.

use serde_json::{Value, json};

use super::samples;
use crate::support::{close, given, signal, try_given};

#[test]
fn one_truncation_is_drawn_per_iteration() {
    let drawn = |settings: Value, iteration: i64| -> f64 {
        let mut rows = samples(&[0.2, 0.5], 50);
        rows.as_array_mut().unwrap().iter_mut().for_each(|row| row["iteration"] = iteration.into());
        let given = given("alignprop", settings, rows);
        let steps = signal(&given, "r0", "step_gradients");
        assert_eq!(steps, signal(&given, "r1", "step_gradients"));
        let trained = steps.iter().sum::<f64>();
        close(&steps, &(0..50).map(|t| f64::from(u8::from(t as f64 >= 50.0 - trained))).collect::<Vec<_>>());
        trained
    };
    let all: Vec<f64> = (0..40).map(|iteration| drawn(json!({}), iteration)).collect();
    assert!(all.iter().all(|&trained| (1.0..50.0).contains(&trained)), "{all:?}");
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!((mean - 8.6).abs() < 2.5, "{mean}");
    assert_eq!(drawn(json!({ "truncation": "fixed" }), 0), 1.0);
}

#[test]
fn the_losses_of_alignprop() {
    let loss =
        |settings: Value| signal(&given("alignprop", settings, samples(&[0.25], 2)), "r0", "gradient_losses");
    close(&loss(json!({})), &[0.0075]);
    close(&loss(json!({ "loss": "negative", "loss_scale": 2 })), &[-0.005]);
    close(&loss(json!({ "loss": "distance", "target": 10 })), &[0.0975]);
    // A sample of one step has no step before the first with a gradient.
    let short = given("alignprop", json!({}), samples(&[0.25], 1));
    assert!(signal(&short, "r0", "step_gradients")[0].is_nan());
}

#[test]
fn the_numbers_of_instructvideo() {
    let mut frames = vec![Value::Null; 16];
    for (frame, reward) in [(2, 0.25), (7, 0.28), (8, 0.27), (13, 0.24)] {
        frames[frame] = reward.into();
    }
    let settings = json!({ "sampling": "scored", "attenuation": 0.1 });
    let given_ = given("instructvideo", settings, json!([{ "frame_rewards": frames }]));
    close(&signal(&given_, "r0", "rewards"), &[0.201531186]);
    let weights = signal(&given_, "r0", "frame_weights");
    close(&[weights[2], weights[7], weights[8], weights[13]], &[0.548811636, 0.904837418, 1.0, 0.60653066]);
}

#[test]
fn one_frame_is_drawn_of_each_segment() {
    let rows: Value = (0..20).map(|_| json!({ "frame_rewards": vec![1.0; 10] })).collect();
    let given = given("instructvideo", json!({ "attenuation": 0 }), rows);
    let mut seen = [false; 10];
    for rollout in 0..20 {
        let weights = signal(&given, &format!("r{rollout}"), "frame_weights");
        // Ten frames in four segments begin at 0, 2, 5 and 7.
        for segment in [0..2, 2..5, 5..7, 7..10] {
            let drawn: Vec<usize> = segment.filter(|&frame| !weights[frame].is_nan()).collect();
            assert_eq!(drawn.len(), 1, "{weights:?}");
            seen[drawn[0]] = true;
        }
        close(&signal(&given, &format!("r{rollout}"), "rewards"), &[1.0]);
    }
    assert!(seen.iter().all(|&seen| seen), "{seen:?}");
}

#[test]
fn the_map_of_srum() {
    let rows = json!([{ "cell_scores": [0.6, -0.8, null, null], "global_score": 0.4 }]);
    close(&signal(&given("srum", json!({}), rows), "r0", "cell_weights"), &[0.56, 0.35, 0.35, 0.35]);
}

#[test]
fn nothing_is_drawn_without_segments() {
    let rows = json!([{ "frame_rewards": [1.0, 2.0] }]);
    let error = try_given("instructvideo", json!({ "segments": 0 }), rows.clone());
    assert!(error.err().is_some_and(|error| error.to_string().contains("segments")));
    // Of more segments than frames, some are empty.
    close(
        &signal(&given("instructvideo", json!({ "segments": 5, "attenuation": 0 }), rows), "r0", "rewards"),
        &[1.5],
    );
}

#[test]
fn steps_of_an_environment_have_no_gradient_of_their_own() {
    let row = json!({
        "reward": 1.0, "token_mask": [false, true, true, false], "step_ends": [1, 2, 3, 4],
        "step_kinds": ["observation", "policy", "policy", "observation"],
    });
    let given = given("alignprop", json!({ "truncation": "fixed" }), json!([row]));
    close(&signal(&given, "r0", "step_gradients"), &[f64::NAN, 0.0, 1.0, f64::NAN]);
}
