//! The array that is served for a dataset: of one file or of several, one behind the other, and cut by the data
//! source's `slice` and `squeeze`.
//!
//! As Tiled does it: datasets are joined along their first axis; scalars and empty ones are stacked along a new one.

use std::sync::Arc;

use tiled_plugin_api::{model::NDSlice, prelude::*};

use super::{
    dataset::Dataset,
    raw::RawLayout,
    read::{Reading, read},
    reshape::Reshaped,
    text,
};

/// What the data source asks for beside the dataset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut {
    /// NumPy's indexing, as `(0, 2:5, ...)`.
    pub(crate) slice: Option<String>,
    /// Whether axes of length 1 are dropped.
    pub(crate) squeeze: bool,
}

/// An array over datasets of the same type.
pub(crate) struct View {
    parts: Vec<Arc<Dataset>>,
    /// Whether `parts` are positions of a new first axis.
    stacked: bool,
    /// For every axis before the cut: what is taken of it.
    taken: Vec<SliceDim>,
    /// For every axis before the cut: whether it is served.
    kept: Vec<bool>,
    chunks: Vec<Vec<u64>>,
    /// What the catalog says of it.
    declared: Option<ArrayStructure>,
}

impl View {
    /// Over `parts`, the datasets of the files in order; at least one.
    ///
    /// # Errors
    /// `InvalidData` when they do not fit, `InvalidArgument` for a slice that does not.
    pub(crate) fn new(parts: Vec<Arc<Dataset>>, cut: &Cut) -> Result<View> {
        let parts = text::equally_wide(parts);
        let first = parts.first().cloned().ok_or_else(|| Error::internal("no dataset"))?;
        let stacked = parts.iter().all(|p| p.shape.is_empty() || p.shape.contains(&0));
        check_fit(&parts, stacked)?;
        let (shape, chunks) = if stacked { stack(&parts) } else { join(&parts) };
        let mut view = View {
            stacked,
            taken: shape.iter().map(|n| SliceDim::all(*n)).collect(),
            kept: vec![true; shape.len()],
            chunks,
            declared: None,
            parts,
        };
        if let Some(text) = &cut.slice {
            let wrong = |why: String| {
                Error::new(ErrorKind::InvalidArgument, format!("{}: slice {text:?}: {why}", first.place()))
            };
            let (taken, kept) = numpy_slice(text, shape.len())
                .and_then(|slice| slice.resolve(&shape).map_err(|e| e.to_string()))
                .map_err(wrong)?;
            (view.taken, view.kept) = (taken, kept);
        }
        if cut.squeeze {
            for (kept, taken) in view.kept.iter_mut().zip(&view.taken) {
                *kept &= taken.count != 1;
            }
        }
        Ok(view)
    }

    fn first(&self) -> Result<&Arc<Dataset>> {
        self.parts.first().ok_or_else(|| Error::internal("no dataset"))
    }

    /// Served as the catalog declares it: on other axes, or as long as it was when it was registered.
    ///
    /// # Errors
    /// `InvalidData` where the file holds another type or number of elements.
    pub(crate) fn declared(mut self, as_: ArrayStructure) -> Result<View> {
        let own = self.own_structure()?;
        let elements = |shape: &[u64]| shape.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
        let same = elements(&own.shape) == elements(&as_.shape);
        let grown = as_.shape.len() == own.shape.len()
            && as_.shape.get(1..) == own.shape.get(1..)
            && as_.shape.first() <= own.shape.first();
        if own.data_type != as_.data_type || !(same || grown) {
            return Err(Error::invalid_data(format!(
                "{}: the file holds {:?} of shape {:?}, the catalog says {:?} of shape {:?}: register it again",
                self.first()?.place(),
                own.data_type.numpy_str().unwrap_or_else(|| "records".into()),
                own.shape,
                as_.data_type.numpy_str().unwrap_or_else(|| "records".into()),
                as_.shape,
            )));
        }
        self.declared = Some(as_);
        Ok(self)
    }

    /// The structure that is served.
    pub(crate) fn structure(&self) -> Result<ArrayStructure> {
        self.declared.clone().map_or_else(|| self.own_structure(), Ok)
    }

    fn own_structure(&self) -> Result<ArrayStructure> {
        let axes = || self.taken.iter().zip(&self.kept).zip(&self.chunks).filter(|((_, kept), _)| **kept);
        Ok(ArrayStructure {
            data_type: self.first()?.element.data_type.clone(),
            chunks: axes().map(|((taken, _), chunks)| cut_chunks(*taken, chunks)).collect(),
            shape: axes().map(|((taken, _), _)| taken.count).collect(),
            dims: None,
            resizable: false,
        })
    }

    /// The description of the node.
    pub(crate) fn describe(&self) -> Result<Description> {
        let metadata = self.first()?.attributes.clone();
        Ok(Description::new(StructureFamily::Array, &self.structure()?)?.with_metadata(metadata))
    }

    /// Where a long read is best cut: for elements that lie one behind the other at any row, in steps of 1 MiB; for
    /// chunks as the structure says.
    pub(crate) fn plan(&self, slice: &[SliceDim]) -> Result<Option<Plan>> {
        let [part] = &self.parts[..] else { return Ok(None) };
        if self.stacked || self.declared.is_some() || !matches!(part.layout, RawLayout::Contiguous(_)) {
            return Ok(None);
        }
        let row = slice
            .iter()
            .skip(1)
            .map(|s| s.count)
            .fold(part.element.data_type.itemsize(), u64::saturating_mul);
        let rows = slice.first().map_or(0, |s| s.count);
        let step = (PLAN_BYTES / row.max(1)).max(1).max(rows / MAX_CUTS);
        let cuts = (1..).map(|i| i * step).take_while(|at| *at < rows).collect();
        Ok(Some(Plan { peak_bytes: PLAN_BYTES, cuts }))
    }

    /// Fills `out` with a part of the served array.
    ///
    /// # Errors
    /// As reading the datasets.
    pub(crate) fn read(&self, with: &Reading, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let Some(declared) = &self.declared else { return self.read_own(with, slice, out) };
        let own = self.own_structure()?;
        if declared.shape.len() == own.shape.len() && declared.shape.get(1..) == own.shape.get(1..) {
            return self.read_own(with, slice, out);
        }
        let item = usize::try_from(own.data_type.itemsize()).map_err(Error::internal)?;
        Reshaped { view: self, own: &own.shape, declared: &declared.shape, item }.read(with, slice, out)
    }

    /// A part of the array on its own axes.
    pub(crate) fn read_own(&self, with: &Reading, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let mut asked = slice.iter();
        let mut full = Vec::with_capacity(self.taken.len());
        for (taken, kept) in self.taken.iter().zip(&self.kept) {
            full.push(match (kept, asked.next_if_kept(*kept)) {
                (true, Some(s)) => SliceDim {
                    start: taken.at(s.start),
                    step: taken.step.wrapping_mul(s.step),
                    count: s.count,
                },
                (true, None) => return Err(Error::internal("the slice has not the array's axes")),
                (false, _) => SliceDim::range(taken.start, 1),
            });
        }
        match &full[..] {
            [first, rest @ ..] if self.stacked => self.read_stacked(with, *first, rest, out),
            [first, rest @ ..] if self.parts.len() > 1 => self.read_joined(with, *first, rest, out),
            _ => read(with, self.first()?, &full, out),
        }
    }

    fn read_stacked(&self, with: &Reading, first: SliceDim, rest: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let each = out.len() / usize::try_from(first.count.max(1)).map_err(Error::internal)?;
        for (i, place) in (0..first.count).zip(out.chunks_exact_mut(each.max(1))) {
            let part = usize::try_from(first.at(i)).ok().and_then(|n| self.parts.get(n));
            read(with, part.ok_or_else(|| Error::internal("no such file"))?, rest, place)?;
        }
        Ok(())
    }

    fn read_joined(&self, with: &Reading, first: SliceDim, rest: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let row = out.len() / usize::try_from(first.count.max(1)).map_err(Error::internal)?;
        let mut out = out;
        let mut done = 0;
        while done < first.count {
            let mut position = first.at(done);
            let holds = |p: &&Arc<Dataset>| {
                let length = p.shape.first().copied().unwrap_or(0);
                let here = position < length;
                position = position.wrapping_sub(if here { 0 } else { length });
                here
            };
            let part = self.parts.iter().find(holds).ok_or_else(|| Error::internal("no such row"))?;
            let length = part.shape.first().copied().unwrap_or(0);
            let reach = if first.step > 0 { length - 1 - position } else { position };
            let count = (reach / first.step.unsigned_abs().max(1) + 1).min(first.count - done);
            let mut slice = vec![SliceDim { start: position, step: first.step, count }];
            slice.extend_from_slice(rest);
            let here = usize::try_from(count).map_err(Error::internal)?.saturating_mul(row);
            let (now, later) =
                out.split_at_mut_checked(here).ok_or_else(|| Error::internal("a short buffer"))?;
            read(with, part, &slice, now)?;
            (out, done) = (later, done + count);
        }
        Ok(())
    }
}

/// `next` for served axes only.
trait NextIfKept<'a> {
    fn next_if_kept(&mut self, kept: bool) -> Option<&'a SliceDim>;
}

impl<'a> NextIfKept<'a> for std::slice::Iter<'a, SliceDim> {
    fn next_if_kept(&mut self, kept: bool) -> Option<&'a SliceDim> {
        if kept { self.next() } else { None }
    }
}

/// Slabs of contiguous data have about this many bytes.
const PLAN_BYTES: u64 = 1 << 20;
const MAX_CUTS: u64 = 1 << 16;

fn check_fit(parts: &[Arc<Dataset>], stacked: bool) -> Result<()> {
    let Some(first) = parts.first() else { return Ok(()) };
    let common = |p: &Arc<Dataset>| -> Vec<u64> { p.served_shape().split_off(usize::from(!stacked)) };
    for part in parts {
        let mixed = !stacked && part.shape.is_empty();
        if mixed || part.element.data_type != first.element.data_type || common(part) != common(first) {
            let (a, b) = (part.place(), first.place());
            return Err(Error::invalid_data(format!("{a}: its type or shape does not fit to {b}")));
        }
    }
    Ok(())
}

/// Chunk lengths of a dataset along the axes that are served.
fn own_chunks(dataset: &Dataset) -> Vec<Vec<u64>> {
    let shape = dataset.served_shape();
    match &dataset.layout {
        RawLayout::Chunked { shape: chunk, .. } => {
            let chunk: Vec<u64> = chunk.iter().chain(&dataset.element.axes).copied().collect();
            chunks_of(&shape, &chunk)
        }
        _ => whole_chunks(&shape),
    }
}

fn stack(parts: &[Arc<Dataset>]) -> (Vec<u64>, Vec<Vec<u64>>) {
    let inner = parts.first().map(|p| p.served_shape()).unwrap_or_default();
    let mut shape = vec![parts.len() as u64];
    let mut chunks = vec![vec![1; parts.len()]];
    chunks.extend(whole_chunks(&inner));
    shape.extend(inner);
    (shape, chunks)
}

fn join(parts: &[Arc<Dataset>]) -> (Vec<u64>, Vec<Vec<u64>>) {
    let Some(first) = parts.first() else { return (vec![], vec![]) };
    let mut shape = first.served_shape();
    let mut chunks = own_chunks(first);
    for part in parts.iter().skip(1) {
        let own = own_chunks(part);
        if let (Some(length), Some(more)) = (shape.first_mut(), part.shape.first()) {
            *length += more;
        }
        for (axis, (all, own)) in chunks.iter_mut().zip(own).enumerate() {
            if axis == 0 {
                all.extend(own);
            } else if own.first() < all.first() {
                // As Tiled: the smallest chunks of all files.
                *all = own;
            }
        }
    }
    (shape, chunks)
}

/// What is left of chunks when part of their axis is taken.
fn cut_chunks(taken: SliceDim, chunks: &[u64]) -> Vec<u64> {
    let mut bounds = Vec::with_capacity(chunks.len());
    let mut start = 0;
    for length in chunks {
        bounds.push((start, start + length));
        start += length;
    }
    if taken == SliceDim::all(start) {
        return chunks.to_vec();
    }
    if taken.step < 0 {
        bounds.reverse();
    }
    let step = taken.step.unsigned_abs().max(1);
    // How many of the taken positions lie below one, counted from the lowest.
    let low = taken.bounds().map_or(0, |b| b.0);
    let below = |position: u64| position.saturating_sub(low).div_ceil(step).min(taken.count);
    let counts = bounds.iter().map(|(from, to)| below(*to) - below(*from)).filter(|n| *n > 0);
    let all: Vec<u64> = counts.collect();
    if all.is_empty() { vec![0] } else { all }
}

/// Tiled's text of NumPy indexing: `(1:3, 4, ...)`, with or without brackets and blanks.
fn numpy_slice(text: &str, rank: usize) -> Result<NDSlice, String> {
    let bare: String = text.trim_matches(['(', ')', '[', ']']).chars().filter(|c| *c != ' ').collect();
    let parts: Vec<&str> = bare.split(',').filter(|part| !part.is_empty()).collect();
    let dots = parts.iter().filter(|p| **p == "...").count();
    let whole = rank.saturating_sub(parts.len() - dots.min(1));
    if dots > 1 {
        return Err("an index can only have a single ellipsis".into());
    }
    let spelt = parts.iter().flat_map(|part| match *part {
        "..." => vec![":"; whole],
        "::" => vec![":"],
        part => vec![part],
    });
    let spelt: Vec<&str> = spelt.collect();
    NDSlice::parse(&spelt.join(",")).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_the_slice_of_the_data_source() {
        assert_eq!(cut_chunks(SliceDim::range(3, 4), &[4, 4, 4]), [1, 3]);
        assert_eq!(cut_chunks(SliceDim { start: 11, step: -2, count: 6 }, &[4, 4, 4]), [2, 2, 2]);
        assert_eq!(cut_chunks(SliceDim { start: 1, step: 5, count: 2 }, &[4, 4, 4]), [1, 1]);
        assert_eq!(cut_chunks(SliceDim::range(2, 0), &[4]), [0]);
    }

    #[test]
    fn slices_are_read_as_tiled_writes_them() {
        let resolved =
            |text: &str, shape: &[u64]| numpy_slice(text, shape.len()).unwrap().resolve(shape).unwrap();
        let (dims, kept) = resolved("(..., 1:3)", &[4, 5, 6]);
        assert_eq!(dims, [SliceDim::all(4), SliceDim::all(5), SliceDim::range(1, 2)]);
        assert_eq!(kept, [true; 3]);
        let (dims, kept) = resolved("[2, ::2]", &[4, 5]);
        assert_eq!((dims[0], dims[1].count, kept[0]), (SliceDim::range(2, 1), 3, false));
    }
}
