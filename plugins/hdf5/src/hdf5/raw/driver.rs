//! A virtual file driver that reads one given file and opens no other, whatever the file asks for.

use std::{
    cell::RefCell,
    ffi::{c_char, c_int, c_uint, c_ulong, c_void},
    mem,
    sync::{Arc, LazyLock},
};

use hdf5_sys::{
    h5::{haddr_t, herr_t, hsize_t},
    h5f::{H5F_ACC_RDONLY, H5F_ACC_SWMR_READ, H5F_close_degree_t, H5Fget_create_plist, H5Fopen},
    h5i::hid_t,
    h5p::{
        H5P_CLS_FILE_ACCESS, H5Pcreate, H5Pget_sizes, H5Pget_userblock, H5Pset_driver, H5Pset_fclose_degree,
        H5Pset_file_locking,
    },
};
use tiled_plugin_api::prelude::Result;

use super::{Id, check, heap, local_heap, sync};

/// Bytes of one file, for libhdf5's own reads.
pub(crate) trait FileBytes: Send + Sync {
    /// Bytes of the file now; it may grow.
    fn len(&self) -> Result<u64>;
    /// Fills `out` from `offset` on.
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;
}

/// Opens the file behind `bytes`. `swmr`: it may be growing under a writer in SWMR mode.
pub(crate) fn open_file(bytes: Arc<dyn FileBytes>, swmr: bool) -> Result<Id> {
    let driver = *DRIVER;
    sync(|| {
        // SAFETY: plain calls with a valid property list; the name is a static C string.
        let list = unsafe { Id::own(H5Pcreate(*H5P_CLS_FILE_ACCESS), "make file access properties")? };
        // SAFETY: as above; the driver takes no driver info.
        check(unsafe { H5Pset_driver(list.get(), driver, std::ptr::null()) }, "select the file driver")?;
        let degree = H5F_close_degree_t::H5F_CLOSE_WEAK;
        // SAFETY: as above.
        check(unsafe { H5Pset_fclose_degree(list.get(), degree) }, "set the close degree")?;
        // SAFETY: as above. The server's own check for writers stands in `file.rs`.
        check(unsafe { H5Pset_file_locking(list.get(), 0, 1) }, "turn off file locks")?;
        let flags = H5F_ACC_RDONLY | if swmr { H5F_ACC_SWMR_READ } else { 0 };
        OPENING.set(Some(bytes));
        // SAFETY: as above.
        let id = unsafe { H5Fopen(c"tiled".as_ptr(), flags, list.get()) };
        let file = Id::own(id, "open the file");
        OPENING.set(None);
        file
    })
}

/// How a file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Bytes of an address.
    pub(crate) address: usize,
    /// Bytes of a length.
    pub(crate) length: usize,
    /// Where address 0 is: behind a user block.
    pub(crate) base: u64,
}

/// How the file counts.
pub(crate) fn file_sizes(file: &Id) -> Result<Sizes> {
    sync(|| {
        // SAFETY: a valid id, here and below.
        let list = unsafe { Id::own(H5Fget_create_plist(file.get()), "read the file's properties")? };
        let mut sizes = Sizes { address: 0, length: 0, base: 0 };
        let (address, length) = (&raw mut sizes.address, &raw mut sizes.length);
        // SAFETY: places for both answers.
        check(unsafe { H5Pget_sizes(list.get(), address, length) }, "read the file's sizes")?;
        // SAFETY: a place for the answer.
        check(unsafe { H5Pget_userblock(list.get(), &raw mut sizes.base) }, "read the user block's size")?;
        Ok(sizes)
    })
}

thread_local! {
    /// What the next `open` of the driver may have; empty for every other file that libhdf5 wants.
    static OPENING: RefCell<Option<Arc<dyn FileBytes>>> = const { RefCell::new(None) };
}

static DRIVER: LazyLock<hid_t> = LazyLock::new(|| {
    // SAFETY: the class outlives the call, which copies it; its layout is that of the bundled header.
    sync(|| unsafe { H5FDregister(&raw const CLASS) })
});

/// `H5FD_t` of HDF5 2.x, the part that libhdf5 fills in.
#[repr(C)]
struct Base {
    driver_id: hid_t,
    class: *const Class,
    fileno: c_ulong,
    access_flags: c_uint,
    feature_flags: c_ulong,
    max_address: haddr_t,
    base_address: haddr_t,
    threshold: hsize_t,
    alignment: hsize_t,
    paged: bool,
}

#[repr(C)]
struct Opened {
    base: Base,
    bytes: Arc<dyn FileBytes>,
    end: haddr_t,
    /// Bytes of an address and of a length.
    widths: (usize, usize),
}

type Unused = Option<unsafe extern "C" fn()>;

/// `H5FD_class_t` of HDF5 2.x (`H5FDdevelop.h`, class version 1).
#[repr(C)]
struct Class {
    version: c_uint,
    value: c_int,
    name: *const c_char,
    max_address: haddr_t,
    close_degree: c_int,
    terminate: Unused,
    superblock: [Unused; 3],
    fapl_size: usize,
    fapl: [Unused; 3],
    dxpl_size: usize,
    dxpl: [Unused; 2],
    open: unsafe extern "C" fn(*const c_char, c_uint, hid_t, haddr_t) -> *mut Opened,
    close: unsafe extern "C" fn(*mut Opened) -> herr_t,
    compare: unsafe extern "C" fn(*const Opened, *const Opened) -> c_int,
    query: unsafe extern "C" fn(*const Opened, *mut c_ulong) -> herr_t,
    type_map: Unused,
    alloc: Unused,
    free: Unused,
    get_eoa: unsafe extern "C" fn(*const Opened, c_int) -> haddr_t,
    set_eoa: unsafe extern "C" fn(*mut Opened, c_int, haddr_t) -> herr_t,
    get_eof: unsafe extern "C" fn(*const Opened, c_int) -> haddr_t,
    get_handle: Unused,
    read: unsafe extern "C" fn(*mut Opened, c_int, hid_t, haddr_t, usize, *mut c_void) -> herr_t,
    write: unsafe extern "C" fn(*mut Opened, c_int, hid_t, haddr_t, usize, *const c_void) -> herr_t,
    vectors: [Unused; 4],
    flush: Unused,
    truncate: Unused,
    lock: Unused,
    unlock: Unused,
    delete: Unused,
    ctl: Unused,
    free_list: [c_int; 7],
}

// SAFETY: the class is constant; its pointers are to static text and functions.
unsafe impl Sync for Class {}

unsafe extern "C" {
    fn H5FDregister(class: *const Class) -> hid_t;
}

const UNDEFINED: haddr_t = haddr_t::MAX;
const MAX_ADDRESS: haddr_t = i64::MAX as haddr_t;
/// Large pieces of contiguous data, and readers beside a SWMR writer. No read-ahead of metadata: the driver must see
/// each read of a heap.
const FEATURES: c_ulong = 0x0008 | 0x1000;

static CLASS: Class = Class {
    version: 1,
    value: 301,
    name: c"tiled".as_ptr(),
    max_address: MAX_ADDRESS,
    close_degree: 0,
    terminate: None,
    superblock: [None; 3],
    fapl_size: 0,
    fapl: [None; 3],
    dxpl_size: 0,
    dxpl: [None; 2],
    open,
    close,
    compare,
    query,
    type_map: None,
    alloc: None,
    free: None,
    get_eoa,
    set_eoa,
    get_eof,
    get_handle: None,
    read,
    write,
    vectors: [None; 4],
    flush: None,
    truncate: None,
    lock: None,
    unlock: None,
    delete: None,
    ctl: None,
    // All raw data and metadata from one list; nothing is ever allocated.
    free_list: [0; 7],
};

unsafe extern "C" fn open(_: *const c_char, _: c_uint, _: hid_t, _: haddr_t) -> *mut Opened {
    let Some(bytes) = OPENING.with_borrow(Clone::clone) else { return std::ptr::null_mut() };
    // SAFETY: a plain C struct that libhdf5 fills in; zeros are valid.
    let base = unsafe { mem::zeroed::<Base>() };
    let widths = local_heap::widths(&*bytes);
    Box::into_raw(Box::new(Opened { base, bytes, end: 0, widths }))
}

unsafe extern "C" fn close(file: *mut Opened) -> herr_t {
    // SAFETY: libhdf5 closes once what `open` gave it.
    drop(unsafe { Box::from_raw(file) });
    0
}

unsafe extern "C" fn compare(a: *const Opened, b: *const Opened) -> c_int {
    // Every opening is a file of its own, so that nothing stale is shared.
    a.cmp(&b) as c_int
}

unsafe extern "C" fn query(_: *const Opened, flags: *mut c_ulong) -> herr_t {
    if !flags.is_null() {
        // SAFETY: libhdf5 gives a place for one number.
        unsafe { *flags = FEATURES };
    }
    0
}

unsafe extern "C" fn get_eoa(file: *const Opened, _: c_int) -> haddr_t {
    // SAFETY: an opened file of this driver.
    unsafe { (*file).end }
}

unsafe extern "C" fn set_eoa(file: *mut Opened, _: c_int, end: haddr_t) -> herr_t {
    // SAFETY: an opened file of this driver, under the lock.
    unsafe { (*file).end = end };
    0
}

unsafe extern "C" fn get_eof(file: *const Opened, _: c_int) -> haddr_t {
    // SAFETY: an opened file of this driver.
    unsafe { (*file).bytes.len() }.unwrap_or(UNDEFINED)
}

unsafe extern "C" fn read(
    file: *mut Opened,
    _: c_int,
    _: hid_t,
    address: haddr_t,
    size: usize,
    out: *mut c_void,
) -> herr_t {
    // SAFETY: an opened file of this driver.
    let file = unsafe { &*file };
    // SAFETY: libhdf5 gives `size` writable bytes.
    let out = unsafe { std::slice::from_raw_parts_mut(out.cast::<u8>(), size) };
    let Ok(len) = file.bytes.len() else { return -1 };
    // As the standard driver: what lies beyond the end reads as zeros; libhdf5 has compared the ends on opening.
    let there = usize::try_from(len.saturating_sub(address)).unwrap_or(usize::MAX).min(size);
    let (head, tail) = out.split_at_mut(there);
    tail.fill(0);
    if file.bytes.read_exact_at(address, head).is_err() {
        return -1;
    }
    // libhdf5 reads heaps as it reads data: only their signature tells.
    if head.starts_with(b"GCOL") && !heap::ends(&*file.bytes, address) {
        return -1;
    }
    if local_heap::is_sound(&*file.bytes, head, file.widths, file.base.base_address) { 0 } else { -1 }
}

unsafe extern "C" fn write(
    _: *mut Opened,
    _: c_int,
    _: hid_t,
    _: haddr_t,
    _: usize,
    _: *const c_void,
) -> herr_t {
    -1
}
