//! Arithmetic of a tree search: which action to try next, and the mean of what it led to.

/// PUCT: `Q + c P sqrt(N) / (1 + n)` for an action with value `q` and prior `p` that was tried `visits` times, in a
/// state that was visited `parent_visits` times.
///
/// ```
/// assert!((meed_operators::tree::puct(0.4, 0.3, 10, 2, 1.0) - 0.7162277660).abs() < 1e-9);
/// ```
pub fn puct(q: f64, prior: f64, parent_visits: u64, visits: u64, c: f64) -> f64 {
    q + c * prior * (parent_visits as f64).sqrt() / (1.0 + visits as f64)
}

/// The mean value `q` of `visits` simulations after one more with reward `r`: `(Q n + r) / (n + 1)`.
///
/// ```
/// assert!((meed_operators::tree::backed_up(0.5, 2, 1.0) - 2.0 / 3.0).abs() < 1e-12);
/// ```
pub fn backed_up(q: f64, visits: u64, r: f64) -> f64 {
    (q * visits as f64 + r) / (visits as f64 + 1.0)
}
