//! Reading ragged arrays: a row of a table is a chunk, its columns are the chunk's buffers as lists, `chunk_index` is its
//! place.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType as ArrowType, Field, Int64Type, Schema},
};
use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, Error, ErrorKind, OpenRequest, Reader, Result, table_structure},
    model::{
        DataType, Description, Endianness, Kind, RaggedJoin, RaggedLayout, RaggedStructure, StructureFamily,
    },
};

use crate::{
    address::{Address, Dialect},
    layout::Layout,
    pool,
    rows::Rows,
};

/// The column that says which chunk a row is.
pub const CHUNK: &str = "chunk_index";

/// Opens ragged arrays in databases. Their structure comes from the catalog.
pub struct RaggedReader;

/// A ragged array and its table.
pub struct RaggedTable {
    /// As the catalog has it.
    pub structure: RaggedStructure,
    /// Its buffers.
    pub buffers: RaggedLayout,
    /// Its rows.
    pub layout: Arc<Layout>,
    /// The database.
    pub uri: String,
}

impl RaggedTable {
    /// The array of a request.
    ///
    /// # Errors
    /// `UnsupportedFormat` without a structure; `InvalidArgument` for types that no database keeps.
    pub fn of(request: &OpenRequest) -> Result<Self> {
        let Some(structure) = request.structure.clone() else {
            return Err(Error::unsupported_format(
                "A database does not tell which of its rows are a ragged array: register it with its structure",
            ));
        };
        let structure: RaggedStructure = serde_json::from_value(structure).map_err(Error::internal)?;
        let uri = request.source().uri();
        let layout = Arc::new(tabular(Address::parse(&uri)?.dialect, &structure, &request.parameters)?);
        Ok(RaggedTable { buffers: RaggedLayout::of(&structure)?, structure, layout, uri })
    }

    /// Lengths of the chunks along the first axis.
    pub fn chunks(&self) -> &[u64] {
        self.structure.chunks.first().and_then(Option::as_deref).unwrap_or_default()
    }
}

/// The layout of a ragged array's table, as Tiled derives it.
///
/// # Errors
/// As [`Layout::of`]; `InvalidArgument` for element types that have no column.
pub fn tabular(
    dialect: Dialect,
    structure: &RaggedStructure,
    parameters: &Map<String, Value>,
) -> Result<Layout> {
    let buffers = RaggedLayout::of(structure)?;
    let list = |item| ArrowType::List(Arc::new(Field::new("item", item, true)));
    let mut fields: Vec<Field> =
        buffers.offsets().map(|name| Field::new(name, list(ArrowType::Int64), true)).collect();
    fields.push(Field::new(buffers.data(), list(element(&structure.data_type)?), true));
    fields.push(Field::new(CHUNK, ArrowType::Int64, true));
    let mut parameters = parameters.clone();
    parameters.insert("order_by_args".into(), json!([{"column": CHUNK, "direction": "asc"}]));
    parameters.insert("primary_key".into(), json!([CHUNK]));
    Layout::of(dialect, &table_structure(&Schema::new(fields), 1)?, &parameters)
}

/// The Arrow type of an element.
///
/// # Errors
/// `InvalidArgument` for what is no number, or not in this machine's byte order.
pub fn element(data_type: &DataType) -> Result<ArrowType> {
    use ArrowType as T;
    let unfit = || {
        let text = "Ragged arrays in databases have numbers or booleans, in little-endian byte order";
        Error::new(ErrorKind::InvalidArgument, text)
    };
    let DataType::Builtin { endianness, kind, itemsize, .. } = data_type else { return Err(unfit()) };
    if *endianness == Endianness::Big && *itemsize > 1 {
        return Err(unfit());
    }
    Ok(match (kind, itemsize) {
        (Kind::Bool, 1) => T::Boolean,
        (Kind::Int, 1) => T::Int8,
        (Kind::Int, 2) => T::Int16,
        (Kind::Int, 4) => T::Int32,
        (Kind::Int, 8) => T::Int64,
        (Kind::Uint, 1) => T::UInt8,
        (Kind::Uint, 2) => T::UInt16,
        (Kind::Uint, 4) => T::UInt32,
        (Kind::Uint, 8) => T::UInt64,
        (Kind::Float, 4) => T::Float32,
        (Kind::Float, 8) => T::Float64,
        _ => return Err(unfit()),
    })
}

impl Reader for RaggedReader {
    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        Ok(Box::new(RaggedTable::of(&request)?))
    }
}

impl Adapter for RaggedTable {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Ragged, &self.structure)
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        self.describe(path)?;
        let pool = pool::open_uri(&self.uri)?;
        let places = (0..self.layout.columns.len()).collect();
        let mut join = RaggedJoin::new(self.buffers.clone());
        let mut chunks = self.chunks().iter().enumerate();
        for batch in Rows::open(cx, &pool, &self.layout, places, None)? {
            let batch = batch.map_err(Error::from_arrow)?;
            for row in 0..batch.num_rows() {
                let number =
                    batch.columns().last().map(|column| column.as_primitive::<Int64Type>().value(row));
                // A row beyond the structure's chunks was appended by a writer that has not finished.
                let Some((place, length)) = chunks.next() else { break };
                if number != i64::try_from(place).ok() {
                    return Err(unstored(place));
                }
                push(&mut join, &batch, row, *length).map_err(|e| e.within(format!("chunk {place}")))?;
            }
        }
        // Chunks without rows need none.
        match chunks.find(|(_, length)| **length > 0) {
            Some((place, _)) => Err(unstored(place)),
            None => {
                let wanted = |name: &str| {
                    form_keys.is_empty() || form_keys.iter().any(|key| name.starts_with(key.as_str()))
                };
                Ok(join.finish().into_iter().filter(|(name, _)| wanted(name)).collect())
            }
        }
    }

    fn revision(&self, _path: &str) -> Result<u64> {
        pool::open_uri(&self.uri)?.revision()
    }
}

fn unstored(place: usize) -> Error {
    Error::not_found(format!("Chunk {place} has not been stored yet"))
}

fn push(join: &mut RaggedJoin, batch: &RecordBatch, row: usize, length: u64) -> Result<()> {
    let mut buffers: Vec<(String, Vec<u8>)> = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if let Some(lists) = column.as_list_opt::<i32>() {
            buffers.push((field.name().clone(), bytes_of(&lists.value(row))?));
        }
    }
    let lookup =
        |name: &str| buffers.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.as_slice());
    join.push(length, &lookup)
}

/// The elements as the client has them.
fn bytes_of(items: &ArrayRef) -> Result<Vec<u8>> {
    if items.null_count() > 0 {
        return Err(Error::invalid_data("An element is missing"));
    }
    if let Some(flags) = items.as_boolean_opt() {
        return Ok(flags.values().iter().map(u8::from).collect());
    }
    let data = items.to_data();
    let width =
        items.data_type().primitive_width().ok_or_else(|| Error::internal("elements without a width"))?;
    let (start, end) = (data.offset() * width, (data.offset() + data.len()) * width);
    let bytes = data.buffers().first().and_then(|buffer| buffer.as_slice().get(start..end));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| Error::internal("elements without bytes"))
}
