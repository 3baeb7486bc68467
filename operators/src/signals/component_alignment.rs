//! Structured steps against gold steps: how their actions align in order, and how alike aligned steps are.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder};
use arrow::datatypes::{DataType, Field};

use super::AddSignals;
use super::texts::{NestedTexts, Texts};
use crate::Result;
use crate::columns::list_of;
use crate::credit::Unit;

/// Compares the steps `predicted` of a rollout with its steps `gold`, each an action with objects and
/// parameters.
///
/// Adds `predicted_matches` (index of the gold step that a predicted step is aligned with, null where it has
/// none), `predicted_scores` (how good an aligned step is, null where it is not aligned), `actions_equal`
/// (true where both lists of actions are equal) and `actions_common` (length of their longest common
/// subsequence). Texts are compared trimmed and in lower case; blank ones do not exist. Null predicted
/// columns mean that nothing could be parsed, as empty ones; null gold columns give nulls.
#[derive(Debug, Clone)]
pub struct ComponentAlignment {
    /// Exponent of the distance in the position factor.
    pub decay: f64,
    /// Weight of the parameters beside the objects.
    pub parameter_weight: f64,
    /// Least agreement of objects at which parameters count.
    pub object_gate: f64,
}

/// One structured step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Component {
    /// What is done.
    pub action: String,
    /// To what.
    pub objects: Vec<String>,
    /// How.
    pub parameters: Vec<String>,
}

impl AddSignals for ComponentAlignment {
    fn name(&self) -> &str {
        "component_alignment"
    }

    fn reads(&self) -> Vec<String> {
        let of =
            |side: &str| ["actions", "object_names", "parameter_values"].map(|name| format!("{side}_{name}"));
        [of("predicted"), of("gold")].concat()
    }

    /// A null on the side of the response says that nothing parsed.
    fn requires(&self) -> Vec<String> {
        self.reads().into_iter().filter(|name| name.starts_with("gold_")).collect()
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("predicted_matches", list_of(DataType::Int64), true),
            Field::new("predicted_scores", list_of(DataType::Float64), true),
            Field::new("actions_equal", DataType::Boolean, true),
            Field::new("actions_common", DataType::Int64, true),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let (predicted, gold) = (Side::new(unit, self, "predicted")?, Side::new(unit, self, "gold")?);
        let field = |element| Arc::new(Field::new("element", element, true));
        let mut matches = ListBuilder::new(Int64Builder::new()).with_field(field(DataType::Int64));
        let mut scores = ListBuilder::new(Float64Builder::new()).with_field(field(DataType::Float64));
        let (mut equal, mut common) = (BooleanBuilder::new(), Int64Builder::new());
        for row in 0..unit.rows() {
            let steps = predicted.row(row).unwrap_or_default();
            let Some(gold) = gold.row(row) else {
                steps.iter().for_each(|_| {
                    matches.values().append_null();
                    scores.values().append_null();
                });
                matches.append(true);
                scores.append(true);
                equal.append_null();
                common.append_null();
                continue;
            };
            let of = |steps: &[Component]| -> Vec<String> {
                steps.iter().map(|step| step.action.clone()).collect()
            };
            let (mine, theirs) = (of(&steps), of(&gold));
            for _ in steps.len()..predicted.listed(row) {
                matches.values().append_null();
                scores.values().append_null();
            }
            for (i, pair) in aligned(&mine, &theirs).into_iter().enumerate() {
                let score = pair.map(|j| self.score((&steps[i], i), (&gold[j], j), gold.len()));
                matches.values().append_option(pair.map(|j| j as i64));
                scores.values().append_option(score);
            }
            matches.append(true);
            scores.append(true);
            equal.append_value(mine == theirs);
            common.append_value(longest_common(&mine, &theirs) as i64);
        }
        Ok(vec![
            Arc::new(matches.finish()),
            Arc::new(scores.finish()),
            Arc::new(equal.finish()),
            Arc::new(common.finish()),
        ])
    }
}

impl ComponentAlignment {
    /// `position * (objects + parameter_weight * parameters)` of two aligned steps and their indices.
    ///
    /// `objects` is the overlap of the sets (intersection over union), and that of their words where no
    /// object is equal; `parameters` the overlap of words, where the objects reach `object_gate`;
    /// `position = 1 - (distance / gold steps)^decay`.
    ///
    /// ```
    /// use meed_operators::signals::{Component, ComponentAlignment};
    /// let rule = ComponentAlignment { decay: 1.5, parameter_weight: 0.5, object_gate: 0.5 };
    /// let step = |objects: &[&str], parameters: &[&str]| Component {
    ///     action: "heat".into(),
    ///     objects: objects.iter().map(|&x| x.into()).collect(),
    ///     parameters: parameters.iter().map(|&x| x.into()).collect(),
    /// };
    /// let predicted = step(&["water"], &["10 min at 90 c"]);
    /// let gold = step(&["water", "salt"], &["10 min at 90"]);
    /// // objects 1/2, parameters 4/5, one place off among four steps: 0.875 * (0.5 + 0.5 * 0.8)
    /// assert!((rule.score((&predicted, 0), (&gold, 1), 4) - 0.7875).abs() < 1e-12);
    /// ```
    pub fn score(&self, predicted: (&Component, usize), gold: (&Component, usize), gold_steps: usize) -> f64 {
        let distance = predicted.1.abs_diff(gold.1) as f64 / gold_steps.max(1) as f64;
        if distance >= 1.0 {
            return 0.0;
        }
        let (predicted, gold) = (predicted.0, gold.0);
        let mut objects = overlap(&set(&predicted.objects), &set(&gold.objects));
        if objects == 0.0 {
            objects = overlap(&words(&predicted.objects), &words(&gold.objects));
        }
        let parameters = if objects < self.object_gate {
            0.0
        } else {
            match (predicted.parameters.is_empty(), gold.parameters.is_empty()) {
                (true, true) => 1.0,
                (false, false) => overlap(&words(&predicted.parameters), &words(&gold.parameters)),
                _ => 0.0,
            }
        };
        (1.0 - distance.powf(self.decay)).max(0.0) * (objects + self.parameter_weight * parameters)
    }
}

/// The index in `gold` that each element of `predicted` is aligned with: each takes the next equal one behind
/// the last that was looked at, so that one that is not found exhausts the rest.
///
/// ```
/// use meed_operators::signals::aligned;
/// let (predicted, gold) = (["heat", "add", "mix", "cool"], ["add", "heat", "mix", "cool"]);
/// assert_eq!(aligned(&predicted, &gold), [Some(1), None, None, None]);
/// assert_eq!(aligned(&["add", "mix"], &gold), [Some(0), Some(2)]);
/// ```
pub fn aligned<T: PartialEq>(predicted: &[T], gold: &[T]) -> Vec<Option<usize>> {
    let mut next = 0;
    let look = |action: &T| {
        let found = gold[next..].iter().position(|other| other == action).map(|ahead| next + ahead);
        next = found.map_or(gold.len(), |at| at + 1);
        found
    };
    predicted.iter().map(look).collect()
}

/// Length of the longest common subsequence.
///
/// ```
/// use meed_operators::signals::longest_common;
/// assert_eq!(longest_common(&["heat", "add", "mix", "cool"], &["add", "heat", "mix", "cool"]), 3);
/// ```
pub fn longest_common<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    let mut above = vec![0; b.len() + 1];
    for x in a {
        let mut row = vec![0; b.len() + 1];
        for (j, y) in b.iter().enumerate() {
            row[j + 1] = if x == y { above[j] + 1 } else { above[j + 1].max(row[j]) };
        }
        above = row;
    }
    above.last().copied().unwrap_or(0)
}

/// Intersection over union; 1 of two empty sets.
fn overlap(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let union = a.union(b).count();
    if union == 0 { 1.0 } else { a.intersection(b).count() as f64 / union as f64 }
}

fn set(texts: &[String]) -> BTreeSet<String> {
    texts.iter().cloned().collect()
}

/// Runs of letters, digits and `% µ μ - . _`.
fn words(texts: &[String]) -> BTreeSet<String> {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "%µμ-._".contains(c);
    let words = texts.iter().flat_map(|text| text.split(move |c| !inside(c)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The columns of one side.
struct Side<'a> {
    actions: Texts<'a>,
    objects: NestedTexts<'a>,
    parameters: NestedTexts<'a>,
}

impl<'a> Side<'a> {
    fn new(unit: &'a Unit, operator: &ComponentAlignment, side: &str) -> Result<Self> {
        let name = operator.name();
        Ok(Side {
            actions: Texts::new(unit, name, &format!("{side}_actions"))?,
            objects: NestedTexts::new(unit, name, &format!("{side}_object_names"))?,
            parameters: NestedTexts::new(unit, name, &format!("{side}_parameter_values"))?,
        })
    }

    /// The steps of a row; `None` where it has no actions.
    /// How many steps another list has where that of the actions is null.
    fn listed(&self, row: usize) -> usize {
        let lengths =
            [&self.objects, &self.parameters].map(|lists| lists.row(row).map_or(0, |row| row.len()));
        if self.actions.row(row).is_some() { 0 } else { lengths.into_iter().max().unwrap_or(0) }
    }

    fn row(&self, row: usize) -> Option<Vec<Component>> {
        let actions = self.actions.row(row)?;
        let (objects, parameters) = (self.objects.row(row), self.parameters.row(row));
        let of = |lists: &Option<Vec<Vec<&str>>>, i: usize| {
            lists.as_ref().and_then(|lists| lists.get(i)).map_or_else(Vec::new, |list| normal(list))
        };
        let step = |(i, action): (usize, Option<&str>)| Component {
            action: action.unwrap_or_default().trim().to_lowercase(),
            objects: of(&objects, i),
            parameters: of(&parameters, i),
        };
        Some(actions.into_iter().enumerate().map(step).collect())
    }
}

fn normal(texts: &[&str]) -> Vec<String> {
    let texts = texts.iter().map(|text| text.trim().to_lowercase());
    texts.filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: ComponentAlignment =
        ComponentAlignment { decay: 1.5, parameter_weight: 0.5, object_gate: 0.5 };

    fn step(objects: &[&str], parameters: &[&str]) -> Component {
        Component { action: String::new(), objects: normal(objects), parameters: normal(parameters) }
    }

    #[test]
    fn parameters_count_only_with_enough_of_the_objects() {
        let gold = step(&["a", "b", "c", "d", "e"], &["x"]);
        let two_of_five = step(&["a", "b"], &["x"]);
        assert!((RULE.score((&two_of_five, 0), (&gold, 1), 4) - 0.875 * 0.4).abs() < 1e-12);
    }

    #[test]
    fn words_stand_in_where_no_object_is_equal() {
        let (predicted, gold) = (step(&["cold water"], &[]), step(&["warm water"], &[]));
        assert!((RULE.score((&predicted, 0), (&gold, 0), 1) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn empty_sides_agree_and_one_empty_side_does_not() {
        let (empty, full) = (step(&[], &[]), step(&["a"], &["x"]));
        assert_eq!(RULE.score((&empty, 0), (&empty, 0), 1), 1.5);
        assert_eq!(RULE.score((&empty, 0), (&full, 0), 1), 0.0);
        assert_eq!(RULE.score((&step(&["a"], &[]), 0), (&full, 0), 1), 1.0);
    }

    #[test]
    fn as_many_places_off_as_there_are_steps_is_worth_nothing() {
        let same = step(&["a"], &[]);
        assert_eq!(RULE.score((&same, 5), (&same, 1), 4), 0.0);
    }

    #[test]
    fn nothing_in_common_is_0_long() {
        assert_eq!(longest_common(&[1, 2], &[3]), 0);
        assert_eq!(longest_common(&[] as &[i32], &[3]), 0);
        assert_eq!(longest_common(&[1, 2, 3, 1], &[3, 1, 2, 1]), 3);
    }
}
