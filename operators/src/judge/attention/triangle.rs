//! Attention as one flat lower triangle.

/// Attention of tokens over those up to them, row after row: row `t` has `t + 1` weights.
///
/// ```
/// use meed_operators::judge::attention::Triangle;
/// let triangle = Triangle::new(&[1.0, 0.5, 0.5, 0.1, 0.6, 0.3]).unwrap();
/// assert_eq!((triangle.tokens(), triangle.row(1)), (3, &[0.5, 0.5][..]));
/// assert!(Triangle::new(&[1.0, 0.5]).is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Triangle<'a, W> {
    weights: &'a [W],
    tokens: usize,
}

impl<'a, W: Copy + Into<f64>> Triangle<'a, W> {
    /// A triangle of `tokens * (tokens + 1) / 2` weights; `None` for any other number of them.
    pub fn new(weights: &'a [W]) -> Option<Self> {
        let tokens = ((8 * weights.len() + 1).isqrt() - 1) / 2;
        (tokens * (tokens + 1) / 2 == weights.len()).then_some(Triangle { weights, tokens })
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Weights with which token `t` attends to the tokens `0..=t`.
    pub fn row(&self, t: usize) -> &'a [W] {
        let first = t * (t + 1) / 2;
        &self.weights[first..=first + t]
    }

    /// Weight with which token `t` attends to token `s`, which is not after it.
    pub fn weight(&self, t: usize, s: usize) -> f64 {
        self.row(t)[s].into()
    }
}
