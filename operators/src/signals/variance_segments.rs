//! Intermediate stages of a rollout: its steps cut where the features inside each part vary least.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use super::step_vectors::StepVectors;
use crate::Result;
use crate::columns::list_of;
use crate::credit::{STEP, Unit};

/// Adds `step_segments`, the number of the segment that each policy step is in, from 0.
///
/// A rollout's policy steps are cut into so many consecutive segments of at least `least` steps that the sum over
/// segments of their spread is least, where the spread is the standard deviation (population) of each feature,
/// averaged over features. Of equal cuts the earliest counts. A rollout that is too short has fewer segments; other
/// steps have null, and so has all of a rollout with a policy step without features.
///
/// ```
/// use meed_operators::signals::VarianceSegments;
/// let steps = [[0.0], [0.1], [5.0], [5.1], [9.0]];
/// let steps: Vec<&[f64]> = steps.iter().map(|step| step.as_slice()).collect();
/// assert_eq!(VarianceSegments::cut(&steps, 3, 1), [0, 0, 1, 1, 2]);
/// assert_eq!(VarianceSegments::cut(&steps, 2, 2), [0, 0, 1, 1, 1]);
/// ```
#[derive(Debug, Clone)]
pub struct VarianceSegments {
    /// The column with one list of features per step.
    pub features: String,
    /// Number of segments.
    pub segments: usize,
    /// Fewest steps of a segment.
    pub least: usize,
}

impl AddSignals for VarianceSegments {
    fn name(&self) -> &str {
        "variance_segments"
    }

    fn reads(&self) -> Vec<String> {
        vec![self.features.clone()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("step_segments", list_of(DataType::Int64), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let vectors = StepVectors::of(self.name(), unit, &self.features)?;
        let (policy, extent) = (unit.policy_steps()?, unit.extent(&STEP)?);
        let field = Arc::new(Field::new("element", DataType::Int64, true));
        let mut segments = ListBuilder::new(Int64Builder::new()).with_field(field);
        for row in 0..unit.rows() {
            let first = extent.rows[row];
            let Some(steps) = vectors.row(row)? else {
                segments.append(false);
                continue;
            };
            let mut found = vec![None; steps.len()];
            let own = (0..steps.len()).filter(|step| policy[first + step]);
            let own: Option<Vec<(usize, &[f64])>> = own.map(|step| Some((step, steps[step]?))).collect();
            let (places, features): (Vec<usize>, Vec<&[f64]>) = own.unwrap_or_default().into_iter().unzip();
            for (place, segment) in places.into_iter().zip(Self::cut(&features, self.segments, self.least)) {
                found[place] = Some(segment as i64);
            }
            segments.values().extend(found);
            segments.append(true);
        }
        Ok(vec![Arc::new(segments.finish())])
    }
}

impl VarianceSegments {
    /// The segment of each of these steps.
    pub fn cut(steps: &[&[f64]], segments: usize, least: usize) -> Vec<usize> {
        let (count, least) = (steps.len(), least.max(1));
        let segments = segments.min(count / least).max(1);
        // best[s][i]: least spread of steps i.. in s + 1 segments, and where the first of them ends.
        let mut best: Vec<Vec<(f64, usize)>> =
            vec![(0..=count).map(|begin| (spread(&steps[begin..]), count)).collect()];
        for more in 1..segments {
            let after = &best[more - 1];
            let of = |begin: usize| {
                let last = count.saturating_sub(more * least);
                let cuts = (begin + least..=last).map(|end| (spread(&steps[begin..end]) + after[end].0, end));
                cuts.reduce(|a, b| if b.0 < a.0 { b } else { a }).unwrap_or((f64::INFINITY, count))
            };
            let next = (0..=count).map(of).collect();
            best.push(next);
        }
        let mut found = vec![0; count];
        let mut begin = 0;
        for segment in 0..segments {
            let end = best[segments - 1 - segment][begin].1;
            found[begin..end].fill(segment);
            begin = end;
        }
        found
    }
}

/// Mean over features of their population deviation; 0 without steps or features.
fn spread(steps: &[&[f64]]) -> f64 {
    let (count, width) = (steps.len().max(1) as f64, steps.first().map_or(0, |step| step.len()));
    let deviation = |feature: usize| {
        let mean = steps.iter().map(|step| step[feature]).sum::<f64>() / count;
        (steps.iter().map(|step| (step[feature] - mean).powi(2)).sum::<f64>() / count).sqrt()
    };
    (0..width).map(deviation).sum::<f64>() / width.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least spread by trying the end of the first segment, and the rest in turn.
    fn tried(steps: &[&[f64]], segments: usize, least: usize) -> f64 {
        if segments == 1 {
            return spread(steps);
        }
        let ends = least..=steps.len() - (segments - 1) * least;
        ends.map(|end| spread(&steps[..end]) + tried(&steps[end..], segments - 1, least))
            .fold(f64::INFINITY, f64::min)
    }

    proptest! {
        #[test]
        fn no_other_cut_spreads_less(
            features in prop::collection::vec(prop::collection::vec(-3i32..3, 2), 1..9), segments in 1usize..4, least in 1usize..3,
        ) {
            let features: Vec<Vec<f64>> =
                features.into_iter().map(|step| step.into_iter().map(f64::from).collect()).collect();
            let steps: Vec<&[f64]> = features.iter().map(Vec::as_slice).collect();
            let cut = VarianceSegments::cut(&steps, segments, least);
            let parts: Vec<&[usize]> = cut.chunk_by(|a, b| a == b).collect();
            let fit = segments.min(steps.len() / least).max(1);
            prop_assert_eq!(parts.len(), fit);
            prop_assert!(fit == 1 || parts.iter().all(|part| part.len() >= least));
            let (mut begin, mut sum) = (0, 0.0);
            for part in parts {
                sum += spread(&steps[begin..begin + part.len()]);
                begin += part.len();
            }
            prop_assert!((sum - tried(&steps, fit, least)).abs() < 1e-9);
        }
    }

    #[test]
    fn nothing_has_no_segments() {
        assert!(VarianceSegments::cut(&[], 3, 1).is_empty());
        assert_eq!(VarianceSegments::cut(&[&[1.0]], 3, 1), [0]);
    }
}
