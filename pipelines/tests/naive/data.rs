//! Random groups of rollouts, as plain structs and as rows.

use serde_json::{Value, json};

/// One token.
#[derive(Clone, Default)]
pub struct Token {
    pub logprob: f64,
    pub reference: f64,
    pub entropy: f64,
}

/// One step, of the policy or of the environment.
#[derive(Clone)]
pub struct Step {
    pub policy: bool,
    pub turn: usize,
    pub tokens: Vec<Token>,
    pub state: usize,
    pub action: usize,
    pub agent: usize,
    pub node: i64,
    pub reward: f64,
    pub value: f64,
    pub completion: f64,
    pub gold: Option<f64>,
}

/// One rollout.
#[derive(Clone)]
pub struct Rollout {
    pub reward: f64,
    pub tool_reward: f64,
    pub steps: Vec<Step>,
    pub potentials: Vec<f64>,
    pub initial: f64,
    pub without_agent: [f64; AGENTS],
}

pub const AGENTS: usize = 2;

impl Rollout {
    pub fn policy_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.policy)
    }

    pub fn turns(&self) -> usize {
        self.potentials.len()
    }

    /// The policy's steps of a turn.
    pub fn of_turn(&self, turn: usize) -> impl Iterator<Item = &Step> {
        self.policy_steps().filter(move |step| step.turn == turn)
    }

    /// A value per token: what a step has, 0 at the environment's.
    pub fn on_tokens(&self, mut of_step: impl FnMut(&Step) -> f64) -> Vec<f64> {
        let mut values = Vec::new();
        for step in &self.steps {
            let value = if step.policy { of_step(step) } else { 0.0 };
            values.extend(step.tokens.iter().map(|_| value));
        }
        values
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// A number in -1..=1, coarse enough that equal ones are common.
    pub fn number(&mut self) -> f64 {
        self.below(33) as f64 / 16.0 - 1.0
    }
}

/// A random group of one to six rollouts of one to three turns.
pub fn group(random: &mut Random) -> Vec<Rollout> {
    (0..1 + random.below(6)).map(|_| rollout(random)).collect()
}

fn rollout(random: &mut Random) -> Rollout {
    let turns = 1 + random.below(3);
    let mut steps = Vec::new();
    let mut node = 0;
    for turn in 0..turns {
        let acts = 1 + random.below(2);
        for act in 0..acts {
            node = 2 * node + 1 + random.below(2) as i64;
            let gold = (act + 1 == acts && turn + 1 < turns).then(|| random.number() - 2.0);
            steps.push(Step { node, gold, ..step(random, true, turn) });
        }
        if turn + 1 < turns || random.below(3) == 0 {
            steps.push(step(random, false, turn));
        }
    }
    Rollout {
        reward: random.below(3) as f64 / 2.0,
        tool_reward: random.number(),
        steps,
        potentials: (0..turns).map(|_| random.number()).collect(),
        initial: random.number(),
        without_agent: std::array::from_fn(|_| random.number()),
    }
}

fn step(random: &mut Random, policy: bool, turn: usize) -> Step {
    let tokens = (0..1 + random.below(3))
        .map(|_| Token {
            logprob: random.number() - 1.0,
            reference: random.number() - 1.0,
            entropy: random.number() + 1.0,
        })
        .collect();
    Step {
        policy,
        turn,
        tokens,
        state: random.below(3),
        action: random.below(2),
        agent: random.below(AGENTS),
        node: -1,
        reward: random.number(),
        value: random.number(),
        completion: random.number(),
        gold: None,
    }
}

/// The rollouts of a group as rows.
pub fn rows(group: usize, rollouts: &[Rollout]) -> Vec<Value> {
    rollouts.iter().enumerate().map(|(number, rollout)| row(group, number, rollout)).collect()
}

fn row(group: usize, number: usize, rollout: &Rollout) -> Value {
    let steps = |of: &dyn Fn(&Step) -> Value| -> Vec<Value> {
        rollout.steps.iter().map(|step| if step.policy { of(step) } else { Value::Null }).collect()
    };
    let tokens = |of: &dyn Fn(&Token) -> f64| -> Vec<f64> {
        rollout.steps.iter().flat_map(|step| &step.tokens).map(of).collect()
    };
    let mask: Vec<bool> =
        rollout.steps.iter().flat_map(|step| step.tokens.iter().map(|_| step.policy)).collect();
    let mut end = 0;
    let ends: Vec<usize> = rollout
        .steps
        .iter()
        .map(|step| {
            end += step.tokens.len();
            end
        })
        .collect();
    let kinds: Vec<&str> =
        rollout.steps.iter().map(|step| if step.policy { "policy" } else { "environment" }).collect();
    json!({
        "group_id": group.to_string(),
        "rollout_id": format!("{group}.{number}"),
        "reward": rollout.reward,
        "tool_reward": rollout.tool_reward,
        "token_mask": mask,
        "token_old_logprobs": tokens(&|token| token.logprob),
        "token_ref_logprobs": tokens(&|token| token.reference),
        "token_entropies": tokens(&|token| token.entropy),
        "step_ends": ends,
        "step_kinds": kinds,
        "step_states": steps(&|step| format!("s{}", step.state).into()),
        "step_actions": steps(&|step| format!("a{}", step.action).into()),
        "step_agents": steps(&|step| format!("agent{}", step.agent).into()),
        "step_nodes": steps(&|step| step.node.into()),
        "step_rewards": steps(&|step| step.reward.into()),
        "step_values": steps(&|step| step.value.into()),
        "step_completion_rewards": steps(&|step| step.completion.into()),
        "step_gold_logprobs": steps(&|step| step.gold.into()),
        "prompt_gold_logprob": -1.5,
        "initial_completion_reward": rollout.initial,
        "turn_potentials": rollout.potentials,
        "initial_potential": rollout.initial,
        "agent_ids": (0..AGENTS).map(|agent| format!("agent{agent}")).collect::<Vec<_>>(),
        "agent_counterfactual_rewards": rollout.without_agent,
    })
}
