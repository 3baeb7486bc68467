//! Elementwise functions and operators on flat columns; null where an operand is null.

use crate::credit::column::{Column, Values};
use crate::credit::expression::{Function, Operator};
use crate::credit::level::Level;

pub(super) fn apply(function: Function, x: &Column) -> Column {
    if function == Function::Not {
        let values = x.as_booleans().iter().map(|&x| !x).collect();
        return Column { level: x.level.clone(), values: Values::Boolean(values), valid: x.valid.clone() };
    }
    let f: fn(f64) -> f64 = match function {
        Function::Negate => |x| -x,
        Function::Absolute => f64::abs,
        Function::Sign => |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else if x.is_nan() {
                x
            } else {
                0.0
            }
        },
        Function::Exp => f64::exp,
        Function::Log => f64::ln,
        Function::Sqrt => f64::sqrt,
        Function::Square => |x| x * x,
        Function::Tanh => f64::tanh,
        Function::Cosine => f64::cos,
        Function::Arctangent => f64::atan,
        Function::Sigmoid => |x| {
            if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
        },
        Function::LogSigmoid => |x| x.min(0.0) - (-x.abs()).exp().ln_1p(),
        Function::Floor => f64::floor,
        Function::Ceil => f64::ceil,
        Function::Not => |x| x,
    };
    let values = numbers(x).iter().map(|&x| f(x)).collect();
    Column { level: x.level.clone(), values: Values::Number(values), valid: x.valid.clone() }
}

/// The values as numbers; booleans count 1 and 0.
pub(super) fn numbers(x: &Column) -> std::borrow::Cow<'_, [f64]> {
    match &x.values {
        Values::Number(values) => values.into(),
        Values::Boolean(values) => values.iter().map(|&x| f64::from(u8::from(x))).collect(),
        Values::Text(_) => std::borrow::Cow::Borrowed(&[]),
    }
}

/// The lesser of two numbers; NaN if one is, so that a fault is not hidden.
pub(super) fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

/// The greater of two numbers; NaN if one is.
pub(super) fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// `f` of each pair; a constant has one value and meets every element.
fn zip<A: Copy, B: Copy, T>(a: &[A], b: &[B], f: impl Fn(A, B) -> T) -> Vec<T> {
    match (a, b) {
        (&[a], b) => b.iter().map(|&b| f(a, b)).collect(),
        (a, &[b]) => a.iter().map(|&a| f(a, b)).collect(),
        (a, b) => a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect(),
    }
}

/// The position of an element in a column that may be a constant.
fn at(column: &Column, i: usize) -> usize {
    if column.level.is_none() { 0 } else { i }
}

fn length(level: &Option<Level>, a: &Column, b: &Column) -> usize {
    match level {
        None => 1,
        Some(_) if a.level.is_none() => b.len(),
        Some(_) => a.len(),
    }
}

fn both_valid(level: &Option<Level>, a: &Column, b: &Column) -> Option<Vec<bool>> {
    if a.valid.is_none() && b.valid.is_none() {
        return None;
    }
    let length = length(level, a, b);
    match (&a.valid, &b.valid) {
        (Some(valid), None) | (None, Some(valid)) if valid.len() == length => Some(valid.clone()),
        _ => Some((0..length).map(|i| a.is_valid(at(a, i)) && b.is_valid(at(b, i))).collect()),
    }
}

pub(super) fn combine(operator: Operator, level: Option<Level>, a: &Column, b: &Column) -> Column {
    let valid = both_valid(&level, a, b);
    let values = match operator {
        Operator::And => Values::Boolean(booleans(a, b, |a, b| a && b)),
        Operator::Or => Values::Boolean(booleans(a, b, |a, b| a || b)),
        Operator::Equals | Operator::Differs => {
            let wanted = operator == Operator::Equals;
            Values::Boolean(equal(&level, a, b).into_iter().map(|equal| equal == wanted).collect())
        }
        Operator::Less => compare(a, b, |a, b| a < b),
        Operator::AtMost => compare(a, b, |a, b| a <= b),
        Operator::Greater => compare(a, b, |a, b| a > b),
        Operator::AtLeast => compare(a, b, |a, b| a >= b),
        Operator::Add => arithmetic(a, b, |a, b| a + b),
        Operator::Subtract => arithmetic(a, b, |a, b| a - b),
        Operator::Multiply => arithmetic(a, b, |a, b| a * b),
        Operator::Divide => arithmetic(a, b, |a, b| a / b),
        Operator::Power => arithmetic(a, b, f64::powf),
        Operator::Minimum => arithmetic(a, b, least),
        Operator::Maximum => arithmetic(a, b, greatest),
    };
    let mut column = Column { level, values, valid: None };
    if let Some(valid) = valid {
        column = column.with_valid(valid);
        neutral_where_null(&mut column);
    }
    column
}

/// Values under nulls never show, but a NaN there must not look like one that arose.
fn neutral_where_null(column: &mut Column) {
    if let (Values::Number(values), Some(valid)) = (&mut column.values, &column.valid) {
        values.iter_mut().zip(valid).filter(|(_, valid)| !**valid).for_each(|(value, _)| *value = 0.0);
    }
}

fn arithmetic(a: &Column, b: &Column, f: impl Fn(f64, f64) -> f64) -> Values {
    Values::Number(zip(&numbers(a), &numbers(b), f))
}

fn compare(a: &Column, b: &Column, f: impl Fn(f64, f64) -> bool) -> Values {
    Values::Boolean(zip(&numbers(a), &numbers(b), f))
}

fn booleans(a: &Column, b: &Column, f: impl Fn(bool, bool) -> bool) -> Vec<bool> {
    zip(a.as_booleans(), b.as_booleans(), f)
}

fn equal(level: &Option<Level>, a: &Column, b: &Column) -> Vec<bool> {
    let wanted = length(level, a, b);
    match (&a.values, &b.values) {
        (Values::Text(left), Values::Text(right)) => {
            (0..wanted).map(|i| left.value(at(a, i)) == right.value(at(b, i))).collect()
        }
        _ => {
            let (left, right) = (numbers(a), numbers(b));
            (0..wanted).map(|i| left[at(a, i)] == right[at(b, i)]).collect()
        }
    }
}

/// Which of two values an element has.
#[derive(Clone, Copy, PartialEq)]
enum Pick {
    First,
    Second,
    Neither,
}

/// One of two values per element.
fn choose(level: Option<Level>, a: &Column, b: &Column, picks: &[Pick]) -> Column {
    // A constant has one value and meets every element.
    let (step_a, step_b) = (usize::from(a.level.is_some()), usize::from(b.level.is_some()));
    let all_known = a.valid.is_none() && b.valid.is_none() && !picks.contains(&Pick::Neither);
    let valid: Option<Vec<bool>> = (!all_known).then(|| {
        let known = picks.iter().enumerate().map(|(i, pick)| match pick {
            Pick::First => a.is_valid(i * step_a),
            Pick::Second => b.is_valid(i * step_b),
            Pick::Neither => false,
        });
        known.collect()
    });
    let first = |i: usize| picks[i] == Pick::First;
    let values = match (&a.values, &b.values) {
        (Values::Text(left), Values::Text(right)) => {
            let text = |i: usize| if first(i) { left.value(i * step_a) } else { right.value(i * step_b) };
            let known = |i: usize| valid.as_ref().is_none_or(|valid| valid[i]);
            Values::Text((0..picks.len()).map(|i| known(i).then(|| text(i))).collect())
        }
        (Values::Boolean(left), Values::Boolean(right)) => Values::Boolean(
            (0..picks.len()).map(|i| if first(i) { left[i * step_a] } else { right[i * step_b] }).collect(),
        ),
        _ => {
            let (left, right) = (numbers(a), numbers(b));
            let value = |i: usize| if first(i) { left[i * step_a] } else { right[i * step_b] };
            Values::Number((0..picks.len()).map(value).collect())
        }
    };
    let mut column = Column { level, values, valid: None };
    if let Some(valid) = valid {
        column = column.with_valid(valid);
        neutral_where_null(&mut column);
    }
    column
}

pub(super) fn when(
    level: Option<Level>,
    length: usize,
    condition: &Column,
    then: &Column,
    otherwise: &Column,
) -> Column {
    let (truth, step) = (condition.as_booleans(), usize::from(condition.level.is_some()));
    let pick = |i: usize| match condition.is_valid(i * step) {
        false => Pick::Neither,
        true if truth[i * step] => Pick::First,
        true => Pick::Second,
    };
    choose(level, then, otherwise, &(0..length).map(pick).collect::<Vec<_>>())
}

pub(super) fn or_else(level: Option<Level>, a: &Column, b: &Column) -> Column {
    let (length, step) = (length(&level, a, b), usize::from(a.level.is_some()));
    let pick = |i: usize| if a.is_valid(i * step) { Pick::First } else { Pick::Second };
    choose(level, a, b, &(0..length).map(pick).collect::<Vec<_>>())
}

pub(super) fn null_if(level: Option<Level>, x: &Column, condition: &Column) -> Column {
    let (length, step) = (length(&level, x, condition), usize::from(condition.level.is_some()));
    let truth = condition.as_booleans();
    let null = |i: usize| condition.is_valid(i) && truth[i];
    let pick = |i: usize| if null(i * step) { Pick::Neither } else { Pick::First };
    choose(level, x, x, &(0..length).map(pick).collect::<Vec<_>>())
}
