//! The REX schedule.

use meed_operators::update::{Decay, Schedule};

use super::{cases, close, number, numbers, only};

#[test]
fn rates_are_those_of_the_reference() {
    for (i, case) in cases("rex").iter().enumerate() {
        let params = &case["params"];
        only(params, &["budget", "max_lr", "min_lr", "d", "restart"]);
        let schedule = Schedule {
            peak: number(&params["max_lr"]),
            floor: number(&params["min_lr"]),
            warm_up: 0,
            decay: Decay::Rex {
                steps: params["budget"].as_u64().unwrap(),
                d: number(&params["d"]),
                restart: params["restart"].as_bool().unwrap(),
            },
        };
        let wanted = numbers(&case["expected"]["learning_rates"]);
        let got: Vec<f64> = (0..wanted.len() as u64).map(|step| schedule.rate(step)).collect();
        close(&got, &wanted, 1e-12, &format!("rex[{i}]"));
    }
}
