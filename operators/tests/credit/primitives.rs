//! Primitives 1 to 12, 15 and 17 against the naive reference.

use meed_operators::credit::*;
use proptest::prelude::*;

use crate::data::Data;
use crate::generator::{Random, dataset};
use crate::naive;
use crate::program::{assert_cells, assert_exact, cells, numbers, run, value_of};
use crate::shape::{
    self, Cells, LEVELS, Truth, baseline, cells_of, column, elements, level, lift, other, trainable,
};

/// Members of a level: the default ones, all, or those with a mark, as expression and as truth.
fn some_members(random: &mut Random, data: &Data, name: &str, in_baseline: &[bool]) -> (Members, Truth) {
    let everyone = || data.rows.iter().map(|row| vec![true; elements(row, name)]).collect::<Truth>();
    let (mut who, mut truth) = if random.chance(50) {
        (trainable_members(), trainable(data, name, in_baseline))
    } else {
        (all(), everyone())
    };
    if random.chance(40) {
        let coarse = random.pick(&shape::coarser(name));
        who = who.only(column(coarse).greater(0.0));
        let condition = lift(data, &cells_of(data, coarse), coarse, name);
        for (row, members) in truth.iter_mut().enumerate() {
            members
                .iter_mut()
                .zip(&condition[row])
                .for_each(|(member, x)| *member &= x.is_some_and(|x| x > 0.0));
        }
    }
    (who, truth)
}

fn trainable_members() -> Members {
    meed_operators::credit::trainable()
}

fn map(cells: &Cells, f: impl Fn(Option<f64>) -> Option<f64>) -> Cells {
    cells.iter().map(|row| row.iter().map(|&x| f(x)).collect()).collect()
}

fn zip(a: &Cells, b: &Cells, f: impl Fn(Option<f64>, Option<f64>) -> Option<f64>) -> Cells {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()).collect()
}

/// What `f` gives for the sequences of a level. Of the pair level each test is a sequence of its own, from turn to
/// turn.
fn by_sequence(
    data: &Data,
    name: &str,
    f: impl Fn(&dyn Fn(&Cells) -> Cells, &dyn Fn(&Truth) -> Truth) -> Cells,
) -> Cells {
    let places: Vec<Vec<Vec<usize>>> = data.rows.iter().map(|row| sequences(row, name)).collect();
    let cut = places.iter().enumerate().flat_map(|(row, of_row)| of_row.iter().map(move |at| (row, at)));
    let cut: Vec<(usize, &Vec<usize>)> = cut.collect();
    let results = f(
        &|cells| cut.iter().map(|(row, at)| at.iter().map(|&i| cells[*row][i]).collect()).collect(),
        &|truth| cut.iter().map(|(row, at)| at.iter().map(|&i| truth[*row][i]).collect()).collect(),
    );
    let mut joined: Cells = data.rows.iter().map(|row| vec![None; elements(row, name)]).collect();
    for ((row, at), result) in cut.iter().zip(results) {
        at.iter().zip(result).for_each(|(&i, x)| joined[*row][i] = x);
    }
    joined
}

fn sequences(row: &crate::data::Row, name: &str) -> Vec<Vec<usize>> {
    if name != "turn.test" {
        return vec![(0..elements(row, name)).collect()];
    }
    let pairs = shape::pairs(row);
    let tests = pairs.iter().map(|(_, test)| test + 1).max().unwrap_or(0);
    (0..tests).map(|test| (0..pairs.len()).filter(|&at| pairs[at].1 == test).collect()).collect()
}

/// Levels of which one lies in the other, or that meet at a third, with that level.
fn meeting(random: &mut Random) -> (&'static str, &'static str, &'static str) {
    let across = [
        ("step", "macro", "token"),
        ("macro", "turn", "token"),
        ("slice", "macro", "token"),
        ("turn.test", "test", "turn.test"),
        ("test", "turn.test", "turn.test"),
    ];
    if random.chance(30) {
        return random.pick(&across);
    }
    let fine = random.pick(&LEVELS);
    let coarse = random.pick(&shape::coarser(fine));
    if random.chance(50) { (fine, coarse, fine) } else { (coarse, fine, fine) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signals_and_constants(seed in any::<u64>()) {
        let data = &dataset(seed);
        for name in LEVELS {
            assert_exact(data, &column(name), &cells_of(data, name), seed);
        }
        let constant = vec![vec![Some(-2.5)]; data.rows.len()];
        assert_exact(data, &value(-2.5), &constant, seed);
        let agents = Data { rows: data.rows.iter().filter(|row| [0, 2].contains(&elements(row, "agent"))).cloned().collect(), ..data.clone() };
        let wanted: Cells = agents.rows.iter().map(|row| (0..elements(row, "agent")).map(|i| Some([0.5, 0.25][i])).collect()).collect();
        assert_exact(&agents, &values("agent", vec![0.5, 0.25]), &wanted, seed);
    }

    #[test]
    fn index_and_count(seed in any::<u64>()) {
        let data = &dataset(seed);
        for fine in LEVELS {
            for coarse in shape::coarser(fine) {
                let owners: Vec<Vec<Option<usize>>> = data.rows.iter().map(|row| shape::owners(row, fine, coarse)).collect();
                let counts: Cells = data.rows.iter().zip(&owners).map(|(row, owners)| {
                    (0..elements(row, coarse)).map(|target| Some(owners.iter().filter(|&&owner| owner == Some(target)).count() as f64)).collect()
                }).collect();
                assert_exact(data, &count_within(level(fine), level(coarse)), &counts, seed);
                let positions: Cells = owners.iter().map(|owners| (0..owners.len()).map(|i| {
                    Some(owners[..i].iter().filter(|&&owner| owner.is_some() && owner == owners[i]).count() as f64)
                }).collect()).collect();
                assert_exact(data, &index_within(level(fine), level(coarse)), &positions, seed);
            }
        }
    }

    #[test]
    fn mask_kind_and_policy(seed in any::<u64>()) {
        let data = &dataset(seed);
        let masks: Truth = data.rows.iter().map(|row| row.mask.clone()).collect();
        assert_exact(data, &mask(), &numbers(&masks), seed);
        for name in LEVELS {
            assert_exact(data, &policy(level(name)), &numbers(&trainable(data, name, &baseline(data, &[]))), seed);
        }
        let kinds = ["think", "user"];
        let steps: Truth = data.rows.iter().map(|row| row.step_kinds.iter().map(|kind| kinds.contains(&kind.as_str())).collect()).collect();
        let turns: Truth = data.rows.iter().zip(&steps).map(|(row, steps)| {
            let turn_of = row.turn_of_steps();
            (0..row.turns()).map(|turn| (0..steps.len()).any(|step| turn_of[step] == turn && steps[step])).collect()
        }).collect();
        assert_exact(data, &kind(STEP, &kinds), &numbers(&steps), seed);
        assert_exact(data, &kind(TURN, &kinds), &numbers(&turns), seed);
    }

    #[test]
    fn progress_over_iterations(seed in any::<u64>(), start in -2.0..2.0f64, length in 0.25..3.0f64) {
        let data = &dataset(seed);
        let wanted: Cells = data.rows.iter().map(|row| {
            vec![Some(((row.iteration as f64 - start) / (start + length - start)).clamp(0.0, 1.0))]
        }).collect();
        assert_cells(data, &progress(start, start + length), &wanted, seed);
    }

    #[test]
    fn operands_meet_and_nulls_spread(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 1);
        let data = &dataset(seed);
        let (a, b, at) = meeting(random);
        let left = lift(data, &cells_of(data, a), a, at);
        let right = lift(data, &cells_of(data, b), b, at);
        let both = |f: fn(f64, f64) -> f64| zip(&left, &right, |a, b| Some(f(a?, b?)));
        let truth = |f: fn(f64, f64) -> bool| zip(&left, &right, |a, b| Some(f64::from(u8::from(f(a?, b?)))));
        assert_exact(data, &(column(a) + column(b)), &both(|a, b| a + b), seed);
        assert_exact(data, &(column(a) - column(b)), &both(|a, b| a - b), seed);
        assert_exact(data, &(column(a) * column(b)), &both(|a, b| a * b), seed);
        assert_exact(data, &(column(a) / (column(b).square() + 1.0)), &both(|a, b| a / (b * b + 1.0)), seed);
        assert_exact(data, &column(a).min(column(b)), &both(f64::min), seed);
        assert_exact(data, &column(a).max(column(b)), &both(f64::max), seed);
        assert_exact(data, &column(a).abs().power(column(b)).min(9.0), &both(|a, b| a.abs().powf(b).min(9.0)), seed);
        assert_exact(data, &column(a).equals(column(b)), &truth(|a, b| a == b), seed);
        assert_exact(data, &column(a).differs(column(b)), &truth(|a, b| a != b), seed);
        assert_exact(data, &column(a).less(column(b)), &truth(|a, b| a < b), seed);
        assert_exact(data, &column(a).at_most(column(b)), &truth(|a, b| a <= b), seed);
        assert_exact(data, &column(a).greater(column(b)), &truth(|a, b| a > b), seed);
        assert_exact(data, &column(a).at_least(column(b)), &truth(|a, b| a >= b), seed);
        let (up, low) = (column(a).greater(0.0), column(b).less(1.0));
        assert_exact(data, &up.clone().and(low.clone()), &truth(|a, b| a > 0.0 && b < 1.0), seed);
        assert_exact(data, &up.clone().or(low).negated(), &truth(|a, b| !(a > 0.0 || b < 1.0)), seed);
        let chosen = zip(&left, &right, |a, b| if a? > 0.0 { b } else { Some(7.0) });
        assert_exact(data, &when(up.clone(), column(b), 7.0), &chosen, seed);
        let filled = zip(&left, &right, |a, b| a.or(b));
        assert_exact(data, &column(a).or_else(column(b)), &filled, seed);
        let emptied = zip(&left, &right, |a, b| if a.is_some_and(|a| a > 0.0) { None } else { b });
        assert_exact(data, &column(b).null_if(up), &emptied, seed);
        let nulls = map(&cells_of(data, a), |x| Some(f64::from(u8::from(x.is_none()))));
        assert_exact(data, &column(a).is_null(), &nulls, seed);
    }

    #[test]
    fn functions(seed in any::<u64>()) {
        let data = &dataset(seed);
        let x = cells_of(data, "token");
        let of = |f: fn(f64) -> f64| map(&x, |x| x.map(f));
        let token = || column("token");
        assert_exact(data, &-token(), &of(|x| -x), seed);
        assert_exact(data, &token().abs(), &of(f64::abs), seed);
        assert_exact(data, &token().sign(), &of(|x| if x == 0.0 { 0.0 } else { x.signum() }), seed);
        assert_cells(data, &token().exp(), &of(f64::exp), seed);
        assert_cells(data, &(token().abs() + 0.5).ln(), &of(|x| (x.abs() + 0.5).ln()), seed);
        assert_cells(data, &token().abs().sqrt(), &of(|x| x.abs().sqrt()), seed);
        assert_exact(data, &token().square(), &of(|x| x * x), seed);
        assert_cells(data, &token().tanh(), &of(f64::tanh), seed);
        assert_cells(data, &token().cos(), &of(f64::cos), seed);
        assert_cells(data, &token().arctan(), &of(f64::atan), seed);
        assert_cells(data, &token().sigmoid(), &of(|x| 1.0 / (1.0 + (-x).exp())), seed);
        assert_cells(data, &token().log_sigmoid(), &of(|x| -(1.0 + (-x).exp()).ln()), seed);
        assert_exact(data, &token().floor(), &of(f64::floor), seed);
        assert_exact(data, &token().ceil(), &of(f64::ceil), seed);
        assert_exact(data, &token().clamp(-0.5, 0.75), &of(|x| x.clamp(-0.5, 0.75)), seed);
    }

    #[test]
    fn text_compares(seed in any::<u64>()) {
        let data = &dataset(seed);
        let agents = other(data, "step", |row| &row.step_agents);
        let states = other(data, "step", |row| &row.step_states);
        let wanted: Cells = agents.iter().map(|row| row.iter().map(|agent| Some(f64::from(u8::from(agent.as_ref()? == "x")))).collect()).collect();
        assert_exact(data, &signal("step_agents").equals(text("x")), &wanted, seed);
        let wanted: Cells = agents.iter().zip(&states).map(|(a, s)| a.iter().zip(s).map(|(a, s)| {
            let chosen = a.as_ref().or(s.as_ref())?;
            Some(f64::from(u8::from(chosen != "x")))
        }).collect()).collect();
        assert_exact(data, &signal("step_agents").or_else(signal("step_states")).differs(text("x")), &wanted, seed);
    }

    #[test]
    fn shift_by_members(seed in any::<u64>(), by in -3i64..4) {
        let random = &mut Random::new(seed ^ 2);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS);
        let (who, members) = some_members(random, data, name, &baseline(data, &[name]));
        let x = cells_of(data, name);
        let coarse = random.pick(&shape::coarser(name));
        let initial = lift(data, &map(&cells_of(data, coarse), |x| Some(x? + 10.0)), coarse, name);
        // The condition may read further columns whose nulls take rollouts out of the baseline.
        prop_assume!(name != "rollout" || who.condition.is_none());
        let expr = column(name).shift(by, Some(column(coarse) + 10.0)).over(who.clone());
        let shifted = |initial: Option<&Cells>| by_sequence(data, name, |cells, truth| {
            naive::shift(&cells(&x), by, initial.map(cells).as_ref(), &truth(&members))
        });
        assert_exact(data, &expr, &shifted(Some(&initial)), seed);
        assert_exact(data, &column(name).shift(by, None).over(who), &shifted(None), seed);
    }

    #[test]
    fn scan_runs(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 3);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS[1..]);
        let (who, members) = some_members(random, data, name, &baseline(data, &[name]));
        let coarse = random.pick(&shape::coarser(name));
        let restarts = lift(data, &map(&cells_of(data, coarse), |x| Some(f64::from(u8::from(x? > 0.75)))), coarse, name);
        for running in [Running::Sum, Running::Mean, Running::Min, Running::Max, Running::Count] {
            let (backward, exclusive, restarting) = (random.chance(50), random.chance(50), random.chance(50));
            let mut expr = column(name).scan(running).over(who.clone());
            if backward { expr = expr.backward(); }
            if exclusive { expr = expr.exclusive(); }
            if restarting { expr = expr.restarting(column(coarse).greater(0.75)); }
            let wanted = by_sequence(data, name, |cells, truth| {
                let restarts = restarting.then(|| cells(&restarts));
                let x = cells(&cells_of(data, name));
                naive::scan(&x, running, backward, exclusive, restarts.as_ref(), &truth(&members))
            });
            assert_cells(data, &expr, &wanted, seed);
        }
    }

    #[test]
    fn recur_passes_on(seed in any::<u64>(), forward: bool, gamma in -1.5..1.5f64) {
        let random = &mut Random::new(seed ^ 4);
        let data = &dataset(seed);
        let name = random.pick(&LEVELS[1..]);
        let (who, members) = some_members(random, data, name, &baseline(data, &[name]));
        let coarse = random.pick(&shape::coarser(name));
        let (factor, factors) = if random.chance(40) {
            (value(gamma), map(&cells_of(data, name), |_| Some(gamma)))
        } else {
            (column(coarse), lift(data, &cells_of(data, coarse), coarse, name))
        };
        let expr = column(name).recur(factor).over(who);
        let expr = if forward { expr.forward() } else { expr };
        let wanted = by_sequence(data, name, |cells, truth| {
            naive::recur(&cells(&cells_of(data, name)), &cells(&factors), forward, &truth(&members))
        });
        assert_cells(data, &expr, &wanted, seed);
    }

    #[test]
    fn reduce_to_coarser(seed in any::<u64>()) {
        use Reduction::*;
        let random = &mut Random::new(seed ^ 5);
        let data = &dataset(seed);
        let fine = random.pick(&LEVELS[1..]);
        let coarse = random.pick(&shape::coarser(fine));
        let (who, members) = some_members(random, data, fine, &baseline(data, &[fine]));
        let weights = map(&lift(data, &cells_of(data, coarse), coarse, fine), |x| Some(x?.abs()));
        for reduction in [Sum, Mean, Min, Max, First, Last, Count] {
            let (weighted, empty) = (random.chance(40), random.chance(40).then_some(-9.0));
            let weighted = weighted && !matches!(reduction, First | Last);
            let mut expr = column(fine).reduce(level(coarse), reduction).over(who.clone());
            if weighted { expr = expr.weighted(column(coarse).abs()); }
            if let Some(empty) = empty { expr = expr.empty(empty); }
            let how = naive::Reduce { fine, coarse, reduction, weights: weighted.then_some(&weights), members: &members, empty };
            assert_cells(data, &expr, &naive::reduce(data, &cells_of(data, fine), &how), seed);
        }
        for reduction in [Any, All] {
            let positive = map(&cells_of(data, fine), |x| Some(f64::from(u8::from(x? > 0.0))));
            let how = naive::Reduce { fine, coarse, reduction, weights: None, members: &members, empty: None };
            let expr = column(fine).greater(0.0).reduce(level(coarse), reduction).over(who.clone());
            assert_exact(data, &expr, &naive::reduce(data, &positive, &how), seed);
        }
    }

    #[test]
    fn spread_to_finer(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 6);
        let data = &dataset(seed);
        let fine = random.pick(&LEVELS[1..]);
        let coarse = random.pick(&shape::coarser(fine));
        let (who, members) = some_members(random, data, fine, &baseline(data, &[fine]));
        let x = cells_of(data, coarse);
        assert_exact(data, &column(coarse).spread(level(fine)), &lift(data, &x, coarse, fine), seed);
        let first = naive::spread_to_edge(data, &x, coarse, fine, false, &members);
        assert_exact(data, &column(coarse).at_first(level(fine)).over(who.clone()), &first, seed);
        let last = naive::spread_to_edge(data, &x, coarse, fine, true, &members);
        assert_exact(data, &column(coarse).at_last(level(fine)).over(who), &last, seed);
        let ones: Cells = data.rows.iter().map(|row| vec![Some(3.0); elements(row, fine)]).collect();
        assert_exact(data, &value(3.0).spread(level(fine)), &ones, seed);
    }

    #[test]
    fn place_by_index(seed in any::<u64>()) {
        use Reduction::*;
        let data = &dataset(seed);
        let spots = other(data, "agent", |row| &row.agent_spots);
        let spots: Cells = spots.iter().map(|row| row.iter().map(|x| x.map(|x| x as f64)).collect()).collect();
        let turns: Cells = data.rows.iter().map(|row| (0..row.turns()).map(|turn| Some((row.turns() - 1 - turn) as f64)).collect()).collect();
        for reduction in [Sum, Mean, Min, Max, First, Last, Count] {
            let expr = column("agent").place(STEP, signal("agent_spots"), reduction);
            assert_cells(data, &expr, &naive::place(data, &cells_of(data, "agent"), &spots, "step", reduction), seed);
            let expr = column("turn").place(TURN, count(TURN) - value(1.0).floor() - index(TURN), reduction);
            assert_cells(data, &expr, &naive::place(data, &cells_of(data, "turn"), &turns, "turn", reduction), seed);
        }
    }

    #[test]
    fn fetch_items_and_rollouts(seed in any::<u64>()) {
        let data = &dataset(seed);
        let (ids, keys) = (other(data, "agent", |row| &row.agent_ids), other(data, "step", |row| &row.step_agents));
        let scores = cells_of(data, "agent");
        let wanted: Cells = keys.iter().enumerate().map(|(row, keys)| keys.iter().map(|key| {
            let at = ids[row].iter().position(|id| id.is_some() && id == key)?;
            scores[row][at]
        }).collect()).collect();
        assert_exact(data, &fetch(column("agent"), signal("agent_ids"), signal("step_agents")), &wanted, seed);
        let wanted: Cells = data.rows.iter().enumerate().map(|(row, rollout)| {
            let found = (0..data.rows.len()).find(|&other| data.same_group(row, other) && Some(&data.rows[other].id) == rollout.parent.as_ref());
            vec![found.and_then(|found| data.rows[found].reward)]
        }).collect();
        assert_exact(data, &fetch(signal("reward"), signal("rollout_id"), signal("parent")), &wanted, seed);
    }

    #[test]
    fn send_to_parents(seed in any::<u64>()) {
        use Reduction::*;
        let data = &dataset(seed);
        let children = |parent: usize| {
            (0..data.rows.len()).filter(move |&row| data.same_group(row, parent) && data.rows[row].parent.as_ref() == Some(&data.rows[parent].id))
        };
        for reduction in [Sum, Mean, Min, Max, First, Last, Count] {
            let wanted: Cells = (0..data.rows.len()).map(|row| {
                let values: Vec<(f64, f64)> = children(row).filter_map(|child| Some((data.rows[child].reward?, 1.0))).collect();
                vec![naive::reduced(&values, reduction)]
            }).collect();
            assert_cells(data, &send(signal("reward"), signal("parent"), None, reduction), &wanted, seed);
            let wanted: Cells = (0..data.rows.len()).map(|row| (0..data.rows[row].tokens()).map(|token| {
                let values: Vec<(f64, f64)> = children(row)
                    .filter(|&child| data.rows[child].split == Some(token as i64))
                    .filter_map(|child| Some((data.rows[child].reward?, 1.0)))
                    .collect();
                naive::reduced(&values, reduction)
            }).collect()).collect();
            let expr = send(signal("reward"), signal("parent"), Some(signal("split")), reduction);
            assert_cells(data, &expr, &wanted, seed);
        }
    }

    #[test]
    fn names_stand_for_their_expressions(seed in any::<u64>()) {
        let data = &dataset(seed);
        let shaped = || column("step") * 2.0 - column("turn").or_else(0.0);
        let program = Credit::new()
            .define("shaped", shaped())
            .define("total", signal("shaped").reduce(ROLLOUT, Reduction::Sum))
            .advantage(signal("shaped") - mean(signal("total"), group()));
        let (unit, evaluated) = run(data, &program, seed).unwrap();
        let written_out = shaped() - mean(shaped().reduce(ROLLOUT, Reduction::Sum), group());
        prop_assert_eq!(cells(&unit, evaluated.signal("advantage").unwrap()), value_of(data, &written_out, seed).unwrap());
        prop_assert_eq!(cells(&unit, evaluated.signal("shaped").unwrap()), value_of(data, &shaped(), seed).unwrap());
    }
}
