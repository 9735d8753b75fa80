//! Texts of variable length, served as bytes of the length of the longest.
//!
//! What a dataset stores of such a text is its length and a place in one of the file's global heaps. Both are read
//! here directly, so that a forged length allocates nothing.

use std::{collections::HashMap, sync::Arc};

use tiled_plugin_api::prelude::*;

use super::{
    dataset::Dataset,
    element::Form,
    file::Snapshot,
    raw::{self, RawLayout, Sizes},
    read::{Reading, ascending, backwards, buffer_len, stored},
};

/// Bytes of one element in the file.
pub(crate) fn stored_size(dataset: &Dataset) -> usize {
    match &dataset.element.form {
        Form::Text => 8 + dataset.snapshot.sizes().map_or(8, |s| s.address),
        _ => dataset.element.stored,
    }
}

/// Elements whose lengths are looked at together.
const SCAN_ELEMENTS: u64 = 1 << 20;

/// The dataset with its texts as wide as the longest; any other dataset as it is.
///
/// # Errors
/// `InvalidData` when a text claims to be longer than the file.
pub(crate) fn widened(with: &Reading, dataset: Arc<Dataset>) -> Result<Arc<Dataset>> {
    if dataset.element.form != Form::Text {
        return Ok(dataset);
    }
    let place = dataset.place();
    let longest = longest(with, &dataset).map_err(|e| e.within(&place))?;
    if longest > dataset.snapshot.len()? {
        return Err(Error::invalid_data(format!(
            "{place}: a text claims {longest} bytes, more than the file has"
        )));
    }
    Ok(dataset.widened(longest))
}

fn longest(with: &Reading, dataset: &Dataset) -> Result<u64> {
    let all: Vec<SliceDim> = dataset.shape.iter().map(|n| SliceDim::all(*n)).collect();
    match &dataset.layout {
        RawLayout::Virtual(_) => {
            Err(Error::unsupported_format("virtual datasets of texts of variable length"))
        }
        _ if dataset.shape.contains(&0) => Ok(1),
        RawLayout::Inside => {
            let texts = by_library(dataset, &all)?;
            Ok(texts.iter().map(Vec::len).max().unwrap_or(0) as u64)
        }
        _ => {
            let row: u64 = dataset.shape.iter().skip(1).product();
            let rows = (SCAN_ELEMENTS / row.max(1)).max(1);
            let count = dataset.shape.first().copied().unwrap_or(1);
            let mut longest = 0;
            let mut at = 0;
            while at < count {
                with.cx.check()?;
                let mut slice = all.clone();
                let here = rows.min(count - at);
                if let Some(first) = slice.first_mut() {
                    *first = SliceDim::range(at, here);
                }
                longest = longer(dataset, &places(with, dataset, &slice)?, longest)?;
                at += here;
            }
            Ok(longest)
        }
    }
}

/// Datasets of texts as wide as the widest of them; any others as they are.
pub(crate) fn equally_wide(parts: Vec<Arc<Dataset>>) -> Vec<Arc<Dataset>> {
    let width = |p: &Arc<Dataset>| p.element.data_type.itemsize();
    let widest = parts.iter().map(width).max().unwrap_or(1);
    if parts.iter().any(|p| p.element.form != Form::Text) || parts.iter().all(|p| width(p) == widest) {
        return parts;
    }
    parts.into_iter().map(|p| p.widened(widest)).collect()
}

/// The longest of these texts, or `longest`. Some writers store a NUL and more behind the text: those do not count, so
/// a text is looked at when it claims to be longer than all before.
fn longer(dataset: &Dataset, places: &[Place], longest: u64) -> Result<u64> {
    let mut heaps = Heaps::of(&dataset.snapshot)?;
    let mut longest = longest;
    for place in places.iter().filter(|p| p.heap != 0) {
        if place.length > longest {
            longest = longest.max(bare(heaps.text(place)?).len() as u64);
        }
    }
    Ok(longest)
}

/// A text up to its first NUL, as C sees it.
fn bare(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Where a text lies.
struct Place {
    length: u64,
    heap: u64,
    number: u64,
}

fn places(with: &Reading, dataset: &Dataset, slice: &[SliceDim]) -> Result<Vec<Place>> {
    let size = stored_size(dataset);
    let mut bytes = vec![0; buffer_len(slice, size)?];
    stored(with, dataset, slice, &mut bytes)?;
    let base = dataset.snapshot.sizes()?.base;
    let place = |item: &[u8]| {
        let number = |from: usize, to: usize| item.get(from..to).map_or(0, little);
        let heap = number(4, size - 4);
        let length = number(0, 4);
        Place {
            length,
            heap: if heap == 0 { 0 } else { heap.saturating_add(base) },
            number: number(size - 4, size),
        }
    };
    Ok(bytes.chunks_exact(size).map(place).collect())
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |all, b| all << 8 | u64::from(*b))
}

/// Fills `out` with texts, padded with NUL.
pub(crate) fn read(with: &Reading, dataset: &Dataset, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
    let width = usize::try_from(dataset.element.data_type.itemsize()).map_err(Error::internal)?;
    if dataset.layout == RawLayout::Inside {
        return inside(dataset, slice, width, out);
    }
    let mut heaps = Heaps::of(&dataset.snapshot)?;
    for (place, out) in places(with, dataset, slice)?.iter().zip(out.chunks_exact_mut(width.max(1))) {
        put(heaps.text(place)?, out)?;
    }
    Ok(())
}

fn inside(dataset: &Dataset, slice: &[SliceDim], width: usize, out: &mut [u8]) -> Result<()> {
    let mut forward = vec![0; out.len()];
    for (text, place) in by_library(dataset, slice)?.iter().zip(forward.chunks_exact_mut(width.max(1))) {
        put(text, place)?;
    }
    backwards(slice, width)?.copy(&forward, out)
}

fn by_library(dataset: &Dataset, slice: &[SliceDim]) -> Result<Vec<Vec<u8>>> {
    let opened = dataset.reopen()?;
    let memory = dataset.memory_type(&opened)?;
    raw::read_text(&opened, &memory, Some(&ascending(slice)))
}

fn put(text: &[u8], out: &mut [u8]) -> Result<()> {
    let text = bare(text);
    let Some((head, tail)) = out.split_at_mut_checked(text.len()) else {
        return Err(Error::invalid_data("a text is longer than when the file was opened: reload"));
    };
    head.copy_from_slice(text);
    tail.fill(0);
    Ok(())
}

/// The global heaps that were read so far.
struct Heaps<'a> {
    snapshot: &'a Snapshot,
    sizes: Sizes,
    read: HashMap<u64, Heap>,
    bytes: usize,
}

struct Heap {
    bytes: Vec<u8>,
    /// Start and length by number.
    objects: HashMap<u64, (usize, usize)>,
}

/// Heaps that are kept while one part is read.
const MAX_HEAP_BYTES: usize = 64 << 20;

impl<'a> Heaps<'a> {
    fn of(snapshot: &'a Snapshot) -> Result<Heaps<'a>> {
        Ok(Heaps { snapshot, sizes: snapshot.sizes()?, read: HashMap::new(), bytes: 0 })
    }

    fn text(&mut self, place: &Place) -> Result<&[u8]> {
        if place.length == 0 || place.heap == 0 {
            return Ok(&[]);
        }
        if !self.read.contains_key(&place.heap) {
            let heap = self.load(place.heap)?;
            if self.bytes > MAX_HEAP_BYTES {
                self.read.clear();
                self.bytes = 0;
            }
            self.bytes += heap.bytes.len();
            self.read.insert(place.heap, heap);
        }
        let text = self.read.get(&place.heap).and_then(|heap| {
            let (start, len) = *heap.objects.get(&place.number)?;
            let wanted = usize::try_from(place.length).ok().filter(|wanted| *wanted <= len)?;
            heap.bytes.get(start..start.checked_add(wanted)?)
        });
        text.ok_or_else(|| {
            Error::invalid_data(format!("the text {} of the heap at {} is missing", place.number, place.heap))
        })
    }

    /// Reads a collection: `GCOL`, version, its size; then objects of number, count, size, bytes padded to eight.
    fn load(&self, at: u64) -> Result<Heap> {
        let damaged = || Error::invalid_data(format!("the heap of texts at {at} is damaged"));
        let wide = self.sizes.length;
        let mut head = vec![0; 8 + wide];
        self.snapshot.read_exact_at(at, &mut head)?;
        let size = head.get(8..).map_or(0, little);
        let fits = at.checked_add(size).is_some_and(|end| self.snapshot.len().is_ok_and(|len| end <= len));
        if !head.starts_with(b"GCOL\x01") || !fits {
            return Err(damaged());
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| damaged())?];
        self.snapshot.read_exact_at(at, &mut bytes)?;
        let mut objects = HashMap::new();
        let mut next = head.len();
        while let Some(object) = bytes.get(next..).and_then(|rest| rest.get(..8 + wide)) {
            let number = object.get(..2).map_or(0, little);
            if number == 0 {
                break;
            }
            let len =
                object.get(8..).map(little).and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
            let start = next + object.len();
            objects.insert(number, (start, len));
            let padded = len.checked_next_multiple_of(8).ok_or_else(damaged)?;
            next = start.checked_add(padded).ok_or_else(damaged)?;
        }
        Ok(Heap { bytes, objects })
    }
}
