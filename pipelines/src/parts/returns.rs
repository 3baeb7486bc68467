//! Returns along the tokens: where the reward lands, and how masked tokens are passed.

use meed_operators::Result;
use meed_operators::credit::{Expr, Members, TOKEN, all, mask, trainable, value, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{Into, Penalty};

/// Parameters of returns.
pub const RETURNS: &[Parameter] = &[
    parameter("gamma", "1.0", "discount per token"),
    parameter(
        "masked_tokens",
        "null",
        "how environment tokens are passed: carry (default: they are no steps), reset, ordinary (they are steps), or ordinary with reward and value 0",
    ),
    parameter(
        "reward_at",
        "null",
        "where the outcome reward lands: the last trainable token (default), the last token of the response (lost where that is an observation: ROLL, AReaL), or the last token of the response, trainable or not",
    ),
];

/// How a recursion passes tokens that the policy did not produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// They are no steps: the running value is carried over them.
    Carry,
    /// The running value restarts before them.
    Reset,
    /// They are steps with their own reward and value.
    Ordinary,
    /// They are steps with their own value and reward 0.
    OrdinaryWithoutReward,
    /// They are steps with reward 0 and value 0.
    OrdinaryZero,
}

/// The convention that the parameters name.
pub fn passing(parameters: &Parameters) -> Result<Passing> {
    Ok(match parameters.text("masked_tokens")? {
        "" | "carry" | "carry value and advantage" | "carry the running return" | "none here" => {
            Passing::Carry
        }
        "skipped: the recursion runs over the trainable tokens only" => Passing::Carry,
        "reset" | "reset the running return" => Passing::Reset,
        "ordinary" | "ordinary steps (their value and reward are used)" => Passing::Ordinary,
        "ordinary steps with their own value, reward 0" => Passing::OrdinaryWithoutReward,
        "KL 0 there, but every token discounts"
        | "every token discounts; the reward of a masked token is dropped"
        | "ordinary steps with reward 0 (each one discounts)"
        | "ordinary steps with reward 0 and value 0" => Passing::OrdinaryZero,
        _ => {
            let known = [
                "carry",
                "reset",
                "ordinary",
                "ordinary steps with their own value, reward 0",
                "ordinary steps with reward 0 and value 0",
            ];
            return Err(parameters.unknown("masked_tokens", &known));
        }
    })
}

impl Passing {
    /// Who is a step of the recursion.
    pub fn members(self) -> Members {
        if self == Passing::Carry { trainable() } else { all() }
    }

    /// Token rewards as the convention sees them.
    pub fn rewards(self, rewards: Expr) -> Expr {
        match self {
            Passing::OrdinaryWithoutReward | Passing::OrdinaryZero => when(mask(), rewards, 0.0),
            _ => rewards,
        }
    }

    /// `sum gamma^k r_{t+k}`.
    pub fn return_to_go(self, rewards: Expr, gamma: f64) -> Expr {
        let coefficient = match self {
            Passing::Reset => gamma * mask().shift(-1, Some(value(0.0).equals(1.0))).over(all()),
            _ => value(gamma),
        };
        self.rewards(rewards).recur(coefficient).over(self.members())
    }
}

/// The outcome reward on its token.
pub fn terminal(parameters: &Parameters, reward: Expr) -> Result<Expr> {
    let placed = reward.at_last(TOKEN);
    Ok(match parameters.text("reward_at")? {
        "" | "last trainable token" => placed,
        "last token of the response" => when(mask(), placed.over(all()), 0.0),
        "last token of the response, trainable or not" => placed.over(all()),
        _ => {
            return Err(parameters.unknown(
                "reward_at",
                &[
                    "last trainable token",
                    "last token of the response",
                    "last token of the response, trainable or not",
                ],
            ));
        }
    })
}

/// Token rewards: the outcome on its token, less the penalty where it goes into rewards.
pub fn token_rewards(parameters: &Parameters, reward: Expr, penalty: Option<&Penalty>) -> Result<Expr> {
    let rewards = terminal(parameters, reward)?;
    Ok(match penalty {
        Some(penalty) if penalty.into == Into::Reward => rewards - when(mask(), penalty.tokens.clone(), 0.0),
        Some(penalty) if penalty.into == Into::EveryReward => rewards - penalty.tokens.clone(),
        _ => rewards,
    })
}
