//! Chunks of a regular grid over an array, as Zarr wants them: the elements read as any slice is, then padded.

use bytes::Bytes;
use tiled_plugin_api::{
    author::{Adapter, Context, Error, Result},
    model::{ArrayStructure, NDSlice, SlicePart, StructureFamily},
};

use super::{ArrayPlan, Body, Readers, Reading, Reply};
use crate::{
    tree::{Node, TreeError, TreeResult},
    zarr::{Cell, Element, Grid, MIMETYPE, Version, finish, needs_finish},
};

/// Which chunk of what.
pub struct ZarrChunk {
    /// Of the array, or of the sparse array made dense.
    pub structure: ArrayStructure,
    /// Over that.
    pub grid: Grid,
    /// How an element is shown.
    pub element: Element,
    /// To whom.
    pub version: Version,
    /// One that the grid has.
    pub cell: Cell,
}

/// Larger chunks are padded where a thread may be kept busy.
const INLINE_BYTES: u64 = 256 << 10;

impl ZarrChunk {
    /// Bytes of the whole chunk.
    ///
    /// # Errors
    /// `InvalidArgument` when no machine can address so many.
    pub fn nbytes(&self) -> TreeResult<u64> {
        let elements = self.grid.elements().and_then(|n| n.checked_mul(self.element.shown_itemsize));
        elements.ok_or_else(|| TreeError::invalid("The chunk is too large to address"))
    }

    /// The elements of the array in the chunk, as a slice of the array.
    fn plan(&self) -> TreeResult<ArrayPlan> {
        let bounds = self.cell.start.iter().zip(&self.cell.count);
        let parts = bounds.map(|(start, count)| {
            let stop = start.saturating_add(*count);
            Ok(SlicePart::Range(Some(i64::try_from(*start)?), Some(i64::try_from(stop)?), None))
        });
        let parts: Result<Vec<_>, std::num::TryFromIntError> = parts.collect();
        let slice = NDSlice(parts.map_err(|e| TreeError::invalid(e.to_string()))?);
        ArrayPlan::full(&self.structure, &slice)
    }

    fn finish(&self, values: &[u8]) -> Result<Vec<u8>> {
        finish(&self.element, self.version, &self.cell, &self.grid.chunk, values)
            .ok_or_else(|| Error::internal("a chunk has other bytes than were planned"))
    }
}

impl Readers {
    /// A chunk, complete. `reading` wants the raw bytes.
    ///
    /// # Errors
    /// `TooLarge`; those of the adapter.
    pub async fn zarr_chunk(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        chunk: ZarrChunk,
    ) -> TreeResult<Reply> {
        let (plan, nbytes) = (chunk.plan()?, chunk.nbytes()?);
        let reply = match node.family {
            StructureFamily::Sparse => self.dense(reading, node, &plan).await?,
            _ => self.array(reading, node, &plan).await?,
        };
        let Reply::Data { etag, media_type, body: Body::Whole(values), .. } = reply else { return Ok(reply) };
        let bytes = if needs_finish(&chunk.element, chunk.version, &chunk.cell, &chunk.grid.chunk) {
            self.finished(chunk, values, nbytes).await?
        } else {
            values
        };
        Ok(Reply::Data { etag, media_type, length: None, body: Body::Whole(bytes) })
    }

    /// How an array is stored, in the words of a version of Zarr; `None` where it is stored otherwise.
    ///
    /// # Errors
    /// Those of opening, and of the adapter.
    pub async fn stored_as(&self, cx: &Context, node: &Node, version: Version) -> TreeResult<Option<String>> {
        // Others are not asked: a document of rows alone opens no file.
        let source = node.row().and_then(|(_, row)| row.data_source.as_ref());
        let is_zarr = source.is_some_and(|source| source.mimetype.starts_with(MIMETYPE));
        if node.family != StructureFamily::Array || !is_zarr {
            return Ok(None);
        }
        let (opened, inner) = self.tree.adapter_of(cx, node).await?;
        Ok(opened.call(cx, move |adapter, _| adapter.stored_as(&inner, version.format())).await?)
    }

    /// A chunk as it is stored, of elements of `nbytes`; `None` where there is none.
    ///
    /// # Errors
    /// `TooLarge`; those of the adapter.
    pub async fn stored_chunk(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        numbers: Vec<u64>,
        nbytes: u64,
    ) -> TreeResult<Option<Reply>> {
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        let taken = self.budget.take(nbytes).await?;
        let read = move |adapter: &dyn Adapter, cx: &Context| adapter.stored_chunk(cx, &inner, &numbers);
        let Some(bytes) = opened.call(reading.cx, read).await? else { return Ok(None) };
        let body = Body::Whole(taken.hold(bytes));
        Ok(Some(self.finish(reading, None, "application/octet-stream".to_owned(), body)))
    }

    async fn finished(&self, chunk: ZarrChunk, values: Bytes, nbytes: u64) -> TreeResult<Bytes> {
        let taken = self.budget.take(nbytes).await?;
        let padded = if nbytes <= INLINE_BYTES {
            chunk.finish(&values)?
        } else {
            let job = move || chunk.finish(&values);
            tokio::task::spawn_blocking(job).await.map_err(Error::internal)??
        };
        Ok(taken.hold(padded))
    }
}
