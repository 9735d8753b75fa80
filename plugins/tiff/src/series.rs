//! Which pages make the array that tifffile, and so Tiled, shows: the first series of a file.
//!
//! Takes pages, gives a shape over frames and where each frame is. Reads no pixels.

use std::{collections::HashSet, sync::Arc};

use tiled_plugin_api::prelude::{DataType, Result};

use crate::{file::File, imagej, ome, page::Page, shaped};

/// Where a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A directory at this offset.
    Directory(u64),
    /// Values that lie behind those of the first page: so many frames further.
    Behind(u64),
    /// The description promises it, the file does not have it.
    Missing,
}

/// The first series of a file.
pub struct Series {
    /// The page whose layout all frames share.
    pub key: Arc<Page>,
    /// In order.
    pub frames: Vec<Frame>,
    /// Shape of the whole.
    pub shape: Vec<u64>,
    /// Type of the values.
    pub dtype: DataType,
}

/// The pages of a file, read when asked for.
pub struct Pages<'a> {
    /// The file.
    pub file: &'a File,
    /// Offsets of their directories.
    pub offsets: Vec<u64>,
    /// The first.
    pub first: Arc<Page>,
}

impl Pages<'_> {
    /// The page at `i` of the chain; the first is not read again.
    ///
    /// # Errors
    /// As [`Page::read`].
    pub fn page(&self, i: usize) -> Result<Arc<Page>> {
        match self.offsets.get(i) {
            Some(_) if i == 0 => Ok(self.first.clone()),
            Some(offset) => Page::read(self.file, *offset).map(Arc::new),
            None => Err(self.file.damaged(format_args!("there is no page {i}"))),
        }
    }

    /// Directories `from .. from + count` as frames; those behind the last are missing.
    pub fn frames(&self, from: usize, count: u64) -> Vec<Frame> {
        let frame = |i: usize| self.offsets.get(i).map_or(Frame::Missing, |offset| Frame::Directory(*offset));
        (from..).take(usize::try_from(count).unwrap_or(0)).map(frame).collect()
    }
}

/// What a kind of series found: frames and the shape it wishes them to have.
pub struct Found {
    /// The page whose layout all frames share.
    pub key: Arc<Page>,
    /// In order.
    pub frames: Vec<Frame>,
    /// As wished, axes of length 1 already taken out where the kind does so.
    pub shape: Vec<u64>,
}

/// Finds the first series.
///
/// # Errors
/// `InvalidData` for files without pages, `UnsupportedFormat` for types that numpy does not have.
pub fn first(file: &File) -> Result<Series> {
    let offsets = file.chain()?;
    let first = Arc::new(Page::read(file, file.first)?);
    let pages = Pages { file, offsets, first };
    let mut found = None;
    if let Some(text) = pages.first.shaped_description() {
        found = shaped::series(&pages, text)?;
    } else if let Some(text) = pages.first.ome_description() {
        found = ome::series(&pages, text)?;
    }
    if found.is_none() && pages.first.imagej_description().is_some() {
        found = imagej::series(&pages)?;
    }
    if found.is_none() && pages.first.directory.has(33628) {
        found = stk(&pages)?;
    }
    let found = match found {
        Some(found) => found,
        None if is_uniform(&pages)? => uniform(&pages),
        None => generic(&pages)?,
    };
    finish(file, found)
}

/// The shape that the wished one becomes with the frames that there are, as `TiffFile.asarray` does.
fn finish(file: &File, found: Found) -> Result<Series> {
    let Found { key, frames, shape } = found;
    let Some(dtype) = key.dtype.clone() else {
        let layout = &key.layout;
        return Err(
            file.unknown(format_args!("samples of format {} and {:?}", layout.sample_format, layout.bits))
        );
    };
    let size = (frames.len() as u64).checked_mul(key.size());
    let wished = shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
    let (Some(size), Some(wished)) = (size, wished) else {
        return Err(file.damaged(format_args!("impossible shape {shape:?}")));
    };
    let shape = if size == wished {
        shape
    } else if wished > 0 && size % wished == 0 {
        std::iter::once(size / wished).chain(shape).collect()
    } else {
        std::iter::once(frames.len() as u64).chain(key.shape.iter().copied()).collect()
    };
    Ok(Series { key, frames, shape, dtype })
}

/// Takes out axes of length 1, but for X and Y.
pub fn squeeze(shape: &[u64], axes: &str) -> Vec<u64> {
    let kept = shape.iter().zip(axes.chars()).filter(|(n, axis)| **n > 1 || matches!(axis, 'X' | 'Y'));
    let kept: Vec<u64> = kept.map(|(n, _)| *n).collect();
    if kept.is_empty() { shape.last().copied().into_iter().collect() } else { kept }
}

/// tifffile looks at pages 1, 7 and the last only; with less than 8 pages it compares them all, as `generic` does.
fn is_uniform(pages: &Pages<'_>) -> Result<bool> {
    if !pages.first.sub_ifds.is_empty() {
        return Ok(false);
    }
    let count = pages.offsets.len();
    if count == 1 {
        return Ok(true);
    }
    if count < 8 {
        return Ok(false);
    }
    for i in [1, 7, count - 1] {
        if pages.page(i)?.layout != pages.first.layout {
            return Ok(false);
        }
    }
    Ok(true)
}

fn uniform(pages: &Pages<'_>) -> Found {
    let key = pages.first.clone();
    let count = pages.offsets.len() as u64;
    let mut shape = key.shape.clone();
    let mut axes = key.axes.to_owned();
    if count > 1 {
        shape.insert(0, count);
        axes.insert(0, 'I');
    }
    Found { shape: squeeze(&shape, &axes), frames: pages.frames(0, count), key }
}

/// All pages, and pages below them, of the layout of the first one that has a shape.
fn generic(pages: &Pages<'_>) -> Result<Found> {
    let mut key: Option<Arc<Page>> = None;
    let (mut frames, mut seen) = (vec![], HashSet::new());
    let mut add = |page: Arc<Page>| {
        let key = key.get_or_insert_with(|| page.clone());
        let at = page.directory.at;
        if key.layout == page.layout && seen.insert(at) {
            frames.push(Frame::Directory(at));
        }
    };
    for i in 0..pages.offsets.len() {
        let page = match pages.page(i) {
            Ok(page) => page,
            // A damaged page behind good ones takes nothing from them.
            Err(error) if i == 0 => return Err(error),
            Err(_) => break,
        };
        if page.directory.tags.is_empty() {
            continue;
        }
        let below = page.sub_ifds.clone();
        add(page);
        for offset in below.into_iter().filter(|offset| *offset >= 8) {
            if let Ok(page) = Page::read(pages.file, offset) {
                add(Arc::new(page));
            }
        }
    }
    let Some(key) = key else { return Err(pages.file.damaged("there is no image in it")) };
    let count = frames.len() as u64;
    let shape: Vec<u64> = std::iter::once(count).chain(key.shape.iter().copied()).collect();
    let shape = squeeze(&shape, &format!("I{}", key.axes));
    Ok(Found { key, frames, shape })
}

/// MetaMorph stacks: the planes that UIC2tag counts lie one behind the other.
fn stk(pages: &Pages<'_>) -> Result<Option<Found>> {
    let key = pages.first.clone();
    let count = key.directory.tag(33629).map_or(1, |tag| tag.count.max(1));
    let bytes = key.nbytes().and_then(|n| n.checked_mul(count));
    let start = key.offsets.first().copied().unwrap_or(0);
    let fits = bytes.and_then(|n| n.checked_add(start)).is_some_and(|end| end <= pages.file.len);
    if !key.is_final() || !fits {
        return Ok(None);
    }
    let shape: Vec<u64> = std::iter::once(count).chain(key.shape.iter().copied()).collect();
    let shape = squeeze(&shape, &format!("Z{}", key.axes));
    Ok(Some(Found { key, frames: (0..count).map(Frame::Behind).collect(), shape }))
}
