//! `meed judge`, and its scores in `meed assign`.

use serde_json::{Value, json};

use super::{Place, rollout};
use crate::support::real_data;

/// Two groups with answers to judge; one rollout has no response.
fn rollouts() -> Vec<Value> {
    let rows = [
        ("a", "a0", Some("so it is 18"), "18"),
        ("a", "a1", Some("17"), "18"),
        ("b", "b0", Some("$1,000"), "1000"),
        ("b", "b1", Some("none"), "1000"),
        ("b", "b2", None, "1000"),
    ];
    let row = |(group, id, response, reference): (&str, &str, Option<&str>, &str)| {
        let mut row = rollout(group, id, Value::Null);
        row["response"] = json!(response);
        row["reference"] = json!(reference);
        row
    };
    rows.map(row).to_vec()
}

fn judge(place: &Place, more: &[&str]) -> String {
    place.does(&[&["judge", "--judge", "numeric", "--from", "rows.jsonl"], more].concat())
}

/// Rollouts with their mean advantage over trainable tokens, null where they are not trained on.
fn advantages(place: &Place, table: &str) -> Vec<(String, Option<f64>)> {
    let query = format!(
        "select rollout_id, case when in_loss then token_advantages[1] end as a from {table} order by rollout_id"
    );
    let rows = place.query(&query);
    rows.iter()
        .map(|row| (row["rollout_id"].as_str().expect("an id").to_owned(), row["a"].as_f64()))
        .collect()
}

#[test]
fn only_what_is_missing_or_has_changed_is_asked() {
    let place = Place::new();
    let mut rows = rollouts();
    place.write_lines("rows.jsonl", &rows);
    let said = judge(&place, &["--to", "judged"]);
    assert!(
        said.contains("5 judgements asked for, 0 known already, 5 rows written to dataset judged_scores"),
        "{said}"
    );
    assert!(said.contains("numeric: 5 asked, 0 known; 4 scores, 0 without an opinion, 1 failed"), "{said}");
    assert!(said.contains("missing: response is absent (1)"), "{said}");
    let scores = place.query("select rollout_id, score, status, reason, judge_version, level, index from judged_scores order by rollout_id");
    let of = |row: usize, column: &str| scores[row].get(column).cloned().unwrap_or_default();
    assert_eq!(
        (0..5).map(|row| of(row, "score")).collect::<Vec<_>>(),
        [json!(1.0), json!(0.0), json!(1.0), json!(0.0), Value::Null]
    );
    assert_eq!((of(4, "status"), of(4, "reason")), (json!("missing"), json!("response is absent")));
    assert_eq!(
        (of(0, "level"), of(0, "index"), of(0, "reason")),
        (json!("rollout"), Value::Null, Value::Null)
    );

    // Again: what failed is asked again, and nothing else.
    let said = judge(&place, &["--to", "judged"]);
    assert!(said.contains("1 judgements asked for, 4 known already, 1 rows written"), "{said}");

    // One row has changed, and what failed has an answer now.
    rows[1]["response"] = json!("no: 18");
    rows[4]["response"] = json!("1000");
    place.write_lines("rows.jsonl", &rows);
    let said = judge(&place, &["--to", "judged"]);
    assert!(said.contains("2 judgements asked for, 3 known already, 2 rows written"), "{said}");
    let versions = || place.query("select count(*) as n from judged_scores")[0]["n"].as_i64();
    assert_eq!(versions(), Some(8));
    let commits =
        |place: &Place| place.tells(&["history", "judged_scores", "--json"]).matches("\"version\"").count();
    let before = commits(&place);
    let said = judge(&place, &["--to", "judged"]);
    assert!(said.contains("0 judgements asked for, 5 known already, 0 rows written"), "{said}");
    assert_eq!(commits(&place), before, "nothing to store is no commit");

    // Another parameter is another question, and so is a change back to what was judged before.
    let said = judge(&place, &["--to", "judged", "--set", "numeric.absolute=2"]);
    assert!(said.contains("5 judgements asked for, 0 known already"), "{said}");
    let said = judge(&place, &["--to", "judged"]);
    assert!(said.contains("5 judgements asked for, 0 known already"), "{said}");
    let said = judge(&place, &["--to", "judged", "--new-run"]);
    assert!(said.contains("5 judgements asked for, 0 known already"), "{said}");
}

#[test]
fn a_file_of_scores_keeps_what_is_known() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    for to in ["scores.parquet", "scores.jsonl"] {
        judge(&place, &["--to", to]);
        let said = judge(&place, &["--to", to, "--workers", "1"]);
        assert!(said.contains("1 judgements asked for, 4 known already, 5 rows written"), "{to}: {said}");
    }
    let scores = place.query("select rollout_id, score from 'scores.parquet' where score is not null");
    assert_eq!(scores.len(), 4);
}

#[test]
fn scores_are_signals_of_recipes() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    judge(&place, &["--to", "judged"]);
    judge(&place, &["--to", "scores.parquet"]);
    for scores in ["judged", "scores.parquet"] {
        let assign = ["assign", "--recipe", "dr_grpo", "--set", "reward=numeric", "--from", "rows.jsonl"];
        let said = place.does(&[&assign[..], &["--scores", scores, "--to", "credit.parquet"]].concat());
        assert!(said.contains("dr_grpo: 4 of 5 rollouts in the loss"), "{said}");
        let got = advantages(&place, "'credit.parquet'");
        let wanted =
            [("a0", Some(0.5)), ("a1", Some(-0.5)), ("b0", Some(0.5)), ("b1", Some(-0.5)), ("b2", None)];
        assert_eq!(got, wanted.map(|(id, advantage)| (id.to_owned(), advantage)));
    }
    // The latest score counts.
    let mut rows = rollouts();
    rows[1]["response"] = json!("18");
    rows[4]["response"] = json!("1000");
    place.write_lines("rows.jsonl", &rows);
    judge(&place, &["--to", "judged"]);
    place.does(&[
        "assign",
        "--recipe",
        "dr_grpo",
        "--set",
        "reward=numeric",
        "--from",
        "rows.jsonl",
        "--scores",
        "judged",
        "--to",
        "credit",
    ]);
    let got = advantages(&place, "credit_advantages");
    assert_eq!(got[0].1, Some(0.0), "both of group a are right now");
    assert!((got[4].1.expect("a score") - 1.0 / 3.0).abs() < 1e-6);
    let history = place.tells(&["history", "credit_advantages", "--json"]);
    assert!(history.contains("judged_scores@"), "lineage names the scores: {history}");
}

#[test]
fn what_cannot_be_asked_is_said() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    let asks = |judge: &'static str| ["judge", "--judge", judge, "--from", "rows.jsonl", "--to", "x"];
    place.refuses(2, &asks("nummeric"), &["no judge is called `nummeric`", "numeric"]);
    place.refuses(2, &asks("regex"), &["judge regex has no pattern"]);
    place.refuses(2, &asks("gold_logprobs"), &["asks a model", "--model"]);
    let with = |more: [&'static str; 2]| [&asks("numeric")[..], &more].concat();
    place.refuses(
        2,
        &with(["--set", "numeric.tolerance=1"]),
        &["no parameter `numeric.tolerance`", "numeric.relative"],
    );
    place.refuses(2, &with(["--deadline", "0"]), &["more than 0 seconds"]);
    place.refuses(
        2,
        &["assign", "--recipe", "grpo", "--from", "rows.jsonl", "--scores", "absent", "--to", "y"],
        &["no dataset `absent_scores`"],
    );
}

#[test]
fn steps_of_real_solutions_are_judged_once_and_joined() {
    let Some(path) = real_data("gsm8k_model_solutions.jsonl") else {
        return;
    };
    let place = Place::new();
    place.does(&["import", "gsm8k", path.to_str().expect("a path"), "--to", "gsm8k"]);
    let ask = [
        "judge",
        "--judge",
        "calculator,numeric",
        "--set",
        "numeric.marker=A:",
        "--from",
        "gsm8k",
        "--to",
        "gsm8k",
    ];
    let said = place.does(&ask);
    assert!(said.contains("5276 rollouts, 10552 judgements asked for, 0 known already"), "{said}");
    let said = place.does(&ask);
    assert!(said.contains("0 judgements asked for, 10552 known already, 0 rows written"), "{said}");
    // The importer has checked the same calculations, one value a step.
    let imported = place.query(
        "select sum(correct) as total from (select unnest(step_calculations_correct) as correct from gsm8k)",
    );
    let judged = place.query("select sum(score) as total from gsm8k_scores where judge = 'calculator'");
    assert_eq!(imported[0]["total"].as_f64(), judged[0]["total"].as_f64());
    let agree = place.query(
        "select avg(case when s.score = r.reward then 1.0 else 0.0 end) as share from gsm8k_scores s
         join gsm8k r on s.rollout_id = r.rollout_id where s.judge = 'numeric'",
    );
    let share = agree[0]["share"].as_f64().expect("a share");
    assert!(share > 0.99, "the numeric judge agrees with is_correct on {share}");
    let said = place.does(&[
        "assign",
        "--recipe",
        "step_reinforce",
        "--set",
        "step_rewards=step_calculator",
        "--from",
        "gsm8k",
        "--scores",
        "gsm8k",
        "--to",
        "gsm8k",
    ]);
    assert!(said.contains("5276 rollouts in 1319 groups, 5276 rows written"), "{said}");
}
