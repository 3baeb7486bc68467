//! Weighted draws without replacement.

use rand::Rng;

use crate::random::RandomKey;

/// Draws `count` of the weighted items without replacement, as if one after another with probabilities
/// proportional to the weights of those that are left: true for the drawn. Each item's draw depends on the
/// key and its number only. Items without a positive weight come last.
///
/// ```
/// use meed_operators::objectives::preference::draw;
/// use meed_operators::random::RandomKey;
/// let key = RandomKey::new(7, 0, "", "");
/// assert_eq!(draw(&[1.0, 0.0, 1.0], 2, key), [true, false, true]);
/// assert_eq!(draw(&[1.0, 2.0, 3.0], 1, key), draw(&[1.0, 2.0, 3.0], 1, key));
/// ```
pub fn draw(weights: &[f64], count: usize, key: RandomKey) -> Vec<bool> {
    // Efraimidis and Spirakis 2006: the largest u^(1/w).
    let race = |(i, weight): (usize, &f64)| {
        let time = -(1.0 - key.at(i as u64).random::<f64>()).ln() / weight.max(0.0);
        (if time.is_nan() { f64::INFINITY } else { time }, i)
    };
    let mut order: Vec<(f64, usize)> = weights.iter().enumerate().map(race).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut drawn = vec![false; weights.len()];
    order.iter().take(count).for_each(|&(_, i)| drawn[i] = true);
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavier_items_are_drawn_more_often() {
        let (mut counts, runs) = ([0; 3], 4000);
        for seed in 0..runs {
            let drawn = draw(&[1.0, 2.0, 5.0], 1, RandomKey::new(seed, 0, "", ""));
            assert_eq!(drawn.iter().filter(|&&on| on).count(), 1);
            counts.iter_mut().zip(drawn).for_each(|(count, on)| *count += u64::from(on));
        }
        for (count, share) in counts.into_iter().zip([0.125, 0.25, 0.625]) {
            assert!((count as f64 / runs as f64 - share).abs() < 0.03, "{counts:?}");
        }
    }
}
