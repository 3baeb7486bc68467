//! The rollouts that every recipe is tried on.

use crate::data::shapes::group;
use crate::data::{Draw, Shape, Step};

/// Two iterations of small groups: uneven, of one, with equal rewards, with equal rollouts, with rollouts that
/// have nothing to train on or no tokens at all.
pub fn small() -> Vec<Shape> {
    let drawn = |seed: u64| Shape::drawn(seed, 1 + seed % 5);
    let several = |seeds: std::ops::Range<u64>| -> Vec<Shape> { seeds.map(drawn).collect() };
    let mut equal_rewards = several(20..23);
    equal_rewards.iter_mut().for_each(|shape| shape.reward_seed = 9);
    let mut with_empty = several(30..33);
    with_empty.push(masked(Shape::drawn(34, 3)));
    with_empty.push(Shape::of(Vec::new(), Vec::new(), 35));
    [
        group(0, "a2", several(10..14)),
        group(0, EQUAL, vec![drawn(17); 3]),
        group(0, "a1", equal_rewards),
        group(0, ALONE, several(24..25)),
        group(0, "a10", with_empty),
        group(1, "b0", several(40..45)),
        group(1, "b1", several(50..52)),
        group(1, "a2", several(60..63)),
        group(1, "b2", vec![drawn(72); 2]),
    ]
    .concat()
}

/// A group of equal rollouts, in iteration 0.
pub const EQUAL: &str = "equal";
/// A group of one, in iteration 0.
pub const ALONE: &str = "alone";

/// The small rollouts, and a group with one long rollout among short ones.
pub fn with_long(tokens: usize) -> Vec<Shape> {
    let mut draw = Draw::new(5);
    let (mut mask, mut steps) = (Vec::new(), Vec::new());
    while mask.len() < tokens {
        let policy = steps.len() % 2 == 0;
        let length = 50 + draw.below(200) as usize;
        mask.extend((0..length).map(|_| policy && !draw.once_in(50)));
        steps.push(Step { end: mask.len(), kind: if policy { "policy" } else { "observation" } });
    }
    let long = Shape::of(mask, steps, 81);
    [small(), group(1, "long", vec![Shape::drawn(80, 3), long, Shape::drawn(83, 4)])].concat()
}

fn masked(mut shape: Shape) -> Shape {
    shape.mask.fill(false);
    shape
}
