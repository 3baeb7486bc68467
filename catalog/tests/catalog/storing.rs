//! What is written is read back equal: through the source, through SQL, at old versions, by others.

use std::sync::Arc;

use meed_catalog::arrow::array::{Float64Array, Int64Array, UInt32Array};
use meed_catalog::arrow::compute::concat_batches;
use meed_catalog::arrow::datatypes::DataType;
use meed_catalog::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use meed_catalog::{Catalog, SqlOptions, open_source, table_name};
use meed_operators::Error;
use meed_operators::columns::Table;
use meed_operators::engine::{Sink, Source};

use crate::rows::{cells, fill, lineage, read, rollouts, sink, with_column, write};

const COLUMNS: [&str; 7] =
    ["iteration", "group_id", "rollout_id", "status", "reward", "token_mask", "token_rollout_logprobs"];

#[test]
fn two_workers_and_two_commits_are_read_back_equal() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(directory.path().to_str().unwrap()).unwrap();
    assert_eq!(catalog.datasets().unwrap(), vec![]);
    let parts = [rollouts(0, 0..20, 4), rollouts(0, 20..40, 4), rollouts(1, 0..25, 4)];

    let sink = sink(&catalog, "math", "run1");
    let mut committer = sink.committer().unwrap();
    assert_eq!(committer.resume_at().unwrap(), 0);
    // The later epoch is written first, by the other worker.
    let second = write(&sink, 1, 1, &parts[1]);
    let first = write(&sink, 0, 0, &parts[0]);
    committer.commit(0..=1, [first, second].concat()).unwrap();
    committer.commit(2..=2, write(&sink, 1, 2, &parts[2])).unwrap();
    committer.finish().unwrap();

    let want = concat_batches(&parts[0].schema(), &parts).unwrap();
    for slice_bytes in [u64::MAX, 4096] {
        let got = read(&catalog, "math", &COLUMNS, slice_bytes);
        assert_eq!(cells(&got), cells(&want));
    }
    let query = format!("select {} from math order by iteration, group_id, rollout_id", COLUMNS.join(", "));
    let got = catalog.sql(&query, &SqlOptions::default()).unwrap();
    assert_eq!(got[0].schema().field(1).data_type(), &DataType::Utf8);
    assert_eq!(cells(&concat_batches(&got[0].schema(), &got).unwrap()), cells(&want));

    let infos = catalog.datasets().unwrap();
    assert_eq!(infos.len(), 1);
    assert_eq!((infos[0].name.as_str(), infos[0].table), ("math", Some(Table::Rollouts)));
    assert_eq!((infos[0].rows, infos[0].files, infos[0].version), (Some(260), 3, 2));
    assert!(infos[0].bytes > 0 && infos[0].updated.is_some());
    let dataset = catalog.dataset("math").unwrap();
    assert!(dataset.is_clustered());
    let source = open_source(&dataset, 1 << 20).unwrap();
    assert_eq!((source.uri(), source.rows()), ("math@2", Some(260)));
    assert_eq!(source.fingerprint(), dataset.fingerprint());
}

#[test]
fn old_versions_stay_readable() {
    let catalog = Catalog::open("memory://old_versions").unwrap();
    let sink = sink(&catalog, "math", "run");
    let mut committer = sink.committer().unwrap();
    committer.commit(0..=0, write(&sink, 0, 0, &rollouts(0, 0..3, 2))).unwrap();
    committer.commit(1..=1, write(&sink, 0, 1, &rollouts(1, 0..5, 2))).unwrap();

    assert_eq!(read(&catalog, "math@0", &COLUMNS, 1 << 20).num_rows(), 0);
    assert_eq!(read(&catalog, "math@1", &COLUMNS, 1 << 20).num_rows(), 6);
    assert_eq!(read(&catalog, "math", &COLUMNS, 1 << 20).num_rows(), 16);
    let error = catalog.dataset("math@9").unwrap_err();
    assert!(error.to_string().contains("no version 9; the latest is 2"), "{error}");
    let count = |from: &str| {
        let rows = catalog.sql(&format!("select count(*) from {from}"), &SqlOptions::default());
        crate::rows::numbers(&rows.unwrap(), 0)[0]
    };
    assert_eq!(count("at('math', 1)"), Some(6.0));
    assert_eq!(count("\"math@1\""), Some(6.0));
    assert_eq!(count("math"), Some(16.0));
}

#[test]
fn history_tells_where_rows_come_from() {
    let catalog = Catalog::open("memory://history").unwrap();
    let name = table_name("math", Table::Advantages);
    assert_eq!(name, "math_advantages");
    fill(&catalog, "math", &rollouts(0, 0..3, 2));
    let history = catalog.history("math").unwrap();
    assert_eq!(history.len(), 2);
    let (write, create) = (&history[0], &history[1]);
    assert_eq!((write.version, write.operation.as_str()), (1, "WRITE"));
    assert_eq!((write.rows, write.files, write.epochs), (Some(6), 1, Some((0, 0))));
    assert_eq!(write.clustered_by.as_deref(), Some("iteration,group_id"));
    assert_eq!(write.lineage, Some(lineage("fillmath")));
    assert!(write.timestamp.is_some());
    assert_eq!((create.version, create.rows), (0, Some(0)));
    let error = catalog.history("mth").unwrap_err();
    assert_eq!(error.hint(), "did you mean math?");
}

#[test]
fn new_columns_are_added_and_types_never_change() {
    let catalog = Catalog::open("memory://new_columns").unwrap();
    let first = rollouts(0, 0..2, 2);
    fill(&catalog, "math", &first);
    let novelty = Arc::new(UInt32Array::from(vec![Some(1), None, Some(3), Some(4)]));
    let wider = with_column(&rollouts(1, 0..2, 2), "novelty", novelty);
    let sink1 = sink(&catalog, "math", "second");
    let receipts = write(&sink1, 0, 0, &wider);
    sink1.committer().unwrap().commit(0..=0, receipts).unwrap();

    let got = read(&catalog, "math", &["novelty"], 1 << 20);
    assert_eq!(got.schema().field(0).data_type(), &DataType::Int64);
    let texts: Vec<String> = cells(&got).into_iter().flatten().collect();
    assert_eq!(texts, ["null", "null", "null", "null", "1", "null", "3", "4"]);

    // Two workers that disagree about a new column: the commit is refused.
    let sink2 = sink(&catalog, "math", "third");
    let float = with_column(&first, "surprise", Arc::new(Float64Array::from(vec![0.5; 4])));
    let integer = with_column(&first, "surprise", Arc::new(Int64Array::from(vec![1; 4])));
    let receipts = [write(&sink2, 0, 0, &float), write(&sink2, 1, 1, &integer)].concat();
    let error = sink2.committer().unwrap().commit(0..=1, receipts).unwrap_err();
    assert!(error.to_string().contains("surprise"), "{error}");

    // A column that exists: text where the dataset has a number.
    let wrong = with_column(
        &first.project(&[0, 1, 2, 3, 5]).unwrap(),
        "reward",
        Arc::new(meed_catalog::arrow::array::StringArray::from(vec!["1"; 4])),
    );
    let error = sink2.writer(0).unwrap().write(0, wrong).unwrap_err();
    assert_eq!(error.to_string(), "math, column reward: the rows have type Utf8, the dataset has Float64");
}

#[test]
fn rows_that_break_the_schema_are_refused_with_their_place() {
    let catalog = Catalog::open("memory://broken_rows").unwrap();
    let sink = sink(&catalog, "math", "run");
    let mut writer = sink.writer(0).unwrap();
    let batch = rollouts(0, 0..2, 2);

    let error = writer.write(0, batch.project(&[0, 1, 2, 3]).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("math, column token_mask: the rows lack"), "{error}");

    let status = meed_catalog::arrow::array::StringArray::from(vec![Some("complete"), None, None, None]);
    let nulls = with_column(&batch.project(&[0, 1, 2, 5]).unwrap(), "status", Arc::new(status));
    let error = writer.write(0, nulls).unwrap_err();
    assert!(error.to_string().starts_with("math, row 1, rollout g0000-1, column status: null"), "{error}");

    let large = UInt32Array::from(vec![1, 2, 3, 4]);
    let large = with_column(
        &batch,
        "many",
        Arc::new(meed_catalog::arrow::compute::cast(&large, &DataType::UInt64).unwrap()),
    );
    writer.write(0, large).unwrap();
    let huge = meed_catalog::arrow::array::UInt64Array::from(vec![u64::MAX, 2, 3, 4]);
    let error = writer.write(0, with_column(&batch, "many", Arc::new(huge))).unwrap_err();
    assert!(matches!(&error, Error::Data { .. }) && error.to_string().contains("column many"), "{error}");
}

#[test]
fn files_are_plain_parquet() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(directory.path().to_str().unwrap()).unwrap();
    let batch = rollouts(0, 0..30, 4);
    fill(&catalog, "math", &batch);
    let files = catalog.dataset("math").unwrap().files().unwrap();
    let path = format!("/{}", files[0].path);
    assert_eq!(files[0].rows, Some(120));
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
    let columns: Vec<String> =
        reader.parquet_schema().columns().iter().map(|column| column.path().string()).collect();
    assert!(columns.contains(&"token_mask.list.element".to_owned()), "{columns:?}");
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 120);
}

#[test]
fn names_and_kinds_are_checked() {
    let catalog = Catalog::open("memory://names").unwrap();
    assert!(catalog.sink("math@3", Table::Rollouts, lineage("r")).is_err());
    assert!(catalog.sink("../math", Table::Rollouts, lineage("r")).is_err());
    assert!(catalog.sink("math", Table::Rollouts, lineage("")).is_err());
    fill(&catalog, "math", &rollouts(0, 0..1, 2));
    let error = catalog.sink("math", Table::Scores, lineage("r")).unwrap_err();
    assert_eq!(error.to_string(), "dataset math holds rollouts, not scores");
    assert_eq!(catalog.find("nothing").unwrap().map(|dataset| dataset.uri()), None);
    // Another catalog in memory does not see it.
    assert_eq!(Catalog::open("memory://other_names").unwrap().names().unwrap(), Vec::<String>::new());
}

#[test]
fn unclustered_rows_withdraw_the_promise() {
    let catalog = Catalog::open("memory://unclustered").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..2, 2));
    assert!(catalog.dataset("math").unwrap().is_clustered());
    let sink = sink(&catalog, "math", "mixed").unclustered();
    let receipts = write(&sink, 0, 0, &rollouts(0, 1..4, 2));
    sink.committer().unwrap().commit(0..=0, receipts).unwrap();
    assert!(!catalog.dataset("math").unwrap().is_clustered());
    assert_eq!(catalog.history("math").unwrap()[0].clustered_by, None);
}

#[tokio::test]
async fn a_program_with_a_runtime_of_its_own_can_call() {
    let catalog = Catalog::open("memory://inside_runtime").unwrap();
    fill(&catalog, "math", &rollouts(0, 0..2, 2));
    let rows = catalog.sql("select * from at('math', 1)", &SqlOptions::default()).unwrap();
    assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 4);
}

#[test]
fn a_table_that_others_partitioned_is_refused_as_a_stream_and_read_by_sql() {
    use deltalake_core::kernel::{DataType, PrimitiveType};
    use deltalake_core::operations::create::CreateBuilder;
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("foreign")).unwrap();
    let text = || DataType::Primitive(PrimitiveType::String);
    let create = CreateBuilder::new()
        .with_location(directory.path().join("foreign").to_str().unwrap())
        .with_column("group_id", text(), true, None)
        .with_column("day", text(), true, None)
        .with_partition_columns(["day"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { create.await }).unwrap();

    let catalog = Catalog::open(directory.path().to_str().unwrap()).unwrap();
    let dataset = catalog.dataset("foreign").unwrap();
    let error = open_source(&dataset, 1 << 20).err().unwrap();
    assert!(error.to_string().contains("partitioned by day"), "{error}");
    assert!(catalog.sink("foreign", Table::Rollouts, lineage("r")).is_err());
    let rows = catalog.sql("select count(day) from \"foreign\"", &SqlOptions::default());
    assert_eq!(crate::rows::numbers(&rows.unwrap(), 0), [Some(0.0)]);
}

#[test]
fn directories_may_have_any_name() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["with space", "größe", "100%", "a#b", "a~b"] {
        let path = directory.path().join(name);
        let catalog = Catalog::open(path.to_str().unwrap()).unwrap();
        fill(&catalog, "math", &rollouts(0, 0..2, 2));
        assert!(path.join("math/_delta_log").is_dir(), "{name}");
        assert_eq!(catalog.names().unwrap(), ["math"], "{name}");
        let rows = catalog.sql("select count(*) from math", &SqlOptions::default());
        assert_eq!(crate::rows::numbers(&rows.unwrap(), 0), [Some(4.0)], "{name}");
        assert_eq!(read(&catalog, "math", &["rollout_id"], 1 << 20).num_rows(), 4, "{name}");
    }
}
