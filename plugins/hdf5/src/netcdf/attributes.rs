//! Attributes of HDF5 objects with their types, and references to dimensions: what netCDF-4 needs beyond JSON.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};

use hdf5_sys::{
    h5::{H5_index_t, H5_iter_order_t, herr_t},
    h5a::{H5A_info_t, H5Aget_space, H5Aget_type, H5Aiterate2, H5Aopen, H5Aread},
    h5i::{H5Idec_ref, hid_t},
    h5o::{H5O_info2_t, H5Oget_info3},
    h5p::H5P_DEFAULT,
    h5s::{H5Sget_simple_extent_ndims, H5Sget_simple_extent_npoints},
    h5t::{
        H5T_class_t, H5T_direction_t, H5T_sign_t, H5Tget_class, H5Tget_native_type, H5Tget_sign, H5Tget_size,
        H5Tget_super, H5Tis_variable_str, H5Treclaim, hvl_t,
    },
};
use tiled_plugin_api::prelude::{Error, Kind, Result};

use super::number::{Attr, Number};
use crate::hdf5::raw::{Id, sync};

/// What an attribute holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A value with its type.
    Value(Attr),
    /// For each item, the address of the first object in its list.
    References(Vec<Option<u64>>),
    /// Something that only the JSON form is needed of.
    Odd,
}

/// Attributes of one object, at most.
const MAX_ATTRIBUTES: usize = 1 << 16;
/// Bytes of one attribute, at most.
const MAX_BYTES: usize = 16 << 20;

/// An id given back on drop.
struct Owned(hid_t);

impl Owned {
    fn new(id: hid_t) -> Option<Owned> {
        (id >= 0).then_some(Owned(id))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: owned by this value alone; dropped under the lock, as all uses are.
        unsafe { H5Idec_ref(self.0) };
    }
}

/// The address of an object in its file, by which references name it.
///
/// # Errors
/// `InvalidData` when libhdf5 cannot say.
pub(crate) fn address(object: &Id) -> Result<u64> {
    sync(|| {
        // SAFETY: a plain C struct, filled in by the call below.
        let mut info = unsafe { std::mem::zeroed::<H5O_info2_t>() };
        // SAFETY: a valid id and a place for the answer; 1 asks for the basic fields.
        if unsafe { H5Oget_info3(object.get(), &raw mut info, 1) } < 0 {
            return Err(Error::invalid_data("an object's address cannot be read"));
        }
        // SAFETY: a token is 16 plain bytes; in files of HDF5 the first 8 are the address.
        let bytes = unsafe { (&raw const info.token).cast::<[u8; 8]>().read() };
        Ok(u64::from_le_bytes(bytes))
    })
}

/// The attributes of an object in the order in which they were made, else by name.
///
/// # Errors
/// `InvalidData` when they cannot be listed; one that cannot be read is [`Found::Odd`].
pub(crate) fn read_attributes(object: &Id) -> Result<Vec<(String, Found)>> {
    sync(|| {
        let listed = [H5_index_t::H5_INDEX_CRT_ORDER, H5_index_t::H5_INDEX_NAME].into_iter().find_map(|by| {
            let mut names = Vec::<CString>::new();
            let mut index = 0;
            let data = (&raw mut names).cast::<c_void>();
            let order = H5_iter_order_t::H5_ITER_INC;
            // SAFETY: the callback gets `names`, which outlives the call.
            let status = unsafe { H5Aiterate2(object.get(), by, order, &raw mut index, Some(collect), data) };
            (status >= 0).then_some(names)
        });
        let names = listed.ok_or_else(|| Error::invalid_data("the attributes cannot be listed"))?;
        let pairs = names.into_iter().map(|name| {
            let value = read(object, &name).unwrap_or(Found::Odd);
            (name.to_string_lossy().into_owned(), value)
        });
        Ok(pairs.collect())
    })
}

unsafe extern "C" fn collect(
    _: hid_t,
    name: *const c_char,
    _: *const H5A_info_t,
    data: *mut c_void,
) -> herr_t {
    // SAFETY: `data` is the list of `read_attributes`, `name` a C string.
    let (names, name) = unsafe { (&mut *data.cast::<Vec<CString>>(), CStr::from_ptr(name)) };
    names.push(name.to_owned());
    herr_t::from(names.len() >= MAX_ATTRIBUTES)
}

/// An attribute, opened, with its types and extent.
struct Opened {
    attribute: Owned,
    stored: Owned,
    space: Owned,
    rank: i32,
    count: usize,
}

fn read(object: &Id, name: &CStr) -> Option<Found> {
    // SAFETY: a valid id and a C string; the ids that follow are checked as they are made.
    let attribute = Owned::new(unsafe { H5Aopen(object.get(), name.as_ptr(), H5P_DEFAULT) })?;
    // SAFETY: a valid id, here and below.
    let stored = Owned::new(unsafe { H5Aget_type(attribute.0) })?;
    // SAFETY: as above.
    let space = Owned::new(unsafe { H5Aget_space(attribute.0) })?;
    // SAFETY: as above.
    let (rank, count) =
        unsafe { (H5Sget_simple_extent_ndims(space.0), H5Sget_simple_extent_npoints(space.0)) };
    let opened = Opened { attribute, stored, space, rank, count: usize::try_from(count).ok()? };
    if opened.rank > 1 {
        return Some(Found::Odd);
    }
    // SAFETY: as above.
    match unsafe { H5Tget_class(opened.stored.0) } {
        H5T_class_t::H5T_INTEGER | H5T_class_t::H5T_FLOAT | H5T_class_t::H5T_ENUM => numbers(&opened),
        // SAFETY: as above.
        H5T_class_t::H5T_STRING if unsafe { H5Tis_variable_str(opened.stored.0) } > 0 => strings(&opened),
        H5T_class_t::H5T_STRING => characters(&opened),
        H5T_class_t::H5T_VLEN => references(&opened),
        _ => Some(Found::Odd),
    }
}

/// Reads `count` elements of `size` bytes in the layout of `memory`.
fn bytes(opened: &Opened, memory: &Owned, size: usize) -> Option<Vec<u8>> {
    let all = opened.count.checked_mul(size).filter(|all| *all <= MAX_BYTES)?;
    let mut values = vec![0_u8; all];
    if all > 0 {
        // SAFETY: `values` has the bytes of all elements.
        let status = unsafe { H5Aread(opened.attribute.0, memory.0, values.as_mut_ptr().cast()) };
        (status >= 0).then_some(())?;
    }
    Some(values)
}

fn numbers(opened: &Opened) -> Option<Found> {
    // SAFETY: a valid id.
    let native = unsafe { H5Tget_native_type(opened.stored.0, H5T_direction_t::H5T_DIR_ASCEND) };
    let native = Owned::new(native)?;
    // SAFETY: valid ids, here and below.
    let (size, class) = unsafe { (H5Tget_size(native.0), H5Tget_class(native.0)) };
    let kind = match class {
        H5T_class_t::H5T_FLOAT => Kind::Float,
        H5T_class_t::H5T_ENUM => {
            // SAFETY: as above.
            signed(&Owned::new(unsafe { H5Tget_super(native.0) })?)
        }
        _ => signed(&native),
    };
    let Some(number) = Number::of(kind, size as u64) else { return Some(Found::Odd) };
    Some(Found::Value(Attr::Numbers(number, bytes(opened, &native, size)?)))
}

fn signed(integer: &Owned) -> Kind {
    // SAFETY: a valid id.
    if unsafe { H5Tget_sign(integer.0) } == H5T_sign_t::H5T_SGN_2 { Kind::Int } else { Kind::Uint }
}

/// Fixed text: a scalar is netCDF's characters, several are strings.
fn characters(opened: &Opened) -> Option<Found> {
    // SAFETY: a valid id.
    let size = unsafe { H5Tget_size(opened.stored.0) };
    let values = bytes(opened, &opened.stored, size)?;
    if opened.rank == 0 || size == 0 {
        return Some(Found::Value(Attr::Text(String::from_utf8_lossy(&values).replace('\0', ""))));
    }
    let text = |bytes: &[u8]| {
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
    };
    Some(Found::Value(texts(values.chunks_exact(size).map(text).collect())))
}

/// One string bare, several as a list.
fn texts(mut all: Vec<String>) -> Attr {
    if all.len() == 1 { Attr::Text(all.pop().unwrap_or_default()) } else { Attr::Texts(all) }
}

fn strings(opened: &Opened) -> Option<Found> {
    let count =
        opened.count.checked_mul(size_of::<usize>()).filter(|all| *all <= MAX_BYTES)? / size_of::<usize>();
    let mut pointers = vec![std::ptr::null_mut::<c_char>(); count];
    if count > 0 {
        // SAFETY: `pointers` has one for every element.
        let status = unsafe { H5Aread(opened.attribute.0, opened.stored.0, pointers.as_mut_ptr().cast()) };
        (status >= 0).then_some(())?;
    }
    let all = pointers.iter().map(|text| {
        if text.is_null() {
            return String::new();
        }
        // SAFETY: libhdf5 gives C strings.
        unsafe { CStr::from_ptr(*text) }.to_string_lossy().into_owned()
    });
    let found = texts(all.collect());
    reclaim(opened, pointers.as_mut_ptr().cast());
    Some(Found::Value(found))
}

/// Lists of object references, as `DIMENSION_LIST` has one for each axis.
fn references(opened: &Opened) -> Option<Found> {
    // SAFETY: a valid id.
    let base = Owned::new(unsafe { H5Tget_super(opened.stored.0) })?;
    // SAFETY: as above.
    let (class, size) = unsafe { (H5Tget_class(base.0), H5Tget_size(base.0)) };
    if class != H5T_class_t::H5T_REFERENCE || size != 8 || opened.count > 1024 {
        return Some(Found::Odd);
    }
    let mut lists = vec![hvl_t { len: 0, p: std::ptr::null_mut() }; opened.count];
    if opened.count > 0 {
        // SAFETY: `lists` has one for every element.
        let status = unsafe { H5Aread(opened.attribute.0, opened.stored.0, lists.as_mut_ptr().cast()) };
        (status >= 0).then_some(())?;
    }
    let first = |list: &hvl_t| {
        if list.len == 0 || list.p.is_null() {
            return None;
        }
        // SAFETY: libhdf5 put `len` references of 8 bytes here.
        Some(unsafe { list.p.cast::<u64>().read_unaligned() })
    };
    let found = lists.iter().map(first).collect();
    reclaim(opened, lists.as_mut_ptr().cast());
    Some(Found::References(found))
}

fn reclaim(opened: &Opened, values: *mut c_void) {
    if opened.count > 0 {
        // SAFETY: frees what the read allocated, once.
        unsafe { H5Treclaim(opened.stored.0, opened.space.0, H5P_DEFAULT, values) };
    }
}
