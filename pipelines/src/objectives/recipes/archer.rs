//! ArCHer: an utterance-level critic learnt off-policy, and a token-level policy gradient from it.
//!
//! Per step of the policy, with twin critics `i = 1, 2` and their slow copies (targets):
//!
//! - `Q_i` loss: `(Q_i(s, a) - (r + (1 - done) gamma V'_i(s')))^2`; `V_i` loss: `(V_i(s) - Q'_i(s, a'))^2` with a
//!   fresh action `a'`; means over steps, and their sum is the critic loss;
//! - `A = min_i Q_i(s, a') - min_i V_i(s)`, and the policy loss is `-mean over steps of A sum_t logp_t`;
//! - with a token baseline `b`: `-sum_t (A - b_t) logp_t`, and `b` regresses on `A`.

use meed_operators::Result;
use meed_operators::credit::ExactSum;
use meed_operators::objectives::{Columns, Loss, Objective};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "0.95", "discount of the critic's target"),
    parameter("token_baseline", "false", "subtract token_baselines, and train them"),
    parameter(
        "baseline_mean",
        "tokens",
        "the baseline loss is a mean over tokens, or over padded: steps times the tokens of the longest one",
    ),
];

/// ArCHer's losses. Reads, per step: `step_rewards`, `step_dones`, `step_q1`, `step_q2`, `step_v1`, `step_v2`
/// (critic at the taken action and state), `step_target_q1`, `step_target_q2` (targets at the fresh action),
/// `step_target_next_v1`, `step_target_next_v2` (targets at the next state), `step_pi_q1`, `step_pi_q2` (critic
/// at the fresh action). The value is that of the policy; critic and baseline have parts and gradients
/// of their own.
pub const ARCHER: NamedObjective = NamedObjective {
    name: "archer",
    title: "policy gradient with the advantage of a twin utterance critic, and the critic's losses",
    citation: "Zhou et al. 2024, arXiv 2402.19446; ArcherTrainer.critic_loss, actor_loss",
    formula: "-mean over steps of (min Q - min V) sum_t logp_t; critic: squared errors to its targets",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released losses; the baseline loss is a mean over tokens, where the \
                            release divides by a padded width (baseline_mean = padded)";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let padded = match parameters.text("baseline_mean")? {
        "tokens" => false,
        "padded" => true,
        _ => return Err(parameters.unknown("baseline_mean", &["tokens", "padded"])),
    };
    let gamma = parameters.number("gamma")?;
    Ok(Box::new(Archer { gamma, token_baseline: parameters.boolean("token_baseline")?, padded }))
}

/// `target + tau (online - target)`: how the slow copy of a critic's weight follows it.
pub fn soft_update(target: f64, online: f64, tau: f64) -> f64 {
    (1.0 - tau) * target + tau * online
}

/// Target of a critic's Q at a step: `r + (1 - done) gamma v_next`.
pub fn q_target(reward: f64, done: bool, gamma: f64, next_value: f64) -> f64 {
    if done { reward } else { reward + gamma * next_value }
}

/// `min(Q_1, Q_2) - min(V_1, V_2)`.
pub fn advantage(q: [f64; 2], v: [f64; 2]) -> f64 {
    q[0].min(q[1]) - v[0].min(v[1])
}

struct Archer {
    gamma: f64,
    token_baseline: bool,
    padded: bool,
}

impl Objective for Archer {
    fn name(&self) -> &str {
        "archer"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let ranges = columns.step_ranges()?;
        let steps: Vec<(usize, Vec<usize>)> = ranges
            .into_iter()
            .map(|range| columns.trainable(range))
            .enumerate()
            .filter(|(_, tokens)| !tokens.is_empty())
            .collect();
        let mut loss = Loss::zero(columns);
        self.critics(columns, &steps, &mut loss)?;
        self.policy(columns, &steps, &mut loss)?;
        Ok(loss)
    }
}

impl Archer {
    fn critics(&self, columns: &Columns, steps: &[(usize, Vec<usize>)], loss: &mut Loss) -> Result<()> {
        let (rewards, dones) = (columns.step_signal("step_rewards")?, columns.step_signal("step_dones")?);
        let mut critic = 0.0;
        for i in [1, 2] {
            let next = columns.step_signal(&format!("step_target_next_v{i}"))?;
            let fresh = columns.step_signal(&format!("step_target_q{i}"))?;
            let target = |step: usize| q_target(rewards[step], dones[step] != 0.0, self.gamma, next[step]);
            critic += squared_error(columns, steps, &format!("q{i}"), target, loss)?;
            critic += squared_error(columns, steps, &format!("v{i}"), |step| fresh[step], loss)?;
        }
        loss.part("critic_loss", critic);
        Ok(())
    }

    fn policy(&self, columns: &Columns, steps: &[(usize, Vec<usize>)], loss: &mut Loss) -> Result<()> {
        let signal = |name: &str| columns.step_signal(name);
        let q = [signal("step_pi_q1")?, signal("step_pi_q2")?];
        let v = [signal("step_v1")?, signal("step_v2")?];
        let baselines =
            if self.token_baseline { Some(columns.token_signal("token_baselines")?) } else { None };
        let count = steps.len().max(1) as f64;
        let longest = steps.iter().map(|(_, tokens)| tokens.len()).max().unwrap_or(0);
        let tokens = steps.iter().map(|(_, tokens)| tokens.len()).sum::<usize>();
        let width = if self.padded { steps.len() * longest } else { tokens };
        let mut by_baseline = vec![0.0; columns.tokens()];
        let (mut value, mut baseline_loss) = (ExactSum::default(), ExactSum::default());
        for (step, tokens) in steps {
            let advantage = advantage(q.map(|q| q[*step]), v.map(|v| v[*step]));
            for &t in tokens {
                let baseline = baselines.map_or(0.0, |baselines| baselines[t]);
                value.add(-(advantage - baseline) * columns.logprobs[t] / count);
                loss.logprobs[t] = -(advantage - baseline) / count;
                if baselines.is_some() {
                    baseline_loss.add((baseline - advantage).powi(2) / width as f64);
                    by_baseline[t] = 2.0 * (baseline - advantage) / width as f64;
                }
            }
        }
        loss.value = value.value();
        loss.part("policy_loss", loss.value);
        loss.part("baseline_loss", baseline_loss.value());
        if baselines.is_some() {
            loss.signals.insert("token_baselines".into(), by_baseline);
        }
        Ok(())
    }
}

/// Mean over steps of the squared error of `step_<head>`; sets its part and gradient.
fn squared_error(
    columns: &Columns,
    steps: &[(usize, Vec<usize>)],
    head: &str,
    target: impl Fn(usize) -> f64,
    loss: &mut Loss,
) -> Result<f64> {
    let signal = format!("step_{head}");
    let estimates = columns.step_signal(&signal)?;
    let mut gradient = vec![0.0; estimates.len()];
    let mut sum = ExactSum::default();
    for (step, _) in steps {
        let error = estimates[*step] - target(*step);
        sum.add(error * error / steps.len() as f64);
        gradient[*step] = 2.0 * error / steps.len() as f64;
    }
    let sum = sum.value();
    loss.part(&format!("{head}_loss"), sum);
    loss.signals.insert(signal, gradient);
    Ok(sum)
}
