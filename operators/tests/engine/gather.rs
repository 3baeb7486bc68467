//! Statistics passes and sharing, one after another in one program.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use meed_operators::Result;
use meed_operators::engine::{MakeObserver, Observer, Source, execute, gather};

use crate::toy::*;

/// Adds up the column `row`.
#[derive(Default)]
struct Sum {
    rows: u64,
    sum: i64,
}

impl Observer for Sum {
    fn observe(&mut self, unit: RecordBatch) -> Result<()> {
        let rows = unit.column_by_name("row").unwrap().as_primitive::<Int64Type>().clone();
        self.rows += rows.len() as u64;
        self.sum += rows.values().iter().sum::<i64>();
        Ok(())
    }
    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(format!("{} {}", self.rows, self.sum).into_bytes())
    }
}

fn sum(partials: &[Vec<u8>]) -> (u64, i64) {
    let mut total = (0, 0);
    for partial in partials {
        let text = std::str::from_utf8(partial).unwrap();
        let (rows, sum) = text.split_once(' ').unwrap();
        total.0 += rows.parse::<u64>().unwrap();
        total.1 += sum.parse::<i64>().unwrap();
    }
    total
}

#[test]
fn passes_and_a_run_follow_each_other_in_every_layout() {
    for (threads, count, timely) in LAYOUTS {
        let (source, sink) = (ToySource::new(17), ToySink::default());
        let run = run(&source, &sink, None);
        let results = processes(count, &options(threads, timely), |options| {
            let run = run.clone();
            let make: MakeObserver = Arc::new(|_| Ok(Box::new(Sum::default())));
            execute(&options, move |session| {
                let first = session.gather(&run.source, &run.columns, &make)?;
                let second = session.gather(&run.source, &run.columns, &make)?;
                assert_eq!(first, second);
                let report = session.run_stored(&run)?;
                Ok((session.index(), first, report.rows_out))
            })
            .unwrap()
        });
        let total = source.total() as i64;
        for (index, (worker, partials, rows)) in results.into_iter().flatten().enumerate() {
            assert_eq!(index, worker);
            assert_eq!(partials.len(), threads * count);
            assert_eq!(sum(&partials), (total as u64, total * (total - 1) / 2));
            assert_eq!(rows, total as u64);
        }
        assert_eq!(sink.table.lock().unwrap().rows.len(), source.total());
    }
}

#[test]
fn gather_alone_is_a_run() {
    let source: Arc<dyn Source> = Arc::new(ToySource::new(5));
    let make: MakeObserver = Arc::new(|_| Ok(Box::new(Sum::default())));
    let partials = gather(source.clone(), columns(), make, &options(2, &[])).unwrap();
    assert_eq!(sum(&partials).0, source.rows().unwrap());
}

/// Sums, but breaks at the end.
struct Broken;

impl Observer for Broken {
    fn observe(&mut self, _unit: RecordBatch) -> Result<()> {
        panic!("overflow")
    }
    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

#[test]
fn an_observer_that_breaks_ends_the_run() {
    let source: Arc<dyn Source> = Arc::new(ToySource::new(5));
    let make: MakeObserver = Arc::new(|worker| match worker {
        1 => Ok(Box::new(Broken)),
        _ => Ok(Box::new(Sum::default())),
    });
    let error = gather(source, columns(), make, &options(2, &[])).unwrap_err();
    assert_eq!(error.to_string(), "operator gather, epoch 1: panicked: overflow");
}

#[test]
fn shared_bytes_of_any_size_arrive_everywhere() {
    for (threads, count, timely) in LAYOUTS {
        let results = processes(count, &options(threads, timely), |options| {
            execute(&options, |session| {
                let mine = vec![session.index() as u8; session.index() * 5_000_000];
                let all = session.share(&mine)?;
                for (index, bytes) in all.iter().enumerate() {
                    assert_eq!(bytes.len(), index * 5_000_000);
                    assert!(bytes.iter().all(|byte| *byte == index as u8));
                }
                Ok(all.len())
            })
            .unwrap()
        });
        assert!(results.into_iter().flatten().all(|workers| workers == threads * count));
    }
}
