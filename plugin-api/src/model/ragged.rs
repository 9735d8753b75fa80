//! Ragged arrays as buffers: their layout, joining of chunks, slicing.
//!
//! The layout is the one Tiled gives a ragged structure: offsets (int64, from 0) for each axis whose length differs, and
//! one buffer of elements. What is given may be less tidy (offsets that begin elsewhere, elements nobody points to);
//! what comes out is packed.

use std::ops::Range;

use super::{NDSlice, RaggedStructure, SlicePart};
use crate::author::{Buffers, Error, ErrorKind, OwnedBuffer, Result};

/// One axis below the first.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Axis {
    /// Its length differs; the name of its offsets.
    Ragged(String),
    /// Its length.
    Fixed(u64),
}

/// Which buffers a ragged array has, and how they belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaggedLayout {
    axes: Vec<Axis>,
    data: String,
    itemsize: u64,
}

/// Looks up a buffer by its name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<&'a [u8]>;

impl RaggedLayout {
    /// The layout of a structure; names as Tiled numbers them.
    ///
    /// # Errors
    /// `InvalidData` when there is no axis, or elements have no size.
    pub fn of(structure: &RaggedStructure) -> Result<Self> {
        if structure.shape.is_empty() || structure.data_type.itemsize() == 0 {
            return Err(Error::invalid_data(
                "A ragged array has at least one axis, and elements of some bytes",
            ));
        }
        let axes: Vec<Option<u64>> = structure.shape[1..].to_vec();
        Ok(Self::named(&axes, structure.data_type.itemsize()))
    }

    fn named(lengths: &[Option<u64>], itemsize: u64) -> Self {
        let axis = |(place, length): (usize, &Option<u64>)| match length {
            Some(length) => Axis::Fixed(*length),
            None => Axis::Ragged(format!("node{place}-offsets")),
        };
        let last = lengths.iter().rposition(Option::is_none).map_or(0, |place| place + 1);
        RaggedLayout {
            axes: lengths.iter().enumerate().map(axis).collect(),
            data: format!("node{last}-data"),
            itemsize,
        }
    }

    /// Names of the offsets, outermost first.
    pub fn offsets(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().filter_map(|axis| match axis {
            Axis::Ragged(name) => Some(name.as_str()),
            Axis::Fixed(_) => None,
        })
    }

    /// The name of the buffer of elements.
    pub fn data(&self) -> &str {
        &self.data
    }
}

/// Joins chunks of one layout, one after the other.
pub struct RaggedJoin {
    layout: RaggedLayout,
    offsets: Vec<Vec<i64>>,
    data: Vec<u8>,
    length: u64,
}

impl RaggedJoin {
    /// Nothing yet.
    pub fn new(layout: RaggedLayout) -> Self {
        let offsets = layout.offsets().map(|_| vec![0]).collect();
        RaggedJoin { layout, offsets, data: Vec::new(), length: 0 }
    }

    /// Adds the rows of a chunk that is `length` long.
    ///
    /// # Errors
    /// `InvalidData` naming the buffer that is missing, too short or out of order.
    pub fn push(&mut self, length: u64, lookup: Lookup<'_>) -> Result<()> {
        let mut range = 0..length;
        let mut ragged = 0;
        for axis in &self.layout.axes {
            range = match axis {
                Axis::Fixed(size) => {
                    let scaled = |at: u64| at.checked_mul(*size).ok_or_else(too_large);
                    scaled(range.start)?..scaled(range.end)?
                }
                Axis::Ragged(name) => {
                    let given = Offsets::of(name, lookup)?;
                    let out = &mut self.offsets[ragged];
                    ragged += 1;
                    given.rebase(&range, out)?
                }
            };
        }
        let size = self.layout.itemsize;
        let (name, given) = (&self.layout.data, find(&self.layout.data, lookup)?);
        let bytes = byte_range(&range, size)?;
        let part = given.get(bytes).ok_or_else(|| short(name))?;
        self.data.extend_from_slice(part);
        self.length = self.length.checked_add(length).ok_or_else(too_large)?;
        Ok(())
    }

    /// Rows so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Elements so far.
    pub fn size(&self) -> u64 {
        self.data.len() as u64 / self.layout.itemsize
    }

    /// The packed buffers, offsets first.
    pub fn finish(self) -> Buffers {
        let names: Vec<String> = self.layout.offsets().map(str::to_owned).collect();
        let offsets = names.into_iter().zip(self.offsets).map(|(name, values)| (name, bytes_of(&values)));
        let mut buffers: Buffers = offsets.collect();
        buffers.push((self.layout.data, OwnedBuffer::from_vec(self.data)));
        buffers
    }
}

/// What a slice of a ragged array is.
pub struct RaggedSlice {
    /// Its structure; without axes where it is one element.
    pub structure: RaggedStructure,
    /// Its buffers.
    pub buffers: Buffers,
}

/// Slices as NumPy does, each list of a ragged axis by itself: ranges clip, an index must be in every list.
///
/// # Errors
/// `OutOfBounds` for an index that is not everywhere, or more parts than axes; `InvalidData` for bad buffers.
pub fn slice_ragged(structure: &RaggedStructure, slice: &NDSlice, lookup: Lookup<'_>) -> Result<RaggedSlice> {
    let layout = RaggedLayout::of(structure)?;
    let whole = SlicePart::Range(None, None, None);
    if slice.0.len() > structure.shape.len() {
        return Err(unfit("It has more parts than the array has axes"));
    }
    let part = |axis: usize| slice.0.get(axis).copied().unwrap_or(whole);
    let length = structure.shape[0].unwrap_or(0);
    let mut picked = Picked { places: Vec::new(), shape: Vec::new(), offsets: Vec::new() };
    picked.pick(part(0), std::iter::once(Ok(0..length)), Some(length))?;
    for (place, axis) in layout.axes.iter().enumerate() {
        let places = std::mem::take(&mut picked.places);
        match axis {
            Axis::Fixed(size) => {
                let lists = places.iter().map(|at| {
                    let start = at.checked_mul(*size).ok_or_else(too_large)?;
                    Ok(start..start.checked_add(*size).ok_or_else(too_large)?)
                });
                picked.pick(part(place + 1), lists, Some(*size))?;
            }
            Axis::Ragged(name) => {
                let offsets = Offsets::of(name, lookup)?;
                picked.pick(part(place + 1), places.iter().map(|at| offsets.list(*at)), None)?;
            }
        }
    }
    let given = find(&layout.data, lookup)?;
    let width = usize::try_from(layout.itemsize).map_err(|_| too_large())?;
    let mut data = Vec::with_capacity(picked.places.len().saturating_mul(width).min(given.len()));
    for at in &picked.places {
        let bytes = byte_range(&(*at..at.saturating_add(1)), layout.itemsize)?;
        data.extend_from_slice(given.get(bytes).ok_or_else(|| short(&layout.data))?);
    }
    Ok(picked.finish(structure, layout.itemsize, data))
}

/// The positions picked so far on the innermost axis seen, and the axes kept.
struct Picked {
    places: Vec<u64>,
    shape: Vec<Option<u64>>,
    offsets: Vec<Vec<i64>>,
}

impl Picked {
    /// Picks from each list; `fixed` is the length of every list, where it is one.
    fn pick(
        &mut self,
        part: SlicePart,
        lists: impl Iterator<Item = Result<Range<u64>>>,
        fixed: Option<u64>,
    ) -> Result<()> {
        let mut ends = vec![0_i64];
        let mut count = 0;
        for list in lists {
            let list = list?;
            let (dims, _) = NDSlice(vec![part]).resolve(&[list.end - list.start]).map_err(|error| {
                let error = error.to_string();
                unfit(if error.contains("zero") { "Its step is zero" } else { "It is not in every list" })
            })?;
            let dim = dims[0];
            self.places.extend((0..dim.count).map(|i| list.start + dim.at(i)));
            count = dim.count;
            ends.push(self.places.len() as i64);
        }
        if matches!(part, SlicePart::Index(_)) {
            return Ok(());
        }
        if self.shape.is_empty() {
            // The outermost axis that is left: one list.
            self.shape.push(Some(self.places.len() as u64));
        } else if let Some(length) = fixed {
            // Without lists there is none to count.
            let none = NDSlice(vec![part]).resolve(&[length]).map_or(0, |(dims, _)| dims[0].count);
            self.shape.push(Some(if ends.len() > 1 { count } else { none }));
        } else {
            self.shape.push(None);
            self.offsets.push(ends);
        }
        Ok(())
    }

    fn finish(self, from: &RaggedStructure, itemsize: u64, data: Vec<u8>) -> RaggedSlice {
        let rest = self.shape.get(1..).unwrap_or_default();
        let layout = RaggedLayout::named(rest, itemsize);
        let names: Vec<String> = layout.offsets().map(str::to_owned).collect();
        let mut buffers: Buffers =
            names.into_iter().zip(&self.offsets).map(|(name, ends)| (name, bytes_of(ends))).collect();
        let size = data.len() as u64 / itemsize;
        buffers.push((layout.data, OwnedBuffer::from_vec(data)));
        let structure = RaggedStructure {
            data_type: from.data_type.clone(),
            chunks: self.shape.iter().map(|length| length.map(|length| vec![length])).collect(),
            shape: self.shape,
            size,
            dims: None,
            resizable: false,
        };
        RaggedSlice { structure, buffers }
    }
}

/// Offsets as they were given.
struct Offsets<'n, 'a> {
    name: &'n str,
    values: &'a [[u8; 8]],
}

impl<'n, 'a> Offsets<'n, 'a> {
    fn of(name: &'n str, lookup: Lookup<'a>) -> Result<Self> {
        let (values, rest) = find(name, lookup)?.as_chunks::<8>();
        if rest.is_empty() { Ok(Offsets { name, values }) } else { Err(short(name)) }
    }

    fn at(&self, place: u64) -> Result<u64> {
        let value = usize::try_from(place).ok().and_then(|place| self.values.get(place));
        let value = i64::from_le_bytes(*value.ok_or_else(|| short(self.name))?);
        u64::try_from(value).map_err(|_| self.disordered())
    }

    fn list(&self, place: u64) -> Result<Range<u64>> {
        let (start, end) = (self.at(place)?, self.at(place.checked_add(1).ok_or_else(too_large)?)?);
        if start <= end { Ok(start..end) } else { Err(self.disordered()) }
    }

    /// Appends the lists of `range` to `out`, and says which items they cover.
    fn rebase(&self, range: &Range<u64>, out: &mut Vec<i64>) -> Result<Range<u64>> {
        // No list, no offsets needed.
        if range.is_empty() {
            return Ok(0..0);
        }
        let (start, base) = (self.at(range.start)?, out.last().copied().unwrap_or(0));
        let mut end = start;
        for place in range.clone() {
            let next = self.at(place.saturating_add(1))?;
            if next < end {
                return Err(self.disordered());
            }
            end = next;
            let shifted = i64::try_from(end - start).ok().and_then(|by| base.checked_add(by));
            out.push(shifted.ok_or_else(too_large)?);
        }
        Ok(start..end)
    }

    fn disordered(&self) -> Error {
        Error::invalid_data(format!("Buffer {}: the offsets do not ascend", self.name))
    }
}

fn find<'a>(name: &str, lookup: Lookup<'a>) -> Result<&'a [u8]> {
    lookup(name).ok_or_else(|| Error::invalid_data(format!("Buffer {name} is missing")))
}

fn byte_range(range: &Range<u64>, size: u64) -> Result<Range<usize>> {
    let scaled = |at: u64| at.checked_mul(size).and_then(|at| usize::try_from(at).ok());
    Ok(scaled(range.start).ok_or_else(too_large)?..scaled(range.end).ok_or_else(too_large)?)
}

fn bytes_of(values: &[i64]) -> OwnedBuffer {
    OwnedBuffer::from_vec(values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn short(name: &str) -> Error {
    Error::invalid_data(format!("Buffer {name} is too short"))
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "The ragged array is too large")
}

fn unfit(why: &str) -> Error {
    Error::new(
        ErrorKind::OutOfBounds,
        format!("Cannot apply the requested slice to the given ragged array. {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DataType;

    fn structure(shape: &[Option<u64>]) -> RaggedStructure {
        RaggedStructure {
            data_type: DataType::from_numpy_str("|u1").unwrap(),
            shape: shape.to_vec(),
            size: 0,
            chunks: vec![None; shape.len()],
            dims: None,
            resizable: false,
        }
    }

    fn longs(values: &[i64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn shown(buffers: &Buffers) -> String {
        let show = |(name, bytes): &(String, OwnedBuffer)| {
            if name.ends_with("offsets") {
                let values = bytes.as_chunks::<8>().0.iter().map(|value| i64::from_le_bytes(*value));
                format!("{name}{:?}", values.collect::<Vec<_>>())
            } else {
                format!("{name}{:?}", bytes.to_vec())
            }
        };
        buffers.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn chunks_are_joined_and_packed() {
        let layout = RaggedLayout::of(&structure(&[Some(2), None, Some(2)])).unwrap();
        let mut join = RaggedJoin::new(layout);
        // The first chunk's offsets do not begin at 0, and its elements have a rest.
        let chunks = [(longs(&[1, 2, 4]), vec![9, 9, 1, 2, 3, 4, 5, 6, 7]), (longs(&[0, 0, 1]), vec![8, 8])];
        for (offsets, data) in &chunks {
            let lookup = |name: &str| Some(if name == "node0-offsets" { &offsets[..] } else { &data[..] });
            join.push(2, &lookup).unwrap();
        }
        assert_eq!((join.length(), join.size()), (4, 8));
        assert_eq!(shown(&join.finish()), "node0-offsets[0, 1, 3, 3, 4] node1-data[1, 2, 3, 4, 5, 6, 8, 8]");
    }

    #[test]
    fn buffers_that_lie_are_refused() {
        for (offsets, data) in [(vec![0, 2, 1], 9), (vec![0, 1], 9), (vec![-1, 1, 2], 9), (vec![0, 1, 4], 3)]
        {
            let (offsets, data) = (longs(&offsets), vec![0; data]);
            let lookup = |name: &str| Some(if name == "node0-offsets" { &offsets[..] } else { &data[..] });
            let mut join = RaggedJoin::new(RaggedLayout::of(&structure(&[Some(2), None])).unwrap());
            let error = join.push(2, &lookup).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
        }
    }

    fn sliced(shape: &[Option<u64>], text: &str) -> String {
        let offsets = longs(&[0, 3, 3, 5]);
        let data: Vec<u8> = (0..10).collect();
        let lookup = |name: &str| Some(if name.ends_with("offsets") { &offsets[..] } else { &data[..] });
        match slice_ragged(&structure(shape), &NDSlice::parse(text).unwrap(), &lookup) {
            Ok(slice) => format!("{:?} {}", slice.structure.shape, shown(&slice.buffers)),
            Err(error) => error.message,
        }
    }

    #[test]
    fn slices_are_those_of_numpy_list_by_list() {
        let two = [Some(3), None];
        assert_eq!(sliced(&two, ""), "[Some(3), None] node0-offsets[0, 3, 3, 5] node1-data[0, 1, 2, 3, 4]");
        assert_eq!(sliced(&two, "0"), "[Some(3)] node0-data[0, 1, 2]");
        assert_eq!(sliced(&two, "-1,1"), "[] node0-data[4]");
        assert_eq!(sliced(&two, "::2,0"), "[Some(2)] node0-data[0, 3]");
        assert_eq!(sliced(&two, ":2,1:9"), "[Some(2), None] node0-offsets[0, 2, 2] node1-data[1, 2]");
        assert_eq!(
            sliced(&two, "::-1,::-1"),
            "[Some(3), None] node0-offsets[0, 2, 2, 5] node1-data[4, 3, 2, 1, 0]"
        );
        assert!(sliced(&two, ":,0").contains("It is not in every list"));
        assert!(sliced(&two, "3").contains("Cannot apply the requested slice"));
        assert!(sliced(&two, "0,0,0").contains("more parts"));
        let fixed = [Some(3), None, Some(2)];
        assert_eq!(sliced(&fixed, "2"), "[Some(2), Some(2)] node0-data[6, 7, 8, 9]");
        assert_eq!(sliced(&fixed, "2,:,1"), "[Some(2)] node0-data[7, 9]");
        assert_eq!(sliced(&fixed, "0:0,:,0:1"), "[Some(0), None, Some(1)] node0-offsets[0] node1-data[]");
    }
}
