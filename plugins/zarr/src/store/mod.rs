//! Keeps arrays: version 3 stores of its own, and those that Tiled or others made, of both versions.
//!
//! A write makes new files beside the chunks it changes; a commit syncs them, renames them into place, and replaces the
//! metadata of an extended array last. A chunk of which only a part is written is read first, and a damaged one refuses
//! the write. Nothing is locked between a write and its commit: see [`changes`].

mod changes;
mod create;
mod region;
mod storage;

use std::{fs, path::Path};

use tiled_plugin_api::{
    author::{
        Context, CreateRequest, Created, CreatedAsset, Error, ErrorKind, OpenRequest, Result, Storage, Writer,
    },
    disk::{Replacements, make_empty_directory, path_of, remove_directory},
    model::{ArrayStructure, StructureFamily},
};

use crate::{
    meta::{parse, to_text},
    tree::MARKERS,
};

/// Offers storage for `application/x-zarr`, in directories.
pub struct ZarrWriter;

impl Writer for ZarrWriter {
    fn create(&self, _cx: &Context, request: &CreateRequest) -> Result<Created> {
        if request.structure_family != StructureFamily::Array {
            let message = format!("Zarr keeps arrays, not {}", request.structure_family);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let structure: ArrayStructure = serde_json::from_value(request.structure.clone())
            .map_err(|e| Error::new(ErrorKind::InvalidArgument, format!("no structure of an array: {e}")))?;
        let text = to_text(&create::zarr_json(&structure)?)?;
        let directory = path_of(&request.storage_uri)?;
        make_empty_directory(&directory)?;
        let mut files = Replacements::default();
        let written =
            files.write(&directory.join("zarr.json"), &[text.as_bytes()]).and_then(|()| files.commit());
        if let Err(error) = written {
            drop(files);
            // It was empty and is again; where it cannot be removed it can be used.
            let _ = fs::remove_dir(&directory);
            return Err(error);
        }
        Ok(Created::as_requested(request, vec![CreatedAsset::only(&request.storage_uri, true)]))
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        Ok(Box::new(storage::ZarrStorage::open(&request)?))
    }

    fn delete(&self, _cx: &Context, request: OpenRequest) -> Result<()> {
        let Some(path) = request.source().local_path() else {
            return Err(Error::unsupported("removing what is no local directory"));
        };
        let name = request.source().name();
        match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Ok(meta) if meta.is_dir() && is_array(&path) => {}
            _ => {
                let message = format!("{name} is not a Zarr array, so it is not removed");
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        remove_directory(&path, &MARKERS)
    }
}

/// Whether a directory is an array of either version, or nothing yet.
fn is_array(path: &Path) -> bool {
    if path.join(".zarray").is_file() {
        return true;
    }
    match fs::read(path.join("zarr.json")) {
        Ok(text) => parse(&text).is_ok_and(|meta| meta.get("node_type").is_some_and(|node| node == "array")),
        Err(_) => path.read_dir().is_ok_and(|mut entries| entries.next().is_none()),
    }
}
