//! LaRe, DQC and DeScore: losses of what is trained beside the policy.

use meed_operators::objectives::Columns;
use meed_operators::random::RandomKey;
use meed_pipelines::objectives::recipes::lare;

use crate::differences::{By, agrees, batch, loss, objective, part, value, with};

fn close(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-9, "got {got}, expected {wanted}");
}

/// One rollout of so many steps of one token.
fn stepped(count: usize) -> Columns {
    Columns {
        offsets: vec![0, count],
        steps: Some((0..=count).collect()),
        mask: vec![true; count],
        logprobs: vec![-0.5; count],
        ..Columns::default()
    }
}

#[test]
fn lare_has_the_numbers_of_its_section() {
    let mut columns = stepped(4);
    columns.rewards = Some(vec![2.0]);
    columns.signals.insert("step_proxy_rewards".into(), vec![0.1, 0.4, 0.2, 0.3]);
    close(loss(objective("lare", &[]).as_ref(), &columns).value, 0.0625);
    columns.signals.insert("step_drawn".into(), vec![1.0, 1.0, 0.0, 0.0]);
    let randomised = objective("lare", &[("loss", "rrd".into())]);
    close(loss(randomised.as_ref(), &columns).value, 0.0625);
    let unbiased = objective("lare", &[("loss", "rrd".into()), ("unbiased", true.into())]);
    close(loss(unbiased.as_ref(), &columns).value, 0.05125);
}

#[test]
fn lare_has_its_gradient_and_leaves_steps_of_the_environment_out() {
    let mut columns = with(batch(), "step_proxy_rewards", 71, 8);
    agrees(objective("lare", &[]).as_ref(), &columns, By::Signal("step_proxy_rewards"), value);
    let drawn = lare::draw(&columns, 1, RandomKey::new(3, 0, "", "")).expect("steps");
    assert_eq!(drawn, lare::draw(&columns, 1, RandomKey::new(3, 0, "", "")).expect("steps"));
    assert_eq!(drawn.iter().sum::<f64>(), 3.0);
    let all = lare::draw(&columns, 9, RandomKey::new(3, 0, "", "")).expect("steps");
    columns.signals.insert("step_drawn".into(), all);
    for unbiased in [false, true] {
        let settings = [("loss", "rrd".into()), ("unbiased", unbiased.into())];
        let randomised = objective("lare", &settings);
        agrees(randomised.as_ref(), &columns, By::Signal("step_proxy_rewards"), value);
        // All steps drawn: nothing is random, and nothing to be taken off.
        close(
            loss(randomised.as_ref(), &columns).value,
            loss(objective("lare", &[]).as_ref(), &columns).value,
        );
    }
    let mut some = columns;
    some.signals.insert("step_drawn".into(), vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    let settings = [("loss", "rrd".into()), ("unbiased", true.into())];
    agrees(objective("lare", &settings).as_ref(), &some, By::Signal("step_proxy_rewards"), value);
}

#[test]
fn dqc_has_the_numbers_of_its_section() {
    let mut columns = stepped(1);
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    for (name, number) in [
        ("step_chunk_logits", 0.2),
        ("step_chunk_targets", 0.6827083988),
        ("step_action_logits", -0.1),
        ("step_value_logits", 0.1),
        ("step_action_targets", logistic(0.3)),
    ] {
        columns.signals.insert(name.into(), vec![number]);
    }
    let got = loss(objective("dqc", &[("kappa_d", 0.8.into())]).as_ref(), &columns);
    close(got.parts["chunk_loss"], 0.6615971896);
    close(got.parts["action_loss"], 0.5595040478);
    close(got.parts["value_loss"], 0.18);
    close(got.value, 0.6615971896 + 0.5595040478 + 0.18);
    columns.signals.insert("step_chunk_targets".into(), vec![f64::NAN]);
    columns.signals.insert("step_action_valid".into(), vec![0.0]);
    let got = loss(objective("dqc", &[]).as_ref(), &columns);
    assert_eq!((got.parts["chunk_loss"], got.parts["action_loss"]), (0.0, 0.0));
}

#[test]
fn dqc_has_its_gradients() {
    let mut columns = batch();
    for (salt, signal) in
        ["step_chunk_logits", "step_action_logits", "step_value_logits"].into_iter().enumerate()
    {
        columns = with(columns, signal, 80 + salt as u32, 8);
    }
    let targets = vec![0.1, 0.9, f64::NAN, 0.4, 0.7, 1.0, 0.0, 0.5];
    columns.signals.insert("step_chunk_targets".into(), targets);
    columns.signals.insert("step_action_targets".into(), vec![0.2, 0.8, 0.3, f64::NAN, 0.7, 0.9, 0.1, 0.6]);
    for form in ["expectile", "quantile"] {
        let settings = [("distill", form.into()), ("backup", form.into()), ("kappa_d", 0.8.into())];
        let objective = objective("dqc", &settings);
        // The chunk critic is a fixed target of the action critic.
        agrees(objective.as_ref(), &columns, By::Signal("step_chunk_logits"), part("chunk_loss"));
        agrees(objective.as_ref(), &columns, By::Signal("step_action_logits"), value);
        agrees(objective.as_ref(), &columns, By::Signal("step_value_logits"), value);
    }
}

#[test]
fn descore_has_the_numbers_of_its_section() {
    let judged = |preference: f64| {
        let mut columns = stepped(1);
        columns.advantages = vec![0.0];
        for (name, number) in [("first_scores", 0.4), ("second_scores", 0.1), ("preference", preference)] {
            columns.signals.insert(name.into(), vec![number]);
        }
        columns
    };
    let descore = objective("descore", &[]);
    assert!((loss(descore.as_ref(), &judged(1.0)).value - 0.002771776).abs() < 1e-9);
    assert!(loss(descore.as_ref(), &judged(-1.0)).value > 0.002771776);
    for skipped in [0.0, f64::NAN] {
        assert_eq!(loss(descore.as_ref(), &judged(skipped)).value, 0.0);
    }
}

#[test]
fn descore_is_the_clipped_surrogate_beside_its_scores() {
    let mut columns = batch();
    for (salt, signal) in ["first_scores", "second_scores"].into_iter().enumerate() {
        columns = with(columns, signal, 90 + salt as u32, 3);
    }
    columns.signals.insert("preference".into(), vec![1.0, 0.0, -1.0]);
    let descore = objective("descore", &[("bt_weight", 0.5.into())]);
    agrees(descore.as_ref(), &columns, By::Signal("first_scores"), value);
    agrees(descore.as_ref(), &columns, By::Signal("second_scores"), value);
    let plain = loss(objective("ppo_clip", &[]).as_ref(), &columns);
    let without = loss(objective("descore", &[("bt_weight", 0.0.into())]).as_ref(), &columns);
    assert_eq!((plain.value, plain.logprobs), (without.value, without.logprobs));
}
