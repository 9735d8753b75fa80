//! Tables as Arrow files and as Parquet.

use std::io::Write;

use arrow::{
    array::RecordBatch,
    compute::concat_batches,
    datatypes::{DataType, Fields},
    error::ArrowError,
    ipc::writer::FileWriter,
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};
use tiled_plugin_api::author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink};
use tiled_plugin_api::model::StructureFamily;
use tiled_tabular::{Rows, table_rows};

/// A row group is written out when it has this many bytes.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Tables with dictionaries are in memory as a whole, up to this size.
const MAX_DICTIONARY_BYTES: usize = 512 << 20;

/// `application/vnd.apache.arrow.file`: the IPC file format, uncompressed, batches as they come.
pub struct ArrowSerializer;

/// `application/x-parquet`, compressed with Snappy as pyarrow does.
pub struct ParquetSerializer;

impl Serializer for ArrowSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        write_arrow(&mut indexed(cx, request, payload)?, sink)
    }
}

impl Serializer for ParquetSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        write_parquet(&mut indexed(cx, request, payload)?, sink)
    }
}

/// The rows of a table with an index, as Tiled sends them; those of other families as they are.
fn indexed(cx: &Context, request: &EncodeRequest, payload: Payload) -> Result<Rows> {
    let rows = table_rows(cx, request, payload)?;
    Ok(if request.structure_family == StructureFamily::Table { rows.with_index() } else { rows })
}

/// The rows as an Arrow file.
///
/// # Errors
/// `NotAcceptable` for types that it cannot hold; those of the rows and of `to`.
pub fn write_arrow(rows: &mut Rows, to: impl Write) -> Result<()> {
    let mut writer = FileWriter::try_new(to, &rows.schema).map_err(unfit)?;
    if has_dictionary(rows.schema.fields()) {
        // A file has room for one dictionary per column: batches with their own are made one.
        writer.write(&all_in_one(rows)?).map_err(unfit)?;
    } else {
        while let Some(batch) = rows.next()? {
            writer.write(&batch).map_err(unfit)?;
        }
    }
    writer.finish().map_err(unfit)
}

fn all_in_one(rows: &mut Rows) -> Result<RecordBatch> {
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = rows.next()? {
        bytes += batch.get_array_memory_size();
        if bytes > MAX_DICTIONARY_BYTES {
            let message = "A table of this size with categories is not sent as an Arrow file: ask for partitions, for \
                           fewer columns, or for Parquet";
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        batches.push(batch);
    }
    concat_batches(&rows.schema, &batches).map_err(Error::from_arrow)
}

fn has_dictionary(fields: &Fields) -> bool {
    fields.iter().any(|field| match field.data_type() {
        DataType::Dictionary(..) => true,
        DataType::Struct(fields) => has_dictionary(fields),
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::FixedSizeList(inner, _)
        | DataType::Map(inner, _) => has_dictionary(&Fields::from(vec![inner.clone()])),
        _ => false,
    })
}

/// An error of writing: the client may have gone, or the values do not fit.
fn unfit(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, inner) => gone(inner),
        other => Error::new(ErrorKind::NotAcceptable, format!("This table does not fit the format: {other}")),
    }
}

/// The sink's own error, which travelled as an I/O error.
fn gone(error: std::io::Error) -> Error {
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        Some(Err(other)) => Error::internal(other),
        None => Error::internal("the sink failed"),
    }
}

/// The rows as a Parquet file, with the schema's metadata where pyarrow looks for them.
///
/// # Errors
/// As [`write_arrow`].
pub fn write_parquet(rows: &mut Rows, to: impl Write + Send) -> Result<()> {
    let notes = rows.schema.metadata().iter();
    let notes = notes.map(|(key, value)| KeyValue::new(key.to_string(), value.to_string())).collect();
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let properties = properties.set_key_value_metadata(Some(notes)).build();
    let mut writer =
        ArrowWriter::try_new(to, rows.schema.clone(), Some(properties)).map_err(unfit_parquet)?;
    while let Some(batch) = rows.next()? {
        writer.write(&batch).map_err(unfit_parquet)?;
        if writer.in_progress_size() > ROW_GROUP_BYTES {
            writer.flush().map_err(unfit_parquet)?;
        }
    }
    writer.close().map(|_| ()).map_err(unfit_parquet)
}

fn unfit_parquet(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => gone(*io),
            Err(other) => Error::internal(other),
        },
        other => Error::new(ErrorKind::NotAcceptable, format!("This table does not fit Parquet: {other}")),
    }
}
