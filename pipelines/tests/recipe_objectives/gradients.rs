//! Every written-out gradient against central differences. What an objective holds fixed (weights, chosen
//! tokens, advantages) is held fixed here too: by settings that make it constant, or by moves that leave
//! it alone.

use meed_operators::objectives::{Columns, Sum};

use crate::differences::{By, agrees, agrees_along, batch, loss, objective, part, value, with};

/// All tokens of each of these ranges move together.
fn together(ranges: impl IntoIterator<Item = std::ops::Range<usize>>) -> Vec<Vec<(usize, f64)>> {
    ranges.into_iter().map(|range| range.map(|element| (element, 1.0)).collect()).collect()
}

#[test]
fn a2tgpo_moves_by_turns() {
    // A token has the gradient of its turn's ratio as if it were its own: whole turns move as it says.
    let mut columns = with(batch(), "token_clip_scales", 11, 16);
    for turn in columns.segments() {
        let (advantage, scale) =
            (columns.advantages[turn.start], columns.signals["token_clip_scales"][turn.start]);
        columns.advantages[turn.clone()].fill(-advantage);
        columns.signals.get_mut("token_clip_scales").unwrap()[turn].fill(scale.abs());
    }
    let objective = objective("a2tgpo", &[("clip_low", 0.1.into()), ("clip_high", 0.1.into())]);
    let clipped = loss(objective.as_ref(), &columns).parts["clip_fraction"];
    assert!(clipped > 0.0 && clipped < 1.0, "{clipped}");
    agrees_along(objective.as_ref(), &columns, By::Logprobs, value, &together(columns.segments()));
    // The ranges that the recipe gives are the same in other words.
    let by_scales = loss(objective.as_ref(), &columns);
    let scales = columns.signals.remove("token_clip_scales").unwrap();
    let ranges: Vec<f64> = scales.iter().map(|scale| 0.1 * scale).collect();
    (columns.clip_low, columns.clip_high) = (Some(ranges.clone()), Some(ranges));
    assert_eq!(loss(objective.as_ref(), &columns).value, by_scales.value);
}

#[test]
fn a3() {
    agrees(objective("a3", &[("kl_coef", 0.1.into())]).as_ref(), &batch(), By::Logprobs, value);
}

#[test]
fn appo() {
    // The weight of the future carries no gradient; here it is 1 for every token.
    let settings = [
        ("future_clip", 1e-13.into()),
        ("dual_clip", 1.5.into()),
        ("aggregate", "seq_mean_token_mean".into()),
    ];
    let objective = objective("appo", &settings);
    assert!(loss(objective.as_ref(), &batch()).parts["dual_clip_fraction"] > 0.0);
    agrees(objective.as_ref(), &batch(), By::Logprobs, value);
}

#[test]
fn archer() {
    let mut columns = with(batch(), "token_baselines", 20, 16);
    for (salt, signal) in [
        "step_rewards",
        "step_q1",
        "step_q2",
        "step_v1",
        "step_v2",
        "step_target_q1",
        "step_target_q2",
        "step_target_next_v1",
        "step_target_next_v2",
        "step_pi_q1",
        "step_pi_q2",
    ]
    .into_iter()
    .enumerate()
    {
        columns = with(columns, signal, 30 + salt as u32, 8);
    }
    columns.signals.insert("step_dones".into(), vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    for mean in ["tokens", "padded"] {
        let objective =
            objective("archer", &[("token_baseline", true.into()), ("baseline_mean", mean.into())]);
        agrees(objective.as_ref(), &columns, By::Logprobs, value);
        agrees(objective.as_ref(), &columns, By::Signal("token_baselines"), part("baseline_loss"));
        for head in ["q1", "q2", "v1", "v2"] {
            let signal = format!("step_{head}");
            agrees(objective.as_ref(), &columns, By::Signal(&signal), part(&format!("{head}_loss")));
            agrees(objective.as_ref(), &columns, By::Signal(&signal), part("critic_loss"));
        }
    }
}

#[test]
fn guide() {
    let mut columns = batch();
    columns.signals.insert("hinted".into(), vec![1.0, 0.0, 1.0]);
    for (strategy, number) in [("constant", 0.7), ("power", 0.5)] {
        let objective = objective("guide", &[("strategy", strategy.into()), ("value", number.into())]);
        agrees(objective.as_ref(), &columns, By::Logprobs, value);
    }
    // The quantile is held fixed: it acts as the constant of its value. Of two ratios the median is their mean.
    let pair = Columns {
        offsets: vec![0, 2],
        mask: vec![true, true],
        logprobs: vec![-0.5, -1.5],
        old_logprobs: Some(vec![-1.0, -1.0]),
        advantages: vec![0.7, 0.7],
        signals: [("hinted".to_owned(), vec![1.0])].into(),
        ..Columns::default()
    };
    let median = 0.5 * (0.5_f64.exp() + (-0.5_f64).exp());
    let by_quantile = loss(objective("guide", &[("value", 0.5.into())]).as_ref(), &pair);
    let constant = [("strategy", "constant".into()), ("value", median.into())];
    let by_constant = loss(objective("guide", &constant).as_ref(), &pair);
    assert!((by_quantile.value - by_constant.value).abs() < 1e-12);
    for (a, b) in by_quantile.logprobs.iter().zip(&by_constant.logprobs) {
        assert!((a - b).abs() < 1e-12 && *a != 0.0);
    }
}

#[test]
fn habc() {
    let mut columns = batch();
    for (salt, signal) in ["step_viability", "step_next_viability", "step_efficiency", "step_next_efficiency"]
        .into_iter()
        .enumerate()
    {
        columns = with(columns, signal, 50 + salt as u32, 8);
    }
    columns.signals.insert("step_dones".into(), vec![0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    columns.signals.insert("step_autonomous".into(), vec![1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    let habc = objective("habc", &[("huber_delta", 0.6.into())]);
    agrees(habc.as_ref(), &columns, By::Logprobs, value);
    agrees(habc.as_ref(), &columns, By::Signal("step_viability"), part("viability_loss"));
    agrees(habc.as_ref(), &columns, By::Signal("step_efficiency"), part("efficiency_loss"));
    agrees(habc.as_ref(), &with(columns, "step_errors", 60, 8), By::Signal("step_errors"), value);
}

#[test]
fn light_if() {
    let sft = objective("light_if_sft", &[("token_ratio", 0.5.into())]);
    agrees(sft.as_ref(), &batch(), By::Logprobs, value);

    let open = [("detach", false.into()), ("cov_scale", 4.0.into()), ("cov_cap", 1.5.into())];
    let tea = objective("light_if_tea", &open);
    agrees(tea.as_ref(), &batch(), By::Entropies, value);
    // The mean log-probability is held fixed: moves that leave it alone.
    let columns = batch();
    let trained = columns.trainable(0..columns.tokens());
    let pairs: Vec<Vec<(usize, f64)>> =
        trained.windows(2).map(|pair| vec![(pair[0], 1.0), (pair[1], -1.0)]).collect();
    agrees_along(tea.as_ref(), &columns, By::Logprobs, value, &pairs);

    // With fixed coefficients the bonus has no gradient by log-probabilities.
    let fixed = loss(objective("light_if_tea", &[]).as_ref(), &columns);
    let without = loss(objective("light_if_tea", &[("cov_scale", 0.0.into())]).as_ref(), &columns);
    assert_eq!(fixed.logprobs, without.logprobs);
    assert!(fixed.value < without.value);
}

#[test]
fn oreal() {
    let columns = with(batch(), "token_rm_logits", 40, 16);
    for kl in ["k2", "k3", "negative_k1"] {
        // The negative term has the value of its ratio, 1: only the rest is a difference.
        let settings =
            [("kl_estimator", kl.into()), ("kl_coef", 0.3.into()), ("negative_factor", 0.0.into())];
        agrees(objective("oreal", &settings).as_ref(), &columns, By::Logprobs, value);
    }
    let full = objective("oreal", &[]);
    agrees(full.as_ref(), &columns, By::Signal("token_rm_logits"), part("reward_model_loss"));
    let (with_negatives, without) = (
        loss(full.as_ref(), &columns),
        loss(objective("oreal", &[("negative_factor", 0.0.into())]).as_ref(), &columns),
    );
    // exp(logp - sg(logp)) has value 1 and derivative 1: value and gradient of the term add up alike.
    let added: f64 = with_negatives.logprobs.iter().zip(&without.logprobs).map(|(a, b)| a - b).sum();
    assert!(added != 0.0 && (added - with_negatives.parts["negative_loss"]).abs() < 1e-12);
}

#[test]
fn r3l() {
    agrees(objective("r3l", &[("kl_coef", 0.2.into())]).as_ref(), &batch(), By::Logprobs, value);
}

#[test]
fn score_two_attempt() {
    for stage in [1, 2] {
        let settings = [("stage", stage.into()), ("beta1", 0.3.into()), ("beta2", 0.2.into())];
        agrees(objective("score_two_attempt", &settings).as_ref(), &batch(), By::Logprobs, value);
    }
}

#[test]
fn regressions() {
    let sarm = objective("sarm", &[]);
    let columns = with(batch(), "step_progress_deltas", 75, 8);
    agrees(sarm.as_ref(), &columns, By::Logprobs, value);
    agrees(sarm.as_ref(), &with(columns, "step_errors", 71, 8), By::Signal("step_errors"), value);
    for weight in ["exp", "raw"] {
        let rwr = objective("rwr", &[("weight", weight.into())]);
        agrees(rwr.as_ref(), &batch(), By::Logprobs, value);
        agrees(rwr.as_ref(), &with(batch(), "squared_errors", 72, 3), By::Signal("squared_errors"), value);
    }
}

#[test]
fn slate() {
    let settings = [("kl_coef", 0.2.into()), ("clip", 0.5.into())];
    agrees(objective("slate", &settings).as_ref(), &batch(), By::Logprobs, value);
    let mut columns = batch();
    columns.signals.insert("question".into(), vec![4.0, 4.0, 9.0]);
    agrees(objective("slate", &settings).as_ref(), &columns, By::Logprobs, value);
}

#[test]
fn sorl() {
    let objective = objective("sorl", &[("clip_low", 0.1.into()), ("clip_high", 0.1.into())]);
    let clipped = loss(objective.as_ref(), &batch()).parts["clip_fraction"];
    assert!(clipped > 0.0 && clipped < 1.0, "{clipped}");
    agrees(objective.as_ref(), &batch(), By::Logprobs, value);
}

#[test]
fn carr_and_prorag() {
    // Weights to the sampling policy depend on old log-probabilities: they are fixed anyway.
    let window =
        [("low", 0.3.into()), ("high", 1.5.into()), ("clip_low", 0.5.into()), ("clip_high", 0.5.into())];
    agrees(objective("carr", &window).as_ref(), &batch(), By::Logprobs, value);
    for aggregate in ["all_tokens", "seq_mean_token_mean"] {
        let settings =
            [("sequence_cap", 50.0.into()), ("aggregate", aggregate.into()), ("clip_high", 0.5.into())];
        agrees(objective("prorag", &settings).as_ref(), &batch(), By::Logprobs, value);
    }
    let capped = loss(objective("prorag", &[("sequence_cap", 1e-9.into())]).as_ref(), &batch());
    assert_eq!((capped.value, capped.logprobs), (0.0, vec![0.0; 16]));
}

#[test]
fn ma_rlhf() {
    let ma_rlhf = objective("ma_rlhf", &[("clip", 0.5.into()), ("value_coef", 0.4.into())]);
    agrees(ma_rlhf.as_ref(), &batch(), By::Logprobs, value);
    agrees(ma_rlhf.as_ref(), &batch(), By::Values, value);
}

#[test]
fn poad() {
    for (kind, one_sided) in [("huber", false), ("huber", true), ("mse", false)] {
        let poad = objective(
            "poad",
            &[
                ("clip", 0.5.into()),
                ("value_loss", kind.into()),
                ("one_sided", one_sided.into()),
                ("huber_delta", 0.3.into()),
                ("kl_limit", serde_json::Value::Null),
            ],
        );
        for by in [By::Logprobs, By::Values, By::Entropies] {
            agrees(poad.as_ref(), &batch(), by, value);
        }
    }
    let stopped = loss(objective("poad", &[]).as_ref(), &batch());
    assert!(stopped.parts["approx_kl"] > 0.02 && stopped.parts["policy_updated"] == 0.0);
    assert_eq!((stopped.logprobs, stopped.entropies), (vec![0.0; 16], Some(vec![0.0; 16])));
    assert!(stopped.values.is_some_and(|values| values.iter().any(|slope| *slope != 0.0)));
}

#[test]
fn target_decoupling() {
    let mut columns = with(batch(), "token_head_values", 90, 48);
    columns = with(columns, "token_old_head_values", 91, 48);
    columns = with(columns, "token_head_returns", 92, 48);
    for (heads, clip) in [("mean", true), ("auxiliary", true), ("auxiliary", false)] {
        let settings = [
            ("clip", 0.5.into()),
            ("heads", heads.into()),
            ("aux_weight", 0.3.into()),
            ("clip_value_loss", clip.into()),
        ];
        let objective = objective("target_decoupling", &settings);
        for by in [By::Logprobs, By::Entropies, By::Signal("token_head_values")] {
            agrees(objective.as_ref(), &columns, by, value);
        }
    }
    columns.signals.get_mut("token_head_returns").unwrap().pop();
    let error = objective("target_decoupling", &[]).loss(&columns).expect_err("a value is missing");
    assert!(error.to_string().contains("heads"), "{error}");
}

#[test]
fn text2grad() {
    let text2grad = objective("text2grad", &[("clip", 0.5.into()), ("value_coef", 0.4.into())]);
    agrees(text2grad.as_ref(), &batch(), By::Logprobs, value);
    agrees(text2grad.as_ref(), &batch(), By::Values, value);
    let skipped = loss(objective("text2grad", &[("ratio_threshold", 0.1.into())]).as_ref(), &batch());
    assert_eq!((skipped.value, skipped.parts["skipped"]), (0.0, 1.0));
    assert_eq!((skipped.logprobs, skipped.values), (vec![0.0; 16], Some(vec![0.0; 16])));
}

#[test]
fn sums_keep_the_gradients_of_signals() {
    let columns = with(batch(), "squared_errors", 72, 3);
    let rwr = || objective("rwr", &[]);
    let sum = Sum { name: "sum".into(), terms: vec![(0.5, rwr()), (2.0, rwr())] };
    agrees(&sum, &columns, By::Signal("squared_errors"), value);
    let mut added = loss(rwr().as_ref(), &columns);
    added.add_weighted(1.5, loss(rwr().as_ref(), &columns));
    let (sum, added) = (&loss(&sum, &columns).signals["squared_errors"], &added.signals["squared_errors"]);
    for (sum, added) in sum.iter().zip(added) {
        assert!((sum - added).abs() < 1e-12);
    }
}
