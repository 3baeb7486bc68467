//! Router-R1: a right answer is worth more the less the models that were asked for it cost.

use meed_operators::credit::{
    By, Credit, Expr, Statistic, TOKEN, aggregate, history, if_present, signal, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "route_cost",
        Of::Number,
        "sum over the models that the rollout asked of completion tokens times price; 0 where it asked none",
        "the tool that routes calls, or an import",
    ),
    input(
        "format_ok",
        Of::Flag,
        "true where the response keeps the format; without the column all do",
        "a rule or judge, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "metric",
        "em",
        "what the reward is: em (1 where the answer is the gold one, else 0), f1; both earn alike",
    ),
    parameter("cost_coef", "0.9", "share of the reward of a right answer that is its low cost"),
    parameter("window", "15", "iterations whose costs count, the rollout's own among them; null: all so far"),
    parameter("quantile_low", "0.05", "share of costs that count as lowest"),
    parameter("quantile_high", "0.95", "share of costs below those that count as highest"),
    parameter("transform", "sqrt", "costs are compared as: sqrt, none"),
];

/// Router-R1: `R = -1` where the format is broken, 0 for a wrong answer, else `(1 - alpha) metric + alpha c`,
/// `c = 1 - clip((x - p5) / (p95 - p5), 0, 1)` of the root `x` of the cost among those of the last
/// iterations; 0.5 where those percentiles coincide.
///
/// `reward` is the metric. A rollout with a broken format has a cost too. The authors' window has the last
/// 1000 rollouts up to the rollout itself, so that its reward depends on the order of rows; here it has whole
/// iterations, and is the same where each iteration has one rollout.
pub const ROUTER_R1: Recipe = Recipe {
    name: "router_r1",
    title: "the answer's score, and where it is right its low cost among recent ones",
    citation: "Router-R1, arXiv 2506.09033; ulab-uiuc/Router-R1",
    family: "rewards",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.001}"#)]),
    formula: "R = -1 [bad format], 0 [wrong], else (1 - alpha) metric + alpha (1 - clip((x - p5)/(p95 - p5), 0, 1)), x = sqrt(cost)",
    fidelity: Fidelity::Reference,
    deviations: "the window of costs counts iterations, not rows (guessed: 15, about 1000 rows of 64); cost_coef is 0 in the authors' script, which leaves the cost out",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        if !["em", "f1"].contains(&parameters.text("metric")?) {
            return Err(parameters.unknown("metric", &["em", "f1"]));
        }
        let cost = match parameters.text("transform")? {
            "sqrt" => signal("route_cost").sqrt(),
            "none" => signal("route_cost"),
            _ => return Err(parameters.unknown("transform", &["sqrt", "none"])),
        };
        let recent: By = match parameters.optional_number("window")? {
            None => history(),
            Some(iterations) if iterations >= 1.0 && iterations.fract() == 0.0 => {
                history().last(iterations as u32)
            }
            Some(_) => return Err(parameters.unknown("window", &["a whole number of at least 1", "null"])),
        };
        let quantile = |name: &str| -> meed_operators::Result<Expr> {
            Ok(aggregate(Statistic::Quantile(parameters.number(name)?), signal("cost"), recent.clone()))
        };
        let range = || signal("cost_high") - signal("cost_low");
        let place = ((signal("cost") - signal("cost_low")) / range().max(1e-8)).clamp(0.0, 1.0);
        let alpha = parameters.number("cost_coef")?;
        let right = (1.0 - alpha) * signal("reward") + alpha * signal("cost_rewards");
        let broken = if_present(signal("format_ok").equals(0.0), value(1.0).equals(0.0));
        let earned = when(broken, -1.0, when(signal("reward").at_most(0.0), 0.0, right));
        let credit = Credit::new()
            .define("cost", cost)
            .define("cost_low", quantile("quantile_low")?)
            .define("cost_high", quantile("quantile_high")?)
            .define("cost_rewards", when(range().less(1e-8), 0.5, 1.0 - place))
            .define("token_rewards", earned.clone().at_last(TOKEN));
        Ok(credit.define("rewards", earned).into())
    },
    ..REWARD
};
