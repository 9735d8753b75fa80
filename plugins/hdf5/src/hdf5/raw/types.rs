//! What a type of libhdf5 is, as a plain tree.

use std::ffi::{CStr, c_char, c_uint, c_void};

use hdf5_sys::{
    h5::H5free_memory,
    h5t::{
        H5T_class_t, H5T_direction_t, H5T_order_t, H5T_sign_t, H5T_str_t, H5Tcopy, H5Tget_array_dims2,
        H5Tget_array_ndims, H5Tget_class, H5Tget_ebias, H5Tget_fields, H5Tget_member_name,
        H5Tget_member_offset, H5Tget_member_type, H5Tget_member_value, H5Tget_native_type, H5Tget_nmembers,
        H5Tget_offset, H5Tget_order, H5Tget_precision, H5Tget_sign, H5Tget_size, H5Tget_strpad, H5Tget_super,
        H5Tget_tag, H5Tis_variable_str, H5Tset_offset, H5Tset_precision,
    },
};
use tiled_plugin_api::prelude::{Error, Result};

use super::{Id, check, failure, sync};

/// Byte order of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
    /// VAX or mixed.
    Odd,
}

/// How a fixed text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pad {
    /// With a NUL; what follows means nothing.
    Terminated,
    /// Filled up with NUL.
    Nul,
    /// Filled up with blanks.
    Space,
}

/// One field of a compound type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) offset: usize,
    pub(crate) info: TypeInfo,
}

/// What an element is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// An integer; `plain`: all its bits are used.
    Integer { signed: bool, order: Order, plain: bool },
    /// A float; `fields`: sign position, exponent position and size, mantissa position and size, exponent bias.
    Float { order: Order, precision: usize, fields: [usize; 6] },
    /// Two floats.
    Complex(Box<TypeInfo>),
    /// Text of fixed size.
    Text(Pad),
    /// Text of any length.
    VariableText,
    /// Bits.
    Bits(Order),
    /// Bytes, with a remark on what they are.
    Opaque(String),
    /// Fields.
    Compound(Vec<Member>),
    /// A reference to something in a file.
    Reference,
    /// Named integers, with the bytes of each.
    Enum(Box<TypeInfo>, Vec<(String, Vec<u8>)>),
    /// A list of any length.
    Variable(Box<TypeInfo>),
    /// A sub-array.
    Array(Vec<u64>, Box<TypeInfo>),
    /// Something without a form here.
    Other,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeInfo {
    /// Bytes of one element in memory; for text and lists of any length differing from the file's.
    pub(crate) size: usize,
    pub(crate) class: Class,
}

/// Types nested deeper are refused: the file is forged.
const MAX_DEPTH: usize = 32;
/// Fields of a compound, members of an enumeration.
const MAX_MEMBERS: usize = 1 << 16;

/// The tree of a type.
///
/// # Errors
/// `InvalidData` when libhdf5 cannot say, or the type is nested too deeply.
pub(crate) fn describe_type(id: &Id) -> Result<TypeInfo> {
    sync(|| describe(id, 0))
}

/// The type as this machine would hold it in memory. An integer of which not all bits are used keeps its bytes and their
/// order, as h5py reads it: libhdf5 would take the narrowest type that holds the bits.
pub(crate) fn native_type(id: &Id) -> Result<Id> {
    let direction = H5T_direction_t::H5T_DIR_ASCEND;
    sync(|| {
        // SAFETY: a valid id, here and in the calls below.
        let (class, size) = unsafe { (H5Tget_class(id.get()), H5Tget_size(id.get())) };
        if class == H5T_class_t::H5T_INTEGER && matches!(size, 1 | 2 | 4 | 8) {
            // SAFETY: as above.
            let whole = unsafe { Id::own(H5Tcopy(id.get()), "copy the type")? };
            // SAFETY: a valid id, and as many bits as the type has.
            check(unsafe { H5Tset_offset(whole.get(), 0) }, "set the first bit of a type")?;
            // SAFETY: as above.
            check(unsafe { H5Tset_precision(whole.get(), 8 * size) }, "set the bits of a type")?;
            return Ok(whole);
        }
        // SAFETY: as above.
        unsafe { Id::own(H5Tget_native_type(id.get(), direction), "find the native type") }
    })
}

fn describe(id: &Id, depth: usize) -> Result<TypeInfo> {
    if depth > MAX_DEPTH {
        return Err(Error::invalid_data("a data type is nested too deeply"));
    }
    // SAFETY: a valid id, here and in the calls below.
    let size = unsafe { H5Tget_size(id.get()) };
    if size == 0 {
        return Err(failure("ask for the size of the data type"));
    }
    // SAFETY: as above.
    let class = match unsafe { H5Tget_class(id.get()) } {
        H5T_class_t::H5T_INTEGER => integer(id, size),
        H5T_class_t::H5T_FLOAT => float(id)?,
        H5T_class_t::H5T_COMPLEX => Class::Complex(Box::new(super_type(id, depth)?)),
        H5T_class_t::H5T_STRING => text(id),
        H5T_class_t::H5T_BITFIELD => Class::Bits(order(id)),
        H5T_class_t::H5T_OPAQUE => Class::Opaque(tag(id)),
        H5T_class_t::H5T_COMPOUND => compound(id, depth)?,
        H5T_class_t::H5T_REFERENCE => Class::Reference,
        H5T_class_t::H5T_ENUM => enumeration(id, depth)?,
        H5T_class_t::H5T_VLEN => Class::Variable(Box::new(super_type(id, depth)?)),
        H5T_class_t::H5T_ARRAY => array(id, depth)?,
        _ => Class::Other,
    };
    Ok(TypeInfo { size, class })
}

fn super_type(id: &Id, depth: usize) -> Result<TypeInfo> {
    // SAFETY: a valid id.
    let base = unsafe { Id::own(H5Tget_super(id.get()), "read the base type")? };
    describe(&base, depth + 1)
}

fn order(id: &Id) -> Order {
    // SAFETY: a valid id.
    match unsafe { H5Tget_order(id.get()) } {
        H5T_order_t::H5T_ORDER_LE | H5T_order_t::H5T_ORDER_NONE => Order::Little,
        H5T_order_t::H5T_ORDER_BE => Order::Big,
        _ => Order::Odd,
    }
}

fn integer(id: &Id, size: usize) -> Class {
    // SAFETY: a valid id.
    let (sign, precision, offset) =
        unsafe { (H5Tget_sign(id.get()), H5Tget_precision(id.get()), H5Tget_offset(id.get())) };
    let plain = offset == 0 && precision == size.saturating_mul(8) && matches!(size, 1 | 2 | 4 | 8);
    Class::Integer { signed: sign == H5T_sign_t::H5T_SGN_2, order: order(id), plain }
}

fn float(id: &Id) -> Result<Class> {
    let mut f = [0_usize; 6];
    let [sign, exponent, exponent_size, mantissa, mantissa_size, bias] = &mut f;
    // SAFETY: a valid id and places for five numbers.
    let status = unsafe { H5Tget_fields(id.get(), sign, exponent, exponent_size, mantissa, mantissa_size) };
    check(status, "read the parts of a float type")?;
    // SAFETY: a valid id.
    *bias = unsafe { H5Tget_ebias(id.get()) };
    // SAFETY: a valid id.
    let precision = unsafe { H5Tget_precision(id.get()) };
    Ok(Class::Float { order: order(id), precision, fields: f })
}

fn text(id: &Id) -> Class {
    // SAFETY: a valid id.
    if unsafe { H5Tis_variable_str(id.get()) } > 0 {
        return Class::VariableText;
    }
    // SAFETY: a valid id.
    Class::Text(match unsafe { H5Tget_strpad(id.get()) } {
        H5T_str_t::H5T_STR_NULLPAD => Pad::Nul,
        H5T_str_t::H5T_STR_SPACEPAD => Pad::Space,
        _ => Pad::Terminated,
    })
}

/// Takes a text that libhdf5 allocated.
fn take_text(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: a C string of libhdf5.
    let copy = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
    // SAFETY: allocated by libhdf5, freed once.
    unsafe { H5free_memory(text.cast()) };
    copy
}

fn tag(id: &Id) -> String {
    // SAFETY: a valid id.
    take_text(unsafe { H5Tget_tag(id.get()) })
}

fn members(id: &Id) -> Result<c_uint> {
    // SAFETY: a valid id.
    let count = unsafe { H5Tget_nmembers(id.get()) };
    match usize::try_from(count) {
        Ok(n) if n <= MAX_MEMBERS => Ok(count.unsigned_abs()),
        Ok(_) => Err(Error::invalid_data("a data type has too many members")),
        Err(_) => Err(failure("count the members of a data type")),
    }
}

fn compound(id: &Id, depth: usize) -> Result<Class> {
    let mut all = Vec::new();
    for i in 0..members(id)? {
        // SAFETY: a valid id and member number.
        let name = take_text(unsafe { H5Tget_member_name(id.get(), i) });
        // SAFETY: as above.
        let offset = unsafe { H5Tget_member_offset(id.get(), i) };
        // SAFETY: as above.
        let member = unsafe { Id::own(H5Tget_member_type(id.get(), i), "read a member's type")? };
        all.push(Member { name, offset, info: describe(&member, depth + 1)? });
    }
    Ok(Class::Compound(all))
}

fn enumeration(id: &Id, depth: usize) -> Result<Class> {
    let base = super_type(id, depth)?;
    let mut all = Vec::new();
    for i in 0..members(id)? {
        // SAFETY: a valid id and member number.
        let name = take_text(unsafe { H5Tget_member_name(id.get(), i) });
        let mut value = vec![0_u8; base.size];
        let into = value.as_mut_ptr().cast::<c_void>();
        // SAFETY: as above; a value has the bytes of the base type.
        check(unsafe { H5Tget_member_value(id.get(), i, into) }, "read a member's value")?;
        all.push((name, value));
    }
    Ok(Class::Enum(Box::new(base), all))
}

fn array(id: &Id, depth: usize) -> Result<Class> {
    // SAFETY: a valid id.
    let rank =
        usize::try_from(unsafe { H5Tget_array_ndims(id.get()) }).map_err(|_| failure("read the axes"))?;
    let mut dims = vec![0_u64; rank];
    // SAFETY: `dims` has place for every axis.
    if unsafe { H5Tget_array_dims2(id.get(), dims.as_mut_ptr()) } < 0 {
        return Err(failure("read the axes of an array type"));
    }
    Ok(Class::Array(dims, Box::new(super_type(id, depth)?)))
}
