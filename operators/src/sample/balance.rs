//! The balance of exploration and exploitation in selected samples, and the threshold with the best one.

/// One sample of a prompt, as B-STaR selects it.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredSample {
    /// Equal for samples with the same text.
    pub output: String,
    /// `min(step rewards) / 5 + [right]`; 1 for the reference solution.
    pub score: f64,
    /// Whether its answer is right.
    pub right: bool,
}

/// What to search: for each threshold the samples per prompt grow until the selection is large enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdSearch {
    /// Selected samples that are enough, over all prompts.
    pub target_size: usize,
    /// The first threshold.
    pub from: f64,
    /// No threshold is greater.
    pub to: f64,
    /// From a threshold to the next; thresholds are summed up, as in the reference.
    pub step: f64,
    /// Most samples per prompt.
    pub max_samples: usize,
    /// Right samples of a prompt that are enough.
    pub target_correct: usize,
}

impl Default for ThresholdSearch {
    /// The reference's, with every sample wanted.
    fn default() -> Self {
        ThresholdSearch {
            target_size: usize::MAX,
            from: -1.0,
            to: 1.0,
            step: 0.01,
            max_samples: 64,
            target_correct: 8,
        }
    }
}

/// The selection of a prompt: positions of the samples with a score above the threshold, best first and
/// equal ones in the order given, at most `most`; of equal outputs the first one is left.
///
/// Duplicates are merged after the cut, so that fewer than `most` may be left.
pub fn select_above(samples: &[ScoredSample], threshold: f64, most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].score > threshold).collect();
    order.sort_by(|&a, &b| samples[b].score.total_cmp(&samples[a].score));
    order.truncate(most);
    let mut seen = std::collections::HashSet::new();
    order.retain(|&i| seen.insert(samples[i].output.as_str()));
    order
}

/// B-STaR's balance score (Zeng et al. 2024): the mean over prompts with a selected sample of
/// `min(n_right / target_correct, 1) * n_right / n_selected`; `None` where nothing is selected.
///
/// ```
/// use meed_operators::sample::{ScoredSample, balance_score};
/// let sample = |output: usize, right| ScoredSample {
///     output: output.to_string(),
///     score: if right { 1.1 } else { 0.1 },
///     right,
/// };
/// let prompt: Vec<ScoredSample> = (0..9).map(|output| sample(output, output < 6)).collect();
/// assert_eq!(balance_score(&[prompt], -1.0, 64, 8), Some(0.5));
/// ```
pub fn balance_score(
    prompts: &[Vec<ScoredSample>],
    threshold: f64,
    most: usize,
    target_correct: usize,
) -> Option<f64> {
    balance_of(prompts, threshold, most, target_correct).1
}

/// The size of a selection, and its balance score.
fn balance_of(
    prompts: &[Vec<ScoredSample>],
    threshold: f64,
    most: usize,
    target_correct: usize,
) -> (usize, Option<f64>) {
    let (mut size, mut total, mut counted) = (0, 0.0, 0);
    for samples in prompts {
        let selected = select_above(samples, threshold, most);
        if selected.is_empty() {
            continue;
        }
        let right = selected.iter().filter(|&&i| samples[i].right).count() as f64;
        total += (right / target_correct as f64).min(1.0) * right / selected.len() as f64;
        size += selected.len();
        counted += 1;
    }
    (size, (counted > 0).then(|| total / f64::from(counted)))
}

/// What a search found for a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// The threshold.
    pub threshold: f64,
    /// Samples per prompt with which the selection was large enough, or all that are allowed.
    pub most: usize,
    /// The balance score; `None` where nothing is selected.
    pub score: Option<f64>,
}

/// The balance of every threshold, in order. For each one the samples per prompt grow from 1 until the
/// selection has `target_size`, or `max_samples` is reached.
pub fn balance_by_threshold(prompts: &[Vec<ScoredSample>], search: &ThresholdSearch) -> Vec<Balance> {
    let mut results = Vec::new();
    let mut threshold = search.from;
    while threshold <= search.to {
        let mut found = Balance { threshold, most: 0, score: None };
        for most in 1..=search.max_samples {
            let (size, score) = balance_of(prompts, threshold, most, search.target_correct);
            (found.most, found.score) = (most, score);
            if size >= search.target_size {
                break;
            }
        }
        results.push(found);
        if search.step <= 0.0 {
            break;
        }
        threshold += search.step;
    }
    results
}

/// The threshold with the best balance score, the first of equal ones; `None` where no threshold selects
/// anything.
///
/// Temperatures are compared by the scores of their samples.
pub fn search_threshold(prompts: &[Vec<ScoredSample>], search: &ThresholdSearch) -> Option<Balance> {
    let found = balance_by_threshold(prompts, search).into_iter().filter(|found| found.score.is_some());
    found.reduce(|best, next| if next.score > best.score { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(&str, f64, bool)]) -> Vec<ScoredSample> {
        let sample = |&(output, score, right): &(&str, f64, bool)| ScoredSample {
            output: output.to_owned(),
            score,
            right,
        };
        of.iter().map(sample).collect()
    }

    #[test]
    fn the_papers_numbers() {
        let prompt = |right: usize, selected: usize| -> Vec<ScoredSample> {
            let names: Vec<String> = (0..selected).map(|name| name.to_string()).collect();
            let of: Vec<(&str, f64, bool)> =
                names.iter().enumerate().map(|(at, name)| (name.as_str(), 0.5, at < right)).collect();
            samples(&of)
        };
        assert_eq!(balance_score(&[prompt(6, 9)], -1.0, 64, 8), Some(0.5));
        assert_eq!(balance_score(&[prompt(10, 12)], -1.0, 64, 8), Some(10.0 / 12.0));
    }

    #[test]
    fn duplicates_are_merged_after_the_cut() {
        let prompt = samples(&[("a", 0.9, true), ("a", 0.8, true), ("b", 0.7, false)]);
        assert_eq!(select_above(&prompt, 0.0, 2), [0]);
        assert_eq!(select_above(&prompt, 0.0, 3), [0, 2]);
        assert_eq!(select_above(&prompt, 0.7, 3), [0], "the threshold itself is not above it");
    }

    #[test]
    fn nothing_selected_is_no_score() {
        let prompt = samples(&[("a", 0.1, true)]);
        assert_eq!(balance_score(std::slice::from_ref(&prompt), 0.5, 4, 8), None);
        assert_eq!(balance_score(&[], 0.5, 4, 8), None);
        let above = ThresholdSearch { from: 0.5, ..ThresholdSearch::default() };
        assert_eq!(search_threshold(std::slice::from_ref(&prompt), &above), None);
        // A prompt of which nothing is selected does not count as 0.
        let other = samples(&[("b", 0.9, true)]);
        assert_eq!(balance_score(&[prompt, other], 0.5, 4, 1), Some(1.0));
    }

    #[test]
    fn the_first_of_the_best_thresholds_wins() {
        let prompt = samples(&[("a", 0.9, true), ("b", 0.25, false)]);
        let search = ThresholdSearch { from: 0.0, step: 0.125, ..ThresholdSearch::default() };
        let found = Balance { threshold: 0.25, most: 64, score: Some(0.125) };
        assert_eq!(search_threshold(std::slice::from_ref(&prompt), &search), Some(found));
        let few = ThresholdSearch { target_size: 1, ..search };
        let found = Balance { threshold: 0.0, most: 1, score: Some(0.125) };
        assert_eq!(search_threshold(&[prompt], &few), Some(found));
    }
}
