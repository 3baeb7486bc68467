//! GaLore.

use meed_operators::update::{Galore, GaloreOptions, Optimizer, Projection, Weight};

use super::{cases, close, number, numbers, only};

#[test]
fn weights_and_moments_are_those_of_the_reference() {
    for (i, case) in cases("galore").iter().enumerate() {
        let params = &case["params"];
        let known = [
            "rank",
            "update_gap",
            "scale",
            "projection",
            "lr",
            "betas",
            "eps",
            "weight_decay",
            "bias_correction",
        ];
        only(params, &known);
        let mut optimizer = Galore::new(GaloreOptions {
            rank: params["rank"].as_u64().unwrap() as usize,
            update_gap: params["update_gap"].as_u64().unwrap(),
            scale: number(&params["scale"]),
            projection: match params["projection"].as_str().unwrap() {
                "std" => Projection::Standard,
                "reverse_std" => Projection::ReverseStandard,
                "right" => Projection::Right,
                "left" => Projection::Left,
                "full" => Projection::Full,
                other => panic!("the projection {other} is not known"),
            },
            betas: numbers(&params["betas"]).try_into().unwrap(),
            eps: number(&params["eps"]),
            weight_decay: number(&params["weight_decay"]),
            decay_vectors: true,
            bias_correction: params["bias_correction"].as_bool().unwrap(),
            plain: Vec::new(),
        });
        let rows = case["inputs"]["weights"].as_array().unwrap();
        let shape = [rows.len(), rows[0].as_array().unwrap().len()];
        let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let mut values = single(numbers(&case["inputs"]["weights"]));
        let (weights, moments) = (&case["expected"]["weights"], &case["expected"]["abs_first_moments"]);
        let lr = number(&params["lr"]);
        for (step, gradient) in case["inputs"]["gradients"].as_array().unwrap().iter().enumerate() {
            let gradient = single(numbers(gradient));
            let (wanted, moment) = (numbers(&weights[step]), numbers(&moments[step]));
            let renewed = step > 0 && (step as u64).is_multiple_of(params["update_gap"].as_u64().unwrap());
            // The signs of a renewed basis are those of the reference's linear algebra. They act as if the
            // moments had other signs, so one choice of those must give the reference's numbers.
            let choices = if renewed { signs(&optimizer) } else { vec![optimizer.clone()] };
            let mut tried = Vec::new();
            for mut choice in choices {
                let mut values = values.clone();
                let weight = Weight { name: "w", shape: &shape, values: &mut values, gradient: &gradient };
                choice.step(&mut [weight], lr).unwrap();
                tried.push((off(&values, &wanted), choice, values));
            }
            tried.sort_by(|a, b| a.0.total_cmp(&b.0));
            (_, optimizer, values) = tried.remove(0);
            let place = format!("galore[{i}], step {step}");
            // Projected on both sides the first gradient is diagonal but for the rounding of the singular
            // vectors to f32, here and in the reference; Adam makes that visible.
            let tolerance = if params["projection"] == "full" { 1e-5 } else { 1e-6 };
            close(&double(&values, |x| x), &wanted, tolerance, &place);
            let got = &optimizer.state()["w.first_moment"];
            close(&double(&got.values, f64::abs), &moment, 1e-6, &format!("{place}, moments"));
        }
    }
}

fn double(values: &[f32], turn: impl Fn(f64) -> f64) -> Vec<f64> {
    values.iter().map(|&x| turn(f64::from(x))).collect()
}

fn off(values: &[f32], wanted: &[f64]) -> f64 {
    values.iter().zip(wanted).map(|(&got, wanted)| (f64::from(got) - wanted).abs()).fold(0.0, f64::max)
}

/// The optimiser with all choices of signs of its projected first moment, along the rank.
fn signs(optimizer: &Galore) -> Vec<Galore> {
    let state = optimizer.state();
    let by_columns = state.contains_key("w.right_basis");
    let columns = state["w.first_moment"].shape[1];
    let rank = state["w.first_moment"].shape[usize::from(by_columns)];
    (0..1 << rank)
        .map(|choice: usize| {
            let mut state = state.clone();
            let moment = state.get_mut("w.first_moment").unwrap();
            for (i, m) in moment.values.iter_mut().enumerate() {
                let vector = if by_columns { i % columns } else { i / columns };
                *m *= if choice >> vector & 1 == 1 { -1.0 } else { 1.0 };
            }
            let mut turned = optimizer.clone();
            turned.restore(state).unwrap();
            turned
        })
        .collect()
}
