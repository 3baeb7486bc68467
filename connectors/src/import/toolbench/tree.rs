//! The tree of a file as a list of nodes.

use serde_json::{Map, Value};

use super::super::lines::type_of;
use super::super::nodes::Node;

pub(super) const THOUGHT: &str = "thought";
pub(super) const ACTION: &str = "action";
const ACTION_INPUT: &str = "action_input";

/// The nodes in the order of the search, each before those below it.
///
/// # Errors
/// In words: what is no tree of thoughts, actions and action inputs.
pub(super) fn nodes(tree: Value) -> Result<Vec<Node>, String> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut open: Vec<(Option<usize>, Value)> = vec![(None, tree)];
    while let Some((parent, value)) = open.pop() {
        let number = nodes.len();
        let Value::Object(mut fields) = value else {
            return Err(format!("node {number} is {}, not an object", type_of(&value)));
        };
        let children = match fields.shift_remove("children") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(children)) => children,
            Some(other) => return Err(format!("node {number}: children are {}", type_of(&other))),
        };
        let kind = match text(&mut fields, "node_type", number)?.as_str() {
            "Thought" => THOUGHT,
            "Action" => ACTION,
            "Action Input" if parent.is_none() => "root",
            "Action Input" => ACTION_INPUT,
            other => return Err(format!("node {number}: there are no nodes of type `{other}`")),
        };
        let mut node = parent.map_or_else(Node::default, |parent| Node::below(Some(parent), &nodes));
        node.kind = kind.to_owned();
        node.text = text(&mut fields, "description", number)?;
        if fields.get("depth").and_then(Value::as_i64) == Some(i64::from(node.depth)) {
            fields.shift_remove("depth");
        }
        node.metadata = fields;
        nodes.push(node);
        open.extend(children.into_iter().rev().map(|child| (Some(number), child)));
    }
    Ok(nodes)
}

fn text(fields: &mut Map<String, Value>, key: &str, number: usize) -> Result<String, String> {
    match fields.shift_remove(key) {
        Some(Value::String(text)) => Ok(text),
        other => Err(format!("node {number}: {key} is {}", other.as_ref().map_or("missing", type_of))),
    }
}
