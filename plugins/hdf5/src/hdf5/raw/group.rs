//! Links and objects.

use std::ffi::{CStr, c_char, c_void};

use hdf5_sys::{
    h5::{H5_index_t, H5_iter_order_t, herr_t},
    h5g::{H5G_info_t, H5Gget_create_plist, H5Gget_info},
    h5i::hid_t,
    h5l::{H5L_info2_t, H5L_type_t, H5Lexists, H5Lget_info2, H5Lget_val, H5Literate2, H5Lunpack_elink_val},
    h5o::{H5O_info2_t, H5O_type_t, H5Oget_info3, H5Oopen},
    h5p::{H5P_DEFAULT, H5Pget_link_creation_order},
};
use tiled_plugin_api::prelude::{Error, Result};

use super::{Id, c_text, check, failure, sync};

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkKind {
    /// To an object of the same file.
    Hard,
    /// To a path of the same file.
    Soft(String),
    /// To a path of another file.
    External { file: String, path: String },
    /// Of a kind that only its author knows.
    Unknown,
}

/// What a hard link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// A container.
    Group,
    /// An array.
    Dataset,
    /// A named type, or something newer.
    Other,
}

/// One link of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkName(pub(crate) String);

/// A page of a group's links.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Links in the whole group.
    pub(crate) count: u64,
    /// Those that were asked for.
    pub(crate) names: Vec<LinkName>,
}

/// The root group.
pub(crate) fn open_root(file: &Id) -> Result<Id> {
    // SAFETY: a valid id and a C string.
    sync(|| unsafe { Id::own(H5Oopen(file.get(), c"/".as_ptr(), H5P_DEFAULT), "open the root group") })
}

/// Opens the target of a hard link.
pub(crate) fn open_child(group: &Id, name: &str) -> Result<Id> {
    let text = c_text(name)?;
    // SAFETY: a valid id and a C string.
    sync(|| unsafe { Id::own(H5Oopen(group.get(), text.as_ptr(), H5P_DEFAULT), "open the object") })
}

/// What an opened object is.
pub(crate) fn object_kind(object: &Id) -> Result<ObjectKind> {
    // SAFETY: a plain C struct, filled in by the call below.
    let mut info = unsafe { std::mem::zeroed::<H5O_info2_t>() };
    // SAFETY: a valid id and a place for the answer; 1 asks for the basic fields.
    sync(|| check(unsafe { H5Oget_info3(object.get(), &raw mut info, 1) }, "ask what the object is"))?;
    Ok(match info.type_ {
        H5O_type_t::H5O_TYPE_GROUP => ObjectKind::Group,
        H5O_type_t::H5O_TYPE_DATASET => ObjectKind::Dataset,
        _ => ObjectKind::Other,
    })
}

/// The link `name` of a group; `None` where there is none.
pub(crate) fn link_kind(group: &Id, name: &str) -> Result<Option<LinkKind>> {
    let text = c_text(name)?;
    sync(|| {
        // SAFETY: a valid id and a C string.
        let exists = unsafe { H5Lexists(group.get(), text.as_ptr(), H5P_DEFAULT) };
        match exists {
            0 => return Ok(None),
            ..0 => return Err(failure("look up the link")),
            1.. => {}
        }
        let mut info = H5L_info2_t::default();
        // SAFETY: as above, with a place for the answer.
        let status = unsafe { H5Lget_info2(group.get(), text.as_ptr(), &raw mut info, H5P_DEFAULT) };
        check(status, "read the link")?;
        if info.type_ == H5L_type_t::H5L_TYPE_HARD {
            return Ok(Some(LinkKind::Hard));
        }
        // SAFETY: for links that are not hard this member of the union is set.
        let size = unsafe { *info.u.val_size() };
        let mut value = vec![0_u8; size.min(MAX_LINK_BYTES)];
        let into = value.as_mut_ptr().cast::<c_void>();
        // SAFETY: `value` has the bytes that are announced.
        let status = unsafe { H5Lget_val(group.get(), text.as_ptr(), into, value.len(), H5P_DEFAULT) };
        check(status, "read the link's target")?;
        Ok(Some(match info.type_ {
            H5L_type_t::H5L_TYPE_SOFT => LinkKind::Soft(until_nul(&value)),
            H5L_type_t::H5L_TYPE_EXTERNAL => external(&value)?,
            _ => LinkKind::Unknown,
        }))
    })
}

const MAX_LINK_BYTES: usize = 64 * 1024;

fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

fn external(value: &[u8]) -> Result<LinkKind> {
    let mut flags = 0;
    let (mut file, mut path) = (std::ptr::null::<c_char>(), std::ptr::null::<c_char>());
    let from = value.as_ptr().cast::<c_void>();
    // SAFETY: the call checks that both texts end within `value` and points into it.
    let status =
        unsafe { H5Lunpack_elink_val(from, value.len(), &raw mut flags, &raw mut file, &raw mut path) };
    check(status, "read the external link")?;
    if file.is_null() || path.is_null() {
        return Err(Error::invalid_data("an external link without a target"));
    }
    // SAFETY: both are NUL-terminated within `value`.
    let (file, path) = unsafe { (CStr::from_ptr(file), CStr::from_ptr(path)) };
    Ok(LinkKind::External {
        file: file.to_string_lossy().into_owned(),
        path: path.to_string_lossy().into_owned(),
    })
}

struct Collected {
    names: Vec<LinkName>,
    limit: usize,
}

unsafe extern "C" fn collect(
    _: hid_t,
    name: *const c_char,
    _: *const H5L_info2_t,
    data: *mut c_void,
) -> herr_t {
    // SAFETY: `data` is the `Collected` of `list_links`, `name` a C string.
    let (collected, name) = unsafe { (&mut *data.cast::<Collected>(), CStr::from_ptr(name)) };
    collected.names.push(LinkName(name.to_string_lossy().into_owned()));
    herr_t::from(collected.names.len() >= collected.limit)
}

/// The links `offset..offset + limit` of a group, in the order of creation where the file keeps it (as h5py lists
/// them), else by name.
pub(crate) fn list_links(group: &Id, offset: u64, limit: u64) -> Result<Links> {
    sync(|| {
        let mut info = H5G_info_t::default();
        // SAFETY: a valid id and a place for the answer.
        check(unsafe { H5Gget_info(group.get(), &raw mut info) }, "ask for the number of links")?;
        let count = info.nlinks;
        if offset >= count || limit == 0 {
            return Ok(Links { count, names: vec![] });
        }
        let limit = usize::try_from(limit.min(count - offset)).unwrap_or(usize::MAX);
        let by_creation = keeps_creation_order(group);
        let mut names = iterate(group, by_creation, offset, limit);
        if by_creation && names.is_err() {
            names = iterate(group, false, offset, limit);
        }
        Ok(Links { count, names: names? })
    })
}

fn iterate(group: &Id, by_creation: bool, offset: u64, limit: usize) -> Result<Vec<LinkName>> {
    let mut collected = Collected { names: Vec::new(), limit };
    let mut index = offset;
    let by = if by_creation { H5_index_t::H5_INDEX_CRT_ORDER } else { H5_index_t::H5_INDEX_NAME };
    let data = (&raw mut collected).cast::<c_void>();
    let order = H5_iter_order_t::H5_ITER_INC;
    // SAFETY: the callback gets `collected`, which outlives the call.
    let status = unsafe { H5Literate2(group.get(), by, order, &raw mut index, Some(collect), data) };
    check(status, "list the group")?;
    Ok(collected.names)
}

fn keeps_creation_order(group: &Id) -> bool {
    // SAFETY: a valid id.
    let Ok(list) = (unsafe { Id::own(H5Gget_create_plist(group.get()), "read the group's properties") })
    else {
        return false;
    };
    let mut flags = 0;
    // SAFETY: a valid id and a place for the answer.
    let status = unsafe { H5Pget_link_creation_order(list.get(), &raw mut flags) };
    status >= 0 && flags & 1 != 0
}
