//! The shapes of rollouts: how many tokens, which of them are trainable, and where steps lie.

use super::Draw;

/// A rollout without its values.
#[derive(Clone, Debug)]
pub struct Shape {
    pub iteration: i64,
    pub group: String,
    pub rollout: String,
    /// Place in the group, and how many there are.
    pub member: usize,
    pub members: usize,
    pub mask: Vec<bool>,
    pub steps: Vec<Step>,
    /// What its values are drawn from; rollouts with equal seeds and shapes are equal in every column.
    pub seed: u64,
    /// What its reward is drawn from.
    pub reward_seed: u64,
}

/// A step of a rollout.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub end: usize,
    pub kind: &'static str,
}

const POLICY_KINDS: [&str; 4] = ["policy", "think", "tool_call", "answer"];
const ENVIRONMENT_KINDS: [&str; 3] = ["environment", "observation", "user"];

impl Step {
    pub fn is_policy(&self) -> bool {
        !ENVIRONMENT_KINDS.contains(&self.kind)
    }
}

impl Shape {
    /// A rollout of a few steps: some of them empty, some of the environment, with holes in the mask.
    pub fn drawn(seed: u64, steps: u64) -> Self {
        let mut draw = Draw::new(seed);
        let (mut mask, mut spans) = (Vec::new(), Vec::new());
        for step in 0..steps {
            let policy = step == 0 || !draw.once_in(3);
            let kind = if policy { draw.pick(&POLICY_KINDS) } else { draw.pick(&ENVIRONMENT_KINDS) };
            let tokens = if step > 0 && draw.once_in(6) { 0 } else { 1 + draw.below(6) };
            for token in 0..tokens {
                mask.push(policy && (step == 0 && token == 0 || !draw.once_in(8)));
            }
            spans.push(Step { end: mask.len(), kind });
        }
        Shape::of(mask, spans, seed)
    }

    /// A rollout of given tokens and steps, its keys to be filled in.
    pub fn of(mask: Vec<bool>, steps: Vec<Step>, seed: u64) -> Self {
        Shape {
            iteration: 0,
            group: String::new(),
            rollout: String::new(),
            member: 0,
            members: 1,
            mask,
            steps,
            seed,
            reward_seed: seed ^ 0x5bd1_e995,
        }
    }

    /// Number of turns: maximal runs of policy steps with the environment steps after them.
    pub fn turns(&self) -> Vec<usize> {
        let (mut turns, mut turn, mut acted) = (Vec::with_capacity(self.steps.len()), 0, false);
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 && step.is_policy() && !self.steps[at - 1].is_policy() && acted {
                turn += 1;
            }
            acted |= step.is_policy();
            turns.push(turn);
        }
        turns
    }
}

/// Members of one group, keyed and counted.
pub fn group(iteration: i64, name: &str, mut members: Vec<Shape>) -> Vec<Shape> {
    let count = members.len();
    for (member, shape) in members.iter_mut().enumerate() {
        shape.iteration = iteration;
        shape.group = name.to_owned();
        shape.rollout = format!("{name}-{member}");
        (shape.member, shape.members) = (member, count);
    }
    members
}
