//! Parameters of off-policy corrections.

use meed_operators::objectives::{
    Anchor, Correction, Level, Outside, SecondMomentFilter, Statistic, TotalVariationMask, Weighting,
};
use meed_operators::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

/// One correction, as a value of the parameter `correction`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    kind: Kind,
    #[serde(default)]
    level: LevelName,
    weight: Option<LevelName>,
    #[serde(default)]
    statistic: StatisticName,
    lower: Option<f64>,
    upper: Option<f64>,
    #[serde(default)]
    numerator: Numerator,
    clamp_log_ratio: Option<f64>,
    #[serde(default)]
    batch_normalize: bool,
    #[serde(default)]
    of_kept: bool,
    #[serde(default)]
    uncounted: bool,
    #[serde(default)]
    reversed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Is,
    Tis,
    Icepop,
    Mask,
    TotalVariation,
    SecondMoment,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LevelName {
    #[default]
    Token,
    Sequence,
    Geometric,
    Max,
    Any,
    Segment,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Level {
        match name {
            LevelName::Token => Level::Token,
            LevelName::Sequence => Level::Sum,
            LevelName::Geometric => Level::Mean,
            LevelName::Max => Level::Max,
            LevelName::Any => Level::Any,
            LevelName::Segment => Level::Segment,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatisticName {
    #[default]
    Ratio,
    K1,
    K2,
    K3,
    Probability,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Numerator {
    #[default]
    Old,
    Current,
}

impl Given {
    fn weighting(self) -> Box<dyn Weighting> {
        let upper = self.upper.unwrap_or(f64::INFINITY);
        match self.kind {
            Kind::TotalVariation => {
                Box::new(TotalVariationMask { upper, clamp_log_ratio: self.clamp_log_ratio })
            }
            Kind::SecondMoment => Box::new(SecondMomentFilter { threshold: upper }),
            _ => Box::new(self.correction()),
        }
    }

    fn correction(self) -> Correction {
        let bounded = self.kind != Kind::Is;
        let weight = if self.kind == Kind::Mask { self.weight } else { self.weight.or(Some(self.level)) };
        Correction {
            numerator: match self.numerator {
                Numerator::Old => Anchor::Old,
                Numerator::Current => Anchor::Current,
            },
            weight: weight.map(Level::from),
            statistic: match self.statistic {
                StatisticName::Ratio => Statistic::Ratio,
                StatisticName::K1 => Statistic::K1,
                StatisticName::K2 => Statistic::K2,
                StatisticName::K3 => Statistic::K3,
                StatisticName::Probability => Statistic::Probability,
            },
            level: self.level.into(),
            lower: self.lower.filter(|_| bounded).unwrap_or(f64::NEG_INFINITY),
            upper: self.upper.filter(|_| bounded).unwrap_or(f64::INFINITY),
            outside: match self.kind {
                Kind::Icepop | Kind::Mask => Outside::Drop,
                _ => Outside::Clamp,
            },
            clamp_log_ratio: self.clamp_log_ratio,
            batch_normalize: self.batch_normalize,
            of_kept: self.of_kept,
            uncounted: self.uncounted,
            reversed: self.reversed,
        }
    }
}

fn read(value: &Value) -> Result<Given> {
    let given: Given = parse(value)?;
    let bounded = given.lower.is_some() || given.upper.is_some();
    match given.kind {
        Kind::Is if bounded => Err(Error::usage(
            format!("correction {value}: plain importance weights have no bounds"),
            "tis clamps them, icepop drops what is outside",
        )),
        Kind::Tis | Kind::Icepop | Kind::TotalVariation | Kind::SecondMoment if !bounded => {
            Err(Error::usage(
                format!("correction {value}: without a bound it corrects nothing"),
                "give lower, upper or both",
            ))
        }
        _ => Ok(given),
    }
}

fn parse(value: &Value) -> Result<Given> {
    serde_json::from_value(value.clone()).map_err(|error| {
        Error::usage(
            format!("correction {value}: {error}"),
            "a correction is {kind: is, tis, icepop, mask, total_variation or second_moment, level, weight, statistic, lower, upper, numerator, clamp_log_ratio, batch_normalize, of_kept, uncounted, reversed}",
        )
    })
}

/// The corrections of a parameter: null, one object, or a list that is applied in order.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn corrections(value: &Value) -> Result<Vec<Box<dyn Weighting>>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(|one| read(one).map(Given::weighting)).collect(),
        one => Ok(vec![read(one)?.weighting()]),
    }
}

/// One correction of weights and bounds: is, tis or icepop.
///
/// # Errors
/// Unknown fields and values, by name; a kind that gives no weight.
pub fn correction(value: &Value) -> Result<Correction> {
    let given = read(value)?;
    match given.kind {
        Kind::Is | Kind::Tis | Kind::Icepop => Ok(given.correction()),
        Kind::Mask | Kind::TotalVariation | Kind::SecondMoment => Err(Error::usage(
            format!("correction {value}: gives no weight, where one is needed"),
            "use is, tis or icepop",
        )),
    }
}
