//! [`Reader`] across the edge.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RSlice, RStr, RVec},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AbiResult,
    adapter::{AdapterObject, ForeignAdapter, export_adapter},
    context::{ContextObject, export_context, import_context},
    error::{from_json, take, to_json},
    guard::{Guarded, guard, guard_or},
    source::{SourceObject, export_source, import_source},
};
use crate::author::{Adapter, AssetSource, Context, Error, Host, OpenRequest, Reader, Result, Source};

#[sabi_trait]
pub trait AbiReader: Send + Sync {
    fn sniff(&self, source: SourceObject, head: RSlice<'_, u8>) -> u32;
    /// JSON of `OpenHead`; the sources in the order of its assets.
    #[sabi(last_prefix_field)]
    fn open(
        &self,
        cx: ContextObject,
        head: RStr<'_>,
        sources: RVec<SourceObject>,
    ) -> AbiResult<AdapterObject>;
}

pub type ReaderObject = AbiReader_TO<'static, RBox<()>>;

/// An [`OpenRequest`] without its objects.
#[derive(Serialize, Deserialize)]
struct OpenHead {
    mimetype: String,
    structure: Option<Value>,
    parameters: Map<String, Value>,
    assets: Vec<AssetHead>,
}

#[derive(Serialize, Deserialize)]
struct AssetHead {
    parameter: String,
    num: Option<u64>,
}

/// A request as JSON and its sources.
pub(super) fn export_open(
    request: OpenRequest,
) -> Result<(abi_stable::std_types::RString, RVec<SourceObject>)> {
    let head = OpenHead {
        mimetype: request.mimetype,
        structure: request.structure,
        parameters: request.parameters,
        assets: request
            .assets
            .iter()
            .map(|asset| AssetHead { parameter: asset.parameter.clone(), num: asset.num })
            .collect(),
    };
    let sources = request.assets.into_iter().map(|asset| export_source(asset.source)).collect();
    Ok((to_json(&head)?, sources))
}

pub(super) fn import_open(head: &str, sources: RVec<SourceObject>, host: &Host) -> Result<OpenRequest> {
    let head: OpenHead = from_json(head)?;
    if head.assets.is_empty() || head.assets.len() != sources.len() {
        return Err(Error::internal("an open request needs one source for each asset, and at least one"));
    }
    let assets = head.assets.into_iter().zip(sources).map(|(asset, source)| AssetSource {
        source: import_source(source),
        parameter: asset.parameter,
        num: asset.num,
    });
    Ok(OpenRequest {
        mimetype: head.mimetype,
        structure: head.structure,
        parameters: head.parameters,
        assets: assets.collect(),
        host: host.clone(),
    })
}

pub(super) struct Export {
    pub(super) reader: Guarded<Arc<dyn Reader>>,
    pub(super) host: Host,
}

impl AbiReader for Export {
    fn sniff(&self, source: SourceObject, head: RSlice<'_, u8>) -> u32 {
        guard_or(0, || self.reader.sniff(&import_source(source), head.as_slice()))
    }

    fn open(
        &self,
        cx: ContextObject,
        head: RStr<'_>,
        sources: RVec<SourceObject>,
    ) -> AbiResult<AdapterObject> {
        guard("open", || {
            let request = import_open(head.as_str(), sources, &self.host)?;
            let adapter = self.reader.open(&import_context(cx), request)?;
            Ok(export_adapter(Arc::from(adapter)))
        })
    }
}

pub(super) fn export_reader(reader: Arc<dyn Reader>, host: Host) -> ReaderObject {
    AbiReader_TO::from_value(Export { reader: Guarded::new(reader), host }, TD_Opaque)
}

/// The other side's reader as ours.
pub struct ForeignReader(ReaderObject);

impl ForeignReader {
    pub(super) fn new(object: ReaderObject) -> Self {
        ForeignReader(object)
    }
}

impl Reader for ForeignReader {
    fn sniff(&self, source: &Source, head: &[u8]) -> u32 {
        self.0.sniff(export_source(source.clone()), head.into())
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let (head, sources) = export_open(request)?;
        let adapter = take(self.0.open(export_context(cx), head.as_rstr(), sources))?;
        Ok(Box::new(ForeignAdapter::new(adapter)))
    }
}
