//! Canonical order: group and rollout ids with runs of digits compared as numbers.

use std::cmp::Ordering;

/// Compares two ids: runs of digits as numbers, everything else by bytes; equal only if equal as
/// text.
///
/// ```
/// use meed_operators::credit::compare_ids;
/// assert!(compare_ids("g-2", "g-10").is_lt());
/// assert!(compare_ids("g-02", "g-2").is_ne());
/// ```
pub fn compare_ids(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (left.first(), right.first()) {
        let (x_digits, y_digits) = (digits(left), digits(right));
        if x_digits > 0 && y_digits > 0 {
            let (x_run, x_rest) = left.split_at(x_digits);
            let (y_run, y_rest) = right.split_at(y_digits);
            let (x_run, y_run) = (without_zeros(x_run), without_zeros(y_run));
            let order = x_run.len().cmp(&y_run.len()).then_with(|| x_run.cmp(y_run));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (x_rest, y_rest);
        } else if x != y {
            return x.cmp(&y);
        } else {
            (left, right) = (&left[1..], &right[1..]);
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn without_zeros(run: &[u8]) -> &[u8] {
    let zeros = run.iter().take_while(|&&byte| byte == b'0').count();
    &run[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_text() {
        let mut ids = vec!["r10", "r9", "r", "r1", "a2b10", "a2b9", "r01"];
        ids.sort_by(|a, b| compare_ids(a, b));
        assert_eq!(ids, ["a2b9", "a2b10", "r", "r01", "r1", "r9", "r10"]);
    }

    proptest! {
        #[test]
        fn total_order(a in "[a01-]{0,6}", b in "[a01-]{0,6}", c in "[a01-]{0,6}") {
            prop_assert_eq!(compare_ids(&a, &b), compare_ids(&b, &a).reverse());
            prop_assert_eq!(compare_ids(&a, &b) == Ordering::Equal, a == b);
            if compare_ids(&a, &b).is_le() && compare_ids(&b, &c).is_le() {
                prop_assert!(compare_ids(&a, &c).is_le());
            }
        }
    }
}
