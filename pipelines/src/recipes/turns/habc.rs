//! HABC: steps of a robot's episodes weighed by what two critics of states say of them.

use meed_operators::credit::{Expr, batch, mean, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::episodes::{STEP_DONES, ends_episode};
use crate::parts::steps::{is_correct, judged};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("step_viability", Of::Number, "logit that the state leads to a success", VIABILITY),
    input("step_next_viability", Of::Number, "the same of the next state", VIABILITY),
    input("step_efficiency", Of::Number, "minus the expected number of steps to a success", EFFICIENCY),
    input("step_next_efficiency", Of::Number, "the same of the next state", EFFICIENCY),
    input(
        "step_autonomous",
        Of::Flag,
        "true for steps of the policy, false for demonstrations and interventions",
        "the recording of the episode; import it",
    ),
    STEP_DONES,
];
const VIABILITY: &str = "a critic learnt from outcomes; import its values";
const EFFICIENCY: &str = "a critic learnt from successful episodes; import its values";

const PARAMETERS: &[Parameter] =
    &[parameter("eps", "1e-8", "least mean of the weights that they are divided by")];

/// HABC: `g = 1 + tanh((1 - p) A_v + p A_e)` with `p = sigmoid(z)`, `A_v = z' - z`, `A_e = -1 + V' - V`; own steps of
/// successful episodes weigh `g`, those of failed ones 0, demonstrations and interventions 1, all divided by the
/// batch mean of the weights that are not 0.
///
/// The weight is the advantage of a step, by which its imitation loss is multiplied. Critics may say nothing of steps
/// whose weight does not depend on them.
pub const HABC: Recipe = Recipe {
    name: "habc",
    title: "imitation weighted by how viable and how efficient a step was",
    citation: "Hierarchical Advantage Weighting for Online RL Fine-Tuning of VLAs, arXiv 2606.17043",
    family: "turns",
    objective: ("habc", &[]),
    formula: "w = raw / mean(raw != 0), raw = 1 + tanh((1 - p)(z' - z) + p(-1 + V' - V))",
    fidelity: Fidelity::Equations,
    deviations: "guessed: V' = 0 at the end of an episode, the floor of the mean; without the warm-up, whose weights are not stated",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let (viability, efficiency) = (|| signal("step_viability"), || signal("step_efficiency"));
        let ahead = when(ends_episode(), 0.0, signal("step_next_efficiency"));
        let probability = || viability().sigmoid();
        let by_viability = signal("step_next_viability") - viability();
        let by_efficiency = ahead - efficiency() - 1.0;
        let gate = 1.0 + ((1.0 - probability()) * by_viability + probability() * by_efficiency).tanh();
        let weight = when(signal("step_autonomous"), when(is_correct(), gate.clone(), 0.0), 1.0);
        let raw = || signal("step_raw_weights");
        let kept: Expr = raw().null_if(raw().equals(0.0));
        let scale = mean(kept, batch()).or_else(0.0).max(parameters.number("eps")?);
        let credit = judged([weight.clone()])
            .define("step_gates", gate)
            .define("step_raw_weights", weight)
            .define("step_weights", raw() / scale);
        Ok(credit.advantage(signal("step_weights")).into())
    },
    ..ADVANTAGE
};
