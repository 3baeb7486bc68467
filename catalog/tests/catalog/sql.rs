//! Queries: credit functions against hand numbers, and errors that say what was meant.

use std::sync::Arc;

use meed_catalog::arrow::array::RecordBatch;
use meed_catalog::{Catalog, CreditFunction, FUNCTIONS, SqlOptions};
use meed_operators::Error;
use meed_operators::columns::Table;

use crate::rows::{fill, numbers, rollouts};

fn one(catalog: &Catalog, query: &str) -> Option<f64> {
    numbers(&catalog.sql(query, &SqlOptions::default()).unwrap(), 0)[0]
}

#[test]
fn pass_at_k_is_the_unbiased_estimate() {
    let catalog = Catalog::open("memory://pass_at_k").unwrap();
    let estimate = |verdicts: &str, k: i64| {
        one(&catalog, &format!("select pass_at_k(c, {k}) from (values {verdicts}) as t(c)"))
    };
    let close = |got: Option<f64>, want: f64| assert!((got.unwrap() - want).abs() < 1e-12, "{got:?} {want}");
    // n = 4, c = 1: 1 - C(3,k)/C(4,k) = 1/4, 1/2, 3/4, 1.
    for (k, want) in [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)] {
        close(estimate("(true), (false), (false), (false)", k), want);
    }
    // n = 5, c = 2, k = 2: 1 - C(3,2)/C(5,2) = 1 - 3/10; a null takes no part.
    close(estimate("(true), (false), (null), (true), (false), (false)", 2), 0.7);
    close(estimate("(false), (false)", 2), 0.0);
    assert_eq!(estimate("(true), (false)", 3), None);
    let error = catalog.sql("select pass_at_k(true, 0)", &SqlOptions::default()).unwrap_err();
    assert!(error.to_string().contains("k must be at least 1"), "{error}");
}

#[test]
fn pass_at_k_merges_partial_counts() {
    let catalog = Catalog::open("memory://pass_at_k_merge").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..400, 8));
    let options = SqlOptions { threads: Some(4), ..SqlOptions::default() };
    let query = "select pass_at_k(reward > 2.5, 3), count(reward), sum(case when reward > 2.5 then 1 else 0 end) from math group by group_id";
    let rows = catalog.sql(query, &options).unwrap();
    let (got, n, c) = (numbers(&rows, 0), numbers(&rows, 1), numbers(&rows, 2));
    assert_eq!(got.len(), 400);
    for ((got, n), c) in got.into_iter().zip(n).zip(c) {
        let (n, c) = (n.unwrap(), c.unwrap());
        let want = (n >= 3.0)
            .then(|| 1.0 - (0..3).map(|i| (n - c - i as f64).max(0.0) / (n - i as f64)).product::<f64>());
        assert!((got.is_none() && want.is_none()) || (got.unwrap() - want.unwrap()).abs() < 1e-12);
    }
}

#[test]
fn group_normalize_is_the_naive_computation() {
    let catalog = Catalog::open("memory://group_normalize").unwrap();
    let batch = rollouts(0, 0..30, 5);
    fill(&catalog, "math", &batch);
    for (arguments, ddof, eps) in [("", 1.0, 1e-6), (", 0", 0.0, 1e-6), (", 1, 0.5", 1.0, 0.5)] {
        let query = format!(
            "select reward, group_normalize(reward{arguments}) over (partition by iteration, group_id) from math order by group_id, rollout_id"
        );
        let rows = catalog.sql(&query, &SqlOptions::default()).unwrap();
        let (rewards, got) = (numbers(&rows, 0), numbers(&rows, 1));
        for (rewards, got) in rewards.chunks(5).zip(got.chunks(5)) {
            let known: Vec<f64> = rewards.iter().flatten().copied().collect();
            let n = known.len() as f64;
            let mean = known.iter().sum::<f64>() / n;
            let std = (known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - ddof)).sqrt();
            for (reward, got) in rewards.iter().zip(got) {
                match (reward, got) {
                    (Some(reward), Some(got)) => {
                        assert!((got - (reward - mean) / (std + eps)).abs() < 1e-12)
                    }
                    (None, None) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn group_normalize_keeps_nulls_and_gives_zero_without_spread() {
    let catalog = Catalog::open("memory://normalize_edges").unwrap();
    let query = |values: &str| {
        let query = format!(
            "select group_normalize(r) over (partition by g) from (values {values}) as t(i, g, r) order by i"
        );
        catalog.sql(&query, &SqlOptions::default()).map(|rows| numbers(&rows, 0))
    };
    // A singleton, equal values whose mean is not exact, and a null beside two values.
    let got = query("(0, 'a', 5.0), (1, 'b', 0.1), (2, 'b', 0.1), (3, 'b', 0.1), (4, 'c', 1.0), (5, 'c', null), (6, 'c', 3.0)").unwrap();
    let half = 1.0 / (2f64.sqrt() + 1e-6);
    assert_eq!(got[..4], [Some(0.0); 4]);
    assert_eq!(got[5], None);
    assert!((got[4].unwrap() + half).abs() < 1e-12 && (got[6].unwrap() - half).abs() < 1e-12);
    let error = query("(0, 'a', 1.0), (1, 'a', 'NaN'::double)").unwrap_err();
    assert!(error.to_string().contains("a reward is NaN"), "{error}");
}

#[test]
fn list_functions_skip_nulls() {
    let catalog = Catalog::open("memory://lists").unwrap();
    for (list, sum, mean) in [
        ("make_array(1.0, 2.0, null)", Some(3.0), Some(1.5)),
        ("make_array(arrow_cast(0.5, 'Float32'))", Some(0.5), Some(0.5)),
        ("arrow_cast(make_array(), 'List(Float64)')", None, None),
    ] {
        assert_eq!(one(&catalog, &format!("select list_sum({list})")), sum);
        assert_eq!(one(&catalog, &format!("select list_mean({list})")), mean);
    }
    assert_eq!(one(&catalog, "select trainable_tokens(make_array(true, false, null, true))"), Some(2.0));
}

#[test]
fn every_documented_example_runs() {
    let catalog = Catalog::open("memory://examples").unwrap();
    fill(&catalog, "gsm8k", &rollouts(0, 0..3, 4));
    let credit: CreditFunction = Arc::new(|recipe, dataset| {
        assert_eq!((recipe, dataset), ("grpo", "gsm8k"));
        Ok(vec![RecordBatch::new_empty(Table::Advantages.schema())])
    });
    let options = SqlOptions { credit: Some(credit), ..SqlOptions::default() };
    for function in FUNCTIONS {
        let rows = catalog.sql(function.example, &options);
        assert!(rows.is_ok(), "{}: {:?}", function.name, rows.err());
    }
}

#[test]
fn credit_returns_rows_and_passes_errors_on() {
    let catalog = Catalog::open("memory://credit").unwrap();
    let credit: CreditFunction = Arc::new(|recipe, _| match recipe {
        "grpo" => {
            let text = |value: &str| {
                Arc::new(meed_catalog::arrow::array::StringArray::from(vec![value.to_owned()]))
                    as Arc<dyn meed_catalog::arrow::array::Array>
            };
            let lists = meed_catalog::arrow::array::ListArray::from_iter_primitive::<
                meed_catalog::arrow::datatypes::Float32Type,
                _,
                _,
            >([Some([Some(0.25), Some(0.0)])]);
            let yes = || {
                Arc::new(meed_catalog::arrow::array::BooleanArray::from(vec![true]))
                    as Arc<dyn meed_catalog::arrow::array::Array>
            };
            RecordBatch::try_from_iter([
                ("iteration", Arc::new(meed_catalog::arrow::array::Int64Array::from(vec![0])) as _),
                ("group_id", text("g")),
                ("rollout_id", text("r")),
                ("recipe", text("grpo")),
                ("parameters", text("{}")),
                ("in_baseline", yes()),
                ("in_loss", yes()),
                ("token_advantages", Arc::new(lists) as _),
            ])
            .map(|batch| vec![batch])
            .map_err(Error::from)
        }
        other => Err(Error::usage(format!("no recipe `{other}`"), "`meed recipes` lists them")),
    });
    let options = SqlOptions { credit: Some(credit), ..SqlOptions::default() };
    let rows = catalog
        .sql("select list_sum(token_advantages), reason from credit('grpo', 'math')", &options)
        .unwrap();
    assert_eq!(numbers(&rows, 0), [Some(0.25)]);
    let error = catalog.sql("select * from credit('gppo', 'math')", &options).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.hint()), ("no recipe `gppo`", "`meed recipes` lists them"));
}

#[test]
fn files_are_tables() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(directory.path().to_str().unwrap()).unwrap();
    fill(&catalog, "math", &rollouts(0, 0..3, 4));
    let path = directory.path().join("rows.parquet");
    let rows = catalog.sql("select * from math", &SqlOptions::default()).unwrap();
    let file = std::fs::File::create(&path).unwrap();
    meed_catalog::format::write(
        meed_catalog::Format::Parquet,
        &rows[0].schema(),
        rows.into_iter().map(Ok),
        file,
    )
    .unwrap();
    let path = path.display();
    let joined = format!("select count(*) from '{path}' as f join math using (iteration, rollout_id)");
    assert_eq!(one(&catalog, &joined), Some(12.0));
    let error = catalog.sql("select * from './nothing.parquet'", &SqlOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Usage { .. }), "{error:?}");
}

#[test]
fn errors_say_what_was_meant() {
    let catalog = Catalog::open("memory://sql_errors").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..1, 2));
    fill(&catalog, "math-hard.v2", &rollouts(0, 0..1, 3));
    assert_eq!(one(&catalog, "select count(*) from \"math-hard.v2\""), Some(3.0));
    let fails = |query: &str| {
        let error = catalog.sql(query, &SqlOptions::default()).unwrap_err();
        let usage = matches!(error, Error::Usage { .. });
        (usage, error.to_string(), error.hint().to_owned())
    };
    let (usage, message, hint) = fails("select * from mahh");
    assert!(
        usage && message.contains("no dataset `mahh`") && hint == "did you mean math?",
        "{message} {hint}"
    );
    let (usage, message, hint) = fails("select rewrd from math");
    assert!(usage && message.contains("rewrd") && hint.contains("did you mean reward"), "{message} {hint}");
    let (usage, message, _) = fails("selct reward from math");
    assert!(usage && message.contains("not SQL"), "{message}");
    let (usage, message, _) = fails("select nosuch(reward) from math");
    assert!(usage && message.contains("nosuch"), "{message}");
    let (usage, message, _) = fails("insert into math select * from math");
    assert!(usage, "{message}");
    let (usage, message, _) = fails("select * from at('math', 9)");
    assert!(usage && message.contains("no version 9"), "{message}");
    let (usage, message, _) = fails("select cast(group_id as bigint) from math");
    assert!(!usage && message.contains("running the query on math"), "{message}");
}

#[test]
fn a_query_that_needs_too_much_memory_fails_and_says_so() {
    let catalog = Catalog::open("memory://memory_limit").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..2000, 8));
    let options = |limit| SqlOptions { memory_limit: Some(limit), ..SqlOptions::default() };
    let query = "select group_id, array_agg(token_mask) from math group by group_id order by 1";
    let error = catalog.sql(query, &options(1 << 16)).unwrap_err();
    assert!(error.to_string().contains("running the query on math"), "{error}");
    assert!(error.hint().contains("more memory"), "{error} {}", error.hint());
    assert!(catalog.sql(query, &options(1 << 30)).is_ok());
}
