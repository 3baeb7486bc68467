//! Which layers and heads are averaged.

use super::AttentionRows;

/// The layers of the middle third of a stack, evenly spaced, at most so many: `floor(L/3)` to
/// `floor(2L/3)`, both included (arXiv 2510.13554).
///
/// ```
/// use meed_operators::judge::attention::middle_layers;
/// assert_eq!(middle_layers(36, 5), [12, 15, 18, 21, 24]);
/// assert_eq!(middle_layers(5, 5), [1, 2, 3]);
/// ```
pub fn middle_layers(layers: usize, count: usize) -> Vec<usize> {
    if layers == 0 || count == 0 {
        return Vec::new();
    }
    let (first, last) = (layers / 3, (2 * layers / 3).min(layers - 1));
    let gaps = count.min(last - first + 1) - 1;
    let at = |i: usize| match gaps {
        0 => first,
        gaps => first + (i * (last - first) + gaps / 2) / gaps,
    };
    (0..=gaps).map(at).collect()
}

/// Heads that look near, and heads that look far, by number among the heads given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Of the smallest span.
    pub local: Vec<usize>,
    /// Of the largest span.
    pub global: Vec<usize>,
}

/// Sorts heads by their span, the mean over response tokens `t >= prompt` of
/// `sum_{s <= t} A[t][s] * (t - s)`, and takes the given share of each end, at least one head; ties go
/// to the head that comes first.
pub fn heads_by_span(heads: &[AttentionRows], prompt: usize, share: f64) -> Heads {
    let span = |rows: &AttentionRows| {
        let distances = rows.iter().enumerate().skip(prompt).map(|(t, row)| {
            row.iter().enumerate().map(|(s, weight)| f64::from(*weight) * (t - s) as f64).sum::<f64>()
        });
        let count = rows.len().saturating_sub(prompt).max(1);
        distances.sum::<f64>() / count as f64
    };
    let spans: Vec<f64> = heads.iter().map(span).collect();
    let mut order: Vec<usize> = (0..heads.len()).collect();
    order.sort_by(|&a, &b| spans[a].total_cmp(&spans[b]).then(a.cmp(&b)));
    let taken = ((share * heads.len() as f64).round() as usize).clamp(1.min(heads.len()), heads.len());
    let mut local = order[..taken].to_vec();
    order.sort_by(|&a, &b| spans[b].total_cmp(&spans[a]).then(a.cmp(&b)));
    let mut global = order[..taken].to_vec();
    local.sort_unstable();
    global.sort_unstable();
    Heads { local, global }
}

/// The mean attention of some heads, by number: a flat triangle, row after row.
pub fn mean_heads(heads: &[AttentionRows], chosen: &[usize]) -> Vec<f64> {
    let weights = |head: usize| heads[head].iter().flatten();
    let Some(&first) = chosen.first() else {
        return Vec::new();
    };
    let mut mean = vec![0.0; weights(first).count()];
    for &head in chosen {
        for (sum, weight) in mean.iter_mut().zip(weights(head)) {
            *sum += f64::from(*weight);
        }
    }
    mean.iter_mut().for_each(|sum| *sum /= chosen.len() as f64);
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far_heads_are_told_apart() {
        let head = |back: usize| -> AttentionRows {
            (0..6usize)
                .map(|t| (0..=t).map(|s| if s == t.saturating_sub(back) { 1.0 } else { 0.0 }).collect())
                .collect()
        };
        let heads: Vec<AttentionRows> = [3, 0, 4, 1].map(head).to_vec();
        assert_eq!(heads_by_span(&heads, 2, 0.3), Heads { local: vec![1], global: vec![2] });
        assert_eq!(heads_by_span(&heads, 2, 0.5), Heads { local: vec![1, 3], global: vec![0, 2] });
        let mean = mean_heads(&heads, &[1, 3]);
        assert_eq!(mean[10..15], [0.0, 0.0, 0.0, 0.5, 0.5]);
        assert_eq!(mean_heads(&heads, &[]), Vec::<f64>::new());
    }

    #[test]
    fn the_middle_third_of_any_stack() {
        assert_eq!(middle_layers(1, 5), [0]);
        assert_eq!(middle_layers(2, 5), [0, 1]);
        assert_eq!(middle_layers(0, 5), Vec::<usize>::new());
        assert_eq!(middle_layers(24, 1), [8]);
        assert_eq!(middle_layers(24, 5), [8, 10, 12, 14, 16]);
    }
}
