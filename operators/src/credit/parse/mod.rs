//! Reading credit expressions and programs from the text that they print as.

mod calls;
mod derived;
mod failure;
mod grammar;
mod limits;
mod options;
mod syntax;
mod tokens;

use std::str::FromStr;

use super::expression::Expr;
use super::program::Credit;
use crate::{Error, Result};
use failure::failure;
use grammar::Parser;
use syntax::FUNCTIONS;
pub(super) use tokens::is_word;
use tokens::{Token, tokens};

impl Expr {
    /// Name and form of every function of the language: primitives, then derived functions. What
    /// stands in brackets may be left out, and comes in any order.
    pub const FUNCTIONS: &[(&str, &str)] = FUNCTIONS;

    /// The expression that a text says, in the language that expressions print as; derived functions
    /// such as `normalize` stand for their primitives.
    ///
    /// ```
    /// use meed_operators::credit::*;
    /// let parsed = Expr::parse("reward - mean(reward, by(group), of others)")?;
    /// assert_eq!(parsed, signal("reward") - leave_one_out(signal("reward"), group()));
    /// assert_eq!(Expr::parse("reward - leave_one_out(reward, by(group))")?, parsed);
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Usage`] that points at the place.
    pub fn parse(text: &str) -> Result<Expr> {
        let mut parser = Parser::new(text)?;
        let expr = parser.expression()?;
        parser.end()?;
        Ok(expr)
    }
}

impl FromStr for Expr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expr> {
        Expr::parse(text)
    }
}

impl Credit {
    /// The program that a text says: `name = expression`, one to a line or separated by `;`. An
    /// expression may go on over several lines; `#` begins a comment.
    ///
    /// ```
    /// use meed_operators::credit::*;
    /// let credit = Credit::parse("centred = reward - mean(reward, by(group)); advantage = 2 * centred")?;
    /// assert_eq!(credit.reads(), ["reward"]);
    /// assert_eq!(Credit::parse(&credit.to_string())?, credit);
    ///
    /// let error = Credit::parse("advantage = reward - maen(reward, by(group))").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "line 1, column 22: no function is called `maen`\n  \
    ///      |\n\
    ///      1 | advantage = reward - maen(reward, by(group))\n  \
    ///      |                      ^^^^"
    /// );
    /// assert!(error.hint().starts_with("did you mean mean"));
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Usage`] that points at the place.
    pub fn parse(text: &str) -> Result<Credit> {
        let mut parser = Parser::new(text)?;
        let mut credit = Credit::new();
        while parser.begins_definition() {
            let (name, is) = parser.definition()?;
            credit = credit.define(name, is);
        }
        Ok(credit)
    }

    /// An error about a name in the text of a program, that points at its first occurrence.
    pub fn failure_at_name(text: &str, name: &str, message: &str, hint: &str) -> Error {
        let is_name =
            |token: &Token| matches!(token, Token::Word(word) | Token::Quoted(word) if word == name);
        let found = tokens(text).ok().and_then(|all| all.into_iter().find(|lexed| is_name(&lexed.token)));
        match found {
            Some(lexed) => failure(text, lexed.place, message, hint),
            None => Error::usage(message, hint),
        }
    }
}

impl FromStr for Credit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Credit> {
        Credit::parse(text)
    }
}
