//! Cases of denoising objectives.

use std::collections::BTreeMap;

use meed_operators::objectives::Columns;
use serde_json::Value;

use super::batch::{Batch, output, part, settings};
use super::check::Check;
use super::{CREDIT, Checked};
use crate::case::Outcome;

const TRANSITIONS: &str =
    "transitions of the sampler come with the denoising recipes; the loss takes them as given";

pub fn branch_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let nodes: BTreeMap<&str, &Value> = case["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node["node_id"].as_str()?, node)))
        .collect();
    let edges = check.take("trained_edges")?;
    let edges: Vec<String> =
        edges.as_array().into_iter().flatten().filter_map(|edge| Some(edge.as_str()?.to_owned())).collect();
    let advantages = check.expected["node_advantages"].clone();
    let new = check.take("edge_new_logprobs")?;
    let mut trees: Vec<&Value> = nodes.values().map(|node| &node["tree"]).collect();
    trees.sort_by_key(|tree| tree.to_string());
    trees.dedup();
    let mut columns = Columns { offsets: (0..=edges.len()).collect(), ..Columns::default() };
    let mut old = Vec::new();
    for edge in &edges {
        let node = nodes.get(edge.as_str()).ok_or_else(|| format!("no node {edge}"))?;
        let number = |value: &Value| value.as_f64().ok_or_else(|| format!("edge {edge} lacks a number"));
        columns.groups.push(trees.iter().position(|tree| **tree == node["tree"]).unwrap_or(0));
        columns.mask.push(true);
        columns.logprobs.push(number(&new[edge])?);
        old.push(number(&node["edge_old_logprob"])?);
        columns.advantages.push(number(&advantages[edge])?);
    }
    columns.old_logprobs = Some(old);
    let batch = Batch { columns, ids: edges, groups: Vec::new(), rows: Vec::new() };
    let elsewhere = [
        "split_steps",
        "fusion",
        "eta",
        "split_noise_scale",
        "eps",
        "std_floor",
        "depth_pruning",
        "depth_slide",
        "interval",
        "current_step",
        "max_steps",
        "pruning_step_ratio",
        "width_pruning",
        "mixed_ode_sde",
        "window",
    ];
    let loss = batch.loss("branch_grpo", settings(case, &elsewhere))?;
    check.number("loss", part(&loss, "mean_loss")?)?;
    check.by_id("grad_edge_new_logprobs", &batch.ids, &loss.logprobs)?;
    check.left(&["node_rewards", "node_advantages"], CREDIT);
    check.left(&["optimizer_steps"], "steps of the optimiser: minibatches are update's");
    check.done()
}

/// One position per denoising step, with what the case gives for each as old and new log-probability.
fn denoising(case: &Value, check: &Check, advantage: impl Fn(&str, usize) -> Value) -> Result<Batch, String> {
    let mut batch = Batch::of(case)?;
    let (mut old, mut logprobs, mut advantages) = (Vec::new(), Vec::new(), Vec::new());
    batch.columns.offsets = vec![0];
    for id in &batch.ids {
        let steps = check.expected["step_logprobs"][id].as_array().ok_or("no step_logprobs")?;
        for (step, logprob) in steps.iter().enumerate() {
            old.push(logprob.as_f64().unwrap_or(f64::NAN));
            logprobs.push(check.expected["step_new_logprobs"][id][step].as_f64().unwrap_or(0.0));
            advantages.push(advantage(id, step).as_f64().unwrap_or(f64::NAN));
        }
        batch.columns.offsets.push(old.len());
    }
    batch.columns.mask = vec![false; old.len()];
    batch.columns.old_logprobs = Some(old);
    batch.columns.logprobs = logprobs;
    batch.columns.advantages = advantages;
    Ok(batch)
}

pub fn dance_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if check.expected.get("loss").is_none_or(Value::is_null) {
        let reason = "the reference's loss is NaN: the sample deviation of a group of one";
        return Ok(Outcome::Listed(reason.into()));
    }
    let advantages = check.expected["advantages"].clone();
    let mut batch = denoising(case, &check, |id, _| advantages[id].clone())?;
    let trained = check.take("trained_steps")?;
    for (rollout, id) in batch.ids.iter().enumerate() {
        for step in trained[id].as_array().into_iter().flatten() {
            let step = step.as_u64().ok_or("a trained step is no number")? as usize;
            batch.columns.mask[batch.columns.offsets[rollout] + step] = true;
        }
    }
    let loss = batch.loss("dance_grpo", settings(case, &["eta", "use_group", "timestep_fraction", "eps"]))?;
    check.number("loss", loss.value)?;
    check.positions("grad_step_new_logprobs", &batch, &loss.logprobs)?;
    check.left(&["advantages"], CREDIT);
    check.left(&["step_logprobs", "step_latents", "step_new_logprobs"], TRANSITIONS);
    check.done()
}

pub fn flow_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let transitions = ["step_logprobs", "step_latents", "step_means", "step_sde_std", "step_new_logprobs"];
    if !check.expected.contains_key("loss_per_step") {
        check.left(&["step_advantages"], CREDIT);
        check.left(&transitions, TRANSITIONS);
        return check.done();
    }
    let advantages = check.expected["step_advantages"].clone();
    let mut batch = denoising(case, &check, |id, step| advantages[id][step].clone())?;
    let (mut stds, mut shifts) = (Vec::new(), Vec::new());
    for (rollout, (id, row)) in batch.ids.iter().zip(&batch.rows).enumerate() {
        for step in 0..batch.columns.range(rollout).len() {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            let std = number(&check.expected["step_sde_std"][id][step]);
            let (sigma, next) = (number(&row["step_sigmas"][step]), number(&row["step_next_sigmas"][step]));
            // How a change of velocity moves the mean of the step.
            let factor = (1.0 + std * std * (1.0 - sigma) / (2.0 * sigma)) * (next - sigma);
            let velocities = |name: &str| row[name][step].as_array().cloned().unwrap_or_default();
            let (new, reference) = (velocities("step_new_velocities"), velocities("step_ref_velocities"));
            let squares = new.iter().zip(&reference).map(|(v, r)| (factor * (number(v) - number(r))).powi(2));
            stds.push(std);
            shifts.push(squares.sum::<f64>() / new.len() as f64);
        }
    }
    batch.signal("sde_std", stds);
    batch.signal("mean_shift", shifts);
    let settings = settings(case, &["noise_level", "global_std", "weighting", "eps"]);
    let steps = check.expected["loss_per_step"].as_array().map_or(0, Vec::len);
    let (mut losses, mut policy, mut kl) = (Vec::new(), Vec::new(), Vec::new());
    let (mut gradient, mut ratios) = (vec![0.0; batch.columns.tokens()], vec![0.0; batch.columns.tokens()]);
    for step in 0..steps {
        batch.columns.mask.fill(false);
        for rollout in 0..batch.ids.len() {
            batch.columns.mask[batch.columns.offsets[rollout] + step] = true;
        }
        let loss = batch.loss("flow_grpo", settings.clone())?;
        losses.push(loss.value);
        policy.push(part(&loss, "policy_loss")?);
        kl.push(loss.parts.get("kl").copied().unwrap_or(0.0));
        gradient.iter_mut().zip(&loss.logprobs).for_each(|(sum, slope)| *sum += slope);
        ratios.iter_mut().zip(output(&loss, "ratios")?).for_each(|(sum, ratio)| *sum += ratio);
    }
    check.numbers("loss_per_step", &losses)?;
    check.numbers("policy_loss_per_step", &policy)?;
    if check.expected.contains_key("kl_per_step") {
        check.numbers("kl_per_step", &kl)?;
    }
    check.positions("grad_step_new_logprobs", &batch, &gradient)?;
    check.positions("step_ratios", &batch, &ratios)?;
    check.left(&["step_advantages"], CREDIT);
    check.left(&transitions, TRANSITIONS);
    check.done()
}

pub fn tempflow_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let mut batch = Batch::of(case)?;
    let count = batch.rows.len();
    let numbers = |name: &str| -> Vec<f64> {
        batch.rows.iter().map(|row| row[name].as_f64().unwrap_or(f64::NAN)).collect()
    };
    let shift = |to: &str| -> Vec<f64> {
        let square = |row: &Value| {
            let list = |name: &str| row[name].as_array().cloned().unwrap_or_default();
            let (mean, to) = (list("mean"), list(to));
            let gap =
                |(a, b): (&Value, &Value)| a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN);
            mean.iter().zip(&to).map(gap).map(|gap| gap * gap).sum::<f64>() / mean.len() as f64
        };
        batch.rows.iter().map(square).collect()
    };
    let signals = [
        ("sigma", numbers("sigma")),
        ("next_sigma", numbers("next_sigma")),
        ("step_index", numbers("step_index")),
        ("branches", numbers("branches")),
        ("mean_shift", shift("ref_mean")),
        ("old_mean_shift", shift("old_mean")),
    ];
    let (logprobs, old) = (numbers("logprob"), numbers("old_logprob"));
    let advantages = check.expected["advantages"].clone();
    let of_row = |id: &String| advantages[id].as_f64().ok_or("a row has no advantage");
    let advantages = batch.ids.iter().map(of_row).collect::<Result<Vec<f64>, _>>()?;
    batch.columns = Columns {
        offsets: (0..=count).collect(),
        groups: batch.columns.groups.clone(),
        mask: vec![true; count],
        logprobs,
        old_logprobs: Some(old),
        advantages,
        ..Columns::default()
    };
    signals.into_iter().for_each(|(name, values)| batch.signal(name, values));
    let loss = batch.loss("tempflow_grpo", settings(case, &["group", "branch_schedule", "eps"]))?;
    for (key, name) in
        [("ratios", "ratios"), ("row_losses", "row_losses"), ("sde_std", "sde_std"), ("trained", "trained")]
    {
        check.by_id(key, &batch.ids, output(&loss, name)?)?;
    }
    check.number("policy_loss", part(&loss, "policy_loss")?)?;
    check.number("kl_loss", part(&loss, "kl")?)?;
    check.number("loss", loss.value)?;
    check.by_id("grad_logprobs", &batch.ids, &loss.logprobs)?;
    check.left(&["advantages"], CREDIT);
    check.done()
}
