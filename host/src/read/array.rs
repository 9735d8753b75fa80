//! Arrays, dense ones and columns of tables.

use std::sync::Arc;

use bytes::Bytes;
use tiled_plugin_api::{
    author::{EncodeRequest, Error, OwnedBuffer, Payload, Result, Slab, Slabs},
    model::{ArrayStructure, SliceDim, StructureFamily},
};
use tokio::sync::mpsc;

use super::{
    ArrayPlan, Body, Digest, Format, Readers, Reading, Reply, SLICE_REMEDY,
    buffer::Buffer,
    etag_of,
    negotiate::choose,
    slabs::{OneSlab, Part, PartStream, cut_parts, parts, read_part, whole},
    too_large,
};
use crate::tree::{Column, Node, Opened, Place, TreeResult};

/// A buffer for values.
pub(super) fn buffer(nbytes: u64) -> Result<Buffer> {
    Buffer::new(nbytes)
}

/// Where the values of an array come from.
#[derive(Clone)]
enum Values {
    Adapter(Arc<Opened>, String),
    Column(Arc<Column>),
}

impl Readers {
    /// A planned read of an array.
    ///
    /// # Errors
    /// `TooLarge`, `NotAcceptable`, before anything is read; those of adapter and serializer.
    pub async fn array(&self, reading: &Reading<'_>, node: &Node, plan: &ArrayPlan) -> TreeResult<Reply> {
        if plan.nbytes > self.response_bytesize_limit {
            return Err(too_large(self.response_bytesize_limit, SLICE_REMEDY));
        }
        let format = choose(reading.wanted, StructureFamily::Array, &node.specs, self.tree.plugins())?;
        let values = match &node.place {
            Place::Column(_, column) => Values::Column(column.clone()),
            _ => {
                let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
                Values::Adapter(opened, inner)
            }
        };
        let etag = tag(node, &values, plan, &reading.wanted.with_options(format.media_type()));
        if etag.is_some() && etag.as_deref() == reading.if_none_match {
            return Ok(Reply::NotModified { etag: etag.unwrap_or_default() });
        }
        match format {
            Format::Raw(media_type) => self.raw(reading, node, plan, values, etag, media_type).await,
            Format::Encoded(media_type, serializer) => {
                let request = EncodeRequest {
                    media_type: reading.wanted.with_options(&media_type),
                    structure_family: StructureFamily::Array,
                    structure: serde_json::to_value(&plan.structure).map_err(Error::internal)?,
                    metadata: node.metadata_value(),
                    specs: node.specs.clone(),
                    key: node.key().to_owned(),
                    fields: None,
                };
                let (slabs, most) = self.slabs(reading, node, plan, values)?;
                let taken = self.budget.take(most).await?;
                let body =
                    self.encode(reading.cx, serializer, request, || Ok(Payload::Array(slabs)), taken).await?;
                Ok(self.finish(reading, etag, media_type, body))
            }
        }
    }

    /// The values as they are: whole up to a size, beyond it part after part.
    async fn raw(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        plan: &ArrayPlan,
        values: Values,
        etag: Option<String>,
        media_type: String,
    ) -> TreeResult<Reply> {
        if plan.nbytes <= self.whole_bytes {
            let taken = self.budget.take(plan.nbytes).await?;
            let bytes = read_values(reading.cx, values, whole(plan)).await?;
            return Ok(self.finish(reading, etag, media_type, Body::Whole(taken.hold(bytes))));
        }
        let parts = cut_parts(plan, &node.structure::<ArrayStructure>()?.chunks);
        // One part waits while one is sent.
        let (sender, receiver) = mpsc::channel(1);
        let (budget, cx) = (self.budget.clone(), reading.cx.clone());
        tokio::spawn(async move {
            for part in parts {
                let part = async {
                    let taken = budget.take(part.nbytes).await?;
                    Ok(taken.hold(read_values(&cx, values.clone(), part).await?))
                };
                let part: Result<Bytes> = part.await;
                let failed = part.is_err();
                if sender.send(part).await.is_err() || failed {
                    return;
                }
            }
        });
        Ok(Reply::Data { etag, media_type, length: Some(plan.nbytes), body: Body::Stream(receiver) })
    }

    /// The values for a serializer, read on its thread, and how many bytes of them are in memory at a time.
    fn slabs(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        plan: &ArrayPlan,
        values: Values,
    ) -> TreeResult<(Slabs, u64)> {
        Ok(match values {
            Values::Adapter(opened, inner) => {
                let parts = if plan.nbytes <= self.whole_bytes {
                    vec![whole(plan)]
                } else {
                    parts(plan, &node.structure::<ArrayStructure>()?.chunks)
                };
                let most = parts.iter().map(|part| part.nbytes).max().unwrap_or(0);
                let most = most.max(plan.nbytes.min(self.whole_bytes));
                (
                    Slabs::new(PartStream::new(reading.cx.clone(), opened.adapter().clone(), inner, parts)),
                    most,
                )
            }
            Values::Column(column) => {
                let part = whole(plan);
                let bytes = OwnedBuffer::from_vec(of_column(&column, &part.slice));
                (Slabs::new(OneSlab(Some(Slab { rows: part.rows, bytes }))), plan.nbytes)
            }
        })
    }

    /// A reply, or the news that the caller has it: where no tag was known before, that of the bytes.
    pub(super) fn finish(
        &self,
        reading: &Reading<'_>,
        etag: Option<String>,
        media_type: String,
        body: Body,
    ) -> Reply {
        let etag = match (&etag, &body) {
            (None, Body::Whole(bytes)) => Some(etag_of(bytes)),
            _ => etag,
        };
        match etag {
            Some(etag) if Some(etag.as_str()) == reading.if_none_match => Reply::NotModified { etag },
            etag => Reply::Data { etag, media_type, length: None, body },
        }
    }
}

async fn read_values(
    cx: &tiled_plugin_api::author::Context,
    values: Values,
    part: Part,
) -> Result<OwnedBuffer> {
    match values {
        Values::Adapter(opened, inner) => {
            opened.call(cx, move |adapter, cx| read_part(adapter, cx, &inner, &part)).await
        }
        Values::Column(column) => Ok(OwnedBuffer::from_vec(of_column(&column, &part.slice))),
    }
}

/// The part of a column that a slice names.
pub(super) fn of_column(column: &Column, slice: &[SliceDim]) -> Vec<u8> {
    let width = usize::try_from(column.structure.data_type.itemsize()).unwrap_or(1);
    let Some(dim) = slice.first() else { return column.bytes.clone() };
    let element = |i: u64| {
        let from = usize::try_from(dim.at(i)).unwrap_or(usize::MAX).saturating_mul(width);
        column.bytes.get(from..from.saturating_add(width)).unwrap_or_default()
    };
    (0..dim.count).flat_map(element).copied().collect()
}

/// Known without reading where the files' times tell of every change; a directory's do not.
fn tag(node: &Node, values: &Values, plan: &ArrayPlan, media_type: &str) -> Option<String> {
    let version = match values {
        Values::Adapter(opened, _) if opened.version_tells_all => opened.version,
        _ => return None,
    };
    let digest = Digest::default().with(&version).with(&node.path).with(&plan.slice).with(&media_type);
    Some(digest.with(&plan.structure.shape).etag())
}
