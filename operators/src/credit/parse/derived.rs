//! Calls of derived functions, which stand for compositions of the primitives.

use super::grammar::Parser;
use super::options::{Allowed, Given, ONCE_PER, OVER_ALL, Options, Takes, WHERE};
use crate::Result;
use crate::credit::build::{batch, std};
use crate::credit::derived::{
    Center, Norm, Scale, Singleton, ZeroStd, difference, gae, leave_one_out, min_max, min_to_go, normalize,
    return_to_go, softmax, softmin, top,
};
use crate::credit::expression::{By, Expr};

const NORM: &[Allowed] = &[
    ("center", Takes::RuleOrExpr(&["none", "mean", "leave_one_out"])),
    (
        "scale",
        Takes::RuleOrExpr(&[
            "none",
            "std",
            "leave_one_out_std",
            "std_of_centered",
            "std_about_center",
            "mean",
        ]),
    ),
    ("ddof", Takes::Small),
    ("eps", Takes::Number),
    ("variance_eps", Takes::Number),
    ("variance_floor", Takes::Number),
    ("zero_std", Takes::Word(&["divide", "skip"])),
    ("zero_below", Takes::Number),
    ("singleton", Takes::Rule(&["zero", "raw", "raw_over_one_plus_eps", "null", "formula"])),
    ("counted_at", Takes::Level),
    ONCE_PER,
];

impl Parser<'_> {
    pub(super) fn derived(&mut self, name: &str) -> Result<Option<Expr>> {
        let x = self.expression()?;
        Ok(Some(match name {
            "clamp" => {
                let (low, high) = (self.next_number()?, self.next_number()?);
                x.clamp(low, high)
            }
            "std" => {
                let by = self.next_by()?;
                let mut given = self.options(&[("ddof", Takes::Small)])?;
                std(x, by, small(&mut given, "ddof").unwrap_or(1))
            }
            "leave_one_out" => leave_one_out(x, self.next_by()?),
            "min_max" => min_max(x, self.next_by()?),
            "softmax" => softmax(x, self.next_by()?),
            "softmin" => softmin(x, self.next_by()?),
            "top" => {
                let fraction = self.next_number()?;
                top(x, fraction, self.next_by()?)
            }
            "difference" => difference(x, self.options(&[("initial", Takes::Expr)])?.expr("initial")),
            "return_to_go" => return_to_go(x, self.next_number()?),
            "min_to_go" => min_to_go(x),
            "gae" => {
                let values = self.next_operand()?;
                let gamma = self.next_number()?;
                let lambda = self.next_operand()?;
                gae(x, values, gamma, lambda, self.options(&[OVER_ALL, WHERE])?.members())
            }
            "normalize" => {
                let by = self.next_by()?;
                let norm = Norm {
                    center: Center::Mean(by.clone()),
                    scale: Scale::Std(by.clone()),
                    ..Norm::group_std(1e-6)
                };
                normalize(x, &self.settings(norm, &by)?)
            }
            "whiten" => normalize(x, &self.settings(Norm::whitening(1e-8), &batch())?),
            _ => return Ok(None),
        }))
    }

    fn next_number(&mut self) -> Result<f64> {
        self.comma()?;
        self.number()
    }

    fn next_by(&mut self) -> Result<By> {
        self.comma()?;
        self.by()
    }

    /// A normalisation, with the conventions that are named.
    fn settings(&mut self, mut norm: Norm, usual: &By) -> Result<Norm> {
        let place = self.place();
        let mut given = self.options(NORM)?;
        let or_usual = |by: Option<By>| by.unwrap_or_else(|| usual.clone());
        match given.take("center") {
            Some(Given::Expr(center)) => norm.center = Center::Given(center),
            Some(Given::Rule(word, by)) => {
                norm.center = match word {
                    "none" => Center::None,
                    "mean" => Center::Mean(or_usual(by)),
                    _ => Center::LeaveOneOut(or_usual(by)),
                }
            }
            _ => {}
        }
        match given.take("scale") {
            Some(Given::Expr(scale)) => norm.scale = Scale::Given(scale),
            Some(Given::Rule(word, by)) => {
                norm.scale = match word {
                    "none" => Scale::None,
                    "std" => Scale::Std(or_usual(by)),
                    "leave_one_out_std" => Scale::LeaveOneOutStd(or_usual(by)),
                    "std_of_centered" => Scale::StdOfCentered(or_usual(by)),
                    "std_about_center" => Scale::StdAboutCenter(or_usual(by)),
                    _ => Scale::Mean(or_usual(by)),
                }
            }
            _ => {}
        }
        norm.zero_std = match (given.take("zero_std"), given.number("zero_below")) {
            (None, None) => norm.zero_std,
            (None, Some(bound)) => ZeroStd::ZeroBelow(bound),
            (Some(Given::Rule("skip", _)), None) => ZeroStd::Skip,
            (Some(_), None) => ZeroStd::Divide,
            (Some(_), Some(_)) => {
                return Err(self.fail(place, "`zero_std` and `zero_below` exclude each other", "choose one"));
            }
        };
        if let Some(Given::Rule(word, by)) = given.take("singleton") {
            norm.singleton_by = by;
            norm.singleton = match word {
                "zero" => Singleton::Zero,
                "raw" => Singleton::Raw,
                "raw_over_one_plus_eps" => Singleton::RawOverOnePlusEps,
                "null" => Singleton::Null,
                _ => Singleton::Formula,
            };
        }
        norm.ddof = small(&mut given, "ddof").unwrap_or(norm.ddof);
        norm.eps = given.number("eps").unwrap_or(norm.eps);
        norm.variance_eps = given.number("variance_eps").unwrap_or(norm.variance_eps);
        norm.variance_floor = given.number("variance_floor").unwrap_or(norm.variance_floor);
        if let Some(Given::Level(level)) = given.take("counted_at") {
            norm.counted_at = Some(level);
        }
        norm.once_per = given.expr(ONCE_PER.0);
        Ok(norm)
    }
}

fn small(given: &mut Options, words: &str) -> Option<u8> {
    match given.take(words) {
        Some(Given::Small(number)) => Some(number),
        _ => None,
    }
}
