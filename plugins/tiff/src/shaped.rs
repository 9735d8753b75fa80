//! Files of tifffile itself: the shape stands in the description, as JSON or as `shape=(…)`.

use serde_json::Value;
use tiled_plugin_api::prelude::Result;

use crate::series::{Found, Frame, Pages};

/// The series that the description of the first page tells of; `None` where it does not fit the file.
///
/// # Errors
/// `InvalidData` when the file has less values than the description says.
pub fn series(pages: &Pages<'_>, text: &str) -> Result<Option<Found>> {
    let Some((shape, truncated)) = described(text) else { return Ok(None) };
    let key = pages.first.clone();
    let size = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
    let (Some(size), page) = (size, key.size()) else { return Ok(None) };
    if size == 0 {
        return Ok(Some(Found { key, frames: vec![], shape }));
    }
    if page == 0 || size % page != 0 {
        return Err(pages
            .file
            .damaged(format_args!("the description says {shape:?}, a page has {:?}", key.shape)));
    }
    let count = size / page;
    let frames = if count == 1 {
        pages.frames(0, 1)
    } else if truncated.unwrap_or(false) || (pages.offsets.len() as u64) < count {
        // tifffile leaves out the directories of pages that lie one behind the other.
        behind(pages, count)?
    } else {
        pages.frames(0, count)
    };
    Ok(Some(Found { key, frames, shape }))
}

fn behind(pages: &Pages<'_>, count: u64) -> Result<Vec<Frame>> {
    let key = &pages.first;
    let bytes = key.nbytes().and_then(|n| n.checked_mul(count));
    let end = bytes.zip(key.offsets.first().copied()).and_then(|(n, start)| start.checked_add(n));
    if key.is_final() && end.is_some_and(|end| end <= pages.file.len) {
        return Ok((0..count).map(Frame::Behind).collect());
    }
    Err(pages.file.damaged(format_args!("truncated: the description promises {count} pages")))
}

/// Shape, and whether the file has only the first directory.
fn described(text: &str) -> Option<(Vec<u64>, Option<bool>)> {
    if let Some(list) = text.strip_prefix("shape=") {
        let list = list.trim_matches(['(', ')', '[', ']']);
        let numbers = list.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::parse);
        return Some((numbers.collect::<Result<_, _>>().ok()?, None));
    }
    let described: Value = serde_json::from_str(text).ok()?;
    let shape = described.get("shape")?.as_array()?.iter().map(Value::as_u64).collect::<Option<Vec<_>>>()?;
    Some((shape, described.get("truncated").and_then(Value::as_bool)))
}
