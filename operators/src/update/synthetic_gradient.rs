//! Synthetic gradients: a linear prediction of the gradient that a truncated window does not see.

use crate::{Error, Result};

/// Predicts the gradient that arrives from after a truncation window from the hidden state at its end, so
/// that a network that is unrolled in windows learns across them: a value function for gradients.
///
/// The cerebellar network of ccRNN (Pemberton, Boven, Apps & Costa 2021, arXiv 2103.11462; `src/dni.py` of
/// neuralml/ccDNI), with one linear layer that begins at 0. The target of a window is the true gradient at
/// its end, which itself holds the next prediction; that of the last window has none.
///
/// ```
/// use meed_operators::update::SyntheticGradient;
/// let mut synthetic = SyntheticGradient::new(2, 0.1);
/// assert_eq!(synthetic.predict(&[1.0, -2.0])?, [0.0, 0.0]);
/// let before = synthetic.loss(&[1.0, -2.0], &[0.05, -0.02])?;
/// for _ in 0..100 {
///     synthetic.learn(&[1.0, -2.0], &[0.05, -0.02], 1.0)?;
/// }
/// assert!(synthetic.loss(&[1.0, -2.0], &[0.05, -0.02])? < 0.01 * before);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticGradient {
    /// One row per component of the gradient.
    weights: Vec<Vec<f64>>,
    scale: f64,
}

impl SyntheticGradient {
    /// A prediction of 0 for hidden states of so many components. The reference scales what the layer
    /// says by 0.1.
    pub fn new(size: usize, scale: f64) -> Self {
        SyntheticGradient { weights: vec![vec![0.0; size]; size], scale }
    }

    /// A prediction with weights, one row per component.
    pub fn with_weights(weights: Vec<Vec<f64>>, scale: f64) -> Self {
        SyntheticGradient { weights, scale }
    }

    /// The predicted gradient at the hidden state, to be added to that of the window.
    ///
    /// # Errors
    /// A hidden state of another size.
    pub fn predict(&self, hidden: &[f64]) -> Result<Vec<f64>> {
        self.same_size(hidden)?;
        let row = |row: &Vec<f64>| row.iter().zip(hidden).map(|(w, h)| w * h).sum::<f64>();
        Ok(self.weights.iter().map(|weights| self.scale * row(weights)).collect())
    }

    /// `sum (prediction - target)^2` of one window.
    ///
    /// # Errors
    /// A hidden state or target of another size.
    pub fn loss(&self, hidden: &[f64], target: &[f64]) -> Result<f64> {
        let predicted = self.predict(hidden)?;
        self.same_size(target)?;
        Ok(predicted.iter().zip(target).map(|(a, b)| (a - b).powi(2)).sum())
    }

    /// The gradient of the loss by the prediction, over a batch of so many windows: `2 / batch (prediction -
    /// target)`.
    ///
    /// # Errors
    /// A hidden state or target of another size.
    pub fn gradient(&self, hidden: &[f64], target: &[f64], batch: usize) -> Result<Vec<f64>> {
        let predicted = self.predict(hidden)?;
        self.same_size(target)?;
        let share = 2.0 / batch.max(1) as f64;
        Ok(predicted.iter().zip(target).map(|(a, b)| share * (a - b)).collect())
    }

    /// One step of gradient descent on one window.
    ///
    /// # Errors
    /// A hidden state or target of another size.
    pub fn learn(&mut self, hidden: &[f64], target: &[f64], rate: f64) -> Result<()> {
        let gradient = self.gradient(hidden, target, 1)?;
        for (weights, gradient) in self.weights.iter_mut().zip(gradient) {
            for (weight, h) in weights.iter_mut().zip(hidden) {
                *weight -= rate * self.scale * gradient * h;
            }
        }
        Ok(())
    }

    fn same_size(&self, vector: &[f64]) -> Result<()> {
        let mut sizes = self.weights.iter().map(Vec::len).chain([self.weights.len()]);
        if sizes.all(|size| size == vector.len()) {
            return Ok(());
        }
        Err(Error::usage(
            format!(
                "a vector of {} components, where the prediction has {}",
                vector.len(),
                self.weights.len()
            ),
            "hidden states, gradients and predictions have one size",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_method() {
        let synthetic = SyntheticGradient::with_weights(vec![vec![0.1, 0.0], vec![0.2, 0.3]], 0.1);
        let (hidden, target) = ([1.0, -2.0], [0.05, -0.02]);
        let close = |got: &[f64], wanted: [f64; 2]| {
            got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-12)
        };
        assert!(close(&synthetic.predict(&hidden).unwrap(), [0.01, -0.04]));
        assert!((synthetic.loss(&hidden, &target).unwrap() - 0.002).abs() < 1e-12);
        assert!(close(&synthetic.gradient(&hidden, &target, 1).unwrap(), [-0.08, -0.04]));
        assert!(synthetic.predict(&[1.0]).is_err());
        let ragged = SyntheticGradient::with_weights(vec![vec![0.1, 0.0], vec![0.2]], 0.1);
        assert!(ragged.predict(&hidden).is_err());
    }
}
