//! Elements of NumPy arrays as text, many at a time: the type is looked at once, not once for each element.

use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Kind},
};

use crate::{
    element::{Style, element},
    json::push_bool,
    number::{push_f32, push_f64, push_int, push_json_f32, push_json_f64},
};

/// Writes elements, given their bytes, with a separator between them.
pub type Run = Box<dyn Fn(&[u8], u8, &mut Vec<u8>) + Send + Sync>;

/// A writer for elements of this type. Elements of no bytes are none of its business.
///
/// # Errors
/// As [`element`].
pub fn run(data_type: &DataType, style: Style) -> Result<Run> {
    let json = style == Style::Json;
    let swapped = data_type.is_swapped();
    macro_rules! number {
        ($type:ty, $push:expr) => {
            if swapped {
                numbers(|b| <$type>::from_ne_bytes(b).swap_bytes(), $push)
            } else {
                numbers(<$type>::from_ne_bytes, $push)
            }
        };
    }
    if matches!(data_type, DataType::Struct { .. }) {
        return any(data_type, style);
    }
    Ok(match (data_type.kind(), data_type.itemsize()) {
        (Kind::Bool, 1) if json => numbers(|[byte]: [u8; 1]| byte != 0, push_bool),
        (Kind::Uint, 1) => number!(u8, push_int),
        (Kind::Uint, 2) => number!(u16, push_int),
        (Kind::Uint, 4) => number!(u32, push_int),
        (Kind::Uint, 8) => number!(u64, push_int),
        (Kind::Int, 1) => number!(i8, push_int),
        (Kind::Int, 2) => number!(i16, push_int),
        (Kind::Int, 4) => number!(i32, push_int),
        (Kind::Int, 8) => number!(i64, push_int),
        (Kind::Float, 4) if json => number!(u32, |out, bits| push_json_f32(out, f32::from_bits(bits))),
        (Kind::Float, 4) => number!(u32, |out, bits| push_f32(out, f32::from_bits(bits))),
        (Kind::Float, 8) if json => number!(u64, |out, bits| push_json_f64(out, f64::from_bits(bits))),
        (Kind::Float, 8) => number!(u64, |out, bits| push_f64(out, f64::from_bits(bits))),
        _ => return any(data_type, style),
    })
}

fn numbers<const SIZE: usize, T>(
    read: impl Fn([u8; SIZE]) -> T + Send + Sync + 'static,
    push: impl Fn(&mut Vec<u8>, T) + Send + Sync + 'static,
) -> Run {
    Box::new(move |bytes, between, out| {
        let (items, _) = bytes.as_chunks::<SIZE>();
        let Some((first, rest)) = items.split_first() else { return };
        push(out, read(*first));
        for item in rest {
            out.push(between);
            push(out, read(*item));
        }
    })
}

fn any(data_type: &DataType, style: Style) -> Result<Run> {
    let write = element(data_type, style)?;
    let size = usize::try_from(data_type.itemsize()).map_err(Error::internal)?.max(1);
    Ok(Box::new(move |bytes, between, out| {
        for (place, item) in bytes.chunks_exact(size).enumerate() {
            if place > 0 {
                out.push(between);
            }
            write(item, out);
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_its_elements_one_by_one() {
        let bytes: Vec<u8> = (0..96_u8).map(|n| n.wrapping_mul(37)).collect();
        for name in [
            "|b1", "|u1", "|i1", "<u2", ">i2", "<u4", ">i4", "<i8", ">u8", "<f4", ">f4", "<f8", ">f8", "<f2",
            "<c8", "|S3",
        ] {
            let data_type = DataType::from_numpy_str(name).unwrap();
            for style in [Style::Json, Style::Plain] {
                let (mut whole, mut parts) = (Vec::new(), Vec::new());
                run(&data_type, style).unwrap()(&bytes, b';', &mut whole);
                let one = element(&data_type, style).unwrap();
                for (place, item) in bytes.chunks_exact(data_type.itemsize() as usize).enumerate() {
                    if place > 0 {
                        parts.push(b';');
                    }
                    one(item, &mut parts);
                }
                assert_eq!(String::from_utf8_lossy(&whole), String::from_utf8_lossy(&parts), "{name}");
            }
        }
    }
}
