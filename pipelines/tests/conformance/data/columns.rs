//! Values of each column: by what it holds, and by name where it has a shape of its own.

use arrow::datatypes::DataType;
use meed_operators::columns::list_of;
use meed_operators::credit::Level;
use meed_pipelines::Of;
use meed_pipelines::inputs::ColumnInfo;

use super::cells::Cell;
use super::{Draw, Shape};

/// One cell per rollout.
pub fn values(known: &ColumnInfo, all: &[ColumnInfo], shapes: &[Shape]) -> Result<Vec<Cell>, String> {
    let column = known.column.as_str();
    shapes
        .iter()
        .map(|shape| match whole(column, shape, all) {
            Some(cell) => Ok(cell),
            None => at_level(known, all, shape),
        })
        .collect()
}

/// The types of columns that no signal can hold and that are no vectors either.
pub fn data_type(column: &str) -> Option<DataType> {
    let numbers = || list_of(DataType::Float32);
    match column {
        "step_probe_logprobs" => Some(list_of(list_of(numbers()))),
        "step_probe_top_logprobs" => Some(list_of(list_of(list_of(numbers())))),
        _ => None,
    }
}

/// Numbers that are lists in lists, so many of them at each depth.
fn nested(draw: &mut Draw, lengths: &[usize]) -> Cell {
    match lengths.split_first() {
        None => (-draw.grid(0, 4, 16)).into(),
        Some((&length, inner)) => (0..length).map(|_| nested(draw, inner)).collect::<Vec<Cell>>().into(),
    }
}

/// Columns whose cell is not drawn element by element: keys and structure.
fn whole(column: &str, shape: &Shape, all: &[ColumnInfo]) -> Option<Cell> {
    let steps = || shape.steps.iter();
    Some(match column {
        "iteration" => (shape.iteration as f64).into(),
        "group_id" => shape.group.as_str().into(),
        "rollout_id" => shape.rollout.as_str().into(),
        "source_rollout_id" => shape.rollout.as_str().into(),
        "status" => if Draw::of(shape.seed, column, 0).once_in(5) { "truncated" } else { "complete" }.into(),
        "token_mask" => Cell::List(shape.mask.iter().map(|&on| Cell::Flag(on)).collect()),
        "metadata" => r#"{"gold_actions":["a({})","b({\"x\":1})"]}"#.into(),
        "step_ends" => steps().map(|step| step.end as f64).collect(),
        "step_kinds" => steps().map(|step| step.kind).collect(),
        // A path in a binary tree, which does not branch any more far below.
        "step_nodes" => {
            let (mut draw, mut node) = (Draw::of(shape.seed, column, 0), 0);
            let child = |depth: usize| {
                if depth < 16 {
                    node = 2 * node + 1 + i64::from(draw.once_in(3));
                }
                (node + (depth.saturating_sub(15) << 20) as i64) as f64
            };
            (0..shape.steps.len()).map(child).collect()
        }
        "step_turns" => shape.turns().into_iter().map(|turn| turn as f64).collect(),
        "turns" => shape.turns().last().map_or(0.0, |&last| last as f64 + 1.0).into(),
        "response_length" | "length" | "output_tokens" => (shape.mask.len() as f64).into(),
        "attention_mean" | "attention_local" | "attention_global" => {
            let (mut draw, tokens) = (Draw::of(shape.seed, column, 0), shape.mask.len() + PROMPT);
            (0..tokens * (tokens + 1) / 2).map(|_| draw.grid(0, 1, 16)).collect()
        }
        "step_probe_logprobs" | "step_probe_top_logprobs" => {
            let lengths: &[usize] = if column.contains("top") { &[2, 3, 2] } else { &[2, 3] };
            let mut draw = Draw::of(shape.seed, column, 0);
            steps().map(|_| nested(&mut draw, lengths)).collect::<Vec<Cell>>().into()
        }
        "prompt_length" => (PROMPT as f64).into(),
        // Every other rollout of a group is a branch of the first, after its first token.
        "parent_rollout_id" if shape.member % 2 == 1 => format!("{}-0", shape.group).as_str().into(),
        "split_token" | "branch_score" if shape.member % 2 == 1 => {
            (if column == "split_token" { 0.0 } else { 0.5 }).into()
        }
        "parent_rollout_id" | "split_token" | "branch_score" => Cell::Null,
        // Every set of the players, so that all of their values are known.
        "coalition_member_positions" => {
            let players = elements(players(all), all, shape);
            let set =
                |set: usize| (0..players).filter(move |player| set >> player & 1 == 1).map(|at| at as f64);
            (0..1 << players).map(|coalition| set(coalition).collect::<Cell>()).collect()
        }
        // Parts that sum to the reward.
        "agent_assigned_rewards" => {
            let parts = elements("agent", all, shape);
            let rest = Draw::of(shape.reward_seed, "reward", 0).grid(0, 1, 4) - 0.25 * (parts - 1) as f64;
            (0..parts).map(|at| if at == 0 { rest } else { 0.25 }).collect()
        }
        _ => {
            let level = column.strip_suffix("_ends").or_else(|| column.strip_suffix("_starts"))?;
            let spans = elements(level, all, shape);
            let tokens = shape.mask.len();
            let end = |i: usize| (tokens * (i + 1)).div_ceil(spans.max(1));
            let at =
                |i: usize| if column.ends_with("_ends") { end(i) } else { i.checked_sub(1).map_or(0, end) };
            (0..spans).map(|i| at(i) as f64).collect()
        }
    })
}

/// Tokens of every prompt.
const PROMPT: usize = 2;

/// The level of the players that form coalitions.
fn players(all: &[ColumnInfo]) -> &'static str {
    if all.iter().any(|known| known.column == "span_ends") { "span" } else { "agent" }
}

/// Number of elements that a rollout has at a level of its own.
fn elements(level: &str, all: &[ColumnInfo], shape: &Shape) -> usize {
    match level {
        "rollout" => 1,
        "token" => shape.mask.len(),
        "step" => shape.steps.len(),
        "turn" => shape.turns().last().map_or(0, |last| last + 1),
        _ if all.iter().any(|known| known.column == format!("{level}_ends")) && shape.mask.is_empty() => 0,
        // What every rollout of a dataset or group has the same number of.
        "agent" | "dimension" | "hidden" | "property" | "objective" | "gate" | "test" | "entailment" => 3,
        "coalition" => 1 << elements(players(all), all, shape),
        "budget" | "slice" => 2,
        "answer" | "criterion" | "head" => 4,
        _ => 1 + Draw::of(shape.seed, level, 0).below(4) as usize,
    }
}

fn at_level(known: &ColumnInfo, all: &[ColumnInfo], shape: &Shape) -> Result<Cell, String> {
    let one = |level: &Level, at: usize| element(known, level, shape, at);
    if known.level.name() == "rollout" {
        return one(&known.level, 0);
    }
    let Some((outer, inner)) = known.level.parts() else {
        let count = elements(known.level.name(), all, shape);
        return (0..count).map(|at| one(&known.level, at)).collect::<Result<Vec<_>, _>>().map(Cell::List);
    };
    let inners = elements(inner.name(), all, shape);
    let lists = (0..elements(outer.name(), all, shape)).map(|at| {
        let cells = (0..inners).map(|inner| one(&known.level, at * inners + inner));
        cells.collect::<Result<Vec<_>, _>>().map(Cell::List)
    });
    lists.collect::<Result<Vec<_>, _>>().map(Cell::List)
}

/// One value. Where a step is the environment's, half of the rollouts have nothing to say.
fn element(known: &ColumnInfo, level: &Level, shape: &Shape, at: usize) -> Result<Cell, String> {
    let column = known.column.as_str();
    let outcome = column == "reward";
    let mut draw = Draw::of(if outcome { shape.reward_seed } else { shape.seed }, column, at);
    let environment = level.name() == "step" && shape.steps.get(at).is_some_and(|step| !step.is_policy());
    if environment && shape.seed.is_multiple_of(2) {
        return Ok(Cell::Null);
    }
    Ok(match (known.of, column) {
        (_, "reward") => draw.grid(0, 1, 4).into(),
        (_, "token_ids") => (if at < 2 { 7.0 } else { draw.below(4) as f64 }).into(),
        (Of::Number, name) if name.contains("logprob") => (-draw.grid(0, 4, 16)).into(),
        (Of::Number, name) if name.contains("entrop") => draw.grid(0, 3, 16).into(),
        (Of::Number, name) if name.contains("cost") => draw.grid(0, 4, 4).into(),
        (Of::Number, _) if level.name() == "token" => draw.grid(-2, 2, 16).into(),
        (Of::Number, _) => draw.grid(-1, 2, 4).into(),
        (Of::Share, _) => draw.grid(0, 1, 8).into(),
        (Of::Flag, "error" | "truncated") => Cell::Flag(draw.once_in(7)),
        (Of::Flag, "valid" | "trainable") => Cell::Flag(!draw.once_in(7)),
        (Of::Flag, _) => Cell::Flag(!draw.once_in(3)),
        (Of::Count, "entailment_labels") => (draw.below(3) as f64).into(),
        (Of::Count, _) => (1.0 + draw.below(6) as f64).into(),
        (Of::Text, "test_tiers") => draw.pick(&["basic", "medium", "hard", "edge"]).into(),
        (Of::Text, "action") => draw.pick(&["search", "answer"]).into(),
        (Of::Text, "tag") => draw.pick(&["easy", "hard", "none"]).into(),
        (Of::Text, "kind") => draw.pick(&["base", "retry", "reflection", "guided_retry"]).into(),
        (Of::Text, "role") => draw.pick(&["generator", "solver"]).into(),
        (Of::Text, "prompt_kind") => draw.pick(&["curriculum", "original"]).into(),
        (Of::Text, "entailment_answers") => ["a", "b", "c"][at].into(),
        (Of::Text, "step_actions") => draw.pick(&["a({})", r#"b({"x":2})"#, "c"]).into(),
        (Of::Text, "rubric_mention_entities") => format!("E{}", draw.below(4)).as_str().into(),
        (Of::Text, "agent_ids") => ["a", "b", "c"][at % 3].into(),
        (Of::Text, name) if name.ends_with("_ids") => format!("E{at}").as_str().into(),
        (Of::Text, _) => draw.pick(&["a", "b", "c"]).into(),
        (Of::Vectors, _) if level.name() == "token" || level.name() == "step" => nested(&mut draw, &[3]),
        (Of::Vectors, _) => return Err(format!("column {column}: no generator knows its shape")),
    })
}
