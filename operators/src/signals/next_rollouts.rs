//! How many rollouts each prompt of an iteration is to have the next time.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field};

use super::{GatherSignals, Known, Rows, Told};
use crate::credit::{Credit, Evaluated, Expr, Unit, group, mean, members};
use crate::sample::strategy::{allocate_rollouts, rollout_value};
use crate::{Error, Result};

/// Adds `allocated_rollouts`: the rollouts that a knapsack over the whole iteration gives each prompt, by
/// the success rates of this iteration (see [`allocate_rollouts`]).
///
/// Where the budget is too small for all prompts, the prompts whose fewest rollouts are worth most have
/// them, and the others 0.
#[derive(Debug, Clone)]
pub struct NextRollouts {
    /// Success of a rollout, from 0 to 1.
    pub success: Expr,
    /// Rollouts per prompt on average; `None`: as many as the iteration has.
    pub per_prompt: Option<f64>,
    /// Fewest rollouts of a prompt.
    pub low: usize,
    /// Most rollouts of a prompt.
    pub high: usize,
    /// So many first iterations share evenly.
    pub warm_up: i64,
}

impl GatherSignals for NextRollouts {
    fn name(&self) -> &str {
        "next_rollouts"
    }

    fn inputs(&self) -> Credit {
        Credit::new()
            .define("rate", mean(self.success.clone(), group()))
            .define("size", members(self.success.clone(), group()))
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("allocated_rollouts", DataType::Int64, true)]
    }

    fn observe(&self, unit: &Unit, inputs: &Evaluated, _: &Known, told: &mut Told) -> Result<()> {
        let number = |name: &str, row: usize| inputs.signal(name).and_then(|column| column.number(row));
        for row in unit.groups().windows(2).map(|group| group[0]) {
            let mut numbers = vec![number("size", row).unwrap_or(0.0)];
            numbers.extend(number("rate", row));
            told.tell(unit.iteration(row), unit.group_id(row), "", numbers);
        }
        Ok(())
    }

    fn conclude(&self, iteration: i64, rows: Rows, _: &Known) -> Result<Rows> {
        let known = |numbers: &Vec<f64>| numbers.get(1).copied().filter(|_| iteration >= self.warm_up);
        let rates: Vec<Option<f64>> = rows.values().map(known).collect();
        let had = || rows.values().map(|numbers| numbers[0]).sum();
        let budget = self.per_prompt.map_or_else(had, |each| each * rates.len() as f64) as usize;
        let sizes = self.allocated(&rates, budget)?;
        Ok(rows.into_keys().zip(sizes).map(|(key, size)| (key, vec![size as f64])).collect())
    }

    fn apply(&self, unit: &Unit, _: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>> {
        let size = |row: usize| {
            let key = (unit.group_id(row).to_owned(), String::new());
            let numbers = known.of(0, unit.iteration(row))?.get(&key)?;
            numbers.first().map(|&size| size as i64)
        };
        Ok(vec![Arc::new(Int64Array::from_iter((0..unit.rows()).map(size)))])
    }
}

impl NextRollouts {
    fn allocated(&self, rates: &[Option<f64>], budget: usize) -> Result<Vec<usize>> {
        if self.low == 0 {
            return Err(Error::usage("0 as the fewest rollouts of a prompt", "at least 1, the paper's 2"));
        }
        let fit = budget / self.low;
        if fit >= rates.len() {
            return allocate_rollouts(rates, budget, self.low, self.high);
        }
        // A prompt without a rate is one to find out about.
        let worth = |&at: &usize| rates[at].map_or(f64::INFINITY, |rate| rollout_value(self.low, rate));
        let mut order: Vec<usize> = (0..rates.len()).collect();
        order.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        let mut kept = order[..fit].to_vec();
        kept.sort_unstable();
        let of_kept: Vec<Option<f64>> = kept.iter().map(|&at| rates[at]).collect();
        let mut sizes = vec![0; rates.len()];
        for (at, size) in kept.into_iter().zip(allocate_rollouts(&of_kept, budget, self.low, self.high)?) {
            sizes[at] = size;
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credit::signal;

    fn allocated(rates: &[f64], budget: usize) -> Vec<usize> {
        let operator =
            NextRollouts { success: signal("reward"), per_prompt: None, low: 2, high: 8, warm_up: 0 };
        let rates: Vec<Option<f64>> = rates.iter().copied().map(Some).collect();
        operator.allocated(&rates, budget).unwrap()
    }

    #[test]
    fn the_papers_numbers_and_a_budget_that_is_too_small() {
        assert_eq!(allocated(&[0.1, 0.5, 0.9], 12), [5, 5, 2]);
        // Two of three prompts: the solved one teaches nothing.
        assert_eq!(allocated(&[1.0, 0.5, 0.2], 5), [0, 3, 2]);
        assert_eq!(allocated(&[0.5, 0.5], 1), [0, 0]);
    }
}
