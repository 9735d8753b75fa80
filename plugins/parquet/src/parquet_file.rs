//! One Parquet file: its schema, and some of its columns as record batches.

use std::io::{BufReader, Read, Seek, SeekFrom};

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    datatypes::SchemaRef,
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    basic::Compression,
    errors::ParquetError,
    file::{
        metadata::ParquetMetaDataReader,
        reader::{ChunkReader, Length},
    },
};
use tiled_plugin_api::author::{Error, ErrorKind, Result, Source};
use tiled_tabular::guard::guarded;

use crate::old_lists;

/// Aim of a batch's size.
const BATCH_BYTES: u64 = 8 << 20;
/// Bounds of a batch's rows.
const BATCH_ROWS: std::ops::RangeInclusive<u64> = 1024..=65_536;

/// Batches of one file, lazily read.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// A source as the parquet crate wants it. Ranges beyond the file are refused before anything is allocated.
struct Chunks {
    source: Source,
    len: u64,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let mut cursor = self.source.cursor();
        cursor.seek(SeekFrom::Start(start))?;
        Ok(Box::new(BufReader::new(cursor)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            let message = format!("{length} bytes wanted at {start}, but the file has {} bytes", self.len);
            return Err(ParquetError::EOF(message));
        }
        let mut bytes = vec![0; length];
        self.source.read_exact_at(start, &mut bytes).map_err(|error| ParquetError::External(error.into()))?;
        Ok(bytes.into())
    }
}

fn load(chunks: &Chunks) -> parquet::errors::Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(chunks)?;
    match old_lists::wrapped(metadata.file_metadata().schema_descr())? {
        None => ArrowReaderMetadata::try_new(metadata.into(), options),
        Some(schema) => ArrowReaderMetadata::load(chunks, options.with_parquet_schema(schema)),
    }
}

/// An opened Parquet file.
#[derive(Clone)]
pub struct ParquetFile {
    source: Source,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// `InvalidData` where it is damaged or no Parquet, `UnsupportedFormat` for a codec nobody decodes.
    pub fn open(source: &Source) -> Result<Self> {
        let name = source.name();
        let chunks = Chunks { source: source.clone(), len: source.len()? };
        let metadata = guarded(&name, || load(&chunks).map_err(|error| damaged(&name, error)))?;
        for group in metadata.metadata().row_groups() {
            if let Some(column) =
                group.columns().iter().find(|column| column.compression() == Compression::LZO)
            {
                let column = column.column_path();
                return Err(Error::unsupported_format(format!(
                    "{name}: column {column} is compressed with LZO, which is not supported. Write it with another codec"
                )));
            }
        }
        Ok(ParquetFile { source: source.clone(), metadata })
    }

    /// The file's schema, with pandas' metadata where it has them.
    pub fn schema(&self) -> SchemaRef {
        self.metadata.schema().clone()
    }

    /// Rows in the file, as its footer says.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// The columns at these places, in this order.
    ///
    /// # Errors
    /// `InvalidData` naming the file, here or from the iterator.
    pub fn read(&self, columns: &[usize]) -> Result<Batches> {
        let name = self.source.name();
        let chunks = Chunks { source: self.source.clone(), len: self.source.len()? };
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(chunks, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        let rows = self.batch_rows(&mask);
        let reader = guarded(&name, || {
            builder.with_projection(mask).with_batch_size(rows).build().map_err(|error| damaged(&name, error))
        })?;
        // The mask keeps the file's order: put the columns into the order wanted.
        let mut sorted = columns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let order: Vec<usize> =
            columns.iter().filter_map(|column| sorted.binary_search(column).ok()).collect();
        debug_assert_eq!(reader.schema().fields().len(), sorted.len());
        Ok(Box::new(Reordered { reader: Some(reader), order, name }))
    }

    /// Rows of a batch, so that it has some megabytes.
    fn batch_rows(&self, mask: &ProjectionMask) -> usize {
        let groups = self.metadata.metadata().row_groups();
        let leaves = groups.iter().flat_map(|group| group.columns().iter().enumerate());
        let bytes: u64 = leaves
            .filter(|(leaf, _)| mask.leaf_included(*leaf))
            .map(|(_, column)| u64::try_from(column.uncompressed_size()).unwrap_or(0))
            .fold(0, u64::saturating_add);
        let per_row = (bytes / self.rows().max(1)).max(1);
        (BATCH_BYTES / per_row).clamp(*BATCH_ROWS.start(), *BATCH_ROWS.end()) as usize
    }
}

struct Reordered<R> {
    reader: Option<R>,
    order: Vec<usize>,
    name: String,
}

impl<R: RecordBatchReader> Iterator for Reordered<R> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let name = &self.name;
        let next = guarded(name, || match reader.next() {
            None => Ok(None),
            Some(Ok(batch)) => {
                batch.project(&self.order).map(Some).map_err(|error| arrow_damaged(name, error))
            }
            Some(Err(error)) => Err(arrow_damaged(name, error)),
        });
        if !matches!(next, Ok(Some(_))) {
            self.reader = None;
        }
        next.transpose()
    }
}

/// The error of the parquet crate, naming the file.
fn damaged(name: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(message) => Error::unsupported_format(format!("{name}: {message}")),
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(inner) => Error::invalid_data(format!("{name}: {inner}")),
        },
        other => Error::invalid_data(format!("{name}: {other}")),
    }
}

fn arrow_damaged(name: &str, error: arrow::error::ArrowError) -> Error {
    let ours = Error::from_arrow(error);
    let kind = if ours.message.contains("NYI:") { ErrorKind::UnsupportedFormat } else { ours.kind };
    Error { kind, ..ours }.within(name)
}
