//! Each fused operation beside its plain composition and beside finite differences.

use std::sync::Arc;

use candle_core::{Result, Tensor, Var};

use super::{bits, close, flat, numbers, plain, random, with_threads};
use crate::model::forest::Forest;
use crate::model::ops::{
    Heads, Rotation, attention, attention_weights, linear, residual, rms_norm, rope, swiglu, token_logprobs,
    value_head,
};

/// Weighted sum of an operation's result and its gradients, by candle's backward.
fn gradients(arguments: &[Tensor], work: impl Fn(&[Tensor]) -> Result<Tensor>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let vars: Vec<Var> = arguments.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let result = work(&tensors).unwrap();
    let sum = (&result * random(result.dims(), 99)).unwrap().sum_all().unwrap();
    let store = sum.backward().unwrap();
    (flat(&result), vars.iter().map(|var| flat(store.get(var).unwrap())).collect())
}

/// Compares results and gradients of the fused and the plain form, and the gradients with central
/// differences of the fused form at a few elements.
#[track_caller]
fn check(
    arguments: &[Tensor],
    fused: impl Fn(&[Tensor]) -> Result<Tensor>,
    plain: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let (result, own) = gradients(arguments, &fused);
    let (want, theirs) = gradients(arguments, plain);
    close(&result, &want, 2e-5);
    own.iter().zip(&theirs).for_each(|(own, theirs)| close(own, theirs, 1e-4));
    let total = |arguments: &[Tensor]| -> f64 {
        let result = fused(arguments).unwrap();
        let weights = numbers(result.elem_count(), 99);
        flat(&result).iter().zip(weights).map(|(x, w)| f64::from(*x) * f64::from(w)).sum()
    };
    let step = 1e-2f32;
    for (number, argument) in arguments.iter().enumerate() {
        let count = argument.elem_count();
        for place in (0..count).step_by(count.div_ceil(7)) {
            let moved = |by: f32| {
                let mut values = flat(argument);
                values[place] += by;
                let mut arguments = arguments.to_vec();
                arguments[number] = Tensor::from_vec(values, argument.shape(), argument.device()).unwrap();
                total(&arguments)
            };
            let difference = (moved(step) - moved(-step)) / f64::from(2.0 * step);
            let got = f64::from(own[number][place]);
            assert!(
                (got - difference).abs() < 5e-3 * (1.0 + difference.abs()),
                "argument {number}, element {place}: {got} and not {difference}"
            );
        }
    }
}

fn forest() -> Arc<Forest> {
    let mut forest = Forest::default();
    let prompt = forest.push(37, None);
    let turn = forest.push(5, Some(prompt));
    forest.push(40, Some(prompt));
    forest.push(3, Some(turn));
    forest.push(1, None);
    Arc::new(forest)
}

#[test]
fn rms_norms() {
    for (rows, width) in [(1, 5), (70, 24), (130, 64)] {
        let arguments = [random(&[rows, width], 1), random(&[width], 2)];
        check(&arguments, |a| rms_norm(&a[0], &a[1], 1e-5), |a| plain::rms_norm(&a[0], &a[1], 1e-5));
    }
    let zeros = random(&[2, 8], 1).zeros_like().unwrap();
    assert_eq!(flat(&rms_norm(&zeros, &random(&[8], 2), 1e-6).unwrap()), [0.0; 16]);
    assert!(rms_norm(&zeros, &random(&[7], 2), 1e-6).is_err());
}

#[test]
fn gated_units() {
    for (rows, width) in [(1, 3), (70, 40)] {
        check(&[random(&[rows, 2 * width], 1)], |a| swiglu(&a[0]), |a| plain::swiglu(&a[0]));
    }
    assert!(swiglu(&random(&[2, 3], 1)).is_err());
}

#[test]
fn rotations() {
    let positions: Vec<usize> = (0..70).map(|i| (i * 5) % 31).collect();
    let frequencies = [1.0, 0.1, 0.01];
    let rotation = Arc::new(Rotation::new(&positions, &frequencies));
    let x = random(&[70, 4 * 6], 1);
    check(
        std::slice::from_ref(&x),
        |a| rope(&a[0], &rotation, 3),
        |a| plain::rope(&a[0], &positions, &frequencies, 3),
    );
    assert!(rope(&x, &rotation, 5).is_err());
}

#[test]
fn linear_maps() {
    for rows in [1, 2, 70] {
        let arguments = [random(&[rows, 24], 1), random(&[24, 10], 2), random(&[10], 3)];
        let plain = |a: &[Tensor]| a[0].matmul(&a[1])?.broadcast_add(&a[2]);
        check(&arguments, |a| linear(&a[0], &a[1], Some(&a[2])), plain);
        check(&arguments[..2], |a| linear(&a[0], &a[1], None), |a| a[0].matmul(&a[1]));
    }
    let both = [random(&[3, 5], 1), random(&[3, 5], 2)];
    check(&both, |a| residual(&a[0], &a[1]), |a| &a[0] + &a[1]);
    assert!(residual(&both[0], &random(&[5, 3], 1)).is_err());
    assert!(linear(&both[0], &random(&[5, 2], 1), Some(&random(&[3], 1))).is_err());
}

#[test]
fn attention_over_shared_prefixes() {
    let forest = forest();
    for heads in [
        Heads { queries: 4, keys: 2, width: 6 },
        Heads { queries: 2, keys: 2, width: 16 },
        Heads { queries: 3, keys: 1, width: 20 },
    ] {
        let qkv = random(&[forest.tokens(), heads.row()], 1);
        check(
            std::slice::from_ref(&qkv),
            |a| attention(&a[0], &forest, heads),
            |a| plain::attention(&a[0], &forest, heads),
        );
        assert!(attention(&qkv, &Arc::new(Forest::default()), heads).is_err());
    }
}

/// A prefix that is shared gives every token the bits that it has in a sequence of its own, and the
/// gradients are those of the separate sequences, added.
#[test]
fn shared_prefixes_change_no_bit() {
    let heads = Heads { queries: 4, keys: 2, width: 8 };
    let forest = forest();
    let qkv = random(&[forest.tokens(), heads.row()], 1);
    let together = attention(&qkv, &forest, heads).unwrap();
    for (segment, own) in forest.segments().iter().enumerate() {
        let rows: Vec<u32> = forest.path(segment).into_iter().flatten().map(|t| t as u32).collect();
        let count = rows.len();
        let rows = Tensor::from_vec(rows, count, qkv.device()).unwrap();
        let mut single = Forest::default();
        single.push(count, None);
        let alone = attention(&qkv.index_select(&rows, 0).unwrap(), &Arc::new(single), heads).unwrap();
        let length = own.tokens.len();
        let want = flat(&alone.narrow(0, count - length, length).unwrap());
        let got = flat(&together.narrow(0, own.tokens.start, length).unwrap());
        assert_eq!(bits(&got), bits(&want), "segment {segment}");
    }
}

#[test]
fn attention_weights_are_those_of_the_attention() {
    let heads = Heads { queries: 4, keys: 2, width: 6 };
    let tokens = 45;
    let qkv = random(&[tokens, heads.row()], 1);
    let weights = attention_weights(&qkv, heads).unwrap();
    let mut single = Forest::default();
    single.push(tokens, None);
    let output = flat(&attention(&qkv, &Arc::new(single), heads).unwrap());
    let rows = flat(&qkv);
    for (head, weights) in weights.iter().enumerate() {
        let value = (heads.queries + heads.keys + head / 2) * heads.width;
        for (token, line) in weights.chunks(tokens).enumerate() {
            assert!((line.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(line[token + 1..].iter().all(|p| *p == 0.0));
            for i in 0..heads.width {
                let want: f32 = (0..tokens).map(|k| line[k] * rows[k * heads.row() + value + i]).sum();
                let got = output[token * heads.queries * heads.width + head * heads.width + i];
                assert!((got - want).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn log_probabilities_and_entropies() {
    for (wanted, temperature) in [(1, 1.0), (300, 0.7)] {
        let rows: Arc<[usize]> = (0..wanted).map(|i| (i * 3) % 40).collect();
        let targets: Arc<[u32]> = (0..wanted).map(|i| (i as u32 * 7) % 19).collect();
        let arguments = [random(&[40, 12], 1), random(&[12, 19], 2)];
        check(
            &arguments,
            |a| token_logprobs(&a[0], &a[1], rows.clone(), targets.clone(), temperature),
            |a| plain::token_logprobs(&a[0], &a[1], &rows, &targets, temperature),
        );
    }
    let (hidden, output) = (random(&[4, 3], 1), random(&[3, 5], 2));
    let ask = |row: usize, target: u32| token_logprobs(&hidden, &output, [row].into(), [target].into(), 1.0);
    assert!(ask(0, 0).is_ok() && ask(4, 0).is_err());
    assert!(ask(0, 5).unwrap_err().to_string().contains("token 5 is outside the vocabulary of 5"));
}

/// Logits that overflow a naive softmax, and one that excludes its token.
#[test]
fn extreme_logits_stay_exact_and_nan_is_not_hidden() {
    let hidden = Tensor::new(&[[1.0f32]], &candle_core::Device::Cpu).unwrap();
    let scores = |logits: &[f32], target: u32| {
        let output = Tensor::from_slice(logits, (1, logits.len()), hidden.device()).unwrap();
        flat(&token_logprobs(&hidden, &output, [0].into(), [target].into(), 1.0).unwrap())
    };
    assert_eq!(scores(&[1e30, 0.0], 0), [0.0, 0.0]);
    close(&scores(&[500.0, 500.0, -500.0], 1), &[-std::f32::consts::LN_2, std::f32::consts::LN_2], 1e-6);
    assert_eq!(scores(&[0.0, f32::NEG_INFINITY], 1), [f32::NEG_INFINITY, 0.0]);
    assert!(scores(&[0.0, f32::NAN, 1.0], 0).iter().all(|x| x.is_nan()));
}

#[test]
fn values_of_states() {
    let rows: Arc<[usize]> = vec![3, 0, 3, 5].into();
    let arguments = [random(&[6, 20], 1), random(&[1, 20], 2), random(&[1], 3)];
    let index = Tensor::new(&[3u32, 0, 3, 5], arguments[0].device()).unwrap();
    let plain =
        |a: &[Tensor]| a[0].index_select(&index, 0)?.matmul(&a[1].t()?)?.broadcast_add(&a[2])?.flatten_all();
    check(&arguments, |a| value_head(&a[0], &a[1], &a[2], rows.clone()), plain);
    assert!(value_head(&arguments[0], &arguments[1], &arguments[2], [6].into()).is_err());
}

/// Rows alone, in part, and together; one thread and three.
#[test]
fn rows_and_threads_change_no_bit() {
    let (x, weight, norm) = (random(&[300, 96], 1), random(&[96, 160], 2), random(&[160], 3));
    let run = |x: &Tensor| {
        let y = linear(x, &weight, None).unwrap();
        flat(&swiglu(&rms_norm(&y, &norm, 1e-6).unwrap()).unwrap())
    };
    let together = run(&x);
    let width = together.len() / 300;
    for (start, rows) in [(0, 1), (7, 1), (3, 2), (11, 5), (100, 150)] {
        let part = run(&x.narrow(0, start, rows).unwrap().contiguous().unwrap());
        assert_eq!(bits(&part), bits(&together[start * width..(start + rows) * width]), "{start} {rows}");
    }
    let backward = |threads| {
        with_threads(threads, || {
            gradients(&[x.clone(), weight.clone(), norm.clone()], |a| {
                swiglu(&rms_norm(&linear(&a[0], &a[1], None)?, &a[2], 1e-6)?)
            })
        })
    };
    assert_eq!(backward(1), backward(3));
}
