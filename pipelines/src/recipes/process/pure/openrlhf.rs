//! The second release: sums of the others per token or step, and step ends that are not trained on.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, STEP, TOKEN, batch, group, leave_one_out, mask, mean, members,
    return_to_go, rollout, signal, softmin, sum, trainable, value, when,
};

use super::{penalised, signals};
use crate::parameters::Parameters;
use crate::parts::norm::trainable_tokens;
use crate::parts::steps::{judged, policy_steps, step_ends, unless_alone};

pub(super) fn credit(parameters: &Parameters) -> Result<Credit> {
    let (process, outcome) = signals(parameters)?;
    let score = || signal("step_rewards");
    let mut credit = judged(process.then(score));
    let mut token_rewards = when(mask(), 0.0, 0.0);
    if process {
        let weights = match parameters.text("weights")? {
            "softmin" => softmin(score() / parameters.number("temperature")?, rollout()),
            "uniform" => 1.0 / members(score(), rollout()),
            _ => return Err(parameters.unknown("weights", &["softmin", "uniform"])),
        };
        let total = signal("step_weighted_rewards").reduce(ROLLOUT, Reduction::Sum).empty(0.0);
        credit = credit.define("step_weighted_rewards", weights * score()).define("process_reward", total);
        let total = || signal("process_reward");
        let own = signal("step_weighted_rewards");
        let relative = match parameters.text("baseline")? {
            "token" => {
                let per_token = leave_one_out(total(), group()) / leave_one_out(trainable_tokens(), group());
                own - per_token * (mask().reduce(STEP, Reduction::Sum) - 1.0)
            }
            "step" => own - leave_one_out(total() / policy_steps().max(1.0), group()),
            _ => return Err(parameters.unknown("baseline", &["token", "step"])),
        };
        token_rewards = token_rewards + unless_alone(total(), relative).at_last(TOKEN);
    }
    if outcome {
        // Solved or not, 0 or -1; a rollout that nobody could check is neutral.
        let solved = signal("reward").or_else(1.0) - 1.0;
        let relative = solved.clone() - leave_one_out(solved.clone(), group()).or_else(solved);
        token_rewards = token_rewards + parameters.number("outcome_coef")? * relative.at_last(TOKEN);
    }
    credit = credit.define("token_rewards", penalised(parameters, token_rewards, "k1")?);
    let returns = return_to_go(signal("token_rewards"), 1.0);
    credit = credit.returns(match parameters.boolean("mask_step_ends")? {
        true => when(step_ends().equals(1.0), 0.0, returns),
        false => returns,
    });
    Ok(credit.advantage(normalised(signal("returns"))))
}

/// Mean and mean square over the batch, counted where there is an advantage; squared deviations are summed
/// over all trainable tokens, as released.
fn normalised(returns: Expr) -> Expr {
    let there = trainable().only(returns.clone().differs(0.0));
    let center = mean(returns.clone(), batch()).over(there.clone()).or_else(0.0);
    let squares = (returns.clone() - center.clone()).square();
    let count = members(returns.clone(), batch()).over(there).max(1.0);
    let variance: Expr = sum(squares, batch()) / count;
    let scaled = (returns.clone() - center) / variance.max(value(1e-8)).sqrt();
    when(returns.equals(0.0), 0.0, scaled)
}
