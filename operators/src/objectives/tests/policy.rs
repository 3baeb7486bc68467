//! Policy objectives against their formulas: the cases of all families.

use proptest::prelude::*;

use super::batch::batch;
use super::check;
use super::clipped::clips;
use super::real::real;
use super::selected::{covariances, masks};
use super::weighted::{regions, weighted};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn gradients_are_those_of_the_formulas(seed in any::<u64>()) {
        let columns = batch(seed);
        // The covariances of one or two tokens tie.
        let many = columns.mask.iter().filter(|&&on| on).count() > 2;
        let covariances = if many { covariances() } else { Vec::new() };
        for family in [clips(), weighted(), regions(), covariances, masks(), real()] {
            for (name, objective, naive) in family {
                check(name, objective.as_ref(), &naive, &columns);
            }
        }
    }
}

#[test]
fn gradients_are_compared_at_most_tokens() {
    let (mut compared, mut trainable) = (0, 0);
    for seed in 0..20 {
        let columns = batch(seed);
        for (name, objective, naive) in clips() {
            compared += check(name, objective.as_ref(), &naive, &columns);
            trainable += columns.mask.iter().filter(|&&on| on).count();
        }
    }
    assert!(compared * 100 >= trainable * 99, "{compared} of {trainable}");
}
