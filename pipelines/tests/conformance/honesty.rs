//! Honesty: what is not known is said, never taken for 0, and leaves everything else as it is.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use meed_operators::Error;
use meed_pipelines::description::{Need, ReadColumn};

use crate::rollouts::small;
use crate::support::{
    Failures, Given, Key, Row, Subject, replaced, row_of, rows, subjects, with_nan, with_null,
    with_null_element, words,
};

/// Columns that a recipe needs, but in which a null has a meaning of its own: recipe, column, what it means.
const NULL_RULES: &[(&str, &str, &str)] = &[
    ("adasearch", "decided_search", "a response of broken format states no decision, and is wrong"),
    ("appo", "branch_score", INITIAL),
    ("appo", "parent_rollout_id", INITIAL),
    ("appo", "split_token", INITIAL),
    ("b_star", "output_id", "a sample without an id is never selected"),
    (
        "c2",
        "rubric_label_correct",
        "null on tasks without a rubric, where the rubric is no part of the reward",
    ),
    ("d3s", "token_entropies", "a token without an entropy is never among the greatest"),
    ("dynamic_cfg", "step_evaluator_previous_scores", "null at the first step, where evaluators count alike"),
    ("editscore", "pass_artifact_scores", UNSCORED),
    ("editscore", "pass_naturalness_scores", UNSCORED),
    ("editscore", "pass_preservation_scores", UNSCORED),
    ("editscore", "pass_success_scores", UNSCORED),
    ("evoenv", "instance_id", "null for generators; a solver without one is compared in its group"),
    ("evoenv", "pass_rate", "null where the environment failed a gate: it is not admitted"),
    ("evoenv", "reward", "generators are rewarded by their environment, not by an outcome"),
    ("f_grpo", "ranked_ids", UNPARSED),
    ("f_grpo", "slate_ids", UNPARSED),
    ("fk_steering", "previous_reward", "null at the first step with resampling"),
    ("flowtracer", "attention_mean", "nothing is amplified where nothing is known to carry information"),
    ("gdpo", "reward", "a null part is left out of its own statistics and of the sum"),
    ("genac", "segment_answers", "an answer that cannot be read is worth what the one before was"),
    ("grounded_prm", "step_verdicts", "a verdict that the tool failed to give counts for nothing"),
    ("hicra", "token_planning", "without planning tokens it is GRPO"),
    (
        "oni",
        "step_message_labels",
        "a message that was not labelled yet waits in the queue and earns nothing, as in the reference",
    ),
    ("oreal", "reward", "a rollout without a reward counts as incorrect, as in the reference"),
    ("pbsd", "token_privileged_logprobs", "without a verified answer it is GRPO"),
    ("prs", "answer_quality", "not read of an answer whose format is wrong"),
    ("prs", "format_ok", "not read of a rollout with a call that cannot be parsed"),
    ("qwenlong_l1", "rule_score", "one verdict that the answer is right decides without the other"),
    ("r3_rag", "step_relevance", "null for the step that answers"),
    ("r3l", "parent_rollout_id", "null of a base, which is its own parent"),
    ("r3l", "retry_from_step", "null where a rollout was not tried again"),
    ("rl_mle", "step_scores", "null where the action submitted nothing valid, which is a failure"),
    ("scrl", "subproblem_correct", MALFORMED),
    ("sepo", "thinker_share_by_solver", UNREAD),
    ("sepo", "thinker_share_by_thinker", UNREAD),
    ("siop", "answer", "a rollout without an answer earns nothing, which counts"),
    ("siop", "observation_evidence", "a rollout without observations says nothing about evidence"),
    ("thoth", "predicted_actions", UNPARSED),
    ("thoth", "predicted_object_names", UNPARSED),
    ("thoth", "predicted_parameter_values", UNPARSED),
    ("tp_grpo", "step_correct", "a step without a verdict has the outcome's"),
    ("webstar", "step_scores", "a step without a judgement has no weight of its own"),
];

/// Columns of which a recipe can do without single elements at trainable positions.
const ELEMENT_RULES: &[(&str, &str, &str)] = &[
    ("a2tgpo", "step_information_gains", MERGED),
    ("b_star", "step_rewards", "a sample with a step without a score is never selected"),
    ("brpo", "answer_scores", "a budget's score is the mean of the answers that have one"),
    ("carr", "entity_ids", "an entity without an id is mentioned by no rubric"),
    ("carr", "rubric_mention_entities", "a rubric that mentions nothing is chained to nothing"),
    (
        "carr",
        "rubric_supported",
        "null where an entity of the rubric is not identified, so that it does not count",
    ),
    ("d3s", "token_entropies", "a token without an entropy is never among the greatest"),
    ("editscore", "pass_artifact_scores", UNSCORED),
    ("editscore", "pass_naturalness_scores", UNSCORED),
    ("editscore", "pass_preservation_scores", UNSCORED),
    ("editscore", "pass_success_scores", UNSCORED),
    ("f_grpo", "gold_ids", "an item without an id is none"),
    ("f_grpo", "ranked_ids", "an item without an id is none"),
    ("f_grpo", "slate_ids", "an item without an id is none"),
    ("genac", "segment_answers", "an answer that cannot be read is worth what the one before was"),
    (
        "goal_conditioned_rm",
        "token_hidden_states",
        "the reward is the value of the last prefix that has a state",
    ),
    ("gtalign", "payoff_model", MALFORMED),
    ("gtalign", "payoff_user", MALFORMED),
    ("habc", "step_next_efficiency", "not read where the episode ends"),
    ("hicra", "token_planning", "a token that is not known to plan is amplified as one that does not"),
    ("igpo", "step_gold_logprobs", MERGED),
    ("matchtir", "step_actions", "a step without an action calls nothing"),
    ("mm_r5", "positive_documents", "a document without a number is none"),
    ("mm_r5", "ranked_documents", "a document without a number is none"),
    ("openrubrics", "vote_swapped_wins", "a verdict that could not be parsed does not vote"),
    ("openrubrics", "vote_wins", "a verdict that could not be parsed does not vote"),
    ("optimal_token_baseline", "token_old_logprobs", UNWEIGHTED),
    ("optimal_token_baseline", "token_sum_pi_squared", UNWEIGHTED),
    ("orchestration_traces", "step_ids", "ids are read only where edges are followed"),
    ("oreal", "token_rm_logits", "the running mean is over the logits that are known"),
    ("par", "reference_rewards", "references without a reward are none"),
    ("r3_rag", "step_relevance", "null for the step that answers"),
    ("rl_mle", "step_milestones", "milestones count only where an action has no score"),
    ("rl_mle", "step_scores", "null where the action submitted nothing valid, which is a failure"),
    ("scrl", "subproblem_correct", MALFORMED),
    ("searchllm", "objective_weights", "an objective without a weight has none"),
    ("siop", "entailment_answers", UNASKED),
    ("siop", "entailment_labels", UNASKED),
    ("siop", "observation_evidence", "an observation without a score says nothing about evidence"),
    ("siop", "prompt_reference_logprobs", INFINITE),
    ("siop", "step_reference_logprobs", INFINITE),
    ("sotopia_rl", "dimension_ids", "names are read only where one dimension counts"),
    (
        "sotopia_rl",
        "step_dimension_attributions",
        "an utterance to which nothing is attributed earns nothing",
    ),
    ("step_search", "step_document_ids", "a search that found nothing repeats nothing"),
    ("target_decoupling", "step_head_attention", "read by the variant attention alone"),
    ("tarot", "test_tiers", "a test without a tier counts in none"),
    ("text2grad", "token_texts", "a token without text is part of no word"),
    ("text2grad", "word_texts", "a word without text is found on no token"),
    ("thoth", "gold_actions", UNNAMED),
    ("thoth", "gold_object_names", UNNAMED),
    ("thoth", "gold_parameter_values", UNNAMED),
    ("thoth", "predicted_actions", UNNAMED),
    ("thoth", "predicted_object_names", UNNAMED),
    ("thoth", "predicted_parameter_values", UNNAMED),
    ("tir_optimal_token_baseline", "token_old_logprobs", UNWEIGHTED),
    ("tir_optimal_token_baseline", "token_sum_pi_squared", UNWEIGHTED),
    ("tp_grpo", "step_correct", "a step without a verdict has the outcome's"),
    ("vineppo", "step_values", "values that are missing at the end are those of the rewards that follow"),
    ("webstar", "step_scores", "a step without a judgement has no weight of its own"),
];
const INFINITE: &str = "a log-probability that is not finite is null, and left out as in the reference";
const INITIAL: &str = "null for a rollout that starts at the prompt";
const MALFORMED: &str = "nothing counts of a malformed response, so that its verdicts are not missed";
const UNSCORED: &str = "a sub-score that could not be read is the middle of the range, as in the reference";
const MERGED: &str = "a turn without one is part of the next turn that has one";
const UNASKED: &str = "only labels for answers that open a cluster are asked for";
const UNREAD: &str = "a rating that cannot be read is one half, as in the reference";
const UNPARSED: &str = "a response of which nothing parsed is worth nothing";
const UNNAMED: &str = "a step without a name there names nothing";
const UNWEIGHTED: &str = "from there on the rollout has no weight in the baseline; its own returns are known";

/// Recipes for which a rollout that is left out is not as if it were not there.
const OTHERS_RULES: &[(&str, &str, &str)] = &[
    (
        "portool",
        "step_format_ok",
        "its outcome is known, and counts in the values of the nodes that it passes",
    ),
    ("siop", "prompt_reference_logprobs", "its answer is one of the group's, and may open a cluster"),
    ("siop", "step_reference_logprobs", "its answer is one of the group's, and may open a cluster"),
    ("verpo", "reward", "its tests ran, and count in how hard they are for the group"),
];

/// Columns that say where things lie: a null there breaks the rollout, which validation says.
/// Recipes for which a rollout without a trainable token is not as if it were not there: recipe, why.
const UNTRAINED_RULES: &[(&str, &str)] = &[
    ("r3l", "a family's pivot is where its retry began, whether or not the retry is trained on"),
    ("siop", "its answer is one of the group's, and may open a cluster"),
];

fn structural(column: &str) -> bool {
    ["_ends", "_starts", "_kinds", "_turns"].iter().any(|part| column.ends_with(part))
}

/// A rollout of a larger group that is trained on.
fn victim(given: &Given) -> Result<Key, String> {
    let trained = |(key, row): &(&Key, &Row)| row.in_loss && key.0 == 0 && key.1.starts_with("a2-");
    let found = given.0.iter().find(trained).map(|(key, _)| key.clone());
    found.ok_or_else(|| "no rollout of group a2 is trained on".to_owned())
}

/// What a recipe gives on the generated rollouts, with one of them to break.
fn prepared(subject: &Subject) -> Result<(RecordBatch, Given, Key, usize), String> {
    let batch = subject.batch(&small())?;
    let given = subject.given(&batch).map_err(|error| words(&error))?;
    let key = victim(&given)?;
    let row = row_of(&batch, &key);
    Ok((batch, given, key, row))
}

fn for_every_subject(check: impl Fn(&Subject, &mut dyn FnMut(String)) -> Result<(), String>) {
    let mut failures = Failures::default();
    for subject in subjects() {
        let mut found = Vec::new();
        let outcome = check(&subject, &mut |failure| found.push(failure));
        found.extend(outcome.err());
        found.into_iter().for_each(|failure| failures.add(subject.name(), failure));
    }
    failures.report();
}

/// Rules of a list that no test ran into are out of date.
fn refuse_stale(list: &str, rules: &[(&str, &str, &str)], used: &BTreeSet<(String, String)>) {
    for (recipe, column, _) in rules {
        let used = used.contains(&((*recipe).to_owned(), (*column).to_owned()));
        assert!(used, "{list}: {recipe} needs no rule for {column}");
    }
}

#[test]
fn a_null_leaves_the_rollout_out_and_says_so() {
    let used = std::cell::RefCell::new(BTreeSet::new());
    for_every_subject(|subject, fail| {
        let (batch, _, key, row) = prepared(subject)?;
        let others: Vec<usize> = (0..batch.num_rows()).filter(|&other| other != row).collect();
        let without = subject.given(&rows(&batch, others)).map_err(|error| words(&error))?;
        for column in subject.columns.iter().filter(|column| !structural(&column.name)) {
            let broken = replaced(&batch, &column.name, with_null(&batch[column.name.as_str()], row));
            let mut given = match subject.given(&broken) {
                Ok(given) => given,
                Err(error) => {
                    fail(format!("null in {}: {}", column.name, words(&error)));
                    continue;
                }
            };
            let own = given.0.remove(&key).ok_or("the rollout is gone")?;
            if !column.null_leaves_out {
                let known = NULL_RULES.iter().any(|rule| (rule.0, rule.1) == (subject.name(), &column.name));
                if known {
                    used.borrow_mut().insert((subject.name().to_owned(), column.name.clone()));
                }
                if column.need == Need::Required && !known && own.speaks(subject.result()) {
                    fail(format!(
                        "trains on a rollout with a null in {}, and NULL_RULES does not say why",
                        column.name
                    ));
                }
                continue;
            }
            let named = own.reason.as_ref().is_some_and(|reason| reason.contains(&column.name));
            if own.in_loss || own.in_baseline || !named || own.trains() {
                fail(format!(
                    "null in {}: in_loss {}, in_baseline {}, reason {:?}",
                    column.name, own.in_loss, own.in_baseline, own.reason
                ));
            }
            if let Some(difference) = without.difference(&given) {
                if OTHERS_RULES.iter().any(|rule| (rule.0, rule.1) == (subject.name(), &column.name)) {
                    used.borrow_mut().insert((subject.name().to_owned(), column.name.clone()));
                } else {
                    fail(format!(
                        "null in {}: others are not as without the rollout: {difference}",
                        column.name
                    ));
                }
            }
        }
        Ok(())
    });
    refuse_stale("NULL_RULES", NULL_RULES, &used.borrow());
    refuse_stale("OTHERS_RULES", OTHERS_RULES, &used.borrow());
}

#[test]
fn a_null_element_is_not_trained_on() {
    let used = std::cell::RefCell::new(BTreeSet::new());
    for_every_subject(|subject, fail| {
        if subject.gives_signals() {
            return Ok(());
        }
        let (batch, _, key, row) = prepared(subject)?;
        let lists =
            subject.columns.iter().filter(|column| column.level != "rollout" && !structural(&column.name));
        for column in lists {
            let Some(element) = trainable_element(column, row) else {
                continue;
            };
            let broken = with_null_element(&batch[column.name.as_str()], row, element);
            match subject.given(&replaced(&batch, &column.name, broken)) {
                Err(error) => {
                    let text = error.to_string();
                    if ![key.1.as_str(), column.name.as_str(), "null"].iter().all(|part| text.contains(part))
                    {
                        fail(format!("null element in {}: {}", column.name, words(&error)));
                    }
                }
                Ok(given) if given.0[&key].in_loss => {
                    if ELEMENT_RULES.iter().any(|rule| (rule.0, rule.1) == (subject.name(), &column.name)) {
                        used.borrow_mut().insert((subject.name().to_owned(), column.name.clone()));
                    } else {
                        fail(format!(
                            "trains on a rollout with a null element in {}, and ELEMENT_RULES does not say why",
                            column.name
                        ));
                    }
                }
                Ok(given) => {
                    let own = &given.0[&key];
                    if own.reason.is_none() {
                        fail(format!("null element in {}: left out without a reason", column.name));
                    }
                }
            }
        }
        Ok(())
    });
    refuse_stale("ELEMENT_RULES", ELEMENT_RULES, &used.borrow());
}

/// An element of the rollout in a row that the policy answers for.
fn trainable_element(column: &ReadColumn, row: usize) -> Option<usize> {
    let shape = &small()[row];
    match column.level.as_str() {
        "token" => shape.mask.iter().position(|&on| on),
        "step" => shape.steps.iter().position(|step| step.is_policy()),
        _ => Some(0),
    }
}

#[test]
fn a_nan_is_refused_with_its_place() {
    for_every_subject(|subject, fail| {
        let (batch, _, key, row) = prepared(subject)?;
        for column in &subject.columns {
            let Some(broken) = with_nan(&batch[column.name.as_str()], row) else {
                continue;
            };
            match subject.given(&replaced(&batch, &column.name, broken)) {
                Ok(_) => fail(format!("takes a NaN in {}", column.name)),
                Err(error) => {
                    let text = error.to_string();
                    if ![key.1.as_str(), column.name.as_str(), "NaN"].iter().all(|part| text.contains(part)) {
                        fail(format!("NaN in {}: {text}", column.name));
                    }
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_missing_column_is_named_with_its_provider() {
    for_every_subject(|subject, fail| {
        let full = subject.batch(&small())?;
        let needed = subject.columns.iter().filter(|column| column.need == Need::Required);
        let needed: Vec<_> = needed.map(|column| column.known.clone()).collect();
        let needed = crate::data::batch(&small(), &needed)?;
        for column in &subject.columns {
            let batch = if column.need == Need::Required { &needed } else { &full };
            let schema = batch.schema();
            let kept = (0..schema.fields().len()).filter(|&at| schema.field(at).name() != &column.name);
            let less = batch.project(&kept.collect::<Vec<_>>()).map_err(|error| error.to_string())?;
            match (column.need, subject.given(&less)) {
                (Need::Optional, Ok(_)) => {}
                (Need::Optional, Err(error)) => {
                    fail(format!(
                        "cannot do without {}, which it calls optional: {}",
                        column.name,
                        words(&error)
                    ));
                }
                (_, Ok(_)) if column.name == "step_ends" => {}
                (_, Ok(_)) => fail(format!("runs without {}", column.name)),
                (_, Err(error)) => {
                    let named = match &error {
                        Error::MissingSignal { recipe, signal, hint } => {
                            // It may name what the column stands in for.
                            let named =
                                |other: &&ReadColumn| other.name == *signal && other.need != Need::Required;
                            let of = if *signal == column.name {
                                Some(column)
                            } else {
                                subject.all.iter().find(named)
                            };
                            recipe == subject.name() && of.is_some_and(|of| hint.contains(of.provider))
                        }
                        other => column.name == "step_ends" && other.to_string().contains("step_ends"),
                    };
                    let generic = column.provider.starts_with("bind another column");
                    if !named || column.provider.is_empty() || generic {
                        fail(format!("without {}: {}", column.name, words(&error)));
                    }
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_rollout_without_a_trainable_token_changes_nothing_for_others() {
    let used = std::cell::RefCell::new(BTreeSet::new());
    for_every_subject(|subject, fail| {
        let (_, _, key, row) = prepared(subject)?;
        let mut shapes = small();
        shapes[row].mask.fill(false);
        let batch = subject.batch(&shapes)?;
        let others: Vec<usize> = (0..batch.num_rows()).filter(|&other| other != row).collect();
        let without = subject.given(&rows(&batch, others)).map_err(|error| words(&error))?;
        let mut given = subject.given(&batch).map_err(|error| words(&error))?;
        let own = given.0.remove(&key).ok_or("the rollout is gone")?;
        if own.trains() {
            fail("trains on a rollout without a trainable token".to_owned());
        }
        if let Some(difference) = without.difference(&given) {
            match UNTRAINED_RULES.iter().find(|(recipe, _)| *recipe == subject.name()) {
                Some((recipe, _)) => drop(used.borrow_mut().insert(*recipe)),
                None => fail(format!("others are not as without the rollout: {difference}")),
            }
        }
        Ok(())
    });
    for (recipe, _) in UNTRAINED_RULES {
        assert!(used.borrow().contains(recipe), "UNTRAINED_RULES: {recipe} needs no rule");
    }
}
