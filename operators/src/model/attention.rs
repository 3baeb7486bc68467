//! Where the heads of a local model look, for judges that read attention.

use super::transformer::Transformer;
use super::weights::Weights;
use crate::judge::attention::{Attention, AttentionRows};
use crate::{Error, Result};

/// The attention of a model at one version of its weights.
pub struct LocalAttention {
    transformer: Transformer,
    layers: usize,
    vocabulary: usize,
    version: i64,
}

impl LocalAttention {
    /// The attention under a copy of the weights.
    ///
    /// # Errors
    /// Weights that do not fit their configuration.
    pub fn new(weights: &Weights, version: i64) -> Result<Self> {
        let config = weights.config();
        let (layers, vocabulary) = (config.layers, config.vocabulary);
        Ok(LocalAttention {
            transformer: Transformer::new(&weights.snapshot()?)?,
            layers,
            vocabulary,
            version,
        })
    }
}

impl Attention for LocalAttention {
    fn version(&self) -> i64 {
        self.version
    }

    fn layers(&self) -> usize {
        self.layers
    }

    fn attention(&self, tokens: &[i32], layers: &[usize]) -> Result<Vec<Vec<AttentionRows>>> {
        let known = |&token: &i32| -> Result<u32> {
            u32::try_from(token).ok().filter(|&token| (token as usize) < self.vocabulary).ok_or_else(|| {
                Error::usage(
                    format!("token {token} is not in the vocabulary of {}", self.vocabulary),
                    "tokenise with the tokenizer of this model",
                )
            })
        };
        let ids: Vec<u32> = tokens.iter().map(known).collect::<Result<_>>()?;
        if let Some(layer) = layers.iter().find(|&&layer| layer >= self.layers) {
            return Err(Error::usage(
                format!("there is no layer {layer} among {}", self.layers),
                "count layers from 0",
            ));
        }
        let mut wanted: Vec<Vec<AttentionRows>> = vec![Vec::new(); layers.len()];
        if ids.is_empty() {
            return Ok(wanted);
        }
        for (layer, heads) in self.transformer.attentions(&ids)?.enumerate() {
            let heads = heads?;
            for (place, _) in layers.iter().enumerate().filter(|(_, wanted)| **wanted == layer) {
                wanted[place] = heads.iter().map(|head| lower_triangle(head, ids.len())).collect();
            }
        }
        Ok(wanted)
    }
}

/// The rows of a square matrix up to its diagonal.
fn lower_triangle(matrix: &[f32], size: usize) -> AttentionRows {
    matrix.chunks_exact(size).enumerate().map(|(row, weights)| weights[..=row].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::ModelConfig;
    use crate::random::RandomKey;

    #[test]
    fn rows_are_causal_and_sum_to_one() {
        let config = ModelConfig::named("16x3x2x32", 11).unwrap();
        let weights = Weights::new(&config, RandomKey::new(1, 0, "", "")).unwrap();
        let attention = LocalAttention::new(&weights, 4).unwrap();
        assert_eq!((attention.version(), attention.layers()), (4, 3));
        let found = attention.attention(&[1, 5, 7, 2], &[2, 0]).unwrap();
        assert_eq!((found.len(), found[0].len()), (2, 2));
        assert_ne!(found[0], found[1]);
        for head in found.iter().flatten() {
            for (row, weights) in head.iter().enumerate() {
                assert_eq!(weights.len(), row + 1);
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(weights.iter().all(|weight| *weight >= 0.0));
            }
        }
        assert!(attention.attention(&[11], &[0]).is_err());
        assert!(attention.attention(&[1], &[3]).is_err());
    }
}
