//! Programs like those of published methods, over the columns of the random rollouts.

use meed_operators::credit::*;

fn reward() -> Expr {
    signal("reward")
}

fn step() -> Expr {
    signal("step_rewards")
}

fn token() -> Expr {
    signal("token_scores")
}

fn norm(by: By, scaled: bool) -> Norm {
    Norm {
        center: Center::Mean(by.clone()),
        scale: if scaled { Scale::Std(by) } else { Scale::None },
        ..Norm::group_std(1e-6)
    }
}

fn advantage(is: Expr) -> Credit {
    Credit::new().advantage(is)
}

/// Programs that look no further than their group.
pub fn of_groups() -> Vec<(&'static str, Credit)> {
    let at_last = |x: Expr| x.at_last(TOKEN);
    let shaped = || at_last(reward()) - 0.1 * token().or_else(0.0);
    let gain = || signal("turn_scores") - signal("turn_scores").shift(1, Some(value(0.5)));
    let last = || index_within(TOKEN, TURN).equals(count_within(TOKEN, TURN) - value(1.0).floor());
    let answer: Level = "slice".into();
    let scored = || signal("slice_scores").or_else(0.0);
    vec![
        ("grpo", advantage(normalize(reward(), &Norm::group_std(1e-6)))),
        ("dr_grpo", advantage(reward() - mean(reward(), group()))),
        ("rloo", advantage(reward() - leave_one_out(reward(), group()).or_else(0.0))),
        ("opo", advantage(reward() - mean(reward(), group()).weighted(count(TOKEN)))),
        (
            "gigpo",
            Credit::new()
                .define("episode", step().reduce(ROLLOUT, Reduction::Sum))
                .define("step_returns", return_to_go(step(), 0.95))
                .advantage(
                    normalize(
                        signal("episode").spread(STEP).null_if(policy(STEP).negated()),
                        &norm(group(), true),
                    ) + 0.5
                        * normalize(signal("step_returns"), &norm(group().and(signal("step_states")), false)),
                ),
        ),
        (
            "gae",
            Credit::new()
                .define("values", signal("token_marks").or_else(0.0))
                .advantage(gae(shaped(), signal("values"), 0.99, 0.95, trainable()))
                .returns(signal("advantage") + signal("values")),
        ),
        ("poad", advantage(token().recur(when(last(), 0.9 * 0.8, 0.8)))),
        (
            "matchtir",
            advantage(
                (normalize(reward(), &norm(group(), true))
                    + normalize(return_to_go(step(), 0.9), &norm(group().and(index(STEP)), true)))
                    / 2.0,
            ),
        ),
        (
            "igpo",
            advantage(
                normalize(gain().null_if(gain().equals(0.0)), &norm(group(), true)).or_else(0.0).recur(0.9),
            ),
        ),
        (
            "a2tgpo",
            Credit::new()
                .define("number", gain().scan(Running::Count).over(trainable().only(gain().differs(0.0))))
                .define("z", normalize(gain(), &norm(group().and(signal("number")), true)))
                .advantage(
                    signal("z").recur(0.9) / signal("z").scan(Running::Count).backward().max(1.0).sqrt(),
                )
                .define("clip_low", 0.2 * (1.0 + 0.3 * (2.0 * signal("z").or_else(0.0).sigmoid() - 1.0))),
        ),
        (
            "siop",
            advantage(
                mean(reward(), group().and(signal("label")))
                    / sum(mean(reward(), group().and(signal("label"))).abs(), group())
                        .once_per(signal("label"))
                        .max(0.25),
            ),
        ),
        ("istar", advantage(reward() - mean(step().reduce(ROLLOUT, Reduction::First).empty(0.0), group()))),
        (
            "r3l",
            Credit::new()
                .define("centred", reward() - mean(reward(), group()))
                .advantage(when(
                    reward().at_least(1.0),
                    1.0,
                    when(signal("centred").at_least(0.0), 3.0 * signal("centred"), signal("centred")),
                ))
                .weights(when(index(TURN).at_least(1.0), 1.0, 0.0)),
        ),
        (
            "appo",
            advantage(
                reward()
                    + send(reward(), signal("parent"), Some(signal("split")), Reduction::Sum)
                        .or_else(0.0)
                        .scan(Running::Sum)
                        .backward(),
            ),
        ),
        (
            "brpo",
            Credit::new()
                .define(
                    "placed",
                    signal("agent_scores").place(STEP, signal("agent_spots"), Reduction::Mean).or_else(0.0),
                )
                .advantage(
                    signal("placed").recur(1.0) - mean(signal("placed").recur(1.0), group().and(index(STEP))),
                ),
        ),
        (
            "slices",
            advantage(
                scored().spread(TOKEN).or_else(0.0)
                    - mean(scored(), group().and(index(answer))).spread(TOKEN).or_else(0.0),
            ),
        ),
        (
            "macro",
            advantage(
                token()
                    .reduce("macro".into(), Reduction::Mean)
                    .empty(0.0)
                    .recur(0.9)
                    .spread(TOKEN)
                    .or_else(0.0),
            ),
        ),
        (
            "vsrm",
            advantage(when(step().abs().at_least(0.5), step(), 0.0).recur(when(
                step().abs().at_least(0.5),
                0.0,
                0.9,
            ))),
        ),
        (
            "aem",
            Credit::new()
                .define("h", min_max(token().reduce(TURN, Reduction::Mean), group()))
                .define("w", (-signal("h")).exp())
                .advantage(reward() * signal("w") / mean(signal("w"), group())),
        ),
        (
            "verpo",
            Credit::new()
                .define(
                    "rho",
                    mean(
                        signal("turn_test_passed"),
                        group().and(index_within(Level::pair(&TURN, "test"), TURN)),
                    ),
                )
                .define(
                    "turn_credit",
                    (signal("turn_test_passed") * (-signal("rho")).exp())
                        .reduce(TURN, Reduction::Sum)
                        .empty(0.0),
                )
                .advantage(signal("turn_credit") - mean(signal("turn_credit"), group())),
        ),
        (
            "agents",
            advantage(
                normalize(step(), &norm(group().and(signal("step_agents")), true))
                    - fetch(signal("agent_scores"), signal("agent_ids"), signal("step_agents")).or_else(0.0),
            ),
        ),
        (
            "salt",
            advantage(when(
                members(step(), group().and(signal("step_states"))).at_least(2.0),
                mean(step(), group().and(signal("step_states"))),
                step(),
            )),
        ),
        ("top", advantage(when(top(reward(), 0.5, group()), reward(), 0.0))),
        ("soft", advantage(softmin(step(), rollout()) * step() + softmax(reward(), group()))),
        ("min_to_go", advantage(min_to_go(step()))),
        ("median", advantage((reward() - aggregate(Statistic::MedianLower, reward(), group())).tanh())),
        ("annealed", advantage(reward() * progress(0.0, 2.0))),
        (
            "kept",
            Credit::new()
                .in_baseline(signal("cost").greater(0.0))
                .advantage(reward() - mean(reward(), group()).or_else(0.0)),
        ),
    ]
}

/// Programs with statistics of the batch.
pub fn of_batches() -> Vec<(&'static str, Credit)> {
    let std_about = Norm {
        center: Center::Mean(group()),
        scale: Scale::StdOfCentered(batch()),
        singleton: Singleton::Zero,
        singleton_by: Some(group()),
        ..Norm::group_std(1e-6)
    };
    vec![
        ("reinforce_pp", advantage(whiten(return_to_go(token() + reward().at_last(TOKEN), 1.0), 1e-8))),
        ("batch_std", advantage(normalize(reward(), &std_about))),
        (
            "tempflow",
            advantage(
                normalize(reward(), &norm(group().and(signal("seed")), true))
                    * members(reward(), batch().and(signal("seed")))
                    / mean(members(reward(), batch().and(signal("seed"))), batch()),
            ),
        ),
        (
            "prime",
            Credit::new()
                .define("s", step() / (maximum(return_to_go(step(), 1.0).abs(), batch()) + 1e-6))
                .define("m", signal("s").reduce(ROLLOUT, Reduction::Mean).empty(0.0))
                .define("p", signal("s") - mean(signal("m"), batch()))
                .advantage(whiten(return_to_go(signal("p"), 1.0), 1e-8)),
        ),
        (
            "spae",
            Credit::new()
                .define("d", min_max(token(), batch()))
                .define("g", signal("d").exp() - mean(signal("d").exp(), batch()))
                .advantage(whiten(reward() * signal("g"), 1e-8)),
        ),
        ("d3s", advantage(when(top(reward().abs(), 0.4, batch()), reward(), 0.0))),
        (
            "medians",
            advantage(
                reward()
                    - aggregate(Statistic::Median, reward(), batch())
                    - aggregate(Statistic::Quantile(0.9), token(), batch().and(index(TURN))).or_else(0.0),
            ),
        ),
        (
            "states",
            advantage(
                step() * aggregate(Statistic::Distinct, signal("step_actions_or_states"), batch())
                    + minimum(step(), batch().and(signal("step_states"))).or_else(0.0),
            ),
        ),
        (
            "kept",
            Credit::new()
                .in_baseline(reward().greater(mean(reward(), batch())))
                .advantage(reward() - mean(reward(), batch())),
        ),
        ("infinite", advantage(reward() + minimum((token().abs() * 0.0).ln(), batch()).exp())),
    ]
    .into_iter()
    .map(|(name, credit)| (name, credit.renamed("step_actions_or_states", "step_states")))
    .collect()
}
