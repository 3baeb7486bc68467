//! What a column is, told from its name and its Arrow type.

use arrow::datatypes::DataType;

/// What a column of rollouts is by the naming rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// One value per rollout.
    Scalar,
    /// `<level>_<name>`: one value per element of the level.
    Signal {
        /// The level.
        level: &'a str,
        /// The rest of the column's name.
        name: &'a str,
    },
    /// `<outer>_<inner>_<name>`: a list of inner values per element of the outer level.
    Pair {
        /// Level of the outer list.
        outer: &'a str,
        /// Level, or axis, of the inner lists.
        inner: &'a str,
        /// The rest of the column's name.
        name: &'a str,
    },
    /// `<level>_ends`: exclusive token offsets of the level's spans.
    Ends {
        /// The level.
        level: &'a str,
    },
    /// `<level>_starts`: token offsets where the level's spans begin.
    Starts {
        /// The level.
        level: &'a str,
    },
    /// `<level>_ids`: names of the level's items; `token_ids` are the tokens themselves.
    Ids {
        /// The level.
        level: &'a str,
    },
    /// A column that follows no rule: structs, bytes, lists without a level, `prompt_ids`.
    Other,
}

impl<'a> Role<'a> {
    /// The level whose elements the column's (outer) list has one of each; `None` for scalars and others.
    pub fn level(&self) -> Option<&'a str> {
        match self {
            Role::Signal { level, .. }
            | Role::Pair { outer: level, .. }
            | Role::Ends { level }
            | Role::Starts { level }
            | Role::Ids { level } => Some(level),
            Role::Scalar | Role::Other => None,
        }
    }
}

/// The role of a column. A level is what stands before the first `_` of a list column's name.
///
/// ```
/// use arrow::datatypes::DataType;
/// use meed_operators::columns::{Role, list_of, role};
///
/// assert_eq!(role("token_my_reward", &DataType::Float32), Role::Scalar);
/// let list = list_of(DataType::Float32);
/// assert_eq!(role("token_my_reward", &list), Role::Signal { level: "token", name: "my_reward" });
/// assert_eq!(role("macro_ends", &list_of(DataType::Int32)), Role::Ends { level: "macro" });
/// assert_eq!(
///     role("step_reference_scores", &list_of(list)),
///     Role::Pair { outer: "step", inner: "reference", name: "scores" }
/// );
/// ```
pub fn role<'a>(column: &'a str, data_type: &DataType) -> Role<'a> {
    let Some(element) = list_element(data_type) else {
        return if is_value(data_type) { Role::Scalar } else { Role::Other };
    };
    if column == "prompt_ids" {
        return Role::Other;
    }
    let Some((level, name)) = column.split_once('_') else {
        return Role::Other;
    };
    if level.is_empty() || name.is_empty() || level == "rollout" {
        return Role::Other;
    }
    match list_element(element) {
        Some(innermost) if is_value(innermost) => match name.split_once('_') {
            Some((inner, name)) if !inner.is_empty() && !name.is_empty() => {
                Role::Pair { outer: level, inner, name }
            }
            _ => Role::Other,
        },
        Some(_) => Role::Other,
        None if !is_value(element) => Role::Other,
        None => match name {
            "ends" => Role::Ends { level },
            "starts" => Role::Starts { level },
            "ids" => Role::Ids { level },
            _ => Role::Signal { level, name },
        },
    }
}

/// The element type of any of Arrow's list types.
pub(crate) fn list_element(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => Some(field.data_type()),
        _ => None,
    }
}

fn is_value(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_value(value),
        DataType::Null | DataType::Boolean => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        other => other.is_numeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::list_of;

    #[test]
    fn lists_without_a_level_are_no_signals() {
        let list = list_of(DataType::Int32);
        for name in ["prompt_ids", "tokens", "_ends", "token_", "rollout_scores"] {
            assert_eq!(role(name, &list), Role::Other, "{name}");
        }
        assert_eq!(role("token_ids", &list), Role::Ids { level: "token" });
        assert_eq!(role("slice_starts", &list), Role::Starts { level: "slice" });
    }

    #[test]
    fn pairs_need_two_levels_and_a_name() {
        let nested = list_of(list_of(DataType::Float64));
        assert_eq!(role("step_scores", &nested), Role::Other);
        assert_eq!(role("step__scores", &nested), Role::Other);
        assert_eq!(role("step_a_b_c", &nested).level(), Some("step"));
        assert_eq!(role("step_a_b", &list_of(nested)), Role::Other);
    }

    #[test]
    fn bytes_and_structs_are_other() {
        assert_eq!(role("image", &DataType::Binary), Role::Other);
        assert_eq!(role("step_images", &list_of(DataType::Binary)), Role::Other);
        assert_eq!(role("reward", &DataType::Float64), Role::Scalar);
    }
}
