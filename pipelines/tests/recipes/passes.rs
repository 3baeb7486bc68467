//! What needs more than a group: statistics over earlier iterations, and operators over an iteration.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field};
use meed_operators::Result;
use meed_operators::credit::{Credit, Evaluated, Unit, batch, earlier, history, mean, signal, std};
use meed_operators::signals::{GatherSignals, Known, ReturnDecomposition, Rows, Told, whole_iteration};
use meed_pipelines::ready;
use meed_pipelines::recipe::ADVANTAGE;
use meed_pipelines::{Earlier, Plan, Recipe};
use serde_json::json;

const OVER_THE_HISTORY: Recipe = Recipe {
    name: "over_the_history",
    plan: |_| {
        let before = mean(signal("reward"), earlier()).or_else(0.0);
        let spread = std(signal("reward"), history().last(2), 0);
        let of_its_group = mean(signal("batch_part"), history().and(signal("group_id")));
        Ok(Credit::new()
            .define("batch_part", signal("reward") - mean(signal("reward"), batch()))
            .advantage((signal("reward") - before) / (spread + 1.0) + of_its_group)
            .into())
    },
    ..ADVANTAGE
};

const FROM_THE_ITERATION: Recipe = Recipe {
    name: "from_the_iteration",
    plan: |_| {
        let advantage = signal("reward") - signal("iteration_mean");
        Ok(Plan { gathers: vec![Arc::new(IterationMean)], ..Credit::new().advantage(advantage).into() })
    },
    ..ADVANTAGE
};

const DECODED: Recipe = Recipe {
    name: "decoded",
    plan: |_| {
        let decoder = ReturnDecomposition {
            factors: "step_factor_values".into(),
            reward: signal("reward"),
            ridge: 1e-6,
        };
        let advantage = signal("step_decomposed_rewards");
        Ok(Plan { gathers: vec![Arc::new(decoder)], ..Credit::new().advantage(advantage).into() })
    },
    ..ADVANTAGE
};

/// The mean of the centred rewards of an iteration, in two passes: the mean, and what is left over.
struct IterationMean;

impl GatherSignals for IterationMean {
    fn name(&self) -> &str {
        "iteration_mean"
    }

    fn inputs(&self) -> Credit {
        Credit::new().define("score", signal("reward") * 1.0)
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("iteration_mean", DataType::Float64, true)]
    }

    fn passes(&self) -> usize {
        2
    }

    fn observe(&self, unit: &Unit, inputs: &Evaluated, known: &Known, told: &mut Told) -> Result<()> {
        let score = inputs.signal("score").expect("its input");
        for row in 0..unit.rows() {
            let mean = known.whole(0, unit.iteration(row)).first().copied().unwrap_or(0.0);
            let x = score.number(row).expect("a score") - mean;
            told.tell(unit.iteration(row), unit.group_id(row), unit.rollout_id(row), vec![x]);
        }
        Ok(())
    }

    fn conclude(&self, iteration: i64, rows: Rows, known: &Known) -> Result<Rows> {
        let mean = rows.values().map(|numbers| numbers[0]).sum::<f64>() / rows.len() as f64;
        let before = known.whole(0, iteration).first().copied().unwrap_or(0.0);
        Ok(BTreeMap::from([(whole_iteration(), vec![before + mean])]))
    }

    fn apply(&self, unit: &Unit, _: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>> {
        let of = |row| known.whole(1, unit.iteration(row)).first().copied();
        Ok(vec![Arc::new(Float64Array::from_iter((0..unit.rows()).map(of)))])
    }
}

fn rollouts() -> RecordBatch {
    let rows: Vec<_> = (0..36)
        .map(|i| {
            json!({
                "iteration": i / 12,
                "group_id": format!("g{}", i % 12 / 4),
                "rollout_id": format!("r{i}"),
                "reward": f64::from((i * 7919) % 13) / 7.0,
                "token_mask": [true, true],
                "step_ends": [1, 2],
                "step_factor_values": [[1.0, f64::from(i % 5)], [f64::from(i % 3), 0.5]],
            })
        })
        .collect();
    crate::load::rollouts(&rows).expect("rollouts")
}

/// Bits of the advantages of each rollout.
fn bits(rows: &[RecordBatch]) -> BTreeMap<String, Vec<u32>> {
    let rows = concat_batches(&rows[0].schema(), rows).expect("one schema");
    let (ids, cells) = (rows["rollout_id"].as_string::<i32>(), rows["token_advantages"].as_list::<i32>());
    (0..rows.num_rows())
        .map(|row| {
            let cell = cells.value(row);
            let values = cell.as_primitive::<arrow::datatypes::Float32Type>().values().iter();
            (ids.value(row).to_owned(), values.map(|x| x.to_bits()).collect())
        })
        .collect()
}

fn part(rollouts: &RecordBatch, wanted: impl Fn(i64, &str) -> bool) -> RecordBatch {
    let iterations = rollouts["iteration"].as_primitive::<arrow::datatypes::Int64Type>();
    let groups = rollouts["group_id"].as_string::<i32>();
    let chosen = (0..rollouts.num_rows()).filter(|&row| wanted(iterations.value(row), groups.value(row)));
    let chosen = arrow::array::UInt64Array::from_iter_values(chosen.map(|row| row as u64));
    take_record_batch(rollouts, &chosen).expect("rows")
}

#[test]
fn iteration_by_iteration_is_as_good_as_all_at_once() {
    let rollouts = rollouts();
    let whole = OVER_THE_HISTORY.in_memory(&[], rollouts.clone()).unwrap().rows.unwrap();
    let mut earlier = Earlier::default();
    let mut one_by_one = Vec::new();
    for iteration in 0..3 {
        // A run that is resumed has the state as text.
        let stored = serde_json::to_string(&earlier).unwrap();
        earlier = serde_json::from_str(&stored).unwrap();
        let own = part(&rollouts, |at, _| at == iteration);
        one_by_one.push(OVER_THE_HISTORY.in_memory_after(&mut earlier, &[], own).unwrap().rows.unwrap());
    }
    assert_eq!(bits(&[whole]), bits(&one_by_one));
}

/// Passes over units in any order, seen by two workers, give what one unit of everything gives.
fn in_units(recipe: &Recipe, rollouts: &RecordBatch) -> Vec<RecordBatch> {
    let rollouts = meed_operators::columns::complete(rollouts.clone(), "memory").unwrap();
    let ready = recipe.ready(&[], &rollouts.schema()).unwrap();
    let mut units: Vec<RecordBatch> = Vec::new();
    for iteration in (0..3).rev() {
        for group in ["g1", "g2", "g0"] {
            units.push(part(&rollouts, |at, id| at == iteration && id == group));
        }
    }
    let mut known = ready::Known::default();
    for pass in 0..ready.passes() {
        let mut seen = [ready::Seen::default(), ready::Seen::default()];
        for (number, unit) in units.iter().enumerate() {
            ready.observe(pass, unit, &known, &mut seen[number % 2]).unwrap();
        }
        let [first, mut second] = seen;
        second.merge(first);
        ready.conclude(pass, second, &mut known).unwrap();
    }
    units
        .iter()
        .map(|unit| ready.assign(&ready.unit(unit, &known).unwrap(), &known).unwrap().1.unwrap())
        .collect()
}

#[test]
fn units_do_not_show() {
    for recipe in [OVER_THE_HISTORY, FROM_THE_ITERATION, DECODED] {
        let whole = recipe.in_memory(&[], rollouts()).unwrap().rows.unwrap();
        assert_eq!(bits(&[whole]), bits(&in_units(&recipe, &rollouts())), "{}", recipe.name);
    }
}

#[test]
fn the_mean_of_an_iteration_is_taken_off() {
    let given = FROM_THE_ITERATION.in_memory(&[], rollouts()).unwrap();
    let means = given.unit.column("iteration_mean").unwrap().as_primitive::<arrow::datatypes::Float64Type>();
    let rewards = given.unit.column("reward").unwrap().as_primitive::<arrow::datatypes::Float64Type>();
    let expected = rewards.values()[..12].iter().sum::<f64>() / 12.0;
    assert!((means.value(0) - expected).abs() < 1e-12, "{} {expected}", means.value(0));
    assert_eq!(means.null_count(), 0);
}
