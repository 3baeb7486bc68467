//! ADORA: groups in which right answers are not the longer ones are attenuated.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Credit, Norm, Scale, Singleton, group, maximum, mean, normalize, signal, trainable, when,
};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "llm",
        "llm, or vl: the vision-language code, which treats groups without right or without wrong answers the other way round",
    ),
    parameter("attenuation", "0.1", "factor of the advantages of an attenuated group"),
    parameter("correct_threshold", "null", "a reward above it is right; null: 1.01 (llm), 0.5 (vl)"),
    parameter(
        "max_length",
        "null",
        "wrong answers at least that long are cut off and not counted; null: 4054 (llm), 4094 (vl)",
    ),
    parameter("baseline", "z-score", "z-score, mean (no deviation), leave-one-out (no deviation)"),
    parameter("ddof", "1", "delta degrees of freedom of the deviation"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("singleton", "raw", "a group of one: raw (its reward, still attenuated), zero"),
];

/// ADORA: `A = w (r - mean) / (std + eps)`, where `w` is 1 if the longest right answer is longer than
/// the wrong ones are on average, else the attenuation.
///
/// Lengths count trainable tokens. A group without right answers is attenuated by the language code
/// and not by the vision-language code; one without wrong answers the other way round. A singleton
/// keeps its reward, times `w`, as in the reference.
pub const ADORA: Recipe = Recipe {
    name: "adora",
    title: "group-relative advantage, attenuated where right answers are not the longer ones",
    citation: "ADORA: Training Reasoning Models with Dynamic Advantage Estimation; ShadeCloak/ADORA",
    family: "outcome",
    formula: "A = w (r - mean(r)) / (std(r) + eps), w = 1 if max(length | right) > mean(length | wrong) else 0.1",
    fidelity: Fidelity::Reference,
    deviations: "rollouts without a trainable token are outside the statistics",
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (threshold, longest, vision) = match parameters.text("variant")? {
        "llm" => (1.01, 4054.0, false),
        "vl" => (0.5, 4094.0, true),
        _ => return Err(parameters.unknown("variant", &["llm", "vl"])),
    };
    let threshold = parameters.optional_number("correct_threshold")?.unwrap_or(threshold);
    let longest = parameters.optional_number("max_length")?.unwrap_or(longest);
    let right = || signal("reward").greater(threshold);
    let counted = right().negated().and(trainable_tokens().less(longest));
    let (correct, wrong) = (|| signal("longest_correct"), || signal("mean_wrong_length"));
    // Every length is at least 1, so that -1 stands for minus infinity.
    let good = if vision {
        let longer = wrong().is_null().negated().and(correct().or_else(-1.0).greater(wrong().or_else(-1.0)));
        correct().is_null().or(longer)
    } else {
        correct().or_else(-1.0).greater(wrong().or_else(-1.0))
    };
    let mut norm = Norm::group_std(parameters.number("eps")?);
    norm.ddof = parameters.small("ddof")?;
    norm.singleton = match parameters.text("singleton")? {
        "raw" => Singleton::Raw,
        "zero" => Singleton::Zero,
        _ => return Err(parameters.unknown("singleton", &["raw", "zero"])),
    };
    match parameters.text("baseline")? {
        "z-score" => {}
        "mean" => norm.scale = Scale::None,
        "leave-one-out" => (norm.center, norm.scale) = (Center::LeaveOneOut(group()), Scale::None),
        _ => return Err(parameters.unknown("baseline", &["z-score", "mean", "leave-one-out"])),
    }
    Ok(Credit::new()
        .define("longest_correct", maximum(trainable_tokens(), group()).over(trainable().only(right())))
        .define("mean_wrong_length", mean(trainable_tokens(), group()).over(trainable().only(counted)))
        .define("group_weight", when(good, 1.0, parameters.number("attenuation")?))
        .define("group_advantage", normalize(signal("reward"), &norm))
        .advantage(signal("group_weight") * signal("group_advantage"))
        .into())
}
