//! Lends our decoders to libhdf5, so that its own reads work on datasets outside the direct path (virtual datasets,
//! conversions, variable-length data in filtered chunks).
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_int, c_uint, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use hdf5_sys::{
    h5::{H5allocate_memory, H5free_memory},
    h5z::{H5Z_CLASS_T_VERS, H5Z_FLAG_REVERSE, H5Z_class2_t, H5Zregister},
};

use super::{
    BITSHUFFLE, BLOSC, BLOSC2, BZIP2, FCIDECOMP, Filter, LZ4, ZFP, ZSTD, bitshuffle, blosc, blosc2, jpegls,
    lz4, stage, zfp, zstandard,
};

/// HDF5 allows no larger chunk.
const MAX_CHUNK: usize = u32::MAX as usize;

/// Where the content does not say how long it is, try no more than this.
const MAX_UNKNOWN: usize = 1 << 30;

/// Registers the decoders of bzip2, Blosc, LZ4, bitshuffle, zfp, zstd, fcidecomp and Blosc2 with libhdf5, once. Writing through them is not
/// possible.
pub fn register_with_libhdf5() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hdf5::sync::sync(|| {
            register(BZIP2, c"bzip2", callback::<BZIP2>);
            register(BLOSC, c"blosc", callback::<BLOSC>);
            register(LZ4, c"lz4", callback::<LZ4>);
            register(BITSHUFFLE, c"bitshuffle", callback::<BITSHUFFLE>);
            register(ZFP, c"zfp", callback::<ZFP>);
            register(ZSTD, c"zstd", callback::<ZSTD>);
            register(FCIDECOMP, c"fcidecomp", callback::<FCIDECOMP>);
            register(BLOSC2, c"blosc2", callback::<BLOSC2>);
        });
    });
}

type Callback =
    unsafe extern "C" fn(c_uint, usize, *const c_uint, usize, *mut usize, *mut *mut c_void) -> usize;

fn register(id: u32, name: &'static CStr, filter: Callback) {
    let class = H5Z_class2_t {
        version: H5Z_CLASS_T_VERS as c_int,
        id: id as c_int,
        encoder_present: 0,
        decoder_present: 1,
        name: name.as_ptr(),
        can_apply: None,
        set_local: None,
        filter: Some(filter),
    };
    // SAFETY: called under the library's lock; libhdf5 copies the class, and its name and function live for ever.
    // A failure leaves the filter unknown to libhdf5, which then says so at each read.
    unsafe { H5Zregister((&raw const class).cast()) };
}

/// Decodes `*buf` into a new buffer of libhdf5's and puts that in its place; 0 is failure.
///
/// # Safety
/// As libhdf5 calls filters: `cd_values` has `cd_nelmts` items, `*buf` has `nbytes` bytes that are used and came from
/// libhdf5's allocator.
unsafe extern "C" fn callback<const ID: u32>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    nbytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
) -> usize {
    if flags & H5Z_FLAG_REVERSE == 0 {
        return 0;
    }
    let cd = if cd_nelmts == 0 || cd_values.is_null() {
        &[][..]
    } else {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(cd_values, cd_nelmts) }
    };
    let filter = Filter { id: ID, cd_values: cd.to_vec() };
    // SAFETY: the caller's promise; `buf` and `buf_size` are written only below.
    let input = unsafe { std::slice::from_raw_parts((*buf).cast::<u8>(), nbytes) };
    // No panic may cross into C.
    let Ok(Some((decoded, len, capacity))) = catch_unwind(AssertUnwindSafe(|| replace(&filter, input)))
    else {
        return 0;
    };
    // SAFETY: the old buffer is libhdf5's and no longer borrowed; the new one is from its allocator, too.
    unsafe {
        H5free_memory(*buf);
        *buf = decoded;
        *buf_size = capacity;
    }
    len
}

/// A buffer of libhdf5's with the decoded bytes, their number, and its size.
fn replace(filter: &Filter, input: &[u8]) -> Option<(*mut c_void, usize, usize)> {
    let announced = match filter.id {
        BLOSC => blosc::content_size(input),
        LZ4 => lz4::content_size(input),
        BITSHUFFLE => bitshuffle::content_size(input, &filter.cd_values),
        ZFP => zfp::content_size(&filter.cd_values),
        ZSTD => zstandard::content_size(input),
        FCIDECOMP => jpegls::content_size(input),
        BLOSC2 => blosc2::content_size(input),
        _ => None,
    };
    if let Some(size) = announced {
        return attempt(filter, input, usize::try_from(size).ok().filter(|size| *size <= MAX_CHUNK)?);
    }
    let mut size = input.len().saturating_mul(4).max(1 << 16);
    while size <= MAX_UNKNOWN {
        if let Some(done) = attempt(filter, input, size) {
            return Some(done);
        }
        size = size.saturating_mul(4);
    }
    None
}

fn attempt(filter: &Filter, input: &[u8], size: usize) -> Option<(*mut c_void, usize, usize)> {
    let size = size.max(1);
    // SAFETY: a plain allocation, cleared: its pages cost nothing until they are written.
    let buffer = unsafe { H5allocate_memory(size, true.into()) };
    if buffer.is_null() {
        return None;
    }
    // SAFETY: `size` initialised bytes that nobody else has.
    let out = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), size) };
    match stage(filter, input, out, 1) {
        Ok(len) if len > 0 => Some((buffer, len, size)),
        _ => {
            // SAFETY: allocated above, given to nobody.
            unsafe { H5free_memory(buffer) };
            None
        }
    }
}
