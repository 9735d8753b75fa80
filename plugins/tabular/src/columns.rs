//! NumPy elements as Arrow columns.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, DurationMicrosecondArray, DurationMillisecondArray,
        DurationNanosecondArray, DurationSecondArray, PrimitiveArray, StringArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    },
    datatypes::{
        ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use tiled_plugin_api::{
    author::{Error, ErrorKind, Result},
    model::{DataType, Kind},
};

use crate::{
    element::{float, signed, trimmed, unicode, word},
    moment::{Base, Moment, NAT, Unit},
};

/// A column of the elements in `bytes`, C order, of this type.
///
/// # Errors
/// `NotAcceptable` for types that Arrow has not: complex, records, opaque bytes of unknown kind.
pub fn column(data_type: &DataType, bytes: &[u8]) -> Result<ArrayRef> {
    let DataType::Builtin { kind, itemsize, dt_units, .. } = data_type else { return Err(unfit(data_type)) };
    let size = usize::try_from(*itemsize).map_err(Error::internal)?;
    if size == 0 {
        return Err(unfit(data_type));
    }
    let swapped = data_type.is_swapped();
    let items = bytes.chunks_exact(size);
    let unit = dt_units.as_deref().and_then(Unit::parse);
    Ok(match (kind, size) {
        (Kind::Bool, _) => Arc::new(BooleanArray::from(bytes.iter().map(|b| *b != 0).collect::<Vec<_>>())),
        (Kind::Int, 1) => primitive::<Int8Type>(bytes, size, |b| signed(b, swapped) as i8),
        (Kind::Int, 2) => primitive::<Int16Type>(bytes, size, |b| signed(b, swapped) as i16),
        (Kind::Int, 4) => primitive::<Int32Type>(bytes, size, |b| signed(b, swapped) as i32),
        (Kind::Int, 8) => primitive::<Int64Type>(bytes, size, |b| signed(b, swapped)),
        (Kind::Uint, 1) => primitive::<UInt8Type>(bytes, size, |b| word(b, swapped) as u8),
        (Kind::Uint, 2) => primitive::<UInt16Type>(bytes, size, |b| word(b, swapped) as u16),
        (Kind::Uint, 4) => primitive::<UInt32Type>(bytes, size, |b| word(b, swapped) as u32),
        (Kind::Uint, 8) => primitive::<UInt64Type>(bytes, size, |b| word(b, swapped)),
        (Kind::Float, 2) => primitive::<Float16Type>(bytes, size, |b| half(word(b, swapped) as u16)),
        (Kind::Float, 4) => primitive::<Float32Type>(bytes, size, |b| float(b, swapped) as f32),
        (Kind::Float, 8 | 16) => primitive::<Float64Type>(bytes, size, |b| float(b, swapped)),
        (Kind::Unicode, _) => Arc::new(items.map(|b| Some(unicode(b, swapped))).collect::<StringArray>()),
        (Kind::Bytes, _) => Arc::new(items.map(|b| Some(trimmed(b))).collect::<BinaryArray>()),
        (Kind::Void, _) => Arc::new(items.map(Some).collect::<BinaryArray>()),
        (Kind::Datetime, 8) => {
            times(items.map(|b| signed(b, swapped)).collect(), unit.ok_or_else(|| unfit(data_type))?)?
        }
        (Kind::Timedelta, 8) => {
            spans(items.map(|b| signed(b, swapped)).collect(), unit.ok_or_else(|| unfit(data_type))?)?
        }
        _ => return Err(unfit(data_type)),
    })
}

fn unfit(data_type: &DataType) -> Error {
    let name = data_type.numpy_str().unwrap_or_else(|| "records".into());
    Error::new(ErrorKind::NotAcceptable, format!("Elements of type {name} have no place in a table column"))
}

type Half = <Float16Type as ArrowPrimitiveType>::Native;

fn half(bits: u16) -> Half {
    Half::from_bits(bits)
}

fn primitive<T: ArrowPrimitiveType>(
    bytes: &[u8],
    size: usize,
    read: impl Fn(&[u8]) -> T::Native,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(bytes.chunks_exact(size).map(read)))
}

/// Arrow's nearest unit, as decimal places of a second, and the counts in it.
fn rescale(counts: Vec<i64>, unit: Unit) -> Result<(u8, Vec<Option<i64>>)> {
    let beyond = || Error::new(ErrorKind::NotAcceptable, "A time lies beyond what a table column can hold");
    let places = match unit.base {
        Base::Fraction(digits @ (3 | 6 | 9)) => digits,
        Base::Fraction(_) => return Err(beyond()),
        _ => 0,
    };
    let plain = unit.multiple == 1 && matches!(unit.base, Base::Second | Base::Fraction(_));
    let convert = |count: i64| -> Result<Option<i64>> {
        if count == NAT {
            return Ok(None);
        }
        if plain {
            return Ok(Some(count));
        }
        let per = match unit.base {
            Base::Week => 604_800,
            Base::Day => 86_400,
            Base::Hour => 3600,
            Base::Minute => 60,
            Base::Second | Base::Fraction(_) => 1,
            Base::Year | Base::Month => return calendar(count, unit).map(Some).ok_or_else(beyond),
        };
        count.checked_mul(unit.multiple).and_then(|n| n.checked_mul(per)).map(Some).ok_or_else(beyond)
    };
    Ok((places, counts.into_iter().map(convert).collect::<Result<_>>()?))
}

/// Seconds from 1970 to the beginning of a year or month.
fn calendar(count: i64, unit: Unit) -> Option<i64> {
    let moment = Moment::new(count, unit)?;
    // Whole years of 365.2425 days lead near the date; the rest is counted by trying days.
    let guess = (moment.year - 1970).checked_mul(365)? + (moment.year - 1969).div_euclid(4)
        - (moment.year - 1901).div_euclid(100)
        + (moment.year - 1601).div_euclid(400);
    let mut day = guess;
    while let Some(at) = Moment::new(day, Unit::of(Base::Day)) {
        if (at.year, at.month, at.day) == (moment.year, moment.month, moment.day) {
            return day.checked_mul(86_400);
        }
        if at.year > moment.year || day > guess + 400 {
            return None;
        }
        day += 1;
    }
    None
}

fn times(counts: Vec<i64>, unit: Unit) -> Result<ArrayRef> {
    let (places, counts) = rescale(counts, unit)?;
    Ok(match places {
        0 => Arc::new(TimestampSecondArray::from(counts)),
        3 => Arc::new(TimestampMillisecondArray::from(counts)),
        6 => Arc::new(TimestampMicrosecondArray::from(counts)),
        _ => Arc::new(TimestampNanosecondArray::from(counts)),
    })
}

fn spans(counts: Vec<i64>, unit: Unit) -> Result<ArrayRef> {
    if matches!(unit.base, Base::Year | Base::Month) {
        return Err(Error::new(
            ErrorKind::NotAcceptable,
            "Spans of years or months have no place in a table column",
        ));
    }
    let (places, counts) = rescale(counts, unit)?;
    Ok(match places {
        0 => Arc::new(DurationSecondArray::from(counts)),
        3 => Arc::new(DurationMillisecondArray::from(counts)),
        6 => Arc::new(DurationMicrosecondArray::from(counts)),
        _ => Arc::new(DurationNanosecondArray::from(counts)),
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;

    #[test]
    fn columns_take_the_type_of_the_elements() {
        let column_of =
            |text: &str, bytes: &[u8]| column(&DataType::from_numpy_str(text).unwrap(), bytes).unwrap();
        let swapped = column_of(">i2", &[0, 1, 0xff, 0xff]);
        assert_eq!(swapped.as_primitive::<Int16Type>().values(), &[1, -1]);
        assert_eq!(column_of("|S2", b"a\0bc").as_binary::<i32>().value(0), b"a");
        let years = column_of("<M8[Y]", &[55_i64.to_le_bytes(), NAT.to_le_bytes()].concat());
        let years = years.as_primitive::<arrow::datatypes::TimestampSecondType>();
        assert_eq!(years.iter().collect::<Vec<_>>(), [Some(1_735_689_600), None]);
        let months = column_of("<M8[M]", &11_i64.to_le_bytes());
        assert_eq!(months.as_primitive::<arrow::datatypes::TimestampSecondType>().value(0), 334 * 86_400);
    }

    #[test]
    fn complex_is_refused() {
        let error = column(&DataType::from_numpy_str("<c16").unwrap(), &[0; 16]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAcceptable);
    }
}
