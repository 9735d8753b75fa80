//! Reads through libhdf5, for layouts, filters and conversions that our own path does not know.

use std::ffi::{CStr, c_char, c_int, c_void};

use hdf5_sys::{
    h5::{herr_t, hsize_t},
    h5d::{H5Dget_space, H5Dread},
    h5i::hid_t,
    h5p::H5P_DEFAULT,
    h5s::{H5S_ALL, H5S_seloper_t, H5Screate_simple, H5Sselect_hyperslab},
    h5t::{H5Tget_size, H5Tis_variable_str, H5Treclaim},
};
use tiled_plugin_api::prelude::{Error, Result};

use super::{Id, OpenDataset, Space, check, dataset::extent, sync};

/// A part of a dataset: start, step, count per axis; `None` for all of it.
pub(crate) type Selection<'a> = Option<&'a [(u64, u64, u64)]>;

/// Reads through libhdf5 in the layout of `memory` (the dataset's own type, or its native one).
pub(crate) fn read_raw(dataset: &OpenDataset, memory: &Id, part: Selection, out: &mut [u8]) -> Result<()> {
    sync(|| {
        let (file_space, memory_space, count) = spaces(dataset, part)?;
        // SAFETY: a valid id.
        let size = unsafe { H5Tget_size(memory.get()) };
        if count.checked_mul(size) != Some(out.len()) {
            return Err(Error::internal("the buffer does not fit the selection"));
        }
        let into = out.as_mut_ptr().cast::<c_void>();
        let (f, m) = (space_id(file_space.as_ref()), space_id(memory_space.as_ref()));
        // SAFETY: `out` has the bytes of the selection, checked above.
        check(
            unsafe { H5Dread(dataset.id().get(), memory.get(), m, f, H5P_DEFAULT, into) },
            "read the values",
        )
    })
}

/// Reads texts of any length through libhdf5, each up to its first NUL.
pub(crate) fn read_text(dataset: &OpenDataset, memory: &Id, part: Selection) -> Result<Vec<Vec<u8>>> {
    sync(|| {
        let (file_space, memory_space, count) = spaces(dataset, part)?;
        // SAFETY: a valid id.
        if unsafe { H5Tis_variable_str(memory.get()) } <= 0 {
            return Err(Error::internal("not a type of texts"));
        }
        let mut texts = vec![std::ptr::null_mut::<c_char>(); count];
        let into = texts.as_mut_ptr().cast::<c_void>();
        let (f, m) = (space_id(file_space.as_ref()), space_id(memory_space.as_ref()));
        // SAFETY: `texts` has a pointer for every element of the selection.
        let status = unsafe { H5Dread(dataset.id().get(), memory.get(), m, f, H5P_DEFAULT, into) };
        check(status, "read the texts")?;
        let copies = texts.iter().map(|text| {
            if text.is_null() {
                return vec![];
            }
            // SAFETY: libhdf5 gives C strings.
            unsafe { CStr::from_ptr(*text) }.to_bytes().to_vec()
        });
        let copies = copies.collect();
        let one = count as hsize_t;
        let none = std::ptr::null();
        // SAFETY: one number per axis.
        let space = unsafe { Id::own(H5Screate_simple(1, &raw const one, none), "make a dataspace")? };
        // SAFETY: frees what the read allocated, once.
        unsafe { H5Treclaim(memory.get(), space.get(), H5P_DEFAULT, into) };
        Ok(copies)
    })
}

fn space_id(space: Option<&Id>) -> hid_t {
    space.map_or(H5S_ALL, Id::get)
}

/// The dataspaces of a selection in file and memory, and how many elements it has.
fn spaces(dataset: &OpenDataset, part: Selection) -> Result<(Option<Id>, Option<Id>, usize)> {
    // SAFETY: a valid id.
    let space = unsafe { Id::own(H5Dget_space(dataset.id().get()), "read the dataset's extent")? };
    let dims = match extent(&space)? {
        Space::Null => return Err(Error::invalid_data("the dataset has no elements at all")),
        Space::Scalar => vec![],
        Space::Simple(dims) => dims,
    };
    let Some(part) = part.filter(|_| !dims.is_empty()) else {
        return Ok((None, None, elements(dims.iter().copied())?));
    };
    if part.len() != dims.len() {
        return Err(Error::internal("the selection has not the dataset's axes"));
    }
    let count = elements(part.iter().map(|p| p.2))?;
    let start: Vec<hsize_t> = part.iter().map(|p| p.0).collect();
    let stride: Vec<hsize_t> = part.iter().map(|p| p.1).collect();
    let counts: Vec<hsize_t> = part.iter().map(|p| p.2).collect();
    let set = H5S_seloper_t::H5S_SELECT_SET;
    let (a, b, c) = (start.as_ptr(), stride.as_ptr(), counts.as_ptr());
    // SAFETY: each has one number per axis.
    let status: herr_t = unsafe { H5Sselect_hyperslab(space.get(), set, a, b, c, std::ptr::null()) };
    check(status, "select a part of the dataset")?;
    let rank = c_int::try_from(counts.len()).map_err(Error::internal)?;
    // SAFETY: as above.
    let memory = unsafe { Id::own(H5Screate_simple(rank, c, std::ptr::null()), "make a dataspace")? };
    Ok((Some(space), Some(memory), count))
}

fn elements(counts: impl Iterator<Item = u64>) -> Result<usize> {
    let mut all = 1_usize;
    for n in counts {
        let n = usize::try_from(n).ok();
        all = n
            .and_then(|n| all.checked_mul(n))
            .ok_or_else(|| Error::invalid_data("the extent is too large"))?;
    }
    Ok(all)
}
