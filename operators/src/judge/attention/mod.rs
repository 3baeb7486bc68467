//! Signals from a model's attention: how far tokens look back, which ones later tokens return to, and
//! how the question's information flows to the answer.

mod flow;
mod heads;
mod metrics;
mod signals;
mod triangle;

pub use flow::{flow, question_and_answer, sink_potential};
pub use heads::{Heads, heads_by_span, mean_heads, middle_layers};
pub use metrics::{future_influence, look_back};
pub use signals::{FutureInfluence, InformationFlow, LookBack};
pub use triangle::Triangle;

use crate::Result;

/// Attention of one head: row `t` has the weights with which token `t` attends to the tokens `0..=t`.
pub type AttentionRows = Vec<Vec<f32>>;

/// A model that can say where its heads look.
pub trait Attention: Send + Sync {
    /// Version of the weights.
    fn version(&self) -> i64;

    /// Number of layers.
    fn layers(&self) -> usize;

    /// Attention over a sequence in one forward pass without sampling: per wanted layer, per head, one
    /// row per token, whose weights are not negative and sum to 1.
    ///
    /// # Errors
    /// Tokens or layers that the model does not have, and failures of its device.
    fn attention(&self, tokens: &[i32], layers: &[usize]) -> Result<Vec<Vec<AttentionRows>>>;
}
