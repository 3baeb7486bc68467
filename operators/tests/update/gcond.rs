//! GCond.

use meed_operators::update::{Gcond, GcondOptions};
use serde_json::Value;

use super::{cases, close, number, numbers, only};

fn options(params: &Value) -> GcondOptions {
    let flag = |name: &str| params[name].as_bool().unwrap();
    GcondOptions {
        smooth: flag("smooth"),
        momentum: number(&params["momentum"]),
        norm_ema: number(&params["norm_ema"]),
        thresholds: numbers(&params["thresholds"]).try_into().unwrap(),
        weights: numbers(&params["weights"]).try_into().unwrap(),
        window: params["window"].as_u64().unwrap() as usize,
        power: number(&params["power"]),
        norm_cap: params["norm_cap"].as_f64(),
        max_iterations: params["max_iterations"].as_u64().map(|most| most as usize),
        lion: flag("lion"),
        raw: flag("raw"),
        eps: 1e-8,
    }
}

/// The mean gradient of an objective over its micro-steps, times its weight.
fn mean(micro_steps: &Value, weight: f64) -> Vec<f64> {
    let micro_steps: Vec<Vec<f64>> = micro_steps.as_array().unwrap().iter().map(numbers).collect();
    let mut mean = vec![0.0; micro_steps[0].len()];
    for gradient in &micro_steps {
        mean.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g * weight / micro_steps.len() as f64);
    }
    mean
}

#[test]
fn steps_are_those_of_the_reference() {
    let known = [
        "smooth",
        "momentum",
        "norm_ema",
        "thresholds",
        "weights",
        "window",
        "power",
        "norm_cap",
        "max_iterations",
        "lion",
        "raw",
        "stochastic_accumulation",
        "accumulation_steps",
    ];
    for (i, case) in cases("gcond").iter().enumerate() {
        only(&case["params"], &known);
        let inputs = &case["inputs"];
        let names: Vec<&str> =
            inputs["loss_names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let weights: Vec<f32> = numbers(&inputs["weights"]).iter().map(|&x| x as f32).collect();
        let mut gcond = Gcond::new(options(&case["params"]), &names).unwrap();
        for (step, micro) in inputs["micro_gradients"].as_array().unwrap().iter().enumerate() {
            let place = format!("gcond[{i}], step {step}");
            let gradients =
                names.iter().map(|name| mean(&micro[name], number(&inputs["loss_weights"][name]))).collect();
            let got = gcond.combine(gradients, &[&weights]).unwrap();
            for (key, wanted) in case["expected"].as_object().unwrap() {
                let (place, wanted) = (format!("{place}, {key}"), &wanted[step]);
                match key.as_str() {
                    "gradients" => close(&got.gradient, &numbers(wanted), 1e-9, &place),
                    "safe_gradients" => close(&got.safe_gradient, &numbers(wanted), 1e-9, &place),
                    "min_cosine" => close(&[got.min_cosine], &numbers(wanted), 1e-9, &place),
                    "iterations" => assert_eq!(got.iterations as u64, wanted.as_u64().unwrap(), "{place}"),
                    "norm_emas" => {
                        for (name, ema) in gcond.norm_emas() {
                            close(&[ema], &numbers(&wanted[name]), 1e-9, &place);
                        }
                    }
                    "winners" => {
                        let winners: Vec<&str> = gcond.winners().collect();
                        let wanted: Vec<&str> =
                            wanted.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
                        assert_eq!(winners, wanted, "{place}");
                    }
                    other => panic!("{place}: `{other}` is not known"),
                }
            }
        }
    }
}
