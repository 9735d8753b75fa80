//! Writing ragged arrays: a client's ZIP file of buffers becomes rows, one for each chunk.

use std::{
    io::{Cursor, Read},
    sync::{Arc, Mutex},
};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, make_array},
    buffer::{Buffer, OffsetBuffer},
    datatypes::{DataType as ArrowType, Field, Schema},
};
use serde_json::Value;
use tiled_plugin_api::{
    author::{Buffers, Context, Error, ErrorKind, Payload, Result, Storage, WriteRequest},
    model::{NDSlice, RaggedJoin, RaggedLayout, RaggedStructure, SliceDim, SlicePart, slice_ragged},
};
use zip::ZipArchive;

use crate::{
    names::quoted,
    pool,
    ragged::{CHUNK, RaggedTable, element},
    ragged_form::RaggedForm,
    store::{Staged, write},
};

/// A ragged array that can be written.
pub struct RaggedStore {
    table: RaggedTable,
    staged: Mutex<Option<Staged>>,
}

/// Rows as a client sent them, packed.
struct Sent {
    length: u64,
    size: u64,
    buffers: Buffers,
}

impl RaggedStore {
    /// The array of this table.
    pub fn new(table: RaggedTable) -> Self {
        RaggedStore { table, staged: Mutex::new(None) }
    }

    /// One row of the table.
    fn row(&self, number: usize, buffers: &Buffers) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(buffers.len() + 1);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(buffers.len() + 1);
        let data = element(&self.table.structure.data_type)?;
        for (name, bytes) in buffers {
            let item = if name.ends_with("-offsets") { ArrowType::Int64 } else { data.clone() };
            let list = one_list(bytes, &item)?;
            fields.push(Field::new(name, list.data_type().clone(), true));
            columns.push(list);
        }
        fields.push(Field::new(CHUNK, ArrowType::Int64, true));
        let number = i64::try_from(number).map_err(Error::internal)?;
        columns.push(Arc::new(Int64Array::from(vec![number])));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::internal)?;
        self.table.layout.prepare(&batch, 0)
    }

    fn block(&self, place: usize, sent: &Sent) -> Result<Staged> {
        let length = self.table.chunks().get(place);
        let length = length.ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Block out of range"))?;
        if *length != sent.length {
            let text = format!("Block {place} has {length} rows, {} were sent", sent.length);
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let condition = format!("{} AND {} = {place}", self.table.layout.condition(None), quoted(CHUNK));
        Ok(Staged { delete: Some(condition), batches: vec![self.row(place, &sent.buffers)?] })
    }

    fn whole(&self, sent: &Sent) -> Result<Staged> {
        let chunks = self.table.chunks();
        if chunks.iter().sum::<u64>() != sent.length {
            let text =
                format!("The array has {} rows, {} were sent", chunks.iter().sum::<u64>(), sent.length);
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let mut batches = Vec::with_capacity(chunks.len());
        if let [_] = chunks {
            batches.push(self.row(0, &sent.buffers)?);
        } else {
            let lookup = |name: &str| sent.buffers.iter().find(|(known, _)| known == name).map(|(_, b)| &**b);
            let mut start = 0_i64;
            for (place, length) in chunks.iter().enumerate() {
                let end = start + i64::try_from(*length).map_err(Error::internal)?;
                let rows = NDSlice(vec![SlicePart::Range(Some(start), Some(end), None)]);
                let part = slice_ragged(&self.table.structure, &rows, &lookup)?;
                batches.push(self.row(place, &part.buffers)?);
                start = end;
            }
        }
        Ok(Staged { delete: Some(self.table.layout.condition(None)), batches })
    }

    /// A new chunk at the end; `over`, in place of any rows that are there.
    fn append(&self, sent: &Sent, over: bool) -> Result<(Staged, Value)> {
        let place = self.table.chunks().len();
        let rest = format!("{} AND {} >= {place}", self.table.layout.condition(None), quoted(CHUNK));
        let mut structure = self.table.structure.clone();
        let add = |a: u64, b: u64| {
            a.checked_add(b).ok_or_else(|| Error::new(ErrorKind::TooLarge, "The ragged array is too large"))
        };
        structure.shape[0] = Some(add(structure.shape[0].unwrap_or(0), sent.length)?);
        structure.size = add(structure.size, sent.size)?;
        match structure.chunks.first_mut() {
            Some(Some(chunks)) => chunks.push(sent.length),
            _ => return Err(Error::internal("a ragged array without chunks")),
        }
        let staged = Staged { delete: over.then_some(rest), batches: vec![self.row(place, &sent.buffers)?] };
        Ok((staged, serde_json::to_value(structure).map_err(Error::internal)?))
    }

    /// Whether the caller knows that rows beyond the structure are nobody's: it names the place of the new chunk.
    fn is_given(&self, block: Option<&[u64]>) -> Result<bool> {
        let next = self.table.chunks().len() as u64;
        match block {
            None => Ok(false),
            Some(block) if block.first() == Some(&next) => Ok(true),
            Some(block) => {
                let text = format!("The next chunk is {next}, not {block:?}");
                Err(Error::new(ErrorKind::Conflict, text))
            }
        }
    }

    /// Another server may have appended since the catalog was read: said before the catalog changes.
    fn is_free(&self) -> Result<()> {
        let layout = &self.table.layout;
        let place = self.table.chunks().len();
        let sql = format!(
            "SELECT COUNT(*) FROM {} WHERE {} AND {} >= {place}",
            quoted(&layout.table),
            layout.condition(None),
            quoted(CHUNK)
        );
        let mut session = pool::open_uri(&self.table.uri)?.session()?;
        // A table that went with its last rows is made again by the commit.
        let found = session.integers(&sql).unwrap_or_default();
        session.give_back();
        if found.iter().any(|count| *count > 0) {
            let text = format!(
                "Cannot append chunk with chunk_index={place}: a chunk with this index already exists. \
                 This typically indicates a concurrent write to the same dataset"
            );
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(())
    }
}

/// A list array of one list.
fn one_list(bytes: &[u8], item: &ArrowType) -> Result<ArrayRef> {
    let values: ArrayRef = if *item == ArrowType::Boolean {
        Arc::new(BooleanArray::from_iter(bytes.iter().map(|byte| Some(*byte != 0))))
    } else {
        let width = item.primitive_width().ok_or_else(|| Error::internal("elements without a width"))?;
        let data = arrow::array::ArrayData::builder(item.clone())
            .len(bytes.len() / width)
            // A copy: buffers of clients are not aligned.
            .add_buffer(Buffer::from(bytes))
            .build();
        make_array(data.map_err(Error::internal)?)
    };
    let length = i32::try_from(values.len());
    let length =
        length.map_err(|_| Error::new(ErrorKind::TooLarge, "A chunk has more than 2^31 elements"))?;
    let field = Arc::new(Field::new("item", item.clone(), true));
    let offsets = OffsetBuffer::new(vec![0, length].into());
    ListArray::try_new(field, offsets, values, None).map(|list| Arc::new(list) as _).map_err(Error::internal)
}

/// Unpacks a client's ZIP file: entries by the names of buffers, `length` (big-endian) and `form` (JSON in a JSON string).
fn unzip(structure: &RaggedStructure, body: &[u8]) -> Result<Sent> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::InvalidArgument, format!("The body is no ZIP file of buffers: {error}"))
    };
    let mut archive = ZipArchive::new(Cursor::new(body)).map_err(|error| unreadable(&error))?;
    // Buffers are stored, not compressed: all together are no longer than the body, give or take what a client may
    // have compressed.
    let limit = (body.len() as u64).saturating_mul(64).max(1 << 20);
    let mut spent = 0;
    let mut entry = |name: &str| -> Result<Vec<u8>> {
        let file = archive
            .by_name(name)
            .map_err(|_| Error::new(ErrorKind::InvalidArgument, format!("The body has no entry {name}")))?;
        let mut bytes = Vec::new();
        file.take(limit - spent + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        spent += bytes.len() as u64;
        if spent > limit {
            return Err(Error::new(ErrorKind::TooLarge, "The body unpacks to too much"));
        }
        Ok(bytes)
    };
    let length = entry("length")?
        .iter()
        .try_fold(0_u64, |all, byte| all.checked_mul(256).and_then(|all| all.checked_add(u64::from(*byte))));
    let length = length.ok_or_else(|| unreadable(&"its length is out of range"))?;
    let form = entry("form")?;
    let form = RaggedForm::parse(&form, structure)?;
    let mut given = Vec::new();
    for (name, wanted) in form.buffers() {
        given.push((wanted.to_owned(), form.as_longs(name, entry(name)?)?));
    }
    let lookup = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, b)| b.as_slice());
    let mut join = RaggedJoin::new(RaggedLayout::of(structure)?);
    join.push(length, &lookup).map_err(|error| Error { kind: ErrorKind::InvalidArgument, ..error })?;
    Ok(Sent { length, size: join.size(), buffers: join.finish() })
}

impl Storage for RaggedStore {
    fn write(
        &self,
        _cx: &Context,
        request: &WriteRequest,
        _slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let Payload::Body { media_type, bytes } = payload else {
            return Err(Error::new(ErrorKind::InvalidArgument, "A ZIP file of buffers is expected"));
        };
        let sent = match media_type.as_str() {
            "application/zip" => unzip(&self.table.structure, &bytes)?,
            "application/json" => {
                let (length, buffers) = crate::ragged_form::from_json(&self.table.structure, &bytes)?;
                let mut join = RaggedJoin::new(self.table.buffers.clone());
                let lookup =
                    |name: &str| buffers.iter().find(|(known, _)| known == name).map(|(_, b)| b.as_slice());
                join.push(length, &lookup)?;
                Sent { length, size: join.size(), buffers: join.finish() }
            }
            other => {
                let text =
                    format!("A ragged array is sent as application/zip or application/json, not {other}");
                return Err(Error::new(ErrorKind::UnsupportedFormat, text));
            }
        };
        let (staged, structure) = if request.append {
            let over = self.is_given(request.block.as_deref())?;
            if !over {
                self.is_free()?;
            }
            let (staged, structure) = self.append(&sent, over)?;
            (staged, Some(structure))
        } else if let Some(block) = &request.block {
            let place = block.first().and_then(|place| usize::try_from(*place).ok()).unwrap_or(usize::MAX);
            (self.block(place, &sent)?, None)
        } else {
            (self.whole(&sent)?, None)
        };
        *self.staged.lock().map_err(Error::internal)? = Some(staged);
        Ok(structure)
    }

    fn prepare(&self) -> Result<()> {
        pool::open_uri(&self.table.uri)?.session()?.give_back();
        Ok(())
    }

    fn commit(&self) -> Result<()> {
        let Some(staged) = self.staged.lock().map_err(Error::internal)?.take() else { return Ok(()) };
        write(&pool::open_uri(&self.table.uri)?, &self.table.layout, &staged)
    }

    fn abort(&self) -> Result<()> {
        self.staged.lock().map_err(Error::internal)?.take();
        Ok(())
    }
}
