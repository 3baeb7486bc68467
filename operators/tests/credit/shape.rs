//! Levels of plain rollouts: how many elements each has, and which lies in which.

use meed_operators::credit::{Expr, Level, ROLLOUT, STEP, TOKEN, TURN, signal};

use crate::data::{Cell, Data, Row};

/// Numbers per rollout and element.
pub type Cells = Vec<Vec<Option<f64>>>;
/// Keys per rollout and element.
pub type Keys = Vec<Vec<Option<String>>>;
/// Truth per rollout and element.
pub type Truth = Vec<Vec<bool>>;

pub const LEVELS: [&str; 8] = ["rollout", "turn", "step", "token", "macro", "slice", "agent", "turn.test"];

pub fn level(name: &str) -> Level {
    match name {
        "rollout" => ROLLOUT,
        "turn" => TURN,
        "step" => STEP,
        "token" => TOKEN,
        "turn.test" => Level::pair(&TURN, "test"),
        other => Level::named(other),
    }
}

/// The number column of each level, as an expression and as values.
pub fn column(name: &str) -> Expr {
    signal(column_name(name))
}

pub fn column_name(name: &str) -> &'static str {
    match name {
        "rollout" => "reward",
        "turn" => "turn_scores",
        "step" => "step_rewards",
        "token" => "token_scores",
        "macro" => "macro_scores",
        "slice" => "slice_scores",
        "agent" => "agent_scores",
        "test" => "test_weights",
        _ => "turn_test_passed",
    }
}

pub fn elements(row: &Row, name: &str) -> usize {
    match name {
        "rollout" => 1,
        "turn" => row.turns(),
        "step" => row.steps(),
        "token" => row.tokens(),
        "macro" => row.macros.ends.len(),
        "slice" => row.slices.ends.len(),
        "agent" => row.agent_ids.as_ref().map_or(0, Vec::len),
        "test" => row.tests(),
        _ => pairs(row).len(),
    }
}

/// Turn and test of every element of `turn.test`.
pub fn pairs(row: &Row) -> Vec<(usize, usize)> {
    let turns = row.passed.iter().flatten().enumerate();
    turns
        .flat_map(|(turn, tests)| (0..tests.as_ref().map_or(0, Vec::len)).map(move |test| (turn, test)))
        .collect()
}

fn spread_null<T: Clone>(cell: &Cell<T>, length: usize) -> Vec<Option<T>> {
    cell.clone().unwrap_or_else(|| vec![None; length])
}

pub fn cells_of(data: &Data, name: &str) -> Cells {
    data.rows
        .iter()
        .map(|row| {
            let length = elements(row, name);
            match name {
                "rollout" => vec![row.reward],
                "turn" => spread_null(&row.turn_scores, length),
                "step" => spread_null(&row.step_rewards, length),
                "token" => spread_null(&row.token_scores, length),
                "macro" => spread_null(&row.macros.scores, length),
                "slice" => spread_null(&row.slices.scores, length),
                "agent" => spread_null(&row.agent_scores, length),
                "test" => spread_null(&row.test_weights, length),
                _ => row.passed.iter().flatten().flatten().flatten().copied().collect(),
            }
        })
        .collect()
}

/// True where the whole cell of the level's number column is null.
pub fn cell_is_null(row: &Row, name: &str) -> bool {
    match name {
        "rollout" => row.reward.is_none(),
        "turn" => row.turn_scores.is_none(),
        "step" => row.step_rewards.is_none(),
        "token" => row.token_scores.is_none(),
        "macro" => row.macros.scores.is_none(),
        "slice" => row.slices.scores.is_none(),
        "agent" => row.agent_scores.is_none(),
        "test" => row.test_weights.is_none(),
        _ => row.passed.is_none(),
    }
}

/// Values of another cell, null throughout where the cell is.
pub fn other<T: Clone>(data: &Data, name: &str, cell: impl Fn(&Row) -> &Cell<T>) -> Vec<Vec<Option<T>>> {
    data.rows.iter().map(|row| spread_null(cell(row), elements(row, name))).collect()
}

/// The element of `coarse` in which each element of `fine` lies.
pub fn owners(row: &Row, fine: &str, coarse: &str) -> Vec<Option<usize>> {
    let inside = |starts: &[usize], ends: &[usize], token: usize| {
        (0..ends.len()).find(|&i| starts[i] <= token && token < ends[i])
    };
    let step_of = |token: usize| (0..row.steps()).find(|&step| token < row.step_ends[step]);
    let turns = row.turn_of_steps();
    (0..elements(row, fine))
        .map(|i| match (fine, coarse) {
            (fine, coarse) if fine == coarse => Some(i),
            (_, "rollout") => Some(0),
            ("token", "step") => step_of(i),
            ("token", "turn") => step_of(i).map(|step| turns[step]),
            ("token", "macro") => inside(&row.macros.starts, &row.macros.ends, i),
            ("token", "slice") => inside(&row.slices.starts, &row.slices.ends, i),
            ("step", "turn") => Some(turns[i]),
            ("turn.test", "turn") => Some(pairs(row)[i].0),
            ("turn.test", "test") => Some(pairs(row)[i].1),
            _ => panic!("{fine} does not lie in {coarse}"),
        })
        .collect()
}

/// Levels in which elements of a level lie, the level itself first.
pub fn coarser(name: &str) -> Vec<&'static str> {
    match name {
        "rollout" => vec!["rollout"],
        "turn" => vec!["turn", "rollout"],
        "step" => vec!["step", "turn", "rollout"],
        "token" => vec!["token", "step", "turn", "macro", "slice", "rollout"],
        "macro" => vec!["macro", "rollout"],
        "slice" => vec!["slice", "rollout"],
        "agent" => vec!["agent", "rollout"],
        _ => vec!["turn.test", "turn", "rollout"],
    }
}

/// Values of a coarse level on every element of a finer one.
pub fn lift<T: Clone>(
    data: &Data,
    cells: &[Vec<Option<T>>],
    coarse: &str,
    fine: &str,
) -> Vec<Vec<Option<T>>> {
    data.rows
        .iter()
        .zip(cells)
        .map(|(row, cells)| {
            owners(row, fine, coarse)
                .into_iter()
                .map(|owner| owner.and_then(|owner| cells[owner].clone()))
                .collect()
        })
        .collect()
}

/// The default members of a level: trainable tokens, policy steps, rollouts of the baseline.
pub fn trainable(data: &Data, name: &str, in_baseline: &[bool]) -> Truth {
    data.rows
        .iter()
        .zip(in_baseline)
        .map(|(row, &in_baseline)| {
            let turns = row.turn_of_steps();
            let turn_acts = |turn: usize| (0..row.steps()).any(|step| turns[step] == turn && row.acts(step));
            (0..elements(row, name))
                .map(|i| match name {
                    "rollout" => in_baseline,
                    "token" => row.mask[i],
                    "step" => row.acts(i),
                    "turn" => turn_acts(i),
                    "turn.test" => turn_acts(pairs(row)[i].0),
                    _ => true,
                })
                .collect()
        })
        .collect()
}

/// Rollouts with a trainable token and none of the named number columns null.
pub fn baseline(data: &Data, names: &[&str]) -> Vec<bool> {
    data.rows
        .iter()
        .map(|row| row.mask.contains(&true) && !names.iter().any(|name| cell_is_null(row, name)))
        .collect()
}
