//! The legacy model file of llama2.c: a header of seven integers, then 32-bit floats in a fixed order.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use crate::model::config::ModelConfig;
use crate::model::weights::Weights;
use crate::{Error, Place, Result};

const HEADER: usize = 7 * 4;

/// Reads a llama2.c file (`export.py`, version 0; `memory_map_weights` in `run.c`).
///
/// Its rotation turns neighbouring elements `2 i` and `2 i + 1` of a head; here a pair is `i` and
/// `i + head_dim / 2`. The rows of the query and key matrices are reordered accordingly, which leaves
/// every score as it is.
///
/// # Errors
/// A file that cannot be read, whose header is nonsense, or whose length is not what its header says.
pub fn llama2c(path: &Path) -> Result<Weights> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|source| Error::external(format!("reading {file}"), source, "is the path right?"))?;
    parse(&bytes).map_err(|error| error.in_file(&file))
}

fn refuse(message: impl Into<String>) -> Error {
    Error::data(Place::default(), message, "a legacy llama2.c file was expected, as in stories260K.bin")
}

fn parse(bytes: &[u8]) -> Result<Weights> {
    let Some((header, body)) = bytes.split_at_checked(HEADER) else {
        return Err(refuse(format!("{} bytes are no llama2.c file", bytes.len())));
    };
    let (numbers, _) = header.as_chunks::<4>();
    let numbers: Vec<i32> = numbers.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
    let &[hidden, feed_forward, layers, heads, key_value_heads, vocabulary, positions] = numbers.as_slice()
    else {
        return Err(refuse("the header is cut short"));
    };
    let size = |value: i32, what: &str| {
        usize::try_from(value)
            .ok()
            .filter(|size| (1..1 << 24).contains(size))
            .ok_or_else(|| refuse(format!("the header has {value} as {what}")))
    };
    // A negative vocabulary says that the output matrix is not the embedding.
    let shared = vocabulary > 0;
    let mut config = ModelConfig::from_sizes(
        size(vocabulary.saturating_abs(), "vocabulary")?,
        size(hidden, "hidden size")?,
        size(layers, "number of layers")?,
        size(heads, "number of heads")?,
        size(feed_forward, "feed-forward size")?,
    )
    .map_err(|error| refuse(error.to_string()))?;
    config.key_value_heads = size(key_value_heads, "number of key-value heads")?;
    config.max_positions = size(positions, "number of positions")?;
    config.norm_eps = 1e-5;
    config.tied_embeddings = shared;
    config.check().map_err(|error| refuse(error.to_string()))?;

    let parts = parts(&config);
    let length: u128 = parts.iter().map(|part| part.elements(&config)).sum();
    if body.len() as u128 != 4 * length {
        return Err(refuse(format!(
            "the header asks for {} bytes of weights, and there are {}",
            4 * length,
            body.len()
        )));
    }
    let mut rest = body;
    let mut tensors = BTreeMap::new();
    for part in parts {
        for layer in 0..part.copies(&config) {
            let (values, after) = rest.split_at(4 * part.rows * part.columns);
            rest = after;
            let Some(name) = part.name else { continue };
            let (chunks, _) = values.as_chunks::<4>();
            let mut values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if name.ends_with("q_proj") || name.ends_with("k_proj") {
                values = half_rotation(&values, part.columns, config.head_dim);
            }
            let name = match part.layered {
                true => format!("model.layers.{layer}.{name}.weight"),
                false => format!("{name}.weight"),
            };
            let tensor = match part.columns {
                0 | 1 => Tensor::from_vec(values, part.rows, &Device::Cpu)?,
                columns => Tensor::from_vec(values, (part.rows, columns), &Device::Cpu)?,
            };
            tensors.insert(name, tensor);
        }
    }
    Weights::from_tensors(&config, tensors)
}

/// A run of the file: one matrix, or one per layer. A vector has one column.
struct Part {
    /// Name here; `None` is skipped.
    name: Option<&'static str>,
    layered: bool,
    rows: usize,
    columns: usize,
}

impl Part {
    fn copies(&self, config: &ModelConfig) -> usize {
        if self.layered { config.layers } else { 1 }
    }

    fn elements(&self, config: &ModelConfig) -> u128 {
        self.copies(config) as u128 * self.rows as u128 * self.columns as u128
    }
}

fn parts(config: &ModelConfig) -> Vec<Part> {
    let (hidden, feed_forward) = (config.hidden, config.feed_forward);
    let (query, key_value) = (config.query_width(), config.key_value_width());
    let whole = |name, rows, columns| Part { name: Some(name), layered: false, rows, columns };
    let layered = |name, rows, columns| Part { name: Some(name), layered: true, rows, columns };
    let mut parts = vec![
        whole("model.embed_tokens", config.vocabulary, hidden),
        layered("input_layernorm", hidden, 1),
        layered("self_attn.q_proj", query, hidden),
        layered("self_attn.k_proj", key_value, hidden),
        layered("self_attn.v_proj", key_value, hidden),
        layered("self_attn.o_proj", hidden, query),
        layered("post_attention_layernorm", hidden, 1),
        layered("mlp.gate_proj", feed_forward, hidden),
        layered("mlp.down_proj", hidden, feed_forward),
        layered("mlp.up_proj", feed_forward, hidden),
        whole("model.norm", hidden, 1),
        // Cosines and sines of the rotation, which are computed here.
        Part { name: None, layered: false, rows: config.max_positions, columns: config.head_dim },
    ];
    if !config.tied_embeddings {
        parts.push(whole("lm_head", config.vocabulary, hidden));
    }
    parts
}

/// Reorders the rows of each head: first those with even numbers, then those with odd ones.
fn half_rotation(values: &[f32], columns: usize, head_dim: usize) -> Vec<f32> {
    let row = |index: usize| &values[index * columns..(index + 1) * columns];
    let rows = values.len() / columns;
    (0..rows)
        .flat_map(|to| {
            let (head, within) = (to / head_dim, to % head_dim);
            let half = head_dim / 2;
            let from = if within < half { 2 * within } else { 2 * (within - half) + 1 };
            row(head * head_dim + from).iter().copied()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: [i32; 7], floats: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = header.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend((0..floats).flat_map(|i| (i as f32).to_le_bytes()));
        bytes
    }

    /// hidden 8, feed-forward 12, one layer, 2 heads, 1 key-value head, 5 tokens, 6 positions.
    const HEADER: [i32; 7] = [8, 12, 1, 2, 1, 5, 6];
    const FLOATS: usize = 5 * 8 + 8 + 64 + 32 + 32 + 64 + 8 + 3 * 96 + 8 + 6 * 4;

    #[test]
    fn tensors_are_where_the_order_says() {
        let weights = parse(&file(HEADER, FLOATS)).unwrap();
        assert!(weights.config().tied_embeddings);
        let first = |name: &str| weights.parameter(name).unwrap().values().unwrap()[0];
        assert_eq!(first("model.embed_tokens.weight"), 0.0);
        assert_eq!(first("model.layers.0.input_layernorm.weight"), 40.0);
        let query = weights.parameter("model.layers.0.self_attn.q_proj.weight").unwrap().values().unwrap();
        let starts: Vec<f32> = query.chunks(8).map(|row| row[0]).collect();
        assert_eq!(starts, [48.0, 64.0, 56.0, 72.0, 80.0, 96.0, 88.0, 104.0]);
        assert_eq!(first("model.layers.0.mlp.down_proj.weight"), 248.0 + 96.0);
        assert_eq!(first("model.norm.weight"), 248.0 + 288.0);
    }

    #[test]
    fn an_output_matrix_of_its_own_stands_at_the_end() {
        let header = [8, 12, 1, 2, 1, -5, 6];
        let weights = parse(&file(header, FLOATS + 40)).unwrap();
        let head = weights.parameter("lm_head.weight").unwrap().values().unwrap();
        assert_eq!(head[0], FLOATS as f32);
    }

    #[test]
    fn damaged_files_are_refused() {
        for (bytes, reason) in [
            (file(HEADER, FLOATS - 1), "asks for"),
            (file(HEADER, FLOATS + 1), "asks for"),
            (vec![1, 2, 3], "3 bytes"),
            (file([8, 12, 1, 3, 1, 5, 6], FLOATS), "cannot be cut into 3 heads"),
            (file([8, 12, 0, 2, 1, 5, 6], FLOATS), "0 as number of layers"),
            (file([-8, 12, 1, 2, 1, 5, 6], FLOATS), "-8 as hidden size"),
            (file([8, 12, 1, 2, 1, i32::MIN, 6], FLOATS), "vocabulary"),
        ] {
            let message = parse(&bytes).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }
}
