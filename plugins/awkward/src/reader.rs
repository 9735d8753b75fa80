//! A directory with one file per buffer.

use std::sync::Arc;

use tiled_plugin_api::{
    author::{Adapter, Buffers, Context, Error, ErrorKind, OpenRequest, OwnedBuffer, Reader, Result, Source},
    model::{AwkwardStructure, Description, StructureFamily},
};

use crate::form::Form;

/// Opens directories of buffers. Form and length come from the catalog: the files do not tell them.
pub struct BuffersReader;

impl Reader for BuffersReader {
    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        let Some(structure) = &request.structure else {
            return Err(Error::unsupported_format(
                "The buffers of an awkward array do not tell its form: register it with its structure",
            ));
        };
        let structure: AwkwardStructure =
            serde_json::from_value(structure.clone()).map_err(Error::internal)?;
        let names = Form::parse(&structure.form)?.buffers();
        Ok(Box::new(AwkwardBuffers { structure, names: names.into(), directory: request.source().clone() }))
    }
}

/// Times that a buffer is looked for again when its file is replaced meanwhile.
const MAX_TRIES: usize = 16;

struct AwkwardBuffers {
    structure: AwkwardStructure,
    names: Arc<[String]>,
    directory: Source,
}

impl Adapter for AwkwardBuffers {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Awkward, &self.structure)
    }

    fn read_buffers(&self, cx: &Context, path: &str, form_keys: &[String]) -> Result<Buffers> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        let wanted = |name: &&String| {
            form_keys.is_empty() || form_keys.iter().any(|key| name.starts_with(key.as_str()))
        };
        let mut buffers = Vec::new();
        for name in self.names.iter().filter(wanted) {
            cx.check()?;
            buffers.push((name.clone(), self.read(name)?));
        }
        Ok(buffers)
    }
}

impl AwkwardBuffers {
    fn read(&self, name: &str) -> Result<OwnedBuffer> {
        let read = || self.directory.child(name)?.read_all(u64::MAX);
        let mut result = read();
        for _ in 0..MAX_TRIES {
            // A writer has replaced the file since it was found.
            match result {
                Err(error) if error.kind == ErrorKind::Busy => result = read(),
                _ => break,
            }
        }
        match result {
            Ok(bytes) => Ok(OwnedBuffer::from_vec(bytes)),
            Err(error) if error.kind == ErrorKind::NotFound => {
                Err(Error::invalid_data(format!("Buffer {name} has not been stored")).with_detail(error))
            }
            Err(error) => Err(error.within(format!("buffer {name}"))),
        }
    }
}
