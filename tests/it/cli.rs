//! The program as a person runs it: what it writes, what it says, and its exit status.

mod arguments;
mod asking;
mod assigning;
mod bad_input;
mod comparing;
mod expressions;
mod importing;
mod judging;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a catalog of its own, in which the program runs.
struct Place {
    folder: TempDir,
}

/// What a run of the program left.
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        Place { folder: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meed"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("MEED_CATALOG")
            .env_remove("MEED_LOG");
        command
    }

    fn meed(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output().expect("the program runs"))
    }

    fn with_stdin(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the program reads");
        Ran::of(child.wait_with_output().expect("the program ends"))
    }

    /// Runs a command that must succeed and write nothing to stdout.
    fn does(&self, arguments: &[&str]) -> String {
        let ran = self.meed(arguments);
        assert_eq!(ran.status, Some(0), "meed {arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "stdout carries data only");
        ran.stderr
    }

    /// Runs a command that must succeed, and returns its data.
    fn tells(&self, arguments: &[&str]) -> String {
        let ran = self.meed(arguments);
        assert_eq!(ran.status, Some(0), "meed {arguments:?}: {}", ran.stderr);
        ran.stdout
    }

    /// Runs a command that must fail with that status and say all of that.
    fn refuses(&self, status: i32, arguments: &[&str], says: &[&str]) {
        let ran = self.meed(arguments);
        assert_eq!(ran.status, Some(status), "meed {arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "stdout carries data only");
        for part in says {
            assert!(ran.stderr.contains(part), "meed {arguments:?} does not say `{part}`: {}", ran.stderr);
        }
    }

    /// The rows of a query, as JSON objects.
    fn query(&self, query: &str) -> Vec<Value> {
        let lines = self.tells(&["sql", query, "--format", "json"]);
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    fn write_lines(&self, name: &str, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(self.path(name), text).expect("a file");
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Ran {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A rollout of four tokens, the second of which the environment produced.
fn rollout(group: &str, id: &str, reward: Value) -> Value {
    json!({
        "group_id": group,
        "rollout_id": id,
        "status": "complete",
        "reward": reward,
        "token_ids": [1, 2, 3, 4],
        "token_mask": [true, false, true, true],
    })
}

/// Three groups: two with a difference, one without.
fn rollouts() -> Vec<Value> {
    let rows = [
        ("a", "a0", 1.0),
        ("a", "a1", 0.0),
        ("b", "b0", 1.0),
        ("b", "b1", 0.0),
        ("b", "b2", 0.0),
        ("c", "c0", 1.0),
        ("c", "c1", 1.0),
    ];
    rows.iter().map(|(group, id, reward)| rollout(group, id, json!(reward))).collect()
}
