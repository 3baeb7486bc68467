//! Random ragged batches.

use rand::Rng;

use crate::objectives::Columns;
use crate::random::RandomKey;

/// A batch with rollouts of 0 to 6 tokens, observation tokens among them, in groups of two.
pub fn batch(seed: u64) -> Columns {
    let mut rng = RandomKey::new(seed, 0, "", "").at(0);
    let rollouts = rng.random_range(2..5);
    let mut columns = Columns { offsets: vec![0], ..Columns::default() };
    for row in 0..rollouts {
        let tokens = rng.random_range(0..7);
        columns.groups.push(row / 2);
        columns.offsets.push(columns.tokens() + tokens);
        columns.mask.extend((0..tokens).map(|_| rng.random_bool(0.75)));
    }
    let tokens = columns.tokens();
    let mut uniform =
        |n: usize, low: f64, high: f64| -> Vec<f64> { (0..n).map(|_| rng.random_range(low..high)).collect() };
    let old = uniform(tokens, -2.5, -0.1);
    let near = |gap: Vec<f64>| -> Vec<f64> {
        old.iter().zip(gap).map(|(old, gap)| (old + gap).min(-0.01)).collect()
    };
    columns.logprobs = near(uniform(tokens, -0.6, 0.6));
    columns.rollout_logprobs = Some(near(uniform(tokens, -0.5, 0.5)));
    columns.ref_logprobs = Some(near(uniform(tokens, -1.0, 1.0)));
    columns.advantages = uniform(tokens, -2.0, 2.0);
    columns.entropies = Some(uniform(tokens, 0.0, 2.0));
    columns.values = Some(uniform(tokens, -1.0, 1.0));
    columns.old_values = Some(uniform(tokens, -1.0, 1.0));
    columns.returns = Some(uniform(tokens, -1.0, 1.0));
    columns.clip_low = None;
    columns.rewards = Some(uniform(rollouts, -1.0, 1.0).iter().map(|x| x.signum()).collect());
    columns.signals.insert("trajectory".into(), (0..rollouts).map(|row| (row / 2) as f64).collect());
    columns.old_logprobs = Some(old);
    columns
}
