//! An array in a file: one run of values, or frames that are read or decoded one by one.

use serde_json::Value;
use tiled_plugin_api::{
    layout::{
        gather::{Axis, gather},
        strided,
    },
    prelude::{
        ArrayStructure, Context, DataType, Error, ErrorKind, Host, OwnedBuffer, Result, SliceDim, Source,
        chunks_of, is_everything,
    },
};

use crate::coding::Coding;

/// A chunk has about so many bytes where the first axis counts frames.
const CHUNK_BYTES: u64 = 32 << 20;
/// A coded frame is decoded as a whole; no detector has more.
const MAX_DECODED_BYTES: u64 = 512 << 20;
/// No array of these formats has more axes.
const MAX_AXES: usize = 8;

/// One array of a file.
#[derive(Debug)]
pub struct Image {
    /// As in the file, byte order included.
    pub data_type: DataType,
    /// C order.
    pub shape: Vec<u64>,
    /// What the header says of it.
    pub metadata: Value,
    /// Where its values are.
    pub values: Values,
}

/// Where values are.
#[derive(Debug)]
pub enum Values {
    /// C order from `at` on; the parts of the first axis begin `stride` bytes after each other.
    Strided { at: u64, stride: u64 },
    /// One for each position of the first axis.
    Frames(Vec<Frame>),
    /// The array itself.
    Single(Frame),
}

/// The bytes of one frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Where they begin.
    pub at: u64,
    /// How many there are, coded.
    pub len: u64,
    /// How they are coded.
    pub coding: Coding,
}

impl Image {
    /// Bytes of all values, or why there cannot be that many.
    ///
    /// # Errors
    /// `InvalidData` where the sizes overflow or there are too many axes.
    pub fn nbytes(&self) -> Result<u64> {
        product(&self.shape, self.data_type.itemsize())
    }

    /// Tests that the values (of frames: the first) lie within a file of `len` bytes.
    ///
    /// # Errors
    /// `InvalidData` naming what is missing.
    pub fn check(&self, len: u64) -> Result<()> {
        let nbytes = self.nbytes()?;
        let first = match &self.values {
            Values::Strided { at, stride } => {
                let rows = self.shape.first().copied().unwrap_or(1);
                let row = nbytes / rows.max(1);
                let last = rows.saturating_sub(1).checked_mul(*stride).and_then(|by| at.checked_add(by));
                let end = last.and_then(|last| last.checked_add(row));
                return match end {
                    Some(end) if end <= len || nbytes == 0 => Ok(()),
                    _ => Err(truncated(len, &self.shape)),
                };
            }
            Values::Frames(frames) => frames.first(),
            Values::Single(frame) => Some(frame),
        };
        first.map_or(Ok(()), |frame| self.check_frame(frame, len))
    }

    /// Tests that a frame lies within the file, and that so few bytes can hold its values.
    fn check_frame(&self, frame: &Frame, len: u64) -> Result<()> {
        let nbytes = product(self.frame_shape(), self.data_type.itemsize())?;
        if frame.at.checked_add(frame.len).is_none_or(|end| end > len) {
            return Err(truncated(len, self.frame_shape()));
        }
        let elements = nbytes / self.data_type.itemsize().max(1);
        if frame.coding.most_elements(frame.len, self.data_type.itemsize()) < elements {
            let (has, shape) = (frame.len, self.frame_shape());
            return Err(Error::invalid_data(format!("{has} bytes are too few for the shape {shape:?}")));
        }
        if frame.coding != Coding::Plain && nbytes.max(frame.len) > MAX_DECODED_BYTES {
            let message = format!("a coded frame of {nbytes} bytes is larger than {MAX_DECODED_BYTES}");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    fn frame_shape(&self) -> &[u64] {
        match &self.values {
            Values::Single(_) => &self.shape,
            _ => self.shape.get(1..).unwrap_or_default(),
        }
    }

    /// The structure: chunks of whole frames.
    pub fn structure(&self) -> ArrayStructure {
        let mut chunk = self.shape.clone();
        let item = self.data_type.itemsize().max(1);
        for axis in 0..chunk.len().saturating_sub(2) {
            let inner = self.shape.iter().skip(axis + 1).fold(item, |all, n| all.saturating_mul(*n));
            if let Some(length) = chunk.get_mut(axis) {
                *length = (CHUNK_BYTES / inner.max(1)).clamp(1, (*length).max(1));
                if *length > 1 {
                    break;
                }
            }
        }
        ArrayStructure {
            data_type: self.data_type.clone(),
            chunks: chunks_of(&self.shape, &chunk),
            shape: self.shape.clone(),
            dims: None,
            resizable: false,
        }
    }

    /// Memory that reading a slice takes beside its result.
    pub fn peak_bytes(&self) -> u64 {
        let coded = |frame: &Frame| {
            let bytes = product(self.frame_shape(), self.data_type.itemsize()).unwrap_or(0);
            if frame.coding == Coding::Plain { 1 << 20 } else { bytes.saturating_add(frame.len) }
        };
        match &self.values {
            Values::Strided { .. } => 1 << 20,
            Values::Frames(frames) => frames.iter().map(coded).max().unwrap_or(0),
            Values::Single(frame) => coded(frame),
        }
    }

    /// Fills `out` with a slice.
    ///
    /// # Errors
    /// `InvalidData` naming the frame where the file is too short or damaged; `Cancelled`.
    pub fn read(&self, cx: &Context, file: &File<'_>, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        match &self.values {
            Values::Strided { at, stride } => self.read_run(cx, file, *at, Some(*stride), slice, out),
            Values::Single(frame) => self.read_frame(cx, file, frame, slice, out),
            Values::Frames(frames) => {
                let Some((which, inner)) = slice.split_first() else { return Ok(()) };
                let bytes = out.len() / usize::try_from(which.count).unwrap_or(usize::MAX).max(1);
                for (i, part) in out.chunks_exact_mut(bytes.max(1)).enumerate() {
                    cx.check()?;
                    let number = which.at(i as u64);
                    let frame = usize::try_from(number).ok().and_then(|at| frames.get(at));
                    let frame = frame.ok_or_else(|| Error::internal("no such frame"))?;
                    self.read_frame(cx, file, frame, inner, part)
                        .map_err(|e| e.within(format_args!("frame {number}")))?;
                }
                Ok(())
            }
        }
    }

    fn read_frame(
        &self,
        cx: &Context,
        file: &File<'_>,
        frame: &Frame,
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        self.check_frame(frame, file.source.len()?)?;
        if frame.coding == Coding::Plain {
            return self.read_run(cx, file, frame.at, None, slice, out);
        }
        let shape = self.frame_shape();
        if is_everything(slice, shape) {
            return frame.coding.decode(file.source, frame, &self.data_type, shape, out);
        }
        let key = format!("frames {} {:x} {}", file.source.uri(), file.source.version()?, frame.at);
        let wanted = usize::try_from(product(shape, self.data_type.itemsize())?).map_err(Error::internal)?;
        if let Some(kept) = file.host.cache_get(&key).filter(|kept| kept.len() == wanted) {
            return self.pick(&kept, slice, out);
        }
        let mut all = vec![0; wanted];
        frame.coding.decode(file.source, frame, &self.data_type, shape, &mut all)?;
        self.pick(&all, slice, out)?;
        file.host.cache_put(&key, OwnedBuffer::from_vec(all));
        Ok(())
    }

    /// A slice of a decoded frame.
    fn pick(&self, all: &[u8], slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let item = self.data_type.itemsize() as isize;
        let (mut axes, mut start) = (Vec::with_capacity(slice.len()), 0_u64);
        let (mut from, mut to) = (item, item);
        for (dim, length) in slice.iter().zip(self.frame_shape()).rev() {
            start += dim.start * from as u64;
            axes.push(strided::Axis { count: dim.count as usize, from: from * dim.step as isize, to });
            (from, to) = (from * *length as isize, to * dim.count as isize);
        }
        axes.reverse();
        let is_inside = strided::copy(all, start as usize, out, 0, &axes, item as usize);
        if is_inside { Ok(()) } else { Err(Error::internal("a slice leaves its frame")) }
    }

    /// A slice of values in C order from `at` on; `stride` is that of the first axis where it is another.
    fn read_run(
        &self,
        cx: &Context,
        file: &File<'_>,
        at: u64,
        stride: Option<u64>,
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        let shape = if stride.is_some() { &self.shape } else { self.frame_shape() };
        let item = self.data_type.itemsize();
        let (mut length, mut to) = (item, item as isize);
        let mut axes: Vec<Axis> = Vec::with_capacity(slice.len());
        for (dim, n) in slice.iter().zip(shape).rev() {
            axes.push(Axis { start: dim.start, step: dim.step, count: dim.count, stride: length, to });
            length = length.saturating_mul(*n);
            to = to.saturating_mul(isize::try_from(dim.count).unwrap_or(isize::MAX));
        }
        axes.reverse();
        if let (Some(stride), Some(first)) = (stride, axes.first_mut()) {
            first.stride = stride;
        }
        gather(cx, file.source, at, &axes, item, out, 0)
    }
}

/// Where an image is read from.
pub struct File<'a> {
    /// The bytes, inflated.
    pub source: &'a Source,
    /// Keeps decoded frames.
    pub host: &'a Host,
}

/// Bytes of an array.
///
/// # Errors
/// `InvalidData` where they overflow or there are too many axes.
pub fn product(shape: &[u64], item: u64) -> Result<u64> {
    let bytes = shape.iter().try_fold(item, |all, n| all.checked_mul(*n)).filter(|n| *n <= i64::MAX as u64);
    bytes
        .filter(|_| shape.len() <= MAX_AXES)
        .ok_or_else(|| Error::invalid_data(format!("the shape {shape:?} is larger than any file")))
}

fn truncated(len: u64, shape: &[u64]) -> Error {
    Error::invalid_data(format!("the file is truncated: {len} bytes are too few for the shape {shape:?}"))
}
