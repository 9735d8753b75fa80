//! Arrays as nested JSON lists.

use std::ops::Range;

use tiled_plugin_api::{
    author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink, Slabs},
    model::ArrayStructure,
};
use tiled_tabular::{
    element::{Element, Style, element},
    pieces::pieces,
    runs::{Run, run},
};

/// `application/json` of an array: nested lists, a bare value for a scalar.
pub struct ArrayJson;

/// Text is passed on when there is this much of it.
pub const PIECE_BYTES: usize = 32 << 10;

/// Elements whose text is made in one go.
const PIECE_ELEMENTS: usize = 16 << 10;

impl Serializer for ArrayJson {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let (structure, mut slabs) = array(request, payload)?;
        let nested = Nested::new(&structure)?;
        if let Some(outer) = nested.empty() {
            let mut out = Vec::new();
            push_empty(outer, &mut out);
            return sink.put(&out);
        }
        let mut left: u64 = structure.shape.iter().product();
        let mut at = 0;
        while let Some(slab) = slabs.next()? {
            // Elements of no bytes (empty text) still count.
            let items = slab.bytes.len().checked_div(nested.size).map_or(left, |items| items as u64);
            left =
                left.checked_sub(items).ok_or_else(|| Error::internal("more elements than the shape has"))?;
            let items = usize::try_from(items).map_err(Error::internal)?;
            let write = |range: Range<usize>, out: &mut Vec<u8>| {
                let bytes = slab.bytes.get(range.start * nested.size..range.end * nested.size);
                nested.write(at + range.start as u64, range.len() as u64, bytes.unwrap_or_default(), out);
                Ok(())
            };
            pieces(cx, items, PIECE_ELEMENTS, &write, sink)?;
            at += items as u64;
        }
        if left > 0 {
            return Err(Error::invalid_data(format!("{left} elements of the array are missing")));
        }
        Ok(())
    }
}

/// The structure and the slabs of an array payload.
///
/// # Errors
/// `Internal` where the payload is no array.
pub fn array(request: &EncodeRequest, payload: Payload) -> Result<(ArrayStructure, Slabs)> {
    let structure = request.structure()?;
    match payload {
        Payload::Array(slabs) => Ok((structure, slabs)),
        _ => Err(Error::internal("an array serializer was given no array")),
    }
}

/// Calls `write` with the bytes of each element in C order, and passes on what it wrote piece by piece.
///
/// # Errors
/// Those of the slabs and the sink; `Cancelled`.
pub fn for_each_element(
    cx: &Context,
    structure: &ArrayStructure,
    mut slabs: Slabs,
    mut write: impl FnMut(&[u8], &mut Vec<u8>),
    sink: &mut Sink,
) -> Result<()> {
    let size = usize::try_from(structure.data_type.itemsize()).map_err(Error::internal)?;
    let mut left: u64 = structure.shape.iter().product();
    let mut out = Vec::with_capacity(2 * PIECE_BYTES);
    while let Some(slab) = slabs.next()? {
        // Elements of no bytes (empty text) still count.
        let items = slab.bytes.len().checked_div(size).map_or(left, |items| items as u64);
        left = left.checked_sub(items).ok_or_else(|| Error::internal("more elements than the shape has"))?;
        for place in 0..items as usize {
            write(slab.bytes.get(place * size..(place + 1) * size).unwrap_or_default(), &mut out);
            if out.len() >= PIECE_BYTES {
                cx.check()?;
                sink.put(&out)?;
                out.clear();
            }
        }
    }
    if left > 0 {
        return Err(Error::new(ErrorKind::InvalidData, format!("{left} elements of the array are missing")));
    }
    sink.put(&out)
}

/// Puts brackets and commas between elements.
struct Nested {
    shape: Vec<u64>,
    /// Bytes of an element.
    size: usize,
    run: Run,
    /// In place of `run` where elements have no bytes.
    nothing: Option<Element>,
}

impl Nested {
    fn new(structure: &ArrayStructure) -> Result<Self> {
        let size = usize::try_from(structure.data_type.itemsize()).map_err(Error::internal)?;
        let nothing = (size == 0).then(|| element(&structure.data_type, Style::Json)).transpose()?;
        let run = run(&structure.data_type, Style::Json)?;
        Ok(Nested { shape: structure.shape.clone(), size, run, nothing })
    }

    /// The lengths of the lists around nothing, for an array without elements: `[]`, `[[],[]]`.
    fn empty(&self) -> Option<&[u64]> {
        let end = self.shape.iter().position(|length| *length == 0)?;
        self.shape.get(..end)
    }

    /// The text of `count` elements from the one of number `from` on.
    fn write(&self, from: u64, count: u64, bytes: &[u8], out: &mut Vec<u8>) {
        let Some((inner, outer)) = self.shape.split_last() else { return self.elements(1, bytes, out) };
        let (mut at, end, mut rest) = (from, from + count, bytes);
        while at < end {
            let (row, column) = (at / inner, at % inner);
            let now = (inner - column).min(end - at);
            if at > 0 {
                out.push(b',');
            }
            // Lists open where the positions behind an axis are all zero, and close where they have all come to their end.
            if column == 0 {
                out.extend(std::iter::repeat_n(b'[', 1 + turning(row, outer)));
            }
            let (these, later) = rest.split_at((now as usize * self.size).min(rest.len()));
            self.elements(now, these, out);
            (at, rest) = (at + now, later);
            if column + now == *inner {
                out.extend(std::iter::repeat_n(b']', 1 + turning(row + 1, outer)));
            }
        }
    }

    fn elements(&self, count: u64, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(nothing) = &self.nothing else { return (self.run)(bytes, b',', out) };
        for place in 0..count {
            if place > 0 {
                out.push(b',');
            }
            nothing(&[], out);
        }
    }
}

/// How many axes, from the last one on, are at their start in this row, counted over all of them.
fn turning(mut row: u64, axes: &[u64]) -> usize {
    let mut count = 0;
    for length in axes.iter().rev() {
        if !row.is_multiple_of(*length) {
            break;
        }
        row /= length;
        count += 1;
    }
    count
}

fn push_empty(outer: &[u64], out: &mut Vec<u8>) {
    out.push(b'[');
    if let Some((length, inner)) = outer.split_first() {
        for place in 0..*length {
            if place > 0 {
                out.push(b',');
            }
            push_empty(inner, out);
        }
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tiled_plugin_api::{
        model::{DataType, StructureFamily},
        testing::{encode, one_slab},
    };

    use super::*;

    fn text(data_type: &str, shape: &[u64], bytes: Vec<u8>) -> String {
        let data_type = DataType::from_numpy_str(data_type).unwrap();
        let structure = ArrayStructure::single_chunk(data_type, shape.to_vec());
        let request = EncodeRequest {
            media_type: "application/json".into(),
            structure_family: StructureFamily::Array,
            structure: serde_json::to_value(structure).unwrap(),
            metadata: json!({}),
            specs: vec![],
            key: String::new(),
            fields: None,
        };
        let rows = shape.first().copied().unwrap_or(1);
        String::from_utf8(encode(&ArrayJson, &request, one_slab(rows, bytes)).unwrap()).unwrap()
    }

    #[test]
    fn axes_are_nested_lists() {
        assert_eq!(text("|u1", &[2, 3], vec![1, 2, 3, 4, 5, 6]), "[[1,2,3],[4,5,6]]");
        assert_eq!(text("|u1", &[2, 1, 2], vec![1, 2, 3, 4]), "[[[1,2]],[[3,4]]]");
        assert_eq!(text("|u1", &[1], vec![1]), "[1]");
    }

    #[test]
    fn a_scalar_is_bare() {
        assert_eq!(text("<f8", &[], f64::NAN.to_le_bytes().to_vec()), "null");
        assert_eq!(text("|b1", &[], vec![1]), "true");
    }

    #[test]
    fn empty_axes_are_empty_lists() {
        assert_eq!(text("|u1", &[0], vec![]), "[]");
        assert_eq!(text("|u1", &[2, 0], vec![]), "[[],[]]");
        assert_eq!(text("|u1", &[0, 3], vec![]), "[]");
    }

    #[test]
    fn pieces_fit_together_wherever_they_are_cut() {
        let data_type = DataType::from_numpy_str("|u1").unwrap();
        let structure = ArrayStructure::single_chunk(data_type, vec![2, 1, 3, 2]);
        let nested = Nested::new(&structure).unwrap();
        let bytes: Vec<u8> = (0..12).collect();
        for length in 1..=12 {
            let mut out = Vec::new();
            for (number, part) in bytes.chunks(length).enumerate() {
                nested.write((number * length) as u64, part.len() as u64, part, &mut out);
            }
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text, "[[[[0,1],[2,3],[4,5]]],[[[6,7],[8,9],[10,11]]]]", "{length}");
        }
    }

    #[test]
    fn times_are_iso() {
        assert_eq!(text("<M8[s]", &[1], 60_i64.to_le_bytes().to_vec()), r#"["1970-01-01T00:01:00"]"#);
    }
}
