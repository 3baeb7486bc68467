//! Methods as their papers write them, as plain loops over the rollouts of one group.

use std::collections::BTreeMap;

use crate::data::Rollout;

/// Advantages per rollout and token.
pub type Advantages = Vec<Vec<f64>>;

/// Mean and standard deviation.
fn moments(values: &[f64], ddof: f64) -> (f64, f64) {
    let n = values.len() as f64;
    let mut sum = 0.0;
    for value in values {
        sum += value;
    }
    let mean = sum / n;
    let mut squares = 0.0;
    for value in values {
        squares += (value - mean) * (value - mean);
    }
    (mean, if n > ddof { (squares / (n - ddof)).sqrt() } else { 0.0 })
}

/// `(x - mean) / (std + eps)` with the sample deviation; 0 for one value, and where all are equal.
pub fn z1(values: &[f64]) -> Vec<f64> {
    standardised(values, 1.0, 1e-6)
}

fn standardised(values: &[f64], ddof: f64, eps: f64) -> Vec<f64> {
    let (mean, std) = moments(values, ddof);
    let one = |x: &f64| if std < 1e-12 { 0.0 } else { (x - mean) / (std + eps) };
    if values.len() < 2 { vec![0.0; values.len()] } else { values.iter().map(one).collect() }
}

pub fn rewards(group: &[Rollout]) -> Vec<f64> {
    group.iter().map(|rollout| rollout.reward).collect()
}

/// A value for each step of each rollout, by its number, on tokens.
fn on_tokens(group: &[Rollout], of: impl Fn(usize, usize) -> f64) -> Advantages {
    let mut all = Vec::new();
    for (number, rollout) in group.iter().enumerate() {
        let mut at = 0;
        all.push(rollout.on_tokens(|_| {
            at += 1;
            of(number, at - 1)
        }));
    }
    all
}

/// A value for each turn of each rollout, on tokens.
fn on_turns(group: &[Rollout], of: impl Fn(usize, usize) -> f64) -> Advantages {
    let one = |(number, rollout): (usize, &Rollout)| rollout.on_tokens(|step| of(number, step.turn));
    group.iter().enumerate().map(one).collect()
}

/// Dr. MAS: rewards normalised over all calls of one agent; one call alone keeps `r / (1 + eps)`.
pub fn dr_mas(group: &[Rollout]) -> Advantages {
    let mut calls: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for rollout in group {
        for step in rollout.policy_steps() {
            calls.entry(step.agent).or_default().push(rollout.reward);
        }
    }
    let one = |rollout: &Rollout| {
        rollout.on_tokens(|step| {
            let calls = &calls[&step.agent];
            let (mean, std) = moments(calls, 1.0);
            match calls.len() {
                1 => rollout.reward / (1.0 + 1e-6),
                _ => (rollout.reward - mean) / (std + 1e-6),
            }
        })
    };
    group.iter().map(one).collect()
}

/// Leave one agent out: the reward less the reward without the agent that acts.
pub fn leave_one_agent_out(group: &[Rollout]) -> Advantages {
    let one =
        |rollout: &Rollout| rollout.on_tokens(|step| rollout.reward - rollout.without_agent[step.agent]);
    group.iter().map(one).collect()
}

/// SPRO: cumulative implicit rewards less their mean over rollouts that are alive at the position, where a
/// position counts all tokens of the rollout.
pub fn spro(group: &[Rollout]) -> Advantages {
    let relative = z1(&rewards(group));
    let mut so_far: Vec<Vec<Option<f64>>> = Vec::new();
    for rollout in group {
        let (mut sum, mut row) = (0.0, Vec::new());
        for step in &rollout.steps {
            for token in &step.tokens {
                if step.policy {
                    sum += 0.05 * (token.logprob - token.reference);
                }
                row.push(step.policy.then_some(sum));
            }
        }
        so_far.push(row);
    }
    let alive =
        |at: usize| so_far.iter().filter_map(|row| row.get(at).copied().flatten()).collect::<Vec<f64>>();
    let mut all = Vec::new();
    for (row, relative) in so_far.iter().zip(relative) {
        let one =
            |(at, x): (usize, &Option<f64>)| x.map_or(0.0, |x| x - moments(&alive(at), 0.0).0 + relative);
        all.push(row.iter().enumerate().map(one).collect());
    }
    all
}

/// MAPO: returns of progress among equal turns, and progress among all turns, half each.
pub fn mapo(group: &[Rollout]) -> Advantages {
    let mut progress: Vec<Vec<f64>> = Vec::new();
    let mut returns: Vec<Vec<f64>> = Vec::new();
    for rollout in group {
        let mut before = rollout.initial;
        let mut of_turns = Vec::new();
        for potential in &rollout.potentials {
            of_turns.push(before - potential);
            before = *potential;
        }
        let mut to_go = of_turns.clone();
        for turn in (0..to_go.len().saturating_sub(1)).rev() {
            to_go[turn] += 0.9 * to_go[turn + 1];
        }
        progress.push(of_turns);
        returns.push(to_go);
    }
    let pool: Vec<f64> = progress.iter().flatten().copied().collect();
    let z = |x: f64, pool: &[f64]| {
        let (mean, std) = moments(pool, 0.0);
        if std < 1e-12 { 0.0 } else { (x - mean) / (std + 1e-6) }
    };
    on_turns(group, |number, turn| {
        let equal: Vec<f64> = returns.iter().filter_map(|returns| returns.get(turn)).copied().collect();
        0.5 * z(returns[number][turn], &equal) + 0.5 * z(progress[number][turn], &pool)
    })
}

/// AEM: the group-relative advantage, scaled by how sure the policy was in the turn.
pub fn aem(group: &[Rollout]) -> Advantages {
    let relative = z1(&rewards(group));
    let mut entropies: Vec<Vec<f64>> = Vec::new();
    for rollout in group {
        let mut of_turns = Vec::new();
        for turn in 0..rollout.turns() {
            let tokens: Vec<f64> =
                rollout.of_turn(turn).flat_map(|step| &step.tokens).map(|token| token.entropy).collect();
            of_turns.push(moments(&tokens, 0.0).0);
        }
        entropies.push(of_turns);
    }
    let all: Vec<f64> = entropies.iter().flatten().copied().collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |x: f64| if high > low { (-(x - low) / (high - low)).exp() } else { 1.0 };
    let mean = all.iter().map(|&x| weight(x)).sum::<f64>() / all.len() as f64;
    on_turns(group, |number, turn| relative[number] * weight(entropies[number][turn]) / mean)
}

/// MT-GRPO: the tool's part before the first result, without a result the sum of both.
pub fn mt_grpo(group: &[Rollout]) -> Advantages {
    let tools: Vec<f64> = group.iter().map(|rollout| rollout.tool_reward).collect();
    let both: Vec<f64> = group.iter().map(|rollout| rollout.reward + rollout.tool_reward).collect();
    let z = |values: &[f64]| standardised(values, 1.0, 1e-4);
    let (outcome, tool, combined) = (z(&rewards(group)), z(&tools), z(&both));
    let mut all = Vec::new();
    for (number, rollout) in group.iter().enumerate() {
        let result = rollout.steps.iter().position(|step| !step.policy);
        let mut row = Vec::new();
        for (at, step) in rollout.steps.iter().enumerate() {
            let advantage = match result {
                _ if !step.policy => 0.0,
                None => combined[number],
                Some(result) if at < result => outcome[number] + tool[number],
                Some(_) => outcome[number],
            };
            row.extend(step.tokens.iter().map(|_| advantage));
        }
        all.push(row);
    }
    all
}

/// Turn-PPO: generalised advantage estimation over turns.
pub fn turn_ppo(group: &[Rollout]) -> Advantages {
    let mut estimates: Vec<Vec<f64>> = Vec::new();
    for rollout in group {
        let value = |turn: usize| rollout.of_turn(turn).next().map_or(0.0, |step| step.value);
        let mut row = vec![0.0; rollout.turns()];
        let mut next = 0.0;
        for turn in (0..rollout.turns()).rev() {
            let reward: f64 = rollout.of_turn(turn).map(|step| step.reward).sum();
            let after = if turn + 1 < rollout.turns() { value(turn + 1) } else { 0.0 };
            next = reward + 0.99 * after - value(turn) + 0.99 * 0.95 * next;
            row[turn] = next;
        }
        estimates.push(row);
    }
    on_turns(group, |number, turn| estimates[number][turn])
}

/// Flow-GRPO: the population's deviation with 1e-4, on every step.
pub fn flow_grpo(group: &[Rollout]) -> Advantages {
    let (mean, std) = moments(&rewards(group), 0.0);
    on_tokens(group, |number, _| (group[number].reward - mean) / (std + 1e-4))
}

/// DenseGRPO: gains of completions, compared at equal steps.
pub fn dense_grpo(group: &[Rollout]) -> Advantages {
    let mut gains: Vec<Vec<f64>> = Vec::new();
    for rollout in group {
        let mut before = rollout.initial;
        let mut row = Vec::new();
        for step in rollout.policy_steps() {
            row.push(step.completion - before);
            before = step.completion;
        }
        gains.push(row);
    }
    on_tokens(group, |number, step| {
        let equal: Vec<f64> = gains.iter().filter_map(|row| row.get(step)).copied().collect();
        let (mean, std) = moments(&equal, 0.0);
        (gains[number][step] - mean) / (std + 1e-4)
    })
}

/// IGPO: gains of the gold answer's likelihood, normalised among all turns, the outcome at the last turn;
/// a gain of exactly 0 is part of the next turn.
pub fn igpo(group: &[Rollout]) -> Advantages {
    let z = |x: f64, pool: &[f64]| {
        let (mean, std) = moments(pool, 0.0);
        let std = if pool.len() < 2 { 1.0 } else { (std * std + 1e-8).sqrt() };
        (x - mean) / (std + 1e-6)
    };
    let outcomes = rewards(group);
    let mut gains: Vec<Vec<Option<f64>>> = Vec::new();
    for rollout in group {
        let mut before = -1.5;
        let mut row = Vec::new();
        for turn in 0..rollout.turns() {
            let after = rollout.of_turn(turn).filter_map(|step| step.gold).last();
            row.push(after.map(|after| after - before).filter(|gain| *gain != 0.0));
            before = after.unwrap_or(before);
        }
        gains.push(row);
    }
    let pool: Vec<f64> = gains.iter().flatten().flatten().copied().collect();
    let mut returns: Vec<Vec<f64>> = Vec::new();
    for (rollout, gains) in group.iter().zip(&gains) {
        let mut to_go = 0.0;
        let mut row = vec![0.0; rollout.turns()];
        for turn in (0..rollout.turns()).rev() {
            if turn + 1 == rollout.turns() {
                to_go += z(rollout.reward, &outcomes);
            } else if let Some(gain) = gains[turn] {
                to_go += z(gain, &pool);
            }
            row[turn] = to_go;
        }
        returns.push(row);
    }
    on_turns(group, |number, turn| returns[number][turn])
}

/// The baseline of a turn over the whole group: a rollout that has ended has nothing left.
pub fn turn_baseline(group: &[Rollout]) -> Advantages {
    let mut returns: Vec<Vec<f64>> = Vec::new();
    for rollout in group {
        let rewards: Vec<f64> = rollout.policy_steps().map(|step| step.reward).collect();
        returns.push((0..rewards.len()).map(|step| rewards[step..].iter().sum()).collect());
    }
    on_tokens(group, |number, step| {
        let left: f64 = returns.iter().filter_map(|row| row.get(step)).sum();
        returns[number][step] - left / group.len() as f64
    })
}
