//! An objective that is one function of the batch.

use meed_operators::Result;
use meed_operators::objectives::{Columns, Loss, Objective};

struct Function<F> {
    name: &'static str,
    loss: F,
}

impl<F: Fn(&Columns) -> Result<Loss> + Send + Sync> Objective for Function<F> {
    fn name(&self) -> &str {
        self.name
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        (self.loss)(columns)
    }
}

/// The objective of a name that is computed by a function; it sees only batches that hold together.
pub fn function(
    name: &'static str,
    loss: impl Fn(&Columns) -> Result<Loss> + Send + Sync + 'static,
) -> Box<dyn Objective> {
    Box::new(Function { name, loss })
}
