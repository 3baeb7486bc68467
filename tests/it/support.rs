//! What several tests share: synthetic rollouts, a source and a sink in memory, real data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float32Builder, Float64Array, Float64Builder, Int32Builder,
    Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Float32Type, Int64Type, Schema, SchemaRef};
use meed_operators::Result;
use meed_operators::engine::{Batches, Source};

/// A counter-based generator: the same numbers for the same seed and position.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// Where the real rollouts lie; `None`, said plainly, where they are absent.
pub fn real_data(file: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: the real data ../shared/data/{file} is absent");
    None
}

/// Rollouts with every column that the baseline recipes read: uneven groups over two iterations,
/// singletons, zero variance, null rewards, environment steps, rollouts without trainable tokens.
pub fn rollouts(groups: usize, seed: u64) -> RecordBatch {
    let mut random = Random(seed);
    let element = |data_type| Arc::new(Field::new("element", data_type, true));
    let (mut iterations, mut group_ids, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut rewards, mut baselines) = (Vec::new(), Vec::new());
    let mut token_ids = ListBuilder::new(Int32Builder::new()).with_field(element(DataType::Int32));
    let mut mask = ListBuilder::new(BooleanBuilder::new()).with_field(element(DataType::Boolean));
    let floats = || {
        ListBuilder::new(Float32Builder::new()).with_field(Arc::new(Field::new(
            "element",
            DataType::Float32,
            true,
        )))
    };
    let mut signals: Vec<ListBuilder<Float32Builder>> = (0..5).map(|_| floats()).collect();
    let mut ends = ListBuilder::new(Int32Builder::new()).with_field(element(DataType::Int32));
    let mut kinds = ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8));
    let mut states = ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8));
    let mut step_rewards = ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64));
    for group in 0..groups {
        let members = if group % 11 == 3 { 1 } else { 2 + random.below(7) as usize };
        let constant = group % 5 == 2;
        for member in 0..members {
            iterations.push((group * 2 / groups) as i64);
            group_ids.push(format!("group-{group}"));
            ids.push(format!("group-{group}-{member}"));
            let reward = if constant { 0.3 } else { (random.unit() * 1000.0).round() / 1000.0 };
            rewards.push((random.below(17) != 0).then_some(reward));
            baselines.push(random.unit());
            let steps = 1 + random.below(5) as usize;
            let mut total = 0;
            for step in 0..steps {
                let policy = step % 2 == 0 && random.below(29) != 0;
                let tokens = 1 + random.below(9) as usize;
                for token in 0..tokens {
                    token_ids.values().append_value(if token < 2 { 7 } else { random.below(4) as i32 });
                    mask.values().append_value(policy);
                    let logprob = -2.0 * random.unit() as f32;
                    let values = [
                        logprob,
                        logprob - 0.1 * random.unit() as f32,
                        random.unit() as f32,
                        0.5 + 0.5 * random.unit() as f32,
                        3.0 * random.unit() as f32,
                    ];
                    for (signal, value) in signals.iter_mut().zip(values) {
                        signal.values().append_value(value);
                    }
                }
                total += tokens as i32;
                ends.values().append_value(total);
                kinds.values().append_value(if policy { "policy" } else { "observation" });
                match policy {
                    true => states.values().append_value(format!("state-{}", random.below(3))),
                    false => states.values().append_null(),
                }
                match policy {
                    true => step_rewards.values().append_value((random.unit() * 10.0).round() / 10.0),
                    false => step_rewards.values().append_null(),
                }
            }
            token_ids.append(true);
            mask.append(true);
            signals.iter_mut().for_each(|signal| signal.append(true));
            ends.append(true);
            kinds.append(true);
            states.append(true);
            step_rewards.append(true);
        }
    }
    let statuses = vec!["complete"; ids.len()];
    let mut named: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(iterations))),
        ("group_id", Arc::new(StringArray::from(group_ids))),
        ("rollout_id", Arc::new(StringArray::from(ids))),
        ("status", Arc::new(StringArray::from(statuses))),
        ("reward", Arc::new(Float64Array::from(rewards))),
        ("reward_baseline", Arc::new(Float64Array::from(baselines))),
        ("token_ids", Arc::new(token_ids.finish())),
        ("token_mask", Arc::new(mask.finish())),
        ("step_ends", Arc::new(ends.finish())),
        ("step_kinds", Arc::new(kinds.finish())),
        ("step_states", Arc::new(states.finish())),
        ("step_rewards", Arc::new(step_rewards.finish())),
    ];
    let names = [
        "token_old_logprobs",
        "token_ref_logprobs",
        "token_values",
        "token_sum_pi_squared",
        "token_entropies",
    ];
    for (name, signal) in names.into_iter().zip(&mut signals) {
        named.push((name, Arc::new(signal.finish())));
    }
    let fields: Vec<Field> =
        named.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let columns = named.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length")
}

/// The rows of a batch, groups kept together, but groups and the rows inside them shuffled.
pub fn shuffled_clustered(batch: &RecordBatch, seed: u64) -> RecordBatch {
    let mut random = Random(seed);
    let iterations = batch["iteration"].as_primitive::<Int64Type>();
    let groups = batch["group_id"].as_string::<i32>();
    let mut by_group: BTreeMap<(i64, String), Vec<u32>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        by_group.entry((iterations.value(row), groups.value(row).to_owned())).or_default().push(row as u32);
    }
    let mut rows: Vec<Vec<u32>> = by_group.into_values().collect();
    rows.iter_mut().for_each(|rows| random.shuffle(rows));
    random.shuffle(&mut rows);
    let order = arrow::array::UInt32Array::from(rows.concat());
    take_record_batch(batch, &order).expect("rows of the batch")
}

/// The rows of a batch in any order.
pub fn shuffled(batch: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    Random(seed).shuffle(&mut order);
    take_record_batch(batch, &arrow::array::UInt32Array::from(order)).expect("rows of the batch")
}

/// Clustered rows in memory, cut into slices of whole groups and batches of any size.
pub struct MemorySource {
    slices: Vec<RecordBatch>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl MemorySource {
    pub fn new(batch: RecordBatch, slice_groups: usize, batch_rows: usize) -> Self {
        let iterations = batch["iteration"].as_primitive::<Int64Type>();
        let groups = batch["group_id"].as_string::<i32>();
        let same = |row: usize| {
            row > 0
                && iterations.value(row) == iterations.value(row - 1)
                && groups.value(row) == groups.value(row - 1)
        };
        let starts: Vec<usize> = (0..batch.num_rows()).filter(|&row| !same(row)).collect();
        let cuts: Vec<usize> =
            starts.iter().copied().step_by(slice_groups).chain([batch.num_rows()]).collect();
        let slices = cuts.windows(2).map(|cut| batch.slice(cut[0], cut[1] - cut[0])).collect();
        MemorySource { slices, schema: batch.schema(), batch_rows }
    }
}

impl Source for MemorySource {
    fn uri(&self) -> &str {
        "memory"
    }
    fn fingerprint(&self) -> String {
        "memory".into()
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
        let batches: Vec<Result<RecordBatch>> = (0..rows.num_rows())
            .step_by(self.batch_rows)
            .map(|first| Ok(rows.slice(first, self.batch_rows.min(rows.num_rows() - first))))
            .collect();
        Ok(Box::new(batches.into_iter()))
    }
}

/// Recipe, iteration and rollout.
pub type RowKey = (String, i64, String);
/// In the baseline, in the loss, and the bits of token advantages and returns.
pub type RowBits = (bool, bool, Vec<u32>, Vec<u32>);

/// Everything an advantages row says, as comparable bits, by recipe and rollout.
pub fn bits(rows: &RecordBatch) -> BTreeMap<RowKey, RowBits> {
    let recipes = rows["recipe"].as_string::<i32>();
    let iterations = rows["iteration"].as_primitive::<Int64Type>();
    let ids = rows["rollout_id"].as_string::<i32>();
    let (baseline, loss) = (rows["in_baseline"].as_boolean(), rows["in_loss"].as_boolean());
    let floats = |list: &arrow::array::ListArray, row: usize| -> Vec<u32> {
        match list.is_valid(row) {
            true => {
                list.value(row).as_primitive::<Float32Type>().values().iter().map(|x| x.to_bits()).collect()
            }
            false => Vec::new(),
        }
    };
    let advantages = rows["token_advantages"].as_list::<i32>();
    let returns = rows["token_returns"].as_list::<i32>();
    let all = (0..rows.num_rows()).map(|row| {
        let key = (recipes.value(row).to_owned(), iterations.value(row), ids.value(row).to_owned());
        (key, (baseline.value(row), loss.value(row), floats(advantages, row), floats(returns, row)))
    });
    let map: BTreeMap<_, _> = all.collect();
    assert_eq!(map.len(), rows.num_rows(), "a rollout has two rows of one recipe");
    map
}
