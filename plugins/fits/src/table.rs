//! The table of an HDU: its schema, its partitions, and rows in batches.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, RecordBatchOptions},
    datatypes::{Field, Schema, SchemaRef},
};
use tiled_plugin_api::prelude::{
    Context, Error, ErrorKind, Result, Source, TableRequest, TableStream, TableStructure,
};

use crate::{
    ascii,
    column::{self, Part},
    form::{self, Column},
    hdu::{Hdu, Kind},
    header::Header,
    variable,
};

/// A partition has about so many bytes of rows.
const PARTITION_BYTES: u64 = 64 << 20;
/// Rows are read in batches of so many bytes.
const BATCH_BYTES: u64 = 4 << 20;
/// More bytes of a row do not fit into memory well.
const MAX_ROW_BYTES: u64 = 256 << 20;

#[derive(Debug)]
enum Cells {
    Binary(Column, Part),
    Text(ascii::Field),
}

/// A table.
#[derive(Debug)]
pub struct Table {
    cells: Vec<(String, Cells)>,
    rows: u64,
    row_bytes: u64,
    data_at: u64,
    /// Where the heap begins, and its bytes.
    heap: (u64, u64),
    rows_each: u64,
}

impl Table {
    /// What a header says of its table, in a file of `len` bytes.
    ///
    /// # Errors
    /// `InvalidData` where that does not fit together or into the file; `TooLarge`.
    pub fn of(header: &Header, hdu: &Hdu, len: u64) -> Result<Self> {
        let (row_bytes, rows) = (header.size("NAXIS1")?, header.size("NAXIS2")?);
        let bytes = row_bytes.checked_mul(rows).filter(|n| *n <= hdu.data.1);
        let end = hdu.data.0.checked_add(hdu.data.1).filter(|end| *end <= len);
        let (Some(bytes), Some(_)) = (bytes, end) else {
            let message = format!("the file is truncated: {len} bytes are too few for {rows} rows");
            return Err(Error::invalid_data(message));
        };
        if row_bytes > MAX_ROW_BYTES {
            let message = format!("a row of {row_bytes} bytes is larger than {MAX_ROW_BYTES}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        if row_bytes == 0 && rows > 0 {
            return Err(Error::invalid_data(format!("it has {rows} rows of no bytes")));
        }
        let heap_at = header.size_or("THEAP", bytes)?;
        let heap_len = hdu.data.1.checked_sub(heap_at);
        let heap_len = heap_len.ok_or_else(|| Error::invalid_data("THEAP lies behind the data"))?;
        let in_heap = heap_len / rows.max(1);
        let rows_each = (PARTITION_BYTES / row_bytes.saturating_add(in_heap).max(1)).max(1);
        let cells = cells(header, hdu.kind)?;
        let heap = (hdu.data.0 + heap_at, heap_len);
        Ok(Table { cells, rows, row_bytes, data_at: hdu.data.0, heap, rows_each })
    }

    fn partitions(&self) -> u64 {
        self.rows.div_ceil(self.rows_each).max(1)
    }

    fn schema(&self, chosen: &[usize]) -> SchemaRef {
        let field = |(name, cells): &(String, Cells)| Field::new(name, cells.data_type(), true);
        let fields: Vec<Field> = chosen.iter().filter_map(|at| self.cells.get(*at)).map(field).collect();
        Arc::new(Schema::new(fields))
    }

    /// The structure.
    ///
    /// # Errors
    /// `Internal` where the schema cannot be written.
    pub fn structure(&self) -> Result<TableStructure> {
        let all: Vec<usize> = (0..self.cells.len()).collect();
        tiled_plugin_api::author::table_structure(&self.schema(&all), self.partitions())
    }

    /// Rows of a partition, or of all.
    ///
    /// # Errors
    /// `NotFound` for unknown columns, `OutOfBounds` for unknown partitions.
    pub fn read(
        self: Arc<Self>,
        cx: &Context,
        source: Source,
        request: &TableRequest,
    ) -> Result<TableStream> {
        let place = |name: &String| {
            let found = self.cells.iter().position(|(known, _)| known == name);
            found.ok_or_else(|| Error::not_found(format!("No such field {name}")))
        };
        let chosen: Vec<usize> = match &request.columns {
            Some(names) => names.iter().map(place).collect::<Result<_>>()?,
            None => (0..self.cells.len()).collect(),
        };
        let (from, to) = match request.partition {
            None => (0, self.rows),
            Some(n) if n < self.partitions() => {
                let from = n.saturating_mul(self.rows_each);
                (from, from.saturating_add(self.rows_each).min(self.rows))
            }
            Some(_) => return Err(Error::new(ErrorKind::OutOfBounds, "Partition out of range")),
        };
        let schema = self.schema(&chosen);
        let count = (BATCH_BYTES / self.row_bytes.max(1)).max(1);
        let name = source.name();
        let batches = Batches {
            table: self,
            cx: cx.clone(),
            source,
            schema: schema.clone(),
            chosen,
            at: from,
            to,
            count,
        };
        let named = move |batch: Result<RecordBatch>| batch.map_err(|e: Error| e.within(&name));
        Ok(TableStream::from_batches(schema, batches.map(named)))
    }
}

fn cells(header: &Header, kind: Kind) -> Result<Vec<(String, Cells)>> {
    let mut cells: Vec<(String, Cells)> = Vec::new();
    if kind == Kind::Ascii {
        cells
            .extend(ascii::fields(header)?.into_iter().map(|field| (field.name.clone(), Cells::Text(field))));
    } else {
        // Columns of no bytes have no values.
        for column in form::columns(header)?.into_iter().filter(|column| column.repeat > 0) {
            let name = column.name.clone();
            if matches!(column.code, b'C' | b'M') {
                cells.push((format!("{name}.real"), Cells::Binary(column.clone(), Part::Real)));
                cells.push((format!("{name}.imag"), Cells::Binary(column, Part::Imag)));
            } else {
                cells.push((name, Cells::Binary(column, Part::Whole)));
            }
        }
    }
    let named = |(number, (name, _)): (usize, &(String, Cells))| {
        if name.is_empty() { format!("col{}", number + 1) } else { name.clone() }
    };
    let names = tiled_tabular::names::unique(cells.iter().enumerate().map(named).collect());
    Ok(names.into_iter().zip(cells).map(|(name, (_, cells))| (name, cells)).collect())
}

impl Cells {
    fn data_type(&self) -> arrow::datatypes::DataType {
        match self {
            Cells::Text(field) => field.data_type(),
            Cells::Binary(column, _) if column.descriptor.is_some() => variable::row_type(column),
            Cells::Binary(column, _) => column::row_type(column),
        }
    }
}

struct Batches {
    table: Arc<Table>,
    cx: Context,
    source: Source,
    schema: SchemaRef,
    chosen: Vec<usize>,
    at: u64,
    to: u64,
    count: u64,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.to {
            return None;
        }
        let batch = self.batch();
        if batch.is_err() {
            self.at = self.to;
        }
        Some(batch)
    }
}

impl Batches {
    fn batch(&mut self) -> Result<RecordBatch> {
        self.cx.check()?;
        let mut count = self.count.min(self.to - self.at);
        let row_bytes = self.table.row_bytes as usize;
        let mut bytes = vec![0; row_bytes * count as usize];
        self.source.read_exact_at(self.table.data_at + self.at * self.table.row_bytes, &mut bytes)?;
        // Rows whose values in the heap are large go in smaller batches.
        while count > 1 && self.heap_bytes(&bytes)? > variable::MAX_BATCH_BYTES {
            count /= 2;
            bytes.truncate(row_bytes * count as usize);
        }
        let arrays = self.chosen.iter().map(|at| self.array(*at, &bytes, count as usize));
        let arrays: Vec<ArrayRef> = arrays.collect::<Result<_>>()?;
        self.at += count;
        let options = RecordBatchOptions::new().with_row_count(Some(count as usize));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(Error::from_arrow)
    }

    fn variable(&self, at: usize) -> Option<(&str, &Column, Part)> {
        match self.table.cells.get(at)? {
            (name, Cells::Binary(column, part)) if column.descriptor.is_some() => Some((name, column, *part)),
            _ => None,
        }
    }

    fn heap_bytes(&self, bytes: &[u8]) -> Result<u64> {
        let columns = self.chosen.iter().filter_map(|at| self.variable(*at));
        columns.map(|(name, column, _)| Ok(variable::size(&self.places(name, column, bytes)?))).sum()
    }

    fn places(&self, name: &str, column: &Column, bytes: &[u8]) -> Result<Vec<variable::Place>> {
        let own = own_bytes(column, bytes, self.table.row_bytes as usize);
        variable::places(column, &own, self.table.heap.1)
            .map_err(|e| e.within(format_args!("column {name}, rows from {}", self.at)))
    }

    fn array(&self, at: usize, bytes: &[u8], count: usize) -> Result<ArrayRef> {
        let row_bytes = self.table.row_bytes as usize;
        if let Some((name, column, part)) = self.variable(at) {
            let places = self.places(name, column, bytes)?;
            return variable::rows(column, part, &self.source, self.table.heap.0, &places);
        }
        match self.table.cells.get(at) {
            Some((_, Cells::Text(field))) => field.rows(bytes, row_bytes, self.at),
            Some((_, Cells::Binary(column, part))) => {
                column::rows(column, *part, &own_bytes(column, bytes, row_bytes), count)
            }
            None => Err(Error::internal("no such column")),
        }
    }
}

/// The bytes of one column out of whole rows.
fn own_bytes(column: &Column, bytes: &[u8], row_bytes: usize) -> Vec<u8> {
    let (start, width) = (column.offset as usize, column.width() as usize);
    let mut own = Vec::with_capacity(bytes.len() / row_bytes.max(1) * width);
    for row in bytes.chunks_exact(row_bytes.max(1)) {
        own.extend_from_slice(row.get(start..start + width).unwrap_or_default());
    }
    own
}
