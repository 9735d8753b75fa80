//! Keeps awkward arrays: a directory with one file per buffer, as Tiled does. Clients send the buffers as a ZIP file.
//!
//! Each buffer is replaced as a whole; a reader that is at it while an array is written a second time may find buffers of
//! both. Names of files come from the form, never from the ZIP file.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tiled_plugin_api::{
    author::{
        Context, CreateRequest, Created, CreatedAsset, Error, ErrorKind, OpenRequest, Payload, Result,
        Storage, WriteRequest, Writer,
    },
    disk::{Replacements, make_empty_directory, path_of, remove_directory},
    model::{AwkwardStructure, SliceDim, StructureFamily},
};
use zip::ZipArchive;

use crate::form::Form;

/// Offers storage for `application/x-awkward-buffers`, in directories.
pub struct BuffersWriter;

/// What a compressed body may hold beyond its own size.
const MAX_INFLATED_BYTES: u64 = 256 << 20;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// Names of the buffers of a structure.
fn names(structure: &Value) -> Result<BTreeSet<String>> {
    let structure: AwkwardStructure = serde_json::from_value(structure.clone())
        .map_err(|e| invalid(format!("no structure of an awkward array: {e}")))?;
    let names = Form::parse(&structure.form)?.buffers();
    let is_plain = |name: &String| !name.contains(['/', '\0']) && !name.starts_with(['.', '-']);
    match names.iter().find(|name| !is_plain(name)) {
        None => Ok(names.into_iter().collect()),
        Some(name) => {
            Err(invalid(format!("{name:?} cannot be the name of a buffer: choose other form keys")))
        }
    }
}

fn directory(request: &OpenRequest) -> Result<PathBuf> {
    let path = request.source().local_path();
    path.ok_or_else(|| Error::unsupported("keeping buffers in what is no local directory"))
}

impl Writer for BuffersWriter {
    fn create(&self, _cx: &Context, request: &CreateRequest) -> Result<Created> {
        if request.structure_family != StructureFamily::Awkward {
            let message = format!("Buffers are kept of awkward arrays, not of {}", request.structure_family);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        names(&request.structure)?;
        make_empty_directory(&path_of(&request.storage_uri)?)?;
        Ok(Created::as_requested(request, vec![CreatedAsset::only(&request.storage_uri, true)]))
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        let structure = request.structure.as_ref();
        let structure = structure.ok_or_else(|| invalid("The catalog has no form for these buffers"))?;
        let state = Mutex::default();
        Ok(Box::new(Buffers { names: names(structure)?, directory: directory(&request)?, state }))
    }

    fn delete(&self, _cx: &Context, request: OpenRequest) -> Result<()> {
        let path = directory(&request)?;
        let known = request.structure.as_ref().map_or_else(|| Ok(BTreeSet::new()), names)?;
        let is_there = match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e.into()),
            Ok(meta) => meta.is_dir(),
        };
        if !is_there || !is_made_here(&path, &known)? {
            let message = format!(
                "{} holds other than an awkward array, so it is not removed",
                request.source().name()
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        remove_directory(&path, &[])
    }
}

/// Whether there is nothing but buffers, and what a crash may have left of them.
fn is_made_here(directory: &Path, known: &BTreeSet<String>) -> Result<bool> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = known.contains(&name) || (name.starts_with('.') && name.ends_with(".part"));
        if !is_ours || !entry.file_type()?.is_file() {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Buffers {
    names: BTreeSet<String>,
    directory: PathBuf,
    state: Mutex<Replacements>,
}

impl Buffers {
    fn state(&self) -> MutexGuard<'_, Replacements> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the buffers of a ZIP file beside those that are there.
    fn unpack(&self, cx: &Context, zip: &[u8]) -> Result<Replacements> {
        let bad = |e: zip::result::ZipError| invalid(format!("The body is no sound ZIP file: {e}"));
        let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(bad)?;
        let mut missing = self.names.clone();
        let mut left = MAX_INFLATED_BYTES.saturating_add(zip.len() as u64);
        let mut files = Replacements::default();
        for place in 0..archive.len() {
            cx.check()?;
            let entry = archive.by_index(place).map_err(bad)?;
            let name = entry.name().map_err(bad)?.into_owned();
            if !missing.remove(&name) {
                return Err(invalid(format!("The form has no buffer {name:?}, or it was sent twice")));
            }
            let (size, mut bytes) = (entry.size(), Vec::new());
            if size > left {
                let message = "The buffers are much larger than the body: send them uncompressed";
                return Err(Error::new(ErrorKind::TooLarge, message));
            }
            let read = entry.take(size.saturating_add(1)).read_to_end(&mut bytes);
            read.map_err(|e| invalid(format!("Buffer {name} of the ZIP file is damaged: {e}")))?;
            if bytes.len() as u64 != size {
                return Err(invalid(format!("Buffer {name} of the ZIP file has not the length it says")));
            }
            left -= size;
            files.write(&self.directory.join(&name), &[&bytes])?;
        }
        match missing.first() {
            None => Ok(files),
            Some(name) => Err(invalid(format!("Buffer {name:?} of the form was not sent"))),
        }
    }
}

impl Storage for Buffers {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        _slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let Payload::Body { media_type, bytes } = payload else {
            return Err(invalid("An awkward array is written as application/zip"));
        };
        if media_type != "application/zip" {
            let message = format!("An awkward array is written as application/zip, not {media_type}");
            return Err(Error::unsupported_format(message));
        }
        if request.append || request.block.is_some() || request.extend_to.is_some() {
            return Err(Error::unsupported("writing parts of an awkward array"));
        }
        *self.state() = self.unpack(cx, &bytes)?;
        Ok(None)
    }

    fn prepare(&self) -> Result<()> {
        self.state().sync()
    }

    fn commit(&self) -> Result<()> {
        self.state().commit()
    }

    fn abort(&self) -> Result<()> {
        *self.state() = Replacements::default();
        Ok(())
    }
}
