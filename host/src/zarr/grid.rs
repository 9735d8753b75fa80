//! The regular grid that Zarr wants, over chunks of any lengths.

use tiled_plugin_api::model::ArrayStructure;

/// A regular grid over an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// Lengths of a chunk, 1 or more.
    pub chunk: Vec<u64>,
}

/// One chunk of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// First element along each axis.
    pub start: Vec<u64>,
    /// Elements of the array in it along each axis; fewer than the chunk has at the end of an axis.
    pub count: Vec<u64>,
}

impl Grid {
    /// The longest chunk along each axis, halved along the first axes until it takes no more than `max_bytes` (or is one
    /// element).
    pub fn of(array: &ArrayStructure, itemsize: u64, max_bytes: u64) -> Self {
        let longest = |lengths: &Vec<u64>| lengths.iter().copied().max().unwrap_or(1).max(1);
        let mut chunk: Vec<u64> = array.chunks.iter().map(longest).collect();
        // A structure whose chunks are of another rank is the catalog's fault; the grid is whole then.
        chunk.resize(array.shape.len(), 1);
        let bytes = |chunk: &[u64]| chunk.iter().fold(itemsize.max(1), |all, n| all.saturating_mul(*n));
        while bytes(&chunk) > max_bytes {
            let Some(length) = chunk.iter_mut().find(|length| **length > 1) else { break };
            *length = length.div_ceil(2);
        }
        Grid { shape: array.shape.clone(), chunk }
    }

    /// Chunks along an axis.
    pub fn chunks_along(&self, axis: usize) -> u64 {
        match (self.shape.get(axis), self.chunk.get(axis)) {
            (Some(length), Some(chunk)) => length.div_ceil((*chunk).max(1)),
            _ => 0,
        }
    }

    /// Elements of a whole chunk; `None` when that overflows.
    pub fn elements(&self) -> Option<u64> {
        self.chunk.iter().try_fold(1_u64, |all, n| all.checked_mul(*n))
    }

    /// The chunk of these numbers, one per axis. `None` where there is none.
    pub fn cell(&self, numbers: &[u64]) -> Option<Cell> {
        if numbers.len() != self.shape.len() {
            return None;
        }
        let (mut start, mut count) = (Vec::with_capacity(numbers.len()), Vec::with_capacity(numbers.len()));
        for ((number, length), chunk) in numbers.iter().zip(&self.shape).zip(&self.chunk) {
            let from = number.checked_mul(*chunk).filter(|from| from < length)?;
            start.push(from);
            count.push((*chunk).min(length - from));
        }
        Some(Cell { start, count })
    }

    /// The numbers in the words of a chunk's key. Zarr's key of the only chunk of a scalar is `0` in v2.
    pub fn numbers(&self, key: &[u64]) -> Option<Vec<u64>> {
        match (self.shape.len(), key) {
            (0, [] | [0]) => Some(vec![]),
            (axes, key) if axes == key.len() => Some(key.to_vec()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{DataType, Kind};

    use super::*;

    fn array(shape: &[u64], chunks: Vec<Vec<u64>>) -> ArrayStructure {
        let data_type = DataType::native(Kind::Float, 8);
        ArrayStructure { data_type, chunks, shape: shape.to_vec(), dims: None, resizable: false }
    }

    #[test]
    fn chunks_of_any_lengths_become_a_regular_grid() {
        let grid = Grid::of(&array(&[10, 5], vec![vec![3, 4, 3], vec![5]]), 8, 1 << 20);
        assert_eq!((grid.chunk.as_slice(), grid.chunks_along(0)), (&[4, 5][..], 3));
        let last = grid.cell(&[2, 0]).unwrap();
        assert_eq!((last.start, last.count), (vec![8, 0], vec![2, 5]));
        assert_eq!(grid.cell(&[3, 0]), None);
        assert_eq!(grid.cell(&[u64::MAX, 0]), None);
    }

    #[test]
    fn a_chunk_beyond_the_limit_is_halved() {
        let grid = Grid::of(&array(&[1000, 10], vec![vec![1000], vec![10]]), 8, 8000);
        assert_eq!(grid.chunk, [63, 10]);
    }

    #[test]
    fn empty_axes_and_scalars_have_a_grid() {
        let empty = Grid::of(&array(&[0, 4], vec![vec![0], vec![4]]), 8, 8000);
        assert_eq!((empty.chunk.as_slice(), empty.cell(&[0, 0])), (&[1, 4][..], None));
        let scalar = Grid::of(&array(&[], vec![]), 8, 8000);
        assert_eq!(scalar.numbers(&[0]), Some(vec![]));
        assert!(scalar.cell(&[]).is_some());
    }
}
