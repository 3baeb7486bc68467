//! Rewards that are given as text: read, checked against the data, tried on a sample, and only then used.

use arrow::array::RecordBatch;
use meed_operators::credit::{Credit, Expr};
use meed_operators::{Error, Result};
use serde_json::Value;

use crate::memory::InMemory;
use crate::parameters::Parameters;
use crate::recipe::Recipe;

/// The expression that a parameter holds. A value of it that is not finite ends the run as a fault that names
/// rollout and signal.
///
/// # Errors
/// A text that is no expression, with the place.
pub fn written(parameters: &Parameters, name: &str) -> Result<Expr> {
    Expr::parse(parameters.text(name)?)
}

/// The program that a parameter holds, of which the signal `result` is the reward; it is the last that is kept.
///
/// # Errors
/// A text that is no program, with the place, or that does not define `result`.
pub fn written_program(parameters: &Parameters, name: &str, result: &str) -> Result<Credit> {
    let program = Credit::parse(parameters.text(name)?)?;
    let Some(reward) = program.get(result).cloned() else {
        let names: Vec<&str> = program.expressions().map(|(name, _)| name).collect();
        return Err(Error::usage(
            format!("the program defines no `{result}`, but {}", names.join(", ")),
            format!("write `{result} = ...`; other names are steps on the way"),
        ));
    };
    let steps = program.expressions().filter(|(name, _)| *name != result);
    let credit = steps.fold(Credit::new(), |credit, (name, is)| credit.define(name, is.clone()));
    Ok(credit.define(result, reward))
}

/// What a written reward gives for a sample of rollouts: the dry run before it is used.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use meed_pipelines::try_reward;
///
/// let sample = RecordBatch::try_from_iter([
///     ("group_id", Arc::new(StringArray::from(vec!["g", "g"])) as ArrayRef),
///     ("rollout_id", Arc::new(StringArray::from(vec!["a", "b"]))),
///     ("reward", Arc::new(Float64Array::from(vec![1.0, 0.0]))),
/// ])?;
/// let recipe = meed_pipelines::find("text2reward")?;
/// let of = |program: &str| [("program".to_owned(), program.into())];
/// assert!(try_reward(recipe, &of("shaped_reward = 2 * reward"), sample.clone()).is_ok());
/// let error = try_reward(recipe, &of("shaped_reward = 1 / reward"), sample).err().expect("1 / 0 is not finite");
/// assert!(error.to_string().contains("b"));
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// What is wrong with the text: syntax, types, levels, columns that the sample lacks, or a value that is not finite.
pub fn try_reward(recipe: &Recipe, settings: &[(String, Value)], sample: RecordBatch) -> Result<InMemory> {
    recipe.in_memory(settings, sample)
}
