//! The grammar: definitions, operators by their strength, and what an operand may be.

use std::ops::Range;

use super::failure::failure;
use super::limits::{DEPTH, Measures};
use super::tokens::{Lexed, Token, tokens};
use crate::credit::build::{signal, text, value};
use crate::credit::expression::{Expr, Function, Node, Operator};
use crate::credit::level::Level;
use crate::{Error, Result};

const OPERATORS: [Operator; 13] = [
    Operator::Or,
    Operator::And,
    Operator::Equals,
    Operator::Differs,
    Operator::Less,
    Operator::AtMost,
    Operator::Greater,
    Operator::AtLeast,
    Operator::Add,
    Operator::Subtract,
    Operator::Multiply,
    Operator::Divide,
    Operator::Power,
];

/// Reads tokens from left to right.
pub(super) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Lexed>,
    at: usize,
    nesting: usize,
    measures: Measures,
    /// How the calls are written that are being read, the innermost last.
    pub(super) calls: Vec<&'static str>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self> {
        let (tokens, measures) = (tokens(text)?, Measures::default());
        Ok(Parser { text, tokens, at: 0, nesting: 0, measures, calls: Vec::new() })
    }

    pub(super) fn peek(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |lexed| &lexed.token)
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |lexed| lexed.place.clone())
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(0), Token::Symbol(found) if *found == symbol)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let is = self.is(symbol);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.eat(symbol) { Ok(()) } else { Err(self.expected(&format!("`{symbol}`"))) }
    }

    /// Whether these words of the language come next.
    pub(super) fn says(&self, words: &str) -> bool {
        let mut words = words.split(' ').enumerate();
        words.all(|(ahead, word)| matches!(self.peek(ahead), Token::Word(found) if found == word))
    }

    pub(super) fn eat_words(&mut self, words: &str) -> bool {
        let says = self.says(words);
        self.at += if says { words.split(' ').count() } else { 0 };
        says
    }

    pub(super) fn fail(&self, place: Range<usize>, message: &str, hint: &str) -> Error {
        failure(self.text, place, message, hint)
    }

    /// The error that something else than what was found must come here.
    pub(super) fn expected(&self, what: &str) -> Error {
        let found = match self.peek(0) {
            Token::End => "the end".to_owned(),
            _ => format!("`{}`", self.text[self.place()].chars().take(30).collect::<String>()),
        };
        let hint = match self.calls.last() {
            Some(call) => format!("write it as {call}"),
            None if self.is("=") => "a definition is `name = expression`, and equality is `==`".to_owned(),
            None => "docs/expressions.md describes the language".to_owned(),
        };
        self.fail(self.place(), &format!("expected {what}, found {found}"), &hint)
    }

    pub(super) fn end(&self) -> Result<()> {
        if *self.peek(0) == Token::End { Ok(()) } else { Err(self.expected("an operator or the end")) }
    }

    /// Skips what separates definitions; true if there is one more.
    pub(super) fn begins_definition(&mut self) -> bool {
        while self.eat(";") {}
        *self.peek(0) != Token::End
    }

    /// `name = expression`, up to a semicolon or a new line.
    pub(super) fn definition(&mut self) -> Result<(String, Expr)> {
        let name = self.name("a definition, such as `advantage = reward`")?;
        if !self.is("=") {
            let hint = "a program is made of definitions, such as `advantage = reward`; separate them by `;`";
            return Err(self.fail(self.place(), "expected `=` after the name of a definition", hint));
        }
        self.advance();
        let is = self.expression()?;
        let on_new_line = self.tokens.get(self.at).is_none_or(|lexed| lexed.on_new_line);
        if *self.peek(0) == Token::End || self.is(";") || on_new_line && !self.is("=") {
            return Ok((name, is));
        }
        Err(self.expected("an operator, `;` or a new line"))
    }

    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        let (Token::Word(name) | Token::Quoted(name)) = self.peek(0).clone() else {
            return Err(self.expected(what));
        };
        self.advance();
        Ok(name)
    }

    /// A level, such as `turn` or the pair `turn.test`.
    pub(super) fn level(&mut self) -> Result<Level> {
        let mut name = self.name("a level, such as `token`, `step` or `rollout`")?;
        while self.eat(".") {
            name = format!("{name}.{}", self.name("the inner level of a pair")?);
        }
        Ok(Level::named(name))
    }

    pub(super) fn number(&mut self) -> Result<f64> {
        let negative = self.eat("-");
        let &Token::Number(number) = self.peek(0) else {
            return Err(self.expected("a number"));
        };
        self.advance();
        Ok(if negative { -number } else { number })
    }

    pub(super) fn whole<N: std::str::FromStr>(&mut self) -> Result<N> {
        let mut place = self.place();
        self.number()?;
        place.end = self.tokens[self.at - 1].place.end;
        let digits: String = self.text[place.clone()].split_whitespace().collect();
        let hint = "write a whole number, such as 1";
        digits.parse().map_err(|_| self.fail(place, "this number is not whole, or too large", hint))
    }

    /// The expression that comes next, as far as it goes.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.nested(|parser| parser.operation(1))
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Expr>) -> Result<Expr> {
        if self.nesting >= DEPTH {
            return Err(self.too_large(self.place()));
        }
        self.nesting += 1;
        let expr = read(self)?;
        self.nesting -= 1;
        Ok(expr)
    }

    fn too_large(&self, place: Range<usize>) -> Error {
        let message = "this expression is too large, or nested too deep";
        self.fail(place, message, "give a part of it a name of its own, and read it by that name")
    }

    /// The expression that a primitive or derived function makes, if it keeps the bounds.
    pub(super) fn built(&mut self, expr: impl Into<Expr>, place: Range<usize>) -> Result<Expr> {
        let expr = expr.into();
        if self.measures.keeps(&expr) { Ok(expr) } else { Err(self.too_large(place)) }
    }

    /// Operands between operators that bind at least that strongly.
    fn operation(&mut self, least: u8) -> Result<Expr> {
        let mut left = self.operand()?;
        while let Some(operator) = self.operator().filter(|operator| operator.symbol().1 >= least) {
            let place = self.place();
            self.advance();
            let right = self.operation(operator.symbol().1 + 1)?;
            left = self.built(Node::Combine { operator, a: left, b: right }, place)?;
            let next = self.operator().map(|next| next.symbol().1);
            if !operator.is_chained() && next == Some(operator.symbol().1) {
                return Err(self.fail(
                    self.place(),
                    "it is not clear which of two operators comes first",
                    "write parentheses, and `a < b and b < c` for two comparisons",
                ));
            }
        }
        Ok(left)
    }

    fn operator(&self) -> Option<Operator> {
        let found = match self.peek(0) {
            Token::Symbol(symbol) => symbol,
            Token::Word(word) => word.as_str(),
            _ => return None,
        };
        OPERATORS.into_iter().find(|operator| operator.symbol().0 == found)
    }

    /// A minus binds stronger than `*` and weaker than `^`; before a number it is part of it.
    fn operand(&mut self) -> Result<Expr> {
        if !self.is("-") {
            return self.primary();
        }
        if let &Token::Number(number) = self.peek(1)
            && *self.peek(2) != Token::Symbol("^")
        {
            self.at += 2;
            return Ok(value(-number));
        }
        let place = self.place();
        self.advance();
        let x = self.nested(|parser| parser.operation(Operator::Power.symbol().1))?;
        self.built(Node::Apply { function: Function::Negate, x }, place)
    }

    fn primary(&mut self) -> Result<Expr> {
        let (token, place) = (self.peek(0).clone(), self.place());
        let is_operator = self.operator().is_some();
        self.advance();
        match token {
            Token::Number(number) => Ok(value(number)),
            Token::Text(content) => Ok(text(content)),
            Token::Quoted(name) => Ok(signal(name)),
            Token::Word(name) if !is_operator => match self.is("(") || self.is("[") {
                true => {
                    let expr = self.call(&name, place.clone())?;
                    self.built(expr, place)
                }
                false => Ok(signal(name)),
            },
            Token::Symbol("(") => {
                let expr = self.expression()?;
                self.expect(")")?;
                Ok(expr)
            }
            _ => {
                self.at -= 1;
                Err(self.expected("a signal, a number, a text or a function"))
            }
        }
    }
}
