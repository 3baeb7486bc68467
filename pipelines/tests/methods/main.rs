//! Every method that is known by name is listed, with its kind and fidelity.
#![allow(clippy::expect_used, clippy::print_stderr)]

use std::collections::BTreeSet;
use std::path::Path;

use meed_pipelines::objectives::objectives;
use meed_pipelines::{methods, recipes};

/// The names, one a line.
const NAMES: &str = include_str!("names.txt");

#[test]
fn every_method_is_listed_once_with_its_kind_and_fidelity() {
    let listed: Vec<&str> = methods().map(|method| method.name).collect();
    let names: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(names.len(), listed.len(), "a method is listed twice");
    let missing: Vec<&str> = NAMES.lines().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
    for method in methods() {
        let known = ["reference", "equations", "reconstructed"].contains(&method.fidelity);
        assert!(known, "{}: fidelity {:?}", method.name, method.fidelity);
        assert!(!method.title.is_empty() && !method.citation.is_empty(), "{}", method.name);
        let explained = method.fidelity != "reconstructed" || !method.deviations.is_empty();
        assert!(explained, "{} is reconstructed and does not say what is guessed", method.name);
    }
}

/// What an objective says of itself, and the list of it, do not contradict each other.
#[test]
fn an_objective_is_listed_with_the_fidelity_that_it_names() {
    for method in methods().filter(|method| method.kind == "objective") {
        assert!(!method.deviations.is_empty(), "{} does not say how it is known", method.name);
        let words = ["reference", "equations", "reconstructed"];
        if let Some(named) = words.into_iter().find(|word| method.deviations.starts_with(word)) {
            assert_eq!(method.fidelity, named, "{}: {}", method.name, method.deviations);
        }
    }
}

/// An objective that is named after a method is found by it: what its recipe is trained with, or a piece.
#[test]
fn every_objective_of_a_method_is_found_by_the_method() {
    for method in methods().filter(|method| objectives().any(|objective| objective.name == method.name)) {
        let of_recipe = recipes().find(|recipe| recipe.name == method.name).map(|recipe| recipe.objective.0);
        let is_part = method.parts.iter().any(|part| part.name == method.name);
        assert!(is_part || of_recipe == Some(method.name), "{}", method.name);
    }
}

/// The names are those of the index of methods, where it is at hand.
#[test]
fn the_names_are_those_of_the_index() {
    let index = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/methods/INDEX.tsv");
    let Ok(index) = std::fs::read_to_string(&index) else {
        eprintln!("skipped: {} is absent", index.display());
        return;
    };
    let wanted: BTreeSet<&str> = index.lines().skip(1).filter_map(|line| line.split('\t').nth(1)).collect();
    assert_eq!(NAMES.lines().collect::<BTreeSet<_>>(), wanted);
}
