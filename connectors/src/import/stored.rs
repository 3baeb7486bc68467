//! Rows that have meed's columns already: typed, tokenised, completed and checked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use meed_operators::columns::{
    DuplicateCheck, Rejection, Role, Table, complete, conform, list_of, role, summarize, validate,
    with_columns,
};
use meed_operators::engine::Batches;
use meed_operators::{Error, Place, Result};

use super::ImportOptions;
use super::add_tokens::add_tokens;
use super::imported::{Imported, ReportHandle};
use crate::read::{ReadOptions, read_batches_with};
use crate::rejects::OnError;
use crate::store::{Format, Location};

/// Files read ahead of their turn for their schema stay open if there are no more than this.
const KEPT_OPEN: usize = 16;

/// Reads files of one format, in order. The columns are those of all files together; a column that
/// a file does not have is null in its rows. Rows stay in the order of the files.
pub(super) fn import(inputs: &[Location], format: Format, options: &ImportOptions) -> Result<Imported> {
    let report = ReportHandle::new(options);
    let reader = Reader { format, options: options.clone(), report: report.clone() };
    let mut fields: Vec<Field> = Vec::new();
    let mut files = VecDeque::new();
    for input in inputs {
        let (schema, batches) = reader.open(input)?;
        // What happens to an empty batch is what happens to the columns of every batch.
        let schema = reader.prepare(RecordBatch::new_empty(schema), input.uri())?.schema();
        merge(&mut fields, &schema, input.uri())?;
        files.push_back((input.clone(), (inputs.len() <= KEPT_OPEN).then_some(batches)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    note_columns_without_rule(&schema, &report);
    Ok(Imported {
        schema: schema.clone(),
        report,
        batches: Box::new(StoredRows {
            reader,
            schema,
            files,
            current: None,
            duplicates: DuplicateCheck::new(),
            ended: false,
        }),
    })
}

struct Reader {
    format: Format,
    options: ImportOptions,
    report: ReportHandle,
}

impl Reader {
    fn open(&self, input: &Location) -> Result<(SchemaRef, Batches)> {
        let options = ReadOptions {
            table: Table::Rollouts,
            batch_rows: self.options.batch_rows,
            on_error: self.options.on_error,
            rejects: self.options.rejects.clone(),
        };
        read_batches_with(input, self.format, &options)
    }

    /// The rows in meed's types, with tokens and with everything that files may leave out.
    fn prepare(&self, batch: RecordBatch, file: &str) -> Result<RecordBatch> {
        let mut batch = conform(batch, file)?;
        if batch.column_by_name("iteration").is_none() {
            let iteration = Int64Array::from_value(self.options.iteration, batch.num_rows());
            batch = with_column(batch, "iteration", Arc::new(iteration))?;
        }
        let batch = add_tokens(batch, file, &self.options.tokenizer, &self.report)?;
        complete(batch, file)
    }
}

struct StoredRows {
    reader: Reader,
    schema: SchemaRef,
    files: VecDeque<(Location, Option<Batches>)>,
    /// The file that is being read: name, rows before the next batch, batches.
    current: Option<(String, u64, Batches)>,
    duplicates: DuplicateCheck,
    ended: bool,
}

impl StoredRows {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some((file, row, batches)) = &mut self.current else {
                let Some((input, batches)) = self.files.pop_front() else {
                    return Ok(None);
                };
                let batches = match batches {
                    Some(batches) => batches,
                    None => self.reader.open(&input)?.1,
                };
                self.current = Some((input.uri().to_owned(), 0, batches));
                continue;
            };
            let Some(batch) = batches.next() else {
                self.current = None;
                continue;
            };
            let batch = self.reader.prepare(batch?, file)?;
            let first_row = *row;
            *row += batch.num_rows() as u64;
            let mut bad = validate(&batch, file, first_row)?;
            bad.extend(self.duplicates.check(&batch, file, first_row));
            let batch = self.without(bad, batch, first_row)?;
            if batch.num_rows() > 0 {
                self.reader.report.delivered(batch.num_rows());
                return aligned(batch, &self.schema).map(Some);
            }
        }
    }

    /// The batch without its bad rows, each of which is set aside once.
    fn without(&self, bad: Vec<Rejection>, batch: RecordBatch, first: u64) -> Result<RecordBatch> {
        if bad.is_empty() {
            return Ok(batch);
        }
        let options = &self.reader.options;
        let mut rows: BTreeMap<u64, Rejection> = BTreeMap::new();
        for rejection in bad {
            rows.entry(rejection.row).or_insert(rejection);
        }
        let rows: Vec<Rejection> = rows.into_values().collect();
        if options.on_error == OnError::Fail
            && let Some(error) = summarize(&rows)
        {
            return Err(error);
        }
        let mut keep = vec![true; batch.num_rows()];
        for rejection in rows {
            keep[(rejection.row - first) as usize] = false;
            self.reader.report.reject(rejection.error.into(), options)?;
        }
        Ok(filter_record_batch(&batch, &BooleanArray::from(keep))?)
    }
}

impl Iterator for StoredRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.advance();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// Adds the columns of one more file. Integers give way to floats.
fn merge(fields: &mut Vec<Field>, schema: &Schema, file: &str) -> Result<()> {
    for field in schema.fields() {
        let name = field.name();
        let defined = Table::Rollouts.column(name);
        let nullable = defined.is_none_or(|column| column.nullable);
        let Some(known) = fields.iter_mut().find(|known| known.name() == name) else {
            fields.push(Field::new(name, field.data_type().clone(), nullable));
            continue;
        };
        let common = common_type(known.data_type(), field.data_type()).ok_or_else(|| {
            Error::data(
                Place::file(file).column(name),
                format!("{} here, {} in a file before it", field.data_type(), known.data_type()),
                "import the files into different datasets, or give the column one type",
            )
        })?;
        known.set_data_type(common);
    }
    Ok(())
}

/// The type that holds the values of both without loss of kind.
fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (DataType::List(a), DataType::List(b)) => common_type(a.data_type(), b.data_type()).map(list_of),
        (DataType::Int32, DataType::Int64) | (DataType::Int64, DataType::Int32) => Some(DataType::Int64),
        (a, b) if a.is_numeric() && b.is_numeric() => Some(DataType::Float64),
        _ => None,
    }
}

/// The batch with the columns of this schema.
fn aligned(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
        Some(column) => Ok(cast(column, field.data_type())?),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

fn note_columns_without_rule(schema: &Schema, report: &ReportHandle) {
    for field in schema.fields() {
        let known = Table::Rollouts.column(field.name()).is_some();
        if !known && role(field.name(), field.data_type()) == Role::Other {
            report.unmapped(&format!("column `{}`, kept but no signal", field.name()));
        }
    }
}

/// The batch with one more column.
pub(super) fn with_column(batch: RecordBatch, name: &str, column: Arc<dyn Array>) -> Result<RecordBatch> {
    let field = Field::new(name, column.data_type().clone(), true);
    with_columns(batch, [(field, column)])
}
