//! Slices of ragged arrays: the node's buffers are read, sliced here, and given to the serializer.

use std::sync::{Arc, Mutex};

use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, EncodeRequest, Error, ErrorKind, OwnedBuffer, Payload, Result},
    model::{Description, NDSlice, RaggedSlice, RaggedStructure, SlicePart, StructureFamily, slice_ragged},
};

use super::{Format, Readers, Reading, Reply, negotiate::choose};
use crate::tree::{Node, TreeResult};

impl Readers {
    /// A slice of a ragged array, or of one of its blocks.
    ///
    /// # Errors
    /// `OutOfBounds` for a slice or block that is not there; `NotAcceptable`; those of adapter and serializer.
    pub async fn ragged(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        block: Option<u64>,
        slice: NDSlice,
    ) -> TreeResult<Reply> {
        if block.is_none() && slice.0.is_empty() {
            return self.buffers(reading, node, None).await;
        }
        let format = choose(reading.wanted, node.family, &node.specs, self.tree.plugins())?;
        let Format::Encoded(media_type, serializer) = format else {
            return Err(Error::internal("a ragged array has no raw form").into());
        };
        let structure: RaggedStructure = node.structure()?;
        let mut slices = Vec::new();
        if let Some(block) = block {
            slices.push(rows_of(&structure, block)?);
        }
        slices.push(slice);
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        // What is read and what is kept of it.
        let bytes = structure.size.saturating_mul(structure.data_type.itemsize()).saturating_mul(2);
        let taken = self.budget.take(bytes).await?;
        let sliced = opened
            .call(reading.cx, move |adapter, cx| {
                let mut buffers = adapter.read_buffers(cx, &inner, &[])?;
                let mut structure = structure;
                for slice in &slices {
                    let lookup = |name: &str| find(&buffers, name);
                    let RaggedSlice { structure: smaller, buffers: fewer } =
                        slice_ragged(&structure, slice, &lookup)?;
                    (structure, buffers) = (smaller, fewer);
                }
                Ok(Sliced { structure, buffers: Mutex::new(buffers) })
            })
            .await?;
        let request = EncodeRequest {
            media_type: reading.wanted.with_options(&media_type),
            structure_family: node.family,
            structure: serde_json::to_value(&sliced.structure).map_err(Error::internal)?,
            metadata: node.metadata_value(),
            specs: node.specs.clone(),
            key: node.key().to_owned(),
            fields: None,
        };
        let payload = || Ok(Payload::Node(Arc::new(sliced)));
        let body = self.encode(reading.cx, serializer, request, payload, taken).await?;
        Ok(self.finish(reading, None, media_type, body))
    }
}

fn find<'a>(buffers: &'a Buffers, name: &str) -> Option<&'a [u8]> {
    buffers.iter().find(|(known, _)| known == name).map(|(_, bytes)| &**bytes)
}

/// The rows of a block.
fn rows_of(structure: &RaggedStructure, block: u64) -> Result<NDSlice> {
    let chunks = structure.chunks.first().and_then(Option::as_deref).unwrap_or_default();
    let outside = || Error::new(ErrorKind::OutOfBounds, "Block index out of range");
    let place = usize::try_from(block).map_err(|_| outside())?;
    let length = *chunks.get(place).ok_or_else(outside)?;
    let start: u64 = chunks[..place].iter().sum();
    let bound = |at: u64| i64::try_from(at).map_err(|_| outside());
    Ok(NDSlice(vec![SlicePart::Range(Some(bound(start)?), Some(bound(start + length)?), None)]))
}

/// A slice as a node for a serializer.
struct Sliced {
    structure: RaggedStructure,
    /// Until a serializer takes them.
    buffers: Mutex<Buffers>,
}

/// One buffer for several owners.
struct Shared(Arc<OwnedBuffer>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Adapter for Sliced {
    fn describe(&self, _path: &str) -> Result<Description> {
        Description::new(StructureFamily::Ragged, &self.structure)
    }

    fn read_buffers(&self, _cx: &Context, _path: &str, form_keys: &[String]) -> Result<Buffers> {
        let mut held = self.buffers.lock().map_err(Error::internal)?;
        let mut given = Buffers::new();
        for (name, buffer) in held.iter_mut() {
            let shared = Arc::new(std::mem::replace(buffer, OwnedBuffer::from_vec(Vec::new())));
            *buffer = OwnedBuffer::from_owner(Shared(shared.clone()));
            if form_keys.is_empty() || form_keys.iter().any(|key| name.starts_with(key.as_str())) {
                given.push((name.clone(), OwnedBuffer::from_owner(Shared(shared))));
            }
        }
        Ok(given)
    }
}
