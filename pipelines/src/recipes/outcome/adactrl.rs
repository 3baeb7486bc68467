//! AdaCtrl: rewards for saying how hard a problem is, and for a length that fits.

use meed_operators::Result;
use meed_operators::credit::{Credit, group, if_present, maximum, mean, signal, text, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "tag",
        Of::Text,
        "which tag the response begins with: easy, hard or none",
        "read the first characters of the response when importing",
    ),
    input(
        "response_length",
        Of::Count,
        "length of the response; the number of trainable tokens where the data has none",
        "import it where lengths are not those of the tokens",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "naive",
        "naive: right responses tagged easy earn by being short (the class that is loaded); multi_threads: responses tagged as their group is earn by being short or long (the paper)",
    ),
    parameter("threshold", "0.625", "a group is easy if its accuracy is greater"),
    parameter("length_weight", "0.5", "weight of the length reward"),
    parameter("format_weight", "0.5", "weight of the format reward"),
];

/// AdaCtrl: `r = correct + 0.5 r_length + 0.5 r_format`, normalised in the group.
///
/// `r_format` is 1 where the tag is the group's label, 0 where it is the other one, -1 without a
/// tag. `r_length` falls from 1 to 0 (easy) or rises from 0 to 1 (hard) along half a cosine, from
/// length 0 to the longest response of the group. The repository has it twice: by the label, in a file
/// that nothing imports, and for right responses tagged easy alone, whatever the label.
pub const ADACTRL: Recipe = Recipe {
    name: "adactrl",
    title: "rewards for a tag that fits the difficulty and a length that fits the tag",
    citation: "AdaCtrl: Adaptive and Controllable Reasoning via Difficulty-Aware Budgeting; JoeYing1019/AdaCtrl",
    family: "outcome",
    objective: ("dapo", &[]),
    formula: "A = normalize(correct + 0.5 (1 + cos(pi t/T))/2 + 0.5 r_format)",
    fidelity: Fidelity::Reference,
    deviations: "a group of empty responses has length reward as at length 0, where the reference divides by 0; the filter of groups without variance is the sampler's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let easy = || signal("group_easy");
    let tagged = |tag: &str| signal("tag").equals(text(tag));
    let length = || if_present(signal("response_length"), trainable_tokens());
    let share = length() / maximum(length(), group()).max(1.0);
    let longer = 0.5 * (1.0 - (std::f64::consts::PI * share).cos());
    let shorter = 1.0 - longer.clone();
    let fits = || signal("tag_fits");
    let by_length = match parameters.text("variant")? {
        "naive" => when(tagged("easy").and(signal("reward").at_least(1.0)), shorter, 0.0),
        "multi_threads" => when(fits(), when(easy(), shorter, longer), 0.0),
        _ => return Err(parameters.unknown("variant", &["naive", "multi_threads"])),
    };
    let total = signal("reward")
        + parameters.number("length_weight")? * signal("length_reward")
        + parameters.number("format_weight")? * signal("format_reward");
    let accuracy = mean(signal("reward"), group());
    Ok(Credit::new()
        .define("group_easy", accuracy.greater(parameters.number("threshold")?))
        .define("tag_fits", when(easy(), tagged("easy"), tagged("hard")))
        .define("format_reward", when(fits(), 1.0, when(tagged("easy").or(tagged("hard")), 0.0, -1.0)))
        .define("length_reward", by_length)
        .define("reward_total", total)
        .advantage(group_advantage(parameters, signal("reward_total"))?)
        .into())
}
