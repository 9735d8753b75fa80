//! [`Payload`] across the edge.

use std::sync::Arc;

use abi_stable::{
    StableAbi, sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RString},
};

use super::{
    AbiResult,
    adapter::{AdapterObject, ForeignAdapter, export_adapter},
    error::take,
    guard::{guard, guard_or},
};
use crate::author::{Error, OwnedBuffer, Payload, Result, Slab, SlabStream, Slabs, TableStream};

#[repr(C)]
#[derive(StableAbi)]
pub struct AbiSlab {
    pub rows: u64,
    pub bytes: OwnedBuffer,
}

#[sabi_trait]
pub trait AbiSlabs: Send {
    #[sabi(last_prefix_field)]
    fn next(&mut self) -> AbiResult<ROption<AbiSlab>>;
}

pub type SlabsObject = AbiSlabs_TO<'static, RBox<()>>;

struct ExportSlabs(Slabs);

impl AbiSlabs for ExportSlabs {
    fn next(&mut self) -> AbiResult<ROption<AbiSlab>> {
        guard("Slabs::next", || {
            let slab = self.0.next()?;
            Ok(slab.map(|slab| AbiSlab { rows: slab.rows, bytes: slab.bytes }).into())
        })
    }
}

struct ForeignSlabs(SlabsObject);

impl SlabStream for ForeignSlabs {
    fn next(&mut self) -> Result<Option<Slab>> {
        let slab = take(self.0.next())?.into_option();
        Ok(slab.map(|slab| Slab { rows: slab.rows, bytes: slab.bytes }))
    }
}

#[repr(C)]
#[derive(StableAbi)]
pub struct AbiBody {
    pub media_type: RString,
    pub bytes: OwnedBuffer,
}

/// Exactly one of the four gives something, once. A later minor may add a fifth.
#[sabi_trait]
pub trait AbiPayload: Send {
    fn take_slabs(&mut self) -> ROption<SlabsObject>;
    fn take_table(&mut self) -> ROption<TableStream>;
    fn take_node(&mut self) -> ROption<AdapterObject>;
    #[sabi(last_prefix_field)]
    fn take_body(&mut self) -> ROption<AbiBody>;
}

pub type PayloadObject = AbiPayload_TO<'static, RBox<()>>;

struct Export {
    slabs: Option<Slabs>,
    table: Option<TableStream>,
    node: Option<Arc<dyn crate::author::Adapter>>,
    body: Option<AbiBody>,
}

impl AbiPayload for Export {
    fn take_slabs(&mut self) -> ROption<SlabsObject> {
        let slabs = self.slabs.take();
        guard_or(ROption::RNone, || slabs.map(|s| AbiSlabs_TO::from_value(ExportSlabs(s), TD_Opaque)).into())
    }

    fn take_table(&mut self) -> ROption<TableStream> {
        self.table.take().into()
    }

    fn take_node(&mut self) -> ROption<AdapterObject> {
        let node = self.node.take();
        guard_or(ROption::RNone, || node.map(export_adapter).into())
    }

    fn take_body(&mut self) -> ROption<AbiBody> {
        self.body.take().into()
    }
}

pub(super) fn export_payload(payload: Payload) -> PayloadObject {
    let mut export = Export { slabs: None, table: None, node: None, body: None };
    match payload {
        Payload::Array(slabs) => export.slabs = Some(slabs),
        Payload::Table(table) => export.table = Some(table),
        Payload::Node(node) => export.node = Some(node),
        Payload::Body { media_type, bytes } => {
            export.body = Some(AbiBody { media_type: media_type.into(), bytes });
        }
    }
    AbiPayload_TO::from_value(export, TD_Opaque)
}

pub(super) fn import_payload(mut object: PayloadObject) -> Result<Payload> {
    if let ROption::RSome(slabs) = object.take_slabs() {
        return Ok(Payload::Array(Slabs::new(ForeignSlabs(slabs))));
    }
    if let ROption::RSome(table) = object.take_table() {
        return Ok(Payload::Table(table));
    }
    if let ROption::RSome(node) = object.take_node() {
        return Ok(Payload::Node(Arc::new(ForeignAdapter::new(node))));
    }
    match object.take_body() {
        ROption::RSome(body) => Ok(Payload::Body { media_type: body.media_type.into(), bytes: body.bytes }),
        ROption::RNone => Err(Error::unsupported("this kind of payload")),
    }
}
