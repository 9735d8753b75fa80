//! Attributes as JSON.

use std::ffi::{CStr, c_char, c_void};

use hdf5_sys::{
    h5::{H5_index_t, H5_iter_order_t, herr_t},
    h5a::{H5A_info_t, H5Aget_space, H5Aget_type, H5Aiterate2, H5Aopen, H5Aread},
    h5i::hid_t,
    h5p::H5P_DEFAULT,
    h5t::{H5Treclaim, hvl_t},
};
use serde_json::{Map, Value};
use tiled_plugin_api::prelude::{Error, Result};

use super::{Class, Id, Space, TypeInfo, c_text, check, dataset::extent, describe_type, native_type, sync};
use crate::hdf5::json;

/// Attributes by name.
pub(crate) type AttributeValue = Map<String, Value>;

/// An attribute of more bytes is shown as null: metadata are no place for data.
const MAX_ATTRIBUTE_BYTES: usize = 16 << 20;
const MAX_ATTRIBUTES: usize = 1 << 16;

unsafe extern "C" fn collect(
    _: hid_t,
    name: *const c_char,
    _: *const H5A_info_t,
    data: *mut c_void,
) -> herr_t {
    // SAFETY: `data` is the list of `attributes`, `name` a C string.
    let (names, name) = unsafe { (&mut *data.cast::<Vec<String>>(), CStr::from_ptr(name)) };
    names.push(name.to_string_lossy().into_owned());
    herr_t::from(names.len() >= MAX_ATTRIBUTES)
}

/// The path of the object at an address of the file.
pub(crate) type NameOf<'a> = &'a dyn Fn(u64) -> Option<String>;

/// The attributes of an object. One that cannot be read, or has no JSON form, is null. A reference to an object is its
/// path.
///
/// # Errors
/// `InvalidData` when they cannot be listed.
pub(crate) fn attributes(object: &Id, name_of: NameOf) -> Result<AttributeValue> {
    sync(|| {
        let mut names = Vec::<String>::new();
        let data = (&raw mut names).cast::<c_void>();
        let (by, order) = (H5_index_t::H5_INDEX_NAME, H5_iter_order_t::H5_ITER_INC);
        let mut index = 0;
        // SAFETY: the callback gets `names`, which outlives the call.
        let status = unsafe { H5Aiterate2(object.get(), by, order, &raw mut index, Some(collect), data) };
        check(status, "list the attributes")?;
        let pairs = names.into_iter().map(|name| {
            let value = read(object, &name, name_of).unwrap_or(Value::Null);
            (name, value)
        });
        Ok(pairs.collect())
    })
}

fn read(object: &Id, name: &str, name_of: NameOf) -> Result<Value> {
    let text = c_text(name)?;
    // SAFETY: a valid id and a C string.
    let attribute =
        unsafe { Id::own(H5Aopen(object.get(), text.as_ptr(), H5P_DEFAULT), "open the attribute")? };
    // SAFETY: a valid id, here and below.
    let space_id = unsafe { Id::own(H5Aget_space(attribute.get()), "read the attribute's extent")? };
    let dims = match extent(&space_id)? {
        Space::Null => return Ok(Value::Null),
        Space::Scalar => vec![],
        Space::Simple(dims) => dims,
    };
    // SAFETY: as above.
    let stored = unsafe { Id::own(H5Aget_type(attribute.get()), "read the attribute's type")? };
    let memory = native_type(&stored).unwrap_or(stored);
    let info = describe_type(&memory)?;
    let count = dims.iter().try_fold(1_usize, |all, n| all.checked_mul(usize::try_from(*n).ok()?));
    let bytes = count.and_then(|n| n.checked_mul(info.size)).filter(|n| *n <= MAX_ATTRIBUTE_BYTES);
    let mut values = vec![0_u8; bytes.ok_or_else(|| Error::invalid_data("the attribute is too large"))?];
    let into = values.as_mut_ptr().cast::<c_void>();
    // SAFETY: `values` has the bytes of all elements.
    check(unsafe { H5Aread(attribute.get(), memory.get(), into) }, "read the attribute")?;
    let mut items = values.chunks_exact(info.size).map(|item| value(&info, item, name_of));
    let nested = json::nest(&dims, &mut items);
    // SAFETY: frees what the read allocated, once.
    unsafe { H5Treclaim(memory.get(), space_id.get(), H5P_DEFAULT, into) };
    Ok(nested)
}

/// One element in its form in memory, just read and not yet reclaimed.
fn value(info: &TypeInfo, bytes: &[u8], name_of: NameOf) -> Value {
    match &info.class {
        Class::Reference => reference(bytes, name_of),
        Class::VariableText => pointed_text(bytes),
        Class::Variable(base) => pointed_list(base, bytes, name_of),
        Class::Array(dims, base) if base.size > 0 => {
            json::nest(dims, &mut bytes.chunks_exact(base.size).map(|item| value(base, item, name_of)))
        }
        Class::Compound(members) if json::complex_parts(members).is_none() => members
            .iter()
            .map(|m| {
                let end = m.offset.checked_add(m.info.size)?;
                Some(value(&m.info, bytes.get(m.offset..end)?, name_of))
            })
            .map(Option::unwrap_or_default)
            .collect(),
        _ => json::leaf(info, bytes),
    }
}

/// Those to objects are an address; what others hold is not resolved.
fn reference(bytes: &[u8], name_of: NameOf) -> Value {
    let address = <[u8; 8]>::try_from(bytes).map(u64::from_ne_bytes);
    address.ok().and_then(name_of).map_or(Value::Null, Value::String)
}

fn pointed_text(bytes: &[u8]) -> Value {
    let Ok(word) = <[u8; size_of::<usize>()]>::try_from(bytes) else { return Value::Null };
    let at = usize::from_ne_bytes(word) as *const c_char;
    if at.is_null() {
        return Value::String(String::new());
    }
    // SAFETY: libhdf5 put a pointer to a C string here.
    Value::String(unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned())
}

fn pointed_list(base: &TypeInfo, bytes: &[u8], name_of: NameOf) -> Value {
    if bytes.len() != size_of::<hvl_t>() || base.size == 0 {
        return Value::Null;
    }
    // SAFETY: libhdf5 put a length and a pointer here.
    let list = unsafe { bytes.as_ptr().cast::<hvl_t>().read_unaligned() };
    let Some(size) = list.len.checked_mul(base.size).filter(|n| *n > 0 && !list.p.is_null()) else {
        return Value::Array(vec![]);
    };
    // SAFETY: the pointer is to `len` elements of the base type.
    let items = unsafe { std::slice::from_raw_parts(list.p.cast::<u8>(), size) };
    items.chunks_exact(base.size).map(|item| value(base, item, name_of)).collect()
}
