//! What the README quotes is what the repository holds.
//!
//! A code block after a line `<!-- from: path -->` must stand in that file, whatever its indentation.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Code blocks with the file that each is said to come from.
fn quoted(text: &str) -> Vec<(String, Vec<String>)> {
    let (mut found, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("<!-- from: ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let fence = lines.next().unwrap_or_default();
        assert!(fence.starts_with("```"), "no code block follows `{line}`");
        let block = lines.by_ref().take_while(|line| *line != "```").map(str::trim);
        found.push((path.to_owned(), block.map(str::to_owned).collect()));
    }
    found
}

#[test]
fn quotes_are_in_their_files() {
    let quotes = quoted(&read(&root().join("README.md")));
    assert!(quotes.len() >= 3, "the README quotes a pipeline, a recipe and a query");
    for (path, block) in quotes {
        let file = read(&root().join(&path));
        let lines: Vec<&str> = file.lines().map(str::trim).collect();
        assert!(
            lines.windows(block.len()).any(|window| window == block),
            "{path} does not hold what the README quotes:\n{}",
            block.join("\n")
        );
    }
}

/// Relative targets of the links `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    // What has a space is code, such as `quantile[0.5](x, ...)`.
    targets.filter(|target| !target.contains("://") && !target.starts_with('#') && !target.contains(' '))
}

#[test]
fn links_lead_somewhere() {
    let docs = std::fs::read_dir(root().join("docs")).expect("a folder of documents");
    let mut documents: Vec<PathBuf> = docs.map(|entry| entry.expect("a readable entry").path()).collect();
    documents.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    for document in
        documents.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let folder = document.parent().expect("a file has a folder");
        for target in links(&read(document)) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(
                folder.join(file).exists(),
                "{} links to {target}, which is not there",
                document.display()
            );
        }
    }
}
