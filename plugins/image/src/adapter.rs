//! One picture, or several of one shape stacked on a new first axis.

use std::sync::OnceLock;

use tiled_plugin_api::prelude::{
    Adapter, ArrayStructure, Context, Description, Error, Host, OpenRequest, OwnedBuffer, Plan, Result,
    SliceDim, Source, StructureFamily, is_everything, whole_chunks,
};

use crate::picture::{self, Form, Format};

struct Frame {
    source: Source,
    /// What a file without a mark is taken for.
    wanted: Format,
    form: OnceLock<Form>,
}

impl Frame {
    fn form(&self) -> Result<&Form> {
        if let Some(form) = self.form.get() {
            return Ok(form);
        }
        let form = picture::form(&self.source, self.wanted)?;
        Ok(self.form.get_or_init(|| form))
    }
}

/// One file, or a stack of files. Files behind the first are opened when they are read.
pub struct ImageAdapter {
    frames: Vec<Frame>,
    host: Host,
    structure: ArrayStructure,
    form: Form,
    /// Axes in front of those of a picture; `None` where the catalog's shape mixes both.
    leading: Option<usize>,
}

/// A stack whose shape does not fit its pictures is put together whole, up to so many bytes.
const MAX_WHOLE_BYTES: u64 = 1 << 30;

impl ImageAdapter {
    /// Reads the header of the first file.
    ///
    /// # Errors
    /// `InvalidData`, `UnsupportedFormat`.
    pub fn open(request: &OpenRequest, format: Format, is_sequence: bool) -> Result<Self> {
        let most = if is_sequence { usize::MAX } else { 1 };
        let frame = |source: &Source| Frame { source: source.clone(), wanted: format, form: OnceLock::new() };
        let frames: Vec<Frame> = request.assets.iter().take(most).map(|asset| frame(&asset.source)).collect();
        let form = *frames.first().ok_or_else(|| Error::not_found("there is no file to open"))?.form()?;
        let mut shape = form.shape();
        let mut chunks = whole_chunks(&shape);
        if is_sequence {
            shape.insert(0, frames.len() as u64);
            chunks.insert(0, vec![1; frames.len()]);
        }
        let stored = ArrayStructure { data_type: form.dtype(), chunks, shape, dims: None, resizable: false };
        let structure = registered(request, &stored).unwrap_or(stored);
        let leading = (0..=structure.shape.len()).find(|k| {
            let axes = structure.shape.get(*k..).unwrap_or_default();
            axes.iter().filter(|n| **n != 1).eq(form.shape().iter().filter(|n| **n != 1))
        });
        Ok(ImageAdapter { frames, host: request.host.clone(), structure, form, leading })
    }

    /// Pixels of one file, from the host's cache where they are there.
    fn pixels(&self, at: u64, keep: bool) -> Result<OwnedBuffer> {
        let frame = usize::try_from(at).ok().and_then(|at| self.frames.get(at));
        let frame = frame.ok_or_else(|| Error::internal("no such file in the sequence"))?;
        let key = format!("image {} {}", frame.source.uri(), frame.source.version()?);
        if let Some(pixels) = self.host.cache_get(&key)
            && pixels.len() as u64 == self.form.nbytes()
        {
            return Ok(pixels);
        }
        let picture = picture::decode(&frame.source, frame.wanted)?;
        if picture.form != self.form {
            let (got, wanted) = (picture.form.shape(), self.form.shape());
            return Err(Error::invalid_data(format!(
                "{}: shape {got:?} or type differ from those of the first file, {wanted:?}; register it by itself",
                frame.source.name()
            )));
        }
        if keep {
            self.host.cache_put(&key, OwnedBuffer::from_vec(picture.bytes.clone()));
        }
        Ok(OwnedBuffer::from_vec(picture.bytes))
    }

    /// All files one after the other, for shapes that mix files and pixels.
    fn read_mixed(&self, cx: &Context, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        if self.structure.nbytes().is_none_or(|bytes| bytes > MAX_WHOLE_BYTES) {
            return Err(Error::invalid_data("this reshaped stack is too large to be put together"));
        }
        let mut all = vec![];
        for at in 0..self.frames.len() as u64 {
            cx.check()?;
            all.extend_from_slice(&self.pixels(at, false)?);
        }
        pick(&all, &self.structure.shape, slice, self.item(), out)
    }

    fn item(&self) -> usize {
        usize::try_from(self.structure.data_type.itemsize()).unwrap_or(1)
    }
}

/// The structure that the catalog has, where these files can be read so: as many bytes of the same type, in any shape.
fn registered(request: &OpenRequest, stored: &ArrayStructure) -> Option<ArrayStructure> {
    let structure: ArrayStructure = serde_json::from_value(request.structure.clone()?).ok()?;
    let same = structure.nbytes()? == stored.nbytes()? && structure.data_type == stored.data_type;
    same.then_some(structure)
}

/// Copies a slice of an array in C order.
fn pick(from: &[u8], shape: &[u64], slice: &[SliceDim], item: usize, out: &mut [u8]) -> Result<()> {
    let (Some((dim, rest)), Some((_, inner))) = (slice.split_first(), shape.split_first()) else {
        let value = from.get(..item).ok_or_else(|| Error::internal("slice out of range"))?;
        out.copy_from_slice(value);
        return Ok(());
    };
    let stride =
        usize::try_from(inner.iter().product::<u64>()).map_err(Error::internal)?.saturating_mul(item);
    if dim.step == 1 && is_everything(rest, inner) {
        let start = usize::try_from(dim.start).map_err(Error::internal)?.saturating_mul(stride);
        let run = from.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(run.ok_or_else(|| Error::internal("slice out of range"))?);
        return Ok(());
    }
    let count = usize::try_from(dim.count).unwrap_or(1).max(1);
    let part = (out.len() / count).max(1);
    for (i, to) in out.chunks_exact_mut(part).enumerate() {
        let start = usize::try_from(dim.at(i as u64)).map_err(Error::internal)?.saturating_mul(stride);
        let from = from.get(start..).ok_or_else(|| Error::internal("slice out of range"))?;
        pick(from, inner, rest, item, to)?;
    }
    Ok(())
}

impl Adapter for ImageAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        root(path)?;
        Description::new(StructureFamily::Array, &self.structure)
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        root(path)?;
        let is_stack = self.leading.is_some_and(|leading| leading > 0);
        let cuts = slice.first().filter(|_| is_stack).map(|dim| (1..dim.count).collect()).unwrap_or_default();
        Ok(Some(Plan { peak_bytes: self.form.nbytes().saturating_mul(3), cuts }))
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        root(path)?;
        if out.is_empty() {
            return Ok(());
        }
        let Some(leading) = self.leading else { return self.read_mixed(cx, slice, out) };
        let (front, back) = slice.split_at(leading.min(slice.len()));
        let (outer, inner) = self.structure.shape.split_at(leading.min(self.structure.shape.len()));
        let keep = !is_everything(back, inner);
        let frames: u64 = front.iter().map(|dim| dim.count).product();
        let part = (out.len() / usize::try_from(frames).unwrap_or(1).max(1)).max(1);
        for (i, to) in out.chunks_exact_mut(part).enumerate() {
            cx.check()?;
            let mut rest = i as u64;
            let mut places: Vec<u64> = vec![];
            for dim in front.iter().rev() {
                places.push(dim.at(rest % dim.count.max(1)));
                rest /= dim.count.max(1);
            }
            let at = places.iter().rev().zip(outer).fold(0, |flat, (place, n)| flat * n + place);
            pick(&self.pixels(at, keep)?, inner, back, self.item(), to)?;
        }
        Ok(())
    }

    fn read_owned(&self, _cx: &Context, path: &str, slice: &[SliceDim]) -> Result<Option<OwnedBuffer>> {
        root(path)?;
        let is_whole = self.frames.len() == 1 && is_everything(slice, &self.structure.shape);
        if is_whole { self.pixels(0, false).map(Some) } else { Ok(None) }
    }
}

fn root(path: &str) -> Result<()> {
    if path.is_empty() { Ok(()) } else { Err(Error::not_found(format!("No such entry: {path}"))) }
}
