//! Virtual datasets: made of parts of other datasets, of the same file or of others.
//!
//! Every source is opened through the host and read by the same code as any dataset, so it may be compressed, linked
//! or virtual itself. libhdf5 opens none of them.

use std::sync::Arc;

use tiled_plugin_api::prelude::*;

use super::{
    boxes::{self, Axis, Box, advance, strides},
    dataset::Dataset,
    numbers::Conversion,
    raw::{RawLayout, Selected},
    read::{self, Reading, buffer_len},
};

type Mapping = (Selected, String, String, Selected);

/// Virtual datasets of virtual datasets of ….
const MAX_DEPTH: u32 = 8;

/// Fills `out` with a part of the served elements.
///
/// # Errors
/// Those of its sources; `BrokenLink` where one that is needed is not there.
pub(crate) fn read(
    with: &Reading,
    dataset: &Dataset,
    mappings: &[Mapping],
    slice: &[SliceDim],
    out: &mut [u8],
) -> Result<()> {
    if with.depth >= MAX_DEPTH {
        return Err(Error::invalid_data("virtual datasets are nested too deeply, or in a circle"));
    }
    let item = dataset.element.served().ok_or_else(|| Error::invalid_data("an element is too large"))?;
    let empty = if dataset.fill.len() == item { &dataset.fill[..] } else { &[] };
    boxes::fill(empty, out);
    for mapping in mappings {
        with.cx.check()?;
        for one in expand(with, dataset, mapping, slice)? {
            one.read(with, dataset, slice, item, out)?;
        }
    }
    Ok(())
}

/// A selection axis: start, stride, count, block.
type Blocks = [u64; 4];

/// One mapping with its names spelt out and both selections as blocks.
struct Part<'a> {
    file: String,
    path: String,
    over: Vec<Blocks>,
    from: &'a Selected,
}

fn over_blocks(selected: &Selected, shape: &[u64]) -> Result<Vec<Blocks>> {
    match selected {
        Selected::All => Ok(shape.iter().map(|n| [0, 1, *n, 1]).collect()),
        // The distance to the next block says nothing where there is none.
        Selected::Regular(axes) if axes.len() == shape.len() => Ok(axes
            .iter()
            .map(|[a, s, n, b]| [*a, if *n == 1 { (*s).max(*b) } else { *s }, *n, *b])
            .collect()),
        _ => Err(Error::unsupported_format("a virtual dataset with an irregular mapping")),
    }
}

/// Names with `%b` stand for one source per block along the axis without end.
fn expand<'a>(
    with: &Reading,
    dataset: &Dataset,
    mapping: &'a Mapping,
    slice: &[SliceDim],
) -> Result<Vec<Part<'a>>> {
    let (over, file, path, from) = mapping;
    let over = over_blocks(over, &dataset.shape)?;
    let numbered = is_numbered(file) || is_numbered(path);
    let endless = over.iter().position(|b| b[2] == u64::MAX);
    let (Some(axis), true) = (endless, numbered) else {
        return Ok(vec![Part { file: spell(file, 0), path: spell(path, 0), over, from }]);
    };
    let [start, stride, _, block] = over.get(axis).copied().unwrap_or_default();
    let Some((low, high)) = slice.get(axis).and_then(SliceDim::bounds).filter(|_| stride > 0) else {
        return Ok(vec![]);
    };
    let first = low.saturating_sub(start) / stride.max(1);
    let mut parts = vec![];
    for number in first.. {
        with.cx.check()?;
        let begin = number.saturating_mul(stride).saturating_add(start);
        if begin > high {
            break;
        }
        let mut over = over.clone();
        if let Some(place) = over.get_mut(axis) {
            *place = [begin, stride, 1, block];
        }
        parts.push(Part { file: spell(file, number), path: spell(path, number), over, from });
    }
    Ok(parts)
}

fn is_numbered(name: &str) -> bool {
    name.replace("%%", "").contains("%b")
}

fn spell(name: &str, number: u64) -> String {
    let parts = name.split("%%").map(|part| part.replace("%b", &number.to_string()));
    parts.collect::<Vec<_>>().join("%")
}

/// Consecutive elements of the output that come from source elements at regular distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    first: u64,
    from: SliceDim,
}

impl Part<'_> {
    fn read(
        &self,
        with: &Reading,
        dataset: &Dataset,
        slice: &[SliceDim],
        item: usize,
        out: &mut [u8],
    ) -> Result<()> {
        let reach: Vec<_> = slice.iter().zip(&self.over).map(|(s, b)| reach(*s, *b)).collect();
        if reach.iter().any(|(from, to)| from >= to) {
            return Ok(());
        }
        let source = self.source(with, dataset)?;
        let conversion = conversion(&source, dataset)?;
        let from = over_blocks(self.from, &source.shape)?;
        let partners = partners(&self.over, &from)?;
        let mut runs: Vec<Vec<Run>> =
            from.iter().map(|b| vec![Run { first: 0, from: SliceDim::range(b[0], 1) }]).collect();
        let mut place: Vec<Option<usize>> = vec![None; from.len()];
        for (axis, partner) in partners.iter().enumerate() {
            let (Some(dim), Some(over), Some(range)) =
                (slice.get(axis), self.over.get(axis), reach.get(axis))
            else {
                continue;
            };
            match partner.and_then(|p| Some((p, *from.get(p)?, *source.shape.get(p)?))) {
                Some((p, blocks, len)) => {
                    if let (Some(runs), Some(place)) = (runs.get_mut(p), place.get_mut(p)) {
                        *runs = axis_runs(*dim, *over, *range, blocks, len);
                        *place = Some(axis);
                    }
                }
                None if position(dim.at(range.0), *over).is_none() => return Ok(()),
                None => {}
            }
        }
        let fixed = reach.iter().map(|r| r.0).collect::<Vec<_>>();
        self.runs(with, (&source, conversion), (slice, item), (&runs, &place, &fixed), out)
    }

    /// Reads every combination of runs.
    fn runs(
        &self,
        with: &Reading,
        (source, conversion): (&Dataset, Option<Conversion>),
        (slice, item): (&[SliceDim], usize),
        (runs, place, fixed): (&[Vec<Run>], &[Option<usize>], &[u64]),
        out: &mut [u8],
    ) -> Result<()> {
        if runs.iter().any(Vec::is_empty) {
            return Ok(());
        }
        let counts: Vec<u64> = slice.iter().map(|s| s.count).collect();
        let to = strides(&counts, item)?;
        let matched = |axis: usize| place.contains(&Some(axis));
        let base: u64 =
            to.iter().zip(fixed).enumerate().filter(|(i, _)| !matched(*i)).map(|(_, (t, i))| t * i).sum();
        let mut at = vec![0; runs.len()];
        loop {
            let now: Vec<Run> = runs.iter().zip(&at).filter_map(|(r, i)| r.get(*i).copied()).collect();
            let mut wanted: Vec<SliceDim> = now.iter().map(|r| r.from).collect();
            let stored =
                source.element.served().ok_or_else(|| Error::invalid_data("an element is too large"))?;
            let mut bytes = vec![0; buffer_len(&wanted, stored)?];
            let counts: Vec<u64> = wanted.iter().map(|s| s.count).collect();
            wanted.extend(source.element.axes.iter().map(|n| SliceDim::all(*n)));
            let deeper = Reading { depth: with.depth + 1, ..*with };
            read::read(&deeper, source, &wanted, &mut bytes)?;
            if let Some(conversion) = conversion {
                bytes = conversion.apply(&bytes);
            }
            let mut start = base;
            let mut axes = vec![];
            for (((run, place), stride), n) in now.iter().zip(place).zip(strides(&counts, item)?).zip(&counts)
            {
                let step = place.and_then(|axis| to.get(axis)).copied().unwrap_or(0);
                start += run.first * step;
                let count = usize::try_from(*n).map_err(Error::internal)?;
                axes.push(Axis {
                    count,
                    from: stride.cast_signed(),
                    to: usize::try_from(step).map_err(Error::internal)?,
                });
            }
            let start = usize::try_from(start).map_err(Error::internal)?;
            Box { axes, from: 0, to: start, item }.copy(&bytes, out)?;
            if !advance(&mut at, runs.iter().map(Vec::len)) {
                return Ok(());
            }
        }
    }

    fn source(&self, with: &Reading, dataset: &Dataset) -> Result<Arc<Dataset>> {
        source(with, dataset, &self.file, &self.path)
    }
}

/// How elements of the source become those of the virtual dataset; `None` where they are the same.
fn conversion(source: &Dataset, dataset: &Dataset) -> Result<Option<Conversion>> {
    let (from, to) = (&source.element, &dataset.element);
    if from.data_type == to.data_type && from.axes == to.axes {
        return Ok(None);
    }
    let conversion = Conversion::between(&from.data_type, &to.data_type);
    let conversion = conversion.filter(|_| from.axes.is_empty() && to.axes.is_empty());
    conversion.map(Some).ok_or_else(|| {
        let message = format!("{}: its type is not that of the virtual dataset", source.place());
        Error::unsupported_format(message)
    })
}

fn source(with: &Reading, dataset: &Dataset, file: &str, path: &str) -> Result<Arc<Dataset>> {
    let missing = |error: Error| match error.kind {
        ErrorKind::NotFound => {
            let message = format!("the virtual dataset's source {path:?} in {file:?} is not there");
            Error::new(ErrorKind::BrokenLink, message).with_detail(error)
        }
        _ => error,
    };
    if with.depth >= MAX_DEPTH {
        return Err(Error::invalid_data("virtual datasets are nested too deeply, or in a circle"));
    }
    let file = match file {
        "." => dataset.file.clone(),
        name => with.linked.other(&dataset.snapshot, name).map_err(missing)?,
    };
    with.linked.dataset(with.cx, &file, path, with.depth + 1).map_err(missing)
}

/// Which elements of the output may lie in the selection.
fn reach(dim: SliceDim, [start, stride, count, block]: Blocks) -> (u64, u64) {
    let end = match count {
        0 => return (0, 0),
        u64::MAX => u64::MAX,
        _ => (count - 1).saturating_mul(stride).saturating_add(start).saturating_add(block),
    };
    let step = dim.step.unsigned_abs().max(1);
    // The numbers of output elements below a position, running forwards or backwards.
    let before = |position: u64| position.saturating_sub(dim.start).div_ceil(step).min(dim.count);
    let after = |position: u64| match dim.start.checked_sub(position) {
        Some(distance) => (distance / step + 1).min(dim.count),
        None => 0,
    };
    match dim.step > 0 {
        true => (before(start), before(end)),
        false if end == 0 => (0, 0),
        false => {
            (dim.count.min(if dim.start >= end { (dim.start - end) / step + 1 } else { 0 }), after(start))
        }
    }
}

/// Which of the selected elements a position is.
fn position(position: u64, [start, stride, count, block]: Blocks) -> Option<u64> {
    let offset = position.checked_sub(start)?;
    let (number, within) = (offset / stride.max(1), offset % stride.max(1));
    (number < count && within < block).then(|| number * block + within)
}

fn axis_runs(dim: SliceDim, over: Blocks, (first, end): (u64, u64), from: Blocks, len: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = vec![];
    for i in first..end {
        let [start, stride, count, block] = from;
        let Some(j) = position(dim.at(i), over) else { continue };
        let (number, within) = (j / block.max(1), j % block.max(1));
        let place = start.saturating_add(number.saturating_mul(stride)).saturating_add(within);
        // What the source has not (yet) stays at the fill value.
        if number >= count || place >= len {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.first + run.from.count == i => {
                let last = run.from.at(run.from.count - 1);
                let step = place.wrapping_sub(last).cast_signed();
                if step != 0 && (run.from.count == 1 || run.from.step == step) {
                    run.from.step = step;
                    run.from.count += 1;
                    continue;
                }
                runs.push(Run { first: i, from: SliceDim::range(place, 1) });
            }
            _ => runs.push(Run { first: i, from: SliceDim::range(place, 1) }),
        }
    }
    runs
}

/// The source axis of each axis of the virtual dataset: axes of length 1 have none, the others follow in order.
fn partners(over: &[Blocks], from: &[Blocks]) -> Result<Vec<Option<usize>>> {
    let length = |b: &Blocks| if b[2] == u64::MAX { u64::MAX } else { b[2].saturating_mul(b[3]) };
    let odd = || Error::unsupported_format("a virtual dataset that changes the shape of its source");
    let mut left = from.iter().enumerate().filter(|(_, b)| length(b) != 1);
    let mut all = vec![];
    for blocks in over {
        if length(blocks) == 1 {
            all.push(None);
            continue;
        }
        let (axis, partner) = left.next().ok_or_else(odd)?;
        if length(partner) != length(blocks) && length(partner) != u64::MAX && length(blocks) != u64::MAX {
            return Err(odd());
        }
        all.push(Some(axis));
    }
    if left.next().is_some() { Err(odd()) } else { Ok(all) }
}

/// More numbered sources are not looked for.
const MAX_NUMBERED: u64 = 1 << 16;

/// The dataset with the axes without end as long as its sources reach now; any other dataset as it is.
pub(crate) fn sized(with: &Reading, dataset: Arc<Dataset>) -> Result<Arc<Dataset>> {
    let RawLayout::Virtual(mappings) = &dataset.layout else { return Ok(dataset) };
    let mut shape = dataset.shape.clone();
    for (over, file, path, from) in mappings {
        let Selected::Regular(over) = over else { continue };
        let Some(axis) = over.iter().position(|b| b[2] == u64::MAX) else { continue };
        let Some([start, stride, _, block]) = over.get(axis).copied() else { continue };
        let reached = if is_numbered(file) || is_numbered(path) {
            let there = |n: &u64| source(with, &dataset, &spell(file, *n), &spell(path, *n)).is_ok();
            match (0..MAX_NUMBERED).take_while(there).count() as u64 {
                0 => 0,
                n => start.saturating_add((n - 1).saturating_mul(stride)).saturating_add(block),
            }
        } else {
            match source(with, &dataset, &spell(file, 0), &spell(path, 0)) {
                Err(_) => 0,
                Ok(source) => match selected_count(from, &source.shape) {
                    0 => 0,
                    n => start
                        .saturating_add(((n - 1) / block.max(1)).saturating_mul(stride))
                        .saturating_add((n - 1) % block.max(1) + 1),
                },
            }
        };
        if let Some(len) = shape.get_mut(axis) {
            *len = (*len).max(reached);
        }
    }
    Ok(if shape == dataset.shape { dataset } else { dataset.resized(shape) })
}

/// Elements of a source along its axis without end.
fn selected_count(from: &Selected, shape: &[u64]) -> u64 {
    let Selected::Regular(axes) = from else { return 0 };
    let endless = axes.iter().zip(shape).find(|(b, _)| b[2] == u64::MAX);
    let Some(([start, stride, _, block], len)) = endless else { return 0 };
    let length = len.saturating_sub(*start);
    let stride = (*stride).max(1);
    (length / stride).saturating_mul(*block).saturating_add((length % stride).min(*block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_out_with_their_number() {
        assert_eq!((spell("f-%b.h5", 7), spell("100%%b", 7)), ("f-7.h5".into(), "100%b".into()));
        assert!(is_numbered("f-%b.h5") && !is_numbered("100%%b"));
    }

    #[test]
    fn only_the_elements_inside_a_selection_are_touched() {
        let blocks = [10, 5, 3, 2]; // 10 11, 15 16, 20 21
        for dim in [
            SliceDim::all(30),
            SliceDim { start: 29, step: -1, count: 30 },
            SliceDim { start: 1, step: 3, count: 9 },
        ] {
            let (from, to) = reach(dim, blocks);
            let inside = |i: u64| position(dim.at(i), blocks).is_some();
            assert!((0..dim.count).all(|i| !inside(i) || (from..to).contains(&i)), "{dim:?} {from} {to}");
        }
        let runs = axis_runs(SliceDim::all(30), blocks, reach(SliceDim::all(30), blocks), [0, 1, 6, 1], 6);
        let firsts: Vec<_> = runs.iter().map(|r| (r.first, r.from.start, r.from.count)).collect();
        assert_eq!(firsts, [(10, 0, 2), (15, 2, 2), (20, 4, 2)]);
    }
}
