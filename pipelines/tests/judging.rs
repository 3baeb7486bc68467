//! Stored rollouts are judged, judged again, and their scores joined back.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, SchemaRef};
use meed_operators::Result;
use meed_operators::columns::{OnError, Table, complete};
use meed_operators::engine::{Batches, Committer, EpochWriter, Receipt, RunOptions, Sink, Source};
use meed_operators::judge::{JudgeContext, Judges};
use meed_pipelines::stored::{
    AnsweredScores, AssignJob, JudgeJob, JudgeReport, RecipeSettings, Rejected, ScoreIndex, assign, judge,
    readable,
};
use meed_pipelines::{find, make_judges};

const GROUPS: usize = 12;

/// Groups of three rollouts of one to three turns, with answers, calculations and tests; every fifth
/// rollout has no response. `changed` rollouts give another answer.
fn rollouts(changed: &[usize]) -> RecordBatch {
    let rows = 3 * GROUPS;
    let text = |of: &dyn Fn(usize) -> Option<String>| {
        Arc::new((0..rows).map(of).collect::<StringArray>()) as ArrayRef
    };
    let response = |row: usize| {
        let answer = if changed.contains(&row) { 99 } else { row % 2 };
        (row % 5 != 4).then(|| format!("the answer is {answer}"))
    };
    let lists = |of: &dyn Fn(usize, usize) -> String| {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in 0..rows {
            (0..2 * (1 + row % 3)).for_each(|step| lists.values().append_value(of(row, step)));
            lists.append(true);
        }
        Arc::new(lists.finish()) as ArrayRef
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("group_id", text(&|row| Some(format!("g{}", row / 3)))),
        ("rollout_id", text(&|row| Some(format!("r{row}")))),
        ("response", text(&response)),
        ("reference", text(&|_| Some("1".into()))),
        (
            "metadata",
            text(&|_| Some(r#"{"tests": [{"input": 0, "output": 0}, {"input": 2, "output": 4}]}"#.into())),
        ),
        (
            "step_texts",
            lists(&|row, step| format!("<<1+1={}>>\n{step} -> {}", 2 + (row + step) % 2, step * 2)),
        ),
        ("step_kinds", lists(&|_, step| if step % 2 == 0 { "policy".into() } else { "observation".into() })),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    complete(RecordBatch::try_from_iter_with_nullable(columns).unwrap(), "memory").unwrap()
}

/// Rows in slices of whole groups, in batches of any size.
struct Slices {
    rows: RecordBatch,
    slice_groups: usize,
    batch_rows: usize,
}

impl Source for Slices {
    fn uri(&self) -> &str {
        "memory"
    }
    fn fingerprint(&self) -> String {
        String::new()
    }
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
    fn rows(&self) -> Option<u64> {
        None
    }
    fn slices(&self) -> u64 {
        GROUPS.div_ceil(self.slice_groups) as u64
    }
    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        let first = slice as usize * self.slice_groups * 3;
        let rows = self.rows.slice(first, (self.slice_groups * 3).min(self.rows.num_rows() - first));
        let indices: Vec<usize> = columns.iter().map(|name| rows.schema().index_of(name).unwrap()).collect();
        Ok(cut(&rows.project(&indices)?, self.batch_rows))
    }
}

fn cut(rows: &RecordBatch, batch_rows: usize) -> Batches {
    let starts = (0..rows.num_rows()).step_by(batch_rows);
    let parts: Vec<Result<RecordBatch>> =
        starts.map(|first| Ok(rows.slice(first, batch_rows.min(rows.num_rows() - first)))).collect();
    Box::new(parts.into_iter())
}

/// Keeps rows by epoch.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(u64, RecordBatch)>>>);

impl Sink for Kept {
    fn uri(&self) -> &str {
        "memory"
    }
    fn writer(&self, _: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(self.clone()))
    }
    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(self.clone()))
    }
}

impl EpochWriter for Kept {
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        self.0.lock().unwrap().push((epoch, batch));
        Ok(())
    }
    fn close(&mut self, _: u64) -> Result<Vec<Receipt>> {
        Ok(Vec::new())
    }
}

impl Committer for Kept {
    fn resume_at(&mut self) -> Result<u64> {
        Ok(0)
    }
    fn commit(&mut self, _: RangeInclusive<u64>, _: Vec<Receipt>) -> Result<()> {
        Ok(())
    }
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Kept {
    /// All rows in order of epochs.
    fn rows(&self, schema: SchemaRef) -> RecordBatch {
        let mut batches = self.0.lock().unwrap().clone();
        batches.sort_by_key(|(epoch, _)| *epoch);
        concat_batches(&schema, batches.iter().map(|(_, batch)| batch)).unwrap()
    }
}

const NAMES: [&str; 3] = ["numeric", "calculator", "passed"];

fn judged(rows: RecordBatch, answered: AnsweredScores, workers: usize) -> (JudgeReport, RecordBatch) {
    let settings = [("passed.level".to_owned(), "turn.test".into())];
    let sink = Kept::default();
    let job = JudgeJob {
        judges: Judges::new(make_judges(&NAMES, &settings).unwrap()).unwrap(),
        context: JudgeContext::default(),
        answered,
        source: Arc::new(Slices { rows, slice_groups: 5, batch_rows: 4 }),
        sink: Arc::new(sink.clone()),
        on_error: OnError::Fail,
        rejected: Rejected::default(),
    };
    let report = judge(job, &RunOptions::workers(workers)).unwrap();
    (report, sink.rows(Table::Scores.schema()))
}

fn asked(report: &JudgeReport) -> Vec<(u64, u64)> {
    report.judges.iter().map(|(_, tally)| (tally.asked, tally.skipped)).collect()
}

/// Everything but how long it took.
fn timeless(scores: &RecordBatch) -> String {
    let latency = scores.schema().index_of("latency_ms").unwrap();
    let kept: Vec<usize> = (0..scores.num_columns()).filter(|column| *column != latency).collect();
    format!("{:?}", scores.project(&kept).unwrap())
}

fn known(scores: &[&RecordBatch], again: bool) -> AnsweredScores {
    let all = concat_batches(&Table::Scores.schema(), scores.iter().copied()).unwrap();
    // Judgements are cut by batches anywhere.
    AnsweredScores::read(cut(&all, 2), again).unwrap()
}

#[test]
fn nothing_is_asked_twice() {
    let (report, first) = judged(rollouts(&[]), AnsweredScores::default(), 1);
    assert_eq!(asked(&report), [(36, 0); 3]);
    assert_eq!(report.judges[0].1.failed(), 7, "rollouts without a response");
    let (_, parallel) = judged(rollouts(&[]), AnsweredScores::default(), 3);
    assert_eq!(timeless(&first), timeless(&parallel));

    let (report, rest) = judged(rollouts(&[]), known(&[&first], false), 2);
    assert_eq!(asked(&report), [(7, 29), (0, 36), (0, 36)], "what failed is asked again");
    assert_eq!(rest.num_rows(), 7);

    let (report, changed) = judged(rollouts(&[1]), known(&[&first, &rest], false), 2);
    assert_eq!(asked(&report), [(8, 28), (0, 36), (0, 36)], "only the judge that reads the change");
    let (report, _) = judged(rollouts(&[1]), known(&[&first, &rest, &changed], false), 2);
    assert_eq!(asked(&report)[0], (7, 29));
    let (report, _) = judged(rollouts(&[]), known(&[&first, &rest, &changed], false), 2);
    assert_eq!(asked(&report)[0], (8, 28), "the latest score is of another content");
}

#[test]
fn what_is_written_anew_is_the_same() {
    let (_, first) = judged(rollouts(&[]), AnsweredScores::default(), 1);
    let (report, again) = judged(rollouts(&[]), known(&[&first], true), 2);
    assert_eq!(asked(&report), [(7, 29), (0, 36), (0, 36)]);
    assert_eq!(timeless(&first), timeless(&again));
    let latencies = |rows: &RecordBatch| rows["latency_ms"].as_primitive::<Float64Type>().value(0);
    assert_eq!(latencies(&first), latencies(&again), "also how long it took then");
}

fn index(scores: &[&RecordBatch]) -> Arc<ScoreIndex> {
    let mut index = ScoreIndex::default();
    scores.iter().for_each(|rows| index.add(cut(rows, 3)).unwrap());
    Arc::new(index)
}

/// The column as stored scores give it.
fn joined(rows: RecordBatch, scores: Arc<ScoreIndex>, name: &str) -> ArrayRef {
    let source: Arc<dyn Source> = Arc::new(Slices { rows, slice_groups: 5, batch_rows: 4 });
    let source = readable(source, OnError::Fail, Rejected::default(), &Some(scores)).unwrap();
    let parts: Vec<ArrayRef> = (0..source.slices())
        .flat_map(|slice| source.read(slice, &[name.to_owned()]).unwrap())
        .map(|batch| batch.unwrap().column(0).clone())
        .collect();
    let parts: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
    arrow::compute::concat(&parts).unwrap()
}

#[test]
fn stored_scores_are_the_signals_that_live_judges_add() {
    let (_, scores) = judged(rollouts(&[]), AnsweredScores::default(), 1);
    let settings = [("passed.level".to_owned(), "turn.test".into())];
    let judges = Judges::new(make_judges(&NAMES, &settings).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let live = runtime.block_on(judges.judge(rollouts(&[]), &JudgeContext::default())).unwrap().rollouts;
    for name in ["numeric", "step_calculator", "turn_test_passed"] {
        let stored = joined(rollouts(&[]), index(&[&scores]), name);
        assert_eq!(&stored, &live[name], "{name}");
        assert!(stored.null_count() < stored.len(), "{name}");
    }
    assert_eq!(joined(rollouts(&[]), index(&[&scores]), "numeric").null_count(), 7);
}

#[test]
fn the_latest_score_counts_and_a_missing_one_is_null() {
    let (_, first) = judged(rollouts(&[]), AnsweredScores::default(), 1);
    let (_, later) = judged(rollouts(&[1, 2]), known(&[&first], false), 1);
    let both = joined(rollouts(&[1, 2]), index(&[&first, &later]), "numeric");
    let both: Vec<_> = both.as_primitive::<Float64Type>().iter().take(5).collect();
    assert_eq!(both, [Some(0.0), Some(0.0), Some(0.0), Some(1.0), None]);
    let only_later = joined(rollouts(&[1, 2]), index(&[&later]), "numeric");
    let only_later: Vec<_> = only_later.as_primitive::<Float64Type>().iter().take(5).collect();
    assert_eq!(only_later, [None, Some(0.0), Some(0.0), None, None]);
}

#[test]
fn recipes_read_stored_scores_by_name() {
    let (_, scores) = judged(rollouts(&[]), AnsweredScores::default(), 1);
    let advantages =
        |recipe: &str, bind: (&str, &str), rows: RecordBatch, scores: Option<Arc<ScoreIndex>>| {
            let sink = Kept::default();
            let recipe = RecipeSettings {
                recipe: *find(recipe).unwrap(),
                settings: vec![(bind.0.to_owned(), bind.1.into())],
            };
            let job = AssignJob {
                recipes: vec![recipe],
                source: Arc::new(Slices { rows, slice_groups: 5, batch_rows: 4 }),
                sink: Arc::new(sink.clone()),
                beside: Vec::new(),
                scores,
                on_error: OnError::Fail,
                rejected: Rejected::default(),
            };
            let report = assign(job, &RunOptions::workers(2)).unwrap();
            let schema = sink.0.lock().unwrap()[0].1.schema();
            (report.recipes[0].1.in_loss, format!("{:?}", sink.rows(schema)))
        };
    let judges = Judges::new(make_judges(&NAMES, &[]).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let live = runtime.block_on(judges.judge(rollouts(&[]), &JudgeContext::default())).unwrap().rollouts;
    for (recipe, bind) in
        [("dr_grpo", ("reward", "numeric")), ("step_reinforce", ("step_rewards", "step_calculator"))]
    {
        let stored = advantages(recipe, bind, rollouts(&[]), Some(index(&[&scores])));
        assert_eq!(stored, advantages(recipe, bind, live.clone(), None), "{recipe}");
        assert!(stored.0 > 0, "{recipe}");
    }
    assert_eq!(advantages("dr_grpo", ("reward", "numeric"), rollouts(&[]), Some(index(&[&scores]))).0, 29);
}
