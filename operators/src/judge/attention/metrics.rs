//! Windowed average attention distance and future attention influence (arXiv 2510.13554).

use super::Triangle;

/// Windowed average attention distance of each token from `first` on, over the mean attention of local
/// heads: `WAAD_t = sum_{s <= t} A[t][s] * min(t - s, window)`.
///
/// ```
/// use meed_operators::judge::attention::{Triangle, look_back};
/// let attention = [1.0, 0.5, 0.5, 0.1, 0.6, 0.3, 0.4, 0.1, 0.4, 0.1];
/// let waad = look_back(Triangle::new(&attention).unwrap(), 0, 3);
/// assert!(waad.iter().zip([0.0, 0.5, 0.8, 1.8]).all(|(got, want)| (got - want).abs() < 1e-12));
/// ```
pub fn look_back<W: Copy + Into<f64>>(attention: Triangle<'_, W>, first: usize, window: usize) -> Vec<f64> {
    let distance = |t: usize| {
        let weights = attention.row(t).iter().map(|&weight| weight.into()).enumerate();
        weights.map(|(s, weight)| weight * (t - s).min(window) as f64).sum()
    };
    (first..attention.tokens()).map(distance).collect()
}

/// Future attention influence of each token `s` from `first` on, over the mean attention of global
/// heads: the mean of `A[t][s]` over the later tokens `t` in `s + nearest ..= s + farthest`; 0 where
/// there is none.
pub fn future_influence<W: Copy + Into<f64>>(
    attention: Triangle<'_, W>,
    first: usize,
    nearest: usize,
    farthest: usize,
) -> Vec<f64> {
    let tokens = attention.tokens();
    let influence = |s: usize| {
        let later = s + nearest..(s + farthest + 1).min(tokens);
        match later.len() {
            0 => 0.0,
            count => later.map(|t| attention.weight(t, s)).sum::<f64>() / count as f64,
        }
    };
    (first..tokens).map(influence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).for_each(|(got, want)| assert!((got - want).abs() < 1e-12, "{got} {want}"));
    }

    fn flat(rows: [&[f64]; 6]) -> Vec<f64> {
        rows.concat()
    }

    /// The numeric check of the section.
    #[test]
    fn metrics_of_six_tokens() {
        let local = flat([
            &[1.0],
            &[0.5, 0.5],
            &[0.1, 0.6, 0.3],
            &[0.4, 0.1, 0.4, 0.1],
            &[0.05, 0.05, 0.1, 0.5, 0.3],
            &[0.3, 0.1, 0.1, 0.1, 0.2, 0.2],
        ]);
        near(&look_back(Triangle::new(&local).unwrap(), 0, 3), &[0.0, 0.5, 0.8, 1.8, 1.0, 1.9]);
        let global = flat([
            &[1.0],
            &[0.8, 0.2],
            &[0.3, 0.5, 0.2],
            &[0.2, 0.5, 0.1, 0.2],
            &[0.1, 0.6, 0.1, 0.1, 0.1],
            &[0.1, 0.4, 0.1, 0.2, 0.1, 0.1],
        ]);
        let influence = future_influence(Triangle::new(&global).unwrap(), 0, 2, 4);
        near(&influence, &[0.2, 0.5, 0.1, 0.2, 0.0, 0.0]);
    }

    #[test]
    fn the_prompt_is_looked_at_but_not_scored() {
        let attention = flat([&[1.0], &[0.5, 0.5], &[1.0, 0.0, 0.0], &[0.0; 4], &[0.0; 5], &[0.0; 6]]);
        let attention = Triangle::new(&attention).unwrap();
        near(&look_back(attention, 2, 10), &[2.0, 0.0, 0.0, 0.0]);
        assert_eq!(future_influence(attention, 4, 1, 5).len(), 2);
        assert_eq!(future_influence(attention, 0, 10, 50), [0.0; 6], "shorter than the horizon");
    }
}
