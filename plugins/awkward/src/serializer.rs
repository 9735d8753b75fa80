//! Awkward and ragged arrays as ZIP, JSON, Arrow and Parquet.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions},
    datatypes::Schema,
    ipc::writer::FileWriter,
};
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink},
    model::{AwkwardStructure, RaggedStructure, StructureFamily},
};
use tiled_tabular::{guard::guarded, json::cells};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    arrow_array::{Store, build},
    arrow_type,
    form::Form,
};

/// `application/zip`: the buffers, uncompressed, by name. Of ragged arrays also form and length.
pub struct ZipSerializer;

/// `application/json`: nested lists and objects.
pub struct JsonSerializer;

/// `application/vnd.apache.arrow.file`: a column per field of a record, else one without a name.
pub struct ArrowSerializer;

/// `application/x-parquet`: as Arrow.
pub struct ParquetSerializer;

/// Entries from here on need ZIP64.
const LARGE_BYTES: usize = 1 << 31;
/// Text is passed on when there is this much of it.
const PIECE_BYTES: usize = 32 << 10;

/// An array's form and length; `scalar` where it is one element without an axis.
struct Shape {
    form: Form,
    length: u64,
    scalar: bool,
}

fn shape(request: &EncodeRequest) -> Result<Shape> {
    if request.structure_family == StructureFamily::Awkward {
        let structure: AwkwardStructure = request.structure()?;
        return Ok(Shape { form: Form::parse(&structure.form)?, length: structure.length, scalar: false });
    }
    let structure: RaggedStructure = request.structure()?;
    let length = structure.shape.first().copied().flatten();
    Ok(Shape {
        form: Form::ragged(&structure)?,
        length: length.unwrap_or(1),
        scalar: structure.shape.is_empty(),
    })
}

fn node(payload: Payload) -> Result<Arc<dyn Adapter>> {
    match payload {
        Payload::Node(node) => Ok(node),
        _ => Err(Error::internal("an awkward serializer was given no node")),
    }
}

fn array(cx: &Context, shape: &Shape, payload: Payload) -> Result<ArrayRef> {
    let store = Store::new(node(payload)?.read_buffers(cx, "", &[])?);
    guarded("awkward array", || build(&shape.form, shape.length, &store))
}

fn refuse_scalar(shape: &Shape, what: &str) -> Result<()> {
    if shape.scalar {
        return Err(Error::new(
            ErrorKind::NotAcceptable,
            format!("Cannot serialize scalar value to {what}."),
        ));
    }
    Ok(())
}

impl Serializer for ZipSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let node = node(payload)?;
        if request.structure_family == StructureFamily::Awkward {
            // A list of form keys chooses among the buffers, the empty one none.
            let buffers = match request.fields.as_deref() {
                Some([]) => Buffers::new(),
                keys => node.read_buffers(cx, "", keys.unwrap_or_default())?,
            };
            return zip(&buffers, &[], sink);
        }
        let shape = shape(request)?;
        refuse_scalar(&shape, "zipped buffers")?;
        let buffers = node.read_buffers(cx, "", &[])?;
        // JSON within a JSON string, as Tiled writes it.
        let form = serde_json::to_string(&shape.form.ragged_json().to_string()).map_err(Error::internal)?;
        zip(&buffers, &[("length", shape.length.to_be_bytes().to_vec()), ("form", form.into_bytes())], sink)
    }
}

fn zip(buffers: &Buffers, more: &[(&str, Vec<u8>)], sink: &mut Sink) -> Result<()> {
    let mut zip = ZipWriter::new_stream(sink);
    let buffers = buffers.iter().map(|(name, buffer)| (name.as_str(), &**buffer));
    for (name, bytes) in buffers.chain(more.iter().map(|(name, bytes)| (*name, bytes.as_slice()))) {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(bytes.len() >= LARGE_BYTES);
        zip.start_file(name, options).map_err(Error::internal)?;
        zip.write_all(bytes).map_err(gone)?;
    }
    zip.finish().map(|_| ()).map_err(Error::internal)
}

/// The sink's own error, which travelled as an I/O error.
fn gone(error: std::io::Error) -> Error {
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        Some(Err(other)) => Error::internal(other),
        None => Error::internal("the sink failed"),
    }
}

impl Serializer for JsonSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let shape = shape(request)?;
        let array = array(cx, &shape, payload)?;
        let cell = cells(&array)?;
        let mut out = Vec::with_capacity(2 * PIECE_BYTES);
        if shape.scalar {
            cell(0, &mut out);
            return sink.put(&out);
        }
        out.push(b'[');
        for row in 0..array.len() {
            if row > 0 {
                out.push(b',');
            }
            cell(row, &mut out);
            if out.len() >= PIECE_BYTES {
                cx.check()?;
                sink.put(&out)?;
                out.clear();
            }
        }
        out.push(b']');
        sink.put(&out)
    }
}

/// A table of the fields of a record, else of one column without a name.
fn table(shape: &Shape, array: &ArrayRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(array.len()));
    let records = array.as_struct_opt().map(|records| arrow_type::columns(&shape.form, records));
    let (schema, columns) = match records.transpose()?.flatten() {
        Some(table) => table,
        None => {
            let field = arrow_type::field("", &shape.form, array.data_type());
            (Schema::new(vec![field]), vec![array.clone()])
        }
    };
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &options).map_err(Error::from_arrow)
}

fn unfit(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::NotAcceptable, format!("This array does not fit the format: {error}"))
}

impl Serializer for ArrowSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let shape = shape(request)?;
        refuse_scalar(&shape, "Arrow")?;
        let table = table(&shape, &array(cx, &shape, payload)?)?;
        let mut writer = FileWriter::try_new(sink, &table.schema()).map_err(unfit)?;
        writer.write(&table).map_err(unfit)?;
        writer.finish().map_err(unfit)
    }
}

impl Serializer for ParquetSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let shape = shape(request)?;
        refuse_scalar(&shape, "Parquet")?;
        let table = table(&shape, &array(cx, &shape, payload)?)?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        guarded("awkward array", || {
            let mut writer = ArrowWriter::try_new(sink, table.schema(), Some(properties)).map_err(unfit)?;
            writer.write(&table).map_err(unfit)?;
            writer.close().map(|_| ()).map_err(unfit)
        })
    }
}
