//! The edge to libhdf5: the only room here with `unsafe` code.
//!
//! Takes names, ids and buffers; gives owned ids, plain descriptions ([`TypeInfo`], [`Space`], [`LinkKind`]) and bytes.
//! Every call holds libhdf5's global lock. Never follows a link to another file: the driver refuses every file but the
//! one that is being opened.
#![allow(unsafe_code)]

mod attribute;
mod dataset;
mod driver;
mod group;
mod heap;
mod local_heap;
mod names;
mod types;
mod values;

pub(crate) use attribute::attributes;
pub(crate) use dataset::{
    ChunkRecord, OpenDataset, RawLayout, Selected, Space, chunk_record_at, chunk_records, create_info,
    open_dataset,
};
pub(crate) use driver::{FileBytes, Sizes, file_sizes, open_file};
pub(crate) use group::{LinkKind, ObjectKind, link_kind, list_links, object_kind, open_child, open_root};
pub(crate) use names::object_names;
pub(crate) use types::{Class, Member, Order, Pad, TypeInfo, describe_type, native_type};
pub(crate) use values::{read_raw, read_text};

use std::ffi::CString;

use hdf5_sys::{h5::herr_t, h5i::H5Idec_ref, h5i::hid_t};
use tiled_plugin_api::prelude::{Error, Result};

pub(crate) use hdf5::sync::sync;

/// One id of libhdf5, given back on drop.
#[derive(Debug)]
pub(crate) struct Id(hid_t);

impl Id {
    /// Takes what a function returned; a negative number is its error.
    fn own(id: hid_t, what: &str) -> Result<Id> {
        if id < 0 { Err(failure(what)) } else { Ok(Id(id)) }
    }

    /// The number, for calls that borrow it.
    pub(crate) fn get(&self) -> hid_t {
        self.0
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        // SAFETY: the id was owned by this value alone and is given back once, under the lock.
        sync(|| unsafe { H5Idec_ref(self.0) });
    }
}

/// Turns a negative status into an error.
fn check(status: herr_t, what: &str) -> Result<()> {
    if status < 0 { Err(failure(what)) } else { Ok(()) }
}

/// `InvalidData` with libhdf5's own words for the log.
fn failure(what: &str) -> Error {
    let detail = hdf5::Error::query().map_or_else(|e| e.to_string(), |e| e.to_string());
    Error::invalid_data(format!("cannot {what}")).with_detail(detail)
}

fn c_text(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::not_found(format!("{name:?}: names in HDF5 hold no NUL")))
}

/// Silences libhdf5's own messages, forbids it to load filter plugins, and lends it our decoders.
pub(crate) fn set_up() {
    hdf5::silence_errors(true);
    // SAFETY: a plain call; 0 allows no kind of plugin.
    sync(|| unsafe { H5PLset_loading_state(0) });
    crate::filters::register_with_libhdf5();
}

unsafe extern "C" {
    // The binding takes a pointer; the header says `unsigned`.
    fn H5PLset_loading_state(mask: std::ffi::c_uint) -> herr_t;
}
