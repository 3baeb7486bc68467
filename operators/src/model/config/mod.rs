//! What a causal transformer is made of: its sizes and variants, without its weights.

mod hugging_face;
mod rope;
mod shapes;

pub use rope::RopeScaling;
pub use shapes::{ParameterKind, ParameterShape};

use crate::{Error, Result};

/// The model families whose files are understood. All are RMSNorm, RoPE (half-rotation), grouped-query
/// attention and SwiGLU; they differ in biases and in the norms of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 1 to 3; no biases unless the configuration says so.
    Llama,
    /// Qwen2 and Qwen2.5: biases on query, key and value.
    Qwen2,
    /// Qwen3: RMSNorm of each head's queries and keys before the rotation.
    Qwen3,
}

/// Sizes and variants of a causal transformer.
///
/// ```
/// use meed_operators::model::config::ModelConfig;
/// let config = ModelConfig::named("small", 97)?;
/// assert_eq!((config.hidden, config.layers, config.heads, config.feed_forward), (128, 4, 4, 512));
/// assert_eq!(ModelConfig::named("128x4x4x512", 97)?, config);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Which family's conventions and file names.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of transformer blocks.
    pub layers: usize,
    /// Query heads of a block.
    pub heads: usize,
    /// Key and value heads of a block; divides `heads`.
    pub key_value_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Inner width of the feed-forward part.
    pub feed_forward: usize,
    /// Number of token ids.
    pub vocabulary: usize,
    /// Base of the rotation frequencies.
    pub rope_theta: f64,
    /// How the rotation frequencies are stretched.
    pub rope_scaling: RopeScaling,
    /// Added to the mean square inside the root of RMSNorm.
    pub norm_eps: f64,
    /// The output matrix is the embedding matrix.
    pub tied_embeddings: bool,
    /// Biases on query, key and value projections.
    pub attention_bias: bool,
    /// Bias on the attention's output projection.
    pub output_bias: bool,
    /// RMSNorm over each head of queries and keys.
    pub query_key_norm: bool,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    /// A linear value estimate of the hidden state after the last norm.
    pub value_head: bool,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
}

impl ModelConfig {
    /// A Llama of these sizes with tied embeddings and as many key-value heads as heads.
    ///
    /// # Errors
    /// Sizes that do not fit together, see [`ModelConfig::check`].
    pub fn from_sizes(
        vocabulary: usize,
        hidden: usize,
        layers: usize,
        heads: usize,
        feed_forward: usize,
    ) -> Result<Self> {
        let config = ModelConfig {
            family: Family::Llama,
            hidden,
            layers,
            heads,
            key_value_heads: heads,
            head_dim: hidden.checked_div(heads).unwrap_or(0),
            feed_forward,
            vocabulary,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            norm_eps: 1e-6,
            tied_embeddings: true,
            attention_bias: false,
            output_bias: false,
            query_key_norm: false,
            max_positions: 2048,
            value_head: false,
            initializer_range: 0.02,
        };
        if config.head_dim * heads != hidden {
            return Err(Error::usage(
                format!("a hidden size of {hidden} cannot be cut into {heads} heads"),
                "choose a hidden size that is a multiple of the number of heads",
            ));
        }
        config.check()?;
        Ok(config)
    }

    /// A model by name: `tiny` (64x2x4x256), `small` (128x4x4x512, 0.8 M parameters beside the
    /// embeddings), `medium` (256x6x8x1024), or `hidden x layers x heads x feed-forward` as in
    /// `128x4x4x512`.
    ///
    /// # Errors
    /// A name that is none of these.
    pub fn named(name: &str, vocabulary: usize) -> Result<Self> {
        let sizes = match name {
            "tiny" => "64x2x4x256",
            "small" => "128x4x4x512",
            "medium" => "256x6x8x1024",
            other => other,
        };
        let numbers: Option<Vec<usize>> = sizes.split('x').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[hidden, layers, heads, feed_forward]) => {
                Self::from_sizes(vocabulary, hidden, layers, heads, feed_forward)
            }
            _ => Err(Error::usage(
                format!("there is no model named `{name}`"),
                "use `tiny`, `small`, `medium`, sizes as in `128x4x4x512` (hidden, layers, heads, \
                 feed-forward), or the directory of a model",
            )),
        }
    }

    /// The same model with a value head.
    pub fn with_value_head(mut self) -> Self {
        self.value_head = true;
        self
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// A size of 0, heads that are no multiple of key-value heads, an odd head width.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| {
            Err(Error::usage(message, "the model's configuration is at fault; see its config.json"))
        };
        let sizes = [
            ("hidden size", self.hidden),
            ("number of layers", self.layers),
            ("number of heads", self.heads),
            ("number of key-value heads", self.key_value_heads),
            ("head width", self.head_dim),
            ("feed-forward size", self.feed_forward),
            ("vocabulary", self.vocabulary),
            ("number of positions", self.max_positions),
        ];
        if let Some((what, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return refuse(format!("the model's {what} is 0"));
        }
        if i32::try_from(self.vocabulary).is_err() {
            return refuse(format!("a vocabulary of {} tokens is too large", self.vocabulary));
        }
        if !self.heads.is_multiple_of(self.key_value_heads) {
            return refuse(format!(
                "{} heads are no multiple of {} key-value heads",
                self.heads, self.key_value_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return refuse(format!(
                "a head width of {} is odd and cannot be rotated in pairs",
                self.head_dim
            ));
        }
        let positive = [self.rope_theta, self.norm_eps, self.initializer_range];
        if !positive.iter().all(|value| value.is_finite() && *value >= 0.0) {
            return refuse(
                "rope_theta, rms_norm_eps and initializer_range must be finite and not negative".into(),
            );
        }
        Ok(())
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads together, and of all value heads.
    pub fn key_value_width(&self) -> usize {
        self.key_value_heads * self.head_dim
    }

    /// Angle per position of each rotated pair, `head_dim / 2` of them: pair `i` of a head is its
    /// elements `i` and `i + head_dim / 2`, and at position `p` it is turned by `p * frequency[i]`.
    pub fn rope_frequencies(&self) -> Vec<f64> {
        let half = self.head_dim / 2;
        (0..half)
            .map(|pair| self.rope_theta.powf(-(2.0 * pair as f64) / self.head_dim as f64))
            .map(|frequency| self.rope_scaling.apply(frequency))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        for (name, reason) in [
            ("130x4x4x512", "cannot be cut into 4 heads"),
            ("12x1x4x8", "odd"),
            ("128x0x4x512", "number of layers is 0"),
            ("128x4x0x512", "cannot be cut"),
            ("huge", "no model named `huge`"),
            ("128x4x4", "no model named"),
        ] {
            let message = ModelConfig::named(name, 97).unwrap_err().to_string();
            assert!(message.contains(reason), "{name}: {message}");
        }
        assert!(ModelConfig::named("tiny", 0).unwrap_err().to_string().contains("vocabulary is 0"));
    }

    #[test]
    fn the_small_shape_has_its_parameters() {
        let config = ModelConfig::named("small", 97).unwrap();
        let parameters: usize = config.parameters().iter().map(|parameter| parameter.elements()).sum();
        let block = 4 * 128 * 128 + 3 * 128 * 512 + 2 * 128;
        assert_eq!(parameters, 97 * 128 + 4 * block + 128);
    }
}
