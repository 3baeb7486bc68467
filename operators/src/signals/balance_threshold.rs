//! The threshold of scores with the best balance of exploration and exploitation in an iteration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field};

use super::{GatherSignals, Known, Rows, Told, whole_iteration};
use crate::credit::{Credit, Evaluated, Expr, Unit, Values};
use crate::sample::{ScoredSample, ThresholdSearch, search_threshold};
use crate::{Error, Result};

/// Adds `balance_threshold` and `balance_most`: the threshold with the best balance score of the
/// iteration (see [`search_threshold`]), and the samples per prompt that it needs. Null in an iteration in
/// which no threshold selects anything.
#[derive(Debug, Clone)]
pub struct BalanceThreshold {
    /// What is searched.
    pub search: ThresholdSearch,
    /// Score of a sample; null where it is none, such as without an answer.
    pub score: Expr,
    /// Whether its answer is right.
    pub right: Expr,
    /// Text that is equal for equal samples.
    pub output: Expr,
    /// The reference solution of each prompt is one more sample, right and with score 1.
    pub reference: bool,
}

const MISSING: &str = "an input of balance_threshold";

impl GatherSignals for BalanceThreshold {
    fn name(&self) -> &str {
        "balance_threshold"
    }

    fn inputs(&self) -> Credit {
        Credit::new()
            .define("score", self.score.clone())
            .define("right", self.right.clone())
            .define("output", self.output.clone())
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("balance_threshold", DataType::Float64, true),
            Field::new("balance_most", DataType::Int64, true),
        ]
    }

    fn observe(&self, unit: &Unit, inputs: &Evaluated, _: &Known, told: &mut Told) -> Result<()> {
        let input = |name: &str| {
            inputs.signal(name).ok_or_else(|| Error::usage(MISSING, format!("define `{name}` for rollouts")))
        };
        let (score, right, output) = (input("score")?, input("right")?, input("output")?);
        let Values::Text(outputs) = &output.values else {
            return Err(Error::usage(MISSING, "`output` is to be text"));
        };
        let truth = |row: usize| match &right.values {
            Values::Boolean(truth) => f64::from(u8::from(truth[row])),
            _ => right.number(row).unwrap_or(0.0),
        };
        for group in unit.groups().windows(2) {
            let mut texts: HashMap<&str, usize> = HashMap::new();
            for (place, row) in (group[0]..group[1]).enumerate() {
                let (iteration, group) = (unit.iteration(row), unit.group_id(row));
                if place == 0 {
                    told.tell(iteration, group, "", Vec::new());
                }
                let Some(score) = score.number(row).filter(|_| inputs.in_baseline[row]) else {
                    continue;
                };
                let text = match output.is_valid(row) {
                    true => *texts.entry(outputs.value(row)).or_insert(place),
                    false => place,
                };
                let numbers = vec![place as f64, score, truth(row), text as f64];
                told.tell(iteration, group, unit.rollout_id(row), numbers);
            }
        }
        Ok(())
    }

    fn conclude(&self, _: i64, rows: Rows, _: &Known) -> Result<Rows> {
        let mut groups: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
        for ((group, rollout), numbers) in rows {
            let samples = groups.entry(group).or_default();
            if !rollout.is_empty() {
                samples.push(numbers);
            }
        }
        let prompts: Vec<Vec<ScoredSample>> = groups.into_values().map(|of| self.samples(of)).collect();
        let found = search_threshold(&prompts, &self.search);
        let numbers = found.map(|found| vec![found.threshold, found.most as f64]);
        Ok(numbers.map(|numbers| (whole_iteration(), numbers)).into_iter().collect())
    }

    fn apply(&self, unit: &Unit, _: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>> {
        let of = |row: usize, at: usize| known.whole(0, unit.iteration(row)).get(at).copied();
        let rows = 0..unit.rows();
        let thresholds = Float64Array::from_iter(rows.clone().map(|row| of(row, 0)));
        let most = Int64Array::from_iter(rows.map(|row| of(row, 1).map(|most| most as i64)));
        Ok(vec![Arc::new(thresholds), Arc::new(most)])
    }
}

impl BalanceThreshold {
    /// Samples in canonical order, the reference solution behind those of equal score.
    fn samples(&self, mut of: Vec<Vec<f64>>) -> Vec<ScoredSample> {
        of.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let sample = |numbers: &Vec<f64>| ScoredSample {
            output: numbers[3].to_string(),
            score: numbers[1],
            right: numbers[2] >= 1.0,
        };
        let mut samples: Vec<ScoredSample> = of.iter().map(sample).collect();
        if self.reference {
            samples.push(ScoredSample { output: "reference".into(), score: 1.0, right: true });
        }
        samples
    }
}
