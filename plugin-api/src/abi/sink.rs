//! [`Sink`] across the edge.

use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RSlice},
};

use super::{AbiResult, error::take, guard::guard};
use crate::author::{ByteSink, OwnedBuffer, Result, Sink};

#[sabi_trait]
pub trait AbiSink: Send {
    #[sabi(last_prefix_field)]
    fn write(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()>;

    /// The bytes with their owner.
    fn write_owned(&mut self, bytes: OwnedBuffer) -> AbiResult<()> {
        self.write(RSlice::from(&*bytes))
    }
}

pub type SinkObject<'a> = AbiSink_TO<'a, RBox<()>>;

struct Export<'a>(&'a mut Sink);

impl AbiSink for Export<'_> {
    fn write(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<()> {
        guard("Sink::write", || self.0.put(bytes.as_slice()))
    }

    fn write_owned(&mut self, bytes: OwnedBuffer) -> AbiResult<()> {
        guard("Sink::write_owned", || self.0.put_owned(bytes))
    }
}

pub(super) fn export_sink(sink: &mut Sink) -> SinkObject<'_> {
    AbiSink_TO::from_value(Export(sink), TD_Opaque)
}

/// The lifetime is that of one `encode` call: the object is dropped before it returns.
struct Foreign(SinkObject<'static>);

impl ByteSink for Foreign {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        take(self.0.write(bytes.into()))
    }

    fn write_owned(&mut self, bytes: OwnedBuffer) -> Result<()> {
        take(self.0.write_owned(bytes))
    }
}

pub(super) fn import_sink(object: SinkObject<'static>) -> Sink {
    Sink::new(Foreign(object))
}
