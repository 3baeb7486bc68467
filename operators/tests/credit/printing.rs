//! Printed programs, and programs that come back from their serialised form.

use meed_operators::credit::*;

use crate::recipes::{of_batches, of_groups};

fn reward() -> Expr {
    signal("reward")
}

#[test]
fn every_program_comes_back() {
    for (name, credit) in of_groups().into_iter().chain(of_batches()) {
        let text = serde_json::to_string(&credit).unwrap();
        let back: Credit = serde_json::from_str(&text).unwrap();
        assert_eq!(back, credit, "{name}");
        assert_eq!(back.to_string(), credit.to_string(), "{name}");
    }
}

#[test]
fn programs_read_like_formulas() {
    let printed = |name: &str| {
        let all = of_groups().into_iter().chain(of_batches());
        all.into_iter().find(|(known, _)| *known == name).unwrap().1.to_string()
    };
    assert_eq!(printed("dr_grpo"), "advantage = reward - mean(reward, by(group))\n");
    assert_eq!(printed("rloo"), "advantage = reward - or_else(mean(reward, by(group), of others), 0)\n");
    assert_eq!(printed("opo"), "advantage = reward - mean(reward, by(group), weights count(token))\n");
    assert_eq!(
        printed("grpo"),
        "advantage = when(count(reward, by(group)) == 1, reward * 0, (reward - mean(reward, by(group))) / (sqrt(variance[ddof 1](reward, by(group))) + 0.000001))\n"
    );
    assert_eq!(
        printed("poad"),
        "advantage = recur(token_scores, when(index(token, within turn) == count(token, within turn) - floor(1), 0.7200000000000001, 0.8))\n"
    );
    assert_eq!(
        printed("appo"),
        "advantage = reward + scan(or_else(send(reward, to parent, at token split, sum), 0), sum, backward)\n"
    );
    assert_eq!(
        printed("brpo"),
        "placed = or_else(place(agent_scores, step, agent_spots, mean), 0)\n\
         advantage = recur(placed, 1) - mean(recur(placed, 1), by(group, index(step)))\n"
    );
    assert_eq!(
        printed("macro"),
        "advantage = or_else(spread(recur(reduce(token_scores, macro, mean, empty 0), 0.9), token), 0)\n"
    );
    assert_eq!(
        printed("d3s"),
        "advantage = when(rank(abs(reward), by(batch), descending) < floor(count(abs(reward), by(batch)) * 0.4), reward, 0)\n"
    );
}

#[test]
fn every_primitive_prints() {
    let over = || all().only(signal("cost").greater(0.0));
    let cases = [
        (text("a\"b"), r#""a\"b""#),
        (values("head", vec![0.5, 1.0]), "values(head, [0.5, 1.0])"),
        (if_present(signal("x"), value(1.0)), "if_present(x, 1)"),
        (count_within(STEP, TURN), "count(step, within turn)"),
        (
            mask().and(policy(STEP)).or(kind(TURN, &["think", "user"])),
            "mask() and policy(step) or kind(turn, {think, user})",
        ),
        (progress(0.0, 1e3), "progress(0, 1000)"),
        (
            signal("x").shift(-1, Some(value(0.0))).over(over()),
            "shift(x, -1, initial 0, over all, where cost > 0)",
        ),
        (
            signal("x").scan(Running::Mean).backward().exclusive().restarting(mask()),
            "scan(x, mean, backward, exclusive, restart mask())",
        ),
        (signal("x").recur(signal("c")).forward(), "recur(x, c, forward)"),
        (
            signal("x").reduce(TURN, Reduction::Sum).weighted(signal("w")).over(all()),
            "reduce(x, turn, sum, weights w, over all)",
        ),
        (signal("x").at_first(TOKEN), "spread(x, token, first)"),
        (reward().null_if(reward().is_null().negated()), "null_if(reward, not(is_null(reward)))"),
        (
            sum(reward(), batch().and(signal("seed"))).over(over()),
            "sum(reward, by(batch, seed), over all, where cost > 0)",
        ),
        (mean(reward(), group()).once_per(signal("label")), "mean(reward, by(group), once per label)"),
        (aggregate(Statistic::Quantile(0.25), reward(), rollout()), "quantile[0.25](reward, by(rollout))"),
        (fetch(reward(), signal("ids"), signal("key")), "fetch(reward, ids, key)"),
        (signal("a").min(signal("b")).max(1.0), "max(min(a, b), 1)"),
    ];
    for (expr, wanted) in cases {
        assert_eq!(expr.to_string(), wanted);
    }
}

/// Batch statistics are known by their text, so different formulas must print differently.
#[test]
fn parentheses_where_they_matter() {
    let (a, b, c) = (|| signal("a"), || signal("b"), || signal("c"));
    let cases = [
        (a() - (b() - c()), "a - (b - c)"),
        ((a() - b()) - c(), "a - b - c"),
        ((a() + b()) * c(), "(a + b) * c"),
        (a() / (b() * c()), "a / (b * c)"),
        (a().power(b().power(c())), "a ^ (b ^ c)"),
        ((a().power(b())).power(c()), "(a ^ b) ^ c"),
        (-(a() + b()), "-(a + b)"),
        (-(a() * b()), "-(a * b)"),
        ((-a()) * b(), "-a * b"),
        (a() * -b(), "a * (-b)"),
        (-(-a()), "-(-a)"),
        (-value(1.0), "-(1)"),
        ((-a()).power(2.0), "(-a) ^ 2"),
        (-(a().power(2.0)), "-a ^ 2"),
        (value(-1.0).power(a()), "(-1) ^ a"),
        (-(value(1.0).power(a())), "-1 ^ a"),
        (a().equals(b()).and(c().less(1.0)).negated(), "not(a == b and c < 1)"),
        (a().less(b()).equals(c().less(1.0)), "(a < b) == (c < 1)"),
    ];
    for (expr, wanted) in cases {
        assert_eq!(expr.to_string(), wanted);
    }
}
