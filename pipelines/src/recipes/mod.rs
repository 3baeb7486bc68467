//! The list of recipes, and how they are found by name.

mod agents;
mod baselines;
mod rewards;
mod trees;

use meed_operators::{Error, Result};

use crate::recipe::Recipe;

/// Every recipe, in alphabetical order inside its family.
pub const RECIPES: &[&Recipe] = &[
    &baselines::dr_grpo::DR_GRPO,
    &baselines::gae::GAE,
    &baselines::gdpo::GDPO,
    &baselines::gpg::GPG,
    &baselines::grpo::GRPO,
    &baselines::grpo_passk::GRPO_PASSK,
    &baselines::max_rl::MAX_RL,
    &baselines::on_policy_distillation::ON_POLICY_DISTILLATION,
    &baselines::opo::OPO,
    &baselines::optimal_token_baseline::OPTIMAL_TOKEN_BASELINE,
    &baselines::reinforce::REINFORCE,
    &baselines::reinforce_pp::REINFORCE_PP,
    &baselines::reinforce_pp_baseline::REINFORCE_PP_BASELINE,
    &baselines::remax::REMAX,
    &baselines::rloo::RLOO,
    &baselines::optimal_token_baseline::TIR_OPTIMAL_TOKEN_BASELINE,
    &agents::gigpo::GIGPO,
    &agents::step_reinforce::STEP_REINFORCE,
    &rewards::kl_in_reward::KL_IN_REWARD,
    &rewards::linear_reward::LINEAR_REWARD,
    &rewards::overlong_penalty::OVERLONG_PENALTY,
    &rewards::truncated_reward::TRUNCATED_REWARD,
    &trees::tempo::TEMPO,
];

/// The recipe of a name.
///
/// # Errors
/// A name that is no recipe; the hint has the nearest ones.
pub fn find(name: &str) -> Result<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name).copied().ok_or_else(|| {
        let mut near: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        near.sort_by_key(|known| std::cmp::Reverse(alike(known, name)));
        near.truncate(5);
        Error::usage(
            format!("no recipe is called `{name}`"),
            format!("did you mean {}? `meed recipes` lists all", near.join(", ")),
        )
    })
}

fn alike(a: &str, b: &str) -> usize {
    let pairs = |text: &str| text.as_bytes().windows(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (a, b) = (pairs(a), pairs(b));
    a.iter().filter(|pair| b.contains(pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_recipe_builds_with_its_defaults() {
        let mut names: Vec<&str> = RECIPES.iter().map(|recipe| recipe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RECIPES.len());
        for recipe in RECIPES {
            let (_, plan) = recipe.set(&[]).unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
            assert!(plan.credit.expressions().count() > 0, "{}", recipe.name);
        }
    }

    #[test]
    fn unknown_names_have_a_hint() {
        let error = find("grop").unwrap_err();
        assert!(error.hint().contains("grpo"), "{}", error.hint());
    }
}
