//! ArCHer: utterances credited by a twin critic of utterances.

use meed_operators::credit::signal;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::episodes::{STEP_DONES, unless_done};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("step_pi_q1", Of::Number, "first critic at the state and a fresh action of the policy", CRITIC),
    input("step_pi_q2", Of::Number, "second critic there", CRITIC),
    input("step_v1", Of::Number, "first state value", CRITIC),
    input("step_v2", Of::Number, "second state value", CRITIC),
    input("step_target_next_v1", Of::Number, "slow copy of the first state value at the next state", CRITIC),
    input("step_target_next_v2", Of::Number, "slow copy of the second one there", CRITIC),
    STEP_DONES,
];
const CRITIC: &str = "an utterance critic with twin heads, learnt from a replay buffer; import its outputs";

const PARAMETERS: &[Parameter] = &[parameter("gamma", "0.95", "discount of the critics' targets")];

/// ArCHer: `A = min(Q_1, Q_2)(s, a) - min(V_1, V_2)(s)` for every token of an utterance, not normalised; the critics
/// regress on `Q_i: r + gamma (1 - done) V'_i(s')`.
pub const ARCHER: Recipe = Recipe {
    name: "archer",
    title: "the advantage of an utterance under a twin critic, on all of its tokens",
    citation: "Zhou et al. 2024, ArCHer, arXiv 2402.19446; YifeiZhou02/ArCHer",
    family: "turns",
    objective: ("archer", &[]),
    formula: "A = min(Q_1, Q_2)(s, a) - min(V_1, V_2)(s); target_i = r + gamma (1 - done) V'_i(s')",
    fidelity: Fidelity::Reference,
    deviations: "",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let gamma = parameters.number("gamma")?;
        let target = |next: &str| signal("step_rewards") + unless_done(gamma) * signal(next);
        let least = |a: &str, b: &str| signal(a).min(signal(b));
        let targets = || ["step_target_next_v1", "step_target_next_v2"].map(target);
        let [first, second] = targets();
        let credit = judged(targets()).define("step_target_q_1", first).define("step_target_q_2", second);
        Ok(credit.advantage(least("step_pi_q1", "step_pi_q2") - least("step_v1", "step_v2")).into())
    },
    ..ADVANTAGE
};
