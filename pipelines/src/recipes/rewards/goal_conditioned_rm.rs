//! Goal-conditioned reward model: how near the hidden state of a prefix is to that of solved problems.

use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, Running, all, group, index, index_within, mean, signal,
    trainable, when,
};

use crate::inputs::{Input, Of, items, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    pairs(
        "token_hidden_states",
        Of::Number,
        "last-layer state of the reward model after each token, a list of numbers each (step_hidden_states with level=step)",
        "run the reward model over the rollouts and store its states",
    ),
    items(
        "hidden_goals",
        Of::Number,
        "the goal's state: the mean of the last states of correct solutions (goal=given)",
        "average the last states of solutions that are known to be correct; goal=group takes them from the group",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("level", "token", "where states live: token or step, with the column <level>_hidden_states"),
    parameter("goal", "group", "group: mean last state of the group's correct rollouts; given: hidden_goals"),
    parameter("correct_above", "0", "a rollout is correct where its reward is greater"),
    parameter("prune_below", "null", "tokens after the first prefix whose value is lower get weight 0"),
];

/// Goal-conditioned reward model: `Q(prefix, goal) = cos(h_prefix, h_goal)`; the reward is Q of the whole rollout.
///
/// `q` holds the value of every prefix, `contrastive_losses` what the model is trained to minimise:
/// `-log sigmoid(q)` for correct rollouts and `-log(1 - sigmoid(q))` for the others, averaged over prefixes. A
/// group without a correct rollout has no goal and is not trained on; a state of length 0 has value 0.
pub const GOAL_CONDITIONED_RM: Recipe = Recipe {
    name: "goal_conditioned_rm",
    title: "similarity of hidden states to those of correct solutions, as value and for pruning",
    citation: "Nath et al. 2024, Learning Goal-Conditioned Representations for Language Reward Models, arXiv 2407.13887",
    family: "rewards",
    formula: "q_t = cos(h_t, mean of last h of correct rollouts); r = q_T",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: the loss and that it is averaged over prefixes instead of sampled ones, the reward and its group normalisation, pruning after the first low prefix",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let level = match parameters.text("level")? {
            level @ ("token" | "step") => Level::named(level),
            _ => return Err(parameters.unknown("level", &["token", "step"])),
        };
        let correct = || signal("correct");
        let credit = Credit::new()
            .define("correct", signal("reward").greater(parameters.number("correct_above")?))
            .define(
                "goal",
                match parameters.text("goal")? {
                    "given" => signal("hidden_goals"),
                    "group" => group_goal(&level, correct()),
                    _ => return Err(parameters.unknown("goal", &["group", "given"])),
                },
            )
            .define("q", cosine(states(&level), signal("goal"), &level));
        let losses = when(correct(), -signal("q").log_sigmoid(), -(-signal("q")).log_sigmoid());
        let mut credit = credit
            .define("contrastive_losses", losses.reduce(ROLLOUT, Reduction::Mean))
            .define("rewards", signal("q").reduce(ROLLOUT, Reduction::Last));
        if let Some(threshold) = parameters.optional_number("prune_below")? {
            let lowest_before = signal("q").scan(Running::Min).exclusive().or_else(threshold);
            credit = credit.weights(when(lowest_before.at_least(threshold), 1.0, 0.0));
        }
        Ok(credit.advantage(group_advantage(parameters, signal("rewards"))?).into())
    },
    ..ADVANTAGE
};

fn states(level: &Level) -> Expr {
    signal(format!("{level}_hidden_states"))
}

/// The mean of each dimension over the last states of the group's correct rollouts.
fn group_goal(level: &Level, correct: Expr) -> Expr {
    let dimension = index_within(Level::pair(level, "hidden"), level.clone());
    let last = index(level.clone()).equals(index(level.clone()).reduce(ROLLOUT, Reduction::Last));
    mean(states(level), group().and(dimension)).over(trainable().only(last.and(correct)))
}

fn cosine(a: Expr, b: Expr, level: &Level) -> Expr {
    let dot = |x: Expr, y: Expr| (x * y).reduce(level.clone(), Reduction::Sum).over(all());
    let norms = (dot(a.clone(), a.clone()) * dot(b.clone() + 0.0 * a.clone(), b.clone())).sqrt();
    when(norms.clone().equals(0.0), 0.0, dot(a, b) / norms)
}
