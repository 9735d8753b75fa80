//! What can be said of an array although its codecs or its chunk grid are not ours.

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::{Error, Result},
    model::{DataType, Endianness},
};

use super::{Element, MAX_AXES, dims, dtype, fill, lengths, parse, v2, v3};
use crate::codec::{Body, Chain, parse_v3};

/// Grids are lists of chunks here: more along an axis are refused, as a few forged bytes could ask for any number.
const MAX_CHUNKS_PER_AXIS: u64 = 1 << 17;
/// No axis is longer; keeps all sums of lengths far from overflow.
const MAX_LENGTH: u64 = 1 << 40;

/// An array with a grid of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// Lengths of the chunks along each axis, as they are encoded: the last may reach beyond the array.
    pub grid: Vec<Vec<u64>>,
    /// In this machine's byte order.
    pub dtype: DataType,
    /// One element where there is no chunk, in the byte order of `dtype`.
    pub fill: Vec<u8>,
    /// Our own codecs, where these are enough.
    pub chain: Option<Chain>,
    /// Names of the codecs, in the order in which they encode.
    pub codecs: Vec<String>,
    /// Names of the axes.
    pub dims: Option<Vec<String>>,
    /// Of the array.
    pub attributes: Map<String, Value>,
}

impl Outline {
    /// Reads `.zarray`, with `.zattrs` where there is one, or `zarr.json`.
    ///
    /// # Errors
    /// `InvalidData`; `UnsupportedFormat` for a type or a grid that is not known here either.
    pub fn parse(meta: &[u8], zattrs: Option<&[u8]>) -> Result<Self> {
        let meta = parse(meta)?;
        let shape = meta.get("shape").and_then(lengths);
        let shape = shape.filter(|shape| shape.len() <= MAX_AXES && shape.iter().all(|n| *n <= MAX_LENGTH));
        let shape = shape.ok_or_else(|| Error::invalid_data("the shape is no list of lengths"))?;
        if meta.get("zarr_format").is_some_and(|format| format == 2) {
            return Self::v2(&meta, shape, v2::attributes(zattrs)?);
        }
        v3::check_extensions(&meta)?;
        let attributes = v3::attributes(&meta)?;
        let element = dtype::v3(meta.get("data_type").unwrap_or(&Value::Null))?;
        let codecs = meta.get("codecs").unwrap_or(&Value::Null);
        let own = parse_v3(codecs, &element, shape.len()).ok();
        let names = codecs.as_array().into_iter().flatten();
        let (grid, config) = v3::named(meta.get("chunk_grid"));
        let axes = match grid {
            Some("regular" | "rectangular") => config.and_then(|config| config.get("chunk_shape")),
            Some("rectilinear") => config.and_then(|config| config.get("chunk_shapes")),
            _ => return Err(Error::unsupported_format("the chunk grid is not known")),
        };
        Ok(Outline {
            grid: edges(axes, &shape)?,
            fill: fill::bytes(meta.get("fill_value"), &element)?,
            dtype: fixed(element)?,
            chain: own.filter(|chain| !matches!(chain.body, Body::Variable)),
            codecs: names.map(|codec| v3::named(Some(codec)).0.unwrap_or_default().to_owned()).collect(),
            dims: dims(meta.get("dimension_names"), &attributes, shape.len()),
            shape,
            attributes,
        })
    }

    fn v2(meta: &Value, shape: Vec<u64>, attributes: Map<String, Value>) -> Result<Self> {
        let mut dtype = fixed(dtype::v2(meta.get("dtype").unwrap_or(&Value::Null), meta.get("filters"))?)?;
        if let DataType::Builtin { endianness, .. } = &mut dtype
            && *endianness != Endianness::NotApplicable
        {
            *endianness = Endianness::NATIVE;
        }
        let filters = meta.get("filters").and_then(Value::as_array).into_iter().flatten();
        let codecs = filters.chain(meta.get("compressor").filter(|codec| !codec.is_null()));
        let element = Element::Fixed(dtype);
        Ok(Outline {
            grid: edges(meta.get("chunks"), &shape)?,
            fill: fill::bytes(meta.get("fill_value"), &element)?,
            dtype: fixed(element)?,
            chain: None,
            codecs: codecs
                .map(|codec| codec.get("id").and_then(Value::as_str).unwrap_or_default().into())
                .collect(),
            dims: dims(None, &attributes, shape.len()),
            shape,
            attributes,
        })
    }
}

fn fixed(element: Element) -> Result<DataType> {
    match element {
        Element::Fixed(dtype) => Ok(dtype),
        Element::Text | Element::Bytes => {
            Err(Error::unsupported_format("texts are read with our own codecs only"))
        }
    }
}

/// The chunks along each axis.
fn edges(axes: Option<&Value>, shape: &[u64]) -> Result<Vec<Vec<u64>>> {
    let bad = || Error::invalid_data(format!("the chunks do not cover an array of shape {shape:?}"));
    let axes = axes.and_then(Value::as_array).filter(|axes| axes.len() == shape.len()).ok_or_else(bad)?;
    axes.iter().zip(shape).map(|(axis, length)| along(axis, *length).ok_or_else(bad)).collect()
}

/// One length for all chunks, or a list of lengths and of pairs of length and number.
fn along(axis: &Value, length: u64) -> Option<Vec<u64>> {
    let in_bounds = |n: &u64| (1..=MAX_LENGTH).contains(n);
    if let Some(chunk) = axis.as_u64() {
        let count = length.div_ceil(Some(chunk).filter(in_bounds)?);
        return (count <= MAX_CHUNKS_PER_AXIS).then(|| vec![chunk; count as usize]);
    }
    let mut chunks = Vec::new();
    for item in axis.as_array()? {
        let (chunk, count) = match item.as_array().map(Vec::as_slice) {
            None => (item.as_u64()?, 1),
            Some([chunk, count]) => (chunk.as_u64()?, count.as_u64()?),
            Some(_) => return None,
        };
        if !in_bounds(&chunk) || count > MAX_CHUNKS_PER_AXIS - chunks.len() as u64 {
            return None;
        }
        chunks.resize(chunks.len() + count as usize, chunk);
    }
    (chunks.iter().sum::<u64>() >= length).then_some(chunks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn grids_are_lists_of_chunks_and_forged_ones_are_refused() {
        assert_eq!(along(&json!(4), 10), Some(vec![4, 4, 4]));
        assert_eq!(along(&json!([4, [2, 3]]), 10), Some(vec![4, 2, 2, 2]));
        assert_eq!(along(&json!([4, 2]), 10), None);
        assert_eq!(along(&json!([4, 0, 6]), 10), None);
        assert_eq!(along(&json!(0), 10), None);
        assert_eq!(along(&json!([[1, 1u64 << 60]]), 10), None);
        assert_eq!(along(&json!(1), 1 << 40), None);
        assert_eq!(along(&json!([1u64 << 62, 1u64 << 62, 1u64 << 62]), 10), None);
    }
}
