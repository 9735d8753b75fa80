//! A whole plugin: its readers, serializers and writers by the numbers that the descriptor gives them.

use std::sync::Arc;

use abi_stable::{sabi_trait, sabi_trait::TD_Opaque, std_types::RBox};

use super::{
    AbiResult,
    error::take,
    guard::{Guarded, guard, guard_or},
    reader::{ForeignReader, ReaderObject, export_reader},
    serializer::{ForeignSerializer, SerializerObject, export_serializer},
    writer::{ForeignWriter, WriterObject, export_writer},
};
use crate::{
    author::{Error, Host, Reader, Result, Serializer, Writer},
    export::Offer,
};

#[sabi_trait]
pub trait AbiPlugin: Send + Sync {
    fn reader(&self, id: u32) -> AbiResult<ReaderObject>;
    fn serializer(&self, id: u32) -> AbiResult<SerializerObject>;
    fn writer(&self, id: u32) -> AbiResult<WriterObject>;
    /// Stop your own threads. Objects that are still held stay valid.
    #[sabi(last_prefix_field)]
    fn shutdown(&self);
}

pub type PluginObject = AbiPlugin_TO<'static, RBox<()>>;

struct Export {
    offer: Guarded<Offer>,
    host: Host,
}

fn number<T: ?Sized>(offered: &[Arc<T>], id: u32) -> Result<Arc<T>> {
    offered
        .get(id as usize)
        .cloned()
        .ok_or_else(|| Error::internal(format!("nothing is offered under number {id}")))
}

impl AbiPlugin for Export {
    fn reader(&self, id: u32) -> AbiResult<ReaderObject> {
        guard("reader", || Ok(export_reader(number(&self.offer.readers, id)?, self.host.clone())))
    }

    fn serializer(&self, id: u32) -> AbiResult<SerializerObject> {
        guard("serializer", || Ok(export_serializer(number(&self.offer.serializers, id)?)))
    }

    fn writer(&self, id: u32) -> AbiResult<WriterObject> {
        guard("writer", || Ok(export_writer(number(&self.offer.writers, id)?, self.host.clone())))
    }

    fn shutdown(&self) {
        guard_or((), || {
            if let Some(shutdown) = self.offer.shutdown {
                shutdown();
            }
        });
    }
}

pub fn export_plugin(offer: Offer, host: Host) -> PluginObject {
    AbiPlugin_TO::from_value(Export { offer: Guarded::new(offer), host }, TD_Opaque)
}

/// The other side's plugin.
pub struct ForeignPlugin(PluginObject);

impl ForeignPlugin {
    pub fn new(object: PluginObject) -> Self {
        ForeignPlugin(object)
    }

    /// # Errors
    /// `Internal` when nothing is offered under this number.
    pub fn reader(&self, id: u32) -> Result<Arc<dyn Reader>> {
        Ok(Arc::new(ForeignReader::new(take(self.0.reader(id))?)))
    }

    /// # Errors
    /// As `reader`.
    pub fn serializer(&self, id: u32) -> Result<Arc<dyn Serializer>> {
        Ok(Arc::new(ForeignSerializer::new(take(self.0.serializer(id))?)))
    }

    /// # Errors
    /// As `reader`.
    pub fn writer(&self, id: u32) -> Result<Arc<dyn Writer>> {
        Ok(Arc::new(ForeignWriter::new(take(self.0.writer(id))?)))
    }

    /// Asks the plugin to stop its own threads.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }
}
