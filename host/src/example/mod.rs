//! Example files of the shipped formats, for a first look: encoded by the plugins that will read them, or written here
//! where a format is a few lines of text or a header before the values.
//!
//! Takes a folder; gives files, the same ones every time. Never touches what is there already under another name.

mod memory;
mod plain;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tiled_plugin_api::{
    author::{ByteSink, Context, EncodeRequest, Error, Payload, Result, Sink},
    model::{Description, StructureFamily},
};

use self::memory::Memory;
use crate::{config::PluginsConfig, plugin::Plugins, source::Roots};

/// Frames of the example sequence.
const FRAMES: u32 = 8;

/// Why example files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// The file system refuses.
    #[error("{path}: {source}")]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The plugins cannot be loaded.
    #[error(transparent)]
    Plugins(#[from] crate::plugin::PluginError),
    /// A plugin cannot encode what it should.
    #[error("{path}: {source}")]
    Encode {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Error,
    },
}

/// Writes example files into a folder, which is made when it is not there. Formats without a plugin are left out.
///
/// # Errors
/// Which file could not be written, and why.
pub fn generate(folder: &Path, plugins: Option<&Path>) -> std::result::Result<(), ExampleError> {
    let config = plugins.map_or_else(PluginsConfig::default, PluginsConfig::in_directory);
    let writer = ExampleWriter { folder, plugins: Plugins::load(&config, &Roots::default())? };
    writer.images()?;
    writer.tables()?;
    writer.scan()?;
    for (name, bytes) in plain::files() {
        writer.put(name, &bytes)?;
    }
    Ok(())
}

struct ExampleWriter<'a> {
    folder: &'a Path,
    plugins: Plugins,
}

impl ExampleWriter<'_> {
    fn images(&self) -> std::result::Result<(), ExampleError> {
        for number in 0..FRAMES {
            let frame = values::frame(number, FRAMES);
            self.array(&format!("images/tomography/frame_{number:04}.tif"), "image/tiff", frame)?;
        }
        self.array("images/spots.tif", "image/tiff", values::spots())?;
        self.array("images/rings.png", "image/png", values::rings())
    }

    fn tables(&self) -> std::result::Result<(), ExampleError> {
        const FILES: [(&str, &str); 4] = [
            ("tables/weather.csv", "text/csv"),
            ("tables/motors.parquet", "application/x-parquet"),
            ("tables/detectors.arrow", "application/vnd.apache.arrow.file"),
            ("tables/samples.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ];
        for (number, (name, media_type)) in (0..).zip(FILES) {
            let (structure, rows) = values::table(number).map_err(|e| self.failed(name, e))?;
            let description =
                Description::new(StructureFamily::Table, &structure).map_err(|e| self.failed(name, e))?;
            self.encode(name, media_type, description, Payload::Table(rows))?;
        }
        Ok(())
    }

    /// A scan as beamlines keep them: groups, attributes, arrays of several types.
    fn scan(&self) -> std::result::Result<(), ExampleError> {
        let tree = values::scan();
        let description = Description::container(1).with_metadata(scan_metadata());
        self.encode(
            "scans/scan_001.h5",
            "application/x-hdf5",
            description,
            Payload::Node(std::sync::Arc::new(tree)),
        )
    }

    fn array(&self, name: &str, media_type: &str, array: Memory) -> std::result::Result<(), ExampleError> {
        let description = array.root().map_err(|e| self.failed(name, e))?;
        self.encode(name, media_type, description, Payload::Array(array.into_slabs()))
    }

    fn encode(
        &self,
        name: &str,
        media_type: &str,
        description: Description,
        payload: Payload,
    ) -> std::result::Result<(), ExampleError> {
        let Some(serializer) = self.plugins.serializer_for(description.structure_family.name(), media_type)
        else {
            return Ok(());
        };
        let request = EncodeRequest {
            media_type: media_type.to_owned(),
            structure_family: description.structure_family,
            structure: description.structure,
            metadata: description.metadata,
            specs: vec![],
            key: stem(name),
            fields: None,
        };
        let bytes = Bytes::default();
        let mut sink = Sink::new(bytes.clone());
        let encoded =
            serializer.encode(&Context::unbounded(), &request, payload, &mut sink).and_then(|()| sink.push());
        encoded.map_err(|error| self.failed(name, error))?;
        self.put(name, &bytes.take())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> std::result::Result<(), ExampleError> {
        let path = self.folder.join(name);
        let parent = path.parent().unwrap_or(self.folder);
        let failed = |source| ExampleError::Write { path: path.clone(), source };
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes)).map_err(failed)
    }

    fn failed(&self, name: &str, source: Error) -> ExampleError {
        ExampleError::Encode { path: self.folder.join(name), source }
    }
}

fn stem(name: &str) -> String {
    Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Encoded bytes, collected.
#[derive(Clone, Default)]
struct Bytes(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Bytes {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl ByteSink for Bytes {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }
}

/// Metadata of the scan's root.
fn scan_metadata() -> Value {
    json!({"title": "Fly scan of a test sample", "sample": "LaB6", "thickness_mm": 0.5, "plan": "fly"})
}
