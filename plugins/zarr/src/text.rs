//! Texts and bytes of any length. Tiled has no such type: they are served in elements of a fixed length, that of the
//! longest one, which is found by reading them all once.

use tiled_plugin_api::{
    author::{Context, Error, Result},
    model::SliceDim,
};

use crate::{
    codec::{Body, Chain},
    meta::Element,
    parts::{Part, Span, combine, place, split},
    read::Stored,
    shard::Index,
    stored::{Bytes, load},
};

/// Arrays of more texts are not read through to find the longest.
const MAX_TEXTS: u64 = 1 << 24;
const MAX_ENCODED_BYTES: usize = 1 << 30;

/// Bytes of a served element: those of the longest text, 4 a character, at least one character.
///
/// # Errors
/// `InvalidData` naming a damaged chunk, `UnsupportedFormat` for too many texts.
pub fn element_bytes(cx: &Context, stored: Stored<'_>) -> Result<u64> {
    let meta = stored.meta;
    let count = meta.shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n)).filter(|n| *n <= MAX_TEXTS);
    if count.is_none() {
        return Err(Error::unsupported_format(format!(
            "more than {MAX_TEXTS} texts of any length are not served"
        )));
    }
    let everything: Vec<SliceDim> = meta.shape.iter().map(|n| SliceDim::all(*n)).collect();
    let (mut longest, unit) = (1, if meta.element == Element::Text { 4 } else { 1 });
    visit(cx, stored, &everything, |_, value| {
        longest = longest.max(length(value, &meta.element)?);
        Ok(())
    })?;
    Ok(longest as u64 * unit)
}

/// Characters of a text, bytes of bytes.
fn length(value: &[u8], element: &Element) -> Result<usize> {
    match element {
        Element::Text => Ok(text(value)?.chars().count()),
        _ => Ok(value.len()),
    }
}

fn text(value: &[u8]) -> Result<&str> {
    str::from_utf8(value).map_err(|_| Error::invalid_data("a text is not UTF-8"))
}

/// Fills `out` with elements of `item` bytes.
///
/// # Errors
/// `InvalidData` naming a damaged chunk, or when a text has grown beyond `item`.
pub fn read(cx: &Context, stored: Stored<'_>, slice: &[SliceDim], item: usize, out: &mut [u8]) -> Result<()> {
    let is_text = stored.meta.element == Element::Text;
    visit(cx, stored, slice, |number, value| {
        let element = out
            .chunks_exact_mut(item.max(1))
            .nth(number)
            .ok_or_else(|| Error::internal("a text too many"))?;
        let unit = if is_text { 4 } else { 1 };
        if length(value, &stored.meta.element)? * unit > item {
            return Err(Error::invalid_data(
                "a text is longer than the array's longest was: open the array again",
            ));
        }
        element.fill(0);
        if is_text {
            for (to, c) in element.as_chunks_mut::<4>().0.iter_mut().zip(text(value)?.chars()) {
                *to = u32::from(c).to_ne_bytes();
            }
        } else if let Some(to) = element.get_mut(..value.len()) {
            to.copy_from_slice(value);
        }
        Ok(())
    })
}

/// Calls `visit` with the number in the result and the value of every element of a slice.
fn visit(
    cx: &Context,
    stored: Stored<'_>,
    slice: &[SliceDim],
    mut visit: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let (meta, axes) = (stored.meta, stored.parts(slice, 1)?);
    combine(&axes, |parts| {
        cx.check()?;
        let number: Vec<u64> = parts.iter().map(|part| part.chunk).collect();
        let values = match stored.chunk(&number).map_err(|e| stored.within(e, parts))? {
            Some(file) => Some(
                values(&file, &meta.chain, &meta.chunk_shape, &meta.fill)
                    .map_err(|e| stored.within(e, parts))?,
            ),
            None => None,
        };
        let spans: Vec<Span> = parts.iter().map(|part| part.span).collect();
        let at = place(0, parts)?;
        each(&spans, &meta.chunk_shape, 0, at as isize, &mut |inside, number| {
            let value = match &values {
                Some(values) => values.get(inside).map(Vec::as_slice).unwrap_or_default(),
                None => &meta.fill,
            };
            visit(number, value).map_err(|e| stored.within(e, parts))
        })
    })
}

/// Calls `visit` with the place in the chunk and in the result of every element of `spans`.
fn each(
    spans: &[Span],
    shape: &[u64],
    inside: usize,
    at: isize,
    visit: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let Some(((span, rest), (length, shape))) = spans.split_first().zip(shape.split_first()) else {
        return visit(inside, usize::try_from(at).unwrap_or(usize::MAX));
    };
    for i in 0..span.count {
        let position = span.start.wrapping_add_signed(span.step.wrapping_mul(i as i64)) as usize;
        let inside = inside.wrapping_mul(*length as usize).wrapping_add(position);
        each(rest, shape, inside, at.wrapping_add(span.to.wrapping_mul(i as isize)), visit)?;
    }
    Ok(())
}

/// All values of a chunk in C order.
fn values(bytes: &dyn Bytes, chain: &Chain, shape: &[u64], fill: &[u8]) -> Result<Vec<Vec<u8>>> {
    let count = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n)).filter(|n| *n <= MAX_TEXTS);
    let count = count.ok_or_else(|| Error::unsupported_format("the chunk has too many texts"))? as usize;
    let stored_shape: Vec<u64> = chain.axes.iter().filter_map(|axis| shape.get(*axis).copied()).collect();
    let stored = match &chain.body {
        Body::Shards(shards) if chain.stages.is_empty() => {
            let index = Index::read(bytes, shards, &stored_shape)?;
            let mut values = vec![fill.to_vec(); count];
            let mut stride = 1;
            let mut axes: Vec<Vec<Part>> = Vec::new();
            for (n, inner) in stored_shape.iter().zip(&shards.chunk_shape).rev() {
                axes.push(split(Span { start: 0, step: 1, count: *n, to: stride }, *inner));
                stride = stride.saturating_mul(*n as isize);
            }
            axes.reverse();
            combine(&axes, |parts| {
                let Some(inner) = index.of(parts, bytes)? else { return Ok(()) };
                let mut inner = self::values(&inner, &shards.chain, &shards.chunk_shape, fill)?;
                let spans: Vec<Span> = parts.iter().map(|part| part.span).collect();
                let at = place(0, parts)? as isize;
                each(&spans, &shards.chunk_shape, 0, at, &mut |inside, number| {
                    if let (Some(from), Some(to)) = (inner.get_mut(inside), values.get_mut(number)) {
                        std::mem::swap(from, to);
                    }
                    Ok(())
                })
            })?;
            values
        }
        Body::Variable => {
            let encoded = load(bytes, MAX_ENCODED_BYTES)?;
            let decoded = chain.decode_unknown(encoded).map_err(Error::invalid_data)?;
            unpack(&decoded, count)?
        }
        _ => return Err(Error::unsupported_format("texts behind these codecs are not read")),
    };
    if chain.axes.is_sorted() {
        return Ok(stored);
    }
    Ok(reorder(stored, chain, &stored_shape, shape))
}

/// Values whose axes are stored in another order.
fn reorder(mut stored: Vec<Vec<u8>>, chain: &Chain, stored_shape: &[u64], shape: &[u64]) -> Vec<Vec<u8>> {
    let stride = |axis: usize| shape.get(axis + 1..).unwrap_or_default().iter().product::<u64>() as isize;
    let spans: Vec<Span> = chain
        .axes
        .iter()
        .zip(stored_shape)
        .map(|(axis, n)| Span { start: 0, step: 1, count: *n, to: stride(*axis) })
        .collect();
    let mut values = vec![Vec::new(); stored.len()];
    // The closure never fails.
    let _ = each(&spans, stored_shape, 0, 0, &mut |inside, number| {
        if let (Some(from), Some(to)) = (stored.get_mut(inside), values.get_mut(number)) {
            std::mem::swap(from, to);
        }
        Ok(())
    });
    values
}

/// `vlen-utf8` and `vlen-bytes`: the number of values, then each with its length before it.
fn unpack(bytes: &[u8], count: usize) -> Result<Vec<Vec<u8>>> {
    let truncated = || Error::invalid_data("its texts are truncated");
    let (stored, mut rest) = bytes.split_first_chunk().ok_or_else(truncated)?;
    if u32::from_le_bytes(*stored) as usize != count {
        return Err(Error::invalid_data(format!(
            "{} texts are stored instead of {count}",
            u32::from_le_bytes(*stored)
        )));
    }
    let mut values = Vec::new();
    for _ in 0..count {
        let (len, tail) = rest.split_first_chunk().ok_or_else(truncated)?;
        let (value, tail) = tail.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or_else(truncated)?;
        values.push(value.to_vec());
        rest = tail;
    }
    if rest.is_empty() { Ok(values) } else { Err(Error::invalid_data("bytes stand behind its texts")) }
}
