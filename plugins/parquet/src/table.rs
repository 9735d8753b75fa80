//! Tables in files: one partition each.

use std::sync::{Arc, Mutex};

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchReader},
    compute::cast,
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
        table_structure,
    },
    model::{Description, StructureFamily, TableStructure},
};
use tiled_tabular::pandas;

use crate::{
    arrow_file::ArrowFile,
    parquet_file::{Batches, ParquetFile},
};

/// Opens Parquet files.
pub struct ParquetReader;

/// Opens Arrow IPC files and streams, which are also called Feather.
pub struct ArrowReader;

impl Reader for ParquetReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(b"PAR1") { 90 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(Table::open(request, |source| Ok(File::Parquet(ParquetFile::open(source)?)))?))
    }
}

impl Reader for ArrowReader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        if head.starts_with(b"ARROW1") || head.starts_with(b"FEA1") { 90 } else { 0 }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(Table::open(request, |source| Ok(File::Arrow(ArrowFile::open(source)?)))?))
    }
}

/// A file of either kind.
enum File {
    Parquet(ParquetFile),
    Arrow(ArrowFile),
}

impl File {
    fn schema(&self) -> SchemaRef {
        match self {
            File::Parquet(file) => file.schema(),
            File::Arrow(file) => file.schema(),
        }
    }

    fn read(&self, columns: &[usize]) -> Result<Batches> {
        match self {
            File::Parquet(file) => file.read(columns),
            File::Arrow(file) => file.read(columns),
        }
    }
}

type Open = fn(&Source) -> Result<File>;

struct Partition {
    source: Source,
    /// The opened file, and the version of the source it was opened at.
    opened: Mutex<Option<(u64, Arc<File>)>>,
}

/// A table of one or several files.
struct Table {
    partitions: Arc<Vec<Partition>>,
    open: Open,
    structure: TableStructure,
}

impl Table {
    fn open(request: OpenRequest, open: Open) -> Result<Self> {
        let sources = request.assets.iter().map(|asset| asset.source.clone());
        let partitions: Vec<Partition> =
            sources.map(|source| Partition { source, opened: Mutex::new(None) }).collect();
        let mut table = Table { partitions: partitions.into(), open, structure: empty_structure() };
        table.structure = match request.structure {
            // The catalog knows: partitions may still have to be written.
            Some(known) => serde_json::from_value(known).map_err(Error::internal)?,
            None => table_structure(&table.file(0)?.schema(), table.partitions.len() as u64)?,
        };
        Ok(table)
    }

    fn file(&self, partition: usize) -> Result<Arc<File>> {
        opened(&self.partitions, partition, self.open)
    }

    /// Places of the columns asked for, then those of the index.
    fn places(&self, schema: &Schema, columns: Option<&[String]>) -> Result<Vec<usize>> {
        let Some(columns) = columns else { return Ok((0..schema.fields().len()).collect()) };
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| Error::not_found(format!("No such field {name}")))
        };
        let mut places: Vec<usize> = columns.iter().map(place).collect::<Result<_>>()?;
        for name in pandas::index_columns(schema) {
            if !columns.contains(&name) {
                places.extend(schema.index_of(&name));
            }
        }
        Ok(places)
    }
}

fn empty_structure() -> TableStructure {
    TableStructure { arrow_schema: String::new(), npartitions: 1, columns: vec![], resizable: false }
}

fn opened(partitions: &[Partition], number: usize, open: Open) -> Result<Arc<File>> {
    let partition =
        partitions.get(number).ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Partition out of range"))?;
    let version = partition.source.version().map_err(|error| unstored(error, number))?;
    let mut opened = partition.opened.lock().map_err(Error::internal)?;
    if let Some((_, file)) = opened.as_ref().filter(|(known, _)| *known == version) {
        return Ok(file.clone());
    }
    let file = Arc::new(open(&partition.source).map_err(|error| unstored(error, number))?);
    *opened = Some((version, file.clone()));
    Ok(file)
}

fn unstored(error: Error, partition: usize) -> Error {
    if error.kind != ErrorKind::NotFound {
        return error;
    }
    Error::not_found(format!("Partition {partition} has not been stored yet")).with_detail(error)
}

impl Adapter for Table {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Table, &self.structure)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        let numbers = match request.partition {
            Some(number) => {
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                number..number.saturating_add(1)
            }
            None => 0..self.partitions.len(),
        };
        let first = self.file(numbers.start)?;
        let places = self.places(&first.schema(), request.columns.as_deref())?;
        let schema: SchemaRef = Arc::new(first.schema().project(&places).map_err(Error::internal)?);
        // Files of one table may differ in what may be missing.
        let schema = if numbers.len() > 1 { nullable(&schema) } else { schema };
        let (partitions, open) = (self.partitions.clone(), self.open);
        let rest = Rest { cx: cx.clone(), partitions, open, numbers, schema: schema.clone(), current: None };
        Ok(TableStream::from_reader(Box::new(rest)))
    }
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Partition after partition, all with one schema.
struct Rest {
    cx: Context,
    partitions: Arc<Vec<Partition>>,
    open: Open,
    numbers: std::ops::Range<usize>,
    schema: SchemaRef,
    current: Option<Batches>,
}

impl Rest {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.cx.check()?;
            if let Some(batches) = &mut self.current {
                match batches.next().transpose()? {
                    Some(batch) => return conform(batch, &self.schema).map(Some),
                    None => self.current = None,
                }
            }
            let Some(number) = self.numbers.next() else { return Ok(None) };
            let file = opened(&self.partitions, number, self.open)?;
            let found = file.schema();
            let places = self.schema.fields().iter().map(|field| {
                found.index_of(field.name()).map_err(|_| {
                    Error::invalid_data(format!("Partition {number} has no column {}", field.name()))
                })
            });
            self.current = Some(file.read(&places.collect::<Result<Vec<_>>>()?)?);
        }
    }
}

impl Iterator for Rest {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            (self.numbers, self.current) = (0..0, None);
        }
        step.map_err(Error::into_arrow).transpose()
    }
}

impl RecordBatchReader for Rest {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

/// The same rows with the types of `schema`, column by column.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let pairs = batch.columns().iter().zip(schema.fields());
    let column = |(column, field): (&ArrayRef, &Arc<Field>)| {
        if column.data_type() == field.data_type() {
            Ok(column.clone())
        } else {
            cast(column, field.data_type())
        }
    };
    let columns: Vec<ArrayRef> = pairs.map(column).collect::<Result<_, _>>().map_err(Error::from_arrow)?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(Error::from_arrow)
}
