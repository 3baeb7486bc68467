//! Columns that recipes declare beside reward, tokens and mask: what they hold and what provides them.

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Real numbers.
    Number,
    /// Numbers in `0..=1`.
    Share,
    /// True or false.
    Flag,
    /// Whole numbers that are not negative.
    Count,
    /// Text, such as ids and labels.
    Text,
    /// Something that no signal can hold, such as vectors; for operators.
    Vectors,
}

impl Of {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Of::Number => "numbers",
            Of::Share => "numbers in 0..=1",
            Of::Flag => "true or false",
            Of::Count => "whole numbers",
            Of::Text => "text",
            Of::Vectors => "vectors",
        }
    }
}

/// One column that a recipe reads. Its level is in its name: `step_scores` has one value per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The column.
    pub column: &'static str,
    /// What its values are.
    pub of: Of,
    /// What they mean.
    pub meaning: &'static str,
    /// Which operator, judge or import provides them: the hint where the column is missing.
    pub provider: &'static str,
}

/// Declares a column.
pub const fn input(column: &'static str, of: Of, meaning: &'static str, provider: &'static str) -> Input {
    Input { column, of, meaning, provider }
}
