//! Losses of reward models against finite differences, and against the numbers of their sections.

use std::collections::BTreeMap;

use meed_operators::objectives::Columns;
use meed_operators::objectives::preference::Pair;

use crate::objectives::finite_differences::{loss_of, signal};

/// Rollouts of one token with these scores; consecutive ones are pairs.
fn scored(scores: &[f64]) -> Columns {
    Columns {
        offsets: (0..=scores.len()).collect(),
        mask: vec![true; scores.len()],
        logprobs: vec![-0.5; scores.len()],
        pairs: (0..scores.len() / 2).map(|pair| Pair::new(2 * pair, 2 * pair + 1)).collect(),
        signals: BTreeMap::from([("scores".to_owned(), scores.to_vec())]),
        ..Columns::default()
    }
}

fn close(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-9, "got {got}, expected {wanted}");
}

#[test]
fn bradley_terry_has_the_numbers_of_the_sections() {
    let loss = loss_of("bradley_terry", &[]);
    // ONI, a step reward model, and leaves of a tree.
    close(loss(&scored(&[1.4, 0.2])).value, 0.2632824673);
    assert!((loss(&scored(&[1.3, 0.4])).value - 0.3411539).abs() < 1e-7);
    let leaves = loss(&scored(&[0.8, 0.3, 0.5, 0.9]));
    close(leaves.outputs["pair_losses"][0], 0.4740769842);
    close(leaves.value, 0.6935461183);
    assert_eq!(leaves.parts["reward_accuracies"], 0.5);
    let mut tie = scored(&[0.3, 0.3, 0.9, 0.1]);
    tie.signals.insert("pair_labels".into(), vec![0.5, 1.0]);
    close(loss(&tie).outputs["pair_losses"][0], 2f64.ln());
    assert_eq!(loss(&tie).signals["scores"][..2], [0.0, 0.0]);
    signal("bradley_terry", "scores", &scored(&[0.8, 0.3, 0.5, 0.9]), &loss);
    let mut ties = scored(&[0.3, 0.7, 0.9, 0.1]);
    ties.signals.insert("pair_labels".into(), vec![0.5, 1.0]);
    signal("bradley_terry with ties", "scores", &ties, &loss);
}

#[test]
fn basereward_has_the_numbers_of_its_section() {
    let columns = scored(&[0.8, -0.1]);
    close(loss_of("basereward", &[])(&columns).value, 0.341153875);
    let drawn = loss_of("basereward", &[("zero_coef", "0.01")]);
    close(drawn(&columns).value - loss_of("basereward", &[])(&columns).value, 0.0049);
    signal("basereward", "scores", &scored(&[0.8, -0.1, 0.2, 0.4]), drawn);
}

#[test]
fn solireward_has_the_numbers_of_its_section() {
    let loss = loss_of("solireward", &[]);
    let mut columns = scored(&[1.2, 0.0, 1.2, 0.0]);
    columns.signals.insert("pair_ties".into(), vec![0.0, 1.0]);
    let both = loss(&columns).outputs["pair_losses"].clone();
    close(both[0], 1.952977611);
    close(both[1], 6.167861865);
    signal("solireward", "scores", &columns, &loss);
    // A tie is held together: no force at equal scores, where the loss is its least.
    let mut level = scored(&[0.4, 0.4]);
    level.signals.insert("pair_ties".into(), vec![1.0]);
    close(loss(&level).value, 2.0 * (1.0 + 3f64.exp()).ln());
    assert!(loss(&level).signals["scores"].iter().all(|slope| slope.abs() < 1e-12));
    // Without a margin a winner's loss is the plain one.
    let plain = loss_of("solireward", &[("margin", "0")])(&scored(&[1.4, 0.2])).value;
    close(plain, 0.2632824673);
}

#[test]
fn pit_has_the_numbers_of_its_section() {
    let gaps = [
        ("gap_better_over_worse", vec![1.2, 0.3]),
        ("gap_better_over_itself", vec![0.1, 0.2]),
        ("gap_worse_over_itself", vec![-0.05, 0.1]),
        ("gap_worse_over_better", vec![-0.9, 0.4]),
    ];
    let with = |pairs: usize| {
        let mut columns = scored(&[]);
        columns.offsets = vec![0];
        columns.signals =
            gaps.iter().map(|(name, gaps)| ((*name).to_owned(), gaps[..pairs].to_vec())).collect();
        columns
    };
    let loss = loss_of("pit", &[]);
    let one = loss(&with(1));
    close(one.value, 1.3239106856);
    let wanted = [0.1155195232, 0.2873353251, 0.2519290813, 0.3132616875, 0.3558650684];
    one.outputs["order_losses"].iter().zip(wanted).for_each(|(got, wanted)| close(*got, wanted));
    for (name, _) in &gaps {
        signal("pit", name, &with(2), &loss);
    }
    let mut short = with(2);
    short.signals.insert("gap_worse_over_itself".into(), vec![0.0]);
    let pit = crate::find_objective("pit").and_then(|found| found.with(&[])).unwrap();
    assert!(pit.loss(&short).unwrap_err().to_string().contains("gap_worse_over_itself"));
}

#[test]
fn a_reward_model_moves_no_policy_and_needs_scores() {
    let columns = scored(&[0.8, 0.3]);
    for name in ["bradley_terry", "basereward", "solireward"] {
        assert_eq!(loss_of(name, &[])(&columns).logprobs, [0.0, 0.0], "{name}");
        let bare = Columns { signals: BTreeMap::new(), ..columns.clone() };
        let objective = crate::find_objective(name).and_then(|found| found.with(&[])).unwrap();
        assert!(objective.loss(&bare).unwrap_err().to_string().contains("scores"), "{name}");
        let none = Columns { pairs: Vec::new(), ..columns.clone() };
        assert_eq!(loss_of(name, &[])(&none).value, 0.0, "{name}");
    }
}
