//! Preference objectives against finite differences, and against the numbers of their sections.

use std::collections::BTreeMap;

use meed_operators::objectives::preference::{Pair, better_against_worse};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::random::RandomKey;

use crate::objectives::finite_differences::{logprobs, logprobs_at, loss_of};

/// Numbers between -1 and 0 that depend on their place only.
fn numbers(count: usize, salt: f64) -> Vec<f64> {
    (0..count).map(|i| -0.5 + 0.5 * ((i as f64 + 1.0) * (salt + 1.7)).sin()).collect()
}

/// Five rollouts of two groups, of 1 to 4 tokens, some of them not trained on; two pairs.
fn batch() -> Columns {
    let signals = [("token_rm_logprobs", 3.0), ("token_better_logprobs", 4.0), ("token_worse_logprobs", 5.0)];
    let mut columns = Columns {
        offsets: vec![0, 3, 7, 8, 11, 13],
        groups: vec![0, 0, 1, 1, 1],
        mask: [true, true, true, true, false, false, true, true, true, false, true, true, true].to_vec(),
        logprobs: numbers(13, 0.0),
        old_logprobs: Some(numbers(13, 1.0)),
        ref_logprobs: Some(numbers(13, 2.0)),
        rewards: Some(vec![1.0, 0.0, 0.25, 1.0, 0.0]),
        pairs: vec![Pair::new(0, 1), Pair::new(3, 2)],
        signals: signals.map(|(name, salt)| (name.to_owned(), numbers(13, salt))).into(),
        ..Columns::default()
    };
    let of_rollouts = [
        ("reference", vec![0.0, 0.0, 0.0, 0.0, 1.0]),
        ("attribute_logprob", vec![-0.3, -0.9, -0.2, -1.0, -0.4]),
        ("unconditional_logprob", vec![-1.3, -0.7, -1.1, -1.0, -0.8]),
        ("pair_labels", vec![0.8, 0.3]),
        ("pair_margin_factor", vec![0.4, -0.6]),
    ];
    columns.signals.extend(of_rollouts.map(|(name, values)| (name.to_owned(), values)));
    columns
}

/// Rollouts of the given numbers of tokens, each token with the same log-probability.
fn rollouts(each: &[(usize, f64)]) -> Columns {
    let mut columns = Columns { offsets: vec![0], groups: vec![0; each.len()], ..Columns::default() };
    for (tokens, logprob) in each {
        columns.logprobs.extend(vec![*logprob; *tokens]);
        columns.offsets.push(columns.logprobs.len());
    }
    columns.mask = vec![true; columns.logprobs.len()];
    columns
}

fn close(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-7, "got {got}, expected {wanted}");
}

fn all_close(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len());
    got.iter().zip(wanted).for_each(|(got, wanted)| close(*got, *wanted));
}

#[test]
fn gradients_are_those_of_the_losses() {
    let forms = [
        "sigmoid",
        "sigmoid_norm",
        "hinge",
        "ipo",
        "nca_pair",
        "robust",
        "bco_pair",
        "sppo_hard",
        "apo_zero",
        "apo_down",
        "discopop",
        "aot",
        "aot_unpaired",
        "exo_pair",
        "sft",
    ];
    for form in forms {
        let settings = [("loss", form), ("beta", "0.6"), ("label_smoothing", "0.1")];
        logprobs(form, &batch(), loss_of("dpo", &settings));
    }
    for divergence in ["forward_kl", "js_divergence", "alpha_divergence"] {
        for form in ["sigmoid", "ipo", "sppo_hard"] {
            let settings = [("loss", form), ("divergence", divergence), ("beta", "0.6"), ("alpha", "0.3")];
            logprobs(divergence, &batch(), loss_of("dpo", &settings));
        }
    }
    let combined = [("loss", "[\"sigmoid\", \"bco_pair\", \"sft\"]"), ("loss_weights", "[0.8, 0.2, 1.5]")];
    logprobs("combined", &batch(), loss_of("dpo", &combined));
    logprobs("ld", &batch(), loss_of("dpo", &[("length_desensitisation", "0.4")]));
    logprobs("tgdpo", &batch(), loss_of("tgdpo", &[("alpha", "3")]));
    logprobs("rise", &batch(), loss_of("rise", &[("nll_weight", "0.5")]));
    logprobs("r_to_q", &batch(), loss_of("r_to_q", &[]));
    logprobs("sweet_rl", &batch(), loss_of("sweet_rl", &[]));
    logprobs("specs", &batch(), loss_of("specs", &[]));
    logprobs("flow_dpo", &batch(), loss_of("flow_dpo", &[("beta", "2")]));
    logprobs("power_dl", &batch(), loss_of("power_dl", &[("eta", "0.3")]));
    logprobs("steporlm", &batch(), loss_of("steporlm", &[]));
    logprobs("steporlm with a reference", &batch(), loss_of("steporlm", &[("reference", "ref")]));
    logprobs("mm_rlhf", &batch(), loss_of("mm_rlhf", &[("mode", "explicit"), ("label_smoothing", "0.9")]));
    logprobs("mm_rlhf as in the paper", &batch(), loss_of("mm_rlhf", &[("mode", "paper")]));
    logprobs("aft", &batch(), loss_of("aft", &[("constraint", "none")]));
    // SimPO's scores have no reference.
    logprobs("simpo", &batch(), loss_of("t_reg", &[("base", "simpo"), ("gamma", "0.4"), ("alpha", "0")]));
}

/// Turns of two and one tokens, with means 0.2 and 0.3, against one turn with mean 0.1; with a turn per token
/// and beta it is DPO.
#[test]
fn sweet_rl_sums_means_of_turns() {
    let mut columns = Columns {
        offsets: vec![0, 4, 6],
        steps: Some(vec![0, 2, 3, 4, 6]),
        mask: vec![true, true, false, true, true, true],
        logprobs: vec![0.1, 0.3, 9.0, 0.3, 0.05, 0.15],
        ref_logprobs: Some(vec![0.0; 6]),
        pairs: vec![Pair::new(0, 1)],
        ..Columns::default()
    };
    close(loss_of("sweet_rl", &[])(&columns).value, (1.0 + (-0.4f64).exp()).ln());
    columns.steps = Some((0..=6).collect());
    let (got, dpo) = (loss_of("sweet_rl", &[("beta", "0.1")])(&columns), loss_of("dpo", &[])(&columns));
    close(got.value, dpo.value);
    all_close(&got.logprobs, &dpo.logprobs);
    columns.steps = None;
    close(loss_of("sweet_rl", &[])(&columns).value, (1.0 + (-0.4f64).exp()).ln());
}

#[test]
fn weights_that_are_held_fixed_have_no_gradient() {
    let (with, without) = (loss_of("t_reg", &[("alpha", "0.5")]), loss_of("t_reg", &[("alpha", "0")]));
    logprobs("t_reg", &batch(), &without);
    // Beside the preference, only what the regulariser's tokens say: alpha w beta r / pairs.
    let (columns, at) = (batch(), with(&batch()));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for (i, pair) in columns.pairs.iter().enumerate() {
        let weight = -(-at.outputs["pair_losses"][i]).exp() + 1.0;
        for t in columns.range(pair.chosen).chain(columns.range(pair.rejected)).filter(|&t| columns.mask[t]) {
            let gap =
                columns.signals["token_better_logprobs"][t] - columns.signals["token_worse_logprobs"][t];
            let added = -0.5 * weight * 0.1 * (sigmoid(gap) - 0.5) / 2.0;
            close(at.logprobs[t] - without(&columns).logprobs[t], added);
        }
    }
    // SteerLM's gradient is that of the divergence from its target, over the mean length.
    let steerlm = loss_of("helpsteer2_steerlm2", &[]);
    let mut one_group = batch();
    one_group.groups = vec![0; 5];
    let length = 10.0 / 5.0;
    logprobs_at("steerlm", &one_group, &(0..13).collect::<Vec<_>>(), |columns| {
        let loss = steerlm(columns);
        Loss { value: loss.parts["target_kl"] / length, ..loss }
    });
    // The boundary of a bad answer does not depend on it.
    let mut binary = batch();
    binary.rewards = Some(vec![1.0, 0.0, 0.0, 1.0, 0.0]);
    logprobs_at("aft", &binary, &[3, 4, 5, 6, 7], loss_of("aft", &[("constraint", "boundary")]));
}

#[test]
fn r_to_q_has_the_numbers_of_its_section() {
    let mut columns = rollouts(&[(3, 0.0), (1, -1.0)]);
    columns.logprobs = vec![-1.0, -0.5, -0.2, -1.0];
    columns.ref_logprobs = Some(vec![-1.2, -0.4, -0.9, -1.0]);
    columns.pairs = vec![Pair::new(0, 1)];
    let loss = loss_of("r_to_q", &[])(&columns);
    all_close(&loss.outputs["implicit_rewards"][..3], &[0.02, -0.01, 0.07]);
    all_close(&loss.outputs["rewards_to_go"][..3], &[0.08, 0.06, 0.07]);
    all_close(&loss.outputs["values"][..3], &[0.02, 0.01, 0.08]);
    close(loss.value, (1.0 + (-0.08_f64).exp()).ln());
    assert_eq!(loss.value, loss_of("dpo", &[])(&columns).value);
}

#[test]
fn t_reg_has_the_numbers_of_its_section() {
    let mut columns = rollouts(&[(3, 0.0), (1, 0.0)]);
    columns.logprobs = vec![-1.1, -0.6, -1.8, -1.0];
    // beta 0.1: implicit rewards 0.3 and 0.1.
    columns.ref_logprobs = Some(vec![-2.1, -1.6, -2.8, -2.0]);
    columns.pairs = vec![Pair::new(0, 1)];
    let worse = -1.0 - (0.7_f64 / 0.3).ln();
    // The rejected response has sigmoid(better - worse) - 1/2 = 0.2, so that its regulariser is 0.02.
    columns.signals = BTreeMap::from([
        ("token_better_logprobs".to_owned(), vec![-1.0, -0.5, -2.0, -1.0]),
        ("token_worse_logprobs".to_owned(), vec![-1.5, -0.5, -1.0, worse]),
    ]);
    let loss = loss_of("t_reg", &[("alpha", "0.25")])(&columns);
    close(loss.parts["preference"], 0.5981388694);
    close(loss.parts["regulariser"], 0.25 * 0.4501660027 * (-0.0281200177 + 0.02));
    close(loss.value, 0.5972250304);
}

#[test]
fn tgdpo_and_rise_have_the_numbers_of_their_sections() {
    let mut columns = rollouts(&[(3, 0.0), (2, 0.0)]);
    columns.logprobs = vec![0.2, -0.1, 0.4, 0.1, -0.3];
    columns.ref_logprobs = Some(vec![0.0; 5]);
    columns.pairs = vec![Pair::new(0, 1)];
    columns.signals.insert("token_rm_logprobs".into(), vec![1.0, -0.5, 0.2, -1.0, 0.6]);
    close(loss_of("tgdpo", &[])(&columns).value, 0.6586389366);
    close(loss_of("tgdpo", &[("alpha", "0")])(&columns).value, 0.6587595555);

    let mut columns = rollouts(&[(1, 1.5), (1, -0.5), (1, 0.3), (1, 0.1)]);
    columns.ref_logprobs = Some(vec![0.0; 4]);
    columns.pairs = vec![Pair::new(0, 1), Pair::new(2, 3)];
    let loss = loss_of("rise", &[])(&columns);
    all_close(&loss.outputs["pair_losses"], &[0.3711006659, 0.6539469673]);
    close(loss.value, 0.5125238166);
}

#[test]
fn power_dl_has_the_numbers_of_its_section() {
    let mut columns = rollouts(&[(4, -0.75), (5, -1.0)]);
    columns.pairs = vec![Pair::new(0, 1)];
    let settings = [("beta", "2"), ("gamma", "0.1"), ("eta", "0.001")];
    close(loss_of("power_dl", &settings)(&columns).value, 0.4389879505);
    let plain = loss_of("power_dl", &[("beta", "2"), ("gamma", "0.1"), ("eta", "0")]);
    for (label, value) in
        [(0.9645656306, 0.4587485721), (0.9326746982, 0.4778831316), (0.9039728590, 0.4951042351)]
    {
        let labels = plain(&columns).outputs["pair_labels"].clone();
        close(labels[0], label);
        columns.signals.insert("pair_labels".into(), labels);
        close(plain(&columns).value, value);
    }
}

#[test]
fn power_dl_leaves_out_a_pair_without_tokens() {
    let loss = loss_of("power_dl", &[]);
    let mut columns = rollouts(&[(4, -0.75), (5, -1.0), (0, 0.0)]);
    columns.pairs = vec![Pair::new(0, 1)];
    let alone = loss(&columns);
    columns.pairs.push(Pair::new(0, 2));
    let beside = loss(&columns);
    assert_eq!((beside.value, &beside.logprobs), (alone.value, &alone.logprobs));
    assert_eq!(beside.outputs["pair_labels"][1], 1.0);
}

#[test]
fn mm_rlhf_has_the_numbers_of_its_section() {
    let mut columns = rollouts(&[(1, 1.0), (1, 2.0), (1, 3.0), (1, -1.0), (1, 0.0)]);
    columns.ref_logprobs = Some(vec![0.0; 5]);
    columns.pairs = (0..4).map(|chosen| Pair::new(chosen, 4)).collect();
    columns.signals.insert("pair_drawn".into(), vec![1.0, 1.0, 1.0, 0.0]);
    let loss = loss_of("mm_rlhf", &[("sft_weight", "0")])(&columns);
    all_close(&loss.outputs["betas"], &[0.1075; 4]);
    all_close(&loss.outputs["draw_weights"], &[0.98934291, 0.90807477, 0.5915554, 0.41985031]);
    all_close(&loss.outputs["pair_losses"], &[0.64084102, 0.59141421, 0.54484201, 0.74834102]);
    close(loss.value, 0.6313595634);

    columns.rewards = Some(vec![0.0, 0.5, 2.0, 10.0, 0.0]);
    let paper = loss_of("mm_rlhf", &[("mode", "paper"), ("w", "0.5"), ("k", "0.5")])(&columns);
    all_close(&paper.outputs["betas"], &[0.1, 0.1110599608, 0.1316060279, 0.1496631027]);

    let key = RandomKey::new(1, 0, "", "");
    let drawn = super::mm_rlhf::draw(&columns, 0.8, key).unwrap();
    assert_eq!(drawn.iter().sum::<f64>(), 3.0);
    assert_eq!(super::mm_rlhf::draw(&columns, 0.8, key).unwrap(), drawn);
}

#[test]
fn steerlm_has_the_numbers_of_its_section() {
    // T = 10: the three responses have 10 tokens each.
    let mut columns = rollouts(&[(10, -1.75), (10, -1.62), (10, -2.5)]);
    let likelihoods = [-17.5, -16.2, -25.0];
    let changes = [0.5, -0.2, 0.0];
    let old = (0..30).map(|t| (likelihoods[t / 10] - changes[t / 10]) / 10.0).collect();
    columns.old_logprobs = Some(old);
    let targets = [-12.0, -11.0, -16.0];
    let attribute = (0..3).map(|i| targets[i] + likelihoods[i] - changes[i]).collect();
    columns.signals = BTreeMap::from([
        ("attribute_logprob".to_owned(), attribute),
        ("unconditional_logprob".to_owned(), vec![0.0; 3]),
    ]);
    let loss = loss_of("helpsteer2_steerlm2", &[])(&columns);
    close(loss.value, -0.2764972070);
    close(loss.parts["target_kl"], 0.6447964562);
    for (i, weight) in [-0.2078618, 0.49135632, -0.28349451].into_iter().enumerate() {
        close(loss.logprobs[10 * i], -weight / 10.0);
    }
}

#[test]
fn specs_steporlm_and_flow_dpo_have_the_numbers_of_their_sections() {
    let mut columns = rollouts(&[(1, -0.7), (1, -1.7)]);
    columns.ref_logprobs = Some(vec![-2.7, -0.7]);
    columns.pairs = vec![Pair::new(0, 1)];
    close(loss_of("specs", &[("lambda", "0.5")])(&columns).value, 0.9043552445);

    let mut columns = rollouts(&[(1, -10.0), (1, -12.0), (1, -9.5), (1, -9.0)]);
    columns.groups = vec![0, 0, 1, 1];
    columns.rewards = Some(vec![1.0, 0.0, 1.0, 1.0]);
    columns.signals.insert("step_accuracy".into(), vec![0.1, 0.9, 0.75, 0.5]);
    columns.pairs = super::steporlm::pairs(&columns).unwrap();
    assert_eq!(columns.pairs, [Pair::new(0, 1), Pair::new(2, 3).weighted(0.25)]);
    close(loss_of("steporlm", &[])(&columns).value, (0.5981388694 + 0.1796149) / 2.0);

    let mut columns = rollouts(&[(1, -0.30), (1, -0.28)]);
    columns.ref_logprobs = Some(vec![-0.32, -0.25]);
    columns.pairs = vec![Pair::new(0, 1)];
    close(loss_of("flow_dpo", &[])(&columns).value, 0.078889734);
}

#[test]
fn combinations_that_mean_nothing_are_refused_by_name() {
    let refused = |settings: &[(&str, serde_json::Value)], word: &str| {
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        let error = super::dpo::DPO.with(&settings).err().expect("refused");
        assert!(format!("{error} {}", error.hint()).contains(word), "{error}");
    };
    refused(&[("loss", "apo_zero".into()), ("divergence", "forward_kl".into())], "apo_zero");
    refused(&[("loss", "aot".into()), ("wpo_weighting", true.into())], "aot");
    refused(&[("loss", "exo_pair".into())], "label_smoothing");
    refused(&[("loss", "sigmoid,hinge".into()), ("loss_weights", vec![1.0].into())], "2 forms");
    refused(&[("loss", "sigmoidal".into())], "sigmoid_norm");
    refused(&[("divergence", "renyi".into())], "js_divergence");
    refused(&[("betta", 0.1.into())], "betta");
}

#[test]
fn what_a_batch_lacks_is_named() {
    let bare = Columns { pairs: vec![Pair::new(0, 1)], ..rollouts(&[(2, -0.5), (1, -0.5)]) };
    let lacking = [
        ("dpo", "token_ref_logprobs"),
        ("tgdpo", "token_ref_logprobs"),
        ("t_reg", "token_ref_logprobs"),
        ("aft", "reward"),
        ("helpsteer2_steerlm2", "attribute_logprob"),
        ("flow_dpo", "token_ref_logprobs"),
    ];
    for (name, column) in lacking {
        let objective = crate::find_objective(name).and_then(|found| found.with(&[])).unwrap();
        let error = objective.loss(&bare).unwrap_err().to_string();
        assert!(error.contains(column), "{name}: {error}");
    }
    let twice = Columns { pairs: vec![Pair::new(0, 1), Pair::new(1, 0)], ..batch() };
    let error = crate::find_objective("tgdpo").and_then(|found| found.with(&[])).unwrap().loss(&twice);
    assert!(error.unwrap_err().to_string().contains("rejected in another"));
}

#[test]
fn the_order_of_pairs_does_not_matter_beyond_rounding() {
    let mut columns = batch();
    columns.pairs = better_against_worse(&columns).unwrap();
    let loss = loss_of("dpo", &[]);
    let forwards = loss(&columns);
    columns.pairs.reverse();
    let backwards = loss(&columns);
    close(forwards.value, backwards.value);
    all_close(&forwards.logprobs, &backwards.logprobs);
}

#[test]
fn the_numbers_of_preferences_with_ties() {
    let mut columns = batch();
    columns.pairs = vec![Pair::new(0, 1)];
    columns.signals.insert("scores".into(), vec![0.7, -0.3, 0.0, 0.0, 0.0]);
    let loss = |columns: &Columns| loss_of("bradley_terry_ties", &[])(columns);
    close(loss(&columns).value, 1.043591778);
    columns.signals.insert("pair_ties".into(), vec![1.0]);
    close(loss(&columns).value, 0.545970888);
    // The probabilities of the three outcomes add up to 1.
    let tied = (-loss(&columns).value).exp();
    close(tied, 0.579279095);
    columns.signals.insert("pair_ties".into(), vec![0.0]);
    let won = (-loss(&columns).value).exp();
    columns.pairs = vec![Pair::new(1, 0)];
    let lost = (-loss(&columns).value).exp();
    close(won + lost + tied, 1.0);
    columns.pairs = vec![Pair::new(0, 1), Pair::new(3, 2)];
    columns.signals.insert("pair_ties".into(), vec![0.0, 1.0]);
    columns.signals.insert("scores".into(), vec![0.7, -0.3, 0.2, 0.5, 0.0]);
    crate::objectives::finite_differences::signal("bradley_terry_ties", "scores", &columns, loss);
}
