//! Derived expressions against their direct formulas.

use std::collections::HashMap;

use meed_operators::credit::*;
use proptest::prelude::*;

use crate::data::Data;
use crate::generator::{Random, dataset};
use crate::program::assert_near as assert_cells;
use crate::shape::{Cells, Truth, baseline, cells_of, column, elements, level, lift, trainable};

/// One value of a signal, where it belongs.
#[derive(Clone)]
struct Item {
    row: usize,
    at: usize,
    key: Option<String>,
    x: Option<f64>,
    /// Whether it is a member at its own level, and how many members it stands for.
    member: bool,
    count: usize,
    weight: Option<f64>,
}

/// The items of a level with the key (scope, then seed where keyed) of each.
fn items(
    data: &Data,
    name: &str,
    scope: Scope,
    keyed: bool,
    counted_at: Option<&str>,
    reads: &[&str],
) -> Vec<Item> {
    let in_baseline = baseline(data, reads);
    let members = trainable(data, name, &in_baseline);
    let x = cells_of(data, name);
    let fine = counted_at.map(|fine| {
        (
            trainable(data, fine, &in_baseline),
            data.rows.iter().map(|row| crate::shape::owners(row, fine, name)).collect::<Vec<_>>(),
        )
    });
    let mut items = Vec::new();
    for (row, rollout) in data.rows.iter().enumerate() {
        let group = if scope == Scope::Batch { "" } else { &rollout.group };
        let key = Some(format!("{} {group}", rollout.iteration));
        let key = if keyed { key.and_then(|key| Some(format!("{key} {}", rollout.seed?))) } else { key };
        for at in 0..elements(rollout, name) {
            let counts = match &fine {
                None => usize::from(members[row][at]),
                Some((members, owners)) => {
                    (0..owners[row].len()).filter(|&i| members[row][i] && owners[row][i] == Some(at)).count()
                }
            };
            let count = if in_baseline[row] && x[row][at].is_some() { counts } else { 0 };
            let member = in_baseline[row] && x[row][at].is_some() && members[row][at];
            items.push(Item {
                member,
                row,
                at,
                key: key.clone(),
                x: x[row][at],
                count,
                weight: rollout.cost.map(f64::abs),
            });
        }
    }
    items
}

/// Taken from the first value, so that equal values have exactly that mean.
fn mean_of(values: &[f64]) -> Option<f64> {
    let first = *values.first()?;
    Some(first + values.iter().map(|x| x - first).sum::<f64>() / values.len() as f64)
}

fn variance_of(values: &[f64], ddof: u8) -> Option<f64> {
    let degrees = values.len() as f64 - f64::from(ddof);
    let mean = mean_of(values)?;
    (degrees > 0.0).then(|| values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / degrees)
}

/// Values of the members of a class, each as often as it counts.
fn repeated(class: &[&Item], value: impl Fn(&Item) -> Option<f64>) -> Vec<f64> {
    class.iter().flat_map(|item| std::iter::repeat_n(value(item), item.count)).flatten().collect()
}

fn normalized(items: &[Item], norm: &Norm, scope: Scope) -> Vec<Option<f64>> {
    let mut classes: HashMap<&str, Vec<&Item>> = HashMap::new();
    items.iter().for_each(|item| {
        if let Some(key) = &item.key {
            classes.entry(key).or_default().push(item)
        }
    });
    let class = |item: &Item| item.key.as_deref().map(|key| classes[key].as_slice());
    let others = |item: &Item| -> Option<Vec<f64>> {
        let rest: Vec<&Item> = class(item)?
            .iter()
            .copied()
            .filter(|other| (other.row, other.at) != (item.row, item.at))
            .collect();
        Some(repeated(&rest, |item| item.x))
    };
    let all = |item: &Item| Some(repeated(class(item)?, |item| item.x));
    let center = |item: &Item| match &norm.center {
        Center::None => Some(0.0),
        Center::Mean(_) => mean_of(&all(item)?),
        Center::LeaveOneOut(_) if scope == Scope::Batch => {
            let all = all(item)?;
            Some((all.iter().sum::<f64>() - item.x?) / (all.len() as f64 - 1.0).max(1.0))
        }
        Center::LeaveOneOut(_) => mean_of(&others(item)?),
        Center::Weighted(..) => {
            let members = class(item)?.iter().filter(|item| item.count > 0);
            let (total, weight) = members.fold((0.0, 0.0), |(total, weight), item| {
                (total + item.x.unwrap() * item.weight.unwrap(), weight + item.weight.unwrap())
            });
            (weight != 0.0).then(|| total / weight)
        }
        Center::Given(_) => Some(0.25),
    };
    let centered = |item: &Item| Some(item.x? - center(item)?);
    let deviation = |variance: f64| (variance.max(norm.variance_floor) + norm.variance_eps).sqrt();
    let scale = |item: &Item| match &norm.scale {
        Scale::None => None,
        Scale::Std(_) => variance_of(&all(item)?, norm.ddof).map(deviation),
        Scale::LeaveOneOutStd(_) => variance_of(&others(item)?, norm.ddof).map(deviation),
        Scale::StdOfCentered(_) => variance_of(&repeated(class(item)?, centered), norm.ddof).map(deviation),
        Scale::StdAboutCenter(_) => {
            let values = repeated(class(item)?, centered);
            let degrees = values.len() as f64 - f64::from(norm.ddof);
            (degrees > 0.0).then(|| deviation(values.iter().map(|x| x * x).sum::<f64>() / degrees))
        }
        Scale::Mean(_) => mean_of(&all(item)?),
        Scale::Given(_) => Some(2.0),
    };
    items
        .iter()
        .map(|item| {
            let scaled = || {
                let centered = centered(item)?;
                if norm.scale == Scale::None {
                    return Some(centered);
                }
                let scale = scale(item);
                match norm.zero_std {
                    ZeroStd::Divide => Some(centered / (scale? + norm.eps)),
                    ZeroStd::Skip => Some(if scale.unwrap_or(0.0) == 0.0 {
                        centered
                    } else {
                        centered / (scale? + norm.eps)
                    }),
                    ZeroStd::ZeroBelow(bound) => {
                        Some(if scale.unwrap_or(0.0) <= bound { 0.0 } else { centered / (scale? + norm.eps) })
                    }
                }
            };
            if norm.singleton == Singleton::Formula {
                return scaled();
            }
            // Singletons count values of the signal itself, not the finer ones.
            let alone = class(item)?.iter().filter(|item| item.member).count() == 1;
            match norm.singleton {
                _ if !alone => scaled(),
                Singleton::Zero => Some(item.x? * 0.0),
                Singleton::Raw => item.x,
                Singleton::RawOverOnePlusEps => Some(item.x? / (1.0 + norm.eps)),
                Singleton::Null | Singleton::Formula => None,
            }
        })
        .collect()
}

fn some_norm(random: &mut Random, by: By, scope: Scope, counted: bool) -> Norm {
    let alike = scope != Scope::Batch && !counted;
    let mut centers = vec![Center::None, Center::Mean(by.clone()), Center::Given(value(0.25))];
    let mut scales = vec![
        Scale::None,
        Scale::Std(by.clone()),
        Scale::StdOfCentered(by.clone()),
        Scale::StdAboutCenter(by.clone()),
        Scale::Mean(by.clone()),
        Scale::Given(value(2.0)),
    ];
    if !counted {
        centers.extend([Center::LeaveOneOut(by.clone()), Center::Weighted(by.clone(), signal("cost").abs())]);
    }
    if alike {
        scales.push(Scale::LeaveOneOutStd(by.clone()));
    }
    Norm {
        center: random.pick(&centers),
        scale: random.pick(&scales),
        ddof: random.below(2) as u8,
        variance_eps: random.pick(&[0.0, 1e-3]),
        variance_floor: random.pick(&[0.0, 0.5]),
        eps: random.pick(&[1e-6, 0.5]),
        zero_std: random.pick(&[ZeroStd::Divide, ZeroStd::Skip, ZeroStd::ZeroBelow(0.3)]),
        singleton: random.pick(&[
            Singleton::Zero,
            Singleton::Raw,
            Singleton::RawOverOnePlusEps,
            Singleton::Null,
            Singleton::Formula,
        ]),
        singleton_by: Some(by),
        counted_at: counted.then_some(TOKEN),
        once_per: None,
    }
}

/// Where each item's result goes.
fn placed(data: &Data, name: &str, items: &[Item], results: &[Option<f64>]) -> Cells {
    let mut cells: Cells = data.rows.iter().map(|row| vec![None; elements(row, name)]).collect();
    items.iter().zip(results).for_each(|(item, result)| cells[item.row][item.at] = *result);
    cells
}

/// Members in order per rollout.
fn orders(members: &Truth) -> Vec<Vec<usize>> {
    members.iter().map(|row| (0..row.len()).filter(|&i| row[i]).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalize_in_every_convention(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 21);
        let data = &dataset(seed);
        for _ in 0..4 {
            let scope = random.pick(&[Scope::Group, Scope::Batch]);
            let keyed = random.chance(40);
            let by = By { scope, keys: if keyed { vec![signal("seed")] } else { Vec::new() } };
            let counted = random.chance(30);
            let name = if counted { random.pick(&["rollout", "step"]) } else { random.pick(&["rollout", "step", "turn", "token"]) };
            let norm = some_norm(random, by, scope, counted);
            let mut reads = vec![name];
            let mut data = data.clone();
            if matches!(norm.center, Center::Weighted(..)) {
                data.rows.iter_mut().for_each(|row| row.cost = row.cost.or(Some(0.5)));
            }
            reads.truncate(1);
            let items = items(&data, name, scope, keyed, counted.then_some("token"), &reads);
            let wanted = placed(&data, name, &items, &normalized(&items, &norm, scope));
            // A mean that happens to be 0 is no scale of 0 by both ways of adding.
            if wanted.iter().flatten().flatten().any(|x| !x.is_finite() || x.abs() > 1e9) {
                continue;
            }
            assert_cells(&data, &normalize(column(name), &norm), &wanted, seed);
        }
    }

    #[test]
    fn leave_one_out_and_whiten(seed in any::<u64>()) {
        let data = &dataset(seed);
        let members = items(data, "rollout", Scope::Group, false, None, &["rollout"]);
        let norm = Norm { center: Center::LeaveOneOut(group()), scale: Scale::None, singleton: Singleton::Formula, ..Norm::group_std(0.0) };
        let wanted = placed(data, "rollout", &members, &normalized(&members, &norm, Scope::Group));
        assert_cells(data, &(signal("reward") - leave_one_out(signal("reward"), group())), &wanted, seed);
        let members = items(data, "token", Scope::Batch, false, None, &["token"]);
        let wanted = placed(data, "token", &members, &normalized(&members, &Norm::whitening(1e-8), Scope::Batch));
        assert_cells(data, &whiten(column("token"), 1e-8), &wanted, seed);
    }

    #[test]
    fn soft_weights_and_ranges(seed in any::<u64>()) {
        let random = &mut Random::new(seed ^ 22);
        let data = &dataset(seed);
        let name = random.pick(&["rollout", "step", "token"]);
        let scope = random.pick(&[Scope::Group, Scope::Batch]);
        let by = By { scope, keys: Vec::new() };
        let items = items(data, name, scope, false, None, &[name]);
        let class = |item: &Item| -> Vec<f64> { items.iter().filter(|other| other.key == item.key && other.count > 0).map(|item| item.x.unwrap()).collect() };
        let each = |f: &dyn Fn(f64, &[f64]) -> Option<f64>| {
            let results: Vec<Option<f64>> = items.iter().map(|item| f(item.x?, &class(item))).collect();
            placed(data, name, &items, &results)
        };
        let soft = |sign: f64| each(&|x, all| (!all.is_empty()).then(|| (sign * x).exp() / all.iter().map(|x| (sign * x).exp()).sum::<f64>()));
        assert_cells(data, &softmax(column(name), by.clone()), &soft(1.0), seed);
        assert_cells(data, &softmin(column(name), by.clone()), &soft(-1.0), seed);
        let ranged = each(&|x, all| {
            let (low, high) = (all.iter().copied().reduce(f64::min)?, all.iter().copied().reduce(f64::max)?);
            Some(if high == low { 0.0 } else { (x - low) / (high - low) })
        });
        assert_cells(data, &min_max(column(name), by), &ranged, seed);
    }

    #[test]
    fn top_keeps_the_greatest(seed in any::<u64>(), fraction in 0.0..1.0f64) {
        let data = &dataset(seed);
        let items = items(data, "rollout", Scope::Group, false, None, &["rollout"]);
        let results: Vec<Option<f64>> = items.iter().map(|item| {
            let class: Vec<&Item> = items.iter().filter(|other| other.key == item.key && other.count > 0).collect();
            let keep = (class.len() as f64 * fraction).floor() as usize;
            let better = class.iter().filter(|other| other.x > item.x || (other.x == item.x && other.row < item.row)).count();
            (item.count > 0).then(|| f64::from(u8::from(better < keep)))
        }).collect();
        assert_cells(data, &top(signal("reward"), fraction, group()), &placed(data, "rollout", &items, &results), seed);
    }

    #[test]
    fn along_the_rollout(seed in any::<u64>(), gamma in 0.0..1.0f64, lambda in 0.0..1.0f64) {
        let random = &mut Random::new(seed ^ 23);
        let data = &dataset(seed);
        let name = random.pick(&["turn", "step", "token", "macro"]);
        let x = cells_of(data, name);
        let members = trainable(data, name, &baseline(data, &[name]));
        let empty: Cells = x.iter().map(|row| vec![None; row.len()]).collect();
        let (mut returns, mut least, mut differences) = (empty.clone(), empty.clone(), empty.clone());
        for (row, order) in orders(&members).into_iter().enumerate() {
            let known: Vec<usize> = order.iter().copied().filter(|&i| x[row][i].is_some()).collect();
            for (k, &i) in known.iter().enumerate() {
                returns[row][i] = Some(known[k..].iter().enumerate().map(|(n, &i)| gamma.powi(n as i32) * x[row][i].unwrap()).sum());
            }
            for i in 0..x[row].len() {
                least[row][i] = known.iter().filter(|&&at| at >= i).map(|&at| x[row][at].unwrap()).reduce(f64::min);
            }
            for (k, &i) in order.iter().enumerate() {
                let before = if k == 0 { Some(1.5) } else { x[row][order[k - 1]] };
                differences[row][i] = x[row][i].and_then(|x| Some(x - before?));
            }
        }
        assert_cells(data, &return_to_go(column(name), gamma), &returns, seed);
        assert_cells(data, &min_to_go(column(name)), &least, seed);
        assert_cells(data, &difference(column(name), Some(value(1.5))), &differences, seed);
        let coarse = random.pick(&crate::shape::coarser(name));
        let values = lift(data, &cells_of(data, coarse), coarse, name);
        let mut advantages = empty;
        for (row, order) in orders(&members).into_iter().enumerate() {
            let delta: Vec<Option<f64>> = order.iter().enumerate().map(|(k, &i)| {
                let next = if k + 1 == order.len() { 0.0 } else { values[row][order[k + 1]]? };
                Some(x[row][i]? + gamma * next - values[row][i]?)
            }).collect();
            for k in (0..order.len()).filter(|&k| delta[k].is_some()) {
                let later = delta[k..].iter().flatten().enumerate();
                advantages[row][order[k]] = Some(later.map(|(n, delta)| (gamma * lambda).powi(n as i32) * delta).sum());
            }
        }
        let expr = gae(column(name), column(coarse).spread(level(name)), gamma, lambda, meed_operators::credit::trainable());
        assert_cells(data, &expr, &advantages, seed);
    }
}
