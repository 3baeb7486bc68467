//! Bad rows and broken files: an error with its place, or skipped, counted and kept apart.

use serde_json::{Value, json};

use super::{Place, rollout, rollouts};

/// Lines that are wrong, each with what must be said about it and where it stands.
fn bad_lines() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let with = |id: &str, column: &str, value: Value| {
        let mut row = rollout("bad", id, json!(1.0));
        row[column] = value;
        row.to_string().into_bytes()
    };
    let raw = |reward: &str| {
        format!(r#"{{"group_id": "bad", "rollout_id": "raw", "reward": {reward}}}"#).into_bytes()
    };
    vec![
        (b"[1, 2]".to_vec(), "no object", "an object"),
        (b"{\"group_id\": \"bad\", \"rollout_id\": \"\xff\xfe\"}".to_vec(), "invalid UTF-8", "UTF-8"),
        (b"{\"group_id\": \"bad\", \"rollout_id\"".to_vec(), "cut off", "cut off"),
        (raw("\"high\""), "wrong type", "reward"),
        (raw("NaN"), "NaN", "reward"),
        (raw("1e999"), "infinite", "reward"),
        (with("short", "token_mask", json!([true])), "lists that disagree", "token_mask"),
        (with("backwards", "step_ends", json!([3, 2, 4])), "backwards", "step_ends"),
        (with("beyond", "step_ends", json!([2, 9])), "beyond the tokens", "step_ends"),
        (with("status", "status", json!("odd")), "unknown status", "status"),
        (rollout("a", "a0", json!(0.0)).to_string().into_bytes(), "repeated id", "a0"),
    ]
}

fn write(place: &Place, name: &str, bad: &[Vec<u8>]) {
    let mut text: Vec<u8> = Vec::new();
    for row in rollouts() {
        text.extend(format!("{row}\n").bytes());
    }
    for line in bad {
        text.extend(line);
        text.push(b'\n');
    }
    std::fs::write(place.path(name), text).expect("a file");
}

#[test]
fn each_kind_of_bad_line_ends_a_run_with_its_place() {
    let place = Place::new();
    for (line, what, says) in bad_lines() {
        write(&place, "rows.jsonl", &[line]);
        for command in [
            ["import", "jsonl", "rows.jsonl", "--to", "x"].as_slice(),
            &["assign", "--recipe", "grpo", "--from", "rows.jsonl", "--to", "x"],
        ] {
            let ran = place.meed(command);
            assert_eq!(ran.status, Some(1), "{what}: {}", ran.stderr);
            assert!(ran.stderr.contains("rows.jsonl") && ran.stderr.contains(says), "{what}: {}", ran.stderr);
            assert!(ran.stderr.contains("hint: "), "{what}: {}", ran.stderr);
        }
    }
    assert!(place.tells(&["datasets", "--json"]).trim() == "[]", "nothing was stored");
}

#[test]
fn bad_lines_are_skipped_counted_and_kept() {
    let place = Place::new();
    let lines = bad_lines();
    let bad: Vec<Vec<u8>> = lines.iter().map(|(line, ..)| line.clone()).collect();
    write(&place, "rows.jsonl", &bad);
    let skip = ["--on-error", "skip", "--rejects", "rejects.jsonl"];
    for (command, done) in [
        (["import", "jsonl", "rows.jsonl", "--to", "rows"].as_slice(), "7 rows imported"),
        (&["assign", "--recipe", "grpo", "--from", "rows.jsonl", "--to", "credit"], "7 rollouts in 3 groups"),
    ] {
        let said = place.does(&[command, &skip].concat());
        assert!(said.contains(done) && said.contains(&format!("{} bad rows skipped", bad.len())), "{said}");
        assert!(said.contains("rejects.jsonl"), "{said}");
        let rejects = std::fs::read_to_string(place.path("rejects.jsonl")).expect("a reject file");
        let rejects: Vec<Value> =
            rejects.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(rejects.len(), bad.len());
        for (_, what, says) in &lines {
            let found = rejects
                .iter()
                .any(|reject| reject["reason"].as_str().is_some_and(|reason| reason.contains(says)));
            assert!(found, "{what} is not among {rejects:?}");
        }
        assert!(
            rejects.iter().all(|reject| reject["file"] == "rows.jsonl" && reject["line"].as_u64() > Some(0))
        );
    }
    let ids = "select count(distinct rollout_id) as n, count(*) as rows from";
    assert_eq!(place.query(&format!("{ids} rows"))[0], json!({"n": 7, "rows": 7}));
    assert_eq!(place.query(&format!("{ids} credit_advantages"))[0], json!({"n": 7, "rows": 7}));
}

#[test]
fn broken_parquet_files_are_named() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows.parquet"]);
    let whole = std::fs::read(place.path("rows.parquet")).expect("a file");
    let mut flipped = whole.clone();
    flipped[6..60].fill(0xa5);
    for (what, bytes) in [
        ("truncated", &whole[..whole.len() / 2]),
        ("empty", &[]),
        ("text", b"not a Parquet file at all"),
        ("corrupt pages", &flipped),
    ] {
        std::fs::write(place.path("broken.parquet"), bytes).expect("a file");
        let arguments = ["assign", "--recipe", "grpo", "--from", "broken.parquet", "--to", "out.parquet"];
        let ran = place.meed(&arguments);
        assert_eq!(ran.status, Some(1), "{what}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("broken.parquet") && ran.stderr.contains("hint: "),
            "{what}: {}",
            ran.stderr
        );
        assert!(!place.path("out.parquet").exists(), "{what}: a failed run leaves no file");
    }
    let left: Vec<_> = std::fs::read_dir(&place.folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("parts")), "{left:?}");
}

#[test]
fn files_without_rollouts_are_handled() {
    let place = Place::new();
    std::fs::write(place.path("empty.jsonl"), "").expect("a file");
    let ran = place.meed(&["assign", "--recipe", "grpo", "--from", "empty.jsonl", "--to", "out.parquet"]);
    assert_ne!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("group_id") && ran.stderr.contains("empty.jsonl"), "{}", ran.stderr);
    place.write_lines("other.jsonl", &[json!({"question": "1 + 1?"})]);
    let ran = place.meed(&["assign", "--recipe", "grpo", "--from", "other.jsonl", "--to", "out.parquet"]);
    assert_ne!(ran.status, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("group_id"), "{}", ran.stderr);
}

#[test]
fn a_million_tokens_lie_beside_short_rollouts() {
    let place = Place::new();
    let mut rows = rollouts();
    rows[0]["token_ids"] = json!(vec![7; 1_000_000]);
    rows[0]["token_mask"] = json!(vec![true; 1_000_000]);
    place.write_lines("rows.jsonl", &rows);
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    for from in ["rows", "rows.jsonl"] {
        place.does(&["assign", "--recipe", "dr_grpo", "--from", from, "--to", "out.parquet"]);
        let query = "select array_length(token_advantages) as tokens, list_sum(token_advantages) as total from 'out.parquet' order by rollout_id";
        let rows = place.query(query);
        assert_eq!(rows[0], json!({"tokens": 1_000_000, "total": 500_000.0}));
        assert_eq!((rows.len(), &rows[1]), (7, &json!({"tokens": 4, "total": -1.5})));
    }
}
