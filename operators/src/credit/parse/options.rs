//! What may follow the operands of a call: `, where reward > 0`, `, over all`, `, eps 1e-6`.

use super::grammar::Parser;
use super::tokens::Token;
use crate::Result;
use crate::credit::expression::{By, Expr, Members, Scope, Window};
use crate::credit::level::Level;

/// What stands after the words of an option.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    Expr,
    Number,
    Small,
    Level,
    Word(&'static [&'static str]),
    /// One of these words, perhaps with `by(...)`.
    Rule(&'static [&'static str]),
    /// Such a word, or an expression.
    RuleOrExpr(&'static [&'static str]),
}

/// An option as it was given.
pub(super) enum Given {
    Nothing,
    Expr(Expr),
    Number(f64),
    Small(u8),
    Level(Level),
    Rule(&'static str, Option<By>),
}

/// The options of a call.
#[derive(Default)]
pub(super) struct Options(Vec<(&'static str, Given)>);

/// Words of an option, and what follows them.
pub(super) type Allowed = (&'static str, Takes);

pub(super) const OVER_ALL: Allowed = ("over all", Takes::Nothing);
pub(super) const WHERE: Allowed = ("where", Takes::Expr);
pub(super) const WEIGHTS: Allowed = ("weights", Takes::Expr);
pub(super) const ONCE_PER: Allowed = ("once per", Takes::Expr);

impl Options {
    pub(super) fn take(&mut self, words: &str) -> Option<Given> {
        let index = self.0.iter().position(|(known, _)| *known == words)?;
        Some(self.0.swap_remove(index).1)
    }

    pub(super) fn has(&mut self, words: &str) -> bool {
        self.take(words).is_some()
    }

    pub(super) fn expr(&mut self, words: &str) -> Option<Expr> {
        match self.take(words) {
            Some(Given::Expr(expr)) => Some(expr),
            _ => None,
        }
    }

    pub(super) fn number(&mut self, words: &str) -> Option<f64> {
        match self.take(words) {
            Some(Given::Number(number)) => Some(number),
            _ => None,
        }
    }

    pub(super) fn members(&mut self) -> Members {
        Members { all: self.has(OVER_ALL.0), condition: self.expr(WHERE.0) }
    }
}

impl Parser<'_> {
    pub(super) fn comma(&mut self) -> Result<()> {
        self.expect(",")
    }

    /// The options that end a call, in any order, each once.
    pub(super) fn options(&mut self, allowed: &[Allowed]) -> Result<Options> {
        let mut options = Options::default();
        while self.eat(",") {
            let Some(&(words, takes)) = allowed.iter().find(|(words, _)| self.says(words)) else {
                let known: Vec<String> = allowed.iter().map(|(words, _)| format!("`{words}`")).collect();
                return Err(self.expected(&match known.is_empty() {
                    true => "`)`".to_owned(),
                    false => format!("one of {}", known.join(", ")),
                }));
            };
            if options.0.iter().any(|(known, _)| *known == words) {
                let message = format!("`{words}` is given twice");
                return Err(self.fail(self.place(), &message, "give it once"));
            }
            self.eat_words(words);
            let given = match takes {
                Takes::Nothing => Given::Nothing,
                Takes::Expr => Given::Expr(self.expression()?),
                Takes::Number => Given::Number(self.number()?),
                Takes::Small => Given::Small(self.whole()?),
                Takes::Level => Given::Level(self.level()?),
                Takes::Word(known) => Given::Rule(self.one_of(known, |word| word)?, None),
                Takes::Rule(known) => self.rule(known)?,
                Takes::RuleOrExpr(known) if self.begins_rule(known) => self.rule(known)?,
                Takes::RuleOrExpr(_) => Given::Expr(self.expression()?),
            };
            options.0.push((words, given));
        }
        Ok(options)
    }

    /// A word that stands alone or with `by(...)` is a rule; `mean(x, by(batch))` is an expression.
    fn begins_rule(&self, known: &[&str]) -> bool {
        let ends = match self.peek(1) {
            Token::Symbol(symbol) => [",", ")"].contains(symbol),
            token => *token == Token::Word("by".to_owned()),
        };
        ends && known.iter().any(|word| self.says(word))
    }

    fn rule(&mut self, known: &[&'static str]) -> Result<Given> {
        let word = self.one_of(known, |word| word)?;
        let by = if self.begins_by() { Some(self.by()?) } else { None };
        Ok(Given::Rule(word, by))
    }

    pub(super) fn begins_by(&self) -> bool {
        self.says("by") && *self.peek(1) == Token::Symbol("(")
    }

    /// `by(group, key, ...)`.
    pub(super) fn by(&mut self) -> Result<By> {
        if !self.begins_by() {
            return Err(self.expected("`by(...)`"));
        }
        self.advance();
        self.advance();
        let history = |own| Scope::History(Window { own, last: None });
        let scopes = [
            ("rollout", Scope::Rollout),
            ("group", Scope::Group),
            ("batch", Scope::Batch),
            ("history", history(true)),
            ("earlier", history(false)),
        ];
        let word = self.one_of(&scopes.map(|(word, _)| word), |word| word)?;
        let mut scope =
            scopes.iter().find(|(known, _)| *known == word).map_or(Scope::Group, |(_, scope)| *scope);
        if let Scope::History(window) = &mut scope
            && self.eat("[")
        {
            window.last = Some(self.whole()?);
            self.expect("]")?;
        }
        let mut by = By { scope, keys: Vec::new() };
        while self.eat(",") {
            by.keys.push(self.expression()?);
        }
        self.expect(")")?;
        Ok(by)
    }
}
