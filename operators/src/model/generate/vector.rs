//! The element-wise parts of a block, row by row: norm, rotation, gate. Sums are taken in sixteen lanes
//! whatever the machine's vectors, so the bits depend on the row alone.
//!
//! Work is a value that [`pulp`] runs with the machine's vector instructions. All it calls is inlined into
//! it; elsewhere `mul_add` would be a call.

use pulp::{Arch, Simd, WithSimd};

use super::matrix::padded;

/// Lanes of every sum.
pub(super) const LANES: usize = 16;

/// `e^x` to about one unit in the last place, for numbers that a softmax or a gate meets; below -87 it
/// is `e^-87`. Reduction to `2^n e^r` and a polynomial of degree 6 in `r` (Cephes `expf`).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = whole.mul_add(-0.693_359_4, x);
    let rest = whole.mul_add(2.121_944_4e-4, rest);
    let mut sum = 1.987_569_1e-4_f32;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum.mul_add(rest, coefficient);
    }
    let value = sum.mul_add(rest * rest, rest) + 1.0;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    value * f32::from_bits(power)
}

/// The sum of sixteen lanes, in a fixed order.
#[inline(always)]
pub(super) fn total(lanes: &[f32; LANES]) -> f32 {
    let mut lanes = *lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// RMSNorm of each row of `scale.len()` numbers, into rows of [`padded`] length:
/// `x scale / sqrt(mean(x^2) + eps)`.
pub(super) fn rms_norm(rows: &[f32], scale: &[f32], eps: f32, out: &mut [f32]) {
    Arch::new().dispatch(RmsNorm { rows, scale, eps, out });
}

struct RmsNorm<'a> {
    rows: &'a [f32],
    scale: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl WithSimd for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.scale.len();
        for (row, out) in self.rows.chunks_exact(width).zip(self.out.chunks_exact_mut(padded(width))) {
            let factor = inverse_root(row, self.eps);
            for ((out, value), scale) in out.iter_mut().zip(row).zip(self.scale) {
                *out = value * factor * scale;
            }
        }
    }
}

/// RMSNorm of one head, in place.
#[inline(always)]
pub(super) fn head_norm(head: &mut [f32], scale: &[f32], eps: f32) {
    let factor = inverse_root(head, eps);
    for (value, scale) in head.iter_mut().zip(scale) {
        *value = *value * factor * scale;
    }
}

#[inline(always)]
fn inverse_root(row: &[f32], eps: f32) -> f32 {
    let mut squares = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (square, value) in squares.iter_mut().zip(chunk) {
            *square = value.mul_add(*value, *square);
        }
    }
    for (square, value) in squares.iter_mut().zip(rest) {
        *square = value.mul_add(*value, *square);
    }
    1.0 / (total(&squares) / row.len() as f32 + eps).sqrt()
}

/// Turns a head: elements `i` and `i + half` by the angle whose cosine and sine are given.
#[inline(always)]
pub(super) fn rotate(head: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let (first, second) = head.split_at_mut(cosines.len());
    for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
        let (x, y) = (*a, *b);
        *a = x * cosine - y * sine;
        *b = y * cosine + x * sine;
    }
}

/// `silu(gate) up`, from rows that hold `width` gates and then `width` ups, into [`padded`] rows.
pub(super) fn gate(rows: &[f32], width: usize, out: &mut [f32]) {
    Arch::new().dispatch(Gate { rows, width, out });
}

struct Gate<'a> {
    rows: &'a [f32],
    width: usize,
    out: &'a mut [f32],
}

impl WithSimd for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.rows.chunks_exact(2 * self.width);
        for (row, out) in rows.zip(self.out.chunks_exact_mut(padded(self.width))) {
            let (gates, ups) = row.split_at(self.width);
            for ((out, gate), up) in out.iter_mut().zip(gates).zip(ups) {
                *out = gate / (1.0 + exp(-gate)) * up;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_close() {
        for i in -870..880 {
            let x = i as f32 * 0.1 + 0.013;
            let want = f64::from(x.clamp(-87.0, 88.0)).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 3e-7, "{x}: {} {want}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn rows_are_normalised_into_padded_rows() {
        let row: Vec<f32> = (0..19).map(|i| i as f32 - 5.0).collect();
        let scale: Vec<f32> = (0..19).map(|i| 1.0 + i as f32 * 0.1).collect();
        let mut out = vec![0.0; padded(19)];
        rms_norm(&row, &scale, 1e-5, &mut out);
        let mean = row.iter().map(|x| x * x).sum::<f32>() / 19.0;
        for i in 0..19 {
            assert!((out[i] - row[i] * scale[i] / (mean + 1e-5).sqrt()).abs() < 1e-5);
        }
        assert!(out[19..].iter().all(|value| *value == 0.0));
    }
}
