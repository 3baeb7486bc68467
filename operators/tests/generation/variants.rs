//! Every variant of the architecture against plain loops: grouped heads, biases, head norms, untied
//! embeddings, widths that fill no vector, value heads, adapters.

use meed_operators::model::LocalPolicy;
use meed_operators::model::config::{Family, ModelConfig};
use meed_operators::model::weights::{Lora, Weights};
use meed_operators::policy::{Policy, TokenBatch};
use meed_operators::random::RandomKey;

use crate::plain::{Plain, PlainLayer, softmax};

/// Weights of which none is a constant.
pub fn random_weights(config: &ModelConfig, seed: u64) -> Weights {
    let weights = Weights::new(config, RandomKey::new(seed, 0, "", "")).unwrap();
    for (number, parameter) in weights.parameters().iter().enumerate() {
        let values = parameter.values().unwrap();
        let changed: Vec<f32> = (0..values.len())
            .map(|i| values[i] * 8.0 + 0.2 * ((i * 37 + number * 11) as f32).sin())
            .map(|value| if values[0] == 1.0 { value / 8.0 } else { value })
            .collect();
        parameter.set(&changed).unwrap();
    }
    weights
}

fn plain(weights: &Weights) -> Plain {
    let config = weights.config();
    let optional = |name: String| -> Option<Vec<f64>> {
        let values = weights.parameter(&name).ok()?.values().unwrap();
        Some(values.iter().map(|value| f64::from(*value)).collect())
    };
    let values = |name: String| optional(name.clone()).unwrap_or_else(|| panic!("{name}"));
    let matrix = |name: String| {
        let mut matrix = values(format!("{name}.weight"));
        if let Some(down) = optional(format!("{name}.lora_A.weight")) {
            let up = values(format!("{name}.lora_B.weight"));
            let lora = weights.lora().unwrap();
            let width = down.len() / lora.rank;
            for (i, value) in matrix.iter_mut().enumerate() {
                let (row, column) = (i / width, i % width);
                let product: f64 =
                    (0..lora.rank).map(|r| up[row * lora.rank + r] * down[r * width + column]).sum();
                *value += lora.alpha / lora.rank as f64 * product;
            }
        }
        matrix
    };
    let layers = (0..config.layers)
        .map(|layer| {
            let attention = format!("model.layers.{layer}.self_attn");
            let bias = |name: &str| optional(format!("{attention}.{name}.bias"));
            let head_norm = |name: &str| optional(format!("{attention}.{name}.weight"));
            PlainLayer {
                attention_norm: values(format!("model.layers.{layer}.input_layernorm.weight")),
                query: matrix(format!("{attention}.q_proj")),
                key: matrix(format!("{attention}.k_proj")),
                value: matrix(format!("{attention}.v_proj")),
                biases: bias("q_proj").map(|q| [q, bias("k_proj").unwrap(), bias("v_proj").unwrap()]),
                query_key_norms: head_norm("q_norm").map(|q| [q, head_norm("k_norm").unwrap()]),
                attention_output: matrix(format!("{attention}.o_proj")),
                feed_forward_norm: values(format!("model.layers.{layer}.post_attention_layernorm.weight")),
                gate: matrix(format!("model.layers.{layer}.mlp.gate_proj")),
                up: matrix(format!("model.layers.{layer}.mlp.up_proj")),
                down: matrix(format!("model.layers.{layer}.mlp.down_proj")),
            }
        })
        .collect();
    let embedding = values("model.embed_tokens.weight".into());
    Plain {
        hidden: config.hidden,
        heads: config.heads,
        key_value_heads: config.key_value_heads,
        head_dim: config.head_dim,
        theta: config.rope_theta,
        eps: config.norm_eps,
        interleaved: false,
        output: optional("lm_head.weight".into()).unwrap_or_else(|| embedding.clone()),
        embedding,
        layers,
        norm: values("model.norm.weight".into()),
        value_head: optional("value_head.weight".into()),
    }
}

pub fn configurations() -> Vec<ModelConfig> {
    let base = ModelConfig::named("24x2x4x40", 37).unwrap();
    let llama = ModelConfig { key_value_heads: 2, tied_embeddings: false, ..base.clone() };
    let qwen2 = ModelConfig { family: Family::Qwen2, attention_bias: true, rope_theta: 1e6, ..base.clone() };
    let qwen3 = ModelConfig {
        family: Family::Qwen3,
        head_dim: 20,
        key_value_heads: 1,
        query_key_norm: true,
        ..base.clone()
    };
    vec![base.with_value_head(), llama, qwen2, qwen3]
}

fn check(weights: &Weights) {
    let policy = LocalPolicy::new(weights, 3).unwrap();
    let plain = plain(weights);
    let tokens: Vec<i32> = (0..41).map(|i| (i * 17 + 3) % 37).collect();
    let mask: Vec<bool> = (0..36).map(|i| i % 5 != 2).collect();
    let mut batch = TokenBatch::default();
    batch.push(&tokens[..5], &tokens[5..], &mask);
    let scores = policy.score(&batch, 1.3).unwrap();
    let bias = f64::from(weights.parameter("value_head.bias").map_or(0.0, |bias| bias.values().unwrap()[0]));
    assert_eq!(scores.values.is_some(), plain.value_head.is_some());
    for (i, (logits, value)) in plain.forward(&tokens)[4..40].iter().enumerate() {
        let (logprob, entropy) = softmax(logits, tokens[5 + i], 1.3);
        let (logprob, entropy) = if mask[i] { (logprob, entropy) } else { (0.0, 0.0) };
        assert!(
            (f64::from(scores.logprobs[i]) - logprob).abs() < 1e-4,
            "{i}: {} {logprob}",
            scores.logprobs[i]
        );
        assert!((f64::from(scores.entropies[i]) - entropy).abs() < 1e-4);
        if let Some(value) = value {
            let got = f64::from(scores.values.as_ref().unwrap()[i]);
            assert!((got - value - bias).abs() < 1e-4, "{i}: {got} {value}");
        }
    }
}

#[test]
fn every_variant_is_that_of_plain_loops() {
    for (seed, config) in configurations().iter().enumerate() {
        check(&random_weights(config, seed as u64));
    }
}

#[test]
fn adapters_are_part_of_the_policy() {
    let lora = Lora { rank: 3, alpha: 6.0, targets: vec!["k_proj".into(), "up_proj".into()] };
    let key = RandomKey::new(9, 0, "", "");
    let weights = random_weights(&configurations()[1], 4).with_lora(lora, key).unwrap();
    for parameter in weights.trainable() {
        let count = parameter.values().unwrap().len();
        parameter.set(&(0..count).map(|i| 0.1 * (i as f32 * 0.7).cos()).collect::<Vec<f32>>()).unwrap();
    }
    check(&weights);
}
