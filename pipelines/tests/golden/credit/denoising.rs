//! Golden cases of the family `denoising`.

use meed_operators::credit::ROLLOUT;
use meed_operators::objectives::denoising::Sampler;
use meed_pipelines::InMemory;
use serde_json::{Map, Value};

use super::{Family, by_id, close};
use crate::case::Case;

pub struct Denoising;

impl Family for Denoising {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        match case.recipe.as_str() {
            "flow_grpo" | "dance_grpo" => rollouts.into_iter().map(|row| trained_steps(case, row)).collect(),
            "tempflow_grpo" => rollouts.into_iter().map(without_latents).collect(),
            "branch_grpo" => rollouts.into_iter().map(|row| path_of(case, row)).collect(),
            "turning_point_grpo" => {
                let devices = case.params.get("devices").and_then(Value::as_u64).unwrap_or(1);
                let per_device = rollouts.len().div_ceil(devices.max(1) as usize);
                rollouts.into_iter().enumerate().map(|(i, row)| prefixes_apart(row, i / per_device)).collect()
            }
            _ => Ok(rollouts),
        }
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        let signal = match (case.recipe.as_str(), key) {
            ("turning_point_grpo", "step_rewards") => "step_turning_rewards",
            ("branch_grpo", "node_rewards") => {
                return Some(of_nodes(case, wanted, given, "step_fused_rewards", Some("fused_reward")));
            }
            // The root is no edge's child.
            ("branch_grpo", "node_advantages") => {
                return Some(of_nodes(case, wanted, given, "advantage", None));
            }
            ("branch_grpo", "trained_edges") => return Some(trained_edges(case, wanted, given)),
            _ => return None,
        };
        let by_id = wanted.as_object()?.clone().into_iter().collect();
        let (unit, evaluated, rows) = (&given.unit, &given.evaluated, given.rows.as_ref());
        Some(crate::compare::key(signal, &by_id, unit, evaluated, rows, &case.tolerance))
    }

    fn run(&self, case: &Case) -> Option<Result<usize, String>> {
        let is_sampler = case.recipe == "turning_point_grpo" && case.params.contains_key("sampler");
        is_sampler.then(|| walked(case))
    }
}

fn object(row: Value) -> Result<Map<String, Value>, String> {
    match row {
        Value::Object(row) => Ok(row),
        _ => Err("a rollout is no object".into()),
    }
}

/// The rollout without latents, velocities and noises, and with as many steps as the case expects.
fn trained_steps(case: &Case, row: Value) -> Result<Value, String> {
    let mut row = object(row)?;
    let steps = case
        .expected
        .get("step_advantages")
        .and_then(|wanted| wanted.get(row["rollout_id"].as_str()?)?.as_array().map(Vec::len));
    row.retain(|name, _| !["velocities", "noises", "latent"].iter().any(|part| name.ends_with(part)));
    for column in row.values_mut().filter_map(Value::as_array_mut) {
        column.truncate(steps.unwrap_or(column.len()));
    }
    Ok(Value::Object(row))
}

/// The rollout without means of latents, the number of its step as the recipe calls it.
fn without_latents(row: Value) -> Result<Value, String> {
    let mut row = object(row)?;
    let step = row.remove("step_index").ok_or("has no step_index")?;
    row.insert("branch_step".into(), step);
    row.retain(|name, _| !["mean", "old_mean", "ref_mean"].contains(&name.as_str()));
    Ok(Value::Object(row))
}

/// The reward before the first step apart from those after each.
fn prefixes_apart(row: Value, device: usize) -> Result<Value, String> {
    let mut row = object(row)?;
    let prefixes = row.remove("step_prefix_rewards").ok_or("has no step_prefix_rewards")?;
    let (first, rest) = prefixes.as_array().and_then(|all| all.split_first()).ok_or("has no prefixes")?;
    row.insert("initial_completion_reward".into(), first.clone());
    row.insert("step_completion_rewards".into(), rest.into());
    row.insert("device".into(), device.into());
    Ok(Value::Object(row))
}

/// The number of a node whose id ends with `_n<number>`.
fn number_of(id: &str) -> Result<i64, String> {
    let digits = id.rsplit_once("_n").map(|(_, digits)| digits);
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("{id} is no node"))
}

/// The nodes from below the root to the leaf of a rollout.
fn path_to<'a>(case: &'a Case, rollout: &str) -> Vec<&'a Value> {
    let passes = |node: &&Value| {
        !node["parent_id"].is_null()
            && node["rollout_ids"].as_array().into_iter().flatten().any(|id| id == rollout)
    };
    let mut path: Vec<&Value> = case.nodes.iter().filter(passes).collect();
    path.sort_by_key(|node| node["depth"].as_u64());
    path
}

/// The leaf with the nodes of its path as steps.
fn path_of(case: &Case, row: Value) -> Result<Value, String> {
    let mut row = object(row)?;
    let path = path_to(case, row["rollout_id"].as_str().ok_or("a rollout has no id")?);
    let id = |node: &&Value| number_of(node["node_id"].as_str().unwrap_or_default());
    let nodes: Vec<i64> = path.iter().map(id).collect::<Result<_, _>>()?;
    let logprobs: Vec<&Value> = path.iter().map(|node| &node["edge_old_logprob"]).collect();
    row.insert("step_nodes".into(), nodes.into());
    row.insert("step_old_logprobs".into(), logprobs.into_iter().cloned().collect());
    row.remove("leaf");
    Ok(Value::Object(row))
}

/// A signal of every node, which is the same in all rollouts that pass it.
fn of_nodes(
    case: &Case,
    wanted: &Value,
    given: &InMemory,
    steps: &str,
    root: Option<&str>,
) -> Result<usize, String> {
    let mut compared = 0;
    for row in 0..given.unit.rows() {
        let path = path_to(case, given.unit.rollout_id(row));
        let values = of_row(given, steps, row)?;
        let ids = path.iter().map(|node| node["node_id"].as_str().unwrap_or_default());
        let wanted_of = |id: &str| wanted[id].as_f64().ok_or_else(|| format!("{id} is not expected"));
        let nodes: Vec<f64> = ids.map(wanted_of).collect::<Result<_, _>>()?;
        compared += close(steps, &values, &nodes, &case.tolerance)?;
        if let Some(root) = root {
            let top = path.first().and_then(|node| node["parent_id"].as_str()).ok_or("a leaf has no root")?;
            compared += close(root, &of_row(given, root, row)?, &[wanted_of(top)?], &case.tolerance)?;
        }
    }
    Ok(compared)
}

/// Exactly the expected edges have a weight, each in one rollout.
fn trained_edges(case: &Case, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let mut trained: Vec<&str> = Vec::new();
    for row in 0..given.unit.rows() {
        let weights = of_row(given, "weights", row)?;
        let path = path_to(case, given.unit.rollout_id(row));
        let on = path.iter().zip(weights).filter(|(_, weight)| *weight != 0.0);
        trained.extend(on.filter_map(|(node, _)| node["node_id"].as_str()));
    }
    let mut wanted: Vec<&str> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    trained.sort_unstable();
    wanted.sort_unstable();
    if trained == wanted { Ok(wanted.len()) } else { Err(format!("got {trained:?}, expected {wanted:?}")) }
}

/// A signal of one rollout.
fn of_row(given: &InMemory, name: &str, row: usize) -> Result<Vec<f64>, String> {
    let column = given.evaluated.signal(name).ok_or_else(|| format!("the recipe has no signal `{name}`"))?;
    let level = column.level.clone().unwrap_or(ROLLOUT);
    let extent = given.unit.extent(&level).map_err(|error| error.to_string())?;
    let numbers = (extent.rows[row]..extent.rows[row + 1]).map(|i| column.number(i).unwrap_or(f64::NAN));
    Ok(numbers.collect())
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Steps of the sampler, from the first latents with the given noise.
fn walked(case: &Case) -> Result<usize, String> {
    let noise_level = case.params["noise_level"].as_f64().ok_or("no noise_level")?;
    let sampler = Sampler::Cps { noise_level };
    let mut compared = 0;
    for row in &case.rollouts {
        let id = row["rollout_id"].as_str().ok_or("a rollout has no id")?;
        let wanted =
            |key: &str| by_id(&case.expected[key])?.get(id).ok_or_else(|| format!("{key} lacks {id}"));
        let (sigmas, nexts) = (numbers(&row["step_sigmas"]), numbers(&row["step_next_sigmas"]));
        let mut latent = numbers(&row["initial_latent"]);
        let (mut deviations, mut logprobs) = (Vec::new(), Vec::new());
        for t in 0..sigmas.len() {
            let velocity = numbers(&row["step_velocities"][t]);
            let step = sampler.step(&latent, &velocity, sigmas[t], nexts[t], sigmas[1]);
            latent = step.sample(&numbers(&row["step_noises"][t]));
            compared +=
                close("step_means", &step.mean, &numbers(&wanted("step_means")?[t]), &case.tolerance)?;
            compared +=
                close("step_latents", &latent, &numbers(&wanted("step_latents")?[t]), &case.tolerance)?;
            deviations.push(step.std);
            logprobs.push(step.logprob(&latent));
        }
        compared += close("step_std", &deviations, &numbers(wanted("step_std")?), &case.tolerance)?;
        compared += close("step_logprobs", &logprobs, &numbers(wanted("step_logprobs")?), &case.tolerance)?;
    }
    Ok(compared)
}
