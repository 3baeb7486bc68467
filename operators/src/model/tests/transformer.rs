//! The whole network beside a plain composition of candle's operations with candle's backward.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candle_core::{D, Device, Result, Tensor};

use super::{bits, close, flat, numbers, plain};
use crate::model::config::ModelConfig;
use crate::model::forest::Forest;
use crate::model::ops::Heads;
use crate::model::weights::{Linear, Lora, Weights};
use crate::model::{LearnerOptions, LocalLearner, LocalPolicy, Transformer};
use crate::objectives::Loss;
use crate::policy::{Learner, Policy, TokenBatch, TokenScores};
use crate::random::RandomKey;
use crate::update::{Optimizer, StateTensor, Weight};

/// Keeps the gradients and changes nothing.
#[derive(Default)]
pub(super) struct Recorder {
    pub gradients: Arc<Mutex<BTreeMap<String, Vec<f32>>>>,
}

impl Optimizer for Recorder {
    fn step(&mut self, weights: &mut [Weight<'_>], _: f64) -> crate::Result<()> {
        let found = weights.iter().map(|weight| (weight.name.to_owned(), weight.gradient.to_vec()));
        *self.gradients.lock().unwrap() = found.collect();
        Ok(())
    }

    fn state(&self) -> BTreeMap<String, StateTensor> {
        BTreeMap::new()
    }

    fn restore(&mut self, _: BTreeMap<String, StateTensor>) -> crate::Result<()> {
        Ok(())
    }
}

/// A Qwen-like model with everything: biases, norms of heads, grouped queries, a value head.
fn config(tied: bool, everything: bool) -> ModelConfig {
    ModelConfig {
        key_value_heads: 2,
        head_dim: 6,
        tied_embeddings: tied,
        attention_bias: everything,
        output_bias: everything,
        query_key_norm: everything,
        value_head: everything,
        ..ModelConfig::named("24x2x4x40", 19).unwrap()
    }
}

/// Weights of which none is at its special initial value.
pub(super) fn weights(config: &ModelConfig, lora: Option<Lora>) -> Weights {
    let key = RandomKey::new(5, 0, "", "");
    let mut weights = Weights::new(config, key).unwrap();
    if let Some(lora) = lora {
        weights = weights.with_lora(lora, key).unwrap();
    }
    for (seed, parameter) in weights.parameters().iter().enumerate() {
        let values = numbers(parameter.tensor().elem_count(), seed as u64);
        let centre = if parameter.name().contains("norm") { 1.0 } else { 0.0 };
        parameter.set(&values.iter().map(|x| centre + 0.3 * x).collect::<Vec<_>>()).unwrap();
    }
    weights
}

pub(super) fn batch() -> TokenBatch {
    let mut batch = TokenBatch::default();
    for i in 0..9usize {
        let prompt: Vec<i32> = (0..3 + i / 3).map(|k| ((k * 5 + i / 3) % 19) as i32).collect();
        let response: Vec<i32> = (0..(i * 5) % 11).map(|k| ((k * 3 + i * 7) % 19) as i32).collect();
        let mask: Vec<bool> = (0..response.len()).map(|k| k % 4 != 2).collect();
        batch.push(&prompt, &response, &mask);
    }
    batch
}

/// A loss with gradients of all three kinds that differ from token to token.
pub(super) fn loss(scores: &TokenScores) -> crate::Result<Loss> {
    let count = scores.logprobs.len();
    let of = |seed| numbers(count, seed).into_iter().map(f64::from).collect::<Vec<_>>();
    let dot = |weights: &[f64], values: &[f32]| {
        weights.iter().zip(values).map(|(w, x)| w * f64::from(*x)).sum::<f64>()
    };
    let (logprobs, entropies, values) = (of(71), of(72), of(73));
    let mut value = dot(&logprobs, &scores.logprobs) + dot(&entropies, &scores.entropies);
    if let Some(estimates) = &scores.values {
        value += dot(&values, estimates);
    }
    let values = scores.values.as_ref().map(|_| values);
    Ok(Loss { value, logprobs, entropies: Some(entropies), values, ..Loss::default() })
}

fn apply(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    let mut y = x.matmul(&linear.weight.t()?)?;
    if let Some(bias) = &linear.bias {
        y = y.broadcast_add(bias)?;
    }
    if let Some(adapter) = &linear.adapter {
        y = (y + (x.matmul(&adapter.down.t()?)?.matmul(&adapter.up.t()?)? * adapter.scale)?)?;
    }
    Ok(y)
}

/// Hidden states of one sequence, by candle's operations.
fn hidden(weights: &Weights, tokens: &[i32]) -> crate::Result<Tensor> {
    let config = weights.config();
    let ids: Vec<u32> = tokens.iter().map(|token| *token as u32).collect();
    let ids = Tensor::from_slice(&ids, ids.len(), &Device::Cpu)?;
    let positions: Vec<usize> = (0..tokens.len()).collect();
    let mut forest = Forest::default();
    forest.push(tokens.len(), None);
    let heads = Heads { queries: config.heads, keys: config.key_value_heads, width: config.head_dim };
    let mut x = weights.tensor("model.embed_tokens.weight")?.index_select(&ids, 0)?;
    for layer in 0..config.layers {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let norm = |part: &str, x: &Tensor| -> crate::Result<Tensor> {
            Ok(plain::rms_norm(x, weights.tensor(&name(part))?, config.norm_eps)?)
        };
        let linear = |part: &str, x: &Tensor| -> crate::Result<Tensor> {
            Ok(apply(&weights.linear(&name(part))?, x)?)
        };
        let normed = norm("input_layernorm.weight", &x)?;
        let mut parts = Vec::new();
        for (part, normalised) in [("q", true), ("k", true), ("v", false)] {
            let mut y = linear(&format!("self_attn.{part}_proj"), &normed)?;
            if normalised && config.query_key_norm {
                let lines = y.reshape(((), config.head_dim))?;
                y = norm(&format!("self_attn.{part}_norm.weight"), &lines)?.reshape(y.shape())?;
            }
            parts.push(y);
        }
        let qkv = Tensor::cat(&parts, D::Minus1)?;
        let qkv = plain::rope(&qkv, &positions, &config.rope_frequencies(), heads.queries + heads.keys)?;
        x = (&x + linear("self_attn.o_proj", &plain::attention(&qkv, &forest, heads)?)?)?;
        let normed = norm("post_attention_layernorm.weight", &x)?;
        let gate_up = Tensor::cat(&[linear("mlp.gate_proj", &normed)?, linear("mlp.up_proj", &normed)?], 1)?;
        x = (&x + linear("mlp.down_proj", &plain::swiglu(&gate_up)?)?)?;
    }
    Ok(plain::rms_norm(&x, weights.tensor("model.norm.weight")?, config.norm_eps)?)
}

/// Scores of a batch and gradients by name, rollout by rollout.
fn plainly(
    weights: &Weights,
    batch: &TokenBatch,
    temperature: f64,
) -> (TokenScores, BTreeMap<String, Vec<f32>>) {
    let mut scores = TokenScores {
        logprobs: vec![0.0; batch.tokens.len()],
        entropies: vec![0.0; batch.tokens.len()],
        values: weights.config().value_head.then(|| vec![0.0; batch.tokens.len()]),
    };
    let seeds = loss(&scores).unwrap();
    let mut total = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu).unwrap();
    for rollout in 0..batch.len() {
        let (prompt, response) = (batch.prompt(rollout), batch.response(rollout));
        if response.is_empty() {
            continue;
        }
        let states = hidden(weights, &[prompt, response].concat()).unwrap();
        let rows: Vec<usize> = (0..response.len()).map(|i| prompt.len() - 1 + i).collect();
        let targets: Vec<u32> = response.iter().map(|token| *token as u32).collect();
        let output = weights.output().unwrap().t().unwrap();
        let pairs = plain::token_logprobs(&states, &output, &rows, &targets, temperature).unwrap();
        let start = batch.offsets[rollout];
        let mut weight = Vec::new();
        for (i, pair) in flat(&pairs).chunks(2).enumerate() {
            let wanted = batch.mask[start + i];
            if wanted {
                scores.logprobs[start + i] = pair[0];
                scores.entropies[start + i] = pair[1];
            }
            let entropies = seeds.entropies.as_ref().unwrap();
            for of in [&seeds.logprobs, entropies] {
                weight.push(if wanted { of[start + i] as f32 } else { 0.0 });
            }
        }
        let weight = Tensor::from_vec(weight, pairs.shape(), &Device::Cpu).unwrap();
        total = (total + (pairs * weight).unwrap().sum_all().unwrap()).unwrap();
        if let Some((head, bias)) = weights.value_head().unwrap() {
            let own = states.narrow(0, rows[0], rows.len()).unwrap();
            let values = own.matmul(&head.t().unwrap()).unwrap().broadcast_add(bias).unwrap();
            scores.values.as_mut().unwrap()[start..start + rows.len()].copy_from_slice(&flat(&values));
            let of: Vec<f32> =
                seeds.values.as_ref().unwrap()[start..start + rows.len()].iter().map(|x| *x as f32).collect();
            let of = Tensor::from_vec(of, values.shape(), &Device::Cpu).unwrap();
            total = (total + (values * of).unwrap().sum_all().unwrap()).unwrap();
        }
    }
    let store = total.backward().unwrap();
    let gradients = weights.trainable().map(|parameter| {
        let zeros = || vec![0.0; parameter.tensor().elem_count()];
        (parameter.name().to_owned(), store.get(parameter.tensor()).map_or_else(zeros, flat))
    });
    (scores, gradients.collect())
}

#[test]
fn scores_and_gradients_are_those_of_the_plain_network() {
    let lora =
        || Lora { rank: 2, alpha: 6.0, targets: vec!["q_proj".into(), "up_proj".into(), "down_proj".into()] };
    for (tied, everything, lora) in
        [(true, false, None), (false, true, None), (true, true, Some(lora())), (false, false, Some(lora()))]
    {
        let weights = weights(&config(tied, everything), lora);
        let (want, gradients) = plainly(&weights, &batch(), 0.8);
        let recorder = Recorder::default();
        let found = recorder.gradients.clone();
        let options = LearnerOptions { max_grad_norm: None, ..LearnerOptions::default() };
        let names: Vec<String> = weights.trainable().map(|p| p.name().to_owned()).collect();
        let mut learner = LocalLearner::new(weights, Box::new(recorder), options).unwrap();
        let scores = learner.score(&batch(), 0.8).unwrap();
        close(&scores.logprobs, &want.logprobs, 1e-5);
        close(&scores.entropies, &want.entropies, 1e-5);
        assert_eq!(scores.values.is_some(), everything);
        if let (Some(got), Some(want)) = (&scores.values, &want.values) {
            close(got, want, 1e-5);
        }
        let report = learner.step(&batch(), 0.8, &loss, 0.1).unwrap();
        let found = found.lock().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), gradients.keys().collect::<Vec<_>>());
        for name in names {
            let most = gradients[&name].iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(most > 1e-4, "{name} has no gradient to compare");
            let scaled = |values: &[f32]| values.iter().map(|x| x / most).collect::<Vec<_>>();
            close(&scaled(&found[&name]), &scaled(&gradients[&name]), 1e-4);
        }
        let norm = gradients.values().flatten().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((report.grad_norm - norm).abs() < 1e-4 * norm);
    }
}

/// Alone, in other company, with the prompt shared or not: the same bits; and the policy that generates
/// says the same to rounding.
#[test]
fn scores_do_not_depend_on_what_else_is_scored() {
    let weights = weights(&config(false, true), None);
    let model = Transformer::new(&weights).unwrap();
    let all = batch();
    let together = model.score_batch(&all, 1.0).unwrap();
    for rollout in 0..all.len() {
        let range = all.offsets[rollout]..all.offsets[rollout + 1];
        let mut single = TokenBatch::default();
        single.push(all.prompt(rollout), all.response(rollout), &all.mask[range.clone()]);
        let alone = model.score_batch(&single, 1.0).unwrap();
        assert_eq!(bits(&alone.logprobs), bits(&together.logprobs[range.clone()]), "rollout {rollout}");
        assert_eq!(bits(&alone.entropies), bits(&together.entropies[range.clone()]));
        assert_eq!(bits(&alone.values.unwrap()), bits(&together.values.as_ref().unwrap()[range]));
    }
    let sampled = LocalPolicy::new(&weights, 0).unwrap().score(&all, 1.0).unwrap();
    close(&together.logprobs, &sampled.logprobs, 1e-5);
    close(&together.entropies, &sampled.entropies, 1e-5);
    close(together.values.as_ref().unwrap(), sampled.values.as_ref().unwrap(), 1e-5);
}

#[test]
fn attentions_and_hidden_states_of_a_sequence() {
    let weights = weights(&config(true, true), None);
    let model = Transformer::new(&weights).unwrap();
    let tokens = [3u32, 1, 4, 1, 5, 9, 2, 6];
    let layers: Vec<_> = model.attentions(&tokens).unwrap().map(|layer| layer.unwrap()).collect();
    assert_eq!((layers.len(), layers[0].len()), (2, 4));
    assert!(
        layers
            .iter()
            .flatten()
            .all(|head| head.chunks(8).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5))
    );
    assert_ne!(layers[0][0], layers[1][0]);
    let want = hidden(&weights, &tokens.map(|token| token as i32)).unwrap();
    close(&flat(&model.hidden_states(&tokens).unwrap()), &flat(&want), 1e-5);
    assert!(model.hidden_states(&[19]).is_err());
}
