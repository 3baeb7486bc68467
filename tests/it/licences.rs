//! Every dependency has a licence that goes with Apache-2.0 OR MIT.

use std::process::Command;

use serde_json::Value;

/// The licences of `deny.toml`; a test below keeps the two lists equal.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
    "bzip2-1.0.6",
];

/// True if one alternative of the expression is allowed in all its parts: `or` splits before `and`,
/// and parentheses hold a whole expression.
fn allowed(expression: &str) -> bool {
    let expression = expression.trim();
    let parts = |separator: &str| -> Vec<String> {
        let (mut depth, mut parts) = (0, vec![Vec::new()]);
        for word in expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ").split_whitespace()
        {
            depth += i32::from(word == "(") - i32::from(word == ")");
            if depth == 0 && word == separator {
                parts.push(Vec::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(word.to_owned());
            }
        }
        parts.iter().map(|words| words.join(" ")).collect()
    };
    for (separator, all) in [("OR", false), ("AND", true)] {
        let parts = parts(separator);
        if parts.len() > 1 {
            return if all {
                parts.iter().all(|part| allowed(part))
            } else {
                parts.iter().any(|part| allowed(part))
            };
        }
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inside) => allowed(inside),
        None => ALLOWED.contains(&expression),
    }
}

#[test]
fn expressions_are_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(allowed(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT AND GPL-2.0) OR LGPL-3.0", ""] {
        assert!(!allowed(bad), "{bad}");
    }
}

/// The platform that the compiler builds for.
fn platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Only this platform's dependencies are sure to have been fetched by the build.
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            &platform(),
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 100, "{} packages", packages.len());
    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !allowed(package["license"].as_str().unwrap_or_default()))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences that are not allowed:\n{}", refused.join("\n"));
}

#[test]
fn the_list_is_that_of_cargo_deny() {
    let text = include_str!("../../deny.toml");
    let list =
        text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list of licences");
    let mut listed: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    listed.sort_unstable();
    assert_eq!(listed, ALLOWED);
}
