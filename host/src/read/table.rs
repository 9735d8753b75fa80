//! Tables, whole or by partition, and the columns that are asked for.

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    datatypes::SchemaRef,
    error::ArrowError,
};
use tiled_plugin_api::{
    author::{EncodeRequest, Error, ErrorKind, Payload, TableRequest, TableStream},
    model::{StructureFamily, TableStructure},
};

use super::{COLUMNS_REMEDY, Digest, Format, Readers, Reading, Reply, negotiate::choose};
use crate::tree::{Node, TreeError, TreeResult};

/// Which part of a table.
pub type TablePart = TableRequest;

impl Readers {
    /// A part of a table.
    ///
    /// # Errors
    /// `InvalidArgument` for unknown columns and partitions, `NotAcceptable`, before anything is read; those of adapter
    /// and serializer; `TooLarge` as soon as the rows are more than an answer may carry.
    pub async fn table(&self, reading: &Reading<'_>, node: &Node, part: TablePart) -> TreeResult<Reply> {
        let structure: TableStructure = node.structure()?;
        check(&structure, &part)?;
        let format = choose(reading.wanted, node.family, &node.specs, self.tree.plugins())?;
        let Format::Encoded(media_type, serializer) = format else {
            return Err(Error::internal("a table has no raw form").into());
        };
        let encoded_as = reading.wanted.with_options(&media_type);
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        let etag = opened.version_tells_all.then(|| {
            let digest = Digest::default().with(&opened.version).with(&node.path).with(&encoded_as);
            digest.with(&part.partition).with(&part.columns).etag()
        });
        if etag.is_some() && etag.as_deref() == reading.if_none_match {
            return Ok(Reply::NotModified { etag: etag.unwrap_or_default() });
        }
        let request = encode_request(node, &encoded_as, &structure, &part)?;
        let (limit, asked) = (self.response_bytesize_limit, part);
        let (adapter, cx) = (opened.adapter().clone(), reading.cx.clone());
        let payload = move || {
            let rows = adapter.read_table(&cx, &inner, &asked)?;
            Ok(Payload::Table(limited(rows, limit, COLUMNS_REMEDY)?))
        };
        let taken = self.budget.take(0).await?;
        let body = self.encode(reading.cx, serializer, request, payload, taken).await?;
        Ok(self.finish(reading, etag, media_type, body))
    }
}

fn check(structure: &TableStructure, part: &TablePart) -> TreeResult<()> {
    if part.partition.is_some_and(|partition| partition >= structure.npartitions) {
        return Err(TreeError::invalid("Partition out of range"));
    }
    let unknown = part.columns.iter().flatten().find(|column| !structure.columns.contains(column));
    match unknown {
        Some(column) => Err(TreeError::invalid(format!("No such field {column}."))),
        None => Ok(()),
    }
}

fn encode_request(
    node: &Node,
    media_type: &str,
    structure: &TableStructure,
    part: &TablePart,
) -> TreeResult<EncodeRequest> {
    let mut structure = structure.clone();
    if let Some(columns) = &part.columns {
        structure.columns.clone_from(columns);
    }
    if part.partition.is_some() {
        structure.npartitions = 1;
    }
    Ok(EncodeRequest {
        media_type: media_type.to_owned(),
        structure_family: StructureFamily::Table,
        structure: serde_json::to_value(&structure).map_err(Error::internal)?,
        metadata: node.metadata_value(),
        specs: node.specs.clone(),
        key: node.key().to_owned(),
        fields: part.columns.clone(),
    })
}

/// The same rows, ended by `TooLarge` when they are more bytes than an answer may carry. The first rows are read at
/// once, so that damage at the start is known before anything is sent.
///
/// # Errors
/// Those of the first rows.
pub(super) fn limited(stream: TableStream, limit: u64, remedy: &'static str) -> Result<TableStream, Error> {
    let mut reader = stream.into_reader()?;
    let schema = reader.schema();
    let first = reader.next().transpose().map_err(Error::from_arrow)?;
    let rows = Limited { schema, first, reader: Box::new(reader), left: limit, limit, remedy };
    let mut rows = rows;
    if let Some(first) = &rows.first {
        rows.left = rows.left.checked_sub(nbytes(first)).ok_or_else(|| rows.error())?;
    }
    Ok(TableStream::from_reader(Box::new(rows)))
}

struct Limited {
    schema: SchemaRef,
    first: Option<RecordBatch>,
    reader: Box<dyn RecordBatchReader + Send>,
    left: u64,
    limit: u64,
    remedy: &'static str,
}

impl Limited {
    fn error(&self) -> Error {
        Error::new(ErrorKind::TooLarge, format!("Response would exceed {}. {}", self.limit, self.remedy))
    }
}

fn nbytes(batch: &RecordBatch) -> u64 {
    // A slice of a larger batch counts as what it shows.
    batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0) as u64).sum()
}

impl Iterator for Limited {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        let batch = match self.reader.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        match self.left.checked_sub(nbytes(&batch)) {
            Some(left) => {
                self.left = left;
                Some(Ok(batch))
            }
            None => Some(Err(self.error().into_arrow())),
        }
    }
}

impl RecordBatchReader for Limited {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
