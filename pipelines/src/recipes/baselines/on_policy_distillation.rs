//! On-policy distillation: the teacher's log-probability less the student's, per token.

use meed_operators::credit::{Credit, Expr, batch, if_present, mask, mean, signal, when};

use crate::parameters::{Parameter, parameter};
use crate::parts::divergence::policy_logprobs;
use crate::recipe::{Fidelity, Kind, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("coef", "1.0", "coefficient"),
    parameter(
        "discount",
        "0.0",
        "discount of the future sum over trainable tokens; 0: the token itself only",
    ),
    parameter("clip", "null", "[low, high]"),
    parameter("clip_where", "after the discounted sum", "where the clip applies"),
    parameter("center", "none", "the outcome reward is added as it is"),
    parameter("scale", "none", "the outcome reward is added as it is"),
    parameter(
        "teacher",
        "token_teacher_logprobs",
        "log-probabilities of the teacher: token_teacher_logprobs, or token_ref_logprobs",
    ),
    parameter("centred", "false", "true: the mean gap over the trainable tokens of the batch is taken off"),
    parameter("add_reward", "false", "true: the outcome reward is added on every trainable token"),
];

/// On-policy distillation: `A_t = coef * sum_k discount^k (log pi_teacher - log pi)_{t+k}`.
pub const ON_POLICY_DISTILLATION: Recipe = Recipe {
    name: "on_policy_distillation",
    title: "log-probability of the teacher less the student's, per token",
    citation: "Agarwal et al. 2024, On-Policy Distillation, arXiv 2306.13649; Lu et al. 2025",
    family: "baselines",
    kind: Kind::Advantage,
    objective: ("importance_sampling", &[]),
    formula: "A_t = coef * sum_k discount^k * (log p_teacher - log p)_{t+k} (+ r)",
    fidelity: Fidelity::Reference,
    deviations: "only trainable tokens enter the future sum, where tinker-cookbook puts it on observations too",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let teacher = match parameters.text("teacher")? {
            name @ ("token_teacher_logprobs" | "token_ref_logprobs") => signal(name),
            _ => {
                return Err(parameters.unknown("teacher", &["token_teacher_logprobs", "token_ref_logprobs"]));
            }
        };
        let credit = Credit::new().define("gap", teacher - policy_logprobs());
        let mut gap: Expr = signal("gap");
        if parameters.boolean("centred")? {
            gap = gap.clone() - mean(gap, batch());
        }
        let gap = when(mask(), gap, 0.0);
        let summed = match parameters.number("discount")? {
            0.0 => gap,
            discount => gap.recur(discount),
        };
        let mut advantage = parameters.number("coef")? * summed;
        match parameters.numbers("clip")?.as_deref() {
            Some([low, high]) => advantage = advantage.clamp(*low, *high),
            Some(_) => return Err(parameters.unknown("clip", &["[low, high]"])),
            None => {}
        }
        if parameters.boolean("add_reward")? {
            advantage = advantage + if_present(signal("reward"), 0.0.into());
        }
        Ok(credit.advantage(advantage).into())
    },
};
