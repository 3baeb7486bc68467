//! Answers of a group that mean the same.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Builder, ListArray, ListBuilder, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::AddSignals;
use super::texts::{Texts, column, text_column};
use crate::columns::list_of;
use crate::credit::Unit;
use crate::{Error, Result};

/// Adds `answer_given`, whether a rollout's `answer` is neither null nor blank, `answer_cluster`, the number of
/// the cluster of the group that it belongs to, `answer_reference`, the answer that opened it, and
/// `reference_texts`, its first distinct answers.
///
/// Greedily in canonical order: an answer joins the first cluster whose opening answer is its equivalent,
/// else it opens one. A rollout without an answer has no cluster; neither has one whose equivalence to an
/// opening answer is not known, and it opens none.
#[derive(Debug, Clone)]
pub struct AnswerClusters {
    /// Which answers are equivalents.
    pub equivalence: Equivalence,
    /// How many distinct answers of a cluster are kept.
    pub references: usize,
}

/// When two answers mean the same. Equal texts always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Equivalence {
    /// When they are equal.
    Equal,
    /// By labels of a model of entailment: `entailment_answers` has answers of the group, and
    /// `entailment_labels` what the rollout's own answer says of each: 2 entails it, 1 neither, 0 contradicts
    /// it.
    Entailment {
        /// True: each entails the other. False: neither contradicts the other, and one entails the other.
        strict: bool,
    },
}

impl Equivalence {
    /// Whether two labels, one for each direction, make equivalents.
    ///
    /// ```
    /// use meed_operators::signals::Equivalence;
    /// let (strict, loose) = (Equivalence::Entailment { strict: true }, Equivalence::Entailment { strict: false });
    /// assert!(strict.holds(2.0, 2.0) && !strict.holds(2.0, 1.0));
    /// assert!(loose.holds(2.0, 1.0) && !loose.holds(1.0, 1.0) && !loose.holds(2.0, 0.0));
    /// ```
    pub fn holds(self, there: f64, back: f64) -> bool {
        match self {
            Equivalence::Equal => false,
            Equivalence::Entailment { strict: true } => there == 2.0 && back == 2.0,
            Equivalence::Entailment { strict: false } => there.min(back) >= 1.0 && there.max(back) == 2.0,
        }
    }
}

const ANSWER: &str = "answer";
const ANSWERS: &str = "entailment_answers";
const LABELS: &str = "entailment_labels";

impl AddSignals for AnswerClusters {
    fn name(&self) -> &str {
        "answer_clusters"
    }

    fn reads(&self) -> Vec<String> {
        let mut reads = self.requires();
        reads.push(ANSWER.to_owned());
        reads
    }

    fn requires(&self) -> Vec<String> {
        match self.equivalence {
            Equivalence::Equal => Vec::new(),
            Equivalence::Entailment { .. } => vec![ANSWERS.to_owned(), LABELS.to_owned()],
        }
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("answer_given", DataType::Boolean, false),
            Field::new("answer_cluster", DataType::Int64, true),
            Field::new("answer_reference", DataType::Utf8, true),
            Field::new("reference_texts", list_of(DataType::Utf8), true),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let answers = text_column(unit, self.name(), ANSWER)?;
        let labels = match self.equivalence {
            Equivalence::Equal => None,
            Equivalence::Entailment { .. } => Some(Labels::new(unit, self.name())?),
        };
        let answer = |row: usize| {
            let answer = answers.is_valid(row).then(|| answers.value(row).trim());
            answer.filter(|answer| !answer.is_empty())
        };
        let (mut numbers, mut openings) = (Int64Builder::new(), StringBuilder::new());
        let field = Arc::new(Field::new("element", DataType::Utf8, true));
        let mut texts = ListBuilder::new(StringBuilder::new()).with_field(field);
        for group in unit.groups().windows(2) {
            let mut clusters: Vec<Cluster<'_>> = Vec::new();
            let mut of_rows = Vec::with_capacity(group[1] - group[0]);
            for row in group[0]..group[1] {
                let of_row = answer(row).map(|answer| match &labels {
                    None => Ok(clusters.iter().position(|cluster| cluster.opening == answer)),
                    Some(labels) => labels.place(row, answer, &clusters, self.equivalence),
                });
                let place = match (answer(row), of_row) {
                    (Some(answer), Some(Ok(found))) => {
                        let place = found.unwrap_or_else(|| {
                            clusters.push(Cluster { row, opening: answer, answers: Vec::new() });
                            clusters.len() - 1
                        });
                        if !clusters[place].answers.contains(&answer) {
                            clusters[place].answers.push(answer);
                        }
                        Some(place)
                    }
                    _ => None,
                };
                of_rows.push(place);
            }
            for place in of_rows {
                numbers.append_option(place.map(|place| place as i64));
                let cluster = place.map(|place| &clusters[place]);
                openings.append_option(cluster.map(|cluster| cluster.opening));
                for answer in cluster.iter().flat_map(|cluster| cluster.answers.iter().take(self.references))
                {
                    texts.values().append_value(answer);
                }
                texts.append(cluster.is_some());
            }
        }
        let answered: BooleanArray = (0..unit.rows()).map(|row| Some(answer(row).is_some())).collect();
        Ok(vec![
            Arc::new(answered),
            Arc::new(numbers.finish()),
            Arc::new(openings.finish()),
            Arc::new(texts.finish()),
        ])
    }
}

/// A cluster under construction: who opened it with which answer, and its distinct answers.
struct Cluster<'a> {
    row: usize,
    opening: &'a str,
    answers: Vec<&'a str>,
}

/// A label that the data does not have.
struct Unknown;

/// What each rollout's answer says of the answers of its group.
struct Labels<'a> {
    answers: Texts<'a>,
    list: &'a ListArray,
    labels: ArrayRef,
}

impl<'a> Labels<'a> {
    fn new(unit: &'a Unit, operator: &str) -> Result<Self> {
        let list = column(unit, operator, LABELS)?;
        let labels = cast(list.values(), &DataType::Float64)?;
        let labels = Labels { answers: Texts::new(unit, operator, ANSWERS)?, list, labels };
        for row in 0..unit.rows() {
            let (answers, numbers) =
                (labels.answers.row(row), list.is_valid(row).then(|| list.value_length(row)));
            if let (Some(answers), Some(numbers)) = (answers, numbers)
                && answers.len() != numbers as usize
            {
                let message = format!("has {numbers} labels for {} answers", answers.len());
                return Err(Error::data(unit.place(row, LABELS), message, "give one label per answer"));
            }
        }
        Ok(labels)
    }

    /// The label that a rollout's answer has for another.
    fn of(&self, row: usize, other: &str) -> std::result::Result<f64, Unknown> {
        let answers = self.answers.row(row).ok_or(Unknown)?;
        let place = answers.iter().position(|answer| answer.map(str::trim) == Some(other)).ok_or(Unknown)?;
        let at = self.list.value_offsets()[row] as usize + place;
        let numbers = self.labels.as_primitive::<Float64Type>();
        if self.list.is_valid(row) && numbers.is_valid(at) { Ok(numbers.value(at)) } else { Err(Unknown) }
    }

    /// The first cluster whose opening answer is the equivalent of a rollout's.
    fn place(
        &self,
        row: usize,
        answer: &str,
        clusters: &[Cluster<'_>],
        equivalence: Equivalence,
    ) -> std::result::Result<Option<usize>, Unknown> {
        // A rollout without labels takes part in nothing.
        if self.answers.row(row).is_none() || self.list.is_null(row) {
            return Err(Unknown);
        }
        for (place, cluster) in clusters.iter().enumerate() {
            if cluster.opening == answer
                || equivalence.holds(self.of(row, cluster.opening)?, self.of(cluster.row, answer)?)
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}
