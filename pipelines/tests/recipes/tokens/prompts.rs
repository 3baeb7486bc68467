//! Tokens of prompts that are chosen by gradients.

use serde_json::json;

use crate::support::{close, given, signal};

/// The candidate of least loss is not among the steepest, so the next one is chosen.
#[test]
fn the_least_loss_among_the_steepest() {
    let rows = json!([{
        "candidate_gradients": [-0.5, 0.2, -0.1, -0.4],
        "candidate_losses": [1.0, 0.1, 0.7, 0.9],
        "token_mask": [true],
    }]);
    let chosen =
        |top: usize| signal(&given("greater", json!({ "top": top }), rows.clone()), "r0", "candidate_chosen");
    close(&chosen(3), &[0.0, 0.0, 1.0, 0.0]);
    close(&chosen(2), &[0.0, 0.0, 0.0, 1.0]);
    close(&chosen(4), &[0.0, 1.0, 0.0, 0.0]);
}

/// Losses are looked at of the steepest alone: others may be missing, and equal ones go to the first.
#[test]
fn losses_of_other_candidates_need_not_be_known() {
    let rows = json!([{
        "candidate_gradients": [0.2, -0.5, -0.5, -0.4],
        "candidate_losses": [null, 0.7, 0.7, 0.9],
        "token_mask": [true],
    }]);
    let given = given("greater", json!({ "top": 3 }), rows);
    close(&signal(&given, "r0", "candidate_chosen"), &[0.0, 1.0, 0.0, 0.0]);
}
