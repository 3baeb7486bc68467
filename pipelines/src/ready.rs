//! A recipe made ready for the data: what it looks at in which pass, and how it assigns credit then.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use meed_operators::columns::Table;
use meed_operators::credit::{
    ADVANTAGE, Assigned, Assignment, BatchStatistics, Checked, Evaluated, Partial, Reach, SignalSchema, Unit,
    evaluate,
};
use meed_operators::engine::rows_of;
use meed_operators::signals::{AddSignals, GatherSignals, Told, add_signals, widened};
use meed_operators::tree::{edge_rows, node_rows, tables_of};
use meed_operators::{Error, Result, signals};
use serde::{Deserialize, Serialize};

use crate::recipe::Plan;

/// A recipe, checked against a schema.
pub struct Ready {
    /// The credit program, with the name and parameters that its rows carry.
    pub assignment: Assignment,
    operators: Vec<Arc<dyn AddSignals>>,
    gathers: Vec<Gather>,
    tables: Vec<Table>,
}

/// An operator over the iteration, with its inputs checked.
struct Gather {
    operator: Arc<dyn GatherSignals>,
    inputs: Checked,
}

/// What a recipe knows of the data after some passes.
#[derive(Debug, Clone, Default)]
pub struct Known {
    gathered: Vec<signals::Known>,
    statistics: BatchStatistics,
}

/// What one worker has seen in a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    told: Told,
    statistics: Partial,
}

impl Seen {
    /// Adds what another worker has seen. Exact, so the order does not matter.
    pub fn merge(&mut self, other: Seen) {
        self.told.merge(other.told);
        self.statistics.merge(other.statistics);
    }

    /// Puts the statistics over the history of `other` in the place of its own.
    pub(crate) fn with_history(&mut self, other: Seen) {
        self.statistics.replace(other.statistics);
    }
}

impl Ready {
    /// Checks the operators and the credit of a recipe against a schema, one after another: each may read
    /// what those before it add.
    ///
    /// # Errors
    /// A signal that is missing, with what would provide it; an expression that does not fit; inputs of an
    /// operator over the iteration that look further than a group.
    pub fn new(recipe: &str, parameters: String, plan: &Plan, schema: &Schema) -> Result<Self> {
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        let (mut added, mut columns): (Vec<String>, Vec<String>) = Default::default();
        let operators: Vec<_> = plan.operators.iter().filter(|operator| !operator.given(schema)).collect();
        for operator in &operators {
            operator.check(recipe, &Schema::new(fields.clone()))?;
            columns.extend(operator.reads().into_iter().filter(|name| !added.contains(name)));
            added.extend(operator.adds().iter().map(|field| field.name().clone()));
            fields.extend(operator.adds().into_iter().map(Arc::new));
        }
        let mut gathers = Vec::with_capacity(plan.gathers.len());
        for operator in &plan.gathers {
            let known = Schema::new(fields.clone());
            signals::present(recipe, &operator.reads(), &known)?;
            let mut inputs = Checked::new(recipe, &operator.inputs(), &SignalSchema::new(&known))?;
            inputs.required.extend(operator.reads());
            if matches!(inputs.reach, Reach::Batch { .. }) {
                return Err(Error::usage(
                    format!("{recipe}: an input of {} looks at the whole batch", operator.name()),
                    "operators over the iteration read what looks no further than a group",
                ));
            }
            let reads = operator.reads().into_iter().chain(inputs.columns.iter().cloned());
            columns.extend(reads.filter(|name| !added.contains(name)));
            added.extend(operator.adds().iter().map(|field| field.name().clone()));
            fields.extend(operator.adds().into_iter().map(Arc::new));
            gathers.push(Gather { operator: operator.clone(), inputs });
        }
        let built: Vec<Field> = operators.iter().flat_map(|operator| operator.adds()).collect();
        let tables = tables_of(&built);
        let mut checked = Checked::new(recipe, &plan.credit, &SignalSchema::new(&Schema::new(fields)))?;
        checked.columns.retain(|name| !added.contains(name));
        checked.columns.extend(columns);
        checked.columns.sort();
        checked.columns.dedup();
        checked.required = required(checked.required, &added, &operators, &gathers);
        let assignment = Assignment { recipe: recipe.to_owned(), parameters, checked };
        let operators = operators.into_iter().cloned().collect();
        Ok(Ready { assignment, operators, gathers, tables })
    }

    /// Number of passes over the data before credit can be assigned.
    pub fn passes(&self) -> usize {
        self.gather_passes() + self.assignment.checked.passes()
    }

    /// How far it looks.
    pub fn reach(&self) -> Reach {
        match self.passes() {
            0 => self.assignment.checked.reach,
            passes => Reach::Batch { passes },
        }
    }

    fn gather_passes(&self) -> usize {
        self.gathers.iter().map(|gather| gather.operator.passes()).sum()
    }

    /// The operator over the iteration that a pass is for; `None` for passes of the credit program.
    fn gather_of(&self, pass: usize) -> Option<usize> {
        let mut before = 0;
        self.gathers.iter().position(|gather| {
            before += gather.operator.passes();
            pass < before
        })
    }

    /// Adds a unit to what is seen in a pass.
    ///
    /// # Errors
    /// Data that an operator or expression cannot use, with its place.
    pub fn observe(&self, pass: usize, batch: &RecordBatch, known: &Known, seen: &mut Seen) -> Result<()> {
        match self.gather_of(pass) {
            Some(index) => {
                let unit = self.widened(batch, index, known)?;
                let gather = &self.gathers[index];
                let blank = signals::Known::default();
                let own = known.gathered.get(index).unwrap_or(&blank);
                gather.operator.observe(&unit, &gather.inputs(&unit)?, own, &mut seen.told)
            }
            None => {
                let unit = self.widened(batch, self.gathers.len(), known)?;
                seen.statistics.observe(&self.assignment.checked, &unit, &known.statistics)
            }
        }
    }

    /// Takes in what all workers have seen in a pass.
    ///
    /// # Errors
    /// Numbers that an operator cannot conclude from.
    pub fn conclude(&self, pass: usize, seen: Seen, known: &mut Known) -> Result<()> {
        match self.gather_of(pass) {
            Some(index) => {
                known.gathered.resize_with(self.gathers.len(), Default::default);
                known.gathered[index].conclude(self.gathers[index].operator.as_ref(), seen.told)
            }
            None => {
                known.statistics.add(&self.assignment.checked, seen.statistics);
                Ok(())
            }
        }
    }

    /// What of a pass later iterations need: what statistics over the history count.
    pub fn of_history(&self, seen: &Seen) -> Seen {
        let statistics = seen.statistics.of_history(&self.assignment.checked);
        Seen { told: Told::default(), statistics }
    }

    /// A unit with the signals of every operator, once all passes are concluded.
    ///
    /// # Errors
    /// Data that an operator cannot use, with its place.
    pub fn unit(&self, batch: &RecordBatch, known: &Known) -> Result<Unit> {
        self.widened(batch, self.gathers.len(), known)
    }

    /// True if its operators add nothing, so that a unit is as good as [`Ready::unit`] of it.
    pub fn adds_nothing(&self) -> bool {
        self.operators.is_empty() && self.gathers.is_empty()
    }

    /// Credit for a unit; rows of the advantages table where the recipe gives an advantage.
    ///
    /// # Errors
    /// See [`Assignment::assign`].
    pub fn assign(&self, unit: &Unit, known: &Known) -> Result<(Evaluated, Option<RecordBatch>)> {
        if self.assignment.checked.credit.get(ADVANTAGE).is_none() {
            return Ok((evaluate(&self.assignment.checked, unit, &known.statistics)?, None));
        }
        let Assigned { rows, evaluated } = self.assignment.assign(unit, &known.statistics)?;
        Ok((evaluated, Some(rows)))
    }

    /// The tables of which it gives rows beside advantages: nodes of the trees and edges of the graphs that its
    /// operators build.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Rows of [`Ready::tables`] from a unit that has the signals of its operators; see [`rows_beside`].
    ///
    /// # Errors
    /// Trees that do not fit the rollouts.
    pub fn rows_beside(&self, unit: &Unit) -> Result<Vec<RecordBatch>> {
        rows_beside(&self.assignment.recipe, &self.tables, unit)
    }

    /// A unit with the signals of the group operators and of the first `gathers` operators over the
    /// iteration.
    fn widened(&self, batch: &RecordBatch, gathers: usize, known: &Known) -> Result<Unit> {
        let mut unit = add_signals(&self.operators, Unit::new(batch.clone())?)?;
        for (gather, known) in self.gathers[..gathers].iter().zip(&known.gathered) {
            let columns = gather.operator.apply(&unit, &gather.inputs(&unit)?, known)?;
            unit = widened(&unit, gather.operator.adds(), columns)?;
        }
        Ok(unit)
    }
}

/// Nodes of the trees and edges of the graphs that a recipe's operators have built in a unit, marked with
/// their table and with the recipe.
///
/// # Errors
/// Trees that do not fit the rollouts.
pub fn rows_beside(recipe: &str, tables: &[Table], unit: &Unit) -> Result<Vec<RecordBatch>> {
    let mut beside = Vec::new();
    for table in tables {
        let rows = match table {
            Table::Edges => edge_rows(unit)?,
            _ => node_rows(unit)?,
        };
        let Some(rows) = rows else { continue };
        let index = rows.schema().index_of("recipe")?;
        let mut columns = rows.columns().to_vec();
        columns[index] = Arc::new(StringArray::from(vec![recipe; rows.num_rows()])) as ArrayRef;
        beside.push(rows_of(*table, &RecordBatch::try_new(rows.schema(), columns)?)?);
    }
    Ok(beside)
}

/// Signals without which a rollout cannot take part: what an operator reads in order to add one of them
/// comes first, so that the reason names what the data lacks.
fn required(
    by_credit: Vec<String>,
    added: &[String],
    operators: &[&Arc<dyn AddSignals>],
    gathers: &[Gather],
) -> Vec<String> {
    let mut needed: BTreeSet<String> = by_credit.iter().cloned().collect();
    let needs =
        |needed: &BTreeSet<String>, adds: Vec<Field>| adds.iter().any(|field| needed.contains(field.name()));
    for gather in gathers.iter().rev() {
        if needs(&needed, gather.operator.adds()) {
            needed.extend(gather.operator.reads().into_iter().chain(gather.inputs.required.iter().cloned()));
        }
    }
    for operator in operators.iter().rev() {
        if needs(&needed, operator.adds()) {
            needed.extend(operator.requires());
        }
    }
    needed.retain(|name| !added.contains(name));
    let of_operators = by_credit.into_iter().filter(|name| added.contains(name));
    needed.into_iter().chain(of_operators).collect()
}

impl Gather {
    fn inputs(&self, unit: &Unit) -> Result<Evaluated> {
        evaluate(&self.inputs, unit, &BatchStatistics::default())
    }
}
