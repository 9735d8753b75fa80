//! [`Adapter`] across the edge, in both directions: plugins give adapters to the host, the host gives nodes to serializers.

use std::sync::Arc;

use abi_stable::{
    StableAbi, sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RSlice, RSliceMut, RStr, RString, RVec},
};

use super::{
    AbiResult,
    context::{ContextObject, export_context, import_context},
    error::{from_json, take, to_json},
    guard::{Guarded, guard},
};
use crate::{
    author::{Adapter, Buffers, Context, OwnedBuffer, Result, TableRequest, TableStream},
    model::{Children, ChildrenRequest, Description, Plan, SliceDim},
};

#[repr(C)]
#[derive(StableAbi)]
pub struct AbiBuffer {
    pub name: RString,
    pub bytes: OwnedBuffer,
}

#[sabi_trait]
pub trait AbiAdapter: Send + Sync {
    /// JSON of `Description`.
    fn describe(&self, path: RStr<'_>) -> AbiResult<RString>;
    /// JSON of `ChildrenRequest` to JSON of `Children`.
    fn children(&self, path: RStr<'_>, request: RStr<'_>) -> AbiResult<RString>;
    /// JSON of `Plan`, or nothing.
    fn plan(&self, path: RStr<'_>, slice: RSlice<'_, SliceDim>) -> AbiResult<ROption<RString>>;
    fn read_into(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
        out: RSliceMut<'_, u8>,
    ) -> AbiResult<()>;
    fn read_owned(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
    ) -> AbiResult<ROption<OwnedBuffer>>;
    /// JSON of `TableRequest`.
    fn read_table(&self, cx: ContextObject, path: RStr<'_>, request: RStr<'_>) -> AbiResult<TableStream>;
    #[sabi(last_prefix_field)]
    fn revision(&self, path: RStr<'_>) -> AbiResult<u64>;
    /// JSON list of form keys.
    fn read_buffers(
        &self,
        _cx: ContextObject,
        _path: RStr<'_>,
        _form_keys: RStr<'_>,
    ) -> AbiResult<RVec<AbiBuffer>> {
        abi_stable::std_types::RErr(crate::author::Error::unsupported("read_buffers").into())
    }
    /// The array's document in a format, or nothing.
    fn stored_as(&self, _path: RStr<'_>, _format: RStr<'_>) -> AbiResult<ROption<RString>> {
        abi_stable::std_types::ROk(ROption::RNone)
    }
    /// A chunk as it is stored, or nothing.
    fn stored_chunk(
        &self,
        _cx: ContextObject,
        _path: RStr<'_>,
        _chunk: RSlice<'_, u64>,
    ) -> AbiResult<ROption<OwnedBuffer>> {
        abi_stable::std_types::RErr(crate::author::Error::unsupported("stored_chunk").into())
    }
}

pub type AdapterObject = AbiAdapter_TO<'static, RBox<()>>;

struct Export(Guarded<Arc<dyn Adapter>>);

impl AbiAdapter for Export {
    fn describe(&self, path: RStr<'_>) -> AbiResult<RString> {
        guard("describe", || to_json(&self.0.describe(path.as_str())?))
    }

    fn children(&self, path: RStr<'_>, request: RStr<'_>) -> AbiResult<RString> {
        guard("children", || {
            let request: ChildrenRequest = from_json(request.as_str())?;
            to_json(&self.0.children(path.as_str(), &request)?)
        })
    }

    fn plan(&self, path: RStr<'_>, slice: RSlice<'_, SliceDim>) -> AbiResult<ROption<RString>> {
        guard("plan", || match self.0.plan(path.as_str(), slice.as_slice())? {
            Some(plan) => to_json(&plan).map(ROption::RSome),
            None => Ok(ROption::RNone),
        })
    }

    fn read_into(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
        mut out: RSliceMut<'_, u8>,
    ) -> AbiResult<()> {
        guard("read_into", || {
            self.0.read_into(&import_context(cx), path.as_str(), slice.as_slice(), out.as_mut_slice())
        })
    }

    fn read_owned(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        slice: RSlice<'_, SliceDim>,
    ) -> AbiResult<ROption<OwnedBuffer>> {
        guard("read_owned", || {
            self.0.read_owned(&import_context(cx), path.as_str(), slice.as_slice()).map(ROption::from)
        })
    }

    fn read_table(&self, cx: ContextObject, path: RStr<'_>, request: RStr<'_>) -> AbiResult<TableStream> {
        guard("read_table", || {
            self.0.read_table(&import_context(cx), path.as_str(), &from_json(request.as_str())?)
        })
    }

    fn revision(&self, path: RStr<'_>) -> AbiResult<u64> {
        guard("revision", || self.0.revision(path.as_str()))
    }

    fn read_buffers(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        form_keys: RStr<'_>,
    ) -> AbiResult<RVec<AbiBuffer>> {
        guard("read_buffers", || {
            let form_keys: Vec<String> = from_json(form_keys.as_str())?;
            let buffers = self.0.read_buffers(&import_context(cx), path.as_str(), &form_keys)?;
            Ok(buffers.into_iter().map(|(name, bytes)| AbiBuffer { name: name.into(), bytes }).collect())
        })
    }

    fn stored_as(&self, path: RStr<'_>, format: RStr<'_>) -> AbiResult<ROption<RString>> {
        guard("stored_as", || {
            let document = self.0.stored_as(path.as_str(), format.as_str())?;
            Ok(document.map(RString::from).into())
        })
    }

    fn stored_chunk(
        &self,
        cx: ContextObject,
        path: RStr<'_>,
        chunk: RSlice<'_, u64>,
    ) -> AbiResult<ROption<OwnedBuffer>> {
        guard("stored_chunk", || {
            self.0.stored_chunk(&import_context(cx), path.as_str(), chunk.as_slice()).map(ROption::from)
        })
    }
}

pub fn export_adapter(adapter: Arc<dyn Adapter>) -> AdapterObject {
    AbiAdapter_TO::from_value(Export(Guarded::new(adapter)), TD_Opaque)
}

/// The other side's adapter as ours.
pub struct ForeignAdapter(AdapterObject);

impl ForeignAdapter {
    pub(super) fn new(object: AdapterObject) -> Self {
        ForeignAdapter(object)
    }
}

impl Adapter for ForeignAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        from_json(&take(self.0.describe(path.into()))?)
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        let request = to_json(request)?;
        from_json(&take(self.0.children(path.into(), request.as_rstr()))?)
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        take(self.0.plan(path.into(), slice.into()))?.into_option().map(|text| from_json(&text)).transpose()
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        take(self.0.read_into(export_context(cx), path.into(), slice.into(), out.into()))
    }

    fn read_owned(&self, cx: &Context, path: &str, slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        take(self.0.read_owned(export_context(cx), path.into(), slice.into())).map(ROption::into_option)
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        let request = to_json(request)?;
        take(self.0.read_table(export_context(cx), path.into(), request.as_rstr()))
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        let keys = to_json(&form_keys)?;
        let buffers = take(self.0.read_buffers(export_context(cx), path.into(), keys.as_rstr()))?;
        Ok(buffers.into_iter().map(|buffer| (buffer.name.into(), buffer.bytes)).collect())
    }

    fn stored_as(&self, path: &str, format: &str) -> Result<Option<String>> {
        take(self.0.stored_as(path.into(), format.into())).map(|text| text.into_option().map(String::from))
    }

    fn stored_chunk(&self, cx: &Context, path: &str, chunk: &[u64]) -> Result<Option<OwnedBuffer>> {
        take(self.0.stored_chunk(export_context(cx), path.into(), chunk.into())).map(ROption::into_option)
    }

    fn revision(&self, path: &str) -> Result<u64> {
        take(self.0.revision(path.into()))
    }
}
