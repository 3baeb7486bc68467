//! A soft penalty on responses that come near the greatest length.

use meed_operators::credit::{Credit, if_present, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::norm::trainable_tokens;
use crate::parts::reward::overlong_penalty;
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("max_length", "16384", "greatest length in tokens"),
    parameter("max_tokens", "null", "the same, by another name; it wins where given"),
    parameter("buffer", "4096", "length of the ramp before it"),
    parameter("factor", "1.0", "penalty at the greatest length"),
    parameter(
        "cap",
        "true",
        "true: the penalty does not grow beyond the factor (OpenRLHF); false or null: it does (NeMo-RL, AReaL)",
    ),
];

/// `r - factor * clamp((length - (max - buffer)) / buffer, 0, 1)`.
pub const OVERLONG_PENALTY: Recipe = Recipe {
    name: "overlong_penalty",
    title: "reward less a penalty that ramps up towards the greatest length",
    citation: "Yu et al. 2025, DAPO, arXiv 2503.14476",
    family: "rewards",
    kind: Kind::Reward,
    objective: PPO_CLIP,
    formula: "r - factor * clamp((len - (max - buffer)) / buffer, 0, 1)",
    fidelity: Fidelity::Reference,
    deviations: "capped as OpenRLHF and DAPO; cap=false is NeMo-RL and AReaL",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let longest = if parameters.is_null("max_tokens") { "max_length" } else { "max_tokens" };
        let factor = parameters.number("factor")?;
        let length = if_present(signal("response_length"), if_present(signal("length"), trainable_tokens()));
        let penalty =
            overlong_penalty(length, parameters.number(longest)?, parameters.number("buffer")?, factor);
        let capped = !parameters.is_null("cap") && parameters.boolean("cap")?;
        let penalty = if capped { penalty.max(-factor) } else { penalty };
        Ok(Credit::new().define("rewards", signal("reward") + penalty).into())
    },
};
