//! Rubrics that share entities form a graph: which of them are chained to the answer.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use super::texts::{NestedTexts, Texts, column, wrong};
use crate::Result;
use crate::columns::list_of;
use crate::credit::Unit;

/// Adds to the items `rubric`: `rubric_identified`, whether every entity that the rubric mentions was
/// identified in the response, and `rubric_connected`, whether the rubric is chained to the answer.
///
/// Chained are the rubrics that mention the answer entity or an entity of a chained rubric, among those that
/// are identified and supported (see [`connected_rubrics`]). An entity that is not listed was not identified.
/// `rubric_identified` is null where it depends on an entity whose verdict is null; such a rubric, and one
/// whose support is null, chains nothing.
#[derive(Debug, Clone)]
pub struct RubricGraph {
    /// The entity that is the answer.
    pub answer: String,
}

impl AddSignals for RubricGraph {
    fn name(&self) -> &str {
        "rubric_graph"
    }

    fn reads(&self) -> Vec<String> {
        ["rubric_mention_entities", "rubric_supported", "entity_ids", "entity_identified"]
            .map(str::to_owned)
            .into()
    }

    fn adds(&self) -> Vec<Field> {
        ["rubric_identified", "rubric_connected"]
            .map(|name| Field::new(name, list_of(DataType::Boolean), true))
            .into()
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let mentions = NestedTexts::new(unit, self.name(), "rubric_mention_entities")?;
        let ids = Texts::new(unit, self.name(), "entity_ids")?;
        let field = Arc::new(Field::new("element", DataType::Boolean, true));
        let lists = || ListBuilder::new(BooleanBuilder::new()).with_field(field.clone());
        let (mut identified, mut connected) = (lists(), lists());
        for row in 0..unit.rows() {
            let verdicts = flags(unit, self.name(), "entity_identified", row)?;
            let supported = flags(unit, self.name(), "rubric_supported", row)?;
            let (Some(mentions), Some(ids), Some(verdicts), Some(supported)) =
                (mentions.row(row), ids.row(row), verdicts, supported)
            else {
                identified.append(false);
                connected.append(false);
                continue;
            };
            let verdict_of: HashMap<&str, Option<bool>> =
                ids.into_iter().zip(verdicts).filter_map(|(id, verdict)| Some((id?, verdict))).collect();
            let known: Vec<Option<bool>> = mentions
                .iter()
                .map(|entities| {
                    let of = |entity: &&str| verdict_of.get(entity).copied().unwrap_or(Some(false));
                    entities.iter().map(of).fold(Some(true), all)
                })
                .collect();
            let holds: Vec<bool> = known
                .iter()
                .zip(&supported)
                .map(|both| *both.0 == Some(true) && *both.1 == Some(true))
                .collect();
            known.iter().for_each(|known| identified.values().append_option(*known));
            for chained in connected_rubrics(&mentions, &holds, &self.answer) {
                connected.values().append_value(chained);
            }
            identified.append(true);
            connected.append(true);
        }
        Ok(vec![Arc::new(identified.finish()), Arc::new(connected.finish())])
    }
}

/// False where one is false, else null where one is null.
fn all(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), other) | (other, Some(true)) => other,
        (None, None) => None,
    }
}

/// The flags of a row; `None` where the list is null.
fn flags(unit: &Unit, operator: &str, name: &str, row: usize) -> Result<Option<Vec<Option<bool>>>> {
    let list = column(unit, operator, name)?;
    let values = list.values().as_boolean_opt().ok_or_else(|| wrong(name, "hold flags"))?;
    let offsets = list.value_offsets();
    let elements = offsets[row] as usize..offsets[row + 1] as usize;
    let flag = |i: usize| values.is_valid(i).then(|| values.value(i));
    Ok(list.is_valid(row).then(|| elements.map(flag).collect()))
}

/// Which rubrics a breadth-first search from the answer reaches: over entities, and over the rubrics that hold.
///
/// ```
/// use meed_operators::signals::connected_rubrics;
/// let rubrics = [vec!["E0", "E1"], vec!["E3"], vec!["E1", "E2"], vec!["E2"]];
/// assert_eq!(connected_rubrics(&rubrics, &[true, true, true, true], "E0"), [true, false, true, true]);
/// assert_eq!(connected_rubrics(&rubrics, &[true, true, false, true], "E0"), [true, false, false, false]);
/// ```
pub fn connected_rubrics(entities: &[Vec<&str>], holds: &[bool], answer: &str) -> Vec<bool> {
    let mut rubrics_of: HashMap<&str, Vec<usize>> = HashMap::new();
    for (rubric, entities) in entities.iter().enumerate() {
        if holds.get(rubric) == Some(&true) {
            entities.iter().for_each(|entity| rubrics_of.entry(entity).or_default().push(rubric));
        }
    }
    let mut reached = vec![false; entities.len()];
    let mut known: HashSet<&str> = HashSet::from([answer]);
    let mut open: VecDeque<&str> = VecDeque::from([answer]);
    while let Some(entity) = open.pop_front() {
        for &rubric in rubrics_of.get(entity).into_iter().flatten() {
            reached[rubric] = true;
            open.extend(entities[rubric].iter().filter(|entity| known.insert(entity)));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_breaks_at_a_rubric_that_does_not_hold() {
        let rubrics = [vec!["E2", "E3"], vec!["E1", "E2"], vec!["E0", "E1"], vec![]];
        assert_eq!(connected_rubrics(&rubrics, &[true; 4], "E0"), [true, true, true, false]);
        assert_eq!(
            connected_rubrics(&rubrics, &[true, false, true, true], "E0"),
            [false, false, true, false]
        );
        assert_eq!(connected_rubrics(&rubrics, &[true; 4], "E9"), [false; 4]);
        assert_eq!(connected_rubrics(&[], &[], "E0"), [] as [bool; 0]);
    }

    #[test]
    fn an_unidentified_entity_decides_before_an_unknown_one() {
        assert_eq!(all(Some(false), None), Some(false));
        assert_eq!(all(None, Some(false)), Some(false));
        assert_eq!(all(None, Some(true)), None);
    }
}
