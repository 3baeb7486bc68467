//! Elementary functions and sums in forms that the compiler turns into vector instructions.

/// Running sums of a row: enough for the widest vector registers.
pub(super) const LANES: usize = 16;

/// `1.5 * 2^23`: adding and subtracting it rounds to the nearest integer.
const ROUND: f32 = 12_582_912.0;
const ROUND_BITS: u32 = 0x4B40_0000;
/// Below this the result would be subnormal and is 0.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `e^x` within two units in the last place, 0 below -87 and `e^88` above 88; NaN stays NaN.
/// The polynomial is Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let bounded = if x < LEAST { LEAST } else { x };
    let bounded = if bounded > MOST { MOST } else { bounded };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (-whole).mul_add(LN_2_LOW, (-whole).mul_add(LN_2_HIGH, bounded));
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = rest.mul_add(sum, coefficient);
    }
    let fraction = (rest * rest).mul_add(sum, rest) + 1.0;
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND_BITS).wrapping_add(127) << 23);
    if x < LEAST { 0.0 } else { fraction * power }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Sum of the products of two rows in `f64`, in an order that depends on their length alone.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// `sum += part`, element by element.
#[inline(always)]
pub(super) fn add(sum: &mut [f32], part: &[f32]) {
    sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
}

/// The largest value; NaN where there is one.
#[inline(always)]
pub(super) fn max(row: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    let larger = |most: f32, x: f32| if x > most || x.is_nan() { x } else { most };
    for chunk in chunks {
        for (most, &x) in most.iter_mut().zip(chunk) {
            *most = larger(*most, x);
        }
    }
    most.iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |most, &x| if most.is_nan() { most } else { larger(most, x) })
}

/// Replaces every value by `e^(x - most)` and returns their sum in `f64`, in an order that depends on
/// places alone.
#[inline(always)]
pub(super) fn exponentials(row: &mut [f32], most: f32) -> f64 {
    let mut sums = [0.0f64; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *x = exp(*x - most);
            *sum += f64::from(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *x = exp(*x - most);
        *sum += f64::from(*x);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_close_and_bounded() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            let error = (f64::from(exp(x)) - want).abs() / want;
            assert!(error < 3e-7, "exp({x}): {error}");
        }
        assert_eq!((exp(0.0), exp(-1e9), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && exp(1e9).is_finite());
        assert!((sigmoid(0.5) - 0.622_459_3).abs() < 1e-7 && sigmoid(-200.0) < 1e-37);
    }

    #[test]
    fn the_largest_value_is_found_and_nan_is_kept() {
        let mut row: Vec<f32> = (0..37).map(|i| ((i * 7) % 37) as f32).collect();
        assert_eq!(max(&row), 36.0);
        row[3] = f32::NAN;
        assert!(max(&row).is_nan());
        row[3] = 0.0;
        row[36] = f32::NAN;
        assert!(max(&row).is_nan());
    }
}
