//! Cases of preference, judge and denoising objectives: losses, parts and gradients.

use std::collections::BTreeMap;

use meed_operators::objectives::preference::Pair;
use meed_operators::objectives::{Columns, Loss};
use meed_pipelines::find_objective;
use serde_json::{Map, Value, json};

use crate::case::Outcome;
use crate::compare::Tolerance;

type Checked = Result<Outcome, String>;

/// The outcome of a case, if its recipe is one of these objectives.
pub fn run(case: &Value) -> Option<Checked> {
    let run: fn(&Value) -> Checked = match case["recipe"].as_str()? {
        "dpo" => dpo,
        "tgdpo" => tgdpo,
        "rise" => rise,
        "mm_rlhf" => mm_rlhf,
        "prime" => prime,
        "implicit_prm" => implicit_prm,
        "istar" => istar,
        "spa_rl" => spa_rl,
        "branch_grpo" => branch_grpo,
        "dance_grpo" => dance_grpo,
        "flow_grpo" => flow_grpo,
        "tempflow_grpo" => tempflow_grpo,
        _ => return None,
    };
    let known = |key: &&String| !KEYS.contains(&key.as_str());
    Some(match case.as_object()?.keys().find(known) {
        Some(key) => Err(format!("the key `{key}` is not known")),
        None => run(case),
    })
}

const KEYS: &[&str] = &[
    "recipe",
    "params",
    "source",
    "precision",
    "note",
    "reference_bug",
    "reference_bug_note",
    "rollouts",
    "expected",
    "tolerance",
    "nodes",
    "sigmas",
    "transitions",
];

const CREDIT: &str = "advantages, returns and rewards come with the credit recipe of this name";
const TRANSITIONS: &str =
    "transitions of the sampler come with the denoising recipes; the loss takes them as given";

/// TRL reports this metric in single precision.
const SINGLE: &[&str] = &["reward_accuracies"];

/// What a case expects, key by key; a key that nobody asked for is a failure.
struct Check {
    expected: Map<String, Value>,
    tolerance: Tolerance,
    least: f64,
    compared: usize,
    elsewhere: Vec<(String, &'static str)>,
}

impl Check {
    fn of(case: &Value) -> Result<Self, String> {
        Ok(Check {
            expected: case["expected"].as_object().ok_or("expects nothing")?.clone(),
            tolerance: Tolerance::read(case.get("tolerance"), case.get("precision"))?,
            least: 1e-9,
            compared: 0,
            elsewhere: Vec::new(),
        })
    }

    fn take(&mut self, key: &str) -> Result<Value, String> {
        self.expected.remove(key).ok_or_else(|| format!("expects no `{key}`"))
    }

    fn close(&mut self, place: &str, got: f64, wanted: &Value, least: f64) -> Result<(), String> {
        let close = match wanted.as_f64() {
            Some(wanted) => self.tolerance.close(got, wanted, least),
            None => got == 0.0,
        };
        if !close {
            return Err(format!("{place}: got {got}, expected {wanted}"));
        }
        self.compared += 1;
        Ok(())
    }

    fn number(&mut self, key: &str, got: f64) -> Result<(), String> {
        let wanted = self.take(key)?;
        self.close(key, got, &wanted, self.least)
    }

    fn numbers(&mut self, key: &str, got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        let wanted = wanted.as_array().ok_or_else(|| format!("{key} is no list"))?;
        self.list(key, got, wanted)
    }

    fn list(&mut self, place: &str, got: &[f64], wanted: &[Value]) -> Result<(), String> {
        if got.len() != wanted.len() {
            return Err(format!("{place}: {} values, expected {}", got.len(), wanted.len()));
        }
        for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            self.close(&format!("{place} at {i}"), *got, wanted, self.least)?;
        }
        Ok(())
    }

    /// A map from ids to numbers or truth values.
    fn by_id(&mut self, key: &str, ids: &[String], got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        for (id, got) in ids.iter().zip(got) {
            let wanted = match wanted.get(id).ok_or_else(|| format!("{key} has no {id}"))? {
                Value::Bool(on) => json!(u8::from(*on)),
                other => other.clone(),
            };
            self.close(&format!("{key} of {id}"), *got, &wanted, self.least)?;
        }
        Ok(())
    }

    /// A map from rollouts to one number per position; tokens outside the mask are not compared.
    fn positions(&mut self, key: &str, batch: &Batch, got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        for (rollout, id) in batch.ids.iter().enumerate() {
            let range = batch.columns.range(rollout);
            let mut wanted = wanted[id].as_array().ok_or_else(|| format!("{key} has no {id}"))?.clone();
            if wanted.len() != range.len() {
                return Err(format!("{key} of {id}: {} values, expected {}", range.len(), wanted.len()));
            }
            let mut got = got[range].to_vec();
            if let Some(mask) = batch.rows[rollout]["token_mask"].as_array() {
                let kept = |i: &usize| mask[*i] == true;
                wanted = (0..wanted.len()).filter(kept).map(|i| wanted[i].clone()).collect();
                got = (0..got.len()).filter(kept).map(|i| got[i]).collect();
            }
            self.list(&format!("{key} of {id}"), &got, &wanted)?;
        }
        Ok(())
    }

    /// Metrics of a preference run, from the parts of a loss.
    fn metrics(&mut self, loss: &Loss) -> Result<(), String> {
        let wanted = self.take("metrics")?;
        for (name, wanted) in wanted.as_object().into_iter().flatten() {
            let got = loss.parts.get(name).ok_or_else(|| format!("no part `{name}`"))?;
            let least = if SINGLE.contains(&name.as_str()) { 1e-6 } else { self.least };
            self.close(name, *got, wanted, least)?;
        }
        Ok(())
    }

    fn left(&mut self, keys: &[&str], reason: &'static str) {
        for key in keys {
            if self.expected.remove(*key).is_some() {
                self.elsewhere.push(((*key).to_owned(), reason));
            }
        }
    }

    fn done(self) -> Checked {
        if let Some(key) = self.expected.keys().next() {
            return Err(format!("the expected key `{key}` is not known"));
        }
        Ok(match (self.compared, self.elsewhere.first()) {
            (0, None) => Outcome::Listed("no value at a trainable position".into()),
            (0, Some((_, reason))) => Outcome::Listed((*reason).to_owned()),
            (compared, None) => Outcome::Asserted(compared),
            (compared, Some(_)) => Outcome::Partly(compared, self.elsewhere),
        })
    }
}

/// Rollouts of a case as columns, with their ids.
struct Batch {
    columns: Columns,
    ids: Vec<String>,
    groups: Vec<String>,
    rows: Vec<Value>,
}

impl Batch {
    fn of(case: &Value) -> Result<Self, String> {
        let rows = case["rollouts"].as_array().ok_or("has no rollouts")?.clone();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let ids: Vec<String> = rows.iter().map(|row| text(row, "rollout_id")).collect();
        let mut groups: Vec<String> = Vec::new();
        let mut columns = Columns { offsets: vec![0], ..Columns::default() };
        for row in &rows {
            let group = text(row, "group_id");
            let number = groups.iter().position(|known| *known == group).unwrap_or(groups.len());
            if number == groups.len() {
                groups.push(group);
            }
            columns.groups.push(number);
            let mask = row["token_mask"].as_array();
            columns.mask.extend(mask.into_iter().flatten().map(|on| on.as_bool().unwrap_or(false)));
            columns.offsets.push(columns.mask.len());
        }
        columns.logprobs = vec![0.0; columns.mask.len()];
        let rewards: Vec<f64> = rows.iter().filter_map(|row| row["reward"].as_f64()).collect();
        columns.rewards = (rewards.len() == rows.len()).then_some(rewards);
        let labelled = |label: &str, number: usize| {
            (0..rows.len()).find(|&i| rows[i]["label"] == label && columns.groups[i] == number)
        };
        columns.pairs = (0..groups.len())
            .filter_map(|number| Some(Pair::new(labelled("chosen", number)?, labelled("rejected", number)?)))
            .collect();
        Ok(Batch { columns, ids, groups, rows })
    }

    fn column(&self, name: &str) -> Result<Vec<f64>, String> {
        let mut values = Vec::new();
        for row in &self.rows {
            let list = row[name].as_array().ok_or_else(|| format!("a rollout has no {name}"))?;
            values.extend(list.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)));
        }
        Ok(values)
    }

    /// Log-probabilities of the current model, of its reference and of the old one.
    fn logprobs(mut self, now: &str, reference: Option<&str>, old: Option<&str>) -> Result<Self, String> {
        self.columns.logprobs = self.column(now)?;
        self.columns.ref_logprobs = reference.map(|name| self.column(name)).transpose()?;
        self.columns.old_logprobs = old.map(|name| self.column(name)).transpose()?;
        Ok(self)
    }

    fn signal(&mut self, name: &str, values: Vec<f64>) {
        self.columns.signals.insert(name.to_owned(), values);
    }

    fn loss(&self, name: &str, settings: Map<String, Value>) -> Result<Loss, String> {
        let text = |error: meed_operators::Error| format!("{error}; {}", error.hint());
        let settings: Vec<(String, Value)> = settings.into_iter().collect();
        let objective = find_objective(name).and_then(|found| found.with(&settings)).map_err(text)?;
        objective.loss(&self.columns).map_err(text)
    }
}

/// Parameters of the loss: without those that belong to other parts of the method.
fn settings(case: &Value, elsewhere: &[&str]) -> Map<String, Value> {
    let mut settings = case["params"].as_object().cloned().unwrap_or_default();
    settings.retain(|name, _| !elsewhere.contains(&name.as_str()));
    settings
}

fn output<'a>(loss: &'a Loss, name: &str) -> Result<&'a [f64], String> {
    loss.outputs.get(name).map(Vec::as_slice).ok_or_else(|| format!("the loss has no output `{name}`"))
}

fn part(loss: &Loss, name: &str) -> Result<f64, String> {
    loss.parts.get(name).copied().ok_or_else(|| format!("the loss has no part `{name}`"))
}

fn dpo(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    if case["params"]["wpo_weighting"] == true {
        let squared = batch.column("token_log_sum_squared_probs")?;
        batch.signal("token_log_sum_squared_probs", squared);
    }
    let loss = batch.loss("dpo", settings(case, &[]))?;
    let mut check = Check::of(case)?;
    if case["params"]["divergence"] == "alpha_divergence" {
        // The reference takes the exponential in single precision.
        check.least = 1e-6;
    }
    check.number("loss", loss.value)?;
    check.metrics(&loss)?;
    if check.expected.contains_key("grad_token_logprobs") {
        check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    }
    check.done()
}

fn rise(case: &Value) -> Checked {
    if case["params"]["part"] == "pairs" {
        return Ok(Outcome::Listed(
            "pairs from edited steps: building preference data is not an objective".into(),
        ));
    }
    let batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let loss = batch.loss("rise", settings(case, &["part"]))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.metrics(&loss)?;
    check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    check.done()
}

fn tgdpo(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let model = batch.column("token_rm_logprobs")?;
    batch.signal("token_rm_logprobs", model);
    let loss = batch.loss("tgdpo", settings(case, &[]))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.by_id("pair_losses", &batch.groups, output(&loss, "pair_losses")?)?;
    check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    check.done()
}

fn mm_rlhf(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let mut check = Check::of(case)?;
    let implicit = case["params"]["mode"] == "implicit";
    if implicit {
        let drawn = check.take("drawn")?;
        let drawn = drawn.as_array().ok_or("drawn is no list")?;
        let on =
            batch.groups.iter().map(|group| f64::from(u8::from(drawn.contains(&json!(group))))).collect();
        batch.signal("pair_drawn", on);
    } else {
        let pairs = batch.columns.pairs.iter();
        let margins = pairs.map(|pair| batch.rows[pair.chosen]["margin_factor"].as_f64().unwrap_or(f64::NAN));
        let margins = margins.collect();
        batch.signal("pair_margin_factor", margins);
    }
    let mut settings = settings(case, &[]);
    settings.insert("sft_weight".into(), json!(0.0));
    let loss = batch.loss("mm_rlhf", settings)?;
    check.number("loss", loss.value)?;
    check.by_id("pair_losses", &batch.groups, output(&loss, "pair_losses")?)?;
    check.by_id("betas", &batch.groups, output(&loss, "betas")?)?;
    check.by_id("implicit_rewards", &batch.ids, output(&loss, "implicit_rewards")?)?;
    if implicit {
        check.by_id("draw_weights", &batch.groups, output(&loss, "draw_weights")?)?;
    }
    // The gradient with respect to a sum is that of each of its tokens.
    let sums = check.take("grad_sequence_logprobs")?;
    for (rollout, id) in batch.ids.iter().enumerate() {
        for t in batch.columns.range(rollout).filter(|&t| batch.columns.mask[t]) {
            check.close(&format!("grad_sequence_logprobs of {id}"), loss.logprobs[t], &sums[id], 1e-9)?;
        }
    }
    check.done()
}

fn prime(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"].get("filter").is_some() {
        check.left(&["kept_rollouts"], "the accuracy band: a filter of sampling");
        return check.done();
    }
    let batch = Batch::of(case)?.logprobs(
        "token_prm_logprobs",
        Some("token_ref_logprobs"),
        Some("token_old_logprobs"),
    )?;
    let of_credit =
        ["granularity", "score_norm", "gamma_process", "gamma_outcome", "whiten_eps", "score_norm_eps"];
    let loss = batch.loss("prime", settings(case, &of_credit))?;
    check.number("prm_loss", loss.value)?;
    check.number("pairwise_accuracy", part(&loss, "pairwise_accuracy")?)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    check.left(&["token_scores", "token_returns", "token_advantages"], CREDIT);
    check.done()
}

fn implicit_prm(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"]["piece"] == "step reward" {
        let scores = ["score_min_single", "score_sum_single", "score_min_cumulative", "score_sum_cumulative"];
        check.left(&["step_rewards", "step_cumulative"], CREDIT);
        check.left(&scores, CREDIT);
        return check.done();
    }
    let mut batch = Batch::of(case)?.logprobs("token_prm_logprobs", Some("token_ref_logprobs"), None)?;
    if case["params"]["loss"] == "kto" {
        let list = |name: &str| -> Vec<f64> {
            case["params"][name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        let (policy, reference) = (list("kl_policy_logps"), list("kl_reference_logps"));
        batch.signal("kl_log_ratios", policy.iter().zip(&reference).map(|(p, r)| p - r).collect());
    }
    let loss =
        batch.loss("implicit_prm", settings(case, &["piece", "kl_policy_logps", "kl_reference_logps"]))?;
    check.number("loss", loss.value)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    if check.expected.contains_key("outcome_rewards") {
        check.by_id("outcome_rewards", &batch.ids, output(&loss, "outcome_rewards")?)?;
    }
    if check.expected.contains_key("kl") {
        check.number("kl", part(&loss, "kl")?)?;
    }
    check.done()
}

fn istar(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_prm_logprobs", None, Some("token_old_logprobs"))?;
    let policy_steps = |row: &Value| {
        let kinds = row["step_kinds"].as_array().into_iter().flatten();
        kinds.filter(|kind| *kind != "environment").count() as f64
    };
    let steps = batch.rows.iter().map(policy_steps).collect();
    batch.signal("policy_steps", steps);
    let of_credit = ["estimator", "step_weight", "normalise", "invalid_action_penalty", "eps"];
    let loss = batch.loss("istar", settings(case, &of_credit))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    check.left(&["token_advantages", "step_advantages", "step_rewards"], CREDIT);
    check.done()
}

fn spa_rl(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"]["variant"] != "estimator" {
        check.left(&["step_values", "token_rewards"], CREDIT);
        return check.done();
    }
    let mut batch = Batch::of(case)?;
    let tokens = batch.columns.tokens();
    let (mut values, mut ends, mut places) = (vec![0.0; tokens], vec![0.0; tokens], Vec::new());
    for (rollout, row) in batch.rows.iter().enumerate() {
        let list = |name: &str| row[name].as_array().cloned().unwrap_or_default();
        let start = batch.columns.offsets[rollout];
        let steps = list("step_ends").into_iter().zip(list("step_kinds")).zip(list("step_contributions"));
        let mut of_steps = Vec::new();
        for ((end, kind), contribution) in steps {
            let last = start + end.as_u64().ok_or("a step end is no number")? as usize - 1;
            of_steps.push(last);
            if kind != "environment" {
                values[last] = contribution.as_f64().ok_or("a contribution is no number")?;
                ends[last] = 1.0;
            }
        }
        places.push(of_steps);
    }
    batch.columns.values = Some(values);
    batch.signal("turn_ends", ends);
    let loss = batch.loss("spa_rl", settings(case, &["variant"]))?;
    check.number("loss", loss.value)?;
    check.by_id("predictions", &batch.ids, output(&loss, "predictions")?)?;
    let gradient = loss.values.ok_or("the loss has no gradient of values")?;
    let wanted = check.take("grad_step_contributions")?;
    for (id, places) in batch.ids.iter().zip(places) {
        let got: Vec<f64> = places.into_iter().map(|t| gradient[t]).collect();
        let wanted = wanted[id].as_array().ok_or("a rollout has no gradient")?;
        check.list(&format!("grad_step_contributions of {id}"), &got, wanted)?;
    }
    check.done()
}

fn branch_grpo(case: &Value) -> Checked {
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

fn dance_grpo(case: &Value) -> Checked {
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

fn flow_grpo(case: &Value) -> Checked {
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

fn tempflow_grpo(case: &Value) -> Checked {
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
