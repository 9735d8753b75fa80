//! From a body to what a storage takes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::SchemaRef,
    ipc::{
        convert::try_fb_to_schema,
        reader::{FileDecoder, StreamDecoder, read_footer_length},
        root_as_footer,
    },
};
use bytes::Bytes;
use tiled_plugin_api::{
    author::{Error, ErrorKind, OwnedBuffer, Payload, Result, Slabs, TableStream},
    model::StructureFamily,
};

/// A body, taken from the wire.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Without parameters.
    pub media_type: String,
    /// All of it.
    pub bytes: Bytes,
}

const RAW: &str = "application/octet-stream";
const ARROW_FILE: &str = "application/vnd.apache.arrow.file";
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Whether bodies of that type can be written to nodes of that family; what a plugin takes apart is its own to refuse.
///
/// # Errors
/// `UnsupportedFormat` naming what can be.
pub fn takes(family: StructureFamily, media_type: &str) -> Result<()> {
    let known: &[&str] = match family {
        StructureFamily::Array => &[RAW],
        StructureFamily::Table | StructureFamily::Sparse => &[ARROW_FILE, ARROW_STREAM],
        StructureFamily::Awkward => &["application/zip"],
        _ => return Ok(()),
    };
    if known.contains(&media_type) {
        return Ok(());
    }
    let given = if media_type.is_empty() { "none" } else { media_type };
    Err(Error::unsupported_format(format!(
        "The content of nodes of family {family} can be written as {}; the request's Content-Type is {given}",
        known.join(" or ")
    )))
}

impl Sent {
    /// What the storage of a node of that family is given. `rows`: positions along the first axis, of dense arrays.
    ///
    /// # Errors
    /// `InvalidData` for Arrow that is damaged.
    pub(super) fn payload(self, family: StructureFamily, rows: u64) -> Result<Payload> {
        match family {
            StructureFamily::Array => {
                Ok(Payload::Array(Slabs::one(rows, OwnedBuffer::from_owner(self.bytes))))
            }
            StructureFamily::Table | StructureFamily::Sparse => {
                // Arrow checks what it reads, but a forged length may still panic somewhere in it.
                let decoded = catch_unwind(AssertUnwindSafe(|| decode(&self.bytes)));
                let (schema, batches) =
                    decoded.unwrap_or_else(|_| Err(damaged("a length in it is forged")))?;
                Ok(Payload::Table(TableStream::from_batches(schema, batches.into_iter().map(Ok))))
            }
            _ => {
                Ok(Payload::Body { media_type: self.media_type, bytes: OwnedBuffer::from_owner(self.bytes) })
            }
        }
    }
}

const MAGIC: &[u8] = b"ARROW1";

/// All batches. Columns that are not compressed stay in the body.
fn decode(bytes: &Bytes) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let buffer = Buffer::from(bytes.clone());
    if bytes.starts_with(MAGIC) { decode_file(&buffer) } else { decode_stream(buffer) }
}

fn decode_file(buffer: &Buffer) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    const TRAILER: usize = 10;
    let trailer = buffer.len().checked_sub(TRAILER).ok_or_else(|| damaged("it is too short"))?;
    let tail: [u8; TRAILER] = buffer[trailer..].try_into().map_err(Error::internal)?;
    let length = read_footer_length(tail).map_err(of_arrow)?;
    let start = trailer.checked_sub(length).ok_or_else(|| damaged("its footer is longer than it"))?;
    let footer = root_as_footer(&buffer[start..trailer]).map_err(|e| damaged(e.to_string()))?;
    let schema = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
    let schema = SchemaRef::new(try_fb_to_schema(schema).map_err(of_arrow)?);
    let mut decoder = FileDecoder::new(schema.clone(), footer.version());
    let slice = |offset: i64, header: i32, body: i64| {
        let offset = usize::try_from(offset).ok();
        let length = usize::try_from(header).ok().zip(usize::try_from(body).ok());
        let length = length.and_then(|(header, body)| header.checked_add(body));
        let end = offset.zip(length).and_then(|(offset, length)| offset.checked_add(length));
        match (offset, length, end) {
            (Some(offset), Some(length), Some(end)) if end <= buffer.len() => {
                Ok(buffer.slice_with_length(offset, length))
            }
            _ => Err(damaged("a block lies beyond its end")),
        }
    };
    for block in footer.dictionaries().iter().flatten() {
        let data = slice(block.offset(), block.metaDataLength(), block.bodyLength())?;
        decoder.read_dictionary(block, &data).map_err(of_arrow)?;
    }
    let mut batches = Vec::new();
    for block in footer.recordBatches().iter().flatten() {
        let data = slice(block.offset(), block.metaDataLength(), block.bodyLength())?;
        batches.extend(decoder.read_record_batch(block, &data).map_err(of_arrow)?);
    }
    Ok((schema, batches))
}

fn decode_stream(mut buffer: Buffer) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !buffer.is_empty() {
        batches.extend(decoder.decode(&mut buffer).map_err(of_arrow)?);
    }
    decoder.finish().map_err(of_arrow)?;
    let schema = decoder.schema().ok_or_else(|| damaged("it has no schema"))?;
    Ok((schema, batches))
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, format!("The body is not a valid Arrow file or stream: {what}"))
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn of_arrow(error: arrow::error::ArrowError) -> Error {
    damaged(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Int64Array, StringArray},
        ipc::writer::{FileWriter, StreamWriter},
    };

    use super::*;

    fn batch() -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] = [
            ("a", Arc::new(Int64Array::from(vec![1, 2, 3]))),
            ("b", Arc::new(StringArray::from(vec!["x", "yy", ""]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn file() -> Vec<u8> {
        let mut writer = FileWriter::try_new(vec![], &batch().schema()).unwrap();
        writer.write(&batch()).unwrap();
        writer.into_inner().unwrap()
    }

    fn stream() -> Vec<u8> {
        let mut writer = StreamWriter::try_new(vec![], &batch().schema()).unwrap();
        writer.write(&batch()).unwrap();
        writer.into_inner().unwrap()
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<RecordBatch>> {
        let sent = Sent { media_type: ARROW_FILE.into(), bytes: bytes.into() };
        let Payload::Table(table) = sent.payload(StructureFamily::Table, 0)? else {
            return Err(Error::internal("not a table"));
        };
        table.into_reader()?.map(|batch| batch.map_err(Error::from_arrow)).collect()
    }

    #[test]
    fn arrow_files_and_streams_become_tables() {
        for bytes in [file(), stream()] {
            assert_eq!(read(bytes).unwrap(), [batch()]);
        }
    }

    #[test]
    fn cut_or_forged_arrow_is_damaged_data_and_never_a_panic() {
        for good in [file(), stream()] {
            for cut in (0..good.len()).step_by(7) {
                if let Err(error) = read(good[..cut].to_vec()) {
                    assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
                }
            }
            for at in 0..good.len() {
                let mut bytes = good.clone();
                bytes[at] ^= 0xff;
                if let Err(error) = read(bytes) {
                    assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
                }
            }
        }
        assert_eq!(read(vec![]).unwrap_err().kind, ErrorKind::InvalidData);
    }

    #[test]
    fn each_family_says_what_it_takes() {
        assert!(takes(StructureFamily::Array, RAW).is_ok());
        let error = takes(StructureFamily::Table, "text/csv").unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedFormat);
        assert!(error.message.contains("arrow.file"), "{}", error.message);
    }
}
