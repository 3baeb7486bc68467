//! Comparing recipes: numbers by hand, and the same numbers for any order, batches and workers.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Array, Int32Builder, Int64Array, ListBuilder,
    RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use meed_operators::Result;
use meed_operators::columns::OnError;
use meed_operators::credit::{Credit, signal};
use meed_operators::engine::{Batches, RunOptions, Source};
use meed_pipelines::comparison::{CompareJob, Comparison, compare};
use meed_pipelines::recipe::ADVANTAGE;
use meed_pipelines::stored::{RecipeSettings, Rejected};
use meed_pipelines::{Recipe, find};
use proptest::prelude::*;

const A: Recipe =
    Recipe { name: "a", plan: |_| Ok(Credit::new().advantage(signal("token_a")).into()), ..ADVANTAGE };

const B: Recipe =
    Recipe { name: "b", plan: |_| Ok(Credit::new().advantage(signal("token_b")).into()), ..ADVANTAGE };

/// A rollout with steps of so many tokens; a token has a mask and values of two signals.
#[derive(Debug)]
struct Row {
    group: usize,
    reward: Option<f64>,
    steps: Vec<Vec<(bool, Option<f32>, f32)>>,
}

fn rollouts(rows: &[Row]) -> RecordBatch {
    let field = |data_type| Arc::new(Field::new("element", data_type, true));
    let mut mask = ListBuilder::new(BooleanBuilder::new()).with_field(field(DataType::Boolean));
    let mut ends = ListBuilder::new(Int32Builder::new()).with_field(field(DataType::Int32));
    let mut signals =
        [0, 1].map(|_| ListBuilder::new(Float32Builder::new()).with_field(field(DataType::Float32)));
    for row in rows {
        let mut end = 0;
        for step in &row.steps {
            end += step.len() as i32;
            ends.values().append_value(end);
            for (trainable, a, b) in step {
                mask.values().append_value(*trainable);
                signals[0].values().append_option(*a);
                signals[1].values().append_value(*b);
            }
        }
        ends.append(true);
        mask.append(true);
        signals.iter_mut().for_each(|signal| signal.append(true));
    }
    let [a, b] = &mut signals;
    let count = rows.len();
    let columns: [(&str, ArrayRef); 9] = [
        ("iteration", Arc::new(Int64Array::from(vec![0; count]))),
        (
            "group_id",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| format!("g{}", row.group)))),
        ),
        ("rollout_id", Arc::new(StringArray::from_iter_values((0..count).map(|row| format!("r{row}"))))),
        ("status", Arc::new(StringArray::from(vec!["complete"; count]))),
        ("reward", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.reward)))),
        ("token_mask", Arc::new(mask.finish())),
        ("step_ends", Arc::new(ends.finish())),
        ("token_a", Arc::new(a.finish())),
        ("token_b", Arc::new(b.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Rows in slices of one group each, in batches of so many rows.
struct Groups {
    slices: Vec<RecordBatch>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl Source for Groups {
    fn uri(&self) -> &str {
        "memory"
    }
    fn fingerprint(&self) -> String {
        String::new()
    }
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
    fn rows(&self) -> Option<u64> {
        None
    }
    fn slices(&self) -> u64 {
        self.slices.len() as u64
    }
    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        let indices: Vec<usize> =
            columns.iter().map(|name| self.schema.index_of(name)).collect::<std::result::Result<_, _>>()?;
        let rows = self.slices[slice as usize].project(&indices)?;
        let cut = |first: usize| Ok(rows.slice(first, self.batch_rows.min(rows.num_rows() - first)));
        let batches: Vec<Result<RecordBatch>> =
            (0..rows.num_rows()).step_by(self.batch_rows).map(cut).collect();
        Ok(Box::new(batches.into_iter()))
    }
}

/// Compares with groups and their rows in a given order, a number of groups a slice.
fn compared(
    batch: &RecordBatch,
    groups: &[Vec<u32>],
    slice_groups: usize,
    batch_rows: usize,
    workers: usize,
    recipes: &[Recipe],
) -> Comparison {
    let slices = groups
        .chunks(slice_groups)
        .map(|groups| take_record_batch(batch, &UInt32Array::from(groups.concat())).unwrap());
    let source = Groups { slices: slices.collect(), schema: batch.schema(), batch_rows };
    let job = CompareJob {
        recipes: recipes.iter().map(RecipeSettings::from).collect(),
        source: Arc::new(source),
        scores: None,
        on_error: OnError::Fail,
        rejected: Rejected::default(),
        contested: 2,
    };
    compare(job, &RunOptions::workers(workers)).unwrap()
}

/// Rows of each group, in order.
fn groups(rows: &[Row]) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        groups.resize(groups.len().max(row.group + 1), Vec::new());
        groups[row.group].push(index as u32);
    }
    groups.retain(|rows| !rows.is_empty());
    groups
}

fn row(group: usize, steps: Vec<Vec<(bool, Option<f32>, f32)>>) -> Row {
    Row { group, reward: Some(1.0), steps }
}

fn near(x: Option<f64>, wanted: f64) {
    assert!(x.is_some_and(|x| (x - wanted).abs() < 1e-12), "{x:?} in place of {wanted}");
}

#[test]
fn numbers_by_hand() {
    let token = |a: f32, b: f32| (true, Some(a), b);
    let rows = [
        row(
            0,
            vec![vec![token(1.0, 2.0), (false, Some(9.0), 9.0)], vec![token(0.0, -2.0), token(-1.0, -2.0)]],
        ),
        row(0, vec![vec![token(0.0, 0.0), token(0.0, 0.0)]]),
        row(1, vec![vec![token(0.0, 4.0)], vec![token(0.0, 4.0)]]),
        // A null advantage: `a` does not train on it.
        row(1, vec![vec![(true, None, 1.0)]]),
    ];
    let given = compared(&rollouts(&rows), &groups(&rows), 1, 10, 1, &[A, B]);
    assert_eq!((given.rollouts, given.groups, given.elements), (4, 2, [8, 6, 4]));
    let [a, b] = &given.recipes[..] else { panic!("two recipes") };
    assert_eq!((a.summary.in_loss, b.summary.in_loss), (3, 4));
    assert_eq!((a.zero_signal, b.zero_signal), (Some(0.5), Some(0.0)));
    assert_eq!(a.mean_absolute, [Some(2.0 / 7.0), Some(0.3), Some(0.0)]);
    assert_eq!(b.mean_absolute[..2], [Some(15.0 / 8.0), Some(13.0 / 6.0)]);
    near(b.mean_absolute[2], 17.0 / 12.0);
    // A tenth of 7 tokens is 0.7 of one; of 8 it is 0.8.
    near(a.concentration, 0.7 / 2.0);
    near(b.concentration, 3.2 / 15.0);
    assert_eq!((a.uneven, b.uneven), (Some(1.0 / 3.0), Some(0.25)));
    let scales = [(2.0f64 / 7.0).sqrt(), (45.0f64 / 8.0).sqrt()];
    near(a.scale, scales[0]);
    near(b.scale, scales[1]);

    let [pair] = &given.pairs[..] else { panic!("one pair") };
    assert_eq!(pair.recipes, (0, 1));
    let [tokens, steps, whole] = &pair.levels;
    assert_eq!((tokens.elements, steps.elements, whole.elements), (7, 5, 3));
    assert_eq!((tokens.same_sign, steps.same_sign, whole.same_sign), (Some(0.4), Some(0.5), Some(0.0)));
    assert_eq!(tokens.opposite_sign, Some(0.0));
    near(tokens.spearman, 10.5 / 477f64.sqrt());
    near(steps.spearman, 4.0 / 76f64.sqrt());
    assert_eq!(whole.spearman, None, "`a` gives every rollout a mean of 0");

    let ids: Vec<&str> = given.contested.iter().map(|rollout| rollout.rollout_id.as_str()).collect();
    assert_eq!(ids, ["r2", "r0"], "one of each group");
    let apart = (1.0 / scales[0] - 2.0 / scales[1]).abs();
    let [most, less] = &given.contested[..] else { panic!("two rollouts") };
    near(Some(most.disagreement), 2.0 / scales[1]);
    near(Some(less.disagreement), (apart + 2.0 / scales[1] + apart) / 6.0);
    assert_eq!((most.rewards.len(), most.own), (2, 0));
    assert_eq!(less.step_ends, [2, 4]);
    assert_eq!(less.credit[0], Ok(vec![1.0, 0.0, 0.0, -1.0]));
}

#[test]
fn a_recipe_beside_itself_agrees_in_everything() {
    let rows: Vec<Row> =
        (0..6).map(|at| row(at / 2, vec![vec![(true, Some(at as f32 - 2.0), 0.0); at + 1]])).collect();
    let again = Recipe { name: "again", ..A };
    let given = compared(&rollouts(&rows), &groups(&rows), 2, 3, 1, &[A, again]);
    for level in &given.pairs[0].levels {
        assert_eq!((level.same_sign, level.spearman), (Some(1.0), Some(1.0)));
    }
    assert!(given.contested.is_empty(), "nothing is contested");
    let opposite = Recipe {
        name: "opposite",
        plan: |_| Ok(Credit::new().advantage(-1.0 * signal("token_a")).into()),
        ..ADVANTAGE
    };
    let given = compared(&rollouts(&rows), &groups(&rows), 2, 3, 1, &[A, opposite]);
    assert_eq!(given.pairs[0].levels[0].spearman, Some(-1.0));
    assert_eq!(given.pairs[0].levels[0].opposite_sign, Some(1.0));
}

#[test]
fn nothing_to_compare_is_no_number() {
    let rows = [Row { group: 0, reward: None, steps: vec![vec![(true, Some(1.0), 1.0)]] }];
    let given = compared(&rollouts(&rows), &groups(&rows), 1, 1, 1, &[*find("grpo").unwrap(), A]);
    let grpo = &given.recipes[0];
    assert_eq!((grpo.summary.in_loss, grpo.zero_signal), (0, Some(1.0)));
    assert_eq!((grpo.mean_absolute, grpo.concentration, grpo.uneven), ([None; 3], None, None));
    assert_eq!((given.pairs[0].levels[0].same_sign, given.pairs[0].levels[0].spearman), (None, None));
    assert!(given.contested.is_empty(), "only one recipe trains on it");
}

fn tokens() -> impl Strategy<Value = Vec<(bool, Option<f32>, f32)>> {
    let value = prop_oneof![Just(0.0f32), (-3i32..3).prop_map(|x| x as f32), -1.0f32..1.0];
    prop::collection::vec(
        (prop::bool::weighted(0.8), prop::option::weighted(0.97, value.clone()), value),
        0..5,
    )
}

fn data() -> impl Strategy<Value = Vec<Row>> {
    let reward = prop::option::weighted(0.9, prop_oneof![Just(0.0), Just(1.0), 0.0f64..1.0]);
    let rollout = (reward, prop::collection::vec(tokens(), 1..4));
    let group = prop::collection::vec(rollout, 1..4);
    prop::collection::vec(group, 1..8).prop_map(|groups| {
        let rows = groups.into_iter().enumerate().flat_map(|(group, rows)| {
            rows.into_iter().map(move |(reward, steps)| Row { group, reward, steps })
        });
        rows.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn numbers_do_not_depend_on_order_batches_or_workers(
        rows in data(),
        seed in any::<u64>(),
        slice_groups in 1usize..4,
        batch_rows in 1usize..6,
        workers in 1usize..4,
    ) {
        let recipes = [A, *find("grpo").unwrap(), *find("reinforce_pp").unwrap(), B];
        let batch = rollouts(&rows);
        let mut order = groups(&rows);
        let straight = compared(&batch, &order, order.len(), 1000, 1, &recipes);
        let mut random = seed;
        let mut below = |bound: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % bound
        };
        for at in (1..order.len()).rev() {
            order.swap(at, below(at + 1));
        }
        for rows in &mut order {
            for at in (1..rows.len()).rev() {
                rows.swap(at, below(at + 1));
            }
        }
        let other = compared(&batch, &order, slice_groups, batch_rows, workers, &recipes);
        prop_assert_eq!(straight, other);
    }
}
