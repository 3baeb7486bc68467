//! The rollouts that benchmarks of assignment measure on.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, ListBuilder,
    RecordBatch, StringBuilder,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Rows of a row group.
pub const ROW_GROUP_ROWS: u64 = 1024;
const GROUP_SIZE: u64 = 8;
/// Lengths run from here to about 2,300 tokens, with a mean of 610.
const SHORTEST: f64 = 40.0;
const LONGEST_MORE: f64 = 2280.0;

/// How the files are written.
pub fn properties() -> Result<WriterProperties, Box<dyn Error>> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS as usize))
        .build())
}

/// Rollouts of agents: the policy writes a few dozen tokens, a tool answers, and so on.
pub fn batch(
    rows: std::ops::Range<u64>,
    random: &mut Random,
    tokens: &mut u64,
) -> Result<RecordBatch, Box<dyn Error>> {
    let mut iteration = Int64Builder::new();
    let (mut group, mut rollout) = (StringBuilder::new(), StringBuilder::new());
    let (mut status, mut prompt) = (StringBuilder::new(), StringBuilder::new());
    let mut reward = Float64Builder::new();
    let mut ids = ListBuilder::new(Int32Builder::new());
    let mut mask = ListBuilder::new(BooleanBuilder::new());
    let mut logprobs = ListBuilder::new(Float32Builder::new());
    for row in rows {
        let task = row / GROUP_SIZE;
        iteration.append_value(0);
        group.append_value(format!("task-{task:06}"));
        rollout.append_value(format!("task-{task:06}-{}", row % GROUP_SIZE));
        status.append_value("complete");
        prompt.append_value(format!("Task {task}: use the tools and answer in one line."));
        // Half of the rewards are right or wrong, the others partial; some groups agree.
        let partial = (random.uniform() * 100.0).round() / 100.0;
        let solved = f64::from(u8::from(random.uniform() < 0.4));
        reward.append_value(if task.is_multiple_of(2) { solved } else { partial });
        let length = (SHORTEST + LONGEST_MORE * random.uniform().powi(3)) as u64;
        *tokens += length;
        let (mut left, mut policy) = (0, false);
        for _ in 0..length {
            if left == 0 {
                policy = !policy;
                left = if policy { 20 + random.below(180) } else { 5 + random.below(60) };
            }
            left -= 1;
            mask.values().append_value(policy);
            ids.values().append_value(random.below(150_000) as i32);
            logprobs.values().append_value((random.uniform() * -4.0) as f32);
        }
        mask.append(true);
        ids.append(true);
        logprobs.append(true);
    }
    let columns: [(&str, ArrayRef); 9] = [
        ("iteration", Arc::new(iteration.finish())),
        ("group_id", Arc::new(group.finish())),
        ("rollout_id", Arc::new(rollout.finish())),
        ("status", Arc::new(status.finish())),
        ("prompt", Arc::new(prompt.finish())),
        ("reward", Arc::new(reward.finish())),
        ("token_ids", Arc::new(ids.finish())),
        ("token_mask", Arc::new(mask.finish())),
        ("token_rollout_logprobs", Arc::new(logprobs.finish())),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// SplitMix64.
pub struct Random(u64);

impl Random {
    /// The generator of every file.
    pub fn seeded() -> Self {
        Random(0x6d65_6564)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
