//! Judges that check without a model, one file each.
//!
//! A response that gives no answer, or a wrong one, scores 0: that is a verdict. Where there is nothing
//! to compare with, there is no score: [`Failure::Missing`](super::Failure::Missing).

mod answer;
mod calculation;
mod calculator;
mod choice;
mod exact;
mod number;
mod numeric;
mod passed;
mod pattern;
mod schema;
mod table;

pub use answer::Answer;
pub use calculation::calculations_correct;
pub use calculator::Calculator;
pub use choice::MultipleChoice;
pub use exact::Exact;
pub use number::{Number, final_number};
pub use numeric::Numeric;
pub use passed::Passed;
pub use pattern::Pattern;
pub use schema::JsonSchema;
pub use table::Table;
