//! From the elements of a chunk as a node gives them to the bytes that Zarr's documents promise.

use super::{Element, Version, grid::Cell};

/// Whether the bytes of a chunk are others than the elements in it.
pub fn needs_finish(element: &Element, version: Version, cell: &Cell, chunk: &[u64]) -> bool {
    cell.count != chunk
        || element.itemsize != element.shown_itemsize
        || (version == Version::V3 && !element.swapped.is_empty())
}

/// The bytes of a chunk from the elements of the array in it, in C order: padded with zeros to the whole chunk. `values`
/// has one element of `element.itemsize` for each of `cell.count`; `None` when it has not, or the chunk overflows.
pub fn finish(
    element: &Element,
    version: Version,
    cell: &Cell,
    chunk: &[u64],
    values: &[u8],
) -> Option<Vec<u8>> {
    let (from, to) = (usize::try_from(element.itemsize).ok()?, usize::try_from(element.shown_itemsize).ok()?);
    let lengths: Vec<usize> = chunk.iter().map(|n| usize::try_from(*n)).collect::<Result<_, _>>().ok()?;
    let counts: Vec<usize> = cell.count.iter().map(|n| usize::try_from(*n)).collect::<Result<_, _>>().ok()?;
    let total = lengths.iter().try_fold(to, |all, n| all.checked_mul(*n))?;
    let held = counts.iter().try_fold(from, |all, n| all.checked_mul(*n))?;
    if values.len() != held {
        return None;
    }
    let mut out = vec![0; total];
    if from == to {
        place(values, &counts, &mut out, &lengths);
    }
    // Else the elements have no bytes, and zeros are what they are shown as.
    if version == Version::V3 && !element.swapped.is_empty() {
        for record in out.chunks_exact_mut(to) {
            for (at, width) in &element.swapped {
                if let Some(word) = record.get_mut(*at..at.saturating_add(*width)) {
                    word.reverse();
                }
            }
        }
    }
    Some(out)
}

/// Copies a box of `counts` elements to the corner of a box of `lengths`, run by run.
fn place(values: &[u8], counts: &[usize], out: &mut [u8], lengths: &[usize]) {
    let Some((count, inner)) = counts.split_first() else {
        out.copy_from_slice(values);
        return;
    };
    let (length, inner_lengths) = lengths.split_first().map_or((1, &[][..]), |(first, rest)| (*first, rest));
    if inner == inner_lengths {
        out[..values.len()].copy_from_slice(values);
        return;
    }
    let (part, slot) = (values.len() / (*count).max(1), out.len() / length.max(1));
    for i in 0..*count {
        place(&values[i * part..(i + 1) * part], inner, &mut out[i * slot..(i + 1) * slot], inner_lengths);
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{DataType, Field};

    use super::*;

    fn check(numpy: &str, count: &[u64], chunk: &[u64], values: &[u8]) -> Option<Vec<u8>> {
        let element = Element::of(&DataType::from_numpy_str(numpy).unwrap());
        let cell = Cell { start: vec![0; count.len()], count: count.to_vec() };
        finish(&element, Version::V3, &cell, chunk, values)
    }

    #[test]
    fn an_edge_is_padded_along_every_axis() {
        assert_eq!(check("|u1", &[2, 2], &[3, 3], &[1, 2, 3, 4]).unwrap(), [1, 2, 0, 3, 4, 0, 0, 0, 0]);
        assert_eq!(check("<u2", &[1, 2], &[2, 2], &[1, 2, 3, 4]).unwrap(), [1, 2, 3, 4, 0, 0, 0, 0]);
        assert_eq!(check("|u1", &[], &[], &[7]).unwrap(), [7]);
        assert_eq!(check("|u1", &[2], &[3], &[1]), None, "values are missing");
    }

    #[test]
    fn texts_of_no_characters_are_zeros() {
        assert_eq!(check("<U0", &[2], &[2], &[]).unwrap(), [0; 8]);
    }

    #[test]
    fn big_endian_fields_are_swapped_for_v3_alone() {
        let record = DataType::record(vec![
            Field::new("a", DataType::from_numpy_str("|u1").unwrap()),
            Field::new("b", DataType::from_numpy_str(">i2").unwrap()),
        ]);
        let element = Element::of(&record);
        let cell = Cell { start: vec![0], count: vec![2] };
        let values = [9, 1, 2, 8, 3, 4];
        let finished = |version| finish(&element, version, &cell, &[2], &values).unwrap();
        assert_eq!(finished(Version::V3), [9, 2, 1, 8, 4, 3]);
        assert_eq!(finished(Version::V2), values);
    }
}
