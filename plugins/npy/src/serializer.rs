//! Arrays as `.npy` files, and containers as ZIP archives of them.

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    compute::cast,
    datatypes::{DataType as Arrow, Field as ArrowField, Schema},
    error::ArrowError,
    ipc::writer::FileWriter,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    sync::Arc,
};
use tiled_plugin_api::{layout::parts, prelude::*};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions, write::StreamWriter};

use crate::header::MAGIC;

/// `application/x-npy`: an array as `numpy.save` writes it.
pub struct NpySerializer;

/// `application/zip` of a container: folders for containers, `.npy` for arrays, Arrow files for tables and sparse arrays,
/// the buffers of awkward ones, and beside each what the node says of itself as JSON. Nothing is compressed, so that an
/// archive of any size streams out as its values are read.
pub struct ZipSerializer;

/// Bytes of an array that are read at once.
const SLAB_BYTES: u64 = 16 << 20;
/// NumPy aligns values to this.
const ALIGNMENT: usize = 64;
const MAX_DEPTH: u32 = 64;
/// Nodes of one archive: links in a circle must end.
const MAX_NODES: u64 = 100_000;
/// Children asked for at a time.
const PAGE: u64 = 500;

impl Serializer for NpySerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let structure: ArrayStructure = request.structure()?;
        let Payload::Array(mut slabs) = payload else {
            return Err(Error::internal("an array serializer was given no array"));
        };
        sink.put(&header(&structure)?)?;
        while let Some(slab) = slabs.next()? {
            cx.check()?;
            sink.put_owned(slab.bytes)?;
        }
        Ok(())
    }
}

/// All that stands before the values.
///
/// # Errors
/// `NotAcceptable` for Python objects.
pub fn header(structure: &ArrayStructure) -> Result<Vec<u8>> {
    let axes: Vec<String> = structure.shape.iter().map(|n| format!("{n},")).collect();
    let descr = descr(&structure.data_type)?;
    let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({}), }}", axes.join(" "));
    // Version 2 where the length takes more than two bytes, 3 where names are not ASCII.
    let short = text.len() + ALIGNMENT < usize::from(u16::MAX);
    let version = if !text.is_ascii() {
        3
    } else if short {
        1
    } else {
        2
    };
    let before = MAGIC.len() + if version == 1 { 4 } else { 6 };
    let length = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([version, 0]);
    let [a, b, c, d] = u32::try_from(length).map_err(Error::internal)?.to_le_bytes();
    bytes.extend([a, b]);
    if version > 1 {
        bytes.extend([c, d]);
    }
    bytes.extend(text.as_bytes());
    bytes.resize(before + length - 1, b' ');
    bytes.push(b'\n');
    Ok(bytes)
}

/// NumPy's `descr` as a Python literal.
fn descr(data_type: &DataType) -> Result<String> {
    match data_type {
        DataType::Builtin { kind: Kind::Object, .. } => {
            let message = "Python objects have no form in NumPy's files: choose another format";
            Err(Error::new(ErrorKind::NotAcceptable, message))
        }
        DataType::Builtin { .. } => Ok(literal(&data_type.numpy_str().unwrap_or_default())),
        DataType::Struct { fields, .. } => {
            let mut items = Vec::with_capacity(fields.len());
            for field in fields {
                let shape = field.shape.as_ref().map(|shape| {
                    let axes: Vec<String> = shape.iter().map(|n| format!("{n},")).collect();
                    format!(", ({})", axes.join(" "))
                });
                let name = literal(&field.name);
                items.push(format!("({name}, {}{})", descr(&field.dtype)?, shape.unwrap_or_default()));
            }
            Ok(format!("[{}]", items.join(", ")))
        }
    }
}

/// A text as Python writes it.
fn literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

impl Serializer for ZipSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let Payload::Node(node) = payload else {
            return Err(Error::internal("a container serializer was given no node"));
        };
        let mut archive = Archive { cx, node: &*node, zip: ZipWriter::new_stream(sink), left: MAX_NODES };
        let about = json!({
            "structure_family": request.structure_family, "specs": request.specs, "metadata": request.metadata,
        });
        archive.document("metadata.json", &about)?;
        archive.children("", "", 0, request.fields.as_deref())?;
        archive.zip.finish().map(drop).map_err(of_zip)
    }
}

struct Archive<'a> {
    cx: &'a Context,
    node: &'a dyn Adapter,
    zip: ZipWriter<StreamWriter<&'a mut Sink>>,
    left: u64,
}

impl Archive<'_> {
    fn children(&mut self, path: &str, folder: &str, depth: u32, only: Option<&[String]>) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(too_large());
        }
        let mut offset = 0;
        loop {
            let page =
                self.node.children(path, &ChildrenRequest { offset, limit: PAGE, keys_only: false })?;
            let got = page.items.len() as u64;
            for child in page.items {
                let wanted = only.is_none_or(|only| only.contains(&child.key));
                let Some(description) = child.description.filter(|_| wanted) else { continue };
                let inner = if path.is_empty() { child.key.clone() } else { format!("{path}/{}", child.key) };
                let name = format!("{folder}{}", safe(&child.key));
                self.child(&inner, &name, &description, depth)?;
            }
            offset += got;
            if got == 0 || offset >= page.count {
                return Ok(());
            }
        }
    }

    fn child(&mut self, path: &str, name: &str, node: &Description, depth: u32) -> Result<()> {
        self.cx.check()?;
        self.left = self.left.checked_sub(1).ok_or_else(too_large)?;
        let is_container = node.structure_family == StructureFamily::Container;
        let mut about = json!({
            "structure_family": node.structure_family, "specs": node.specs, "metadata": node.metadata,
        });
        if !is_container {
            about["structure"] = node.structure.clone();
        }
        let beside =
            if is_container { format!("{name}/metadata.json") } else { format!("{name}.metadata.json") };
        self.document(&beside, &about)?;
        if is_container {
            return self.children(path, &format!("{name}/"), depth + 1, None);
        }
        self.values(path, name, node).map_err(|e| e.within(path))
    }

    fn values(&mut self, path: &str, name: &str, node: &Description) -> Result<()> {
        match node.structure_family {
            StructureFamily::Array => self.array(path, name, &node.structure()?),
            StructureFamily::Table | StructureFamily::Sparse => self.table(path, name),
            StructureFamily::Awkward | StructureFamily::Ragged => {
                for (key, bytes) in self.node.read_buffers(self.cx, path, &[])? {
                    self.start(&format!("{name}/{}", safe(&key)))?;
                    self.zip.write_all(&bytes).map_err(of_io)?;
                }
                Ok(())
            }
            // Files that are served as they are have no values.
            StructureFamily::Bytes | StructureFamily::Container => Ok(()),
        }
    }

    fn start(&mut self, name: &str) -> Result<()> {
        // Of a stream the length is not known before, so each entry may be larger than 4 GiB.
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        self.zip.start_file(name, options).map_err(of_zip)
    }

    fn document(&mut self, name: &str, about: &Value) -> Result<()> {
        self.start(name)?;
        serde_json::to_writer_pretty(&mut self.zip, about).map_err(|e| of_io(e.into()))
    }

    fn array(&mut self, path: &str, name: &str, of: &ArrayStructure) -> Result<()> {
        let head = header(of)?;
        self.start(&format!("{name}.npy"))?;
        self.zip.write_all(&head).map_err(of_io)?;
        parts::for_each_slice(of, SLAB_BYTES, &mut |slice: &[SliceDim]| {
            self.cx.check()?;
            let bytes = parts::read(self.node, self.cx, path, of, slice)?;
            self.zip.write_all(&bytes).map_err(of_io)
        })
    }

    fn table(&mut self, path: &str, name: &str) -> Result<()> {
        let reader = self.node.read_table(self.cx, path, &TableRequest::default())?.into_reader()?;
        self.start(&format!("{name}.arrow"))?;
        let schema = plain_schema(&reader.schema());
        let mut writer = FileWriter::try_new_buffered(&mut self.zip, &schema).map_err(of_arrow)?;
        for batch in reader {
            self.cx.check()?;
            writer.write(&plain_batch(&batch.map_err(Error::from_arrow)?, &schema)?).map_err(of_arrow)?;
        }
        writer.finish().map_err(of_arrow)?;
        writer.into_inner().map_err(of_arrow)?.into_inner().map(drop).map_err(|e| of_io(e.into_error()))
    }
}

/// The same columns without dictionaries, of which a file has room for one per column only.
fn plain_schema(schema: &Schema) -> Arc<Schema> {
    let plain = |field: &Arc<ArrowField>| match field.data_type() {
        Arrow::Dictionary(_, value) => field.as_ref().clone().with_data_type((**value).clone()),
        _ => field.as_ref().clone(),
    };
    let fields: Vec<ArrowField> = schema.fields().iter().map(plain).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn plain_batch(batch: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<_, ArrowError>>().map_err(Error::from_arrow)?;
    RecordBatch::try_new(schema.clone(), columns).map_err(Error::from_arrow)
}

/// A key as the name of a file: no way out of its folder.
fn safe(key: &str) -> String {
    if matches!(key, "" | "." | "..") {
        return format!("%{key}");
    }
    let mut out = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            '/' | '\\' | ':' => out.push_str(&format!("%{:02X}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("%{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn too_large() -> Error {
    let message =
        "The container holds too many nodes for one file (or links in a circle): export a part of it";
    Error::new(ErrorKind::TooLarge, message)
}

/// The sink's own error, which travelled as an I/O error.
fn of_io(error: io::Error) -> Error {
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(ours)) => *ours,
        Some(Err(other)) => Error::internal(other),
        None => Error::internal("the sink failed"),
    }
}

fn of_zip(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => of_io(error),
        other => Error::internal(other),
    }
}

fn of_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => of_io(error),
        other => Error::new(
            ErrorKind::NotAcceptable,
            format!("This table does not fit into an Arrow file: {other}"),
        ),
    }
}
