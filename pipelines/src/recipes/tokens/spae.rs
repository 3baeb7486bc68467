//! SPAE: the potential of each step, from probes of the answer after it, in the advantage.

use std::sync::Arc;

use meed_operators::credit::{
    Credit, Running, STEP, TOKEN, batch, difference, group, index, mean, min_max, signal, trainable, when,
};
use meed_operators::signals::Probes;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::whitening::{WHITEN_ON, WHITENING, whitened};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "0.5", "how much of the advantage is lost after the answer is found"),
    parameter("xi", "0.5", "weight of the gain in potential"),
    parameter("saturation", "0.9", "potential above which the answer is found"),
    parameter("missing_logprob", "-10", "log-probability of an answer's token that was not returned"),
];

const INPUTS: &[Input] = &[
    input(
        "step_accuracy",
        Of::Share,
        "how probable the answer is after the step; or step_probe_logprobs instead",
        "`meed judge` with probe",
    ),
    input(
        "step_confidence",
        Of::Share,
        "how sure the answer is after the step; or step_probe_top_logprobs instead",
        "`meed judge` with probe",
    ),
    input(
        "step_probe_logprobs",
        Of::Vectors,
        "per step, completion and position the log-probability of the answer's token",
        "import them, or have step_accuracy and step_confidence judged: `meed judge` with probe",
    ),
    input(
        "step_probe_top_logprobs",
        Of::Vectors,
        "per step, completion and position the greatest log-probabilities",
        "import them, or have step_accuracy and step_confidence judged: `meed judge` with probe",
    ),
];

/// SPAE: `A_k = A f_k + xi g_k` on the tokens of step k, whitened over the batch's trainable tokens, with
/// `Phi = 1.5 acc conf + 0.5 acc - conf` in -1..1 (sure and right 1, sure and wrong -1, unsure 0),
/// `g_k = exp(d_k) - mean(exp(d))` of the gains `d` scaled to 0..1 over the batch (the first step's gain is 0),
/// and `f_k = 1 - alpha (1 - exp(-C_k))` of the number `C_k` of earlier steps with the answer found.
///
/// `A = r - mean(r)`. Tokens outside steps, and rollouts without any, have `A`; a rollout with a step of the
/// policy without scores is not trained on. Where all gains are equal
/// they scale to 0. With alpha and xi 0 it is the whitened group advantage.
pub const SPAE: Recipe = Recipe {
    name: "spae",
    title: "group-relative advantage, with gains in the potential of steps and less after the answer is found",
    citation: "SPAE, arXiv 2601.03823; cii030/SPAE-RL probe_mechanism_example.py",
    family: "tokens",
    formula: "A_k = whiten((r - mean(r)) * (1 - alpha (1 - exp(-C_k))) + xi (exp(d_k) - mean(exp(d))))",
    fidelity: Fidelity::Equations,
    deviations: "the probe and the potential are those of the released code, which puts 1/M outside the exponential where the paper has it inside; the advantage was not released",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &[WHITEN_ON], WHITENING],
    plan: |parameters| {
        let (accuracy, confidence) = (|| signal("step_accuracy"), || signal("step_confidence"));
        let (alpha, xi) = (parameters.number("alpha")?, parameters.number("xi")?);
        let potential = || signal("step_potential");
        let found = potential().greater(parameters.number("saturation")?);
        let earlier = potential().scan(Running::Count).exclusive().over(trainable().only(found));
        let gain = min_max(signal("step_potential_delta"), batch()).exp();
        let credit = Credit::new()
            .define("group_advantage", signal("reward") - mean(signal("reward"), group()))
            .define("step_potential", 1.5 * accuracy() * confidence() + 0.5 * accuracy() - confidence())
            .define("step_potential_delta", difference(potential(), Some(potential())))
            .define("step_saturation", 1.0 - alpha * (1.0 - (-earlier).exp()))
            .define("step_gain", gain.clone() - mean(gain, batch()));
        let of_steps = signal("group_advantage") * signal("step_saturation") + xi * signal("step_gain");
        let outside = index(STEP).spread(TOKEN).is_null();
        let credit = credit.define("step_credit", of_steps).define(
            "token_credit",
            when(outside, signal("group_advantage"), signal("step_credit").spread(TOKEN)),
        );
        let credit = credit.advantage(whitened(parameters, signal("token_credit"))?);
        let missing = parameters.number("missing_logprob")?;
        Ok(Plan { operators: vec![Arc::new(Probes { missing })], credit, ..Plan::default() })
    },
    ..ADVANTAGE
};
