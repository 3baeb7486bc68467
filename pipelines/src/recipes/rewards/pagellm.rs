//! PageLLM: a reward of the whole page mixed with rewards of the items that it lists.

use meed_operators::credit::{Credit, Reduction, TOKEN, return_to_go, signal};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::parts::whitening::{WHITEN_OFF, WHITENING, whitened};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "page_reward",
        Of::Number,
        "reward of the whole page",
        "a reward model of pages, trained on user feedback",
    ),
    items(
        "item_rewards",
        Of::Number,
        "relevance or clicks of each listed item, in order",
        "labels or a judge of items",
    ),
    input(
        "item_ends",
        Of::Count,
        "the token after each item (grain=item)",
        "find where the page names its items, on import",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("lambda", "0.5", "share of the page; items have the rest"),
    parameter(
        "grain",
        "page",
        "page: one reward per page, with the mean of its items, compared in the group; item: items are rewarded on their last token and the page on the last of all, summed to the end",
    ),
];

/// PageLLM: `R = lambda R_page + (1 - lambda) mean_i r_i`.
///
/// With `grain=item`, `lambda R_page` lands on the last trainable token and `(1 - lambda) r_i` on the last one of
/// item i, and the advantage is their sum to the end. A page without items has item term 0; an item that is
/// null leaves the page without a reward; an item without a trainable token has no place to land.
pub const PAGELLM: Recipe = Recipe {
    name: "pagellm",
    title: "page reward mixed with item rewards, per page or along it",
    citation: "PageLLM: Enhanced Whole Page Optimization via Mixed-Grained Reward Mechanism",
    family: "rewards",
    formula: "R = lambda * R_page + (1 - lambda) * mean(r_item)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: everything but the two grains, lambda, GRPO for the page and no baseline along it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP, &[WHITEN_OFF], WHITENING],
    plan: |parameters| {
        let lambda = parameters.number("lambda")?;
        let page = || lambda * signal("page_reward");
        Ok(match parameters.text("grain")? {
            "page" => {
                let items = complete(signal("item_rewards"), Reduction::Mean, Some(0.0));
                credit_of(parameters, Credit::new(), page() + (1.0 - lambda) * items)?.into()
            }
            "item" => {
                let item = (1.0 - lambda) * signal("item_rewards").null_if(signal("item_ends").is_null());
                let whole = page() + complete(item.clone(), Reduction::Sum, Some(0.0));
                let credit = Credit::new()
                    .define("rewards", whole)
                    .define("token_rewards", page().at_last(TOKEN) + item.at_last(TOKEN))
                    .returns(return_to_go(signal("token_rewards"), 1.0));
                credit.advantage(whitened(parameters, signal("returns"))?).into()
            }
            _ => return Err(parameters.unknown("grain", &["page", "item"])),
        })
    },
    ..ADVANTAGE
};
