//! Alignment via optimal transport (arXiv 2406.05882): margins between the sorted values of a batch.

/// The mean of a loss over `x_(i) - y_(i)`, where both lists are sorted, and its derivatives with
/// respect to every `x` and `y`. `rule` gives value and derivative for one margin; equal values keep
/// their order. The lists have the same length.
///
/// The result depends on what is in a batch together.
pub fn sorted_margins(x: &[f64], y: &[f64], rule: impl Fn(f64) -> (f64, f64)) -> (f64, Vec<f64>, Vec<f64>) {
    let order = |values: &[f64]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        order
    };
    let (mut by_x, mut by_y, mut value) = (vec![0.0; x.len()], vec![0.0; y.len()], 0.0);
    let share = 1.0 / x.len().max(1) as f64;
    for (i, j) in order(x).into_iter().zip(order(y)) {
        let (loss, slope) = rule(x[i] - y[j]);
        value += share * loss;
        by_x[i] = share * slope;
        by_y[j] = -share * slope;
    }
    (value, by_x, by_y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_mean() {
        let rule = |margin: f64| (margin * margin, 2.0 * margin);
        let (x, y) = ([0.3, -1.0, 2.0], [0.5, 0.9, -0.2]);
        let (value, by_x, by_y) = sorted_margins(&x, &y, rule);
        // Sorted: -1 against -0.2, 0.3 against 0.5, 2 against 0.9.
        assert!((value - (0.64 + 0.04 + 1.21) / 3.0).abs() < 1e-12);
        for i in 0..3 {
            let nudge = |values: &[f64; 3], by: f64| {
                let mut values = *values;
                values[i] += by;
                values
            };
            let numeric = (sorted_margins(&nudge(&x, 1e-6), &y, rule).0
                - sorted_margins(&nudge(&x, -1e-6), &y, rule).0)
                / 2e-6;
            assert!((by_x[i] - numeric).abs() < 1e-8);
            let numeric = (sorted_margins(&x, &nudge(&y, 1e-6), rule).0
                - sorted_margins(&x, &nudge(&y, -1e-6), rule).0)
                / 2e-6;
            assert!((by_y[i] - numeric).abs() < 1e-8);
        }
    }
}
