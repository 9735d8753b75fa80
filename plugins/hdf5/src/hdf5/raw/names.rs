//! Paths of objects by their addresses: a reference holds nothing but an address.

use std::collections::{HashMap, VecDeque};

use hdf5_sys::h5o::{H5O_info2_t, H5O_type_t, H5Oget_info3};
use tiled_plugin_api::prelude::Result;

use super::{Id, LinkKind, check, link_kind, list_links, open_child, sync};

/// Objects that are looked at: references to others are not resolved.
const MAX_OBJECTS: usize = 1 << 14;
/// Groups nested deeper are not looked into.
const MAX_DEPTH: usize = 64;

/// The objects that hard links lead to from the root group on, each with its shortest path.
pub(crate) fn object_names(root: &Id) -> HashMap<u64, String> {
    let mut names = HashMap::new();
    let mut ahead = VecDeque::new();
    if let Ok((address, _)) = place(root) {
        names.insert(address, "/".to_owned());
        look_into(root, "", &mut names, &mut ahead);
    }
    while let Some((group, path)) = ahead.pop_front() {
        look_into(&group, &path, &mut names, &mut ahead);
    }
    names
}

/// What cannot be opened has no name.
fn look_into(group: &Id, path: &str, names: &mut HashMap<u64, String>, ahead: &mut VecDeque<(Id, String)>) {
    let left = MAX_OBJECTS.saturating_sub(names.len()) as u64;
    let Ok(links) = list_links(group, 0, left) else { return };
    for link in links.names {
        if !matches!(link_kind(group, &link.0), Ok(Some(LinkKind::Hard))) {
            continue;
        }
        let Ok(object) = open_child(group, &link.0) else { continue };
        let Ok((address, is_group)) = place(&object) else { continue };
        if names.len() >= MAX_OBJECTS || names.contains_key(&address) {
            continue;
        }
        let path = format!("{path}/{}", link.0);
        if is_group && path.matches('/').count() < MAX_DEPTH {
            ahead.push_back((object, path.clone()));
        }
        names.insert(address, path);
    }
}

/// The address of an object within its file, and whether it is a group.
fn place(object: &Id) -> Result<(u64, bool)> {
    // SAFETY: a plain C struct, filled in by the call below.
    let mut info = unsafe { std::mem::zeroed::<H5O_info2_t>() };
    // SAFETY: a valid id and a place for the answer; 1 asks for the basic fields.
    sync(|| check(unsafe { H5Oget_info3(object.get(), &raw mut info, 1) }, "ask where the object is"))?;
    // SAFETY: a token is 16 bytes; in files it begins with the address in this machine's byte order.
    let token = unsafe { (&raw const info.token).cast::<[u64; 2]>().read_unaligned() };
    Ok((token[0], info.type_ == H5O_type_t::H5O_TYPE_GROUP))
}
