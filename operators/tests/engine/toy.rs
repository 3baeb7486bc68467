//! A source and a sink in memory, and ways to run on threads and processes.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Float32Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{Float32Type, Int64Type, SchemaRef};
use meed_operators::engine::{
    Batches, Committer, EpochWriter, Receipt, RunOptions, Sink, Source, Stage, StoredRun,
};
use meed_operators::{Error, Result};

/// Sizes of the groups of every slice, and rows per batch.
#[derive(Clone)]
pub struct ToySource {
    pub slices: Vec<Vec<usize>>,
    pub batch: usize,
    /// Values per list.
    pub tokens: usize,
}

impl ToySource {
    /// Slices with groups of varying sizes, some without rows.
    pub fn new(slices: usize) -> Self {
        let groups = |slice: usize| match slice % 5 {
            3 => Vec::new(),
            kind => (0..10 + slice % 7).map(|group| 1 + (group * 7 + kind) % 6).collect(),
        };
        ToySource { slices: (0..slices).map(groups).collect(), batch: 7, tokens: 3 }
    }

    pub fn total(&self) -> usize {
        self.slices.iter().flatten().sum()
    }

    fn slice(&self, slice: usize) -> RecordBatch {
        let mut groups = Vec::new();
        for (group, size) in self.slices[slice].iter().enumerate() {
            groups.extend(vec![format!("s{slice}g{group}"); *size]);
        }
        let before: usize = self.slices[..slice].iter().flatten().sum();
        let ids = (before as i64)..(before + groups.len()) as i64;
        let lists = ids.clone().map(|id| Some(vec![Some(id as f32); self.tokens]));
        let columns: [(&str, ArrayRef); 4] = [
            ("iteration", Arc::new(Int64Array::from(vec![0; groups.len()]))),
            ("group_id", Arc::new(StringArray::from(groups))),
            ("row", Arc::new(Int64Array::from_iter_values(ids))),
            ("token_values", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }
}

pub fn columns() -> Vec<String> {
    ["iteration", "group_id", "row", "token_values"].map(str::to_owned).to_vec()
}

impl Source for ToySource {
    fn uri(&self) -> &str {
        "toy"
    }
    fn fingerprint(&self) -> String {
        "toy".to_owned()
    }
    fn schema(&self) -> SchemaRef {
        self.slice(0).schema()
    }
    fn rows(&self) -> Option<u64> {
        Some(self.total() as u64)
    }
    fn slices(&self) -> u64 {
        self.slices.len() as u64
    }
    fn read(&self, slice: u64, _columns: &[String]) -> Result<Batches> {
        let (rows, size) = (self.slice(slice as usize), self.batch);
        let starts = (0..rows.num_rows()).step_by(size);
        Ok(Box::new(starts.map(move |from| Ok(rows.slice(from, size.min(rows.num_rows() - from))))))
    }
}

/// What is written and what is visible.
#[derive(Default)]
pub struct Table {
    files: BTreeMap<String, Vec<RecordBatch>>,
    next_file: usize,
    pub rows: Vec<i64>,
    pub sizes: Vec<i64>,
    pub commits: Vec<RangeInclusive<u64>>,
    pub finished: usize,
}

/// A table in memory; clones are the same table.
#[derive(Clone, Default)]
pub struct ToySink {
    pub table: Arc<Mutex<Table>>,
    pub commit_fails_at: Option<u64>,
    pub write_fails_at: Option<u64>,
}

impl Sink for ToySink {
    fn uri(&self) -> &str {
        "memory"
    }
    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(ToyWriter { sink: self.clone(), worker, open: None }))
    }
    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(self.clone()))
    }
}

struct ToyWriter {
    sink: ToySink,
    worker: usize,
    open: Option<(u64, Vec<RecordBatch>)>,
}

impl EpochWriter for ToyWriter {
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        if self.sink.write_fails_at == Some(epoch) {
            return Err(Error::external("writing toy", "disk full", "free some space"));
        }
        let (open, batches) = self.open.get_or_insert((epoch, Vec::new()));
        assert_eq!(*open, epoch, "one epoch at a time");
        batches.push(batch);
        Ok(())
    }
    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>> {
        let Some((open, batches)) = self.open.take() else {
            return Ok(Vec::new());
        };
        assert_eq!(open, epoch);
        let mut table = self.sink.table.lock().unwrap();
        table.next_file += 1;
        let name = format!("{epoch}/{}/{}", self.worker, table.next_file);
        table.files.insert(name.clone(), batches);
        Ok(vec![name])
    }
}

impl Committer for ToySink {
    fn resume_at(&mut self) -> Result<u64> {
        let table = self.table.lock().unwrap();
        Ok(table.commits.last().map_or(0, |range| range.end() + 1))
    }
    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        if self.commit_fails_at.is_some_and(|epoch| epochs.contains(&epoch)) {
            return Err(Error::external("committing toy", "somebody else did", "look who"));
        }
        let mut table = self.table.lock().unwrap();
        for receipt in receipts {
            let epoch: u64 = receipt.split('/').next().unwrap().parse().unwrap();
            assert!(epochs.contains(&epoch), "{receipt} in {epochs:?}");
            for batch in table.files.remove(&receipt).expect("a file is committed once") {
                let rows = batch.column_by_name("row").unwrap();
                table.rows.extend(rows.as_primitive::<Int64Type>().values());
                let sizes = batch.column_by_name("size").unwrap();
                table.sizes.extend(sizes.as_primitive::<Int64Type>().values());
            }
        }
        table.commits.push(epochs);
        Ok(())
    }
    fn finish(&mut self) -> Result<()> {
        self.table.lock().unwrap().finished += 1;
        Ok(())
    }
}

/// How the toy stage fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    Error,
    Panic,
    Abort,
}

/// Adds the size of its group to every row.
pub struct GroupSizes {
    pub trouble: Option<(u64, Trouble)>,
    pub pause: Duration,
}

impl Stage for GroupSizes {
    fn name(&self) -> &str {
        "group_sizes"
    }
    fn apply(&mut self, epoch: u64, unit: RecordBatch) -> Result<Vec<RecordBatch>> {
        std::thread::sleep(self.pause);
        match self.trouble {
            Some((at, Trouble::Error)) if at == epoch => {
                return Err(Error::usage("the stage broke", "mend it"));
            }
            Some((at, Trouble::Panic)) if at == epoch => panic!("the stage broke"),
            Some((at, Trouble::Abort)) if at == epoch => std::process::abort(),
            _ => {}
        }
        let groups = unit.column_by_name("group_id").unwrap().as_string::<i32>();
        let mut counts = BTreeMap::new();
        groups.iter().flatten().for_each(|group| *counts.entry(group).or_insert(0) += 1);
        let sizes = groups.iter().flatten().map(|group| counts[group]);
        let row = unit.column_by_name("row").unwrap().clone();
        let zeros = Float32Array::from(vec![0.0; unit.num_rows()]);
        Ok(vec![RecordBatch::try_from_iter([
            ("row", row),
            ("size", Arc::new(Int64Array::from_iter_values(sizes)) as ArrayRef),
            ("zero", Arc::new(zeros)),
        ])?])
    }
}

/// A run of the toys; trouble strikes in slice `at` whoever works on it.
pub fn run(source: &ToySource, sink: &ToySink, trouble: Option<(u64, Trouble)>) -> StoredRun {
    StoredRun {
        source: Arc::new(source.clone()),
        columns: columns(),
        stage: Arc::new(move |_| Ok(Box::new(GroupSizes { trouble, pause: Duration::ZERO }))),
        sink: Arc::new(sink.clone()),
    }
}

/// Options of one process of several on this machine.
pub fn process(options: &RunOptions, hosts: &str, process: usize, processes: usize) -> RunOptions {
    let mut options = options.clone();
    let more = ["-n", &processes.to_string(), "-p", &process.to_string(), "-h", hosts];
    options.timely.extend(more.map(str::to_owned));
    options.connect_within = Duration::from_secs(60);
    options
}

/// A host file with free ports; it lies in the folder for temporary files.
pub fn hosts(processes: usize) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("meed-hosts-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    let held: Vec<TcpListener> = (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    for listener in &held {
        writeln!(file, "{}", listener.local_addr().unwrap()).unwrap();
    }
    path.to_string_lossy().into_owned()
}

/// Calls `body` as each of the processes; they are threads here, connected by sockets.
pub fn processes<T: Send>(
    count: usize,
    options: &RunOptions,
    body: impl Fn(RunOptions) -> T + Sync,
) -> Vec<T> {
    if count == 1 {
        return vec![body(options.clone())];
    }
    let hosts = hosts(count);
    let results = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..count)
            .map(|index| {
                let options = process(options, &hosts, index, count);
                let body = &body;
                scope.spawn(move || body(options))
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    std::fs::remove_file(hosts).unwrap();
    results
}

/// Threads per process, processes, and timely's further options.
pub const LAYOUTS: [(usize, usize, &[&str]); 7] =
    [(1, 1, &[]), (2, 1, &[]), (4, 1, &[]), (2, 1, &["-z"]), (1, 2, &[]), (2, 2, &["-z"]), (1, 3, &[])];

pub fn options(threads: usize, timely: &[&str]) -> RunOptions {
    RunOptions {
        timely: timely.iter().map(|text| text.to_string()).collect(),
        ..RunOptions::workers(threads)
    }
}
