//! The sampling parts of the golden vectors of `appo`, `slate`, `guide` and `r3l`.

use std::collections::BTreeMap;

use meed_operators::sample::strategy::{
    AccuracyFilter, BranchPoint, Outcome, Reflection, Verdict, appo_branch_scores, choose_branch_points,
    pivot_mask, select, selection_probabilities,
};
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

#[test]
fn slate_selects_with_the_probabilities_of_the_reference() {
    let mut compared = 0;
    for case in cases("slate") {
        let (params, expected) = (&case["params"], &case["expected"]);
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for rollout in case["rollouts"].as_array().unwrap() {
            let group = groups.entry(rollout["group_id"].as_str().unwrap()).or_default();
            group.push(rollout["rollout_id"].as_str().unwrap());
        }
        for ids in groups.values() {
            let rewards: Vec<Option<f64>> = ids.iter().map(|id| expected["rewards"][*id].as_f64()).collect();
            let (eta, eps) = (params["temperature"].as_f64().unwrap(), params["eps"].as_f64().unwrap());
            let chances = selection_probabilities(&rewards, eta, eps);
            for (id, chance) in ids.iter().zip(chances) {
                // The reference divides by the deviation of one value: null.
                match expected["selection_probabilities"][*id].as_f64() {
                    Some(want) => close(chance, want),
                    None => assert_eq!((ids.len(), chance), (1, 1.0)),
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 73);
}

#[test]
fn guide_keeps_and_rerolls_the_groups_of_the_reference() {
    let mut found = 0;
    for case in cases("guide").iter().filter(|case| case["params"]["filter"] == "accuracy") {
        let (params, expected) = (&case["params"], &case["expected"]);
        let number = |name: &str| params[name].as_f64().unwrap();
        let filter = AccuracyFilter {
            low: number("low"),
            high: number("high"),
            threshold: number("reroll_threshold"),
        };
        let mut groups: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
        for rollout in case["rollouts"].as_array().unwrap() {
            let member = (rollout["rollout_id"].as_str().unwrap(), rollout["reward"].as_f64().unwrap());
            groups.entry(rollout["group_id"].as_str().unwrap()).or_default().push(member);
        }
        let (mut kept, mut rerolled) = (Vec::new(), Vec::new());
        for (group, members) in &groups {
            let rewards: Vec<f64> = members.iter().map(|(_, reward)| *reward).collect();
            match filter.verdict(&rewards) {
                Verdict::Keep => kept.extend(members.iter().map(|(id, _)| Value::from(*id))),
                Verdict::Reroll => rerolled.push(Value::from(*group)),
                Verdict::Drop => {}
            }
        }
        assert_eq!(Value::from(kept), expected["kept_rollouts"]);
        assert_eq!(Value::from(rerolled), expected["reroll_groups"]);
        found += 1;
    }
    assert_eq!(found, 1);
}

#[test]
fn r3l_selects_and_masks_as_the_reference() {
    let mut found = 0;
    for case in cases("r3l").iter().filter(|case| !case["expected"]["selected"].is_null()) {
        let expected = &case["expected"];
        let rollouts = case["rollouts"].as_array().unwrap();
        let id = |rollout: &Value| rollout["rollout_id"].as_str().unwrap().to_owned();
        let of = |base: &Value, kind: &str| {
            let mut children =
                rollouts.iter().filter(|child| child["parent_rollout_id"] == base["rollout_id"]);
            children.find(|child| child["kind"] == kind).cloned()
        };
        let outcome = |rollout: &Value| Outcome {
            reward: rollout["reward"].as_f64(),
            turns: rollout["steps"].as_u64().unwrap() as usize,
        };
        let mask = |rollout: &Value, turns: usize| {
            let ends =
                rollout["step_ends"].as_array().unwrap().iter().map(|end| end.as_u64().unwrap() as usize);
            let kinds = rollout["step_kinds"].as_array().unwrap().iter();
            let ends: Vec<usize> =
                ends.zip(kinds).filter(|(_, kind)| *kind == "policy").map(|(end, _)| end).collect();
            pivot_mask(&flags(&rollout["token_mask"]), &ends, turns)
        };
        let mut selected: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for base in rollouts.iter().filter(|rollout| rollout["kind"] == "base") {
            let reflection = of(base, "reflection");
            let said = reflection
                .as_ref()
                .map(|it| serde_json::from_value::<Reflection>(it["reflection"].clone()).unwrap());
            let (retry, guided) = (of(base, "retry"), of(base, "guided_retry"));
            let selection = select(outcome(base), said.as_ref(), retry.as_ref().map(outcome));
            let masked = selection.retry_from.unwrap_or(0);
            selected.insert(id(base), mask(base, masked));
            for (taken, rollout, masked) in [
                (selection.retry_from.is_some(), retry, masked),
                (selection.reflection, reflection, 0),
                (selection.guided, guided, masked),
            ] {
                if taken {
                    let rollout = rollout.unwrap();
                    selected.insert(id(&rollout), mask(&rollout, masked));
                }
            }
        }
        let ids: Vec<&str> =
            expected["selected"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(selected.keys().map(String::as_str).collect::<Vec<_>>(), sorted);
        for (id, mask) in selected {
            assert_eq!(mask, flags(&expected["token_train_mask"][&id]), "{id}");
        }
        found += 1;
    }
    assert_eq!(found, 6);
}
