//! Med-R3: reasoning first, then retrieval, then both, each stage with a reward of its own.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{credit_of, weighted_sum};
use crate::parts::steps::where_used;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input("reasoning_score", Of::Share, "quality of the reasoning", "a judge of medical reasoning"),
    input("retrieval_score", Of::Share, "quality of what was retrieved", "a judge that reads the documents"),
    input("answer_score", Of::Share, "whether the answer is right", "a verifier of the answer"),
];

const PARAMETERS: &[Parameter] = &[
    parameter("stage", "3", "1: reasoning, 2: retrieval, 3: both; where no schedule decides"),
    parameter(
        "schedule",
        "null",
        "null, or the iterations at which the second and the third stage begin, such as [100, 200]",
    ),
    parameter("reasoning_stage", "[1, 0, 1]", "weights of reasoning, retrieval and answer in stage 1"),
    parameter("retrieval_stage", "[0, 1, 1]", "the same in stage 2"),
    parameter("joint_stage", "[1, 1, 1]", "the same in stage 3"),
];

/// Med-R3: `R = sum_j w_j(stage) score_j`, compared in the group. A score of weight 0 in the stage at hand may be
/// missing.
pub const MED_R3: Recipe = Recipe {
    name: "med_r3",
    title: "weighted scores whose weights change with the stage of training",
    citation: "Med-R^3: Enhancing Medical Retrieval-Augmented Reasoning of LLMs via Progressive Reinforcement Learning",
    family: "rewards",
    formula: "R = w_1(stage) reasoning + w_2(stage) retrieval + w_3(stage) answer",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract, which has the three stages; guessed: the weights, how long stages are, the comparison in the group; no reward of format",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let stages = ["reasoning_stage", "retrieval_stage", "joint_stage"];
        let shaped = match parameters.numbers("schedule")?.as_deref() {
            None => match parameters.small("stage")? {
                stage @ 1..=3 => scores(parameters, stages[usize::from(stage) - 1])?,
                _ => return Err(parameters.unknown("stage", &["1", "2", "3"])),
            },
            Some(&[second, third]) => {
                let before = |iteration: f64| signal("iteration").less(iteration);
                let [first, retrieval, joint] = stages.map(|stage| scores(parameters, stage).map(where_used));
                when(before(second), first?, when(before(third), retrieval?, joint?))
            }
            Some(_) => return Err(parameters.unknown("schedule", &["[second, third]"])),
        };
        Ok(credit_of(parameters, Credit::new(), shaped)?.into())
    },
    ..ADVANTAGE
};

fn scores(parameters: &Parameters, stage: &str) -> Result<Expr> {
    match parameters.numbers(stage)? {
        Some(weights) if weights.len() == 3 => {
            Ok(weighted_sum(&["reasoning_score", "retrieval_score", "answer_score"], &weights))
        }
        _ => Err(parameters.unknown(stage, &["three weights"])),
    }
}
