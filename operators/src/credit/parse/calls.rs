//! Calls: the operands and options of every primitive.

use std::ops::Range;

use super::grammar::Parser;
use super::options::{ONCE_PER, OVER_ALL, Takes, WEIGHTS, WHERE};
use super::syntax::{ELSEWHERE, FUNCTIONS};
use super::tokens::Token;
use crate::credit::build::{
    count_within, fetch, if_present, index_within, mask, policy, progress, random, rank, send, values, when,
};
use crate::credit::expression::{Expr, Function, Node, Position, Reduction, Running, Statistic};
use crate::credit::level::{Level, ROLLOUT};
use crate::credit::print;
use crate::{Error, Result, near_names};

const UNARY: [Function; 14] = [
    Function::Absolute,
    Function::Sign,
    Function::Exp,
    Function::Log,
    Function::Sqrt,
    Function::Square,
    Function::Tanh,
    Function::Cosine,
    Function::Arctangent,
    Function::Sigmoid,
    Function::LogSigmoid,
    Function::Floor,
    Function::Ceil,
    Function::Not,
];

const RUNNING: [Running; 5] = [Running::Sum, Running::Mean, Running::Min, Running::Max, Running::Count];

const REDUCTIONS: [Reduction; 9] = [
    Reduction::Sum,
    Reduction::Mean,
    Reduction::Min,
    Reduction::Max,
    Reduction::First,
    Reduction::Last,
    Reduction::Count,
    Reduction::Any,
    Reduction::All,
];

const STATISTICS: [Statistic; 9] = [
    Statistic::Sum,
    Statistic::Count,
    Statistic::Mean,
    Statistic::Min,
    Statistic::Max,
    Statistic::UpperPart,
    Statistic::Median,
    Statistic::MedianLower,
    Statistic::Distinct,
];

impl Parser<'_> {
    /// The call of a function, from its parenthesis or bracket on.
    pub(super) fn call(&mut self, name: &str, place: Range<usize>) -> Result<Expr> {
        let Some((_, form)) = FUNCTIONS.iter().find(|(known, _)| *known == name) else {
            return Err(self.unknown(name, place));
        };
        self.calls.push(form);
        let bracketed = match name {
            "variance" => {
                self.expect("[")?;
                if !self.eat_words("ddof") {
                    return Err(self.expected("`ddof`"));
                }
                Some(Statistic::Variance { ddof: self.whole()? })
            }
            "quantile" => {
                self.expect("[")?;
                Some(Statistic::Quantile(self.number()?))
            }
            _ => None,
        };
        if bracketed.is_some() {
            self.expect("]")?;
        }
        self.expect("(")?;
        let statistic = STATISTICS.into_iter().find(|statistic| statistic.to_string() == name).or(bracketed);
        let expr = match statistic {
            Some(statistic) => self.statistic(statistic)?,
            None => match self.primitive(name)? {
                Some(expr) => expr,
                None => match self.derived(name)? {
                    Some(expr) => expr,
                    None => return Err(self.unknown(name, place)),
                },
            },
        };
        if !self.eat(")") {
            return Err(self.expected("`)`"));
        }
        self.calls.pop();
        Ok(expr)
    }

    fn unknown(&self, name: &str, place: Range<usize>) -> Error {
        let mut near: Vec<&str> =
            ELSEWHERE.iter().filter(|(other, _)| *other == name).map(|(_, known)| *known).collect();
        if near.is_empty() {
            near = near_names(name, FUNCTIONS.iter().map(|(known, _)| *known));
        }
        let hint = match near.is_empty() {
            true => "docs/expressions.md lists the functions".to_owned(),
            false => format!("did you mean {}? docs/expressions.md lists the functions", near.join(", ")),
        };
        self.fail(place, &format!("no function is called `{name}`"), &hint)
    }

    fn primitive(&mut self, name: &str) -> Result<Option<Expr>> {
        if let Some(function) = UNARY.into_iter().find(|function| print::function(*function) == name) {
            return Ok(Some(Node::Apply { function, x: self.expression()? }.into()));
        }
        Ok(Some(match name {
            "values" => {
                let level = self.level()?;
                self.comma()?;
                values(level, self.numbers()?)
            }
            "if_present" => {
                let (x, otherwise) = (self.expression()?, self.next_operand()?);
                if_present(x, otherwise)
            }
            "index" => {
                let (level, within) = (self.level()?, self.within()?);
                index_within(level, within)
            }
            "mask" => mask(),
            "policy" => policy(self.level()?),
            "kind" => {
                let level = self.level()?;
                self.comma()?;
                Node::Kind { level, kinds: self.kinds()? }.into()
            }
            "progress" => {
                let start = self.number()?;
                self.comma()?;
                progress(start, self.number()?)
            }
            "random" => {
                let level = self.level()?;
                self.comma()?;
                random(level, self.whole()?)
            }
            "when" => {
                let (condition, then) = (self.expression()?, self.next_operand()?);
                when(condition, then, self.next_operand()?)
            }
            "or_else" => self.expression()?.or_else(self.next_operand()?),
            "null_if" => self.expression()?.null_if(self.next_operand()?),
            "is_null" => self.expression()?.is_null(),
            "shift" => {
                let x = self.expression()?;
                self.comma()?;
                let by = self.whole()?;
                let mut given = self.options(&[("initial", Takes::Expr), OVER_ALL, WHERE])?;
                Node::Shift { x, by, initial: given.expr("initial"), members: given.members() }.into()
            }
            "scan" => {
                let x = self.expression()?;
                self.comma()?;
                let running = self.one_of(&RUNNING, |running| print::running(*running))?;
                let mut given = self.options(&[
                    ("backward", Takes::Nothing),
                    ("exclusive", Takes::Nothing),
                    ("restart", Takes::Expr),
                    OVER_ALL,
                    WHERE,
                ])?;
                let (backward, exclusive) = (given.has("backward"), given.has("exclusive"));
                let (restart, members) = (given.expr("restart"), given.members());
                Node::Scan { x, running, backward, exclusive, restart, members }.into()
            }
            "recur" => {
                let (x, coefficient) = (self.expression()?, self.next_operand()?);
                let mut given = self.options(&[("forward", Takes::Nothing), OVER_ALL, WHERE])?;
                Node::Recur { x, coefficient, forward: given.has("forward"), members: given.members() }.into()
            }
            "reduce" => {
                let x = self.expression()?;
                self.comma()?;
                let level = self.level()?;
                let reduction = self.reduction()?;
                let mut given = self.options(&[WEIGHTS, OVER_ALL, WHERE, ("empty", Takes::Number)])?;
                let (weights, empty) = (given.expr(WEIGHTS.0), given.number("empty"));
                Node::Reduce { x, level, reduction, weights, members: given.members(), empty }.into()
            }
            "spread" => {
                let x = self.expression()?;
                self.comma()?;
                let level = self.level()?;
                let place = self.place();
                let flags = [("first", Takes::Nothing), ("last", Takes::Nothing), OVER_ALL, WHERE];
                let mut given = self.options(&flags)?;
                let position = match (given.has("first"), given.has("last")) {
                    (false, false) => Position::All,
                    (true, false) => Position::First,
                    (false, true) => Position::Last,
                    (true, true) => {
                        return Err(self.fail(place, "`first` and `last` exclude each other", "choose one"));
                    }
                };
                Node::Spread { x, level, position, members: given.members() }.into()
            }
            "place" => {
                let x = self.expression()?;
                self.comma()?;
                let level = self.level()?;
                let position = self.next_operand()?;
                x.place(level, position, self.reduction()?)
            }
            "rank" => {
                let x = self.expression()?;
                self.comma()?;
                let by = self.by()?;
                self.comma()?;
                let ascending = self.one_of(&["ascending", "descending"], |word| word)? == "ascending";
                rank(x, by, ascending).over(self.options(&[OVER_ALL, WHERE])?.members())
            }
            "fetch" => {
                let (x, ids) = (self.expression()?, self.next_operand()?);
                fetch(x, ids, self.next_operand()?)
            }
            "send" => {
                let x = self.expression()?;
                self.comma()?;
                if !self.eat_words("to") {
                    return Err(self.expected("`to`"));
                }
                let to = self.expression()?;
                let at_token = *self.peek(0) == Token::Symbol(",")
                    && *self.peek(1) == Token::Word("at".to_owned())
                    && *self.peek(2) == Token::Word("token".to_owned());
                let position = match at_token {
                    true => {
                        (0..3).for_each(|_| self.advance());
                        Some(self.expression()?)
                    }
                    false => None,
                };
                send(x, to, position, self.reduction()?)
            }
            _ => return Ok(None),
        }))
    }

    /// A statistic, the lesser or greater of two values, or the number of elements of a level.
    fn statistic(&mut self, statistic: Statistic) -> Result<Expr> {
        let is_name = matches!(self.peek(0), Token::Word(_) | Token::Quoted(_));
        let is_level = match self.peek(1) {
            Token::Symbol(",") => *self.peek(2) == Token::Word("within".to_owned()),
            token => matches!(token, Token::Symbol(")" | ".")),
        };
        if statistic == Statistic::Count && is_name && is_level {
            let (level, within) = (self.level()?, self.within()?);
            return Ok(count_within(level, within));
        }
        let x = self.expression()?;
        self.comma()?;
        match statistic {
            Statistic::Min if !self.begins_by() => return Ok(x.min(self.expression()?)),
            Statistic::Max if !self.begins_by() => return Ok(x.max(self.expression()?)),
            _ => {}
        }
        let by = self.by()?;
        let others = ("of others", Takes::Nothing);
        let mut given = self.options(&[OVER_ALL, WHERE, WEIGHTS, ONCE_PER, others])?;
        let (weights, once_per) = (given.expr(WEIGHTS.0), given.expr(ONCE_PER.0));
        let (members, others) = (given.members(), given.has(others.0));
        Ok(Node::Aggregate { x, statistic, by, members, weights, once_per, others }.into())
    }

    pub(super) fn next_operand(&mut self) -> Result<Expr> {
        self.comma()?;
        self.expression()
    }

    pub(super) fn one_of<T: Copy>(&mut self, known: &[T], name: impl Fn(&T) -> &'static str) -> Result<T> {
        if let Some(found) = known.iter().find(|one| self.says(name(one))) {
            self.advance();
            return Ok(*found);
        }
        let known: Vec<String> = known.iter().map(|one| format!("`{}`", name(one))).collect();
        Err(self.expected(&format!("one of {}", known.join(", "))))
    }

    fn reduction(&mut self) -> Result<Reduction> {
        self.comma()?;
        self.one_of(&REDUCTIONS, |reduction| print::reduction(*reduction))
    }

    fn within(&mut self) -> Result<Level> {
        if !self.eat(",") {
            return Ok(ROLLOUT);
        }
        if !self.eat_words("within") {
            return Err(self.expected("`within`"));
        }
        self.level()
    }

    fn numbers(&mut self) -> Result<Vec<f64>> {
        self.expect("[")?;
        let mut numbers = Vec::new();
        while !self.eat("]") {
            if !numbers.is_empty() {
                self.comma()?;
            }
            numbers.push(self.number()?);
        }
        Ok(numbers)
    }

    fn kinds(&mut self) -> Result<Vec<String>> {
        self.expect("{")?;
        let mut kinds = Vec::new();
        while !self.eat("}") {
            if !kinds.is_empty() {
                self.comma()?;
            }
            kinds.push(match self.peek(0).clone() {
                Token::Text(kind) => {
                    self.advance();
                    kind
                }
                _ => self.name("a kind of steps, such as `policy`")?,
            });
        }
        Ok(kinds)
    }
}
