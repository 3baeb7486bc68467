//! Tables in memory that survive an attempt, with commits that can be made to fail.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use meed_operators::columns::Table;
use meed_operators::engine::{Committer, EpochWriter, Receipt, Sink, Tables};
use meed_operators::{Error, Result};

type Epochs = BTreeMap<u64, Vec<RecordBatch>>;

/// The rows of every table, as committed, by epoch.
#[derive(Clone, Default)]
pub struct Stored(Arc<Mutex<BTreeMap<Table, Epochs>>>);

impl Stored {
    /// Sinks for all tables. The commit of `updates` with this epoch fails.
    pub fn sink(&self, fails_at: Option<u64>) -> Arc<dyn Sink> {
        let order = [Table::Scores, Table::Nodes, Table::Rollouts, Table::Advantages, Table::Updates];
        let one = |table: Table| -> (Table, Arc<dyn Sink>) {
            let fails_at = fails_at.filter(|_| table == Table::Updates);
            (table, Arc::new(One { table, stored: self.clone(), fails_at }))
        };
        Arc::new(Tables::new(order.map(one).to_vec()).unwrap())
    }

    /// All rows of a table in order of epochs.
    pub fn rows(&self, table: Table) -> RecordBatch {
        let stored = self.0.lock().unwrap();
        let batches: Vec<RecordBatch> = stored[&table].values().flatten().cloned().collect();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    /// Rows of a table by epoch, from one on.
    pub fn from(&self, table: Table, epoch: u64) -> Epochs {
        let stored = self.0.lock().unwrap();
        stored
            .get(&table)
            .map(|epochs| epochs.range(epoch..).map(|(k, v)| (*k, v.clone())).collect())
            .unwrap_or_default()
    }
}

#[derive(Clone)]
struct One {
    table: Table,
    stored: Stored,
    fails_at: Option<u64>,
}

impl Sink for One {
    fn uri(&self) -> &str {
        self.table.name()
    }

    fn writer(&self, _worker: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(Writer { one: self.clone(), rows: Vec::new() }))
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(self.clone()))
    }
}

struct Writer {
    one: One,
    rows: Vec<RecordBatch>,
}

/// Files that wait for their commit.
static FILES: Mutex<Vec<(u64, Vec<RecordBatch>)>> = Mutex::new(Vec::new());

impl EpochWriter for Writer {
    fn write(&mut self, _epoch: u64, batch: RecordBatch) -> Result<()> {
        assert_eq!(meed_operators::engine::table_of(&batch), Some(self.one.table));
        self.rows.push(batch);
        Ok(())
    }

    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>> {
        let mut files = FILES.lock().unwrap();
        files.push((epoch, std::mem::take(&mut self.rows)));
        Ok(vec![(files.len() - 1).to_string()])
    }
}

impl Committer for One {
    fn resume_at(&mut self) -> Result<u64> {
        let stored = self.stored.0.lock().unwrap();
        Ok(stored.get(&self.table).and_then(|epochs| epochs.keys().last()).map_or(0, |last| last + 1))
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        if self.fails_at.is_some_and(|epoch| epochs.contains(&epoch)) {
            return Err(Error::external("committing", "the machine went down", "start it again"));
        }
        let mut stored = self.stored.0.lock().unwrap();
        let table = stored.entry(self.table).or_default();
        for receipt in receipts {
            let (epoch, rows) = FILES.lock().unwrap()[receipt.parse::<usize>().unwrap()].clone();
            // An epoch that an earlier attempt committed stays as it is.
            table.entry(epoch).or_insert(rows);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
