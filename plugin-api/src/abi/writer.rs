//! [`Writer`] and [`Storage`] across the edge.

use std::sync::Arc;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RSlice, RStr, RString, RVec},
};
use serde_json::Value;

use super::{
    AbiResult,
    context::{ContextObject, export_context, import_context},
    error::{from_json, take, to_json},
    guard::{Guarded, guard},
    payload::{PayloadObject, export_payload, import_payload},
    reader::{export_open, import_open},
    source::SourceObject,
};
use crate::{
    author::{
        Context, CreateRequest, Created, Host, OpenRequest, Payload, Result, Storage, WriteRequest, Writer,
    },
    model::SliceDim,
};

#[sabi_trait]
pub trait AbiWriter: Send + Sync {
    /// JSON of `CreateRequest` to JSON of `Created`.
    fn create(&self, cx: ContextObject, request: RStr<'_>) -> AbiResult<RString>;
    /// As `AbiReader::open`.
    fn open(
        &self,
        cx: ContextObject,
        head: RStr<'_>,
        sources: RVec<SourceObject>,
    ) -> AbiResult<StorageObject>;
    #[sabi(last_prefix_field)]
    fn delete(&self, cx: ContextObject, head: RStr<'_>, sources: RVec<SourceObject>) -> AbiResult<()>;
}

pub type WriterObject = AbiWriter_TO<'static, RBox<()>>;

#[sabi_trait]
pub trait AbiStorage: Send + Sync {
    /// JSON of `WriteRequest` to JSON of the new structure, if it changed.
    fn write(
        &self,
        cx: ContextObject,
        request: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
        payload: PayloadObject,
    ) -> AbiResult<ROption<RString>>;
    fn prepare(&self) -> AbiResult<()>;
    fn commit(&self) -> AbiResult<()>;
    #[sabi(last_prefix_field)]
    fn abort(&self) -> AbiResult<()>;
}

pub type StorageObject = AbiStorage_TO<'static, RBox<()>>;

struct ExportWriter {
    writer: Guarded<Arc<dyn Writer>>,
    host: Host,
}

impl AbiWriter for ExportWriter {
    fn create(&self, cx: ContextObject, request: RStr<'_>) -> AbiResult<RString> {
        guard("create", || to_json(&self.writer.create(&import_context(cx), &from_json(request.as_str())?)?))
    }

    fn open(
        &self,
        cx: ContextObject,
        head: RStr<'_>,
        sources: RVec<SourceObject>,
    ) -> AbiResult<StorageObject> {
        guard("Writer::open", || {
            let request = import_open(head.as_str(), sources, &self.host)?;
            let storage = self.writer.open(&import_context(cx), request)?;
            Ok(AbiStorage_TO::from_value(ExportStorage(Guarded::new(storage)), TD_Opaque))
        })
    }

    fn delete(&self, cx: ContextObject, head: RStr<'_>, sources: RVec<SourceObject>) -> AbiResult<()> {
        guard("delete", || {
            self.writer.delete(&import_context(cx), import_open(head.as_str(), sources, &self.host)?)
        })
    }
}

pub(super) fn export_writer(writer: Arc<dyn Writer>, host: Host) -> WriterObject {
    AbiWriter_TO::from_value(ExportWriter { writer: Guarded::new(writer), host }, TD_Opaque)
}

struct ExportStorage(Guarded<Box<dyn Storage>>);

impl AbiStorage for ExportStorage {
    fn write(
        &self,
        cx: ContextObject,
        request: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
        payload: PayloadObject,
    ) -> AbiResult<ROption<RString>> {
        guard("write", || {
            let request: WriteRequest = from_json(request.as_str())?;
            let payload = import_payload(payload)?;
            match self.0.write(&import_context(cx), &request, slice.as_slice(), payload)? {
                Some(structure) => to_json(&structure).map(ROption::RSome),
                None => Ok(ROption::RNone),
            }
        })
    }

    fn prepare(&self) -> AbiResult<()> {
        guard("prepare", || self.0.prepare())
    }

    fn commit(&self) -> AbiResult<()> {
        guard("commit", || self.0.commit())
    }

    fn abort(&self) -> AbiResult<()> {
        guard("abort", || self.0.abort())
    }
}

/// The other side's writer as ours.
pub struct ForeignWriter(WriterObject);

impl ForeignWriter {
    pub(super) fn new(object: WriterObject) -> Self {
        ForeignWriter(object)
    }
}

impl Writer for ForeignWriter {
    fn create(&self, cx: &Context, request: &CreateRequest) -> Result<Created> {
        let request = to_json(request)?;
        from_json(&take(self.0.create(export_context(cx), request.as_rstr()))?)
    }

    fn open(&self, cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        let (head, sources) = export_open(request)?;
        let storage = take(self.0.open(export_context(cx), head.as_rstr(), sources))?;
        Ok(Box::new(ForeignStorage(storage)))
    }

    fn delete(&self, cx: &Context, request: OpenRequest) -> Result<()> {
        let (head, sources) = export_open(request)?;
        take(self.0.delete(export_context(cx), head.as_rstr(), sources))
    }
}

/// The other side's storage as ours.
pub struct ForeignStorage(StorageObject);

impl Storage for ForeignStorage {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let request = to_json(request)?;
        let answer =
            self.0.write(export_context(cx), request.as_rstr(), slice.into(), export_payload(payload));
        take(answer)?.into_option().map(|text| from_json(&text)).transpose()
    }

    fn prepare(&self) -> Result<()> {
        take(self.0.prepare())
    }

    fn commit(&self) -> Result<()> {
        take(self.0.commit())
    }

    fn abort(&self) -> Result<()> {
        take(self.0.abort())
    }
}
