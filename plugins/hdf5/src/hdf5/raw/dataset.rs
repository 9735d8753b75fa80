//! Datasets: extent, layout, filters, chunk index.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use hdf5_sys::{
    h5::{haddr_t, hsize_t},
    h5d::{
        H5D_fill_value_t, H5D_layout_t, H5Dchunk_iter, H5Dget_chunk_info_by_coord, H5Dget_create_plist,
        H5Dget_num_chunks, H5Dget_offset, H5Dget_space, H5Dget_storage_size, H5Dget_type,
    },
    h5p::{
        H5P_DEFAULT, H5Pfill_value_defined, H5Pget_chunk, H5Pget_chunk_opts, H5Pget_external,
        H5Pget_external_count, H5Pget_fill_value, H5Pget_filter2, H5Pget_layout, H5Pget_nfilters,
        H5Pget_virtual_count, H5Pget_virtual_dsetname, H5Pget_virtual_filename, H5Pget_virtual_srcspace,
        H5Pget_virtual_vspace,
    },
    h5s::{
        H5S_ALL, H5S_class_t, H5S_sel_type, H5Sget_regular_hyperslab, H5Sget_select_type,
        H5Sget_simple_extent_dims, H5Sget_simple_extent_ndims, H5Sget_simple_extent_type,
        H5Sis_regular_hyperslab,
    },
    h5t::{H5T_class_t, H5Tget_class, H5Tget_size, H5Tis_variable_str},
};
use tiled_plugin_api::prelude::{Error, Result};

use super::{Id, check, failure, sync};
use crate::filters::Filter;

/// The extent of a dataspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Space {
    /// Nothing at all (`h5py.Empty`).
    Null,
    /// One element.
    Scalar,
    /// Axes.
    Simple(Vec<u64>),
}

/// Where the elements lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawLayout {
    /// One after the other from this address on; `None`: nothing was written.
    Contiguous(Option<u64>),
    /// In chunks of this shape; `edges_raw`: chunks at the edges are not filtered.
    Chunked { shape: Vec<u64>, filters: Vec<Filter>, edges_raw: bool },
    /// In other files: name, offset, bytes.
    External(Vec<(String, u64, u64)>),
    /// Made of other datasets.
    Virtual(Vec<(Selected, String, String, Selected)>),
    /// Where only libhdf5 gets at them.
    Inside,
}

/// Part of an extent that a virtual dataset maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selected {
    /// All of it.
    All,
    /// Blocks at regular distances: start, stride, count, block per axis. A count of `u64::MAX` goes on without end.
    Regular(Vec<[u64; 4]>),
    /// Anything else.
    Odd,
}

/// The id of the dataset's type, its extent, layout, and fill value in the bytes of the file (empty: zeros).
pub(crate) struct Created {
    pub(crate) type_id: Id,
    pub(crate) space: Space,
    pub(crate) layout: RawLayout,
    pub(crate) fill: Vec<u8>,
}

/// A dataset that libhdf5 has opened.
pub(crate) struct OpenDataset(Id);

impl OpenDataset {
    /// Its id, for calls that borrow it.
    pub(super) fn id(&self) -> &Id {
        &self.0
    }
}

/// Takes an opened object that is a dataset.
pub(crate) fn open_dataset(object: Id) -> OpenDataset {
    OpenDataset(object)
}

/// Everything about a dataset but its values.
pub(crate) fn create_info(dataset: &OpenDataset) -> Result<Created> {
    let id = &dataset.0;
    sync(|| {
        // SAFETY: a valid id, here and below.
        let list = unsafe { Id::own(H5Dget_create_plist(id.get()), "read the dataset's properties")? };
        // SAFETY: as above.
        let type_id = unsafe { Id::own(H5Dget_type(id.get()), "read the dataset's type")? };
        // SAFETY: as above.
        let space = unsafe { Id::own(H5Dget_space(id.get()), "read the dataset's extent")? };
        let space = extent(&space)?;
        let layout = layout(id, &list)?;
        let fill = fill_value(&list, &type_id)?;
        Ok(Created { type_id, space, layout, fill })
    })
}

pub(super) fn extent(space: &Id) -> Result<Space> {
    // SAFETY: a valid id, here and below.
    match unsafe { H5Sget_simple_extent_type(space.get()) } {
        H5S_class_t::H5S_NULL => Ok(Space::Null),
        H5S_class_t::H5S_SCALAR => Ok(Space::Scalar),
        H5S_class_t::H5S_SIMPLE => {
            // SAFETY: as above.
            let rank = unsafe { H5Sget_simple_extent_ndims(space.get()) };
            let mut dims = vec![0; usize::try_from(rank).map_err(|_| failure("read the axes"))?];
            let none = std::ptr::null_mut();
            // SAFETY: `dims` has place for every axis.
            if unsafe { H5Sget_simple_extent_dims(space.get(), dims.as_mut_ptr(), none) } < 0 {
                return Err(failure("read the axes"));
            }
            Ok(Space::Simple(dims))
        }
        _ => Err(failure("read the extent")),
    }
}

fn layout(id: &Id, list: &Id) -> Result<RawLayout> {
    // SAFETY: valid ids, here and below.
    match unsafe { H5Pget_layout(list.get()) } {
        H5D_layout_t::H5D_CONTIGUOUS => {
            let segments = external_segments(list)?;
            if !segments.is_empty() {
                return Ok(RawLayout::External(segments));
            }
            // Behind a user block "no address" is shifted like any other, so the size is asked for as well.
            // SAFETY: as above.
            let (address, size) = unsafe { (H5Dget_offset(id.get()), H5Dget_storage_size(id.get())) };
            Ok(RawLayout::Contiguous((size > 0 && address != haddr_t::MAX).then_some(address)))
        }
        H5D_layout_t::H5D_CHUNKED => {
            let mut shape = vec![0_u64; 32];
            // SAFETY: `shape` has place for 32 axes, the most there are.
            let rank = unsafe { H5Pget_chunk(list.get(), 32, shape.as_mut_ptr()) };
            shape.truncate(usize::try_from(rank).map_err(|_| failure("read the chunk shape"))?);
            if shape.contains(&0) {
                return Err(Error::invalid_data("a chunk has an axis of length 0"));
            }
            let mut options: c_uint = 0;
            // SAFETY: as above, with a place for the answer.
            let edges_raw =
                unsafe { H5Pget_chunk_opts(list.get(), &raw mut options) } >= 0 && options & 2 != 0;
            Ok(RawLayout::Chunked { shape, filters: filters(list)?, edges_raw })
        }
        H5D_layout_t::H5D_VIRTUAL => virtual_mappings(list),
        H5D_layout_t::H5D_COMPACT => Ok(RawLayout::Inside),
        _ => Err(failure("read the layout")),
    }
}

fn filters(list: &Id) -> Result<Vec<Filter>> {
    // SAFETY: a valid id.
    let count = unsafe { H5Pget_nfilters(list.get()) };
    let count = c_uint::try_from(count).map_err(|_| failure("count the filters"))?;
    (0..count).map(|i| filter(list, i)).collect()
}

fn filter(list: &Id, i: c_uint) -> Result<Filter> {
    let mut values = vec![0 as c_uint; 64];
    loop {
        let mut count = values.len();
        let (mut flags, mut config) = (0, 0);
        let name = std::ptr::null_mut();
        // SAFETY: `values` has place for `count` numbers; the name is not wanted.
        let id = unsafe {
            let into = values.as_mut_ptr();
            H5Pget_filter2(list.get(), i, &raw mut flags, &raw mut count, into, 0, name, &raw mut config)
        };
        let id = u32::try_from(id).map_err(|_| failure("read a filter"))?;
        if count <= values.len() {
            values.truncate(count);
            return Ok(Filter { id, cd_values: values });
        }
        if count > 1 << 16 {
            return Err(Error::invalid_data("a filter has too many parameters"));
        }
        values.resize(count, 0);
    }
}

fn external_segments(list: &Id) -> Result<Vec<(String, u64, u64)>> {
    // SAFETY: a valid id.
    let count = unsafe { H5Pget_external_count(list.get()) };
    let count = c_uint::try_from(count).map_err(|_| failure("count the external files"))?;
    let mut all = Vec::new();
    for i in 0..count {
        let mut name = vec![0 as c_char; 4096];
        let (mut offset, mut size) = (0, 0);
        // SAFETY: one byte less than there are is announced, so that the text ends.
        let status = unsafe {
            let into = name.as_mut_ptr();
            H5Pget_external(list.get(), i, name.len() - 1, into, &raw mut offset, &raw mut size)
        };
        check(status, "read an external file's name")?;
        // SAFETY: the last byte is NUL.
        let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
        let offset = u64::try_from(offset).map_err(|_| Error::invalid_data("a negative offset in a file"))?;
        all.push((name, offset, size));
    }
    Ok(all)
}

/// More mappings are refused: the file is forged.
const MAX_MAPPINGS: usize = 1 << 17;

fn virtual_mappings(list: &Id) -> Result<RawLayout> {
    let mut count = 0;
    // SAFETY: a valid id and a place for the answer.
    check(unsafe { H5Pget_virtual_count(list.get(), &raw mut count) }, "count the virtual sources")?;
    if count > MAX_MAPPINGS {
        return Err(Error::invalid_data("a virtual dataset has too many sources"));
    }
    let mut all = Vec::with_capacity(count);
    for i in 0..count {
        // SAFETY: valid ids and mapping numbers, here and below.
        let over = unsafe { Id::own(H5Pget_virtual_vspace(list.get(), i), "read a virtual source")? };
        // SAFETY: as above.
        let from = unsafe { Id::own(H5Pget_virtual_srcspace(list.get(), i), "read a virtual source")? };
        // SAFETY: a buffer of the announced size, or none.
        let file = sized_text(|into, size| unsafe { H5Pget_virtual_filename(list.get(), i, into, size) })?;
        // SAFETY: as above.
        let path = sized_text(|into, size| unsafe { H5Pget_virtual_dsetname(list.get(), i, into, size) })?;
        all.push((selected(&over)?, file, path, selected(&from)?));
    }
    Ok(RawLayout::Virtual(all))
}

fn sized_text(call: impl Fn(*mut c_char, usize) -> isize) -> Result<String> {
    let size = usize::try_from(call(std::ptr::null_mut(), 0)).map_err(|_| failure("read a name"))?;
    let mut text = vec![0_u8; size.min(1 << 20) + 1];
    if call(text.as_mut_ptr().cast(), text.len()) < 0 {
        return Err(failure("read a name"));
    }
    let end = text.iter().position(|b| *b == 0).unwrap_or(0);
    text.truncate(end);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn selected(space: &Id) -> Result<Selected> {
    // SAFETY: a valid id, here and below.
    match unsafe { H5Sget_select_type(space.get()) } {
        H5S_sel_type::H5S_SEL_ALL => return Ok(Selected::All),
        H5S_sel_type::H5S_SEL_HYPERSLABS => {}
        _ => return Ok(Selected::Odd),
    }
    // SAFETY: as above.
    if unsafe { H5Sis_regular_hyperslab(space.get()) } <= 0 {
        return Ok(Selected::Odd);
    }
    // SAFETY: as above.
    let rank = usize::try_from(unsafe { H5Sget_simple_extent_ndims(space.get()) }).unwrap_or(0);
    let (mut start, mut stride) = (vec![0_u64; rank], vec![0_u64; rank]);
    let (mut count, mut block) = (vec![0_u64; rank], vec![0_u64; rank]);
    // SAFETY: each has place for every axis.
    let status = unsafe {
        let (a, b, c, d) = (start.as_mut_ptr(), stride.as_mut_ptr(), count.as_mut_ptr(), block.as_mut_ptr());
        H5Sget_regular_hyperslab(space.get(), a, b, c, d)
    };
    check(status, "read a virtual source's place")?;
    let axes = start.iter().zip(&stride).zip(count.iter().zip(&block));
    Ok(Selected::Regular(axes.map(|((a, b), (c, d))| [*a, *b, *c, *d]).collect()))
}

fn fill_value(list: &Id, type_id: &Id) -> Result<Vec<u8>> {
    let mut status = H5D_fill_value_t::H5D_FILL_VALUE_UNDEFINED;
    // SAFETY: a valid id and a place for the answer.
    check(unsafe { H5Pfill_value_defined(list.get(), &raw mut status) }, "ask for the fill value")?;
    // Fill values that hold pointers (text of any length) are left as zeros: empty texts.
    // SAFETY: valid ids.
    let pointers = unsafe { H5Tis_variable_str(type_id.get()) } > 0
        // SAFETY: as above.
        || unsafe { H5Tget_class(type_id.get()) } == H5T_class_t::H5T_VLEN;
    if status != H5D_fill_value_t::H5D_FILL_VALUE_USER_DEFINED || pointers {
        return Ok(vec![]);
    }
    // SAFETY: a valid id.
    let mut value = vec![0_u8; unsafe { H5Tget_size(type_id.get()) }];
    let into = value.as_mut_ptr().cast::<c_void>();
    // SAFETY: the value has the bytes of the type.
    let status = unsafe { H5Pget_fill_value(list.get(), type_id.get(), into) };
    // A fill value that cannot be converted is as good as none.
    Ok(if status < 0 { vec![] } else { value })
}

/// Where one chunk lies: its first element, address, bytes, and the filters it was written without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkRecord {
    pub(crate) start: Vec<u64>,
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) mask: u32,
}

struct Recorder<'a> {
    rank: usize,
    each: &'a mut dyn FnMut(ChunkRecord),
}

unsafe extern "C" fn record(
    start: *const hsize_t,
    mask: c_uint,
    address: haddr_t,
    size: hsize_t,
    data: *mut c_void,
) -> c_int {
    // SAFETY: `data` is the `Recorder` of `chunk_records`.
    let recorder = unsafe { &mut *data.cast::<Recorder>() };
    // SAFETY: libhdf5 gives one number per axis.
    let start = unsafe { std::slice::from_raw_parts(start, recorder.rank) }.to_vec();
    (recorder.each)(ChunkRecord { start, address, size, mask });
    0
}

/// Calls `each` for every chunk that was written; gives `false`, and calls nothing, where there are more than `max`.
pub(crate) fn chunk_records(
    dataset: &OpenDataset,
    rank: usize,
    max: u64,
    each: &mut dyn FnMut(ChunkRecord),
) -> Result<bool> {
    sync(|| {
        let mut count = 0;
        // SAFETY: a valid id and a place for the answer.
        let status = unsafe { H5Dget_num_chunks(dataset.0.get(), H5S_ALL, &raw mut count) };
        check(status, "count the chunks")?;
        if count > max {
            return Ok(false);
        }
        let mut recorder = Recorder { rank, each };
        let data = (&raw mut recorder).cast::<c_void>();
        // SAFETY: the callback gets `recorder`, which outlives the call.
        let status = unsafe { H5Dchunk_iter(dataset.0.get(), H5P_DEFAULT, Some(record), data) };
        check(status, "read the chunk index")?;
        Ok(true)
    })
}

/// The chunk whose first element is `start`; `None` where it was not written.
pub(crate) fn chunk_record_at(dataset: &OpenDataset, start: &[u64]) -> Result<Option<ChunkRecord>> {
    let (mut mask, mut address, mut size) = (0, 0, 0);
    let (id, at) = (dataset.0.get(), start.as_ptr());
    sync(|| {
        // SAFETY: one number per axis and places for the answers.
        let status =
            unsafe { H5Dget_chunk_info_by_coord(id, at, &raw mut mask, &raw mut address, &raw mut size) };
        check(status, "read the chunk index")
    })?;
    Ok((size > 0 && address != haddr_t::MAX).then(|| ChunkRecord {
        start: start.to_vec(),
        address,
        size,
        mask,
    }))
}
