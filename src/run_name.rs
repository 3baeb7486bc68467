//! Names of runs: what makes a repeated command a continuation, or a no-op.

use twox_hash::XxHash3_128;

/// A stable hash of what a run does, as 32 hexadecimal digits: equal parts, equal name, in every
/// build and on every machine.
pub(crate) fn run_name<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = XxHash3_128::new();
    for part in parts {
        // The length keeps `ab, c` apart from `a, bc`.
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part.as_bytes());
    }
    format!("{:032x}", hasher.finish_128())
}

/// What a run adds to its name when it must not continue an earlier one.
pub(crate) fn salt(new_run: bool) -> String {
    match new_run {
        true => uuid::Uuid::new_v4().to_string(),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_every_part_and_on_nothing_else() {
        assert_eq!(run_name(["assign", "x"]), run_name(["assign", "x"]));
        assert_ne!(run_name(["ab", "c"]), run_name(["a", "bc"]));
        assert_ne!(run_name(["a"]), run_name(["a", ""]));
        assert_eq!(run_name(["a"]).len(), 32);
        assert_ne!(salt(true), salt(true));
        assert_eq!(salt(false), "");
    }
}
