//! HDF5 and NeXus files.
//!
//! Takes a file and a path inside it, gives nodes and values. libhdf5 tells the structure ([`raw`]); values are read
//! by position and decoded here, without its lock ([`read`], [`chunks`]). Never follows a link to another file by
//! itself ([`links`]), never keeps what a writer may have changed ([`file`]).

mod adapter;
mod boxes;
mod chunks;
pub(crate) mod dataset;
mod element;
pub(crate) mod file;
mod json;
pub(crate) mod links;
mod numbers;
pub(crate) mod raw;
pub(crate) mod read;
mod reshape;
mod text;
mod view;
mod virtuals;

use std::sync::Once;

use serde_json::Value;
use tiled_plugin_api::prelude::*;

use adapter::Hdf5Adapter;
use file::{H5File, SIGNATURE};
use links::Linked;
use view::Cut;

/// Reads HDF5 files.
///
/// Parameters, as Tiled's: `dataset` (a path, or a list of keys) is the object that is served; `slice` (NumPy
/// indexing) and `squeeze` cut it where it is an array; `swmr` says that the file grows under a writer in SWMR mode.
/// `libver` and `locking` are accepted and have no effect: the file is never locked.
pub struct Hdf5Reader;

impl Reader for Hdf5Reader {
    fn sniff(&self, _source: &Source, head: &[u8]) -> u32 {
        let at = |start: usize| head.get(start..).is_some_and(|rest| rest.starts_with(&SIGNATURE));
        if at(0) {
            90
        } else if [512, 1024, 2048].into_iter().any(at) {
            80
        } else {
            0
        }
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Adapter>> {
        prepare();
        let swmr = request.parameters.get("swmr").and_then(Value::as_bool).unwrap_or(false);
        let mut files = Vec::with_capacity(request.assets.len());
        let several = request.assets.iter().any(|a| a.parameter == "data_uris");
        for asset in request.assets.iter().filter(|a| !several || a.parameter == "data_uris") {
            files.push(H5File::open(asset.source.clone(), swmr)?);
            if !several {
                break;
            }
        }
        let mut files = files.into_iter();
        let root = files.next().ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "no file was given"))?;
        let linked = Linked::new(root, request.host.clone(), swmr);
        let declared = request.structure.as_ref().and_then(|s| serde_json::from_value(s.clone()).ok());
        let adapter = Hdf5Adapter::new(linked, files.collect(), dataset(&request)?, cut(&request)?);
        Ok(Box::new(adapter.declared(declared)))
    }
}

/// Sets libhdf5 up, once: its errors are ours to report, and it loads no plugins of its own.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(raw::set_up);
}

fn wrong(name: &str, wanted: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the parameter {name:?} must be {wanted}"))
}

fn dataset(request: &OpenRequest) -> Result<String> {
    let path = match request.parameters.get("dataset") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(path)) => path.clone(),
        Some(Value::Array(keys)) => {
            let keys: Option<Vec<&str>> = keys.iter().map(Value::as_str).collect();
            keys.ok_or_else(|| wrong("dataset", "a path or a list of keys"))?.join("/")
        }
        Some(_) => return Err(wrong("dataset", "a path or a list of keys")),
    };
    Ok(path.trim_matches('/').to_owned())
}

fn cut(request: &OpenRequest) -> Result<Cut> {
    let slice = match request.parameters.get("slice") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(wrong("slice", "NumPy indexing as text, such as \"0:10, ...\"")),
    };
    let squeeze = request.parameters.get("squeeze").and_then(Value::as_bool).unwrap_or(false);
    Ok(Cut { slice, squeeze })
}
