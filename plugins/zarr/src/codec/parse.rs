//! Codecs out of metadata: v2's `filters` and `compressor`, v3's `codecs`.

use serde_json::Value;
use tiled_plugin_api::{
    author::{Error, Result},
    model::DataType,
};

use super::{
    Body, Chain, Shards, checksum::Checksum, compress::Compressor, effort::Effort, filter::Number,
    stage::Stage,
};
use crate::meta::{Element, lengths};

/// Chains within chains within chains end here.
const MAX_DEPTH: u32 = 4;

/// The chain of a v2 array.
///
/// # Errors
/// `UnsupportedFormat` naming the codec.
pub fn parse_v2(meta: &Value, element: &Element, axes: Vec<usize>) -> Result<Chain> {
    let filters = meta.get("filters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let compressor = meta.get("compressor").filter(|codec| !codec.is_null());
    let mut stages = Vec::new();
    for codec in filters.iter().chain(compressor) {
        let id = codec.get("id").and_then(Value::as_str).unwrap_or("without an id");
        match (id, element) {
            ("vlen-utf8", Element::Text) | ("vlen-bytes", Element::Bytes) => {}
            _ => stages.push(numcodec(id, codec, element, None)?),
        }
    }
    let body = match element {
        Element::Fixed(dtype) => Body::Raw { big: dtype.is_swapped() == cfg!(target_endian = "little") },
        Element::Text | Element::Bytes => Body::Variable,
    };
    Ok(Chain { axes, body, stages })
}

/// The chain of a v3 array.
///
/// # Errors
/// `UnsupportedFormat` naming the codec, `InvalidData` for a list that makes no sense.
pub fn parse_v3(codecs: &Value, element: &Element, rank: usize) -> Result<Chain> {
    list(codecs, element, rank, 0)
}

fn list(codecs: &Value, element: &Element, rank: usize, depth: u32) -> Result<Chain> {
    let codecs =
        codecs.as_array().filter(|_| depth < MAX_DEPTH).ok_or_else(|| invalid("codecs is no list"))?;
    let mut axes: Vec<usize> = (0..rank).collect();
    let (mut body, mut stages) = (None, Vec::new());
    // Filters stand before the codec that says in which order the bytes are.
    let big = codecs.iter().any(|codec| {
        matches!(name(codec), "bytes" | "endian")
            && option(codec, "endian").and_then(Value::as_str) == Some("big")
    });
    for codec in codecs {
        match name(codec) {
            "transpose" => axes = transpose(codec, &axes)?,
            "bytes" | "endian" => set(&mut body, Body::Raw { big })?,
            "vlen-utf8" | "vlen_utf8" | "vlen-bytes" | "vlen_bytes" => set(&mut body, Body::Variable)?,
            "sharding_indexed" => {
                set(&mut body, Body::Shards(Box::new(shards(codec, element, rank, depth)?)))?
            }
            id => {
                let empty = Value::Null;
                let id = id.strip_prefix("numcodecs.").unwrap_or(id);
                let stage = numcodec(id, codec.get("configuration").unwrap_or(&empty), element, Some(big))?;
                stages.push(match (id, stage) {
                    // Of v3's own name, and of numcodecs: behind the bytes.
                    ("crc32c", Stage::Check(kind, _)) if name(codec) == "crc32c" => Stage::Check(kind, true),
                    (_, stage) => stage,
                });
            }
        }
    }
    let body = body.ok_or_else(|| invalid("codecs has none that turns elements into bytes"))?;
    if matches!(body, Body::Variable) != matches!(element, Element::Text | Element::Bytes)
        && !matches!(body, Body::Shards(_))
    {
        return Err(invalid("codecs does not fit the data type"));
    }
    Ok(Chain { axes, body, stages })
}

fn name(codec: &Value) -> &str {
    codec.get("name").unwrap_or(codec).as_str().unwrap_or("without a name")
}

fn option<'a>(codec: &'a Value, key: &str) -> Option<&'a Value> {
    codec.get("configuration")?.get(key)
}

fn set(body: &mut Option<Body>, to: Body) -> Result<()> {
    match body.replace(to) {
        None => Ok(()),
        Some(_) => Err(invalid("codecs has two that turn elements into bytes")),
    }
}

/// The axes of `axes` in the order that this codec stores them.
fn transpose(codec: &Value, axes: &[usize]) -> Result<Vec<usize>> {
    let order = option(codec, "order").unwrap_or(&Value::Null);
    match order.as_str() {
        Some("C") => return Ok(axes.to_vec()),
        Some("F") => return Ok(axes.iter().rev().copied().collect()),
        _ => {}
    }
    let bad = || invalid("the order of a transpose is no permutation of the axes");
    let order = lengths(order).filter(|order| order.len() == axes.len()).ok_or_else(bad)?;
    let stored: Option<Vec<usize>> =
        order.iter().map(|axis| axes.get(usize::try_from(*axis).ok()?).copied()).collect();
    let stored = stored.ok_or_else(bad)?;
    let mut sorted = stored.clone();
    sorted.sort_unstable();
    if sorted.iter().copied().eq(0..axes.len()) { Ok(stored) } else { Err(bad()) }
}

fn shards(codec: &Value, element: &Element, rank: usize, depth: u32) -> Result<Shards> {
    let chunk_shape = option(codec, "chunk_shape").and_then(lengths);
    let chunk_shape = chunk_shape.filter(|shape| shape.len() == rank && !shape.contains(&0));
    let chunk_shape =
        chunk_shape.ok_or_else(|| invalid("the inner chunks of the shards have no sound shape"))?;
    let chain = list(option(codec, "codecs").unwrap_or(&Value::Null), element, rank, depth + 1)?;
    let offsets = Element::Fixed(DataType::native(tiled_plugin_api::model::Kind::Uint, 8));
    let index = list(option(codec, "index_codecs").unwrap_or(&Value::Null), &offsets, rank + 1, depth + 1)?;
    if !matches!(index.body, Body::Raw { .. }) || index.encoded_len(16).is_none() || !index.axes.is_sorted() {
        return Err(Error::unsupported_format("the index of the shards is compressed or transposed"));
    }
    let index_at_end = match option(codec, "index_location").and_then(Value::as_str) {
        None | Some("end") => true,
        Some("start") => false,
        Some(other) => return Err(invalid(&format!("the index of the shards is at {other:?}"))),
    };
    Ok(Shards { chunk_shape, chain, index, index_at_end })
}

/// A codec of numcodecs. `big`: the byte order that v3 wants, where v2 has it in the types.
fn numcodec(id: &str, config: &Value, element: &Element, big: Option<bool>) -> Result<Stage> {
    let at_end = |default: &str| config.get("location").and_then(Value::as_str).unwrap_or(default) == "end";
    Ok(match id {
        "blosc" => Stage::Compress(Compressor::Blosc, Effort::blosc(config, element)),
        "zstd" => Stage::Compress(Compressor::Zstd, Effort::of(config)),
        "gzip" => Stage::Compress(Compressor::Gzip, Effort::of(config)),
        "zlib" => Stage::Compress(Compressor::Zlib, Effort::of(config)),
        "bz2" => Stage::Compress(Compressor::Bz2, Effort::of(config)),
        "lz4" => Stage::Compress(Compressor::Lz4, Effort::of(config)),
        "lzma" => lzma(config)?,
        "crc32" => Stage::Check(Checksum::Crc32, at_end("start")),
        "adler32" => Stage::Check(Checksum::Adler32, at_end("start")),
        "crc32c" => Stage::Check(Checksum::Crc32c, at_end("end")),
        "fletcher32" => Stage::Check(Checksum::Fletcher32, true),
        "shuffle" => {
            let size = config
                .get("elementsize")
                .map_or(Some(4), Value::as_u64)
                .filter(|n| (1..=1 << 20).contains(n));
            Stage::Shuffle(size.ok_or_else(|| invalid("shuffle has no sound elementsize"))? as usize)
        }
        "bitround" => Stage::Same,
        "packbits" => Stage::PackBits,
        "delta" | "fixedscaleoffset" | "astype" | "quantize" => numbers(id, config, element, big)?,
        _ => {
            let known =
                "blosc, zstd, gzip, zlib, bz2, lz4, lzma, checksums, shuffle, delta, fixedscaleoffset, …";
            return Err(Error::unsupported_format(format!("the codec {id:?} is not one of {known}")));
        }
    })
}

fn lzma(config: &Value) -> Result<Stage> {
    // The numbers of Python's lzma module.
    match config.get("format").map_or(Some(1), Value::as_u64) {
        Some(0 | 1) => Ok(Stage::Compress(Compressor::Xz, Effort::of(config))),
        Some(2) => Ok(Stage::Compress(Compressor::LzmaAlone, Effort::of(config))),
        _ => Err(Error::unsupported_format("the codec \"lzma\" without a container is not supported")),
    }
}

/// Codecs that compute with numbers.
fn numbers(id: &str, config: &Value, element: &Element, big: Option<bool>) -> Result<Stage> {
    let number = |key: &str| -> Option<Number> {
        let number = Number::of(&DataType::from_numpy_str(config.get(key)?.as_str()?)?)?;
        Some(number.ordered(big.unwrap_or(number.big)))
    };
    let default = || match element {
        Element::Fixed(dtype) => {
            let number = Number::of(dtype)?;
            Some(number.ordered(big.unwrap_or(number.big)))
        }
        _ => None,
    };
    let unsupported =
        || Error::unsupported_format(format!("the codec {id:?} has a type that is not supported"));
    let float = |key: &str| config.get(key).and_then(Value::as_f64);
    if id == "astype" {
        let element = number("decode_dtype").or_else(default).ok_or_else(unsupported)?;
        return Ok(Stage::Cast { element, stored: number("encode_dtype").ok_or_else(unsupported)? });
    }
    let element = if config.get("dtype").is_some() { number("dtype") } else { default() };
    let element = element.ok_or_else(unsupported)?;
    let stored = match config.get("astype") {
        None | Some(Value::Null) => element,
        Some(_) => number("astype").ok_or_else(unsupported)?,
    };
    Ok(match id {
        "delta" => Stage::Delta { element, stored },
        "quantize" => Stage::Cast { element, stored },
        _ => {
            let (scale, offset) = float("scale").zip(float("offset")).ok_or_else(unsupported)?;
            Stage::Scale { element, stored, scale, offset }
        }
    })
}

fn invalid(what: &str) -> Error {
    Error::invalid_data(format!("the metadata are wrong: {what}"))
}
