//! The sampling parts of the golden vectors of `appo`, `slate`, `guide` and `r3l`.

use std::collections::BTreeMap;

use meed_operators::sample::strategy::{BranchPoint, appo_branch_scores, choose_branch_points};
use serde_json::Value;

pub fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/../tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect("a golden file")).expect("an array of cases")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn flags(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|value| value.as_bool().unwrap()).collect()
}

fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{got} is not {want}");
}

#[test]
fn appo_branches_at_the_tokens_of_the_reference() {
    let mut branches = 0;
    for case in cases("appo").iter().filter(|case| !case["expected"]["branches"].is_null()) {
        let (params, expected) = (&case["params"], &case["expected"]);
        let mut groups: BTreeMap<&str, Vec<BranchPoint>> = BTreeMap::new();
        let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for rollout in case["rollouts"].as_array().unwrap().iter().filter(|rollout| rollout["kind"] == "init")
        {
            let (old, sampled) =
                (numbers(&rollout["token_old_logprobs"]), numbers(&rollout["token_rollout_logprobs"]));
            let log_ratios: Vec<f64> = old.iter().zip(&sampled).map(|(old, sampled)| old - sampled).collect();
            let (mask, blank) = (flags(&rollout["token_mask"]), flags(&rollout["token_blank"]));
            let scored = appo_branch_scores(
                &numbers(&rollout["token_entropies"]),
                &log_ratios,
                &mask,
                params["gamma"].as_f64().unwrap(),
                params["value_clip"].as_f64().unwrap(),
            );
            let id = rollout["rollout_id"].as_str().unwrap();
            for (token, want) in numbers(&expected["token_branch_scores"][id]).into_iter().enumerate() {
                if mask[token] {
                    close(scored.scores[token], want);
                }
            }
            let group = rollout["group_id"].as_str().unwrap();
            let members = ids.entry(group).or_default();
            let points =
                (0..mask.len()).filter(|&token| mask[token] && !blank[token]).map(|token| BranchPoint {
                    rollout: members.len(),
                    shared: token + 1,
                    score: scored.scores[token],
                    wanted: scored.wanted[token],
                });
            groups.entry(group).or_default().extend(points);
            members.push(id);
        }
        let budget = params["branch_budget"].as_u64().unwrap() as usize;
        let chosen = groups.iter().flat_map(|(group, points)| {
            let name = |point: BranchPoint| (ids[group][point.rollout], point.shared as u64 - 1, point.score);
            choose_branch_points(points, budget).into_iter().map(name)
        });
        let chosen: Vec<(&str, u64, f64)> = chosen.collect();
        let wanted = expected["branches"].as_array().unwrap();
        assert_eq!(chosen.len(), wanted.len());
        for ((id, token, score), want) in chosen.into_iter().zip(wanted) {
            assert_eq!((id, token), (want["rollout_id"].as_str().unwrap(), want["token"].as_u64().unwrap()));
            close(score, want["score"].as_f64().unwrap());
            branches += 1;
        }
    }
    assert!(branches > 60, "{branches}");
}
