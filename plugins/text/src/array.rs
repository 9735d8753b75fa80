//! Arrays as nested JSON lists.

use tiled_plugin_api::{
    author::{Context, EncodeRequest, Error, ErrorKind, Payload, Result, Serializer, Sink, Slabs},
    model::ArrayStructure,
};
use tiled_tabular::element::{Element, Style, element};

/// `application/json` of an array: nested lists, a bare value for a scalar.
pub struct ArrayJson;

/// Text is passed on when there is this much of it.
pub const PIECE_BYTES: usize = 32 << 10;

impl Serializer for ArrayJson {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let (structure, slabs) = array(request, payload)?;
        let write = element(&structure.data_type, Style::Json)?;
        let mut text = Nested::new(&structure.shape, write);
        for_each_element(cx, &structure, slabs, |item, out| text.push(item, out), sink)?;
        let mut end = Vec::new();
        text.finish(&mut end);
        sink.put(&end)
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

/// Puts brackets and commas between elements that come one by one.
struct Nested {
    shape: Vec<u64>,
    /// Position of the next element along each axis.
    at: Vec<u64>,
    write: Element,
    empty: bool,
}

impl Nested {
    fn new(shape: &[u64], write: Element) -> Self {
        Nested { at: vec![0; shape.len()], shape: shape.to_vec(), write, empty: true }
    }

    fn push(&mut self, item: &[u8], out: &mut Vec<u8>) {
        // Lists open where the positions behind an axis are all zero, and close where they have all come to their end.
        let opening = self.at.iter().rev().take_while(|position| **position == 0).count();
        if !self.empty {
            out.push(b',');
        }
        self.empty = false;
        out.extend(std::iter::repeat_n(b'[', opening));
        (self.write)(item, out);
        for (position, length) in self.at.iter_mut().zip(&self.shape).rev() {
            *position += 1;
            if *position < *length {
                break;
            }
            *position = 0;
            out.push(b']');
        }
    }

    /// What an array without elements looks like: `[]`, `[[],[]]`.
    fn finish(&self, out: &mut Vec<u8>) {
        if !self.empty || !self.shape.contains(&0) {
            return;
        }
        let outer: Vec<u64> = self.shape.iter().copied().take_while(|length| *length > 0).collect();
        push_empty(&outer, out);
    }
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
    fn times_are_iso() {
        assert_eq!(text("<M8[s]", &[1], 60_i64.to_le_bytes().to_vec()), r#"["1970-01-01T00:01:00"]"#);
    }
}
