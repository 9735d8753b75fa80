//! [`Context`] across the edge.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RString},
};

use super::guard::guard_or;
use crate::author::{CallState, Context};

#[sabi_trait]
pub trait AbiContext: Send + Sync {
    fn is_cancelled(&self) -> bool;
    fn remaining_ms(&self) -> u64;
    #[sabi(last_prefix_field)]
    fn request_id(&self) -> RString;
}

pub type ContextObject = AbiContext_TO<'static, RBox<()>>;

struct Export(Context);

impl AbiContext for Export {
    fn is_cancelled(&self) -> bool {
        guard_or(true, || self.0.is_cancelled())
    }

    fn remaining_ms(&self) -> u64 {
        guard_or(0, || self.0.remaining_ms())
    }

    fn request_id(&self) -> RString {
        guard_or(RString::new(), || self.0.request_id().into())
    }
}

pub fn export_context(cx: &Context) -> ContextObject {
    AbiContext_TO::from_value(Export(cx.clone()), TD_Opaque)
}

struct Foreign(ContextObject);

impl CallState for Foreign {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn remaining_ms(&self) -> u64 {
        self.0.remaining_ms()
    }

    fn request_id(&self) -> String {
        self.0.request_id().into()
    }
}

pub(super) fn import_context(object: ContextObject) -> Context {
    Context::new(Arc::new(Foreign(object)))
}
