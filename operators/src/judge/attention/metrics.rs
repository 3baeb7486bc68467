//! Windowed average attention distance and future attention influence (arXiv 2510.13554).

/// Windowed average attention distance of each token from `first` on, over the mean attention of local
/// heads: `WAAD_t = sum_{s <= t} A[t][s] * min(t - s, window)`.
///
/// ```
/// use meed_operators::judge::attention::look_back;
/// let rows = [vec![1.0], vec![0.5, 0.5], vec![0.1, 0.6, 0.3], vec![0.4, 0.1, 0.4, 0.1]];
/// let waad = look_back(&rows, 0, 3);
/// assert!(waad.iter().zip([0.0, 0.5, 0.8, 1.8]).all(|(got, want)| (got - want).abs() < 1e-12));
/// ```
pub fn look_back(attention: &[Vec<f64>], first: usize, window: usize) -> Vec<f64> {
    let tokens = attention.iter().enumerate().skip(first);
    tokens
        .map(|(t, row)| row.iter().enumerate().map(|(s, weight)| weight * (t - s).min(window) as f64).sum())
        .collect()
}

/// Future attention influence of each token `s` from `first` on, over the mean attention of global
/// heads: the mean of `A[t][s]` over the later tokens `t` in `s + nearest ..= s + farthest`; 0 where
/// there is none.
pub fn future_influence(attention: &[Vec<f64>], first: usize, nearest: usize, farthest: usize) -> Vec<f64> {
    let tokens = attention.len();
    let influence = |s: usize| {
        let later = s + nearest..(s + farthest + 1).min(tokens);
        match later.len() {
            0 => 0.0,
            count => later.map(|t| attention[t][s]).sum::<f64>() / count as f64,
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

    fn rows(rows: [&[f64]; 6]) -> Vec<Vec<f64>> {
        rows.map(<[f64]>::to_vec).to_vec()
    }

    /// The numeric check of the section.
    #[test]
    fn metrics_of_six_tokens() {
        let local = rows([
            &[1.0],
            &[0.5, 0.5],
            &[0.1, 0.6, 0.3],
            &[0.4, 0.1, 0.4, 0.1],
            &[0.05, 0.05, 0.1, 0.5, 0.3],
            &[0.3, 0.1, 0.1, 0.1, 0.2, 0.2],
        ]);
        near(&look_back(&local, 0, 3), &[0.0, 0.5, 0.8, 1.8, 1.0, 1.9]);
        let global = rows([
            &[1.0],
            &[0.8, 0.2],
            &[0.3, 0.5, 0.2],
            &[0.2, 0.5, 0.1, 0.2],
            &[0.1, 0.6, 0.1, 0.1, 0.1],
            &[0.1, 0.4, 0.1, 0.2, 0.1, 0.1],
        ]);
        near(&future_influence(&global, 0, 2, 4), &[0.2, 0.5, 0.1, 0.2, 0.0, 0.0]);
    }

    #[test]
    fn the_prompt_is_looked_at_but_not_scored() {
        let attention = rows([&[1.0], &[0.5, 0.5], &[1.0, 0.0, 0.0], &[0.0; 4], &[0.0; 5], &[0.0; 6]]);
        near(&look_back(&attention, 2, 10), &[2.0, 0.0, 0.0, 0.0]);
        assert_eq!(future_influence(&attention, 4, 1, 5).len(), 2);
        assert_eq!(future_influence(&attention, 0, 10, 50), [0.0; 6], "shorter than the horizon");
    }
}
