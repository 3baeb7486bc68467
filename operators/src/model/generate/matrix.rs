//! Multiplication by a weight matrix, packed once per version of the weights. Every output is one chain
//! of fused multiply-adds over the inputs in their order, so a row has the same bits in any batch.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows of inputs are padded with zeros to a multiple of this many numbers.
const STEP: usize = 16;
/// Vectors of outputs that a panel holds side by side.
const VECTORS: usize = 2;
/// Multiply-adds from which the panels of a few rows are worth several threads.
const PARALLEL: usize = 1 << 21;

/// Length of a row of `width` inputs in a buffer.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(STEP)
}

/// What becomes of the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// They replace what the output holds.
    Replace,
    /// They are added to it.
    Add,
}

/// A matrix `[outputs, inputs]` in panels of neighbouring outputs, with an optional bias.
#[derive(Debug)]
pub(super) struct Matrix {
    inputs: usize,
    outputs: usize,
    /// Outputs per panel.
    width: usize,
    /// Panel by panel, input by input; padded with zeros.
    panels: Vec<f32>,
    /// Where the first panel begins, so that vectors do not straddle cache lines.
    start: usize,
    bias: Option<Vec<f32>>,
}

impl Matrix {
    /// Packs the rows (one per output) of matrices that share their inputs, one below the other.
    pub(super) fn new(parts: &[&[f32]], inputs: usize, bias: Option<Vec<f32>>) -> Self {
        let width = Arch::new().dispatch(Lanes) * VECTORS;
        let outputs = parts.iter().map(|part| part.len()).sum::<usize>() / inputs;
        let panel = padded(inputs) * width;
        let mut panels = vec![0.0; outputs.div_ceil(width) * panel + STEP];
        let start = panels.as_ptr().align_offset(64).min(STEP);
        let rows = parts.iter().flat_map(|part| part.chunks_exact(inputs));
        for (output, row) in rows.enumerate() {
            let base = start + output / width * panel + output % width;
            for (input, value) in row.iter().enumerate() {
                panels[base + input * width] = *value;
            }
        }
        Matrix { inputs, outputs, width, panels, start, bias }
    }

    /// Numbers in a row of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `rows` times the transposed matrix, plus the bias. Rows of inputs are [`padded`]; rows of outputs
    /// are not.
    pub(super) fn multiply(&self, rows: &[f32], store: Store, out: &mut [f32]) {
        let stride = padded(self.inputs);
        let count = rows.len() / stride;
        let panels = self.outputs.div_ceil(self.width);
        if count > STEP || count * stride * self.outputs < PARALLEL {
            let target = Target { out, stride: self.outputs, first: 0 };
            Arch::new().dispatch(Product { matrix: self, rows, panels: 0..panels, store, target });
            return;
        }
        let share = panels.div_ceil(4 * rayon::current_num_threads()).max(1);
        let strips: Vec<(usize, Vec<f32>)> = (0..panels)
            .into_par_iter()
            .step_by(share)
            .map(|first| {
                let last = (first + share).min(panels);
                let column = first * self.width;
                let width = (last * self.width).min(self.outputs) - column;
                let mut strip = vec![0.0; count * width];
                let target = Target { out: &mut strip, stride: width, first: column };
                let store = Store::Replace;
                Arch::new().dispatch(Product { matrix: self, rows, panels: first..last, store, target });
                (column, strip)
            })
            .collect();
        for (column, strip) in strips {
            let width = strip.len() / count;
            for (to, from) in out.chunks_exact_mut(self.outputs).zip(strip.chunks_exact(width)) {
                for (to, from) in to[column..column + width].iter_mut().zip(from) {
                    *to = if store == Store::Add { *to + from } else { *from };
                }
            }
        }
    }
}

/// Numbers in a vector of this machine.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Rows of outputs that begin at column `first` of the matrix.
struct Target<'a> {
    out: &'a mut [f32],
    stride: usize,
    first: usize,
}

struct Product<'a> {
    matrix: &'a Matrix,
    rows: &'a [f32],
    panels: std::ops::Range<usize>,
    store: Store,
    target: Target<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let steps = padded(self.matrix.inputs) / STEP;
        let (rows, _) = self.rows.as_chunks::<STEP>();
        let count = rows.len() / steps;
        for panel in self.panels.clone() {
            let mut row = 0;
            if S::REGISTER_COUNT >= 32 {
                while row + 12 <= count {
                    self.tile::<S, 12>(simd, panel, rows, steps, row);
                    row += 12;
                }
            }
            while row + 6 <= count {
                self.tile::<S, 6>(simd, panel, rows, steps, row);
                row += 6;
            }
            while row + 2 <= count {
                self.tile::<S, 2>(simd, panel, rows, steps, row);
                row += 2;
            }
            if row < count {
                self.tile::<S, 1>(simd, panel, rows, steps, row);
            }
        }
    }
}

impl Product<'_> {
    /// A panel's outputs for `ROWS` rows, all in registers.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        panel: usize,
        rows: &[[f32; STEP]],
        steps: usize,
        first: usize,
    ) {
        let matrix = self.matrix;
        let size = steps * STEP * matrix.width;
        let weights = &matrix.panels[matrix.start + panel * size..][..size];
        let (weights, _) = S::as_simd_f32s(weights);
        let (weights, _) = weights.as_chunks::<{ STEP * VECTORS }>();
        let inputs: [&[[f32; STEP]]; ROWS] =
            std::array::from_fn(|row| &rows[(first + row) * steps..][..weights.len()]);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (step, weights) in weights.iter().enumerate() {
            let inputs: [&[f32; STEP]; ROWS] = std::array::from_fn(|row| &inputs[row][step]);
            for input in 0..STEP {
                for row in 0..ROWS {
                    let value = simd.splat_f32s(inputs[row][input]);
                    for vector in 0..VECTORS {
                        let weight = weights[input * VECTORS + vector];
                        sums[row][vector] = simd.mul_add_f32s(value, weight, sums[row][vector]);
                    }
                }
            }
        }
        let column = panel * matrix.width;
        let width = matrix.width.min(matrix.outputs - column);
        let bias = matrix.bias.as_ref().map(|bias| &bias[column..column + width]);
        for (row, sums) in sums.iter().enumerate() {
            let start = (first + row) * self.target.stride + column - self.target.first;
            let out = &mut self.target.out[start..start + width];
            let sums: &[f32] = pulp::bytemuck::cast_slice(sums.as_slice());
            for (i, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                let sum = bias.map_or(*sum, |bias| *sum + bias[i]);
                *out = if self.store == Store::Add { *out + sum } else { sum };
            }
        }
    }
}
