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
