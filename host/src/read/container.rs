//! Whole containers, as one file.

use std::sync::Arc;

use serde_json::Value;
use tiled_plugin_api::{
    author::{EncodeRequest, Error, Payload},
    model::StructureFamily,
};

use super::{Format, Readers, Reading, Reply, export::Walk, negotiate::choose};
use crate::{
    access::Scope,
    tree::{Node, TreeError, TreeResult},
};

impl Readers {
    /// A container, or the children of it that are named in `fields`, with all below them.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown child, `NotAcceptable`; those of adapters and serializer.
    pub async fn container(
        &self,
        reading: &Reading<'_>,
        node: &Node,
        fields: Option<Vec<String>>,
    ) -> TreeResult<Reply> {
        let format = choose(reading.wanted, StructureFamily::Container, &node.specs, self.tree.plugins())?;
        for field in fields.iter().flatten() {
            let path = [node.path.as_slice(), std::slice::from_ref(field)].concat();
            match self.tree.find(reading.cx, &path, reading.caller, Scope::ReadData).await {
                Err(TreeError::NoEntry(_)) => {
                    return Err(TreeError::invalid(format!("No such field {field}.")));
                }
                other => other.map(drop)?,
            }
        }
        let Format::Encoded(media_type, serializer) = format else {
            return Err(Error::internal("a container has no raw form").into());
        };
        let request = EncodeRequest {
            media_type: reading.wanted.with_options(&media_type),
            structure_family: StructureFamily::Container,
            structure: Value::Null,
            metadata: node.metadata_value(),
            specs: node.specs.clone(),
            key: node.key().to_owned(),
            fields: fields.clone(),
        };
        let walk = Walk::new(self.tree.clone(), reading.cx.clone(), reading.caller, node.clone(), fields);
        let taken = self.budget.take(0).await?;
        let payload = || Ok(Payload::Node(Arc::new(walk)));
        let body = self.encode(reading.cx, serializer, request, payload, taken).await?;
        Ok(self.finish(reading, None, media_type, body))
    }
}
