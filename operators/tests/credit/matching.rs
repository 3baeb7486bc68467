//! Tool calls matched with gold calls and answers put into clusters, against naive readings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use meed_operators::credit::Unit;
use meed_operators::signals::{
    AddSignals, AnswerClusters, Assignment, Equivalence, MatchCalls, ToolCall, add_signals,
};
use proptest::prelude::*;

use crate::arrays::{integers, list, texts, whole};
use crate::data::Cell;
use crate::generator::Random;

fn unit(operator: impl AddSignals + 'static, columns: Vec<(&str, ArrayRef)>, order: &[usize]) -> Unit {
    let ids = StringArray::from_iter_values(order.iter().map(|row| format!("r{row}")));
    let groups = StringArray::from_iter_values(order.iter().map(|row| format!("g{}", row % 2)));
    let mut all: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0; order.len()]))),
        ("group_id", Arc::new(groups)),
        ("rollout_id", Arc::new(ids)),
    ];
    all.extend(columns);
    let batch = RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(name, x)| (name, x, true)));
    add_signals(&[Arc::new(operator)], Unit::new(batch.unwrap()).unwrap()).unwrap()
}

/// The number of a rollout, by its place in the unit.
fn row_of(unit: &Unit, at: usize) -> usize {
    unit.rollout_id(at)[1..].parse().unwrap()
}

fn call(random: &mut Random) -> String {
    let name = ["f", "F", "g"][random.below(3)];
    let mut arguments: Vec<String> = Vec::new();
    for key in ["a", "b"] {
        if random.chance(60) {
            arguments.push(format!("{key:?}:{}", random.below(2)));
        }
    }
    format!("{name}({{{}}})", arguments.join(","))
}

proptest! {
    #[test]
    fn every_call_earns_its_greedy_match(seed in 0u64..10_000) {
        let random = &mut Random::new(seed);
        let count = 1 + random.below(5);
        // Each step of a rollout calls one tool, says something or is the environment's.
        let steps: Vec<Vec<(&str, Option<String>)>> = (0..count)
            .map(|_| {
                (0..1 + random.below(6))
                    .map(|_| match random.below(3) {
                        0 => ("tool_call", Some(call(random))),
                        1 => ("policy", Some("words (and more)".to_owned())),
                        _ => ("observation", None),
                    })
                    .collect()
            })
            .collect();
        let gold: Vec<Vec<String>> =
            (0..count).map(|_| (0..random.below(4)).map(|_| call(random)).collect()).collect();
        let order = random.shuffled(count);
        let kinds: Vec<Cell<String>> =
            order.iter().map(|&row| steps[row].iter().map(|step| Some(step.0.to_owned())).collect::<Vec<_>>().into()).collect();
        let actions: Vec<Cell<String>> =
            order.iter().map(|&row| Some(steps[row].iter().map(|step| step.1.clone()).collect())).collect();
        let golds = order.iter().map(|&row| serde_json::to_string(&gold[row]).unwrap());
        let unit = unit(
            MatchCalls { assignment: Assignment::Greedy, unmatched: -0.5 },
            vec![
                ("step_kinds", list(&kinds, texts)),
                ("step_actions", list(&actions, texts)),
                ("gold_calls", Arc::new(StringArray::from_iter_values(golds))),
            ],
            &order,
        );
        for at in 0..unit.rows() {
            let row = row_of(&unit, at);
            let read = |text: &String| ToolCall::read(text).unwrap().remove(0);
            let calls: Vec<ToolCall> =
                steps[row].iter().filter(|step| step.0 == "tool_call").map(|step| read(step.1.as_ref().unwrap())).collect();
            let wanted: Vec<ToolCall> = gold[row].iter().map(read).collect();
            // Again and again the best of all pairs that are left.
            let mut rewards = vec![-0.5; calls.len()];
            let (mut left, mut free): (Vec<usize>, Vec<usize>) = ((0..calls.len()).collect(), (0..wanted.len()).collect());
            loop {
                let mut best = (0.0, None);
                for &i in &left {
                    for &j in &free {
                        let similarity = calls[i].similarity(&wanted[j]);
                        if similarity > best.0 {
                            best = (similarity, Some((i, j)));
                        }
                    }
                }
                let Some((i, j)) = best.1 else { break };
                rewards[i] = best.0;
                left.retain(|&other| other != i);
                free.retain(|&other| other != j);
            }
            let got = unit.list("call_rewards").unwrap().value(at);
            prop_assert_eq!(got.as_primitive::<Float64Type>().values().to_vec(), rewards);
            let turns = unit.list("call_turns").unwrap().value(at);
            prop_assert!(turns.as_primitive::<Int64Type>().values().is_sorted());
        }
    }

    #[test]
    fn answers_join_the_first_equivalent_leader(seed in 0u64..10_000, strict: bool) {
        let random = &mut Random::new(seed);
        let count = 1 + random.below(8);
        let words = ["a", "b", "c", "d"];
        let labels: Vec<Vec<i64>> =
            (0..4).map(|i| (0..4).map(|j| if i == j { 2 } else { random.below(3) as i64 }).collect()).collect();
        let answers: Vec<Option<usize>> = (0..count).map(|_| random.chance(80).then(|| random.below(4))).collect();
        let order = random.shuffled(count);
        let names: Vec<Cell<String>> = order.iter().map(|_| whole(&words.map(str::to_owned))).collect();
        let of_answer: Vec<Cell<i64>> =
            order.iter().map(|&row| whole(&labels[answers[row].unwrap_or(0)])).collect();
        let texts_of: StringArray = order.iter().map(|&row| answers[row].map(|answer| words[answer])).collect();
        let equivalence = Equivalence::Entailment { strict };
        let unit = unit(
            AnswerClusters { equivalence, references: 2 },
            vec![
                ("answer", Arc::new(texts_of)),
                ("entailment_answers", list(&names, texts)),
                ("entailment_labels", list(&of_answer, integers)),
            ],
            &order,
        );
        let (numbers, references) = (unit.column("answer_cluster").unwrap(), unit.list("reference_texts").unwrap());
        let numbers = numbers.as_primitive::<Int64Type>();
        for group in unit.groups().windows(2) {
            let mut leaders: Vec<usize> = Vec::new();
            for at in group[0]..group[1] {
                let Some(answer) = answers[row_of(&unit, at)] else {
                    prop_assert!(numbers.is_null(at) && references.is_null(at));
                    continue;
                };
                let holds = |&leader: &usize| {
                    let (there, back) = (labels[answer][leader] as f64, labels[leader][answer] as f64);
                    leader == answer || equivalence.holds(there, back)
                };
                let place = leaders.iter().position(holds).unwrap_or_else(|| {
                    leaders.push(answer);
                    leaders.len() - 1
                });
                prop_assert_eq!(numbers.value(at), place as i64);
                let kept = references.value(at);
                prop_assert_eq!(kept.as_string::<i32>().value(0), words[leaders[place]]);
                prop_assert!(kept.len() <= 2);
            }
        }
    }
}
