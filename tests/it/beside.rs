//! A recipe that builds a trajectory graph writes its edges beside its advantages.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use meed::Pipeline;
use meed::prelude::*;
use meed_operators::signals::TrajectoryGraph;
use serde_json::json;
use tempfile::TempDir;

/// The mean reward of the rollouts that take the same edge.
const BY_EDGE: Recipe = Recipe {
    name: "by_edge",
    title: "mean reward of the rollouts that take the step",
    plan: |_| {
        let credit = Credit::new().advantage(signal("step_edge_values"));
        let graph = TrajectoryGraph { history: None, value: "reward".into() };
        Ok(Plan { operators: vec![Arc::new(graph)], ..credit.into() })
    },
    ..own_recipe()
};

/// Three rollouts: two begin with the same action.
fn write(folder: &TempDir) -> String {
    let rollout = |id: &str, action: &str, reward: f64| {
        json!({"group_id": "g", "rollout_id": id, "reward": reward, "token_ids": [1, 2], "step_ends": [1, 2],
            "step_states": ["start", action], "step_actions": [action, "end"]})
    };
    let rows = [rollout("a", "left", 1.0), rollout("b", "left", 0.0), rollout("c", "right", 0.0)];
    let path = folder.path().join("rows.jsonl").display().to_string();
    std::fs::write(&path, rows.map(|row| row.to_string()).join("\n")).expect("a file");
    path
}

#[test]
fn edges_of_a_graph_are_written_once() {
    let folder = TempDir::new().expect("a temporary folder");
    let (rows, uri) = (write(&folder), folder.path().join("catalog").display().to_string());
    let run = || {
        let pipeline = Pipeline::from(&rows).expect("an address").catalog(&uri).assign(BY_EDGE);
        pipeline.to("graph").expect("a dataset").run().expect("a run")
    };
    let report = run();
    assert_eq!((report.assigned.run.rows_out, report.assigned.beside.len()), (3, 1));
    assert_eq!(report.beside, ["dataset graph_edges"]);
    assert!(report.to_string().contains("4 edges written to dataset graph_edges"), "{report}");
    assert!(run().done_before);

    let catalog = Catalog::open(&uri).expect("a catalog");
    assert!(catalog.find("graph_nodes").expect("a catalog").is_none(), "there is no tree");
    let query = "select source_id, target_id, action, visits, value, recipe from graph_edges order by 1, 2";
    let edges = catalog.sql(query, &sql_options(&catalog)).expect("a query");
    let edges: RecordBatch = arrow::compute::concat_batches(&edges[0].schema(), &edges).expect("one schema");
    let numbers = |column: usize| edges.column(column).as_primitive::<Int64Type>().values().to_vec();
    let actions: Vec<&str> = edges.column(2).as_string::<i32>().iter().flatten().collect();
    assert_eq!(actions, ["left", "right", "end", "end"]);
    assert_eq!(numbers(0), [0, 0, 1, 2]);
    assert_eq!(numbers(1), [1, 2, -1, -1]);
    assert_eq!(numbers(3), [2, 1, 2, 1]);
    assert_eq!(edges.column(4).as_primitive::<Float64Type>().values().as_ref(), [0.5, 0.0, 0.5, 0.0]);
    assert!(edges.column(5).as_string::<i32>().iter().all(|recipe| recipe == Some("by_edge")));
}
