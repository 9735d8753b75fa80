//! The header of a `.npy` file: type, shape, order, and where the values begin.

use tiled_plugin_api::{
    author::{Context, Error, Result},
    layout::{
        gather::{Axis, Linear, gather},
        strided,
    },
    model::SliceDim,
};

use crate::{
    dtype::Element,
    literal::{self, Literal},
};

/// The first bytes of every file.
pub const MAGIC: &[u8] = b"\x93NUMPY";
/// Records of some hundred thousand fields; NumPy itself refuses more than 10 000 bytes.
const MAX_HEADER_BYTES: u64 = 1 << 22;
/// NumPy's limit.
const MAX_AXES: usize = 64;

/// What the header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The type of an element.
    pub element: Element,
    /// Lengths of the axes.
    pub shape: Vec<u64>,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    /// Where the values begin.
    pub data_at: u64,
}

impl Header {
    /// Reads the header of a file of `len` bytes.
    ///
    /// # Errors
    /// `InvalidData` when it is damaged or the file too short for its values, `UnsupportedFormat` for objects.
    pub fn read(file: &dyn Linear, len: u64) -> Result<Self> {
        let mut start = [0; 12];
        let start = start.get_mut(..len.min(12) as usize).unwrap_or_default();
        file.fill(0, start)?;
        let not_npy = || Error::invalid_data("this is no .npy file: its first bytes are others");
        let (magic, rest) = start.split_at_checked(MAGIC.len()).ok_or_else(not_npy)?;
        if magic != MAGIC {
            return Err(not_npy());
        }
        let (text_at, text_len) = match *rest {
            [1, _, a, b, ..] => (10, u64::from(u16::from_le_bytes([a, b]))),
            [2 | 3, _, a, b, c, d, ..] => (12, u64::from(u32::from_le_bytes([a, b, c, d]))),
            [1..=3, ..] | [] => return Err(Error::invalid_data("the file is truncated within its header")),
            _ => return Err(Error::unsupported_format("the .npy format version is not 1, 2 or 3")),
        };
        if text_len > MAX_HEADER_BYTES || text_at + text_len > len {
            return Err(Error::invalid_data(format!("a header of {text_len} bytes in a file of {len}")));
        }
        let mut text = vec![0; text_len as usize];
        file.fill(text_at, &mut text)?;
        let header = Self::parse(&text, rest.first() == Some(&3), text_at + text_len)?;
        let needed = header.stored_bytes().and_then(|n| n.checked_add(header.data_at));
        match needed {
            Some(needed) if needed <= len => Ok(header),
            _ => Err(Error::invalid_data(format!(
                "the file is truncated: {len} bytes are too few for the shape {:?}",
                header.shape
            ))),
        }
    }

    fn parse(text: &[u8], is_utf8: bool, data_at: u64) -> Result<Self> {
        let text = if is_utf8 {
            str::from_utf8(text).map_err(|_| Error::invalid_data("the header is not UTF-8"))?.to_owned()
        } else {
            text.iter().map(|byte| char::from(*byte)).collect()
        };
        let header = literal::parse(&text)?;
        let get =
            |key| header.get(key).ok_or_else(|| Error::invalid_data(format!("the header has no {key:?}")));
        let shape = get("shape")?.sizes().filter(|shape| shape.len() <= MAX_AXES);
        let shape = shape.ok_or_else(|| Error::invalid_data("the shape is not one of NumPy's"))?;
        let Literal::Bool(fortran) = get("fortran_order")? else {
            return Err(Error::invalid_data("fortran_order is neither True nor False"));
        };
        Ok(Header { element: Element::from_descr(get("descr")?)?, shape, fortran: *fortran, data_at })
    }

    /// Bytes of the values in the file; `None` when that overflows.
    pub fn stored_bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element.stored, |all, n| all.checked_mul(*n))
    }

    /// Whether two files hold arrays of the same type and shape.
    pub fn is_like(&self, other: &Header) -> bool {
        self.element == other.element && self.shape == other.shape
    }

    /// Fills `out` with a slice in C order, packed.
    ///
    /// # Errors
    /// `InvalidData` when the file is too short, `Cancelled`.
    pub fn read_slice(
        &self,
        cx: &Context,
        file: &dyn Linear,
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        if self.element.is_packed() {
            return self.read_stored(cx, file, slice, out);
        }
        let counts = slice.iter().map(|dim| dim.count as usize).product::<usize>();
        let bytes = counts.checked_mul(self.element.stored as usize).filter(|n| *n <= isize::MAX as usize);
        let mut padded =
            vec![0; bytes.ok_or_else(|| Error::invalid_data("the records are larger than any memory"))?];
        self.read_stored(cx, file, slice, &mut padded)?;
        self.pack(&padded, counts, out)
    }

    /// Leaves out the padding of `count` records.
    fn pack(&self, padded: &[u8], count: usize, out: &mut [u8]) -> Result<()> {
        let (from, to) = (self.element.stored as isize, self.element.dtype.itemsize() as isize);
        let mut at = 0;
        for (offset, length) in &self.element.runs {
            let axes = [strided::Axis { count, from, to }];
            if !strided::copy(padded, *offset as usize, out, at, &axes, *length as usize) {
                return Err(Error::internal("records leave their buffer"));
            }
            at += *length as usize;
        }
        Ok(())
    }

    fn read_stored(&self, cx: &Context, file: &dyn Linear, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let item = self.element.stored;
        let mut axes: Vec<Axis> = Vec::with_capacity(slice.len());
        let mut to = item as isize;
        for dim in slice.iter().rev() {
            axes.push(Axis { start: dim.start, step: dim.step, count: dim.count, stride: 0, to });
            to = to.saturating_mul(isize::try_from(dim.count).unwrap_or(isize::MAX));
        }
        // Axes stand from the last to the first now: that is the order of a Fortran file, largest stride first.
        let mut lengths = self.shape.clone();
        if !self.fortran {
            axes.reverse();
        } else {
            lengths.reverse();
        }
        let mut stride = item;
        for (axis, length) in axes.iter_mut().zip(&lengths).rev() {
            axis.stride = stride;
            stride = stride.saturating_mul(*length);
        }
        gather(cx, file, self.data_at, &axes, item, out, 0)
    }
}
