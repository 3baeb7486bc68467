//! Any expression and any program, well typed or not, with names and numbers of every kind.

use meed_operators::credit::*;

use crate::generator::Random;

const NAMES: [&str; 30] = [
    "reward",
    "token_scores",
    "x",
    "by",
    "where",
    "weights",
    "to",
    "at",
    "first",
    "forward",
    "mean",
    "min",
    "count",
    "mask",
    "within",
    "of",
    "over",
    "none",
    "_",
    "é",
    "and",
    "or",
    "inf",
    "NaN",
    "1x",
    "a b",
    "a-b",
    "",
    "a`\\\"\n",
    "\u{301}\0",
];

fn name(random: &mut Random) -> String {
    let names = if random.chance(70) { &NAMES[..8] } else { &NAMES[..] };
    random.pick(names).to_owned()
}

fn level(random: &mut Random) -> Level {
    match random.below(8) {
        0 => Level::pair(&TURN, "test"),
        1 => Level::named(name(random)),
        _ => random.pick(&[ROLLOUT, TURN, STEP, TOKEN]),
    }
}

fn number(random: &mut Random) -> f64 {
    match random.below(6) {
        0 => random.pick(&[0.0, -0.0, 1e-6, 1e300, -1e-300, f64::MIN_POSITIVE, f64::MAX]),
        1 => random.pick(&[f64::INFINITY, f64::NEG_INFINITY, f64::NAN]),
        2 => f64::from_bits(random.next()),
        _ => random.number(),
    }
}

fn numbers(random: &mut Random) -> Vec<f64> {
    (0..random.below(4)).map(|_| number(random)).collect()
}

fn function(random: &mut Random) -> Function {
    use Function::*;
    random.pick(&[
        Negate, Negate, Absolute, Sign, Exp, Log, Sqrt, Square, Tanh, Cosine, Arctangent, Sigmoid,
        LogSigmoid, Floor, Ceil, Not,
    ])
}

fn operator(random: &mut Random) -> Operator {
    use Operator::*;
    random.pick(&[
        Add, Subtract, Multiply, Divide, Power, Power, Minimum, Maximum, Equals, Differs, Less, AtMost,
        Greater, AtLeast, And, Or,
    ])
}

fn running(random: &mut Random) -> Running {
    random.pick(&[Running::Sum, Running::Mean, Running::Min, Running::Max, Running::Count])
}

fn reduction(random: &mut Random) -> Reduction {
    use Reduction::*;
    random.pick(&[Sum, Mean, Min, Max, First, Last, Count, Any, All])
}

fn statistic(random: &mut Random) -> Statistic {
    let quantile = Statistic::Quantile(number(random));
    let variance = Statistic::Variance { ddof: random.below(256) as u8 };
    use Statistic::*;
    random.pick(&[Sum, Count, Mean, Min, Max, variance, UpperPart, MedianLower, Median, quantile, Distinct])
}

fn by(random: &mut Random, depth: usize) -> By {
    let last = random.chance(50).then(|| random.next() as u32);
    let history = Scope::History(Window { own: random.chance(50), last });
    let scope = random.pick(&[Scope::Rollout, Scope::Group, Scope::Batch, history]);
    By { scope, keys: (0..random.below(3)).map(|_| expression(random, depth)).collect() }
}

fn members(random: &mut Random, depth: usize) -> Members {
    Members { all: random.chance(50), condition: perhaps(random, depth) }
}

fn perhaps(random: &mut Random, depth: usize) -> Option<Expr> {
    random.chance(30).then(|| expression(random, depth))
}

fn leaf(random: &mut Random) -> Node {
    match random.below(11) {
        0 => Node::Signal { name: name(random) },
        1 | 2 => Node::Value { value: number(random) },
        3 => Node::Text { text: name(random) },
        4 => Node::Values { level: level(random), values: numbers(random) },
        5 => Node::Index { level: level(random), within: level(random) },
        6 => Node::Count { level: level(random), within: level(random) },
        7 => Node::Mask,
        8 => Node::Policy { level: level(random) },
        9 => Node::Kind { level: level(random), kinds: (0..random.below(3)).map(|_| name(random)).collect() },
        _ => match random.chance(50) {
            true => Node::Progress { start: number(random), end: number(random) },
            false => Node::Random { level: level(random), seed: random.next() },
        },
    }
}

/// Every primitive, with operands of any type.
pub fn expression(random: &mut Random, depth: usize) -> Expr {
    if depth == 0 || random.chance(20) {
        return leaf(random).into();
    }
    let depth = depth - 1;
    let x = expression(random, depth);
    let node = match random.below(20) {
        0 => Node::IfPresent { x, otherwise: expression(random, depth) },
        1..=3 => Node::Apply { function: function(random), x },
        4..=7 => Node::Combine { operator: operator(random), a: x, b: expression(random, depth) },
        8 => {
            Node::When { condition: x, then: expression(random, depth), otherwise: expression(random, depth) }
        }
        9 => match random.below(3) {
            0 => Node::OrElse { x, otherwise: expression(random, depth) },
            1 => Node::NullIf { x, condition: expression(random, depth) },
            _ => Node::IsNull { x },
        },
        10 => Node::Shift {
            x,
            by: random.next() as i64 >> random.below(64),
            initial: perhaps(random, depth),
            members: members(random, depth),
        },
        11 => Node::Scan {
            x,
            running: running(random),
            backward: random.chance(50),
            exclusive: random.chance(50),
            restart: perhaps(random, depth),
            members: members(random, depth),
        },
        12 => Node::Recur {
            x,
            coefficient: expression(random, depth),
            forward: random.chance(50),
            members: members(random, depth),
        },
        13 => Node::Reduce {
            x,
            level: level(random),
            reduction: reduction(random),
            weights: perhaps(random, depth),
            members: members(random, depth),
            empty: random.chance(30).then(|| number(random)),
        },
        14 => Node::Spread {
            x,
            level: level(random),
            position: random.pick(&[Position::All, Position::First, Position::Last]),
            members: members(random, depth),
        },
        15 => Node::Place {
            x,
            level: level(random),
            position: expression(random, depth),
            reduction: reduction(random),
        },
        16 | 17 => Node::Aggregate {
            x,
            statistic: statistic(random),
            by: by(random, depth),
            members: members(random, depth),
            weights: perhaps(random, depth),
            once_per: perhaps(random, depth),
            others: random.chance(30),
        },
        18 => Node::Rank {
            x,
            by: by(random, depth),
            ascending: random.chance(50),
            members: members(random, depth),
        },
        _ => match random.chance(50) {
            true => Node::Fetch { x, ids: expression(random, depth), key: expression(random, depth) },
            false => Node::Send {
                x,
                to: expression(random, depth),
                position: perhaps(random, depth),
                reduction: reduction(random),
            },
        },
    };
    node.into()
}

/// A few named expressions.
pub fn program(random: &mut Random) -> Credit {
    let mut credit = Credit::new();
    for _ in 0..1 + random.below(4) {
        credit = credit.define(name(random), expression(random, 3));
    }
    credit
}
