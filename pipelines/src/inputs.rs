//! Columns that recipes declare beside reward, tokens and mask: what they hold and what provides them.

use meed_operators::columns::{ColumnType, Table, list_of};
use meed_operators::credit::{Level, ROLLOUT, TOKEN, provider};

use arrow::datatypes::DataType;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Real numbers.
    Number,
    /// Numbers in `0..=1`.
    Share,
    /// True or false.
    Flag,
    /// Whole numbers that are not negative.
    Count,
    /// Text, such as ids and labels.
    Text,
    /// Something that no signal can hold, such as vectors; for operators.
    Vectors,
}

impl Of {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Of::Number => "numbers",
            Of::Share => "numbers in 0..=1",
            Of::Flag => "true or false",
            Of::Count => "whole numbers",
            Of::Text => "text",
            Of::Vectors => "vectors",
        }
    }

    /// What a defined column of the rollouts table holds.
    fn defined(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::List(element) => Of::defined(element),
            ColumnType::Utf8 => Of::Text,
            ColumnType::Boolean => Of::Flag,
            ColumnType::Int32 | ColumnType::Int64 => Of::Count,
            _ => Of::Number,
        }
    }
}

/// One column that a recipe reads. Its level is in its name: `step_scores` has one value per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The column.
    pub column: &'static str,
    /// What its values are.
    pub of: Of,
    /// What they mean.
    pub meaning: &'static str,
    /// Which operator, judge or import provides them: the hint where the column is missing.
    pub provider: &'static str,
    /// How its name tells its level.
    pub level: Named,
}

/// How the name of a column tells its level. Data tells it by the column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Tokens, steps and turns where it begins with that, and spans and items where it is their `ends`,
    /// `starts` or `ids`; else one value per rollout.
    Plainly,
    /// By the level of its own that it begins with.
    Items,
    /// By two levels that it begins with.
    Pairs,
    /// Not at all: one value per rollout, whatever its name begins with.
    Whole,
}

/// Declares a column of the rollout, or of tokens, steps or turns by its name.
pub const fn input(column: &'static str, of: Of, meaning: &'static str, provider: &'static str) -> Input {
    Input { column, of, meaning, provider, level: Named::Plainly }
}

/// Declares a column of a level of its own, which its name begins with: `rubric_scores` has one value per
/// rubric.
pub const fn items(column: &'static str, of: Of, meaning: &'static str, provider: &'static str) -> Input {
    Input { column, of, meaning, provider, level: Named::Items }
}

/// Declares a column of the rollout whose name begins like that of a level: `step_index` is one number.
pub const fn whole(column: &'static str, of: Of, meaning: &'static str, provider: &'static str) -> Input {
    Input { column, of, meaning, provider, level: Named::Whole }
}

/// Declares a column of lists, whose name begins with both levels: `step_rubric_scores` has one value per
/// rubric in each step.
pub const fn pairs(column: &'static str, of: Of, meaning: &'static str, provider: &'static str) -> Input {
    Input { column, of, meaning, provider, level: Named::Pairs }
}

/// Levels that a column name alone tells; `test_passed` may be a list or one value.
const LEVELS: [&str; 3] = ["token", "step", "turn"];

/// Columns that recipes share and the rollouts table does not define.
pub const SHARED: &[Input] = &[
    input("agent", Of::Text, "agent that produced the rollout", "a multi-agent environment, on import"),
    input(
        "episode_id",
        Of::Text,
        "episode that the rollout is part of",
        "a multi-agent environment, on import",
    ),
    input("error", Of::Flag, "true where the rollout failed", "the sampler, or an import that carries it"),
    input(
        "input_tokens",
        Of::Count,
        "tokens that the policy read",
        "the sampler, or an import that carries it",
    ),
    input(
        "length",
        Of::Count,
        "length of the response in tokens",
        "the sampler, or an import that carries it",
    ),
    input(
        "output_tokens",
        Of::Count,
        "tokens that the policy wrote",
        "the sampler, or an import that carries it",
    ),
    input(
        "prompt_length",
        Of::Count,
        "length of the prompt in tokens",
        "the sampler, or an import that carries it",
    ),
    input(
        "response_length",
        Of::Count,
        "length of the response in tokens",
        "the sampler, or an import that carries it",
    ),
    input(
        "reward_baseline",
        Of::Number,
        "reward of a greedy rollout of the same prompt",
        "sample one greedy rollout per prompt and store its reward as this column",
    ),
    input(
        "source_rollout_id",
        Of::Text,
        "rollout of which the row is a part",
        "an import of rollouts that were cut into several rows",
    ),
    input(
        "step_action_valid",
        Of::Flag,
        "true where the environment understood the step's action",
        "an environment, on import",
    ),
    input(
        "token_is_weights",
        Of::Number,
        "importance weight of the token",
        "the correction of an off-policy sampler, on import",
    ),
    input(
        "token_logprobs",
        Of::Number,
        "log-probability under the policy",
        "the sampler records log-probabilities; import rollouts that carry them",
    ),
    input(
        "token_sum_pi_squared",
        Of::Share,
        "sum of the squared probabilities of the vocabulary at the token",
        "the learner records it at sampling: `sample` with logits, or import it",
    ),
    input(
        "token_teacher_logprobs",
        Of::Number,
        "log-probability under the teacher",
        "score the rollouts under the teacher with `judge`, or import them",
    ),
    input(
        "trainable",
        Of::Flag,
        "false where the rollout is not to be trained on",
        "an import that carries it",
    ),
    input("truncated", Of::Flag, "true where the rollout was cut off", "an import that carries it"),
    input("turns", Of::Count, "turns of the rollout", "an import that carries it"),
    input("valid", Of::Flag, "false where the rollout is not to count", "an import that carries it"),
];

/// A column that recipes read, with its level and type.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInfo {
    /// The column.
    pub column: String,
    /// Where its values live.
    pub level: Level,
    /// What its values are.
    pub of: Of,
    /// What they mean; empty where nothing says it.
    pub meaning: &'static str,
    /// What provides them.
    pub provider: &'static str,
    /// Its type in Arrow.
    pub data_type: DataType,
    /// False where neither the recipe nor any list declares it, and its type is guessed from its name.
    pub declared: bool,
}

impl ColumnInfo {
    /// What is known of a column: from the recipe's inputs, the rollouts table, the columns that recipes
    /// share, or else its name.
    ///
    /// ```
    /// use meed_pipelines::inputs::ColumnInfo;
    /// let scores = ColumnInfo::find("step_scores", &[]);
    /// assert_eq!((scores.level.name(), scores.declared), ("step", false));
    /// let baseline = ColumnInfo::find("reward_baseline", &[]);
    /// assert_eq!((baseline.level.name(), baseline.declared), ("rollout", true));
    /// ```
    pub fn find(column: &str, inputs: &[&'static Input]) -> Self {
        let input = inputs.iter().copied().chain(SHARED).find(|input| input.column == column);
        let level = level_of(column, input.map_or(Named::Plainly, |input| input.level));
        let defined = Table::Rollouts.column(column);
        let of = match (input, defined) {
            (Some(input), _) => input.of,
            (None, Some(defined)) => Of::defined(&defined.column_type),
            (None, None) => Of::Number,
        };
        let data_type =
            defined.map_or_else(|| data_type(column, of, &level), |defined| defined.column_type.data_type());
        ColumnInfo {
            column: column.to_owned(),
            of,
            meaning: input.map(|input| input.meaning).or(defined.map(|it| it.meaning)).unwrap_or_default(),
            provider: input.map_or_else(|| provider(column), |input| input.provider),
            declared: input.is_some() || defined.is_some(),
            level,
            data_type,
        }
    }
}

/// The level of a column by its name: `step_scores` is at `step`, `slice_ends` at `slice`, other levels as
/// declared, and everything else at `rollout`.
fn level_of(column: &str, named: Named) -> Level {
    let Some((first, rest)) = column.split_once('_') else {
        return ROLLOUT;
    };
    let structural = ["ends", "starts", "ids"].contains(&rest) && first != "prompt";
    match (named, rest.split_once('_')) {
        (Named::Pairs, Some((inner, _))) => Level::pair(&Level::named(first), inner),
        (Named::Whole, _) => ROLLOUT,
        (Named::Plainly, _) if !LEVELS.contains(&first) && !structural => ROLLOUT,
        _ => Level::named(first),
    }
}

/// The Arrow type of such values at a level: token numbers are `Float32`, as they are stored.
fn data_type(column: &str, of: Of, level: &Level) -> DataType {
    let element = match of {
        Of::Number | Of::Share if *level == TOKEN => DataType::Float32,
        Of::Number | Of::Share => DataType::Float64,
        Of::Flag => DataType::Boolean,
        Of::Count if column.ends_with("_ends") || column.ends_with("_starts") => DataType::Int32,
        Of::Count => DataType::Int64,
        Of::Text => DataType::Utf8,
        Of::Vectors => list_of(DataType::Float32),
    };
    match level {
        level if *level == ROLLOUT => element,
        level if level.parts().is_some() => list_of(list_of(element)),
        _ => list_of(element),
    }
}
