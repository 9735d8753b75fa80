//! [`Source`] across the edge.

use std::path::PathBuf;

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, ROption, RSliceMut, RStr, RString},
};

use super::{
    AbiResult,
    error::{from_json, take, to_json},
    guard::{guard, guard_or},
};
use crate::author::{ByteSource, Entry, Error, Result, Source};

#[sabi_trait]
pub trait AbiSource: Send + Sync {
    fn uri(&self) -> RString;
    fn is_directory(&self) -> bool;
    fn len(&self) -> AbiResult<u64>;
    fn read_at(&self, offset: u64, out: RSliceMut<'_, u8>) -> AbiResult<usize>;
    /// JSON list of `Entry`.
    fn list(&self, below: RStr<'_>) -> AbiResult<RString>;
    fn child(&self, relative: RStr<'_>) -> AbiResult<SourceObject>;
    /// UTF-8 only; a path of other bytes is not offered.
    fn local_path(&self) -> ROption<RString>;
    #[sabi(last_prefix_field)]
    fn version(&self) -> AbiResult<u64>;
}

pub type SourceObject = AbiSource_TO<'static, RBox<()>>;

struct Export(Source);

impl AbiSource for Export {
    fn uri(&self) -> RString {
        guard_or(RString::new(), || self.0.uri().into())
    }

    fn is_directory(&self) -> bool {
        guard_or(false, || self.0.is_directory())
    }

    fn len(&self) -> AbiResult<u64> {
        guard("Source::len", || self.0.len())
    }

    fn read_at(&self, offset: u64, mut out: RSliceMut<'_, u8>) -> AbiResult<usize> {
        guard("Source::read_at", || self.0.read_at(offset, out.as_mut_slice()))
    }

    fn list(&self, below: RStr<'_>) -> AbiResult<RString> {
        guard("Source::list", || to_json(&self.0.list(below.as_str())?))
    }

    fn child(&self, relative: RStr<'_>) -> AbiResult<SourceObject> {
        guard("Source::child", || self.0.child(relative.as_str()).map(export_source))
    }

    fn local_path(&self) -> ROption<RString> {
        guard_or(ROption::RNone, || {
            self.0
                .local_path()
                .and_then(|path| path.into_os_string().into_string().ok())
                .map(RString::from)
                .into()
        })
    }

    fn version(&self) -> AbiResult<u64> {
        guard("Source::version", || self.0.version())
    }
}

pub fn export_source(source: Source) -> SourceObject {
    AbiSource_TO::from_value(Export(source), TD_Opaque)
}

struct Foreign(SourceObject);

impl ByteSource for Foreign {
    fn uri(&self) -> String {
        self.0.uri().into()
    }

    fn is_directory(&self) -> bool {
        self.0.is_directory()
    }

    fn len(&self) -> Result<u64> {
        take(self.0.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let room = out.len();
        let got = take(self.0.read_at(offset, out.into()))?;
        if got > room {
            Err(Error::internal("read_at gave more bytes than there was room for"))
        } else {
            Ok(got)
        }
    }

    fn list(&self, below: &str) -> Result<Vec<Entry>> {
        from_json(&take(self.0.list(below.into()))?)
    }

    fn child(&self, relative: &str) -> Result<Source> {
        take(self.0.child(relative.into())).map(import_source)
    }

    fn local_path(&self) -> Option<PathBuf> {
        self.0.local_path().into_option().map(|path| PathBuf::from(path.into_string()))
    }

    fn version(&self) -> Result<u64> {
        take(self.0.version())
    }
}

pub(super) fn import_source(object: SourceObject) -> Source {
    Source::new(Foreign(object))
}
