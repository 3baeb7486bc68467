//! Credit expressions: typed, named, printable formulas over signals, evaluated column-wise.

mod assign;
pub mod build;
mod check;
mod column;
mod derived;
mod evaluate;
mod exact;
mod expression;
mod level;
mod load;
mod order;
mod parse;
mod pieces;
mod print;
mod program;
mod providers;
mod ranked;
mod schema;
mod statistics;
mod unit;

pub use assign::{Assigned, Assignment};
pub use build::*;
pub use check::{Checked, Reach};
pub use column::{Column, ValueType, Values};
pub use derived::*;
pub use evaluate::{Evaluated, evaluate};
pub use exact::ExactSum;
pub use expression::{
    By, Expr, Function, Members, Node, Operator, Position, Reduction, Running, Scope, Statistic, Window,
};
pub use level::{Level, Levels, ROLLOUT, STEP, TOKEN, TURN};
pub use order::compare_ids;
pub use program::{ADVANTAGE, CLIP_HIGH, CLIP_LOW, Credit, IN_BASELINE, RETURNS, WEIGHTS};
pub use providers::provider;
pub use schema::{SignalSchema, Type};
pub use statistics::{BatchStatistics, Partial};
pub use unit::{Extent, Unit};
