//! One Arrow IPC file or stream: an index of its messages, and some of its columns as record batches.
//!
//! Both kinds are read alike: where each message lies is known after opening, and each is read when it is wanted.
//! Lengths in the file are checked against its size before anything is allocated for them.

use std::sync::Arc;

use arrow::{
    array::RecordBatch,
    buffer::Buffer,
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::{
        Block, MessageHeader, MetadataVersion, convert::try_fb_to_schema, reader::FileDecoder, root_as_footer,
    },
};
use tiled_plugin_api::author::{Error, Result, Source};
use tiled_tabular::guard::guarded;

use crate::parquet_file::Batches;

const FILE_MAGIC: &[u8; 6] = b"ARROW1";
const FEATHER_V1_MAGIC: &[u8; 4] = b"FEA1";
/// Continuation marker and length in front of a message.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Footer length and magic at the end of a file.
const TRAILER_BYTES: u64 = 10;
/// More than any schema needs.
const MAX_METADATA_BYTES: u64 = 256 << 20;
/// A compressed buffer that claims to be larger than this is damaged.
const MAX_BUFFER_BYTES: i64 = 4 << 30;

#[derive(Clone, Copy, PartialEq)]
enum Content {
    Dictionary,
    Rows,
}

/// An opened Arrow file or stream.
pub struct ArrowFile {
    source: Source,
    schema: SchemaRef,
    version: MetadataVersion,
    messages: Arc<Vec<(Content, Block)>>,
}

impl ArrowFile {
    /// Reads the footer of a file, or walks over a stream's message headers.
    ///
    /// # Errors
    /// `InvalidData` where it is damaged or no Arrow, `UnsupportedFormat` for Feather V1.
    pub fn open(source: &Source) -> Result<Self> {
        let name = source.name();
        let mut head = [0; 6];
        let got = source.read_at(0, &mut head)?;
        let head = head.get(..got).unwrap_or_default();
        if head.starts_with(FEATHER_V1_MAGIC) {
            return Err(Error::unsupported_format(format!(
                "{name}: Feather V1 is not supported. Write it as Feather V2 (pyarrow.feather.write_feather)"
            )));
        }
        guarded(
            &name,
            || if head == FILE_MAGIC { Self::open_file(source) } else { Self::open_stream(source) },
        )
        .map_err(|error| if error.message.starts_with(&name) { error } else { error.within(&name) })
    }

    /// The schema, with pandas' metadata where it has them.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn open_file(source: &Source) -> Result<Self> {
        let len = source.len()?;
        let end =
            len.checked_sub(TRAILER_BYTES).ok_or_else(|| Error::invalid_data("the file is truncated"))?;
        let mut trailer = [0; TRAILER_BYTES as usize];
        source.read_exact_at(end, &mut trailer)?;
        let footer_len = arrow::ipc::reader::read_footer_length(trailer)
            .map_err(|_| Error::invalid_data("the file has no Arrow footer at its end: it is truncated"))?;
        let start = end.checked_sub(footer_len as u64).filter(|_| footer_len as u64 <= MAX_METADATA_BYTES);
        let start = start.ok_or_else(|| Error::invalid_data("the length of the footer is wrong"))?;
        let mut bytes = vec![0; footer_len];
        source.read_exact_at(start, &mut bytes)?;
        let footer =
            root_as_footer(&bytes).map_err(|error| Error::invalid_data(format!("the footer: {error}")))?;
        let schema = footer.schema().ok_or_else(|| Error::invalid_data("the footer has no schema"))?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err(Error::unsupported_format("big-endian Arrow files are not supported"));
        }
        let schema = Arc::new(try_fb_to_schema(schema).map_err(Error::from_arrow)?);
        let mut messages = Vec::new();
        let blocks = footer.dictionaries().into_iter().flatten().map(|block| (Content::Dictionary, *block));
        for (content, block) in
            blocks.chain(footer.recordBatches().into_iter().flatten().map(|b| (Content::Rows, *b)))
        {
            check_block(&block, len)?;
            messages.push((content, block));
        }
        Ok(ArrowFile { source: source.clone(), schema, version: footer.version(), messages: messages.into() })
    }

    fn open_stream(source: &Source) -> Result<Self> {
        let len = source.len()?;
        let mut found = None;
        let mut messages = Vec::new();
        let mut at = 0;
        while let Some((header, block)) = next_message(source, at, len)? {
            let message = arrow::ipc::root_as_message(&header)
                .map_err(|error| Error::invalid_data(format!("the message at byte {at}: {error}")))?;
            match message.header_type() {
                MessageHeader::Schema => {
                    let schema =
                        message.header_as_schema().ok_or_else(|| Error::invalid_data("no schema"))?;
                    if !schema.endianness().equals_to_target_endianness() {
                        return Err(Error::unsupported_format("big-endian Arrow streams are not supported"));
                    }
                    let schema = Arc::new(try_fb_to_schema(schema).map_err(Error::from_arrow)?);
                    found = Some((schema, message.version()));
                }
                MessageHeader::DictionaryBatch => messages.push((Content::Dictionary, block)),
                MessageHeader::RecordBatch => messages.push((Content::Rows, block)),
                other => {
                    return Err(Error::unsupported_format(format!("messages of type {other:?} in a table")));
                }
            }
            at = (block.offset() + i64::from(block.metaDataLength()) + block.bodyLength()) as u64;
        }
        let (schema, version) =
            found.ok_or_else(|| Error::invalid_data("this is no Arrow file and no Arrow stream"))?;
        Ok(ArrowFile { source: source.clone(), schema, version, messages: messages.into() })
    }

    /// The columns at these places, in this order.
    ///
    /// # Errors
    /// `InvalidData` naming the file, from the iterator.
    pub fn read(&self, columns: &[usize]) -> Result<Batches> {
        let mut sorted = columns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let order = columns.iter().filter_map(|column| sorted.binary_search(column).ok()).collect();
        let decoder = FileDecoder::new(self.schema.clone(), self.version).with_projection(sorted);
        let (source, messages) = (self.source.clone(), self.messages.clone());
        Ok(Box::new(Walk { source, messages, decoder, order, at: 0 }))
    }
}

/// The header of the message at `at`, and where it lies. `None` at the end of the stream.
fn next_message(source: &Source, at: u64, len: u64) -> Result<Option<(Vec<u8>, Block)>> {
    let mut prefix = [0; 8];
    let got = source.read_at(at, &mut prefix)?;
    if got == 0 {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = prefix;
    // Streams from before Arrow 0.15 have no marker in front of the length.
    let (skip, size) = if [a, b, c, d] == CONTINUATION { (8_u64, [e, f, g, h]) } else { (4, [a, b, c, d]) };
    if (got as u64) < skip {
        return Err(Error::invalid_data("the stream is truncated"));
    }
    let size = u64::from(u32::from_le_bytes(size));
    if size == 0 {
        return Ok(None);
    }
    let start = at + skip;
    if size > MAX_METADATA_BYTES || start.checked_add(size).is_none_or(|end| end > len) {
        return Err(Error::invalid_data("this is no Arrow file, or a truncated Arrow stream"));
    }
    let mut header = vec![0; size as usize];
    source.read_exact_at(start, &mut header)?;
    let body = arrow::ipc::root_as_message(&header).map_err(|error| {
        Error::invalid_data(format!("this is no Arrow file and no Arrow stream: {error}"))
    })?;
    let metadata =
        i32::try_from(size + skip).map_err(|_| Error::invalid_data("a message header is too large"))?;
    let at = i64::try_from(at).map_err(Error::internal)?;
    let block = Block::new(at, metadata, body.bodyLength());
    check_block(&block, len)?;
    Ok(Some((header, block)))
}

/// A message must lie within the file.
fn check_block(block: &Block, len: u64) -> Result<()> {
    let parts = (
        u64::try_from(block.offset()),
        u64::try_from(block.metaDataLength()),
        u64::try_from(block.bodyLength()),
    );
    let (Ok(offset), Ok(metadata), Ok(body)) = parts else {
        return Err(Error::invalid_data("a message has a negative length"));
    };
    match offset.checked_add(metadata).and_then(|end| end.checked_add(body)) {
        Some(end) if end <= len => Ok(()),
        _ => Err(Error::invalid_data("a message ends behind the file: it is truncated")),
    }
}

struct Walk {
    source: Source,
    messages: Arc<Vec<(Content, Block)>>,
    decoder: FileDecoder,
    order: Vec<usize>,
    at: usize,
}

impl Walk {
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        while let Some((content, block)) = self.messages.get(self.at).copied() {
            self.at += 1;
            let place = self.at;
            let wrong = |error: ArrowError| Error::invalid_data(format!("message {place}: {error}"));
            let length = u64::try_from(block.bodyLength()).unwrap_or(0)
                + u64::try_from(block.metaDataLength()).unwrap_or(0);
            let mut bytes = vec![0; usize::try_from(length).map_err(Error::internal)?];
            self.source.read_exact_at(block.offset() as u64, &mut bytes)?;
            check_buffers(&bytes, block.metaDataLength() as usize)?;
            let buffer = Buffer::from_vec(bytes);
            if content == Content::Dictionary {
                self.decoder.read_dictionary(&block, &buffer).map_err(wrong)?;
            } else if let Some(batch) = self.decoder.read_record_batch(&block, &buffer).map_err(wrong)? {
                return batch.project(&self.order).map(Some).map_err(wrong);
            }
        }
        Ok(None)
    }
}

impl Iterator for Walk {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.source.name();
        let next = guarded(&name, || self.step().map_err(|error| error.within(&name)));
        if !matches!(next, Ok(Some(_))) {
            self.at = self.messages.len();
        }
        next.transpose()
    }
}

/// Compressed buffers say how large they become: a forged length must not be allocated.
fn check_buffers(bytes: &[u8], metadata: usize) -> Result<()> {
    let skip = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
    let header = bytes.get(skip..).unwrap_or_default();
    let Ok(message) = arrow::ipc::root_as_message(header) else { return Ok(()) };
    let nested = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let Some(batch) = message.header_as_record_batch().or(nested) else { return Ok(()) };
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0) {
        let at = usize::try_from(buffer.offset()).ok().and_then(|offset| offset.checked_add(metadata));
        let size =
            at.and_then(|at| bytes.get(at..at.checked_add(8)?)?.try_into().ok()).map(i64::from_le_bytes);
        if size.is_none_or(|size| !(-1..=MAX_BUFFER_BYTES).contains(&size)) {
            return Err(Error::invalid_data("a compressed buffer has a wrong length"));
        }
    }
    Ok(())
}
