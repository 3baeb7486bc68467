//! Bounds on what a text may ask for, so that no text overflows the stack or fills the memory.

use std::collections::HashMap;

use crate::credit::expression::Expr;

/// How deep calls, parentheses and expressions may lie in one another.
pub(super) const DEPTH: usize = 128;
/// How many primitives an expression may have when it is printed.
const SIZE: usize = 100_000;

/// Depth and printed size of the expressions that were built, of which many share their parts.
#[derive(Default)]
pub(super) struct Measures {
    known: HashMap<usize, (usize, usize, Expr)>,
}

impl Measures {
    /// Whether an expression keeps the bounds.
    pub(super) fn keeps(&mut self, expr: &Expr) -> bool {
        let (depth, size) = self.measure(expr);
        depth <= DEPTH && size <= SIZE
    }

    /// The recursion goes only as deep as what was built since the last measure.
    fn measure(&mut self, expr: &Expr) -> (usize, usize) {
        if let Some((depth, size, _)) = self.known.get(&expr.address()) {
            return (*depth, *size);
        }
        let (mut depth, mut size) = (0, 1usize);
        for child in expr.node().children() {
            let (child_depth, child_size) = self.measure(&child);
            (depth, size) = (depth.max(child_depth), size.saturating_add(child_size));
        }
        // The expression is kept, so that no other takes its address.
        self.known.insert(expr.address(), (depth + 1, size, expr.clone()));
        (depth + 1, size)
    }
}
