//! Random expressions: what the checker lets through evaluates to the type it said, and obeys the laws.

use arrow::array::RecordBatch;
use meed_operators::credit::*;
use proptest::prelude::*;

use crate::arrays::batch;
use crate::generator::{Random, dataset};
use crate::program::{checked, statistics};
use crate::shape::{LEVELS, level};

const SIGNALS: [&str; 18] = [
    "reward",
    "cost",
    "seed",
    "label",
    "parent",
    "split",
    "token_scores",
    "token_marks",
    "step_rewards",
    "step_states",
    "step_agents",
    "turn_scores",
    "turn_test_passed",
    "test_weights",
    "macro_scores",
    "slice_scores",
    "agent_scores",
    "agent_ids",
];

fn leaf(random: &mut Random) -> Expr {
    match random.below(13) {
        0 => value(random.number()),
        1 => text("x"),
        2 => mask(),
        3 => policy(level(random.pick(&LEVELS))),
        4 => kind(random.pick(&[STEP, TURN, ROLLOUT]), &["policy", "user"]),
        5 => index(level(random.pick(&LEVELS))),
        6 => count_within(level(random.pick(&LEVELS)), random.pick(&[ROLLOUT, TURN, STEP])),
        7 => signal("agent_spots"),
        8 => meed_operators::credit::random(level(random.pick(&LEVELS)), 5),
        _ => signal(random.pick(&SIGNALS)),
    }
}

fn members_of(random: &mut Random, depth: usize) -> Members {
    let who = if random.chance(50) { all() } else { meed_operators::credit::trainable() };
    if random.chance(25) { who.only(expression(random, depth)) } else { who }
}

fn by(random: &mut Random, depth: usize) -> By {
    let mut by = By {
        scope: random.pick(&[
            Scope::Rollout,
            Scope::Group,
            Scope::Group,
            Scope::Batch,
            Scope::History(Window { own: true, last: None }),
            Scope::History(Window { own: false, last: Some(2) }),
        ]),
        keys: Vec::new(),
    };
    for _ in 0..random.below(2) {
        by = by.and(expression(random, depth));
    }
    by
}

/// Mostly badly typed; the checker sorts them out.
fn expression(random: &mut Random, depth: usize) -> Expr {
    use Reduction::*;
    if depth == 0 || random.chance(15) {
        return leaf(random);
    }
    let reductions = [Sum, Mean, Min, Max, First, Last, Count, Any, All];
    let statistics = [
        Statistic::Sum,
        Statistic::Count,
        Statistic::Mean,
        Statistic::Min,
        Statistic::Variance { ddof: 1 },
        Statistic::Median,
        Statistic::Distinct,
        Statistic::UpperPart,
    ];
    let depth = depth - 1;
    let x = expression(random, depth);
    match random.below(22) {
        0 => x + expression(random, depth),
        1 => x * expression(random, depth),
        2 => x.min(expression(random, depth)),
        3 => x.less(expression(random, depth)),
        4 => x.equals(expression(random, depth)),
        5 => x.and(expression(random, depth)),
        6 => when(x, expression(random, depth), expression(random, depth)),
        7 => x.or_else(expression(random, depth)),
        8 => x.null_if(expression(random, depth)),
        9 => x.is_null(),
        10 => random.pick(&[
            -x.clone(),
            x.clone().abs(),
            x.clone().sign(),
            x.clone().floor(),
            x.clone().tanh(),
            x.negated(),
        ]),
        11 => {
            let initial = random.chance(50).then(|| expression(random, depth));
            x.shift(random.below(5) as i64 - 2, initial).over(members_of(random, depth))
        }
        12 => {
            let scan = x
                .scan(random.pick(&[Running::Sum, Running::Mean, Running::Min, Running::Count]))
                .over(members_of(random, depth));
            if random.chance(50) { scan.backward() } else { scan.exclusive() }
        }
        13 => x.recur(expression(random, depth)).over(members_of(random, depth)),
        14 | 15 => {
            let reduced = x
                .reduce(level(random.pick(&LEVELS)), random.pick(&reductions))
                .over(members_of(random, depth));
            let reduced = if random.chance(25) { reduced.empty(1.0) } else { reduced };
            if random.chance(25) { reduced.weighted(expression(random, depth)) } else { reduced }
        }
        16 => x.spread(level(random.pick(&LEVELS))),
        17 => x.at_last(level(random.pick(&LEVELS))).over(members_of(random, depth)),
        18 => {
            let place = expression(random, depth);
            x.place(random.pick(&[STEP, TOKEN, TURN]), place, random.pick(&reductions))
        }
        19 | 20 => {
            let mut statistic =
                aggregate(random.pick(&statistics), x, by(random, depth)).over(members_of(random, depth));
            if random.chance(20) {
                statistic = statistic.of_others();
            }
            if random.chance(20) {
                statistic = statistic.once_per(expression(random, depth));
            }
            if random.chance(20) {
                statistic = statistic.weighted(expression(random, depth));
            }
            statistic
        }
        _ => match random.below(3) {
            0 => rank(x, by(random, depth), true).over(members_of(random, depth)),
            1 => fetch(x, expression(random, depth), expression(random, depth)),
            _ => {
                let at = random.chance(30).then(|| signal("split"));
                send(x, signal("parent"), at, random.pick(&reductions))
            }
        },
    }
}

/// The bits of the named signals, or the error's text.
fn result(credit: &Credit, batch: RecordBatch, known: Option<&BatchStatistics>) -> Result<String, String> {
    let checked = checked(credit, &batch).map_err(|error| error.to_string())?;
    let evaluate = || {
        let unit = Unit::new(batch)?;
        let own = match known {
            Some(known) => known.clone(),
            None => statistics(&checked, &[&unit])?,
        };
        evaluate(&checked, &unit, &own)
    };
    let evaluated = evaluate().map_err(|error| error.to_string())?;
    for (name, column) in &evaluated.signals {
        let kind = &checked.types[name];
        let fits = match (&column.values, kind.value) {
            (Values::Number(values), ValueType::Integer) => (0..values.len())
                .all(|i| !column.is_valid(i) || values[i].fract() == 0.0 || !values[i].is_finite()),
            (Values::Number(_), ValueType::Number)
            | (Values::Boolean(_), ValueType::Boolean | ValueType::Number)
            | (Values::Text(_), ValueType::Text) => true,
            _ => false,
        };
        assert!(fits && column.level == kind.level, "{credit}: {kind:?}, but {column:?}");
    }
    let bits = evaluated.signals.iter().map(|(_, column)| match &column.values {
        Values::Number(values) => (0..values.len())
            .map(|i| if column.is_valid(i) { format!("{:x} ", values[i].to_bits()) } else { "null ".into() })
            .collect::<String>(),
        Values::Boolean(values) => {
            (0..values.len()).map(|i| format!("{:?} ", column.is_valid(i).then_some(values[i]))).collect()
        }
        Values::Text(values) => {
            (0..column.len()).map(|i| format!("{:?} ", column.is_valid(i).then(|| values.value(i)))).collect()
        }
    });
    Ok(format!("{:?} {:?}", bits.collect::<Vec<String>>(), evaluated.reasons))
}

fn law(seed: u64) -> bool {
    let random = &mut Random::new(seed);
    let data = dataset(seed ^ 77);
    let straight: Vec<usize> = (0..data.rows.len()).collect();
    let whole = batch(&data, &straight);
    let fitting = (0..400).find_map(|_| {
        let credit = Credit::new().define("a", expression(random, 4)).define("b", expression(random, 2));
        checked(&credit, &whole).ok().map(|checked| (credit, checked))
    });
    let Some((credit, checked)) = fitting else {
        return false;
    };
    let reference = result(&credit, whole.clone(), None);
    assert_eq!(
        reference,
        result(&credit, batch(&data, &random.shuffled(straight.len())), None),
        "order: {credit}"
    );
    let indices: Vec<usize> =
        checked.columns.iter().map(|name| whole.schema().index_of(name).unwrap()).collect();
    assert_eq!(reference, result(&credit, whole.project(&indices).unwrap(), None), "honesty: {credit}");
    if checked.passes() > 0 && reference.is_ok() {
        let units: Vec<Unit> =
            data.groups().iter().rev().map(|group| Unit::new(batch(&data, group)).unwrap()).collect();
        let known = statistics(&checked, &units.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(reference, result(&credit, whole, Some(&known)), "slices: {credit}");
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn well_typed_expressions_obey(seed in any::<u64>()) {
        prop_assume!(law(seed));
    }
}
