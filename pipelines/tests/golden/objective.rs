//! Cases of objectives: losses, gradients, corrections, divergences, aggregates and controllers.

use std::collections::BTreeMap;

use meed_operators::objectives::policy::{Weighting, Weights};
use meed_operators::objectives::proximal::{Mixture, proximal};
use meed_operators::objectives::{Anchor, Columns, EntropyMask, KlController, Objective, OffPolicyMask};
use meed_pipelines::objectives::parts::aggregate::{AGGREGATE, aggregate};
use meed_pipelines::objectives::parts::correction::corrections;
use meed_pipelines::objectives::parts::divergence::divergence;
use meed_pipelines::parameters::Parameters;
use meed_pipelines::vocabulary::correction::correction;
use meed_pipelines::vocabulary::objective::{is_of_objective, objective};
use serde_json::{Map, Value, json};

use crate::case::{Case, Outcome};
use crate::columns::Batch;
use crate::compare::Tolerance;

/// Whether a case is one of an objective: a stage of a file of conventions, or a method that is an
/// objective and no recipe.
pub fn is_one(recipe: &str, params: &Map<String, Value>) -> bool {
    match params.get("stage").and_then(Value::as_str) {
        Some(stage) => is_of_objective(stage, params),
        None => meed_pipelines::find_objective(recipe).is_ok() && meed_pipelines::find(recipe).is_err(),
    }
}

/// Runs the case and compares what it expects.
pub fn run(case: &Case) -> Result<Outcome, String> {
    match compare(case) {
        Ok(0) => Ok(Outcome::Listed("no value at a trainable position".into())),
        Ok(values) => Ok(Outcome::Asserted(values)),
        Err(_) if case.reference_bug && !case.corrected => {
            Ok(Outcome::Listed(format!("reference bug, not reproduced: {}", case.bug)))
        }
        Err(difference) => Err(difference),
    }
}

fn text(error: meed_operators::Error) -> String {
    format!("{error}; {}", error.hint())
}

/// The words of a case; of the two readings that one word offers, the one that the test's variant took.
fn params(case: &Case) -> Map<String, Value> {
    let mut params = case.params.clone();
    if let Some(term) = params.get_mut("kl").and_then(|kl| kl.get_mut("sampling_term"))
        && case.source.ends_with("includes_sampling_term[True]")
    {
        *term = json!("exp(current - rollout), with gradient");
    }
    params
}

fn compare(case: &Case) -> Result<usize, String> {
    let stage = case.params.get("stage").and_then(Value::as_str).unwrap_or("loss");
    match stage {
        "kl_controller" => return controller(case),
        "proximal" => return between(case),
        "correction" => return corrected(case),
        "mask" => return masked(case),
        _ => {}
    }
    if case.expected.contains_key("token_advantages") {
        return scaled_advantages(case);
    }
    let (name, settings) = match case.params.get("stage") {
        Some(_) => objective(&case.recipe, stage, &params(case)).map_err(text)?,
        None => {
            let named = meed_pipelines::find_objective(&case.recipe).map_err(text)?;
            (named.name, case.params.clone().into_iter().collect())
        }
    };
    let built = meed_pipelines::find_objective(name).and_then(|found| found.with(&settings)).map_err(text)?;
    let mut batch = Batch::read(&case.rollouts)?;
    if stage == "kl" && case.recipe == "preset_slime" {
        // Its estimates and gradients are those of all tokens, the mask comes later.
        batch.columns.mask.fill(true);
    }
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "token_kl" => estimates(&settings, &batch, wanted, &case.tolerance)?,
            "token_loss" | "token_keep" | "token_clipped" => {
                token_by_token(key, built.as_ref(), &batch, wanted, &case.tolerance)?
            }
            _ => whole(key, built.as_ref(), case, &batch, wanted)?,
        };
    }
    Ok(compared)
}

/// A number or gradient of the whole batch.
fn whole(
    key: &str,
    objective: &dyn Objective,
    case: &Case,
    batch: &Batch,
    wanted: &Value,
) -> Result<usize, String> {
    let part = |name: &str| {
        let loss = objective.loss(&batch.columns).map_err(text)?;
        loss.parts.get(name).copied().ok_or_else(|| format!("the loss has no part {name}"))
    };
    let number = |got: f64| number(key, got, wanted, &case.tolerance);
    match key {
        "loss" => number(over_micro_batches(objective, case, batch)?),
        "mean_of_micro_batch_means" => number(mean_of_means(objective, case, batch)?),
        "clip_fraction" if case.params.get("stage") == Some(&json!("value_loss")) => {
            number(part("value_outside_fraction")?)
        }
        "clip_fraction" | "ppo_kl" | "mean_kl" => number(part(key)?),
        "grad_token_logprobs" => {
            let loss = objective.loss(&batch.columns).map_err(text)?;
            batch.tokens(key, &loss.logprobs, wanted, &case.tolerance, false)
        }
        "grad_token_new_values" => {
            let loss = objective.loss(&batch.columns).map_err(text)?;
            let gradient = loss.values.ok_or("the loss has no gradient of values")?;
            batch.tokens(key, &gradient, wanted, &case.tolerance, false)
        }
        other => Err(format!("the key `{other}` is not known")),
    }
}

/// The loss; where micro-batches of rows are asked for on purpose, the mean of theirs.
fn over_micro_batches(objective: &dyn Objective, case: &Case, batch: &Batch) -> Result<f64, String> {
    let Some(rows) = case.params.get("micro_batch_rows").and_then(Value::as_u64) else {
        return Ok(objective.loss(&batch.columns).map_err(text)?.value);
    };
    let rows: Vec<Vec<usize>> =
        (0..case.rollouts.len()).collect::<Vec<_>>().chunks(rows as usize).map(<[usize]>::to_vec).collect();
    mean_over(objective, case, &rows)
}

fn mean_of_means(objective: &dyn Objective, case: &Case, _batch: &Batch) -> Result<f64, String> {
    let given = case.params.get("micro_batches").cloned().unwrap_or_default();
    let rows: Vec<Vec<usize>> =
        serde_json::from_value(given).map_err(|error| format!("micro_batches: {error}"))?;
    mean_over(objective, case, &rows)
}

fn mean_over(objective: &dyn Objective, case: &Case, parts: &[Vec<usize>]) -> Result<f64, String> {
    let mut sum = 0.0;
    for rows in parts {
        let rollouts: Vec<Value> = rows.iter().map(|&row| case.rollouts[row].clone()).collect();
        sum += objective.loss(&Batch::read(&rollouts)?.columns).map_err(text)?.value;
    }
    Ok(sum / parts.len() as f64)
}

fn number(key: &str, got: f64, wanted: &Value, tolerance: &Tolerance) -> Result<usize, String> {
    let want = wanted.as_f64().ok_or_else(|| format!("{key} is no number"))?;
    if tolerance.close(got, want, 1e-9) { Ok(1) } else { Err(format!("{key}: got {got}, expected {want}")) }
}

/// Estimates of a divergence, masked tokens included where the case has them.
fn estimates(
    settings: &[(String, Value)],
    batch: &Batch,
    wanted: &Value,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let kl = settings.iter().find(|(name, _)| name == "kl").map(|(_, kl)| kl).ok_or("no kl is named")?;
    let divergence = divergence(kl).map_err(text)?.ok_or("no kl is named")?;
    let tokens = divergence.tokens(&batch.columns).map_err(text)?;
    let values: Vec<f64> = tokens.iter().map(|(value, _)| *value).collect();
    batch.tokens("token_kl", &values, wanted, tolerance, false)
}

/// What one token loses, by a batch whose mask has no other.
fn token_by_token(
    key: &str,
    objective: &dyn Objective,
    batch: &Batch,
    wanted: &Value,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let mut values = Vec::new();
    for t in 0..batch.columns.tokens() {
        let mut mask = vec![false; batch.columns.tokens()];
        mask[t] = true;
        let loss = objective.loss(&Columns { mask, ..batch.columns.clone() }).map_err(text)?;
        let clipped = loss.parts.get("clip_fraction").copied().unwrap_or_default();
        values.push(match key {
            "token_loss" => loss.value,
            "token_keep" => 1.0 - clipped,
            _ => clipped,
        });
    }
    batch.tokens(key, &values, wanted, tolerance, false)
}

/// Weights and masks of an off-policy correction.
fn corrected(case: &Case) -> Result<usize, String> {
    let batch = Batch::read(&case.rollouts)?;
    let given = correction(&case.params).map_err(text)?;
    let mut weights = Weights::of(&batch.columns);
    for weighting in corrections(&given).map_err(text)? {
        weighting.weigh(&batch.columns, &batch.columns.advantages, &mut weights).map_err(text)?;
    }
    let kept: Vec<f64> = weights.keep.iter().map(|&keep| f64::from(u8::from(keep))).collect();
    // Where a list of corrections shows masks and weights apart, the weights are those before masking.
    let kind = case.params.get("kind").and_then(Value::as_str).unwrap_or_default();
    let apart = kind.starts_with("token_mask, then");
    let factors: Vec<f64> =
        (0..kept.len()).map(|t| if apart { weights.factors[t] } else { weights.factor(t) }).collect();
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "token_keep" => batch.tokens(key, &kept, wanted, &case.tolerance, false)?,
            "token_is_weights" => batch.tokens(key, &factors, wanted, &case.tolerance, false)?,
            "keep" => batch.rows(key, &kept, wanted, &case.tolerance)?,
            "weights" => batch.rows(key, &factors, wanted, &case.tolerance)?,
            other => return Err(format!("the key `{other}` is not known")),
        };
    }
    Ok(compared)
}

/// Masks of tokens: those of high entropy, and those of rollouts that have not drifted.
fn masked(case: &Case) -> Result<usize, String> {
    let described = [
        ("interpolation", "linear"),
        ("rule", "entropy >= quantile of trainable tokens"),
        ("rule", "drop a row with advantage < 0 and mean of (rollout - current) > threshold"),
    ];
    for (word, value) in &case.params {
        let known = ["stage", "kind", "quantile", "threshold"].contains(&word.as_str());
        if !known && !described.iter().any(|(name, text)| name == word && value == text) {
            return Err(format!("the word `{word}` has no known value {value}"));
        }
    }
    let mask: Box<dyn Weighting> = match case.params.get("kind").and_then(Value::as_str) {
        Some("high entropy tokens") => {
            Box::new(EntropyMask { keep_top: 1.0 - numbers(&case.params, "quantile")?[0] })
        }
        Some("off-policy sequence mask") => Box::new(OffPolicyMask {
            anchor: Anchor::Rollout,
            threshold: numbers(&case.params, "threshold")?[0],
        }),
        other => return Err(format!("kind {other:?} is not known")),
    };
    let batch = Batch::read(&case.rollouts)?;
    let mut weights = Weights::of(&batch.columns);
    mask.weigh(&batch.columns, &batch.columns.advantages, &mut weights).map_err(text)?;
    let kept: Vec<f64> = weights.keep.iter().map(|&keep| f64::from(u8::from(keep))).collect();
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "token_keep" => batch.tokens(key, &kept, wanted, &case.tolerance, true)?,
            "keep" => batch.rows(key, &kept, wanted, &case.tolerance)?,
            other => return Err(format!("the key `{other}` is not known")),
        };
    }
    Ok(compared)
}

/// Advantages that are scaled so that their plain sum is the reduced one.
fn scaled_advantages(case: &Case) -> Result<usize, String> {
    let mut params = case.params.clone();
    let batch = Batch::read(&case.rollouts)?;
    if params.get("mass_per_rollout") == Some(&json!("1 / number of trained rows")) {
        params.insert("aggregate".into(), json!("mean over trajectories of token_mean"));
        params.insert("global_sequences".into(), json!(case.rollouts.len()));
    }
    let (_, settings) = objective(&case.recipe, "aggregate", &params).map_err(text)?;
    let settings = settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let parameters = Parameters::new("aggregate", &AGGREGATE, settings.filter(|(name, _)| *name != "preset"))
        .map_err(text)?;
    let aggregate = aggregate(&parameters).map_err(text)?;
    let coefficients = aggregate.coefficients(&batch.columns, &batch.columns.counted()).map_err(text)?;
    let scaled: Vec<f64> =
        coefficients.iter().zip(&batch.columns.advantages).map(|(c, advantage)| c * advantage).collect();
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "token_advantages" => batch.tokens(key, &scaled, wanted, &case.tolerance, false)?,
            "loss" => number(key, scaled.iter().sum(), wanted, &case.tolerance)?,
            "mass" => {
                let mut masses: BTreeMap<&str, f64> = BTreeMap::new();
                for (row, range) in batch.columns.ranges().enumerate() {
                    *masses.entry(&batch.rollouts[row]).or_default() += scaled[range].iter().sum::<f64>();
                }
                let wanted = wanted.as_object().ok_or("mass is no object")?;
                for (id, want) in wanted {
                    let got = masses.get(id.as_str()).copied().ok_or("no such rollout")?;
                    number(key, got, want, &case.tolerance)?;
                }
                wanted.len()
            }
            other => return Err(format!("the key `{other}` is not known")),
        };
    }
    Ok(compared)
}

fn numbers(params: &Map<String, Value>, word: &str) -> Result<Vec<f64>, String> {
    match params.get(word) {
        Some(Value::Array(values)) => {
            values.iter().map(|value| value.as_f64().ok_or(format!("{word} is no number"))).collect()
        }
        Some(value) => Ok(vec![value.as_f64().ok_or(format!("{word} is no number"))?]),
        None => Err(format!("{word} is missing")),
    }
}

/// The coefficient after each observed divergence.
fn controller(case: &Case) -> Result<usize, String> {
    let known =
        ["stage", "kind", "initial", "target", "horizon", "observed_kl", "n_steps", "error_clip", "version"];
    if let Some(word) = case.params.keys().find(|word| !known.contains(&word.as_str())) {
        return Err(format!("the word `{word}` is not known"));
    }
    let one = |word: &str| numbers(&case.params, word).map(|values| values[0]);
    let mut controller = match case.params.get("kind").and_then(Value::as_str) {
        Some("fixed") => KlController::fixed(one("initial")?),
        Some("adaptive") => KlController::adaptive(one("initial")?, one("target")?, one("horizon")?),
        other => return Err(format!("kind {other:?} is not known")),
    };
    if let (Some(adaptation), Ok(clip)) = (&mut controller.adaptation, one("error_clip")) {
        adaptation.error_clip = clip;
    }
    let (observed, steps) = (numbers(&case.params, "observed_kl")?, numbers(&case.params, "n_steps")?);
    let got: Vec<f64> = observed.iter().zip(steps).map(|(kl, n)| controller.update(*kl, n)).collect();
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "coefficient" => number(key, controller.coef, wanted, &case.tolerance)?,
            "coefficients" => {
                let wanted = wanted.as_array().ok_or("coefficients are no list")?;
                if wanted.len() != got.len() {
                    return Err(format!("{} coefficients, expected {}", got.len(), wanted.len()));
                }
                for (got, want) in got.iter().zip(wanted) {
                    number(key, *got, want, &case.tolerance)?;
                }
                wanted.len()
            }
            other => return Err(format!("the key `{other}` is not known")),
        };
    }
    Ok(compared)
}

/// Log-probabilities of a proximal policy.
fn between(case: &Case) -> Result<usize, String> {
    let known = ["stage", "kind", "current_version", "proximal_version"];
    if let Some(word) = case.params.keys().find(|word| !known.contains(&word.as_str())) {
        return Err(format!("the word `{word}` is not known"));
    }
    let mixture = match case.params.get("kind").and_then(Value::as_str) {
        Some("loglinear") => Mixture::LogLinear,
        Some("linear") => Mixture::Linear,
        other => return Err(format!("kind {other:?} is not known")),
    };
    let batch = Batch::read(&case.rollouts)?;
    let versions = batch.columns.token_signal("token_versions").map_err(text)?;
    let rollout = batch.columns.rollout_logprobs.as_ref().ok_or("has no token_rollout_logprobs")?;
    let (current, middle) =
        (numbers(&case.params, "current_version")?[0], numbers(&case.params, "proximal_version")?[0]);
    let got: Vec<f64> = (0..batch.columns.tokens())
        .map(|t| proximal(mixture, rollout[t], batch.columns.logprobs[t], versions[t], middle, current))
        .collect();
    let mut compared = 0;
    for (key, wanted) in &case.expected {
        compared += match key.as_str() {
            "token_prox_logprobs" => batch.tokens(key, &got, wanted, &case.tolerance, true)?,
            other => return Err(format!("the key `{other}` is not known")),
        };
    }
    Ok(compared)
}
