//! Primitives 13 and 14, statistics and ranks inside rollouts, groups and batches, against the naive reference.

use meed_operators::credit::*;
use proptest::prelude::*;

use crate::data::{Data, Row};
use crate::generator::{Random, dataset};
use crate::naive;
use crate::program::{assert_cells, assert_exact, value_of};
use crate::shape::{
    self, Cells, Keys, LEVELS, Truth, baseline, cells_of, column, elements, level, lift, other, trainable,
};

const STATISTICS: [Statistic; 11] = [
    Statistic::Sum,
    Statistic::Count,
    Statistic::Mean,
    Statistic::Min,
    Statistic::Max,
    Statistic::Variance { ddof: 0 },
    Statistic::Variance { ddof: 1 },
    Statistic::MedianLower,
    Statistic::Median,
    Statistic::Quantile(0.3),
    Statistic::Distinct,
];

fn is_order(statistic: Statistic) -> bool {
    matches!(
        statistic,
        Statistic::Min | Statistic::Max | Statistic::MedianLower | Statistic::Count | Statistic::Distinct
    )
}

fn takes_weights(statistic: Statistic) -> bool {
    !matches!(
        statistic,
        Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) | Statistic::Distinct
    )
}

/// A key: its level, its expression, and its values as text.
fn keys(data: &Data) -> Vec<(&'static str, Expr, Keys)> {
    let positions = |level: &str| -> Keys {
        data.rows.iter().map(|row| (0..elements(row, level)).map(|i| Some(i.to_string())).collect()).collect()
    };
    let positive: Keys = data.rows.iter().map(|row| vec![row.cost.map(|x| (x > 0.0).to_string())]).collect();
    vec![
        (
            "rollout",
            signal("seed"),
            data.rows.iter().map(|row| vec![row.seed.map(|x| x.to_string())]).collect(),
        ),
        ("rollout", signal("label"), data.rows.iter().map(|row| vec![row.label.clone()]).collect()),
        ("rollout", signal("cost").greater(0.0), positive),
        ("step", signal("step_states"), other(data, "step", |row| &row.step_states)),
        ("step", index(STEP), positions("step")),
        ("turn", index(TURN), positions("turn")),
        ("token", index(TOKEN), positions("token")),
        ("agent", signal("agent_ids"), other(data, "agent", |row| &row.agent_ids)),
        ("macro", index("macro".into()), positions("macro")),
    ]
}

/// Scope and keys for a signal at `name`, with the keys' level, and the key of every element there.
fn some_by(random: &mut Random, data: &Data, name: &str, scopes: &[Scope]) -> (By, &'static str, Keys) {
    let scope = random.pick(scopes);
    let mut by = By { scope, keys: Vec::new() };
    let mut at = "rollout";
    let mut texts: Keys = data
        .rows
        .iter()
        .enumerate()
        .map(|(row, rollout)| {
            let own = if scope == Scope::Rollout { row } else { 0 };
            if let Scope::History(_) = scope {
                return vec![Some(String::new())];
            }
            let group = if scope == Scope::Batch { "" } else { &rollout.group };
            vec![Some(format!("{} {group} {own}", rollout.iteration))]
        })
        .collect();
    let options: Vec<_> =
        keys(data).into_iter().filter(|(level, _, _)| shape::coarser(name).contains(level)).collect();
    for _ in 0..random.below(3) {
        let (level, expr, values) = random.pick(&options);
        let finer = if shape::coarser(level).contains(&at) { level } else { at };
        if !shape::coarser(finer).contains(&level) || !shape::coarser(finer).contains(&at) {
            continue;
        }
        let (before, more) = (lift(data, &texts, at, finer), lift(data, &values, level, finer));
        texts = before
            .iter()
            .zip(&more)
            .map(|(a, b)| {
                a.iter().zip(b).map(|(a, b)| Some(format!("{}|{}", a.as_ref()?, b.as_ref()?))).collect()
            })
            .collect();
        at = finer;
        by = by.and(expr);
    }
    (by, at, texts)
}

/// Members, as expression and truth, restricted to rollouts of the baseline.
fn some_members(
    random: &mut Random,
    data: &Data,
    name: &str,
    reads: &mut Vec<&'static str>,
) -> (Members, Box<dyn Fn(&[bool]) -> Truth>) {
    let everyone = random.chance(40);
    let condition = random.chance(40).then(|| random.pick(&shape::coarser(name)));
    let mut who = if everyone { all() } else { meed_operators::credit::trainable() };
    if let Some(coarse) = condition {
        who = who.only(column(coarse).greater(-0.5));
        reads.push(coarse);
    }
    let (data, name) = (data.clone(), name.to_owned());
    let truth = move |in_baseline: &[bool]| {
        let mut truth = trainable(&data, &name, in_baseline);
        let wanted = condition.map(|coarse| lift(&data, &cells_of(&data, coarse), coarse, &name));
        for (row, members) in truth.iter_mut().enumerate() {
            for (i, member) in members.iter_mut().enumerate() {
                *member = (everyone || *member) && in_baseline[row];
                *member &= wanted.as_ref().is_none_or(|wanted| wanted[row][i].is_some_and(|x| x > -0.5));
            }
        }
        truth
    };
    (who, Box::new(truth))
}

/// The statistic of every key at the keys' level.
fn per_key(how: &naive::Aggregate, x: &Cells, texts: &Keys) -> Cells {
    let mut known = std::collections::HashMap::new();
    texts
        .iter()
        .map(|row| {
            row.iter()
                .map(|key| {
                    let key = key.as_ref()?;
                    *known.entry(key.clone()).or_insert_with(|| how.of_key(x, key))
                })
                .collect()
        })
        .collect()
}

fn check(data: &Data, expr: &Expr, wanted: &Cells, statistic: Statistic, seed: u64) {
    let weighted = matches!(expr.node(), Node::Aggregate { weights: Some(_), .. });
    if is_order(statistic) && !weighted {
        assert_exact(data, expr, wanted, seed)
    } else {
        assert_cells(data, expr, wanted, seed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statistics_of_members(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 11);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let (by, at, texts) = some_by(random, data, name, &[Scope::Rollout, Scope::Group, Scope::Batch]);
        let mut reads = vec![name];
        let (who, truth) = some_members(random, data, name, &mut reads);
        let coarse = random.pick(&shape::coarser(name));
        let weighted = random.chance(40);
        let once = by.scope != Scope::Batch && random.chance(30);
        let mut in_baseline = baseline(data, &reads);
        let plain_baseline = if once { keep(&in_baseline, |row| data.rows[row].label.is_some()) } else { in_baseline.clone() };
        in_baseline = baseline(data, &[&reads[..], &[coarse]].concat());
        in_baseline = if once { keep(&in_baseline, |row| data.rows[row].label.is_some()) } else { in_baseline };
        let x = cells_of(data, name);
        let keys = lift(data, &texts, at, name);
        let weights: Cells = lift(data, &cells_of(data, coarse), coarse, name).into_iter().map(|row| row.into_iter().map(|x| Some(x?.abs())).collect()).collect();
        let once_keys = lift(data, &data.rows.iter().map(|row| vec![row.label.clone()]).collect::<Vec<_>>(), "rollout", name);
        for statistic in STATISTICS {
            let weighted = weighted && takes_weights(statistic);
            let members = truth(if weighted { &in_baseline } else { &plain_baseline });
            let how = naive::Aggregate { statistic, keys: &keys, members: &members, weights: weighted.then_some(&weights), once_per: once.then_some(&once_keys) };
            let mut expr = aggregate(statistic, column(name), by.clone()).over(who.clone());
            if weighted { expr = expr.weighted(column(coarse).abs()); }
            if once { expr = expr.once_per(signal("label")); }
            check(data, &expr, &per_key(&how, &x, &texts), statistic, seed);
        }
    }

    #[test]
    fn statistics_of_others(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 12);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let (by, at, texts) = some_by(random, data, name, &[Scope::Rollout, Scope::Group]);
        let mut reads = vec![name];
        let (who, truth) = some_members(random, data, name, &mut reads);
        let once = random.chance(40);
        let in_baseline = baseline(data, &reads);
        let in_baseline = if once { keep(&in_baseline, |row| data.rows[row].label.is_some()) } else { in_baseline };
        let (x, keys, members) = (cells_of(data, name), lift(data, &texts, at, name), truth(&in_baseline));
        let once_keys = lift(data, &data.rows.iter().map(|row| vec![row.label.clone()]).collect::<Vec<_>>(), "rollout", name);
        for statistic in [Statistic::Sum, Statistic::Count, Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Variance { ddof: 0 }, Statistic::Variance { ddof: 1 }] {
            let how = naive::Aggregate { statistic, keys: &keys, members: &members, weights: None, once_per: once.then_some(&once_keys) };
            let mut expr = aggregate(statistic, column(name), by.clone()).over(who.clone()).of_others();
            if once { expr = expr.once_per(signal("label")); }
            let wanted: Cells = x.iter().enumerate().map(|(row, cells)| (0..cells.len()).map(|i| how.of_others(&x, row, i)).collect()).collect();
            check(data, &expr, &wanted, statistic, seed);
        }
    }

    #[test]
    fn spread_counts_at_the_finer_level(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 13);
        let data = &dataset(seed);
        let fine = random.pick(&["turn", "step", "token", "turn.test"]);
        let coarse = random.pick(&shape::coarser(fine));
        let (by, at, texts) = some_by(random, data, fine, &[Scope::Rollout, Scope::Group, Scope::Batch]);
        let mut reads = vec![coarse];
        let (who, truth) = some_members(random, data, fine, &mut reads);
        let x = lift(data, &cells_of(data, coarse), coarse, fine);
        let (keys, members) = (lift(data, &texts, at, fine), truth(&baseline(data, &reads)));
        for statistic in STATISTICS {
            let how = naive::Aggregate { statistic, keys: &keys, members: &members, weights: None, once_per: None };
            let expr = aggregate(statistic, column(coarse).spread(level(fine)), by.clone()).over(who.clone());
            check(data, &expr, &per_key(&how, &x, &texts), statistic, seed);
        }
    }

    #[test]
    fn statistics_over_the_history(seed in any::<u64>(), own: bool) {
        let random = &mut Random::new(seed ^ 15);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let last = random.pick(&[None, Some(1), Some(2)]);
        let scope = Scope::History(Window { own, last });
        let (by, at, texts) = some_by(random, data, name, &[scope]);
        let mut reads = vec![name];
        let (who, truth) = some_members(random, data, name, &mut reads);
        let x = cells_of(data, name);
        let keys = lift(data, &texts, at, name);
        let members = truth(&baseline(data, &reads));
        for statistic in STATISTICS {
            let wanted: Cells = texts.iter().enumerate().map(|(row, texts)| {
                let now = data.rows[row].iteration;
                let newest = if own { now } else { now - 1 };
                let counts = |other: usize| {
                    let iteration = data.rows[other].iteration;
                    iteration <= newest && last.is_none_or(|last| iteration > newest - i64::from(last))
                };
                let counted: Truth = members.iter().enumerate().map(|(other, truth)| truth.iter().map(|&member| member && counts(other)).collect()).collect();
                let how = naive::Aggregate { statistic, keys: &keys, members: &counted, weights: None, once_per: None };
                texts.iter().map(|key| how.of_key(&x, key.as_ref()?)).collect()
            }).collect();
            let expr = aggregate(statistic, column(name), by.clone()).over(who.clone());
            check(data, &expr, &wanted, statistic, seed);
        }
    }

    #[test]
    fn the_part_of_the_largest_values(seed in any::<u64>(), share in 0.0..1.2f64) {
        let random = &mut Random::new(seed ^ 16);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let (by, at, texts) = some_by(random, data, name, &[Scope::Rollout, Scope::Group, Scope::Batch]);
        let mut reads = vec![name];
        let (who, truth) = some_members(random, data, name, &mut reads);
        let (x, keys, members) = (cells_of(data, name), lift(data, &texts, at, name), truth(&baseline(data, &reads)));
        let weights: Cells = x.iter().map(|row| row.iter().map(|_| Some(share)).collect()).collect();
        let how = naive::Aggregate { statistic: Statistic::UpperPart, keys: &keys, members: &members, weights: Some(&weights), once_per: None };
        let expr = aggregate(Statistic::UpperPart, column(name), by).over(who).weighted(value(share));
        assert_exact(data, &expr, &per_key(&how, &x, &texts), seed);
    }

    #[test]
    fn draws_depend_on_where_they_are_made_alone(seed in any::<u64>()) {
        let data = &dataset(seed);
        let name = Random::new(seed ^ 17).pick(&LEVELS);
        let draws = |data: &Data, stream: u64| value_of(data, &meed_operators::credit::random(level(name), stream), seed).unwrap();
        let all = draws(data, 7);
        prop_assert!(all.iter().flatten().flatten().all(|x| (0.0..1.0).contains(x)));
        for (row, alone) in data.rows.iter().enumerate() {
            let alone = Data { rows: vec![alone.clone()], given_turns: data.given_turns };
            prop_assert_eq!(&draws(&alone, 7)[0], &all[row]);
        }
        if all.iter().map(Vec::len).sum::<usize>() > 3 {
            prop_assert_ne!(all, draws(data, 8));
        }
    }

    #[test]
    fn ranks(seed in any::<u64>(), ascending: bool) {
        let random = &mut Random::new(seed ^ 14);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let (by, at, texts) = some_by(random, data, name, &[Scope::Rollout, Scope::Group, Scope::Batch]);
        let mut reads = vec![name];
        let (who, truth) = some_members(random, data, name, &mut reads);
        let (keys, members) = (lift(data, &texts, at, name), truth(&baseline(data, &reads)));
        // Signed zeros are equal: `-x` of 0 must not rank apart from 0.
        let signed = random.chance(50);
        let x: Cells = cells_of(data, name).into_iter().map(|row| row.into_iter().map(|x| if signed { Some(x?.floor() * x?.ceil().abs()) } else { x }).collect()).collect();
        let expr = if signed { column(name).floor() * column(name).ceil().abs() } else { column(name) };
        let wanted = naive::rank(&x, &keys, &members, ascending);
        assert_exact(data, &rank(expr, by, ascending).over(who), &wanted, seed);
    }
}

fn keep(truth: &[bool], also: impl Fn(usize) -> bool) -> Vec<bool> {
    truth.iter().enumerate().map(|(row, &x)| x && also(row)).collect()
}

/// A sum keeps what small values add between large ones that cancel, as adding in order does.
#[test]
fn sums_are_added_in_order() {
    let scores = vec![Some(1e9), Some(-1e9), Some(1e-3)];
    let row = Row {
        group: "g".into(),
        id: "r".into(),
        mask: vec![true; 3],
        token_scores: Some(scores),
        ..Row::default()
    };
    let data = Data { rows: vec![row], given_turns: false };
    assert_exact(&data, &sum(column("token"), group()), &vec![vec![Some(1e-3)]], 0);
    assert_exact(&data, &sum(column("token"), batch()), &vec![vec![Some(1e-3)]], 0);
}
