//! Silence: nothing is said about tokens that the policy did not produce, nor where there is nothing to compare.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int32Array, ListArray};
use arrow::datatypes::{DataType, Float32Type, Int32Type};

use crate::rollouts::{ALONE, EQUAL, small};
use crate::support::{Failures, Given, replaced, subjects, words};

/// Recipes that give equal rollouts an advantage: they compare with something else than the group.
const NOT_RELATIVE: &[(&str, &str)] = &[
    ("ac_flow", CRITIC),
    ("adakd", "the teacher is what the policy is compared with"),
    ("adora", ALONE_RAW),
    ("agent_prm", CRITIC),
    ("appo", "splits raise the rewards of the rollout that they leave, so that equal rollouts differ"),
    ("archer", CRITIC),
    ("b_star", "what is selected is trained on, whatever the others are"),
    ("brpo", "answers are compared with those of the other budgets, slices with earlier ones"),
    ("capo", "tokens are compared with the other tokens of the group"),
    ("clip_and_delta", CRITIC),
    ("critic_search", "turns are compared with the other turns of the group"),
    ("dpo_vs_ppo", CRITIC),
    ("dr_mas", ALONE_RAW),
    ("gae", CRITIC),
    ("gdpo", "the sum is whitened over the batch, whose mean it is compared with"),
    ("genac", CRITIC),
    ("gigpo", ALONE_RAW),
    ("gtalign", CRITIC),
    ("habc", "steps are weighed by two critics, not against the group"),
    ("int", "what has a correction is imitated, whatever the others are"),
    ("istar", ALONE_RAW),
    ("itpo", "whitening compares with the mean of the batch"),
    ("leave_one_agent_out", WITHOUT_AGENT),
    ("llm_mca", "an agent has the part of the reward that it was given"),
    ("ma_rlhf", CRITIC),
    ("mapo", "turns are compared with the other turns of the group"),
    ("mappa", "actions are compared with those of the batch"),
    ("masked_thought", "what passed a verifier is imitated, whatever the others are"),
    ("nsr", "nothing is subtracted from the return"),
    ("on_policy_distillation", "the teacher is what the policy is compared with"),
    ("openrubrics", "responses are compared with the greedy one"),
    ("optimal_token_baseline", OPTIMAL),
    ("pav", CRITIC),
    ("poad", CRITIC),
    ("ppr", CRITIC),
    ("prime", "whitening compares with the mean of the batch"),
    ("prl", "the divergence that follows is taken off, whatever the others are"),
    ("prorag", "steps are compared with the tokens of the group"),
    ("pure", "whitening compares with the mean of the batch"),
    ("r3_rag", CRITIC),
    ("r3l", ALONE_RAW),
    ("ragen", CRITIC),
    ("red", CRITIC),
    ("reft", CRITIC),
    ("reinforce", "nothing is subtracted from the return"),
    ("reinforce_pp", "returns are compared with those of the batch"),
    ("reinforce_pp_baseline", "whitening compares with the mean of the batch"),
    ("remax", "the greedy rollout is the baseline"),
    ("rl_mle", CRITIC),
    ("rlvr_schedule", ALONE_RAW),
    ("rto", CRITIC),
    ("scar", CRITIC),
    ("score_two_attempt", "nothing is subtracted from the reward of an attempt"),
    ("shapley", WITHOUT_AGENT),
    ("siop", "turns are compared with the other turns of the group"),
    ("sotopia_rl", "utterances of a turn are compared with each other"),
    ("spa_rl", CRITIC),
    ("spae", "steps are compared with those of the batch"),
    ("spo", SAMPLED),
    ("step_reinforce", "steps are compared with the other steps of the group"),
    ("step_search", CRITIC),
    ("target_decoupling", CRITIC),
    ("text2grad", CRITIC),
    ("tir_optimal_token_baseline", OPTIMAL),
    ("tp_grpo", "a thought that disagrees with the outcome is corrected, whatever the others are"),
    ("turn_ppo", CRITIC),
    ("ucas", "confident tokens get a small penalty, whatever the others are"),
    ("vgpo", "the value itself is left where a group has no variance"),
    ("vineppo", SAMPLED),
    ("vsrm", CRITIC),
    ("webstar", "steps are weighed by their judgements, not against the group"),
];
const ALONE_RAW: &str = "one rollout alone keeps its score, as in the reference";
const WITHOUT_AGENT: &str = "the rollout is compared with itself without the agent";
const CRITIC: &str = "the critic's values are the baseline";
const SAMPLED: &str = "values of continuations that were sampled along the rollout are the baseline";
const OPTIMAL: &str = "one rollout alone keeps its return; eps keeps the baseline of equal ones from theirs";

/// Recipes that look at tokens of the environment: recipe, column, why.
const READS_ENVIRONMENT: &[(&str, &str, &str)] = &[
    ("appo", "token_rewards", "rewards at all tokens are the rollout's, as in the reference"),
    ("tempo", "token_ids", "rollouts part where the environment answers differently"),
    (
        "ucas",
        "token_certainties",
        "the certainty of a rollout is summed over all tokens, as in the reference",
    ),
];

#[test]
fn masked_tokens_get_nothing() {
    let mut failures = Failures::default();
    for subject in subjects().iter().filter(|subject| !subject.gives_signals()) {
        let given =
            subject.batch(&small()).and_then(|batch| subject.given(&batch).map_err(|error| words(&error)));
        match given {
            Err(error) => failures.add(subject.name(), error),
            Ok(given) => {
                for (key, row) in &given.0 {
                    let spoken =
                        row.lists.iter().filter(|(name, _)| name.starts_with("token_")).find(|(_, list)| {
                            list.iter().zip(&row.mask).any(|(x, on)| !on && *x != Some(0.0))
                        });
                    if let Some((name, list)) = spoken {
                        failures.add(
                            subject.name(),
                            format!("{}: {name} {list:?} where the mask is {:?}", key.1, row.mask),
                        );
                    }
                }
            }
        }
    }
    failures.report();
}

#[test]
fn tokens_of_the_environment_change_nothing() {
    let mut failures = Failures::default();
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    for subject in subjects().iter().filter(|subject| !subject.gives_signals()) {
        let outcome = (|| {
            let batch = subject.batch(&small())?;
            let expected = subject.given(&batch).map_err(|error| words(&error))?;
            let mask = batch["token_mask"].as_list::<i32>();
            for column in subject.columns.iter().filter(|column| column.level == "token") {
                let Some(other) = elsewhere(&batch[column.name.as_str()], mask) else {
                    continue;
                };
                let given = subject
                    .given(&replaced(&batch, &column.name, other))
                    .map_err(|error| format!("{}: {}", column.name, words(&error)))?;
                if lists_of(&expected) == lists_of(&given) {
                    continue;
                }
                match READS_ENVIRONMENT.iter().find(|rule| (rule.0, rule.1) == (subject.name(), &column.name))
                {
                    Some((recipe, column, _)) => {
                        used.insert((recipe, column));
                    }
                    None => {
                        let difference = expected.difference(&given).unwrap_or_default();
                        return Err(format!(
                            "{} at masked tokens changes the result: {difference}",
                            column.name
                        ));
                    }
                }
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            failures.add(subject.name(), error);
        }
    }
    failures.report();
    for (recipe, column, _) in READS_ENVIRONMENT {
        assert!(
            used.contains(&(*recipe, *column)),
            "READS_ENVIRONMENT: {recipe} does not read {column} there"
        );
    }
}

fn lists_of(given: &Given) -> Vec<Vec<&Vec<Option<f64>>>> {
    given.0.values().map(|row| row.lists.values().collect()).collect()
}

/// A token column with other values where the mask is false.
fn elsewhere(column: &ArrayRef, mask: &ListArray) -> Option<ArrayRef> {
    let list = column.as_list_opt::<i32>()?;
    let trainable = mask.values().as_boolean();
    if list.values().len() != trainable.len() {
        return None;
    }
    let values: ArrayRef = match list.values().data_type() {
        DataType::Int32 => {
            let ids = list.values().as_primitive::<Int32Type>().iter().enumerate();
            Arc::new(
                ids.map(|(i, id)| id.map(|id| if trainable.value(i) { id } else { id + 1 }))
                    .collect::<Int32Array>(),
            )
        }
        DataType::Float32 => {
            let numbers = list.values().as_primitive::<Float32Type>().iter().enumerate();
            let other = |i: usize, x: f32| if trainable.value(i) { x } else { 0.5 * x + 0.125 };
            Arc::new(numbers.map(|(i, x)| x.map(|x| other(i, x))).collect::<Float32Array>())
        }
        _ => return None,
    };
    let DataType::List(field) = list.data_type() else {
        return None;
    };
    Some(Arc::new(ListArray::new(field.clone(), list.offsets().clone(), values, list.nulls().cloned())))
}

#[test]
fn equal_rollouts_get_nothing_from_their_group() {
    let mut failures = Failures::default();
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for subject in subjects().iter().filter(|subject| !subject.gives_signals()) {
        let given =
            subject.batch(&small()).and_then(|batch| subject.given(&batch).map_err(|error| words(&error)));
        match given {
            Err(error) => failures.add(subject.name(), error),
            Ok(given) => {
                let of = |group: &str| -> Vec<f64> {
                    let members = given.0.iter().filter(|(key, _)| key.1.starts_with(&format!("{group}-")));
                    members.flat_map(|(_, row)| row.advantages().iter().flatten().copied()).collect()
                };
                let (equal, alone) = (of(EQUAL), of(ALONE));
                let silent = equal.iter().chain(&alone).all(|&x| x == 0.0);
                match NOT_RELATIVE.iter().find(|(recipe, _)| *recipe == subject.name()) {
                    Some((recipe, _)) if !silent => {
                        used.insert(recipe);
                    }
                    None if !silent => failures.add(
                        subject.name(),
                        format!("gives equal rollouts {equal:?}, and one alone {alone:?}"),
                    ),
                    _ => {}
                }
            }
        }
    }
    failures.report();
    for (recipe, _) in NOT_RELATIVE {
        assert!(used.contains(recipe), "NOT_RELATIVE: {recipe} gives equal rollouts nothing");
    }
}
