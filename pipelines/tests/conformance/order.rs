//! Order: results do not depend on the order of rows, of groups, or of the rollouts of a group.

use crate::data::Draw;
use crate::rollouts::small;
use crate::support::{Failures, rows, subjects, words};

#[test]
fn any_order_of_rows_gives_the_same_bits() {
    let mut failures = Failures::default();
    for subject in subjects() {
        let outcome = (|| {
            let batch = subject.batch(&small())?;
            let expected = subject.given(&batch).map_err(|error| words(&error))?;
            let straight: Vec<usize> = (0..batch.num_rows()).collect();
            let mut mixed = straight.clone();
            Draw::new(11).shuffle(&mut mixed);
            for order in [straight.iter().rev().copied().collect(), mixed] {
                let given = subject.given(&rows(&batch, order)).map_err(|error| words(&error))?;
                if let Some(difference) = expected.difference(&given) {
                    return Err(difference);
                }
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            failures.add(subject.name(), error);
        }
    }
    failures.report();
}
