//! Awkward and ragged arrays: buffers that a serializer asks the node for.

use tiled_plugin_api::author::{EncodeRequest, Error, Payload};

use super::{Digest, Format, Readers, Reading, Reply, negotiate::choose};
use crate::tree::{Node, TreeResult};

impl Readers {
    /// The buffers of an awkward array whose keys start with one of `form_keys`; all without any.
    ///
    /// # Errors
    /// `NotAcceptable`; those of adapter and serializer.
    pub async fn buffers(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        form_keys: Option<Vec<String>>,
    ) -> TreeResult<Reply> {
        let format = choose(reading.wanted, node.family, &node.specs, self.tree.plugins())?;
        let Format::Encoded(media_type, serializer) = format else {
            return Err(Error::internal("an awkward array has no raw form").into());
        };
        let encoded_as = reading.wanted.with_options(&media_type);
        let (opened, inner) = self.tree.adapter_of(reading.cx, node).await?;
        let etag = opened.version_tells_all.then(|| {
            Digest::default().with(&opened.version).with(&node.path).with(&encoded_as).with(&form_keys).etag()
        });
        if etag.is_some() && etag.as_deref() == reading.if_none_match {
            return Ok(Reply::NotModified { etag: etag.unwrap_or_default() });
        }
        let request = EncodeRequest {
            media_type: encoded_as,
            structure_family: node.family,
            structure: node.structure.clone(),
            metadata: node.metadata_value(),
            specs: node.specs.clone(),
            key: node.key().to_owned(),
            fields: form_keys,
        };
        let below = super::export::Below::new(opened.adapter().clone(), inner);
        let taken = self.budget.take(0).await?;
        let payload = || Ok(Payload::Node(std::sync::Arc::new(below)));
        let body = self.encode(reading.cx, serializer, request, payload, taken).await?;
        Ok(self.finish(reading, etag, media_type, body))
    }
}
