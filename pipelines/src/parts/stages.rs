//! Curricula in two stages: which rollouts are trained on before and after an iteration.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, progress, when};

use crate::parameters::Parameters;

/// Weight 1 for the rollouts of the stage at hand: those for which `second` is false before the iteration that the
/// parameter `starts` names, those for which it is true from then on; 0 for the others. All count where the parameter
/// is null, and the flag is not read.
pub fn staged(parameters: &Parameters, credit: Credit, starts: &str, second: Expr) -> Result<Credit> {
    Ok(match parameters.optional_number(starts)? {
        None => credit,
        Some(start) => {
            let begun = progress(start - 1.0, start).at_least(1.0);
            credit.weights(when(second.equals(begun), 1.0, 0.0))
        }
    })
}
