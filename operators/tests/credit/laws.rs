//! The four laws, for every derived expression and programs like those of recipes.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float32Type;
use meed_operators::credit::*;
use proptest::prelude::*;

use crate::arrays::batch;
use crate::data::Data;
use crate::generator::{Random, dataset};
use crate::program::{checked, statistics};
use crate::recipes::{of_batches, of_groups};

/// Rows of the advantages table and the bits of every named signal, on rows in a given order.
pub struct Outcome {
    pub rows: RecordBatch,
    pub signals: Vec<(String, Vec<String>)>,
    pub in_baseline: Vec<bool>,
    pub reasons: Vec<Option<String>>,
}

fn assignment(credit: &Credit, batch: &RecordBatch) -> Assignment {
    Assignment { recipe: "test".into(), parameters: "{}".into(), checked: checked(credit, batch).unwrap() }
}

/// Bits of every value, per rollout.
fn bits(unit: &Unit, column: &Column) -> Vec<String> {
    let level = column.level.clone().unwrap_or(ROLLOUT);
    let rows = unit.extent(&level).unwrap().rows.clone();
    let value = |i: usize| {
        let i = if column.level.is_none() { 0 } else { i };
        match &column.values {
            _ if !column.is_valid(i) => "null".to_owned(),
            Values::Number(values) => format!("{:x}", values[i].to_bits()),
            Values::Boolean(values) => values[i].to_string(),
            Values::Text(values) => values.value(i).to_owned(),
        }
    };
    rows.windows(2).map(|row| (row[0]..row[1]).map(value).collect::<Vec<_>>().join(" ")).collect()
}

pub fn outcome(credit: &Credit, batch: RecordBatch, known: Option<&BatchStatistics>) -> Outcome {
    let assignment = assignment(credit, &batch);
    let unit = Unit::new(batch).unwrap();
    let own = statistics(&assignment.checked, &[&unit]).unwrap();
    let assigned =
        assignment.assign(&unit, known.unwrap_or(&own)).unwrap_or_else(|error| panic!("{credit}: {error}"));
    let signals = assigned.evaluated.signals.iter().map(|(name, column)| (name.clone(), bits(&unit, column)));
    Outcome {
        signals: signals.collect(),
        rows: assigned.rows,
        in_baseline: assigned.evaluated.in_baseline,
        reasons: assigned.evaluated.reasons,
    }
}

fn canonical(data: &Data) -> Vec<usize> {
    (0..data.rows.len()).collect()
}

fn same(name: &str, law: &str, a: &Outcome, b: &Outcome) {
    for ((signal, a), (_, b)) in a.signals.iter().zip(&b.signals) {
        assert_eq!(a, b, "{law} of {name}: signal {signal}");
    }
    assert_eq!(a.in_baseline, b.in_baseline, "{law} of {name}");
    assert_eq!(a.reasons, b.reasons, "{law} of {name}");
    assert_eq!(a.rows, b.rows, "{law} of {name}");
}

/// `f(a ++ b) = f(a) ++ f(b)` for whole groups.
fn units(name: &str, credit: &Credit, data: &Data) {
    let whole = outcome(credit, batch(data, &canonical(data)), None);
    let mut at = 0;
    for group in data.groups() {
        let part = outcome(credit, batch(data, &group), None);
        let rows = at..at + group.len();
        for ((signal, whole), (_, part)) in whole.signals.iter().zip(&part.signals) {
            assert_eq!(whole[rows.clone()], part[..], "units of {name}: signal {signal}");
        }
        assert_eq!(whole.rows.slice(at, group.len()), part.rows, "units of {name}");
        at = rows.end;
    }
}

/// Any permutation of the input rows gives the same rows.
fn order(name: &str, credit: &Credit, data: &Data, seed: u64) {
    let straight = outcome(credit, batch(data, &canonical(data)), None);
    let shuffled = outcome(credit, batch(data, &Random::new(seed).shuffled(data.rows.len())), None);
    same(name, "order", &straight, &shuffled);
}

/// Only declared columns are read, and keys never change.
fn honesty(name: &str, credit: &Credit, data: &Data) {
    let full = batch(data, &canonical(data));
    let columns = checked(credit, &full).unwrap().columns;
    let indices: Vec<usize> = columns.iter().map(|name| full.schema().index_of(name).unwrap()).collect();
    let declared = outcome(credit, full.project(&indices).unwrap(), None);
    let all = outcome(credit, full.clone(), None);
    same(name, "honesty", &all, &declared);
    for key in ["iteration", "group_id", "rollout_id"] {
        assert_eq!(all.rows.column_by_name(key), full.column_by_name(key), "honesty of {name}");
    }
}

/// A null in a signal that the program reads takes the rollout out of baseline and loss, says so,
/// and changes the others as if the rollout were not there.
fn silence(name: &str, credit: &Credit, data: &Data, seed: u64) {
    let required = checked(credit, &batch(data, &canonical(data))).unwrap().required;
    let random = &mut Random::new(seed);
    let row = random.below(data.rows.len());
    for column in required {
        let mut silent = data.clone();
        let rollout = &mut silent.rows[row];
        match column.as_str() {
            "reward" => rollout.reward = None,
            "cost" => rollout.cost = None,
            "token_scores" => rollout.token_scores = None,
            "step_rewards" => rollout.step_rewards = None,
            "turn_scores" => rollout.turn_scores = None,
            _ => continue,
        }
        let result = outcome(credit, batch(&silent, &canonical(data)), None);
        assert!(!result.in_baseline[row], "silence of {name}: {column}");
        let text = |name: &str| result.rows.column_by_name(name).unwrap().as_string::<i32>().clone();
        let truth = |name: &str| result.rows.column_by_name(name).unwrap().as_boolean().clone();
        assert!(
            !truth("in_loss").value(row) && !truth("in_baseline").value(row),
            "silence of {name}: {column}"
        );
        assert!(text("reason").is_valid(row), "silence of {name}: {column} without a reason");
        let advantages = result.rows.column_by_name("token_advantages").unwrap().as_list::<i32>().value(row);
        assert!(
            advantages.as_primitive::<Float32Type>().values().iter().all(|&x| x == 0.0),
            "silence of {name}: {column}"
        );
        let others: Vec<usize> = canonical(data).into_iter().filter(|&other| other != row).collect();
        if others.is_empty() {
            continue;
        }
        let without = outcome(credit, batch(&silent, &others), None);
        for ((signal, with), (_, without)) in result.signals.iter().zip(&without.signals) {
            let with: Vec<&String> = others.iter().map(|&row| &with[row]).collect();
            assert_eq!(
                with,
                without.iter().collect::<Vec<_>>(),
                "silence of {name}: {column} changes signal {signal} of others"
            );
        }
    }
}

/// Partials merged over any split of the groups, in any order, through bytes.
fn slices(name: &str, credit: &Credit, data: &Data, seed: u64) {
    let random = &mut Random::new(seed);
    let whole = batch(data, &canonical(data));
    let checked = checked(credit, &whole).unwrap();
    let units: Vec<Unit> = {
        let mut slices: Vec<Vec<usize>> = vec![Vec::new(); 1 + random.below(4)];
        for group in data.groups() {
            let at = random.below(slices.len());
            slices[at].extend(group);
        }
        slices.iter().map(|rows| Unit::new(batch(data, rows)).unwrap()).collect()
    };
    let mut statistics = BatchStatistics::default();
    for _ in 0..checked.passes() {
        let mut merged = Partial::default();
        for at in random.shuffled(units.len()) {
            let mut partial = Partial::default();
            partial.observe(&checked, &units[at], &statistics).unwrap();
            let travelled = Partial::from_bytes(&partial.to_bytes().unwrap()).unwrap();
            merged.merge(travelled);
        }
        statistics.add(&checked, merged);
    }
    same(name, "slices", &outcome(credit, whole.clone(), None), &outcome(credit, whole, Some(&statistics)));
}

/// Every law for one program.
pub fn hold(name: &str, credit: &Credit, data: &Data, seed: u64) {
    order(name, credit, data, seed);
    honesty(name, credit, data);
    silence(name, credit, data, seed);
    slices(name, credit, data, seed);
    let passes = checked(credit, &batch(data, &canonical(data))).unwrap().passes();
    if passes == 0 {
        units(name, credit, data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_of_groups(seed in any::<u64>()) {
        let data = dataset(seed);
        of_groups().iter().for_each(|(name, credit)| hold(name, credit, &data, seed));
    }

    #[test]
    fn programs_of_batches(seed in any::<u64>()) {
        let data = dataset(seed);
        of_batches().iter().for_each(|(name, credit)| hold(name, credit, &data, seed));
    }
}

/// Programs that divide 0 by 0, or hide it where a comparison or a bound could swallow it.
#[test]
fn a_nan_is_a_fault_with_its_place() {
    let zero = || signal("reward") - signal("reward");
    let nan = || zero() / zero();
    let programs = [
        ("plain", nan()),
        ("sign", nan().sign()),
        ("min", nan().min(1.0)),
        ("clamp", nan().clamp(0.0, 1.0)),
        ("scan", nan().spread(TOKEN).scan(Running::Min)),
        ("max", maximum(nan(), group())),
        ("least", minimum(nan(), meed_operators::credit::batch())),
        ("reduce", nan().spread(TOKEN).reduce(ROLLOUT, Reduction::Max)),
        ("mean", mean(nan(), meed_operators::credit::batch())),
        ("others", maximum(nan(), group()).of_others()),
    ];
    let mut data = dataset(5);
    data.rows.truncate(1);
    data.rows[0].reward = Some(1.0);
    data.rows[0].mask = vec![true];
    data.rows.push(data.rows[0].clone());
    data.rows[1].id = "r9".into();
    for row in &mut data.rows {
        (row.step_ends, row.step_kinds, row.macros, row.slices) =
            (vec![1], vec!["policy".into()], Default::default(), Default::default());
        (row.token_scores, row.token_marks, row.step_rewards, row.turn_scores, row.passed, row.step_turns) =
            (None, None, None, None, None, None);
        (row.step_states, row.step_agents) = (None, None);
    }
    for (name, expr) in programs {
        let error = crate::program::run(&data, &Credit::new().define("ratio", expr), 0).err();
        let error = error.unwrap_or_else(|| panic!("{name}: no error")).to_string();
        assert!(error.contains("NaN in signal `ratio`") && error.contains("rollout r"), "{name}: {error}");
    }
}

/// An empty unit is no fault.
#[test]
fn no_rows_no_values() {
    let data = dataset(9);
    for (name, credit) in of_groups().iter().chain(&of_batches()) {
        let empty = batch(&data, &canonical(&data)).slice(0, 0);
        assert_eq!(outcome(credit, empty, None).rows.num_rows(), 0, "{name}");
    }
}
