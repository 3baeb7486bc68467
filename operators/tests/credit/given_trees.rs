//! Given trees, trajectory graphs and histories of states on small rollouts, and their rows of tables.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_operators::Error;
use meed_operators::credit::Unit;
use meed_operators::signals::{AddSignals, GivenTree, StateGroups, TrajectoryGraph, add_signals};
use meed_operators::tree::{Backup, edge_rows, node_rows};

use crate::arrays::{list, whole};
use crate::data::Cell;

/// Rollouts of one group, of one token per step, all of them the policy's.
fn rollouts(rewards: &[f64], columns: Vec<(&str, ArrayRef)>, steps: &[usize]) -> RecordBatch {
    let rows = rewards.len();
    let kinds: Vec<Vec<&str>> = steps.iter().map(|&steps| vec!["policy"; steps]).collect();
    let kinds: Vec<&[&str]> = kinds.iter().map(Vec::as_slice).collect();
    let masks: Vec<Cell<bool>> = steps.iter().map(|&steps| whole(&vec![true; steps])).collect();
    let ends: Vec<Cell<i32>> =
        steps.iter().map(|&steps| whole(&(1..=steps as i32).collect::<Vec<_>>())).collect();
    let own: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0; rows]))),
        ("group_id", Arc::new(StringArray::from(vec!["g"; rows]))),
        ("rollout_id", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("r{row}"))))),
        ("reward", Arc::new(Float64Array::from(rewards.to_vec()))),
        ("token_mask", list(&masks, |values| Arc::new(BooleanArray::from(values)))),
        ("step_ends", list(&ends, |values| Arc::new(arrow::array::Int32Array::from(values)))),
        ("step_kinds", texts(&kinds)),
    ];
    let columns = own.into_iter().chain(columns).map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn applied(operator: impl AddSignals + 'static, rollouts: &RecordBatch) -> Result<Unit, Error> {
    add_signals(&[Arc::new(operator)], Unit::new(rollouts.clone())?)
}

fn texts(cells: &[&[&str]]) -> ArrayRef {
    let cells: Vec<Cell<String>> =
        cells.iter().map(|row| whole(&row.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())).collect();
    list(&cells, |values| Arc::new(StringArray::from(values)))
}

fn nodes(cells: &[&[i64]]) -> ArrayRef {
    let cells: Vec<Cell<i64>> = cells.iter().map(|row| whole(row)).collect();
    list(&cells, |values| Arc::new(Int64Array::from(values)))
}

fn integers(unit: &Unit, column: &str, row: usize) -> Vec<Option<i64>> {
    unit.list(column).unwrap().value(row).as_primitive::<Int64Type>().iter().collect()
}

fn numbers(unit: &Unit, column: &str, row: usize) -> Vec<f64> {
    unit.list(column).unwrap().value(row).as_primitive::<Float64Type>().values().to_vec()
}

fn tree(backup: Backup) -> GivenTree {
    GivenTree { value: "reward".into(), backup, edges: None }
}

/// Two thoughts below the root; the first has two answers, one of them in two steps, the second one.
#[test]
fn a_given_tree_says_where_its_steps_are() {
    let paths = nodes(&[&[1, 3], &[1, 4, 4], &[2, 5]]);
    let rows = rollouts(&[1.0, 0.0, 0.0], vec![("step_nodes", paths)], &[2, 3, 2]);
    let unit = applied(tree(Backup::Leaves), &rows).unwrap();
    assert_eq!(integers(&unit, "step_node_parents", 1), [Some(-1), Some(1), Some(1)]);
    assert_eq!(integers(&unit, "step_node_depths", 1), [Some(1), Some(2), Some(2)]);
    assert_eq!(integers(&unit, "step_node_visits", 0), [Some(2), Some(1)]);
    assert_eq!(integers(&unit, "step_node_children", 0), [Some(2), Some(0)]);
    assert_eq!(integers(&unit, "step_node_siblings", 2), [Some(2), Some(1)]);
    assert_eq!(numbers(&unit, "step_node_values", 0), [0.5, 1.0]);
    assert_eq!(numbers(&unit, "step_node_parent_values", 0), [1.0 - 2.0 / 3.0, 0.5]);
    let root = unit.column("tree_value").unwrap().as_primitive::<Float64Type>();
    assert!(root.iter().all(|value| value == Some(1.0 - 2.0 / 3.0)));
    let rows = node_rows(&unit).unwrap().unwrap();
    let ids: Vec<i64> = rows["node_id"].as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    let span = |node: usize| {
        let column = |name: &str| rows[name].as_primitive::<Int32Type>().value(node);
        (column("token_start"), column("token_end"))
    };
    assert_eq!((span(0), span(2), span(3)), ((0, 1), (1, 2), (1, 3)));
    assert!(rows["parent_id"].is_null(0) && rows["kind"].as_string::<i32>().value(0) == "policy");
    assert!(edge_rows(&unit).unwrap().is_none());
}

/// A node below two parents is an error that names the rollout; a rollout with an unknown node is in no tree.
#[test]
fn what_is_no_tree_is_refused() {
    let wrong = rollouts(&[1.0, 0.0], vec![("step_nodes", nodes(&[&[1, 3], &[2, 3]]))], &[2, 2]);
    let error = applied(tree(Backup::Max), &wrong).err().expect("an error").to_string();
    assert!(error.contains("r1") && error.contains('3'), "{error}");
    let unknown =
        list(&[Some(vec![Some(1i64), None]), Some(vec![Some(1), Some(2)])] as &[Cell<i64>], |values| {
            Arc::new(Int64Array::from(values)) as ArrayRef
        });
    let rows = rollouts(&[1.0, 0.0], vec![("step_nodes", unknown)], &[2, 2]);
    let unit = applied(tree(Backup::Max), &rows).unwrap();
    assert!(unit.list("step_node_values").unwrap().is_null(0));
    assert_eq!(numbers(&unit, "step_node_values", 1), [0.0, 0.0]);
}

/// An edge whose number is not known is no edge of 0: the rollout is in no tree, and in no value.
#[test]
fn a_rollout_without_the_number_of_an_edge_is_in_no_tree() {
    let numbers_of =
        |cells: &[Cell<f64>]| list(cells, |values| Arc::new(Float64Array::from(values)) as ArrayRef);
    let edges = numbers_of(&[whole(&[0.5, 0.1]), Some(vec![Some(0.5), None]), None]);
    let columns = vec![("step_nodes", nodes(&[&[1, 3], &[1, 4], &[2, 5]])), ("step_edges", edges)];
    let rows = rollouts(&[1.0, 0.0, 0.0], columns, &[2, 2, 2]);
    let operator =
        GivenTree { edges: Some("step_edges".into()), ..tree(Backup::SoftmaxChildren { scale: 1.0 }) };
    assert!(operator.requires().contains(&"step_edges".to_owned()));
    let unit = applied(operator, &rows).unwrap();
    assert_eq!(numbers(&unit, "step_node_values", 0), [1.0, 1.0]);
    let values = unit.list("step_node_values").unwrap();
    assert!(values.is_null(1) && values.is_null(2));
}

/// The four rollouts of SALT's example, and what more history tells apart.
#[test]
fn equal_steps_are_one_edge() {
    let states = texts(&[&["s0", "s1"], &["s0", "s1"], &["s0", "s1"], &["s0", "s2"]]);
    let actions = texts(&[&["x", "y"], &["x", "z"], &["x", "y"], &["w", "y"]]);
    let columns = vec![("step_states", states), ("step_actions", actions)];
    let rows = rollouts(&[1.0, 0.0, 1.0, 0.0], columns, &[2; 4]);
    for history in [Some(0), Some(1), None] {
        let unit = applied(TrajectoryGraph { history, value: "reward".into() }, &rows).unwrap();
        let edges: Vec<_> = (0..4).map(|row| integers(&unit, "step_edges", row)).collect();
        assert_eq!(edges[0], edges[2], "{history:?}");
        assert_eq!(edges[0][0], edges[1][0], "{history:?}");
        assert_ne!(edges[0][1], edges[1][1], "{history:?}");
        assert_ne!(edges[0][0], edges[3][0], "{history:?}");
        assert_eq!(integers(&unit, "step_edge_visits", 0), [Some(3), Some(2)]);
        assert_eq!(integers(&unit, "step_edge_targets", 0)[1], Some(-1));
        assert_eq!(numbers(&unit, "step_edge_values", 1), [1.0 - 1.0 / 3.0, 0.0]);
        let edges = edge_rows(&unit).unwrap().unwrap();
        assert_eq!(edges.num_rows(), 5);
        assert_eq!(
            edges["action"].as_string::<i32>().iter().flatten().collect::<Vec<_>>(),
            ["x", "y", "z", "w", "y"]
        );
    }
}

/// The same state after other states is the same edge without history, and another one with it.
#[test]
fn history_tells_states_apart() {
    let states = texts(&[&["a", "c"], &["b", "c"]]);
    let columns = vec![("step_states", states), ("step_actions", texts(&[&["x", "x"], &["x", "x"]]))];
    let rows = rollouts(&[1.0, 0.0], columns, &[2, 2]);
    for (history, same) in [(Some(0), true), (Some(1), false), (None, false)] {
        let unit = applied(TrajectoryGraph { history, value: "reward".into() }, &rows).unwrap();
        let last = |row| integers(&unit, "step_edges", row)[1];
        assert_eq!(last(0) == last(1), same, "{history:?}");
    }
    for (history, same) in [(0, true), (1, false)] {
        let unit = applied(StateGroups { similarity: 1.0, history }, &rows).unwrap();
        let last = |row| integers(&unit, "step_state_groups", row)[1];
        assert_eq!(last(0) == last(1), same, "{history:?}");
    }
}
