//! From a request to write and the structure of a node to the part that is written, and whether it may.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tiled_plugin_api::{
    author::{Error, WriteRequest},
    model::{
        ArrayStructure, NDSlice, RaggedStructure, SliceDim, SparseStructure, StructureFamily, TableStructure,
        chunks_of,
    },
};
use xxhash_rust::xxh3::xxh3_64;

use super::{conflict, unprocessable};
use crate::{
    read::{ArrayPlan, BlockPart, tuple},
    tree::{TreeError, TreeResult},
};

/// What a client wishes to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// All there is.
    Whole,
    /// One block of an array, sparse or ragged array.
    Block(Vec<u64>),
    /// A region of an array that need not be blocks; with `extend` it may lie beyond the present shape.
    Region {
        /// First element; missing axes are 0.
        offset: Vec<u64>,
        /// Lengths.
        shape: Vec<u64>,
        /// Whether the array grows to hold it.
        extend: bool,
    },
    /// One partition of a table.
    Partition {
        /// Its number.
        number: u64,
        /// Whether rows are added instead of replaced.
        append: bool,
    },
}

/// A part of a data source, checked against its structure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// For the writer.
    pub request: WriteRequest,
    /// Dense arrays: the region, per axis.
    pub slice: Vec<SliceDim>,
    /// Dense arrays: the bytes it takes.
    pub nbytes: Option<u64>,
    /// What tells this part from those that may be written at the same time; `None`: it goes alone.
    pub place: Option<u64>,
    /// The structure afterwards, unless the writer knows better.
    pub structure: Option<Value>,
}

impl Part {
    fn of(request: WriteRequest, place: Option<u64>) -> Self {
        Part { request, slice: vec![], nbytes: None, place, structure: None }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.structure.is_none() && self.nbytes == Some(0)
    }
}

impl Wish {
    /// The part of a data source of that family and structure.
    ///
    /// # Errors
    /// `InvalidData`, `InvalidArgument`, `Conflict`, in Tiled's words where it has some.
    pub(super) fn part(&self, family: StructureFamily, structure: &Value) -> TreeResult<Part> {
        match (family, self) {
            (StructureFamily::Array, _) => self.of_array(&read(structure)?, structure),
            (StructureFamily::Ragged, _) => self.of_ragged(&read(structure)?),
            (StructureFamily::Sparse, Wish::Block(block)) => of_sparse_block(&read(structure)?, block),
            (StructureFamily::Table, Wish::Partition { number, append }) => {
                of_partition(&read(structure)?, *number, *append)
            }
            (_, Wish::Whole) => Ok(Part::of(WriteRequest::default(), None)),
            _ => Err(super::not_here(format!("A node of family {family} cannot be written so"))),
        }
    }

    fn of_array(&self, array: &ArrayStructure, structure: &Value) -> TreeResult<Part> {
        let (plan, block) = match self {
            Wish::Block(block) => {
                let part = BlockPart { block: block.clone(), slice: NDSlice::default() };
                (ArrayPlan::block(array, &part).map_err(unprocessable)??, Some(block))
            }
            Wish::Region { offset, shape, extend } => {
                return region(array, structure, offset, shape, *extend);
            }
            _ => (ArrayPlan::full(array, &NDSlice::default())?, None),
        };
        // Storage is in chunks of one size: only where the blocks are these chunks do they not touch each other.
        let place = block.filter(|_| is_regular(&array.chunks)).map(|block| place_of(block));
        Ok(Part { slice: plan.slice, nbytes: Some(plan.nbytes), ..Part::of(WriteRequest::default(), place) })
    }

    fn of_ragged(&self, ragged: &RaggedStructure) -> TreeResult<Part> {
        match self {
            Wish::Block(block) => {
                let chunks =
                    ragged.chunks.first().and_then(Option::as_ref).map_or(0, |chunks| chunks.len() as u64);
                let rest = block.get(1..).unwrap_or_default();
                if block.first().is_none_or(|first| *first >= chunks.max(1)) || rest.iter().any(|n| *n != 0) {
                    return Err(unprocessable(format!(
                        "Block parameter {block:?} is not one of the {chunks} blocks of this ragged array."
                    )));
                }
                let request = WriteRequest { block: Some(block.clone()), ..WriteRequest::default() };
                Ok(Part::of(request, Some(place_of(block))))
            }
            Wish::Region { offset, extend, .. } => {
                if !extend {
                    return Err(TreeError::invalid(
                        "Overwriting existing data is not supported. Use ?extend=true to add rows at the end.",
                    ));
                }
                let length = ragged.shape.first().copied().flatten().unwrap_or(0);
                if offset.len() > ragged.shape.len() || offset.iter().skip(1).any(|n| *n != 0) {
                    return Err(unprocessable("Only appending along the leftmost dimension is supported"));
                }
                if offset.first() != Some(&length) {
                    return Err(conflict(format!(
                        "Only appending along the leftmost dimension is supported: the array has {length} rows, the \
                         offset is {}",
                        offset.first().copied().unwrap_or(0)
                    )));
                }
                Ok(Part::of(WriteRequest { append: true, ..WriteRequest::default() }, None))
            }
            _ => Ok(Part::of(WriteRequest::default(), None)),
        }
    }
}

fn region(
    array: &ArrayStructure,
    structure: &Value,
    offset: &[u64],
    shape: &[u64],
    extend: bool,
) -> TreeResult<Part> {
    let axes = array.shape.len();
    if shape.len() != axes || offset.len() > axes {
        return Err(unprocessable(format!(
            "The array has {axes} axes, but shape has {} and offset has {}",
            shape.len(),
            offset.len()
        )));
    }
    let starts = offset.iter().copied().chain(std::iter::repeat(0));
    let slice: Vec<SliceDim> =
        starts.zip(shape).map(|(start, count)| SliceDim::range(start, *count)).collect();
    let ends = slice.iter().map(|dim| dim.start.checked_add(dim.count).filter(|end| *end <= i64::MAX as u64));
    let ends: Vec<u64> =
        ends.collect::<Option<_>>().ok_or_else(|| unprocessable("offset and shape are too large"))?;
    let grown: Vec<u64> = array.shape.iter().zip(&ends).map(|(now, end)| *now.max(end)).collect();
    let itemsize = array.data_type.itemsize();
    let too_large = || unprocessable("The array would be too large to address");
    let nbytes = shape.iter().try_fold(itemsize, |all, n| all.checked_mul(*n)).ok_or_else(too_large)?;
    let part = Part { slice, nbytes: Some(nbytes), ..Part::of(WriteRequest::default(), None) };
    if grown == array.shape {
        return Ok(part);
    }
    if !extend {
        let ranges: Vec<String> =
            part.slice.iter().zip(&ends).map(|(dim, end)| format!("{}:{end}", dim.start)).collect();
        return Err(conflict(format!(
            "Slice [{}] does not fit within current array shape {}. Use ?extend=true to extend the array dimensions \
             to fit.",
            ranges.join(", "),
            tuple(&array.shape)
        )));
    }
    grown.iter().try_fold(itemsize, |all, n| all.checked_mul(*n)).ok_or_else(too_large)?;
    let mut after = structure.clone();
    let chunk: Vec<u64> =
        array.chunks.iter().map(|lengths| lengths.iter().copied().max().unwrap_or(1).max(1)).collect();
    after["shape"] = serde_json::json!(grown);
    after["chunks"] = serde_json::json!(chunks_of(&grown, &chunk));
    let request = WriteRequest { extend_to: Some(grown), ..WriteRequest::default() };
    Ok(Part { request, structure: Some(after), ..part })
}

fn of_sparse_block(sparse: &SparseStructure, block: &[u64]) -> TreeResult<Part> {
    crate::read::block_bounds(&sparse.chunks, &sparse.shape, block).map_err(unprocessable)?;
    let request = WriteRequest { block: Some(block.to_vec()), ..WriteRequest::default() };
    Ok(Part::of(request, Some(place_of(block))))
}

fn of_partition(table: &TableStructure, number: u64, append: bool) -> TreeResult<Part> {
    if number >= table.npartitions {
        return Err(TreeError::invalid("Partition out of range"));
    }
    let request = WriteRequest { partition: Some(number), append, ..WriteRequest::default() };
    Ok(Part::of(request, Some(number).filter(|_| !append)))
}

/// Whether all chunks along each axis have one length, but for a shorter last one.
fn is_regular(chunks: &[Vec<u64>]) -> bool {
    chunks.iter().all(|lengths| match lengths.split_last() {
        Some((last, others)) => {
            let first = others.first().unwrap_or(last);
            others.iter().all(|length| length == first) && last <= first
        }
        None => true,
    })
}

fn place_of(block: &[u64]) -> u64 {
    let bytes: Vec<u8> = block.iter().flat_map(|n| n.to_le_bytes()).collect();
    xxh3_64(&bytes)
}

fn read<T: DeserializeOwned>(structure: &Value) -> TreeResult<T> {
    T::deserialize(structure).map_err(|e| Error::internal(format!("a structure in the catalog: {e}")).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn array(shape: &[u64], chunk: &[u64]) -> Value {
        let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
        json!({"data_type": data_type, "shape": shape, "chunks": chunks_of(shape, chunk), "dims": ["x", "y"],
               "resizable": false})
    }

    fn region(offset: &[u64], shape: &[u64], extend: bool) -> Wish {
        Wish::Region { offset: offset.to_vec(), shape: shape.to_vec(), extend }
    }

    #[test]
    fn an_array_grows_by_its_own_chunks() {
        let part =
            region(&[4], &[2, 3], true).part(StructureFamily::Array, &array(&[4, 3], &[2, 3])).unwrap();
        let after = part.structure.clone().unwrap();
        assert_eq!((&after["shape"], &after["chunks"]), (&json!([6, 3]), &json!([[2, 2, 2], [3]])));
        assert_eq!(after["dims"], json!(["x", "y"]));
        assert_eq!(part.request.extend_to, Some(vec![6, 3]));
        assert_eq!((part.nbytes, part.place), (Some(48), None));
        let within =
            region(&[1], &[1, 3], true).part(StructureFamily::Array, &array(&[4, 3], &[2, 3])).unwrap();
        assert_eq!((within.structure, within.request.extend_to), (None, None));
    }

    #[test]
    fn what_does_not_fit_is_a_conflict_that_names_the_remedy() {
        let refused =
            |wish: Wish| wish.part(StructureFamily::Array, &array(&[4, 3], &[2, 3])).unwrap_err().to_string();
        assert_eq!(
            refused(region(&[4], &[2, 3], false)),
            "Slice [4:6, 0:3] does not fit within current array shape (4, 3). Use ?extend=true to extend the array \
             dimensions to fit."
        );
        assert!(refused(region(&[u64::MAX], &[2, 3], true)).contains("too large"));
        assert!(refused(region(&[0], &[2], true)).contains("2 axes"));
        assert!(refused(Wish::Block(vec![2, 0])).contains("Expected 2 comma-separated integers"));
    }

    #[test]
    fn only_blocks_that_are_chunks_of_the_storage_are_written_side_by_side() {
        let mut structure = array(&[4, 3], &[2, 3]);
        let place = |structure: &Value, block: &[u64]| {
            Wish::Block(block.to_vec()).part(StructureFamily::Array, structure).unwrap().place
        };
        assert_ne!(place(&structure, &[0, 0]), place(&structure, &[1, 0]));
        structure["chunks"] = json!([[1, 3], [3]]);
        assert_eq!(place(&structure, &[0, 0]), None);
    }

    #[test]
    fn rows_are_added_at_the_end_of_a_ragged_array_and_nowhere_else() {
        let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
        let ragged = json!({"data_type": data_type, "shape": [4, null], "size": 9, "chunks": [[4], null],
                            "dims": null, "resizable": false});
        let part = |wish: Wish| wish.part(StructureFamily::Ragged, &ragged);
        assert!(part(region(&[4], &[1], true)).unwrap().request.append);
        assert!(part(region(&[3], &[1], true)).unwrap_err().to_string().contains("has 4 rows"));
        assert!(part(region(&[4], &[1], false)).unwrap_err().to_string().contains("Overwriting"));
        assert!(part(Wish::Block(vec![1])).is_err());
    }
}
