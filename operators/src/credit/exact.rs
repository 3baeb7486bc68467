//! Exactly rounded sums: the same bits in any order, and partial sums that merge.

use serde::{Deserialize, Serialize};

const LIMBS: usize = 69;
const ADDS_BEFORE_CARRY: u32 = 1 << 28;

/// The exact sum of finite `f64` values, as a fixed-point number of 69 limbs of 32 bits.
///
/// Adding and merging are exact, so the sum does not depend on order, slices or workers; it is
/// rounded once, when read.
///
/// ```
/// use meed_operators::credit::ExactSum;
/// let mut sum = ExactSum::default();
/// for x in [1e100, 1.0, -1e100] {
///     sum.add(x);
/// }
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExactSum {
    limbs: Vec<i64>,
    adds: u32,
    /// Sum of values that are infinite or NaN, which the limbs cannot hold; stored by its bits.
    #[serde(with = "bits")]
    special: f64,
}

mod bits {
    //! A number by its bits: JSON has no infinities.

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(x.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

impl Default for ExactSum {
    fn default() -> Self {
        ExactSum { limbs: vec![0; LIMBS], adds: 0, special: 0.0 }
    }
}

impl ExactSum {
    /// Adds a value.
    pub fn add(&mut self, x: f64) {
        if x == 0.0 {
            return;
        }
        if !x.is_finite() {
            self.special += x;
            return;
        }
        let bits = x.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as usize;
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, shift) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | (1 << 52), exponent - 1),
        };
        let wide = u128::from(mantissa) << (shift % 32);
        let sign = if bits >> 63 == 1 { -1 } else { 1 };
        for (offset, part) in [wide, wide >> 32, wide >> 64].into_iter().enumerate() {
            self.limbs[shift / 32 + offset] += sign * (part as u32 as i64);
        }
        self.adds += 1;
        if self.adds >= ADDS_BEFORE_CARRY {
            self.carry();
        }
    }

    /// Adds `x * y` without rounding the product.
    pub fn add_product(&mut self, x: f64, y: f64) {
        if y == 1.0 {
            return self.add(x);
        }
        let product = x * y;
        self.add(product);
        if product.is_finite() {
            self.add(x.mul_add(y, -product));
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (limb, more) in self.limbs.iter_mut().zip(&other.limbs) {
            *limb += more;
        }
        self.special += other.special;
    }

    /// The sum, correctly rounded to nearest, ties to even.
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut exact = self.clone();
        exact.carry();
        let negative = exact.limbs.last().is_some_and(|&top| top < 0);
        if negative {
            for limb in &mut exact.limbs {
                *limb = -*limb;
            }
            exact.carry();
        }
        let Some(top) = exact.limbs.iter().rposition(|&limb| limb != 0) else {
            return 0.0;
        };
        let limb = |index: usize| exact.limbs[index] as u128;
        let low = top.saturating_sub(2);
        let mut head = 0u128;
        for index in (low..=top).rev() {
            head = (head << 32) | limb(index);
        }
        if exact.limbs[..low].iter().any(|&limb| limb != 0) {
            head |= 1;
        }
        let magnitude = scale(head, low as i32 * 32 - 1074);
        if negative { -magnitude } else { magnitude }
    }

    /// The sum as a few values, greatest first, whose exact sum it is.
    pub fn expansion(&self) -> Vec<f64> {
        let mut rest = self.clone();
        let mut parts = Vec::new();
        loop {
            let part = rest.value();
            if part == 0.0 || !part.is_finite() {
                return parts;
            }
            parts.push(part);
            rest.add(-part);
        }
    }

    /// Brings every limb but the last into `0..2^32`.
    fn carry(&mut self) {
        let mut carry = 0i64;
        let last = self.limbs.len() - 1;
        for limb in &mut self.limbs[..last] {
            let total = *limb + carry;
            *limb = total & 0xffff_ffff;
            carry = total >> 32;
        }
        self.limbs[last] += carry;
        self.adds = 0;
    }
}

/// `head * 2^exponent`, rounded once; the lowest bit of a head of more than 64 bits is sticky.
fn scale(head: u128, exponent: i32) -> f64 {
    let bits = 128 - head.leading_zeros() as i32;
    let least = (-1074 - exponent).max(0);
    let drop = (bits - 53).max(least).max(0);
    if drop == 0 {
        return head as f64 * power_of_two(exponent);
    }
    if drop >= 128 {
        return 0.0;
    }
    let kept = head >> drop;
    let rest = head & ((1u128 << drop) - 1);
    let half = 1u128 << (drop - 1);
    let up = rest > half || (rest == half && kept & 1 == 1);
    let rounded = (kept + u128::from(up)) as f64;
    rounded * power_of_two(exponent + drop)
}

/// Exact, subnormal powers included; `powi` goes through the reciprocal, which overflows.
fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        ..-1074 => 0.0,
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|&x| sum.add(x));
        sum.value()
    }

    #[test]
    fn single_values_come_back() {
        for x in [0.0, 1.0, -1.5, 0.1, f64::MAX, f64::MIN_POSITIVE, 5e-324, -3e-310, 1e300] {
            assert_eq!(exact(&[x]), x);
        }
    }

    #[test]
    fn rounds_to_nearest_even() {
        let ulp = f64::EPSILON;
        assert_eq!(exact(&[1.0, ulp / 2.0]), 1.0);
        assert_eq!(exact(&[1.0, ulp / 2.0, 1e-40]), 1.0 + ulp);
        assert_eq!(exact(&[1.0 + ulp, ulp / 2.0]), 1.0 + 2.0 * ulp);
    }

    proptest! {
        #[test]
        fn any_order_and_any_split(mut values in prop::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite() && x.abs() < 1e300), 0..40), cut in 0usize..40) {
            let straight = exact(&values);
            let cut = cut.min(values.len());
            let (mut left, mut right) = (ExactSum::default(), ExactSum::default());
            values[..cut].iter().for_each(|&x| left.add(x));
            values[cut..].iter().for_each(|&x| right.add(x));
            left.merge(&right);
            prop_assert_eq!(left.value().to_bits(), straight.to_bits());
            values.reverse();
            prop_assert_eq!(exact(&values).to_bits(), straight.to_bits());
            let parts = left.expansion();
            prop_assert_eq!(exact(&parts).to_bits(), straight.to_bits());
        }

        #[test]
        fn agrees_with_integers(values in prop::collection::vec(-(1i64 << 40)..(1i64 << 40), 0..60)) {
            let floats: Vec<f64> = values.iter().map(|&x| x as f64).collect();
            prop_assert_eq!(exact(&floats), values.iter().sum::<i64>() as f64);
        }
    }
}
