//! Recipes that reshape the outcome reward or its group: difficulty, signs, schedules, budgets.

mod a_grae;
mod adactrl;
mod adora;
mod b_star;
mod brpo;
mod curricula_for_re_ranking;
mod deepseek_prover_v2;
mod guide;
mod h1;
mod knapsack_rl;
mod light_if;
mod likelihood_rewards;
mod nsr;
mod qwenlong_l1;
mod reft;
mod rlvr_schedule;
mod rmt;
mod scrl;
mod stability_gap;
mod tarot;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &a_grae::A_GRAE,
    &adactrl::ADACTRL,
    &adora::ADORA,
    &b_star::B_STAR,
    &brpo::BRPO,
    &curricula_for_re_ranking::CURRICULA_FOR_RE_RANKING,
    &deepseek_prover_v2::DEEPSEEK_PROVER_V2,
    &guide::GUIDE,
    &h1::H1,
    &knapsack_rl::KNAPSACK_RL,
    &light_if::LIGHT_IF,
    &likelihood_rewards::LIKELIHOOD_REWARDS,
    &nsr::NSR,
    &qwenlong_l1::QWENLONG_L1,
    &reft::REFT,
    &rlvr_schedule::RLVR_SCHEDULE,
    &rmt::RMT,
    &scrl::SCRL,
    &stability_gap::STABILITY_GAP,
    &tarot::TAROT,
];
