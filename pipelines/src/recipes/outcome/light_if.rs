//! Light-IF: the share of constraints met as the reward, trained with a covariance-weighted entropy bonus.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, all, if_present, signal};

use crate::inputs::{Input, Of, items};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "constraint_met",
    Of::Flag,
    "whether the response keeps each constraint of its instruction; without the column `reward` is that share",
    "a rule per constraint: judges such as `regex`, or an import",
)];

/// Light-IF: GRPO on the share of constraints that are met; the method's own part is the objective
/// `light_if_tea`, and `light_if_sft` for the supervised phase before it.
///
/// In the released trainer the branch of the entropy bonus cannot be reached, so that it trains plain
/// GRPO with a divergence. A constraint without a verdict leaves its rollout out.
pub const LIGHT_IF: Recipe = Recipe {
    name: "light_if",
    title: "group-relative advantage of the share of constraints met, with an entropy bonus in the loss",
    citation: "Light-IF: Generalizable Reasoning via Preview and Self-Checking; Qihoo360/Light-IF",
    family: "outcome",
    objective: ("light_if_tea", &[]),
    formula: "A = normalize(mean(met)); the loss subtracts clamp(10 softmax(cov(A, log pi)), 0, 5) H",
    fidelity: Fidelity::Reference,
    deviations: "golden numbers are those of the two objectives; the credit is GRPO's",
    inputs: &[INPUTS],
    parameters: &[GROUP],
    plan: |parameters| {
        let met = || signal("constraint_met");
        let unknown = met().is_null().reduce(ROLLOUT, Reduction::Any).over(all());
        let share = met().reduce(ROLLOUT, Reduction::Mean).null_if(unknown);
        Ok(Credit::new()
            .define("rewards", if_present(share, signal("reward")))
            .advantage(group_advantage(parameters, signal("rewards"))?)
            .into())
    },
    ..crate::recipe::ADVANTAGE
};
