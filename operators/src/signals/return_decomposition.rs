//! Step rewards that add up to the return: a linear decoder of step factors, fitted to the iteration.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use nalgebra::{DMatrix, DVector};

use super::step_vectors::{StepVectors, step_numbers};
use super::{GatherSignals, Known, Rows, Told, whole_iteration};
use crate::columns::list_of;
use crate::credit::{Credit, Evaluated, Expr, STEP, Unit};
use crate::{Error, Place, Result};

/// Adds `step_decomposed_rewards`: `w . phi_t` for the factors `phi_t` of each policy step, where `w` minimises
/// `sum over rollouts ((1/T) sum_t w . phi_t - R/T)^2 + ridge |w|^2` over the iteration, `T` the number of policy
/// steps. Other steps have null, and so has all of a rollout with a policy step without factors.
///
/// ```
/// use meed_operators::signals::ReturnDecomposition;
/// // Two rollouts: mean factors, and return per step.
/// let weights = ReturnDecomposition::fit(&[(vec![0.5, 0.0], 1.0), (vec![0.0, 2.0], 1.0)], 0.0).unwrap();
/// assert!((weights[0] - 2.0).abs() < 1e-12 && (weights[1] - 0.5).abs() < 1e-12);
/// ```
#[derive(Debug, Clone)]
pub struct ReturnDecomposition {
    /// The column with one list of factors per step.
    pub factors: String,
    /// The return of a rollout.
    pub reward: Expr,
    /// Weight of the penalty that keeps the decoder determined.
    pub ridge: f64,
}

/// A step's position in its rollout, and its factors.
type Factors<'a> = (usize, &'a [f64]);

const NAME: &str = "return_decomposition";

impl GatherSignals for ReturnDecomposition {
    fn name(&self) -> &str {
        NAME
    }

    fn reads(&self) -> Vec<String> {
        vec![self.factors.clone()]
    }

    fn inputs(&self) -> Credit {
        Credit::new().define("reward", self.reward.clone())
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("step_decomposed_rewards", list_of(DataType::Float64), true)]
    }

    fn observe(&self, unit: &Unit, inputs: &Evaluated, _: &Known, told: &mut Told) -> Result<()> {
        let reward = inputs.signal("reward").ok_or_else(|| {
            Error::usage("return_decomposition has no reward", "define it as an expression of rollouts")
        })?;
        let vectors = StepVectors::of(NAME, unit, &self.factors)?;
        for row in (0..unit.rows()).filter(|&row| inputs.in_baseline[row]) {
            let at = if reward.level.is_none() { 0 } else { row };
            let (Some(reward), Some(steps)) = (reward.number(at), self.policy_steps(unit, &vectors, row)?)
            else {
                continue;
            };
            let count = steps.len() as f64;
            let Some(width) = steps.first().map(|(_, vector)| vector.len()) else {
                continue;
            };
            let mean = |factor: usize| steps.iter().map(|(_, vector)| vector[factor]).sum::<f64>() / count;
            let numbers = std::iter::once(reward / count).chain((0..width).map(mean)).collect();
            told.tell(unit.iteration(row), unit.group_id(row), unit.rollout_id(row), numbers);
        }
        Ok(())
    }

    fn conclude(&self, _: i64, rows: Rows, _: &Known) -> Result<Rows> {
        let width = rows.values().next().map_or(0, |numbers| numbers.len());
        if let Some((key, numbers)) = rows.iter().find(|(_, numbers)| numbers.len() != width) {
            return Err(Error::data(
                Place::default().rollout(&key.1).column(&self.factors),
                format!("steps have {} factors, those of others {}", numbers.len() - 1, width - 1),
                "every step has the same factors, in the same order",
            ));
        }
        let samples: Vec<(Vec<f64>, f64)> =
            rows.into_values().map(|numbers| (numbers[1..].to_vec(), numbers[0])).collect();
        let weights = Self::fit(&samples, self.ridge)?;
        Ok([(whole_iteration(), weights)].into())
    }

    fn apply(&self, unit: &Unit, _: &Evaluated, known: &Known) -> Result<Vec<ArrayRef>> {
        let vectors = StepVectors::of(NAME, unit, &self.factors)?;
        let extent = unit.extent(&STEP)?;
        let mut rows = Vec::with_capacity(unit.rows());
        for row in 0..unit.rows() {
            let weights = known.whole(0, unit.iteration(row));
            let steps = self.policy_steps(unit, &vectors, row)?.filter(|_| !weights.is_empty());
            rows.push(steps.map(|steps| {
                let mut rewards = vec![None; extent.rows[row + 1] - extent.rows[row]];
                for (step, vector) in steps {
                    rewards[step] = Some(vector.iter().zip(weights).map(|(x, weight)| x * weight).sum());
                }
                rewards
            }));
        }
        Ok(vec![step_numbers(rows)])
    }
}

impl ReturnDecomposition {
    /// The policy steps of a rollout with their factors; `None` where one has none.
    fn policy_steps<'a>(
        &self,
        unit: &Unit,
        vectors: &'a StepVectors<'_>,
        row: usize,
    ) -> Result<Option<Vec<Factors<'a>>>> {
        let (policy, first) = (unit.policy_steps()?, unit.extent(&STEP)?.rows[row]);
        let Some(steps) = vectors.row(row)? else {
            return Ok(None);
        };
        let own = steps.into_iter().enumerate().filter(|(step, _)| policy[first + step]);
        Ok(own.map(|(step, vector)| Some((step, vector?))).collect())
    }

    /// The weights for samples of mean factors and return per step; empty without samples. Directions that the
    /// samples do not determine have weight 0.
    ///
    /// # Errors
    /// Numbers that are not finite.
    pub fn fit(samples: &[(Vec<f64>, f64)], ridge: f64) -> Result<Vec<f64>> {
        let undecided = || {
            Error::usage(
                "the step factors of the iteration have no finite decoder",
                "leave out factors that are not finite numbers of moderate size",
            )
        };
        let mut numbers = samples.iter().flat_map(|(factors, target)| factors.iter().chain([target]));
        if !numbers.all(|x| x.is_finite()) {
            return Err(undecided());
        }
        let width = samples.first().map_or(0, |(factors, _)| factors.len());
        if width == 0 {
            return Ok(Vec::new());
        }
        let factors = DMatrix::from_fn(samples.len(), width, |row, column| samples[row].0[column]);
        let targets = DVector::from_iterator(samples.len(), samples.iter().map(|(_, target)| *target));
        let normal = factors.transpose() * &factors + DMatrix::identity(width, width) * ridge;
        let sides = factors.transpose() * targets;
        let weights = normal.svd(true, true).solve(&sides, 1e-12).map_err(|_| undecided())?;
        match weights.iter().all(|weight| weight.is_finite()) {
            true => Ok(weights.iter().copied().collect()),
            false => Err(undecided()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_that_never_changes_the_return_weighs_nothing_with_a_ridge() {
        let samples = [(vec![1.0, 0.0], 0.5), (vec![2.0, 0.0], 1.0)];
        let weights = ReturnDecomposition::fit(&samples, 1e-9).unwrap();
        assert!((weights[0] - 0.5).abs() < 1e-8 && weights[1].abs() < 1e-12, "{weights:?}");
        assert_eq!(ReturnDecomposition::fit(&[], 0.0).unwrap(), [0.0; 0]);
        assert!(ReturnDecomposition::fit(&[(vec![f64::INFINITY], 1.0)], 0.0).is_err());
    }

    #[test]
    fn the_residual_is_orthogonal_to_the_factors() {
        let samples =
            [(vec![0.3, 1.0], 0.2), (vec![-0.4, 1.0], 0.7), (vec![0.9, 1.0], -0.1), (vec![0.1, 1.0], 0.4)];
        let weights = ReturnDecomposition::fit(&samples, 0.0).unwrap();
        for factor in 0..2 {
            let residual = |(phi, target): &(Vec<f64>, f64)| {
                (phi.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() - target) * phi[factor]
            };
            assert!(samples.iter().map(residual).sum::<f64>().abs() < 1e-12);
        }
    }
}
