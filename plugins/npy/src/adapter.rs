//! One `.npy` file, or several of one shape stacked on a new first axis.

use std::sync::OnceLock;

use tiled_plugin_api::{
    author::{Adapter, Context, Error, OpenRequest, Result, Source},
    layout::gather::Linear,
    model::{ArrayStructure, Description, SliceDim, StructureFamily, whole_chunks},
};

use crate::header::Header;

struct Frame {
    source: Source,
    header: OnceLock<Header>,
}

impl Frame {
    fn header(&self) -> Result<&Header> {
        if let Some(header) = self.header.get() {
            return Ok(header);
        }
        let name = self.source.name();
        let header =
            self.source.len().and_then(|len| Header::read(&self.source, len)).map_err(|e| e.within(&name))?;
        Ok(self.header.get_or_init(|| header))
    }
}

/// One file, or a stack of files.
pub struct NpyAdapter {
    frames: Vec<Frame>,
    is_stack: bool,
    structure: ArrayStructure,
    /// The catalog's shape differs from that of the files: as many elements, other axes.
    is_reshaped: bool,
}

impl NpyAdapter {
    /// Reads the header of the first file.
    ///
    /// # Errors
    /// Those of [`Header::read`].
    pub fn open(request: &OpenRequest, is_stack: bool) -> Result<Self> {
        let wanted = if is_stack { usize::MAX } else { 1 };
        let frames: Vec<Frame> = request
            .assets
            .iter()
            .take(wanted)
            .map(|asset| Frame { source: asset.source.clone(), header: OnceLock::new() })
            .collect();
        let first = frames.first().ok_or_else(|| Error::not_found("there is no file to open"))?.header()?;
        let mut shape = first.shape.clone();
        let mut chunks = whole_chunks(&shape);
        if is_stack {
            shape.insert(0, frames.len() as u64);
            chunks.insert(0, vec![1; frames.len()]);
        }
        let data_type = first.element.dtype.clone();
        let stored = ArrayStructure { data_type, chunks, shape, dims: None, resizable: false };
        let structure = registered(request, &stored).unwrap_or_else(|| stored.clone());
        let is_reshaped = structure.shape != stored.shape;
        Ok(NpyAdapter { frames, is_stack, structure, is_reshaped })
    }

    fn frame(&self, at: u64) -> Result<(&Frame, &Header)> {
        let frame = usize::try_from(at).ok().and_then(|at| self.frames.get(at));
        let (frame, first) =
            frame.zip(self.frames.first()).ok_or_else(|| Error::internal("no such frame"))?;
        let (header, first) = (frame.header()?, first.header()?);
        if header.is_like(first) {
            return Ok((frame, header));
        }
        Err(Error::invalid_data(format!(
            "{}: shape {:?} or type differ from those of the first file, {:?}; register it by itself",
            frame.source.name(),
            header.shape,
            first.shape
        )))
    }

    /// A slice of the axes of frame `at`.
    fn read_frame(&self, cx: &Context, at: u64, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (frame, header) = self.frame(at)?;
        header.read_slice(cx, &frame.source, slice, out).map_err(|e| e.within(frame.source.name()))
    }

    /// The catalog's shape over the values of all files, one after the other.
    fn read_reshaped(&self, cx: &Context, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (_, first) = self.frame(0)?;
        let mut element = first.element.clone();
        element.stored = element.dtype.itemsize();
        element.runs = vec![(0, element.stored)];
        let all = Header { element, shape: self.structure.shape.clone(), fortran: false, data_at: 0 };
        let frame_bytes = first.shape.iter().product::<u64>() * all.element.stored;
        all.read_slice(cx, &Joined { adapter: self, cx, frame_bytes }, slice, out)
    }
}

/// The structure that the catalog has, where these files can be read so.
fn registered(request: &OpenRequest, stored: &ArrayStructure) -> Option<ArrayStructure> {
    let structure: ArrayStructure = serde_json::from_value(request.structure.clone()?).ok()?;
    let same = structure.nbytes()? == stored.nbytes()?
        && structure.data_type.itemsize() == stored.data_type.itemsize()
        && structure.data_type.is_swapped() == stored.data_type.is_swapped();
    same.then_some(structure)
}

impl Adapter for NpyAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        Description::new(StructureFamily::Array, &self.structure)
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if !path.is_empty() {
            return Err(Error::not_found(format!("No such entry: {path}")));
        }
        if out.is_empty() {
            return Ok(());
        }
        if self.is_reshaped {
            return self.read_reshaped(cx, slice, out);
        }
        let Some((files, inner)) = slice.split_first().filter(|_| self.is_stack) else {
            return self.read_frame(cx, 0, slice, out);
        };
        let frame_bytes = out.len() / usize::try_from(files.count).unwrap_or(usize::MAX).max(1);
        for (i, frame) in out.chunks_exact_mut(frame_bytes.max(1)).enumerate() {
            cx.check()?;
            self.read_frame(cx, files.at(i as u64), inner, frame)?;
        }
        Ok(())
    }
}

/// The packed values of all files in C order, one file after the other.
struct Joined<'a> {
    adapter: &'a NpyAdapter,
    cx: &'a Context,
    frame_bytes: u64,
}

impl Linear for Joined<'_> {
    fn fill(&self, mut offset: u64, mut out: &mut [u8]) -> Result<()> {
        while !out.is_empty() && self.frame_bytes > 0 {
            let (at, within) = (offset / self.frame_bytes, offset % self.frame_bytes);
            let length = (self.frame_bytes - within).min(out.len() as u64);
            let (part, rest) = out.split_at_mut(length as usize);
            let (frame, header) = self.adapter.frame(at)?;
            if header.fortran || !header.element.is_packed() {
                let mut values = vec![0; self.frame_bytes as usize];
                let whole: Vec<SliceDim> = header.shape.iter().map(|n| SliceDim::all(*n)).collect();
                self.adapter.read_frame(self.cx, at, &whole, &mut values)?;
                part.copy_from_slice(
                    values.get(within as usize..(within + length) as usize).unwrap_or_default(),
                );
            } else {
                frame.source.fill(header.data_at + within, part)?;
            }
            (offset, out) = (offset + length, rest);
        }
        Ok(())
    }
}
