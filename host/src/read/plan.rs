//! What a read of an array will give, known before anything is read.

use tiled_plugin_api::model::{ArrayStructure, NDSlice, SliceDim, whole_chunks};

use crate::tree::{TreeError, TreeResult};

/// Which block, and which part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPart {
    /// One number per axis; none for a scalar.
    pub block: Vec<u64>,
    /// Within the block.
    pub slice: NDSlice,
}

/// A planned read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayPlan {
    /// Per axis of the array.
    pub slice: Vec<SliceDim>,
    /// The structure of what comes out: one chunk, without the axes that were indexed by a number.
    pub structure: ArrayStructure,
    /// Bytes of what comes out.
    pub nbytes: u64,
}

impl ArrayPlan {
    /// A slice of the whole array.
    ///
    /// # Errors
    /// `InvalidArgument` in Tiled's words.
    pub fn full(array: &ArrayStructure, slice: &NDSlice) -> TreeResult<Self> {
        let (dims, kept) = slice.resolve(&array.shape).map_err(|e| TreeError::invalid(e.to_string()))?;
        Self::new(array, dims, &kept)
    }

    /// A part of one block.
    ///
    /// # Errors
    /// What is wrong with block or slice, for a 422 in Tiled's words.
    pub fn block(array: &ArrayStructure, part: &BlockPart) -> Result<TreeResult<Self>, String> {
        let bounds = block_bounds(&array.chunks, &array.shape, &part.block)?;
        let block_shape: Vec<u64> = bounds.iter().map(|(_, len)| *len).collect();
        let Ok((dims, kept)) = part.slice.resolve(&block_shape) else {
            return Err(format!(
                "Slice parameter {} is not valid for the shape {} that would result from the requested block.",
                slice_repr(&part.slice),
                tuple(&block_shape)
            ));
        };
        let shifted =
            dims.iter().zip(&bounds).map(|(dim, (start, _))| SliceDim { start: dim.start + start, ..*dim });
        Ok(Self::new(array, shifted.collect(), &kept))
    }

    fn new(array: &ArrayStructure, slice: Vec<SliceDim>, kept: &[bool]) -> TreeResult<Self> {
        let shape: Vec<u64> =
            slice.iter().zip(kept).filter(|(_, kept)| **kept).map(|(dim, _)| dim.count).collect();
        let dims = array.dims.as_ref().filter(|dims| dims.len() == kept.len()).map(|dims| {
            dims.iter().zip(kept).filter(|(_, kept)| **kept).map(|(name, _)| name.clone()).collect()
        });
        let structure = ArrayStructure {
            data_type: array.data_type.clone(),
            chunks: whole_chunks(&shape),
            shape,
            dims,
            resizable: false,
        };
        let nbytes =
            structure.nbytes().ok_or_else(|| TreeError::invalid("The array is too large to address"))?;
        Ok(ArrayPlan { slice, structure, nbytes })
    }

    /// Checks what the caller expects to get.
    ///
    /// # Errors
    /// The text for a 422.
    pub fn expect(&self, expected: Option<&[u64]>, of_block: bool) -> Result<(), String> {
        let Some(expected) = expected.filter(|expected| *expected != self.structure.shape) else {
            return Ok(());
        };
        let (expected, actual) = (tuple(expected), tuple(&self.structure.shape));
        Err(if of_block {
            format!(
                "The expected shape {expected} does not match the actual shape {actual} that would result from the \
                 requested block and slice."
            )
        } else {
            format!(
                "The shape expected from the structure {expected} does not match the actual data shape {actual}"
            )
        })
    }
}

/// Start and length of a block along each axis.
///
/// # Errors
/// The text for a 422.
pub fn block_bounds(chunks: &[Vec<u64>], shape: &[u64], block: &[u64]) -> Result<Vec<(u64, u64)>, String> {
    if block.is_empty() && !shape.is_empty() {
        return Err(format!("Requested scalar but shape is {}", tuple(shape)));
    }
    if block.len() != shape.len() {
        return Err(format!(
            "Block parameter must have {} comma-separated parameters, corresponding to the dimensions of this \
             {}-dimensional array.",
            shape.len(),
            shape.len()
        ));
    }
    let along = |(lengths, index): (&Vec<u64>, &u64)| {
        let index = usize::try_from(*index).ok()?;
        Some((lengths.get(..index)?.iter().sum(), *lengths.get(index)?))
    };
    let bounds: Option<Vec<_>> = chunks.iter().zip(block).map(along).collect();
    bounds.ok_or_else(|| {
        format!(
            "Block parameter does not match the chunks dimensionality. Expected {} comma-separated integers, that \
             index {}, got {}.",
            shape.len(),
            chunks_repr(chunks),
            tuple(block)
        )
    })
}

/// As Python prints a tuple of numbers.
pub fn tuple(numbers: &[u64]) -> String {
    match numbers {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn chunks_repr(chunks: &[Vec<u64>]) -> String {
    let each: Vec<String> = chunks.iter().map(|lengths| tuple(lengths)).collect();
    if each.len() == 1 { format!("({},)", each[0]) } else { format!("({})", each.join(", ")) }
}

fn slice_repr(slice: &NDSlice) -> String {
    use tiled_plugin_api::model::SlicePart;
    let number = |n: Option<i64>| n.map_or("None".to_owned(), |n| n.to_string());
    let part = |part: &SlicePart| match part {
        SlicePart::Index(i) => i.to_string(),
        SlicePart::Range(a, b, c) => format!("slice({}, {}, {})", number(*a), number(*b), number(*c)),
    };
    let each: Vec<String> = slice.0.iter().map(part).collect();
    if each.len() == 1 { format!("({},)", each[0]) } else { format!("({})", each.join(", ")) }
}

#[cfg(test)]
mod tests {
    use tiled_plugin_api::model::{DataType, Kind};

    use super::*;

    fn array() -> ArrayStructure {
        ArrayStructure::chunked(DataType::native(Kind::Int, 8), vec![10, 10], &[5, 4])
    }

    fn block(block: &[u64], slice: &str) -> String {
        let part = BlockPart { block: block.to_vec(), slice: NDSlice::parse(slice).unwrap() };
        match ArrayPlan::block(&array(), &part) {
            Ok(plan) => format!(
                "{} at {}",
                tuple(&plan.as_ref().unwrap().structure.shape),
                plan.unwrap().slice[1].start
            ),
            Err(text) => text,
        }
    }

    #[test]
    fn a_block_is_a_slice_whose_bounds_are_its_chunk() {
        assert_eq!(block(&[1, 2], ""), "(5, 2) at 8");
        assert_eq!(block(&[1, 2], "0,1"), "() at 9");
    }

    #[test]
    fn wrong_blocks_are_refused_in_tileds_words() {
        assert_eq!(block(&[], ""), "Requested scalar but shape is (10, 10)");
        assert!(block(&[1], "").starts_with("Block parameter must have 2 comma-separated parameters"));
        assert_eq!(
            block(&[0, 3], ""),
            "Block parameter does not match the chunks dimensionality. Expected 2 comma-separated integers, that \
             index ((5, 5), (4, 4, 2)), got (0, 3)."
        );
        assert_eq!(
            block(&[0, 2], "9"),
            "Slice parameter (9,) is not valid for the shape (5, 2) that would result from the requested block."
        );
    }
}
