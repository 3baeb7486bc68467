//! RL-MLE: actions of machine-learning agents weighted by how long they ran, with partial credit for milestones.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, STEP, batch, gae, if_present, mean, policy, signal, trainable, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_durations",
        Of::Number,
        "seconds that the execution of each action took",
        "the environment that runs the actions; import it",
    ),
    input(
        "step_scores",
        Of::Number,
        "the grader's score of the submission that the action made; null where there is none or it is not valid",
        "the grader of the task; import it",
    ),
    input(
        "step_milestones",
        Of::Count,
        "milestones that the output of the action reached, in order; without the column none",
        "a frozen model that adds print statements to the program, and a search of its output; import it",
    ),
    input(
        "lower_is_better",
        Of::Flag,
        "true where a lower score is the better one; without the column it never is",
        "the definition of the task; import it",
    ),
    input(
        "step_values",
        Of::Number,
        "value before each action",
        "a critic: train with a value model, or import rollouts that carry values",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "partial_credit",
        "additive",
        "without a valid submission: additive (failure + milestone * reached), instead (milestone * reached where any is, else failure), none (failure)",
    ),
    parameter("failure", "-10", "reward of an action that fails"),
    parameter("milestone", "0.1", "reward of each milestone"),
    parameter("gamma", "1.0", "discount per action"),
    parameter("lam", "1.0", "lambda"),
    parameter("values", "critic", "critic: step_values; none: all values are 0"),
    parameter("duration_weights", "true", "false: every action weighs 1"),
    parameter("shortest", "0", "seconds: shorter actions count as that long"),
    parameter("longest", "null", "seconds: longer actions count as that long, such as the time limit"),
];

/// RL-MLE: `gradient = E[dt_k / mean(dt) * grad log pi(a_k) * A_k]`: an asynchronous learner sees fast actions more
/// often, which weights by duration undo.
///
/// fidelity: reconstructed, from notes about the paper. The mean duration is over all actions of the batch; with
/// `shortest` 0 an action that took no time has no advantage. Advantages are GAE over actions. The weight multiplies
/// the advantage, not the loss: an action counts in the denominators of the loss once, however long it ran.
pub const RL_MLE: Recipe = Recipe {
    name: "rl_mle",
    title: "action advantages weighted by duration, with partial credit for milestones",
    citation: "Reinforcement Learning for Machine Learning Engineering Agents",
    family: "actions",
    formula: "A_k = dt_k / mean(dt, batch) * gae(r, V)_k, r = score, or -10 + 0.1 milestones where there is none",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: that partial credit adds to the failure's reward, gamma and lambda",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let mut duration = signal("step_durations").max(parameters.number("shortest")?);
        if let Some(longest) = parameters.optional_number("longest")? {
            duration = duration.min(longest);
        }
        let values = match parameters.text("values")? {
            "critic" => signal("step_values"),
            "none" => when(policy(STEP), 0.0, 0.0),
            _ => return Err(parameters.unknown("values", &["critic", "none"])),
        };
        let (gamma, lambda) = (parameters.number("gamma")?, parameters.number("lam")?);
        let mut weight = value(1.0);
        let mut credit = Credit::new().define("rewards", rewards(parameters)?);
        if parameters.boolean("duration_weights")? {
            credit = credit.define("durations", duration);
            weight = signal("durations") / mean(signal("durations"), batch());
        }
        let credit = credit
            .define("duration_weights", weight)
            .define("action_advantages", gae(signal("rewards"), values.clone(), gamma, lambda, trainable()))
            .returns(signal("action_advantages") + values)
            .advantage(signal("duration_weights") * signal("action_advantages"));
        Ok(credit.into())
    },
    ..ADVANTAGE
};

/// The reward of each action.
fn rewards(parameters: &Parameters) -> Result<Expr> {
    let failure = parameters.number("failure")?;
    let reached = parameters.number("milestone")? * if_present(signal("step_milestones"), value(0.0));
    let failed = match parameters.text("partial_credit")? {
        "additive" => failure + reached,
        "instead" => when(reached.clone().equals(0.0), failure, reached),
        "none" => value(failure),
        _ => return Err(parameters.unknown("partial_credit", &["additive", "instead", "none"])),
    };
    let sign = if_present(when(signal("lower_is_better").equals(1.0), -1.0, 1.0), value(1.0));
    Ok((sign * signal("step_scores")).or_else(failed))
}
