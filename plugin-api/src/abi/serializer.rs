//! [`Serializer`] across the edge.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RStr},
};

use super::{
    AbiResult,
    context::{ContextObject, export_context, import_context},
    error::{from_json, take, to_json},
    guard::{Guarded, guard},
    payload::{PayloadObject, export_payload, import_payload},
    sink::{SinkObject, export_sink, import_sink},
};
use crate::author::{Context, EncodeRequest, Payload, Result, Serializer, Sink};

#[sabi_trait]
pub trait AbiSerializer: Send + Sync {
    /// JSON of `EncodeRequest`.
    #[sabi(last_prefix_field)]
    fn encode(
        &self,
        cx: ContextObject,
        request: RStr<'_>,
        payload: PayloadObject,
        sink: SinkObject<'static>,
    ) -> AbiResult<()>;
}

pub type SerializerObject = AbiSerializer_TO<'static, RBox<()>>;

struct Export(Guarded<Arc<dyn Serializer>>);

impl AbiSerializer for Export {
    fn encode(
        &self,
        cx: ContextObject,
        request: RStr<'_>,
        payload: PayloadObject,
        sink: SinkObject<'static>,
    ) -> AbiResult<()> {
        guard("encode", || {
            let request: EncodeRequest = from_json(request.as_str())?;
            let mut sink = import_sink(sink);
            self.0.encode(&import_context(cx), &request, import_payload(payload)?, &mut sink)?;
            sink.push()
        })
    }
}

pub(super) fn export_serializer(serializer: Arc<dyn Serializer>) -> SerializerObject {
    AbiSerializer_TO::from_value(Export(Guarded::new(serializer)), TD_Opaque)
}

/// The other side's serializer as ours.
pub struct ForeignSerializer(SerializerObject);

impl ForeignSerializer {
    pub(super) fn new(object: SerializerObject) -> Self {
        ForeignSerializer(object)
    }
}

impl Serializer for ForeignSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let request = to_json(request)?;
        let object = export_sink(sink);
        // SAFETY: only the lifetime changes. The contract (ABI.md, "Life of arguments") has the plugin drop the sink
        // before `encode` returns; `Export::encode` above does so by owning it.
        let object = unsafe { std::mem::transmute::<SinkObject<'_>, SinkObject<'static>>(object) };
        take(self.0.encode(export_context(cx), request.as_rstr(), export_payload(payload), object))
    }
}
