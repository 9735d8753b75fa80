//! Byte orders: which bytes of an element change places between the store and the wire.

use tiled_plugin_api::model::{DataType, Endianness, Kind};

/// Bytes of a number within an element; 0 for types without byte order.
fn unit(dtype: &DataType) -> u64 {
    match dtype {
        DataType::Builtin { kind, itemsize, .. } => match kind {
            Kind::Int | Kind::Uint | Kind::Float | Kind::Timedelta | Kind::Datetime => *itemsize,
            Kind::Complex => itemsize / 2,
            Kind::Unicode => 4,
            Kind::Bool | Kind::Bytes | Kind::Void | Kind::Object => 0,
        },
        DataType::Struct { .. } => 0,
    }
}

/// Bytes of a number within an element, and whether the most significant is first.
pub fn order(dtype: &DataType) -> (usize, bool) {
    (unit(dtype) as usize, is_big(dtype))
}

fn is_big(dtype: &DataType) -> bool {
    dtype.endianness() == Endianness::Big
}

/// Places and lengths of the numbers within a record that have another byte order in the other. Nothing where one of the
/// two is no record, or the fields do not lie at the same places.
pub fn swapped_fields(one: &DataType, other: &DataType) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    if matches!((one, other), (DataType::Struct { .. }, DataType::Struct { .. })) {
        collect(one, other, 0, &mut found);
    }
    found
}

fn collect(one: &DataType, other: &DataType, at: u64, found: &mut Vec<(usize, usize)>) {
    let (DataType::Struct { fields, .. }, DataType::Struct { fields: others, .. }) = (one, other) else {
        let unit = unit(one);
        if unit > 1 && is_big(one) != is_big(other) && unit == self::unit(other) {
            let numbers = one.itemsize() / unit;
            found.extend((0..numbers).map(|i| ((at + i * unit) as usize, unit as usize)));
        }
        return;
    };
    let mut at = at;
    for (field, other) in fields.iter().zip(others) {
        if field.nbytes() != other.nbytes() {
            return;
        }
        let size = field.dtype.itemsize();
        for i in 0..field.nbytes().checked_div(size).unwrap_or(0) {
            collect(&field.dtype, &other.dtype, at + i * size, found);
        }
        at += field.nbytes();
    }
}

/// Turns the byte order of all numbers of `unit` bytes.
pub fn swap(bytes: &mut [u8], unit: usize) {
    match unit {
        0 | 1 => {}
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|b| b.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|b| b.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|b| b.reverse()),
        _ => bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
    }
}

/// Turns the byte order of these numbers of every element.
pub fn swap_fields(bytes: &mut [u8], item: usize, fields: &[(usize, usize)]) {
    if fields.is_empty() {
        return;
    }
    for element in bytes.chunks_exact_mut(item.max(1)) {
        for (at, len) in fields {
            if let Some(number) = element.get_mut(*at..).and_then(|rest| rest.get_mut(..*len)) {
                number.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::Field;

    use super::*;

    #[test]
    fn only_the_numbers_of_records_that_differ_are_turned() {
        let number = |text| DataType::from_numpy_str(text).unwrap();
        let record = |a, b, c| {
            let mut second = Field::new("b", number(b));
            second.shape = Some(vec![2]);
            DataType::record(vec![Field::new("a", number(a)), second, Field::new("c", number(c))])
        };
        let (one, other) = (record("<i2", ">i4", "|S3"), record("<i2", "<i4", "|S3"));
        assert_eq!(swapped_fields(&one, &other), [(2, 4), (6, 4)]);
        assert_eq!(swapped_fields(&one, &one), []);
        let mut bytes: Vec<u8> = (0..13).collect();
        swap_fields(&mut bytes, 13, &[(2, 4), (6, 4)]);
        assert_eq!(bytes, [0, 1, 5, 4, 3, 2, 9, 8, 7, 6, 10, 11, 12]);
    }
}
