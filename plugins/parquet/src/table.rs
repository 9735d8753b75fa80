//! Tables in files: one partition each.

use std::sync::{Arc, Mutex};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, new_null_array},
    compute::cast,
    datatypes::{Field, Schema, SchemaRef},
};
use tiled_plugin_api::{
    author::{
        Adapter, Context, Error, ErrorKind, OpenRequest, Reader, Result, Source, TableRequest, TableStream,
        table_structure,
    },
    model::{Description, StructureFamily, TableStructure},
};
use tiled_tabular::{fit::decode_schema, pandas};

use crate::{
    arrow_file::ArrowFile,
    parquet_file::{Batches, ParquetFile},
    parts,
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
        pandas::with_bytes_kept(match self {
            File::Parquet(file) => file.schema(),
            File::Arrow(file) => file.schema(),
        })
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
    /// Not written yet when the table was opened: the server itself writes it.
    awaited: bool,
    /// The opened file, and the version of the source it was opened at.
    opened: Mutex<Option<(u64, Arc<File>)>>,
}

impl Partition {
    fn new(source: Source, known: bool) -> Self {
        let absent = |error: Error| error.kind == ErrorKind::NotFound;
        let awaited = known && source.version().err().is_some_and(absent);
        Partition { source, awaited, opened: Mutex::new(None) }
    }
}

/// A table of one or several files.
struct Table {
    partitions: Arc<Vec<Partition>>,
    open: Open,
    structure: TableStructure,
}

impl Table {
    fn open(request: OpenRequest, open: Open) -> Result<Self> {
        let known = request.structure.is_some();
        let sources = request.assets.iter().map(|asset| asset.source.clone());
        let partitions: Vec<Partition> = sources.map(|source| Partition::new(source, known)).collect();
        let structure = match request.structure {
            // The catalog knows: partitions may still have to be written.
            Some(known) => serde_json::from_value(known).map_err(Error::internal)?,
            None => {
                let first =
                    opened(&partitions, 0, open)?.ok_or_else(|| Error::internal("an awaited file"))?;
                table_structure(&first.schema(), partitions.len() as u64)?
            }
        };
        Ok(Table { partitions: partitions.into(), open, structure })
    }

    /// The schema of the first of these partitions that is written; of the table where none is.
    fn schema(&self, numbers: std::ops::Range<usize>) -> Result<SchemaRef> {
        for number in numbers {
            if let Some(file) = opened(&self.partitions, number, self.open)? {
                return Ok(file.schema());
            }
        }
        decode_schema(&self.structure.arrow_schema)
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

/// The file of a partition; `None` where it is yet to be written.
fn opened(partitions: &[Partition], number: usize, open: Open) -> Result<Option<Arc<File>>> {
    let partition =
        partitions.get(number).ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Partition out of range"))?;
    let version = match partition.source.version() {
        Err(error) if error.kind == ErrorKind::NotFound && partition.awaited => return Ok(None),
        version => version?,
    };
    let mut opened = partition.opened.lock().map_err(Error::internal)?;
    if let Some((_, file)) = opened.as_ref().filter(|(known, _)| *known == version) {
        return Ok(Some(file.clone()));
    }
    let file = Arc::new(open(&partition.source)?);
    *opened = Some((version, file.clone()));
    Ok(Some(file))
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
        let schema = self.schema(numbers.clone())?;
        let places = self.places(&schema, request.columns.as_deref())?;
        let schema: SchemaRef = Arc::new(schema.project(&places).map_err(Error::internal)?);
        // Files of one table may differ in what may be missing.
        let schema = if numbers.len() > 1 { nullable(&schema) } else { schema };
        let (partitions, open, wanted) = (self.partitions.clone(), self.open, schema.clone());
        Ok(parts::stream(cx, numbers, schema, move |number| match opened(&partitions, number, open)? {
            None => Ok(Box::new(std::iter::empty())),
            Some(file) => rows(&file, &wanted).map_err(|error| error.within(format!("Partition {number}"))),
        }))
    }
}

fn nullable(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The rows of a file in the columns and types of `schema`. An index that another file of the table has as a column, and
/// this one as a range, is counted.
fn rows(file: &File, schema: &SchemaRef) -> Result<Batches> {
    let found = file.schema();
    let index = pandas::index_columns(schema);
    let (mut places, mut sources) = (Vec::new(), Vec::new());
    for field in schema.fields() {
        match found.index_of(field.name()) {
            Ok(place) => {
                sources.push(Some(places.len()));
                places.push(place);
            }
            Err(_) if index.contains(field.name()) => sources.push(None),
            Err(_) => return Err(Error::invalid_data(format!("It has no column {}", field.name()))),
        }
    }
    let (schema, range) = (schema.clone(), pandas::range_index(&found));
    let mut next = range.map_or(0, |(start, _)| start);
    let batches = file.read(&places)?.map(move |batch| {
        let batch = batch?;
        let count = i64::try_from(batch.num_rows()).map_err(Error::internal)?;
        let step = range.map_or(1, |(_, step)| step);
        let counted = |field: &Field| -> Result<ArrayRef> {
            if range.is_none() || !field.data_type().is_integer() {
                return Ok(new_null_array(field.data_type(), batch.num_rows()));
            }
            let values = (0..count).map(|row| next.wrapping_add(row.wrapping_mul(step)));
            let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
            cast(&values, field.data_type()).map_err(Error::from_arrow)
        };
        let column = |(field, source): (&Arc<Field>, &Option<usize>)| match source {
            None => counted(field),
            Some(place) if batch.column(*place).data_type() == field.data_type() => {
                Ok(batch.column(*place).clone())
            }
            Some(place) => cast(batch.column(*place), field.data_type()).map_err(Error::from_arrow),
        };
        let columns = schema.fields().iter().zip(&sources).map(column).collect::<Result<Vec<_>>>()?;
        next = next.wrapping_add(count.wrapping_mul(step));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(Error::from_arrow)
    });
    Ok(Box::new(batches))
}
