//! Products of small matrices inside an operation, for which a call of the library costs too much.

/// Columns of a tile. Widths of right sides and results are multiples of it; see [`padded`].
const COLUMNS: usize = 16;
/// Rows of a tile.
const ROWS: usize = 4;

/// The next multiple of a tile's width.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(COLUMNS)
}

/// A left side with its strides, so that a transpose is only another view.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    /// Where its values are.
    pub values: &'a [f32],
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

/// A right side or a result: rows that lie `stride` apart, of which the first `width` columns take part.
/// `width` is a multiple of 16.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// From one row to the next.
    pub stride: usize,
    /// Columns that take part.
    pub width: usize,
}

/// `result += left * right` with `rows x inner` by `inner x width`. Every element is one chain of fused multiply-adds over `inner` in order, so
/// its bits depend on nothing but its row and column.
#[inline(always)]
pub(super) fn add_product(
    result: &mut [f32],
    left: Left<'_>,
    right: &[f32],
    rows: usize,
    inner: usize,
    columns: Columns,
) {
    let mut row = 0;
    while row + ROWS <= rows {
        strip::<ROWS>(result, left, right, row, inner, columns);
        row += ROWS;
    }
    while row < rows {
        strip::<1>(result, left, right, row, inner, columns);
        row += 1;
    }
}

#[inline(always)]
fn strip<const N: usize>(
    result: &mut [f32],
    left: Left<'_>,
    right: &[f32],
    row: usize,
    inner: usize,
    Columns { stride, width }: Columns,
) {
    for column in (0..width).step_by(COLUMNS) {
        let mut sums = [[0.0f32; COLUMNS]; N];
        for (i, sum) in sums.iter_mut().enumerate() {
            sum.copy_from_slice(&result[(row + i) * stride + column..][..COLUMNS]);
        }
        for k in 0..inner {
            let mut line = [0.0f32; COLUMNS];
            line.copy_from_slice(&right[k * stride + column..][..COLUMNS]);
            for (i, sum) in sums.iter_mut().enumerate() {
                let factor = left.values[(row + i) * left.row + k * left.column];
                for (sum, &value) in sum.iter_mut().zip(&line) {
                    *sum = factor.mul_add(value, *sum);
                }
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            result[(row + i) * stride + column..][..COLUMNS].copy_from_slice(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_any_height_and_their_transposes() {
        for (rows, inner, width) in [(1, 3, 16), (7, 5, 32), (8, 0, 16)] {
            let left: Vec<f32> = (0..rows * inner).map(|i| (i % 5) as f32 - 2.0).collect();
            let right: Vec<f32> = (0..inner * width).map(|i| (i % 7) as f32 - 3.0).collect();
            let flipped: Vec<f32> = (0..rows * inner).map(|i| left[(i % rows) * inner + i / rows]).collect();
            let (mut straight, mut transposed) = (vec![1.0; rows * width], vec![1.0; rows * width]);
            let columns = Columns { stride: width, width };
            let view = Left { values: &left, row: inner, column: 1 };
            add_product(&mut straight, view, &right, rows, inner, columns);
            let view = Left { values: &flipped, row: 1, column: rows };
            add_product(&mut transposed, view, &right, rows, inner, columns);
            for i in 0..rows {
                for j in 0..width {
                    let sum: f32 = (0..inner).map(|k| left[i * inner + k] * right[k * width + j]).sum();
                    assert_eq!(straight[i * width + j], 1.0 + sum);
                }
            }
            assert_eq!(straight, transposed);
        }
    }
}
