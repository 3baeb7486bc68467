//! Rewards of deep-research agents.

use serde_json::json;

use crate::support::{close, given, signal};

#[test]
fn searches_beyond_the_budget_cost() {
    let rows = json!([
        { "answer_f1": 0.8, "format_valid": true, "searches": 6, "token_mask": [true] },
        { "answer_f1": 0.8, "format_valid": false, "searches": 2, "token_mask": [true] },
    ]);
    let given = given("deep_research_survey", json!({}), rows);
    close(&signal(&given, "r0", "rewards"), &[0.8]);
    close(&signal(&given, "r1", "rewards"), &[0.8]);
}
