//! Cases of preference, judge and denoising objectives: losses, parts and gradients.

mod batch;
mod check;
mod denoising;
mod judges;
mod preference;

use serde_json::Value;

use crate::case::Outcome;

pub type Checked = Result<Outcome, String>;

/// The outcome of a case, if its recipe is one of these objectives.
pub fn run(case: &Value) -> Option<Checked> {
    let run: fn(&Value) -> Checked = match case["recipe"].as_str()? {
        "dpo" => preference::dpo,
        "tgdpo" => preference::tgdpo,
        "rise" => preference::rise,
        "mm_rlhf" => preference::mm_rlhf,
        "prime" => judges::prime,
        "implicit_prm" => judges::implicit_prm,
        "istar" => judges::istar,
        "spa_rl" => judges::spa_rl,
        "branch_grpo" => denoising::branch_grpo,
        "dance_grpo" => denoising::dance_grpo,
        "flow_grpo" => denoising::flow_grpo,
        "tempflow_grpo" => denoising::tempflow_grpo,
        _ => return None,
    };
    let known = |key: &&String| !KEYS.contains(&key.as_str());
    Some(match case.as_object()?.keys().find(known) {
        Some(key) => Err(format!("the key `{key}` is not known")),
        None => run(case),
    })
}

const KEYS: &[&str] = &[
    "recipe",
    "params",
    "source",
    "precision",
    "note",
    "reference_bug",
    "reference_bug_note",
    "rollouts",
    "expected",
    "tolerance",
    "nodes",
    "sigmas",
    "transitions",
];

/// Why a key is not an objective's.
pub const CREDIT: &str = "advantages, returns and rewards come with the credit recipe of this name";
