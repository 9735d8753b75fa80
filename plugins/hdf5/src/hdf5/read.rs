//! Values of a dataset: our own positioned reads and decoders, libhdf5 only for what they do not know.

use tiled_plugin_api::prelude::*;

use super::{
    boxes::{self, Box},
    chunks,
    dataset::Dataset,
    element::{self, Form},
    links::Linked,
    raw::{self, RawLayout},
    text, virtuals,
};

/// What a read needs beside the dataset.
pub(crate) struct Reading<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) linked: &'a Linked,
    /// Virtual datasets on the way here.
    pub(crate) depth: u32,
}

/// Fills `out` with a part of the served array: `slice` has the axes of the dataspace, then those of an array type.
///
/// # Errors
/// `InvalidData` naming file, dataset and chunk.
pub(crate) fn read(with: &Reading, dataset: &Dataset, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
    let place = |e: Error| e.within(dataset.place());
    check_bounds(dataset, slice).map_err(place)?;
    if out.is_empty() {
        return Ok(());
    }
    let (outer, inner) = slice.split_at_checked(dataset.shape.len()).unwrap_or((slice, &[]));
    if is_everything(inner, &dataset.element.axes) {
        return elements(with, dataset, outer, out).map_err(place);
    }
    // A part of an array type: whole elements first.
    let served = dataset.element.served().ok_or_else(|| Error::invalid_data("an element is too large"))?;
    let mut whole = vec![0; buffer_len(outer, served).map_err(place)?];
    elements(with, dataset, outer, &mut whole).map_err(place)?;
    let all = outer.iter().map(|s| SliceDim::all(s.count)).chain(inner.iter().copied()).collect::<Vec<_>>();
    let shape: Vec<u64> = outer.iter().map(|s| s.count).chain(dataset.element.axes.iter().copied()).collect();
    let item = usize::try_from(dataset.element.data_type.itemsize()).map_err(Error::internal)?;
    Box::of(&all, &shape, item)?.copy(&whole, out)
}

/// A file may have shrunk since the host looked.
fn check_bounds(dataset: &Dataset, slice: &[SliceDim]) -> Result<()> {
    let shape = dataset.served_shape();
    let inside = |(s, n): (&SliceDim, &u64)| s.bounds().is_none_or(|(_, high)| high < *n);
    if slice.len() == shape.len() && slice.iter().zip(&shape).all(inside) {
        return Ok(());
    }
    Err(Error::invalid_data(format!("its shape is {shape:?} now: the file has changed, reload")))
}

/// Bytes of a part with elements of this size.
pub(crate) fn buffer_len(slice: &[SliceDim], item: usize) -> Result<usize> {
    let all = slice.iter().try_fold(item, |all, s| all.checked_mul(usize::try_from(s.count).ok()?));
    all.ok_or_else(|| Error::invalid_data("the part is too large"))
}

/// Whole served elements.
fn elements(with: &Reading, dataset: &Dataset, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
    if let RawLayout::Virtual(mappings) = &dataset.layout {
        return virtuals::read(with, dataset, mappings, slice, out);
    }
    let element = &dataset.element;
    match &element.form {
        Form::Text => text::read(with, dataset, slice, out),
        Form::Same => stored(with, dataset, slice, out),
        Form::Moves(moves) => {
            let served = element.served().ok_or_else(|| Error::invalid_data("an element is too large"))?;
            let mut bytes = vec![0; buffer_len(slice, element.stored)?];
            stored(with, dataset, slice, &mut bytes)?;
            element::apply(moves, element.stored, served, &bytes, out);
            Ok(())
        }
    }
}

/// Elements as they are stored (native ones converted).
pub(crate) fn stored(with: &Reading, dataset: &Dataset, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
    let item = text::stored_size(dataset);
    if dataset.needs_library() {
        if let RawLayout::Chunked { filters, .. } = &dataset.layout {
            super::dataset::check_filters(filters)?;
        }
        return by_library(dataset, slice, item, out);
    }
    match &dataset.layout {
        RawLayout::Contiguous(None) => {
            boxes::fill(&dataset.fill, out);
            Ok(())
        }
        RawLayout::Contiguous(Some(address)) => {
            let mut part = Box::of(slice, &dataset.shape, item)?;
            part.from = part
                .from
                .checked_add(*address)
                .ok_or_else(|| Error::invalid_data("an address is too large"))?;
            part.read(&|at, into| dataset.snapshot.read_exact_at(at, into), out)
        }
        RawLayout::External(segments) => {
            let part = Box::of(slice, &dataset.shape, item)?;
            part.read(&|at, into| external(with, dataset, segments, at, into), out)
        }
        RawLayout::Chunked { shape, filters, edges_raw } => {
            let chunked = chunks::Chunked { dataset, shape, filters, edges_raw: *edges_raw, item };
            chunked.read(with, slice, out)
        }
        RawLayout::Virtual(_) | RawLayout::Inside => Err(Error::internal("no such layout here")),
    }
}

/// Through libhdf5, which knows no steps backwards.
fn by_library(dataset: &Dataset, slice: &[SliceDim], item: usize, out: &mut [u8]) -> Result<()> {
    let opened = dataset.reopen()?;
    let memory = dataset.memory_type(&opened)?;
    let part = ascending(slice);
    if slice.iter().all(|s| s.step > 0) {
        return raw::read_raw(&opened, &memory, Some(&part), out);
    }
    let mut forward = vec![0; out.len()];
    raw::read_raw(&opened, &memory, Some(&part), &mut forward)?;
    backwards(slice, item)?.copy(&forward, out)
}

/// The same elements in ascending order: start, step, count per axis.
pub(crate) fn ascending(slice: &[SliceDim]) -> Vec<(u64, u64, u64)> {
    let dim = |s: &SliceDim| (s.bounds().map_or(0, |b| b.0), s.step.unsigned_abs().max(1), s.count);
    slice.iter().map(dim).collect()
}

/// Turns the axes of a part that was read in ascending order round where the slice runs backwards.
pub(crate) fn backwards(slice: &[SliceDim], item: usize) -> Result<Box> {
    let turn = |s: &SliceDim| match s.step < 0 && s.count > 0 {
        true => SliceDim { start: s.count - 1, step: -1, count: s.count },
        false => SliceDim::all(s.count),
    };
    let turned: Vec<SliceDim> = slice.iter().map(turn).collect();
    let counts: Vec<u64> = slice.iter().map(|s| s.count).collect();
    Box::of(&turned, &counts, item)
}

/// Bytes of a dataset whose elements lie in other files, one behind the other.
fn external(
    with: &Reading,
    dataset: &Dataset,
    files: &[(String, u64, u64)],
    at: u64,
    out: &mut [u8],
) -> Result<()> {
    let (mut at, mut rest) = (at, out);
    for (name, offset, size) in files {
        if rest.is_empty() {
            break;
        }
        if at >= *size {
            at -= size;
            continue;
        }
        let here = usize::try_from(size - at).unwrap_or(usize::MAX).min(rest.len());
        let (now, later) = rest.split_at_mut(here);
        let source = with.linked.host().resolve(&dataset.snapshot.uri, name)?;
        let start = offset.checked_add(at).ok_or_else(|| Error::invalid_data("an offset is too large"))?;
        source.read_exact_at(start, now)?;
        (at, rest) = (0, later);
    }
    if rest.is_empty() { Ok(()) } else { Err(Error::invalid_data("its external files are too short")) }
}
