//! EvoEnv: a policy that writes its own environments, and solves those that are neither trivial nor hopeless.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Credit, Expr, Norm, Scale, group, if_present, normalize, signal, text, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const GATES: &str = "the staged checks of a generated environment; import it";

const INPUTS: &[Input] = &[
    input("role", Of::Text, "generator or solver", "the sampler of the two roles; import it"),
    input(
        "instance_id",
        Of::Text,
        "the instance that a solver's rollout is about; null for generators",
        "the sampler of the two roles; import it",
    ),
    input("gates_passed", Of::Count, "how many of the ordered gates the environment passed", GATES),
    input("rejections", Of::Count, "votes of the self-review against it; without the column none", GATES),
    input(
        "pass_rate",
        Of::Share,
        "solvers' pass rate over fresh instances of the environment; null where it failed a gate",
        "calibration: several solver rollouts of a generated environment; import it",
    ),
    input(
        "novelty",
        Of::Number,
        "distance of prompt and code to those already there; without the column no bonus",
        "embeddings of environments; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("target", "0.3", "the pass rate at which an environment is worth most"),
    parameter("gates", "5", "number of gates"),
    parameter("penalty", "-1", "reward of an environment that fails a gate before the last"),
    parameter("validity", "0", "reward of an environment that fails none of these"),
    parameter("novelty_coef", "0.1", "weight of the novelty"),
    parameter("filter", "true", "true: solvers of environments outside the band are not trained on"),
];

/// EvoEnv: an environment is admitted where all gates are passed, nobody rejects it and `0 < p < 1`; its generator
/// is rewarded with `validity + 1 - |p - target| / (1 - target) + c novelty`, a solver with the score of the
/// environment; either is normalised among rollouts of its own role, a solver among those of its instance.
///
/// fidelity: reconstructed, from notes about the paper. The difficulty is 0 outside the band. A generator whose
/// group fails altogether has no spread, and no advantage.
pub const EVOENV: Recipe = Recipe {
    name: "evoenv",
    title: "generators and solvers of environments, each normalised among its own",
    citation: "Learning to Build the Environment: Self-Evolving Reasoning RL via Verifiable Environment Synthesis",
    family: "actions",
    formula: "A = normalize(role is generator ? validity + 1 - |p - a| / (1 - a) + c novelty : r, by(group, role, instance))",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: the shape of the difficulty, the penalty, validity and weight of the novelty; sampling the pool of environments is not part of it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let generator = || signal("role").equals(text("generator"));
        let solver = || generator().negated();
        let instance = signal("instance_id").null_if(generator()).or_else(signal("group_id"));
        let by = group().and(signal("role")).and(instance);
        let norm = group_norm(parameters)?;
        let scale = if norm.scale == Scale::None { Scale::None } else { Scale::Std(by.clone()) };
        let norm = Norm { center: Center::Mean(by), scale, ..norm };
        let score =
            signal("generator_reward").null_if(solver()).or_else(signal("reward").null_if(generator()));
        let mut credit = Credit::new()
            .define("admitted", admitted(parameters)?)
            .define("difficulty", difficulty(parameters.number("target")?))
            .define("generator_reward", generator_reward(parameters)?)
            .define("score", score);
        if parameters.boolean("filter")? {
            let dropped = solver().and(signal("admitted").negated());
            credit = credit.weights(when(dropped, 0.0, 1.0));
        }
        Ok(credit.advantage(normalize(signal("score"), &norm)).into())
    },
    ..ADVANTAGE
};

/// Whether solvers may train on the environment.
fn admitted(parameters: &Parameters) -> Result<Expr> {
    let rate = || signal("pass_rate");
    let passed = signal("gates_passed").at_least(parameters.number("gates")?);
    let undisputed = if_present(signal("rejections").equals(0.0), value(0.0).equals(0.0));
    let band = rate().greater(0.0).and(rate().less(1.0));
    Ok(passed.and(undisputed).and(band).or_else(value(0.0).equals(1.0)))
}

/// 1 at the target, falling to both sides; 0 for environments that are not admitted.
fn difficulty(target: f64) -> Expr {
    let peak = 1.0 - (signal("pass_rate") - target).abs() / (1.0 - target);
    when(signal("admitted"), peak.or_else(0.0), 0.0)
}

fn generator_reward(parameters: &Parameters) -> Result<Expr> {
    let failed =
        signal("gates_passed").less(parameters.number("gates")? - 1.0).or_else(value(0.0).equals(1.0));
    let novelty = if_present(signal("novelty").or_else(0.0), value(0.0));
    let reward = parameters.number("validity")?
        + (signal("difficulty") + parameters.number("novelty_coef")? * novelty);
    let unknown = signal("gates_passed").is_null();
    Ok(when(failed, parameters.number("penalty")?, reward).null_if(unknown))
}
