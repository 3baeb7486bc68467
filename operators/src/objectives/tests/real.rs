//! REAL against the sums of its formula.

use super::Naive;
use super::case::Case;
use super::naive::{old, on};
use crate::objectives::Objective;
use crate::objectives::real::{Form, Real};

pub fn real() -> Vec<Case> {
    [Form::Real, Form::Bce, Form::Product]
        .map(|form| {
            let naive: Naive = Box::new(move |c, live, _| {
                let mut groups = c.groups.clone();
                groups.dedup();
                let (mut total, mut mixed) = (0.0, 0.0);
                for group in &groups {
                    let rows: Vec<usize> = (0..c.rollouts())
                        .filter(|&row| c.group(row) == *group && !on(c, row).is_empty())
                        .collect();
                    let score = |row: usize| {
                        let on = on(c, row);
                        let n = on.len() as f64;
                        on.iter().map(|&t| live[t] - old(c, t)).sum::<f64>() / n / 0.5
                    };
                    let reward = |row: usize| c.rewards.as_ref().unwrap()[row];
                    let best = rows.iter().map(|&row| reward(row)).fold(f64::MIN, f64::max);
                    let right = |row: &&usize| reward(**row) == best;
                    let positive: f64 = rows.iter().filter(right).map(|&row| (-score(row)).exp()).sum();
                    let negative: f64 =
                        rows.iter().filter(|row| !right(row)).map(|&row| score(row).exp()).sum();
                    if negative == 0.0 {
                        continue;
                    }
                    mixed += rows.len() as f64;
                    total += match form {
                        Form::Real => (1.0 + positive).ln() + (1.0 + negative).ln(),
                        Form::Product => (1.0 + positive * negative).ln(),
                        Form::Bce => rows
                            .iter()
                            .map(|row| if right(&row) { -score(*row) } else { score(*row) })
                            .map(|logit| (1.0 + logit.exp()).ln())
                            .sum(),
                    };
                }
                let divisor = if form == Form::Bce { mixed } else { groups.len() as f64 };
                if divisor == 0.0 { 0.0 } else { total / divisor }
            });
            ("real", Box::new(Real { form, tau: 0.5 }) as Box<dyn Objective>, naive)
        })
        .into_iter()
        .collect()
}
