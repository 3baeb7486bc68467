//! The bases that GaLore projects gradients on.

use std::collections::BTreeMap;

use nalgebra::{DMatrix, SVD};

use crate::update::StateTensor;
use crate::{Error, Result};

pub(super) const LEFT: &str = "left_basis";
pub(super) const RIGHT: &str = "right_basis";

/// On which side of the gradient `G` (`m x n`, singular vectors `U`, `V`) the projection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// On the right where `m >= n`, else on the left.
    Standard,
    /// On the left where `m >= n`, else on the right.
    ReverseStandard,
    /// `G V_r`, of shape `m x r`.
    Right,
    /// `U_r^T G`, of shape `r x n`.
    Left,
    /// `U_r^T G V_r`, of shape `r x r`.
    Full,
}

impl Projection {
    /// Sides on which a matrix is projected: left, right.
    fn sides(self, rows: usize, columns: usize) -> (bool, bool) {
        match self {
            Projection::Standard => (rows < columns, rows >= columns),
            Projection::ReverseStandard => (rows >= columns, rows < columns),
            Projection::Right => (false, true),
            Projection::Left => (true, false),
            Projection::Full => (true, true),
        }
    }
}

/// The bases of the gradient of a weight: its first left and right singular vectors as columns, in place
/// of the `old` ones.
///
/// # Errors
/// A gradient that is not finite.
pub(super) fn bases(
    weight: &str,
    gradient: &DMatrix<f64>,
    projection: Projection,
    rank: usize,
    old: &BTreeMap<&'static str, StateTensor>,
) -> Result<BTreeMap<&'static str, StateTensor>> {
    let failed = || {
        Error::usage(
            format!("the gradient of `{weight}` has no singular value decomposition"),
            "look for values that are not finite",
        )
    };
    if gradient.iter().any(|value| !value.is_finite()) {
        return Err(failed());
    }
    let svd = SVD::try_new(gradient.clone(), true, true, f64::EPSILON, 0).ok_or_else(failed)?;
    let (left, right) = svd.u.zip(svd.v_t).ok_or_else(failed)?;
    let rank = rank.min(gradient.nrows()).min(gradient.ncols());
    let (on_left, on_right) = projection.sides(gradient.nrows(), gradient.ncols());
    let mut bases = BTreeMap::new();
    if on_left {
        bases.insert(LEFT, turned(left.columns(0, rank).into_owned(), old.get(LEFT)));
    }
    if on_right {
        bases.insert(RIGHT, turned(right.rows(0, rank).transpose(), old.get(RIGHT)));
    }
    Ok(bases)
}

/// The shape of the projected gradient; `None` where the bases are of another shape.
pub(super) fn projected_shape(
    shape: &[usize],
    state: &BTreeMap<&'static str, StateTensor>,
) -> Option<Vec<usize>> {
    let mut projected = shape.to_vec();
    for (side, basis) in [(0, LEFT), (1, RIGHT)] {
        if let Some(basis) = state.get(basis) {
            if basis.shape.first() != shape.get(side) || basis.shape.len() != 2 {
                return None;
            }
            projected[side] = basis.shape[1];
        }
    }
    Some(projected)
}

pub(super) fn matrix(values: &[f32], rows: usize, columns: usize) -> DMatrix<f64> {
    DMatrix::from_row_iterator(rows, columns, values.iter().map(|&value| f64::from(value)))
}

pub(super) fn from_tensor(tensor: &StateTensor) -> DMatrix<f64> {
    matrix(&tensor.values, tensor.shape[0], tensor.shape[1])
}

pub(super) fn by_rows(matrix: &DMatrix<f64>) -> Vec<f64> {
    matrix.transpose().iter().copied().collect()
}

/// A basis whose vectors point the way of the old ones; the first ones, with their largest element.
fn turned(mut vectors: DMatrix<f64>, old: Option<&StateTensor>) -> StateTensor {
    let old = old.map(from_tensor).filter(|old| old.shape() == vectors.shape());
    for (number, mut vector) in vectors.column_iter_mut().enumerate() {
        let way = match &old {
            Some(old) => vector.dot(&old.column(number)),
            None => vector[vector.iamax()],
        };
        if way < 0.0 {
            vector.neg_mut();
        }
    }
    to_tensor(&vectors)
}

fn to_tensor(matrix: &DMatrix<f64>) -> StateTensor {
    let values = by_rows(matrix).into_iter().map(|value| value as f32).collect();
    StateTensor { shape: vec![matrix.nrows(), matrix.ncols()], values }
}
