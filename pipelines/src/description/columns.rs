//! Which columns a recipe reads, and which of them it cannot do without.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::credit::{Credit, Expr, Level, Node, STEP, TURN};
use meed_operators::signals::GatherSignals;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::inputs::{ColumnInfo, Input};
use crate::ready::Ready;
use crate::recipe::{Plan, Recipe};

/// A column that a recipe reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadColumn {
    /// The column.
    pub name: String,
    /// Where its values live.
    pub level: String,
    /// What they are.
    pub values: &'static str,
    /// Whether the recipe can do without it.
    pub need: Need,
    /// True where a rollout with a null there is left out of statistics and loss.
    pub null_leaves_out: bool,
    /// What the values mean.
    pub meaning: &'static str,
    /// What provides them.
    pub provider: &'static str,
    /// What is known of it.
    #[serde(skip)]
    pub known: ColumnInfo,
}

/// Whether a recipe can do without a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Data without it is refused.
    Required,
    /// Read where the data has it.
    Optional,
    /// Read only in the place of another column that the data lacks.
    Substitute,
    /// Not read under these settings.
    Unused,
}

impl Need {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Need::Required => "required",
            Need::Optional => "optional",
            Need::Substitute => "substitute",
            Need::Unused => "unused",
        }
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Columns that every rollout has.
const ALWAYS: [&str; 5] = ["iteration", "group_id", "rollout_id", "status", "token_mask"];

impl Recipe {
    /// The columns that the recipe reads under settings, on data that has all of them, those that it needs
    /// first; and the recipe made ready for such data.
    pub(super) fn columns_read(
        &self,
        settings: &[(String, Value)],
        plan: &Plan,
    ) -> Result<(Vec<ReadColumn>, Ready)> {
        let inputs: Vec<&'static Input> = self.inputs().collect();
        let known: Vec<ColumnInfo> =
            self.names(plan).iter().map(|name| informed(name, &inputs, settings)).collect();
        let check = |without: &BTreeSet<&str>| {
            let wanted = known.iter().filter(|known| !without.contains(known.column.as_str()));
            self.ready(settings, &schema_of(wanted))
        };
        let full = check(&BTreeSet::new())?;
        let mut without: BTreeSet<&str> = BTreeSet::new();
        let mut needs: Vec<(usize, Need)> = Vec::with_capacity(known.len());
        // What is not read on full data goes first, so that a substitute does not pass for the column that it
        // stands in for; the reward goes last.
        let mut order: Vec<usize> = (0..known.len()).collect();
        let read = |known: &ColumnInfo| full.assignment.checked.columns.contains(&known.column);
        order.sort_by_key(|&at| (read(&known[at]), known[at].column == "reward"));
        let mentioned = mentioned(plan);
        for at in order {
            let column = known[at].column.as_str();
            without.insert(column);
            let need = match check(&without) {
                Err(_) => Need::Required,
                Ok(_) if column == "step_ends" || ALWAYS.contains(&column) => Need::Required,
                Ok(_) if read(&known[at]) => Need::Optional,
                Ok(_) if mentioned.contains(column) => Need::Substitute,
                Ok(_) => Need::Unused,
            };
            if need == Need::Required {
                without.remove(column);
            }
            needs.push((at, need));
        }
        let mut needed: Vec<(ColumnInfo, Need)> =
            needs.into_iter().map(|(at, need)| (known[at].clone(), need)).collect();
        // Data may hold what an operator would add; then nothing else is needed for it.
        let given = inputs.iter().filter(|input| added(plan).contains(input.column));
        needed.extend(given.map(|input| (ColumnInfo::find(input.column, &inputs), Need::Substitute)));
        let described = needed.into_iter().map(|(known, need)| ReadColumn {
            name: known.column.clone(),
            level: known.level.to_string(),
            values: known.of.name(),
            need,
            null_leaves_out: full.assignment.checked.required.contains(&known.column),
            meaning: known.meaning,
            provider: known.provider,
            known,
        });
        let mut columns: Vec<ReadColumn> = described.collect();
        let place = |column: &ReadColumn| {
            (column.need, column.name != "reward", self.own_place(&column.name), column.name.clone())
        };
        columns.sort_by_key(place);
        Ok((columns, full))
    }

    /// Names that the recipe may read: what its program and operators mention, what it declares, and the
    /// columns that say where the elements of its levels lie.
    fn names(&self, plan: &Plan) -> BTreeSet<String> {
        let mut names = mentioned(plan);
        names.extend(self.inputs().map(|input| input.column.to_owned()));
        let added = added(plan);
        names.retain(|name| !added.contains(name) && !ALWAYS.contains(&name.as_str()));
        let inputs: Vec<&'static Input> = self.inputs().collect();
        let mut levels: BTreeSet<Level> = BTreeSet::new();
        for name in &names {
            let level = ColumnInfo::find(name, &inputs).level;
            levels.extend(level.parts().map(|(outer, _)| outer));
            levels.insert(level);
        }
        let inner: Vec<Credit> = plan.gathers.iter().map(|operator| operator.inputs()).collect();
        for credit in inner.iter().chain([&plan.credit]) {
            credit.expressions().for_each(|(_, expression)| levels_of(expression, &mut levels));
        }
        if levels.contains(&STEP) || levels.contains(&TURN) {
            names.extend(["step_ends", "step_kinds"].map(str::to_owned));
        }
        if levels.contains(&TURN) {
            names.insert("step_turns".to_owned());
        }
        names
    }

    /// Where the recipe's inputs list a column; those that it does not list come after.
    fn own_place(&self, column: &str) -> usize {
        self.inputs().position(|input| input.column == column).unwrap_or(usize::MAX)
    }
}

/// What is known of a column; of one that settings put in the place of an input, what is known of that.
fn informed(column: &str, inputs: &[&'static Input], settings: &[(String, Value)]) -> ColumnInfo {
    let known = ColumnInfo::find(column, inputs);
    let stands_for = settings.iter().find(|(_, value)| value.as_str() == Some(column));
    match stands_for.filter(|_| !known.declared) {
        Some((input, _)) => ColumnInfo { column: column.to_owned(), ..ColumnInfo::find(input, inputs) },
        None => known,
    }
}

/// Columns that the program, in any branch, and the operators name.
fn mentioned(plan: &Plan) -> BTreeSet<String> {
    let operators = plan.operators.iter().flat_map(|operator| operator.reads());
    let gathers = plan.gathers.iter().flat_map(|operator| gathered(operator.as_ref()));
    plan.credit.reads().into_iter().chain(operators).chain(gathers).collect()
}

/// Columns that operators add.
fn added(plan: &Plan) -> BTreeSet<String> {
    let fields = plan.operators.iter().flat_map(|operator| operator.adds());
    let fields = fields.chain(plan.gathers.iter().flat_map(|operator| operator.adds()));
    fields.map(|field| field.name().clone()).collect()
}

/// Columns that an operator over the iteration names.
pub(super) fn gathered(operator: &dyn GatherSignals) -> BTreeSet<String> {
    operator.reads().into_iter().chain(operator.inputs().reads()).collect()
}

/// Levels that an expression names.
fn levels_of(expression: &Expr, into: &mut BTreeSet<Level>) {
    match expression.node() {
        Node::Kind { level, .. } => into.extend([level.clone(), STEP]),
        Node::Values { level, .. }
        | Node::Policy { level }
        | Node::Random { level, .. }
        | Node::Reduce { level, .. }
        | Node::Spread { level, .. }
        | Node::Place { level, .. } => into.extend([level.clone()]),
        Node::Index { level, within } | Node::Count { level, within } => {
            into.extend([level.clone(), within.clone()]);
        }
        _ => {}
    }
    expression.node().children().iter().for_each(|child| levels_of(child, into));
}

/// The schema of rollouts that have these columns.
fn schema_of<'a>(columns: impl Iterator<Item = &'a ColumnInfo>) -> Schema {
    let always = ALWAYS.iter().filter_map(|name| Table::Rollouts.column(name));
    let mut fields: Vec<FieldRef> = always
        .map(|column| Arc::new(Field::new(column.name, column.column_type.data_type(), column.nullable)))
        .collect();
    fields.extend(columns.map(|known| Arc::new(Field::new(&known.column, known.data_type.clone(), true))));
    Schema::new(fields)
}
