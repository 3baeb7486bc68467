//! What a dataset offers to expressions: its signals with their types, and its levels.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema};

use super::column::ValueType;
use super::level::{Level, Levels, ROLLOUT, STEP, TOKEN, TURN};
use crate::columns::{Role, role};

/// Type of a signal or expression: its level (`None` for a constant) and the type of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Where the values live.
    pub level: Option<Level>,
    /// What they are.
    pub value: ValueType,
}

/// Signals and levels of a dataset, read off its Arrow schema by the naming rule (design,
/// section 3): a scalar column is a rollout signal, a list `<level>_<name>` has one value per
/// element of that level, a list of lists `<a>_<b>_<name>` one list of b's per a.
#[derive(Debug, Clone, Default)]
pub struct SignalSchema {
    signals: BTreeMap<String, Type>,
    /// The levels that the data declares.
    pub levels: Levels,
}

impl SignalSchema {
    /// Reads the signals off an Arrow schema. Columns of other types are no signals.
    pub fn new(schema: &Schema) -> Self {
        let mut result = SignalSchema::default();
        result.levels.spans.extend([STEP, TURN]);
        for field in schema.fields() {
            if let Some(level) = field.name().strip_suffix("_ends") {
                result.levels.spans.insert(Level::named(level));
            }
        }
        for field in schema.fields() {
            let Some(kind) = signal_type(field.name(), field.data_type()) else {
                continue;
            };
            if let Some(level) = &kind.level
                && *level != ROLLOUT
                && *level != TOKEN
                && level.parts().is_none()
                && !result.levels.spans.contains(level)
            {
                result.levels.items.insert(level.clone());
            }
            result.signals.insert(field.name().clone(), kind);
        }
        result
    }

    /// Type of a signal.
    pub fn signal(&self, name: &str) -> Option<&Type> {
        self.signals.get(name)
    }

    /// All signal names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.signals.keys().map(String::as_str)
    }

    /// True if the data has elements of this level.
    pub fn has_level(&self, level: &Level) -> bool {
        let used = |level: &Level| self.signals.values().any(|kind| kind.level.as_ref() == Some(level));
        *level == ROLLOUT || *level == TOKEN || used(level) || (*level == TURN && used(&STEP))
    }
}

fn value_type(data_type: &DataType) -> Option<ValueType> {
    Some(match data_type {
        DataType::Float32 | DataType::Float64 => ValueType::Number,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => ValueType::Integer,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => ValueType::Integer,
        DataType::Boolean => ValueType::Boolean,
        DataType::Utf8 => ValueType::Text,
        _ => return None,
    })
}

fn signal_type(name: &str, data_type: &DataType) -> Option<Type> {
    let at =
        |level: Level, element: &DataType| Some(Type { level: Some(level), value: value_type(element)? });
    let element = |data_type: &DataType| match data_type {
        DataType::List(child) => child.data_type().clone(),
        other => other.clone(),
    };
    match role(name, data_type) {
        Role::Other => None,
        Role::Scalar => at(ROLLOUT, data_type),
        Role::Pair { outer, inner, .. } => {
            at(Level::pair(&Level::named(outer), inner), &element(&element(data_type)))
        }
        Role::Signal { level, .. } | Role::Ends { level } | Role::Starts { level } | Role::Ids { level } => {
            at(Level::named(level), &element(data_type))
        }
    }
}
