//! Awkward arrays as Arrow arrays. Buffers come from files: every length and place in them is checked.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, FixedSizeListArray, Int64Array, LargeBinaryArray, LargeListArray,
        LargeStringArray, NullArray, StructArray, UnionArray,
    },
    buffer::{Buffer, OffsetBuffer, ScalarBuffer},
    compute::{nullif, take},
    datatypes::{DataType as ArrowType, Field, Fields, UnionFields},
};
use tiled_plugin_api::{
    author::{Error, ErrorKind, OwnedBuffer, Result},
    model::{DataType, Kind},
};
use tiled_tabular::{
    columns::column,
    element::{signed, word},
};

use crate::{
    arrow_type,
    form::{Form, Index, Layer, Meaning},
};

/// Overlapping lists can claim far more items than there are: more than this many are refused.
const MAX_GATHERED: u64 = 1 << 28;

/// Buffers by name.
pub struct Store(HashMap<String, OwnedBuffer>);

impl Store {
    /// These buffers.
    pub fn new(buffers: Vec<(String, OwnedBuffer)>) -> Self {
        Store(buffers.into_iter().collect())
    }

    fn get(&self, name: &str) -> Result<&[u8]> {
        self.0
            .get(name)
            .map(|buffer| &**buffer)
            .ok_or_else(|| Error::invalid_data(format!("Buffer {name} is missing")))
    }

    /// The first `count` bytes of a buffer.
    fn bytes(&self, name: &str, count: Option<u64>) -> Result<&[u8]> {
        let bytes = self.get(name)?;
        let count = count.and_then(|count| usize::try_from(count).ok());
        count.and_then(|count| bytes.get(..count)).ok_or_else(|| {
            Error::invalid_data(format!("Buffer {name} has only {} bytes: it is truncated", bytes.len()))
        })
    }

    fn indexes(&self, name: &str, index: Index, count: u64) -> Result<Vec<i64>> {
        let bytes = self.bytes(name, count.checked_mul(index.size as u64))?;
        let items = bytes.chunks_exact(index.size);
        Ok(items
            .map(|item| if index.signed { signed(item, false) } else { word(item, false) as i64 })
            .collect())
    }
}

/// The first `length` items of the array.
///
/// # Errors
/// `InvalidData` where a buffer is missing, too short or contradicts the form; `NotAcceptable` for items Arrow has not.
pub fn build(form: &Form, length: u64, store: &Store) -> Result<ArrayRef> {
    match &form.layer {
        Layer::Empty => Ok(Arc::new(NullArray::new(to_usize(length)?))),
        Layer::Numpy { data_type, inner } => numpy(form, data_type, inner, length, store),
        Layer::ListOffset { offsets, content, meaning } => {
            let name = form.buffer("offsets");
            // An array of no lists may have no offsets at all.
            let offsets = if length == 0 { vec![0] } else { store.indexes(&name, *offsets, length + 1)? };
            lists(&name, offsets, content, *meaning, store)
        }
        Layer::List { starts, stops, content, meaning } => {
            let starts = store.indexes(&form.buffer("starts"), *starts, length)?;
            let stops = store.indexes(&form.buffer("stops"), *stops, length)?;
            gathered(form, &starts, &stops, content, *meaning, store)
        }
        Layer::Regular { size, content, meaning } => regular(*size, length, content, *meaning, store),
        Layer::Record { fields, contents, .. } => record(fields, contents, length, store),
        Layer::Indexed { index, content, option } => {
            let places = store.indexes(&form.buffer("index"), *index, length)?;
            indexed(form, places, content, *option, store)
        }
        Layer::ByteMasked { valid_when, content } => {
            let mask = store.bytes(&form.buffer("mask"), Some(length))?;
            let missing = mask.iter().map(|byte| (*byte != 0) != *valid_when).collect();
            masked(content, length, missing, store)
        }
        Layer::BitMasked { valid_when, lsb_first, content } => {
            let mask = store.bytes(&form.buffer("mask"), Some(length.div_ceil(8)))?;
            let bits = (0..to_usize(length)?).map(|place| {
                let shift = if *lsb_first { place % 8 } else { 7 - place % 8 };
                (mask.get(place / 8).copied().unwrap_or(0) >> shift & 1 == 1) != *valid_when
            });
            masked(content, length, bits.collect(), store)
        }
        Layer::Unmasked { content } => build(content, length, store),
        Layer::Union { tags, index, contents } => {
            let tags = store.indexes(&form.buffer("tags"), *tags, length)?;
            let places = store.indexes(&form.buffer("index"), *index, length)?;
            union(form, tags, places, contents, store)
        }
    }
}

fn to_usize(length: u64) -> Result<usize> {
    usize::try_from(length).map_err(|_| Error::invalid_data("A length beyond memory"))
}

fn contradiction(form: &Form, what: &str) -> Error {
    Error::invalid_data(format!("Buffers of {}: {what}", form.key))
}

fn item(form: &Form, array: &ArrayRef) -> Arc<Field> {
    Arc::new(arrow_type::field("item", form, array.data_type()))
}

fn numpy(form: &Form, data_type: &DataType, inner: &[u64], length: u64, store: &Store) -> Result<ArrayRef> {
    let items = inner.iter().try_fold(length, |all, n| all.checked_mul(*n));
    let count = items.and_then(|items| items.checked_mul(data_type.itemsize()));
    let bytes = store.bytes(&form.buffer("data"), count)?;
    let is_complex = data_type.kind() == Kind::Complex;
    let mut array = if is_complex {
        // Real and imaginary part, one behind the other.
        let part = DataType::ordered(Kind::Float, data_type.itemsize() / 2, data_type.endianness());
        let parts = column(&part, bytes)?;
        let field = arrow_type::inner_item(parts.data_type(), true);
        fixed_lists(field, parts, 2, items.unwrap_or(0))?
    } else {
        column(data_type, bytes)?
    };
    for (axis, size) in inner.iter().enumerate().rev() {
        let count = inner.iter().take(axis).product::<u64>() * length;
        let field = arrow_type::inner_item(array.data_type(), is_complex);
        array = fixed_lists(field, array, *size, count)?;
    }
    Ok(array)
}

/// `count` lists of `size` items each.
fn fixed_lists(field: impl Into<Arc<Field>>, items: ArrayRef, size: u64, count: u64) -> Result<ArrayRef> {
    let field = field.into();
    let Some(size) = i32::try_from(size).ok().filter(|size| *size > 0) else {
        let offsets = OffsetBuffer::new_zeroed(to_usize(count)?);
        return Ok(Arc::new(
            LargeListArray::try_new(field, offsets, items, None).map_err(Error::from_arrow)?,
        ));
    };
    Ok(Arc::new(FixedSizeListArray::try_new(field, size, items, None).map_err(Error::from_arrow)?))
}

/// Lists of the content between neighbouring offsets.
fn lists(name: &str, offsets: Vec<i64>, content: &Form, meaning: Meaning, store: &Store) -> Result<ArrayRef> {
    let ascending = offsets.is_sorted() && offsets.first().is_some_and(|first| *first >= 0);
    let Some(last) = offsets.last().filter(|_| ascending) else {
        return Err(Error::invalid_data(format!("Buffer {name}: the offsets do not ascend")));
    };
    let last = u64::try_from(*last).unwrap_or(0);
    if meaning != Meaning::List
        && let Layer::Numpy { data_type, .. } = &content.layer
    {
        let size = data_type.itemsize();
        if size == 1 {
            let bytes = store.bytes(&content.buffer("data"), Some(last))?;
            return words(name, offsets, bytes, meaning);
        }
    }
    let items = build(content, last, store)?;
    let field = item(content, &items);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(LargeListArray::try_new(field, offsets, items, None).map_err(Error::from_arrow)?))
}

fn words(name: &str, offsets: Vec<i64>, bytes: &[u8], meaning: Meaning) -> Result<ArrayRef> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let values = Buffer::from(bytes);
    if meaning == Meaning::Bytes {
        return Ok(Arc::new(LargeBinaryArray::try_new(offsets, values, None).map_err(Error::from_arrow)?));
    }
    let text = LargeStringArray::try_new(offsets, values, None);
    Ok(Arc::new(
        text.map_err(|error| Error::invalid_data(format!("Buffer {name}: the text is no UTF-8: {error}")))?,
    ))
}

/// Lists that may overlap or lie in any order.
fn gathered(
    form: &Form,
    starts: &[i64],
    stops: &[i64],
    content: &Form,
    meaning: Meaning,
    store: &Store,
) -> Result<ArrayRef> {
    let mut offsets = vec![0_i64];
    let (mut total, mut end) = (0_u64, 0_i64);
    for (start, stop) in starts.iter().zip(stops) {
        if *start < 0 || stop < start {
            return Err(contradiction(form, "a list stops before it starts"));
        }
        // Empty lists may lie anywhere.
        end = if stop > start { end.max(*stop) } else { end };
        total = total.saturating_add(stop.abs_diff(*start));
        if total > MAX_GATHERED {
            return Err(Error::new(ErrorKind::TooLarge, "The lists have too many items to be gathered"));
        }
        offsets.push(total as i64);
    }
    let items = build(content, u64::try_from(end).unwrap_or(0), store)?;
    let places =
        Int64Array::from_iter_values(starts.iter().zip(stops).flat_map(|(start, stop)| *start..*stop));
    let items = take(&*items, &places, None).map_err(Error::from_arrow)?;
    relist(offsets, content, items, meaning)
}

/// Lists of items that are there already; of bytes, where they are text.
fn relist(offsets: Vec<i64>, content: &Form, items: ArrayRef, meaning: Meaning) -> Result<ArrayRef> {
    if meaning != Meaning::List && items.data_type() == &ArrowType::UInt8 {
        let bytes: &ScalarBuffer<u8> =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::UInt8Type>(&*items).values();
        return words(&content.key, offsets, bytes, meaning);
    }
    let field = item(content, &items);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(LargeListArray::try_new(field, offsets, items, None).map_err(Error::from_arrow)?))
}

fn regular(size: u64, length: u64, content: &Form, meaning: Meaning, store: &Store) -> Result<ArrayRef> {
    let count = length.checked_mul(size).ok_or_else(|| Error::invalid_data("A length beyond memory"))?;
    let items = build(content, count, store)?;
    if meaning == Meaning::List {
        return fixed_lists(item(content, &items), items, size, length);
    }
    // The items are there: their number bounds that of the lists, but for lists of nothing.
    if size == 0 && length > MAX_GATHERED {
        return Err(Error::invalid_data("A length beyond memory"));
    }
    let offsets = (0..=length).map(|place| (place * size) as i64).collect();
    relist(offsets, content, items, meaning)
}

fn record(names: &[String], contents: &[Form], length: u64, store: &Store) -> Result<ArrayRef> {
    let arrays = contents.iter().map(|content| build(content, length, store)).collect::<Result<Vec<_>>>()?;
    let fields = names.iter().zip(contents).zip(&arrays);
    let fields: Fields =
        fields.map(|((name, form), array)| arrow_type::member(name, form, array.data_type())).collect();
    let array = StructArray::try_new_with_length(fields, arrays, None, to_usize(length)?);
    Ok(Arc::new(array.map_err(Error::from_arrow)?))
}

/// How many items the places reach into.
fn reach(places: &[i64]) -> u64 {
    places.iter().max().map_or(0, |last| u64::try_from(last.saturating_add(1)).unwrap_or(0))
}

fn indexed(form: &Form, places: Vec<i64>, content: &Form, option: bool, store: &Store) -> Result<ArrayRef> {
    if !option && places.iter().any(|place| *place < 0) {
        return Err(contradiction(form, "a negative place"));
    }
    let items = build(content, reach(&places), store)?;
    let places: Int64Array = places.into_iter().map(|place| (place >= 0).then_some(place)).collect();
    take(&*items, &places, None).map_err(Error::from_arrow)
}

fn masked(content: &Form, length: u64, missing: Vec<bool>, store: &Store) -> Result<ArrayRef> {
    let items = build(content, length, store)?;
    nullif(&*items, &BooleanArray::from(missing)).map_err(Error::from_arrow)
}

fn union(
    form: &Form,
    tags: Vec<i64>,
    places: Vec<i64>,
    contents: &[Form],
    store: &Store,
) -> Result<ArrayRef> {
    if contents.len() > 127 {
        return Err(Error::unsupported_format("A union of more than 127 types"));
    }
    let mut reaches = vec![0_u64; contents.len()];
    let (mut ids, mut offsets) = (Vec::with_capacity(tags.len()), Vec::with_capacity(tags.len()));
    for (tag, place) in tags.iter().zip(&places) {
        let slot = usize::try_from(*tag).ok().and_then(|tag| reaches.get_mut(tag));
        let (Some(slot), Ok(offset)) = (slot, i32::try_from(*place)) else {
            return Err(contradiction(form, "a tag or place of a union out of range"));
        };
        *slot = (*slot).max(u64::try_from(*place + 1).map_err(|_| contradiction(form, "a negative place"))?);
        ids.push(*tag as i8);
        offsets.push(offset);
    }
    let parts = contents.iter().zip(&reaches).map(|(content, reach)| build(content, *reach, store));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    let fields = contents.iter().zip(&parts).enumerate().map(|(tag, (content, part))| {
        (tag as i8, Arc::new(arrow_type::field(&tag.to_string(), content, part.data_type())))
    });
    let fields: UnionFields = fields.collect();
    let array = UnionArray::try_new(fields, ids.into(), Some(ScalarBuffer::from(offsets)), parts);
    Ok(Arc::new(array.map_err(Error::from_arrow)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tiled_tabular::json::cells;

    use super::*;

    fn check(form: &Value, length: u64, buffers: &[(&str, Vec<u8>)]) -> Result<String> {
        let buffers =
            buffers.iter().map(|(name, bytes)| ((*name).to_owned(), OwnedBuffer::from_vec(bytes.clone())));
        let array = build(&Form::parse(form)?, length, &Store::new(buffers.collect()))?;
        let cell = cells(&array)?;
        let mut out = Vec::new();
        for row in 0..array.len() {
            cell(row, &mut out);
            out.push(b' ');
        }
        Ok(String::from_utf8(out).unwrap())
    }

    fn i64s(values: &[i64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn lists_of_records_are_read() {
        let form = json!({"class": "ListOffsetArray", "offsets": "i64", "form_key": "a", "content":
            {"class": "RecordArray", "fields": ["x", "y"], "contents": [
                {"class": "NumpyArray", "primitive": "int64", "form_key": "b"},
                {"class": "IndexedOptionArray", "index": "i64", "form_key": "c",
                 "content": {"class": "NumpyArray", "primitive": "uint8", "form_key": "d"}}]}});
        let buffers = [
            ("a-offsets", i64s(&[0, 2, 2, 3])),
            ("b-data", i64s(&[1, 2, 3])),
            ("c-index", i64s(&[1, -1, 0])),
            ("d-data", vec![8, 9]),
        ];
        let expected = r#"[{"x":1,"y":9},{"x":2,"y":null}] [] [{"x":3,"y":8}] "#;
        assert_eq!(check(&form, 3, &buffers).unwrap(), expected);
        let mut short = buffers.clone();
        short[1].1.truncate(20);
        assert_eq!(check(&form, 3, &short).unwrap_err().kind, ErrorKind::InvalidData);
        let mut descending = buffers;
        descending[0].1 = i64s(&[0, 2, 1, 3]);
        assert!(check(&form, 3, &descending).unwrap_err().message.contains("a-offsets"));
    }

    #[test]
    fn text_masks_and_unions_are_read() {
        let text = json!({"class": "ListOffsetArray", "offsets": "i32", "form_key": "s", "parameters": {"__array__": "string"},
            "content": {"class": "NumpyArray", "primitive": "uint8", "form_key": "c", "parameters": {"__array__": "char"}}});
        let words = [
            ("s-offsets", [0_i32, 2, 3].iter().flat_map(|v| v.to_le_bytes()).collect()),
            ("c-data", b"abc".to_vec()),
        ];
        assert_eq!(check(&text, 2, &words).unwrap(), r#""ab" "c" "#);
        let bits = json!({"class": "BitMaskedArray", "mask": "u8", "valid_when": true, "lsb_order": true, "form_key": "m",
            "content": {"class": "NumpyArray", "primitive": "int8", "form_key": "n"}});
        assert_eq!(
            check(&bits, 3, &[("m-mask", vec![0b101]), ("n-data", vec![1, 2, 3])]).unwrap(),
            "1 null 3 "
        );
        let mut union_buffers = words.to_vec();
        union_buffers.extend([("u-tags", vec![1, 0]), ("u-index", i64s(&[0, 1])), ("n-data", vec![7])]);
        let union = json!({"class": "UnionArray", "tags": "i8", "index": "i64", "form_key": "u",
            "contents": [text, {"class": "NumpyArray", "primitive": "int8", "form_key": "n"}]});
        assert_eq!(check(&union, 2, &union_buffers).unwrap(), r#"7 "c" "#);
    }

    #[test]
    fn overlapping_lists_and_inner_shapes_are_read() {
        let form = json!({"class": "ListArray", "starts": "i64", "stops": "i64", "form_key": "l",
            "content": {"class": "NumpyArray", "primitive": "int8", "inner_shape": [2], "form_key": "n"}});
        let buffers = [("l-starts", i64s(&[1, 0])), ("l-stops", i64s(&[2, 2])), ("n-data", vec![1, 2, 3, 4])];
        assert_eq!(check(&form, 2, &buffers).unwrap(), "[[3,4]] [[1,2],[3,4]] ");
    }
}
