//! Cases of denoising objectives.

use std::collections::BTreeMap;

use meed_operators::objectives::Columns;
use meed_operators::objectives::denoising::Sampler;
use serde_json::Value;

use super::batch::{Batch, output, part, settings};
use super::check::Check;
use super::{CREDIT, Checked};

pub fn branch_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let nodes: BTreeMap<&str, &Value> = case["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node["node_id"].as_str()?, node)))
        .collect();
    let edges = check.expected["trained_edges"].clone();
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
    transitions(case, &mut check)?;
    let loss = batch.loss("branch_grpo", settings(case, &elsewhere))?;
    check.number("loss", part(&loss, "mean_loss")?)?;
    check.by_id("grad_edge_new_logprobs", &batch.ids, &loss.logprobs)?;
    check.left(&["node_rewards", "node_advantages", "trained_edges"], CREDIT);
    check.left(&["optimizer_steps"], "steps of the optimiser: minibatches are update's");
    check.done()
}

/// Every edge: at a split the noise is scaled, and the log-probability is that of the plain deviation.
fn transitions(case: &Value, check: &mut Check) -> Result<(), String> {
    let number = |name: &str| case["params"][name].as_f64().ok_or_else(|| format!("no {name}"));
    let sampler = Sampler::Dance { eta: number("eta")? };
    let sigmas = vector(&case["sigmas"]);
    for edge in case["transitions"].as_array().into_iter().flatten() {
        let t = edge["step"].as_u64().ok_or("an edge has no step")? as usize;
        let (latent, velocity) = (vector(&edge["latent"]), vector(&edge["velocity"]));
        let step = sampler.step(&latent, &velocity, sigmas[t], sigmas[t + 1], sigmas[1]);
        let scale = if edge["split"] == true { number("split_noise_scale")? } else { 1.0 };
        let next = step.sample(&vector(&edge["noise"]).iter().map(|noise| scale * noise).collect::<Vec<_>>());
        let wanted = edge["next_latent"].as_array().ok_or("an edge has no next_latent")?;
        check.list("next_latent", &next, wanted)?;
        check.list("logprob", &[step.logprob(&next)], &[edge["logprob"].clone()])?;
    }
    Ok(())
}

/// The steps of all rollouts of a case, walked from their first latents with the given noise.
#[derive(Default)]
struct Walk {
    latents: Vec<Vec<f64>>,
    means: Vec<Vec<f64>>,
    deviations: Vec<f64>,
    logprobs: Vec<f64>,
    /// Under the new velocities, where the case has them; NaN where not.
    new_logprobs: Vec<f64>,
    /// Mean square distance of the new mean from the reference's.
    shifts: Vec<f64>,
}

fn vector(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn walk(batch: &Batch, sampler: Sampler, steps: impl Fn(&str) -> usize) -> Walk {
    let mut walk = Walk::default();
    for (id, row) in batch.ids.iter().zip(&batch.rows) {
        let (sigmas, nexts) = (vector(&row["step_sigmas"]), vector(&row["step_next_sigmas"]));
        let mut latent = vector(&row["initial_latent"]);
        for t in 0..steps(id) {
            let step = |velocities: &str| {
                let velocity = vector(&row[velocities][t]);
                sampler.step(&latent, &velocity, sigmas[t], nexts[t], sigmas[1])
            };
            let (old, new) = (step("step_velocities"), step("step_new_velocities"));
            let next = old.sample(&vector(&row["step_noises"][t]));
            walk.logprobs.push(old.logprob(&next));
            walk.new_logprobs.push(if new.mean.is_empty() { f64::NAN } else { new.logprob(&next) });
            walk.shifts.push(new.shift(&step("step_ref_velocities")));
            walk.deviations.push(old.deviation);
            walk.means.push(old.mean);
            walk.latents.push(next.clone());
            latent = next;
        }
    }
    walk
}

/// One position per step, with the old and new log-probabilities of a walk, none of them trained.
fn steps(case: &Value, check: &mut Check, sampler: Sampler) -> Result<(Batch, Walk), String> {
    let mut batch = Batch::of(case)?;
    let given = check.expected["step_logprobs"].clone();
    let count = |id: &str| given[id].as_array().map_or(0, Vec::len);
    batch.columns.offsets = vec![0];
    for id in &batch.ids {
        let last = batch.columns.offsets[batch.columns.offsets.len() - 1];
        batch.columns.offsets.push(last + count(id));
    }
    let walk = walk(&batch, sampler, count);
    batch.columns.mask = vec![false; walk.logprobs.len()];
    batch.columns.old_logprobs = Some(walk.logprobs.clone());
    batch.columns.logprobs = walk.new_logprobs.clone();
    check.positions("step_logprobs", &batch, &walk.logprobs)?;
    for (key, vectors) in [("step_latents", &walk.latents), ("step_means", &walk.means)] {
        let Ok(wanted) = check.take(key) else {
            continue;
        };
        for (rollout, id) in batch.ids.iter().enumerate() {
            for (t, got) in vectors[batch.columns.range(rollout)].iter().enumerate() {
                let wanted = wanted[id][t].as_array().ok_or_else(|| format!("{key} of {id} lacks {t}"))?;
                check.list(&format!("{key} of {id} at {t}"), got, wanted)?;
            }
        }
    }
    Ok((batch, walk))
}

pub fn dance_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let number = |name: &str| case["params"][name].as_f64().ok_or_else(|| format!("no {name}"));
    let (mut batch, walk) = steps(case, &mut check, Sampler::Dance { eta: number("eta")? })?;
    let trained = check.take("trained_steps")?;
    let advantages = check.expected["advantages"].clone();
    batch.columns.advantages = vec![f64::NAN; walk.logprobs.len()];
    for (rollout, id) in batch.ids.iter().enumerate() {
        let start = batch.columns.offsets[rollout];
        for step in trained[id].as_array().into_iter().flatten() {
            let step = step.as_u64().ok_or("a trained step is no number")? as usize;
            batch.columns.mask[start + step] = true;
            batch.columns.advantages[start + step] = advantages[id].as_f64().unwrap_or(f64::NAN);
        }
    }
    let compared: Vec<f64> =
        walk.new_logprobs.iter().zip(&batch.columns.mask).map(|(x, on)| if *on { *x } else { 0.0 }).collect();
    check.positions("step_new_logprobs", &batch, &compared)?;
    check.left(&["advantages"], CREDIT);
    if check.expected.get("loss").is_none_or(Value::is_null) {
        let reason = "the reference's loss is NaN: the sample deviation of a group of one";
        check.left(&["loss", "grad_step_new_logprobs"], reason);
        return check.done();
    }
    let loss = batch.loss("dance_grpo", settings(case, &["eta", "use_group", "timestep_fraction", "eps"]))?;
    check.number("loss", loss.value)?;
    check.positions("grad_step_new_logprobs", &batch, &loss.logprobs)?;
    check.done()
}

pub fn flow_grpo(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    let noise_level = case["params"]["noise_level"].as_f64().ok_or("no noise_level")?;
    let (mut batch, walk) = steps(case, &mut check, Sampler::Flow { noise_level })?;
    check.positions("step_sde_std", &batch, &walk.deviations)?;
    let advantages = check.take("step_advantages")?;
    let of_rollout = |id: &String| vector(&advantages[id]);
    batch.columns.advantages = batch.ids.iter().flat_map(of_rollout).collect();
    check.elsewhere.push(("step_advantages".into(), CREDIT));
    if !check.expected.contains_key("loss_per_step") {
        return check.done();
    }
    check.positions("step_new_logprobs", &batch, &walk.new_logprobs)?;
    batch.signal("sde_std", walk.deviations);
    batch.signal("mean_shift", walk.shifts);
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
