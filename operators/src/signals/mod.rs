//! Operators that add signals to whole groups, where no expression can.

mod align_words;
mod answer_clusters;
mod attention;
mod balance_threshold;
mod component_alignment;
mod discriminant;
mod first_gradient_step;
mod gather;
mod given_tree;
mod intent_labels;
mod leaf_pairs;
mod macro_actions;
mod match_calls;
mod next_rollouts;
mod prefix_tree;
mod probes;
mod return_decomposition;
mod rubric_graph;
mod shapley;
mod shell;
mod state_groups;
mod step_vectors;
mod test_densities;
mod texts;
mod trace_units;
mod trajectory_graph;
mod tree_columns;
mod variance_segments;

pub use align_words::{AlignWords, Aligned};
pub use answer_clusters::{AnswerClusters, Equivalence};
pub use attention::{AttentionFlow, AttentionInfluence, AttentionLookBack};
pub use balance_threshold::BalanceThreshold;
pub use component_alignment::{Component, ComponentAlignment, aligned, longest_common};
pub use discriminant::Discriminant;
pub use first_gradient_step::FirstGradientStep;
pub use gather::{GatherSignals, Known, Rows, Told, whole_iteration};
pub use given_tree::GivenTree;
pub use intent_labels::IntentLabels;
pub use leaf_pairs::LeafPairs;
pub use macro_actions::{MacroActions, Termination};
pub use match_calls::{Assignment, GoldCalls, LEAST_REGULARISATION, MatchCalls, ToolCall};
pub use next_rollouts::NextRollouts;
pub use prefix_tree::PrefixTree;
pub use probes::Probes;
pub use return_decomposition::ReturnDecomposition;
pub use rubric_graph::{RubricGraph, connected_rubrics};
pub use shapley::{
    Coalitions, MOST_PLAYERS, Shapley, StoredCoalition, exact_shapley_values, sampled_shapley_values,
};
pub use state_groups::StateGroups;
pub use test_densities::TestDensities;
pub use trace_units::{Trace, TraceFault, TraceUnits};
pub use trajectory_graph::TrajectoryGraph;
pub use variance_segments::VarianceSegments;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema};
use std::sync::Arc;

use crate::columns::with_columns;
use crate::credit::{Unit, provider};
use crate::{Error, Result};

/// Adds columns to the rows of whole groups. What it reads and adds is declared, keys never change.
pub trait AddSignals: Send + Sync {
    /// Its name, for messages and lineage.
    fn name(&self) -> &str;

    /// Columns that it needs.
    fn reads(&self) -> Vec<String>;

    /// Columns without which it has nothing to say about a rollout: one with a null there is left out where a
    /// recipe needs what the operator adds. By default all that it reads.
    fn requires(&self) -> Vec<String> {
        self.reads()
    }

    /// Columns that it adds.
    fn adds(&self) -> Vec<Field>;

    /// The added columns, one array per field of [`AddSignals::adds`], a value per row of the unit.
    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>>;

    /// True where the data already has what it would add, as where a judge stored it, so that the operator is
    /// left out. Most operators are always applied.
    fn given(&self, _schema: &Schema) -> bool {
        false
    }

    /// Checks that the data has what the operator reads.
    ///
    /// # Errors
    /// [`Error::MissingSignal`], with what would provide the column.
    fn check(&self, recipe: &str, schema: &Schema) -> Result<()> {
        present(recipe, &self.reads(), schema)
    }
}

/// Checks that the data has these columns.
///
/// # Errors
/// [`Error::MissingSignal`] for the first that it lacks.
pub fn present(recipe: &str, columns: &[String], schema: &Schema) -> Result<()> {
    match columns.iter().find(|name| schema.field_with_name(name).is_err()) {
        None => Ok(()),
        Some(name) => Err(Error::MissingSignal {
            recipe: recipe.to_owned(),
            hint: provider(name).to_owned(),
            signal: name.clone(),
        }),
    }
}

/// True where the data has every column that the operator adds.
fn is_given(operator: &dyn AddSignals, schema: &Schema) -> bool {
    operator.adds().iter().all(|field| schema.column_with_name(field.name()).is_some())
}

/// The unit with the columns of every operator added, in order.
pub fn add_signals(operators: &[Arc<dyn AddSignals>], mut unit: Unit) -> Result<Unit> {
    for operator in operators {
        let added = operator.apply(&unit)?;
        unit = widened(&unit, operator.adds(), added)?;
    }
    Ok(unit)
}

/// The unit with these columns beside its own.
///
/// # Errors
/// Columns that do not fit their fields or the unit's rows.
pub fn widened(unit: &Unit, fields: Vec<Field>, columns: Vec<ArrayRef>) -> Result<Unit> {
    Unit::new(with_columns(unit.batch().clone(), fields.into_iter().zip(columns))?)
}
