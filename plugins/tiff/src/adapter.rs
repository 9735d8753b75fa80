//! One TIFF file, or several of one shape stacked on a new first axis.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tiled_plugin_api::prelude::{
    Adapter, ArrayStructure, Context, Description, Error, Host, OpenRequest, Plan, Result, SliceDim, Source,
    StructureFamily, whole_chunks,
};

use crate::{
    file::File,
    metadata,
    page::Page,
    read::PageReader,
    series::{self, Frame, Series},
    stack::{Frames, Region, Stack},
};

/// An opened file and its first series.
struct Image {
    file: File,
    series: Series,
}

impl Image {
    fn open(source: &Source) -> Result<Self> {
        let file = File::open(source)?;
        let series = series::first(&file)?;
        Ok(Image { file, series })
    }

    /// Part of frame `at`.
    fn read(&self, cx: &Context, host: &Host, at: u64, region: &Region, out: &mut [u8]) -> Result<()> {
        let key = &self.series.key;
        let frame = usize::try_from(at).ok().and_then(|at| self.series.frames.get(at)).copied();
        let (page, shift) = match frame {
            Some(Frame::Behind(n)) => (key.clone(), n.saturating_mul(key.nbytes().unwrap_or(0))),
            Some(Frame::Directory(offset)) if offset == key.directory.at => (key.clone(), 0),
            Some(Frame::Directory(offset)) => (self.page(offset, at)?, 0),
            Some(Frame::Missing) | None => {
                return Err(self
                    .file
                    .damaged(format_args!("plane {at} is described but is not in this file")));
            }
        };
        PageReader { file: &self.file, page: &page, number: at, shift, host: Some(host) }
            .read(cx, region, out)
    }

    fn page(&self, offset: u64, at: u64) -> Result<Arc<Page>> {
        let page = Page::read(&self.file, offset)?;
        let key = &self.series.key;
        if page.layout.shaped != key.layout.shaped || page.dtype != key.dtype {
            let (got, wanted) = (&page.shape, &key.shape);
            return Err(self
                .file
                .damaged(format_args!("page {at}: shape {got:?} or type differ from {wanted:?}")));
        }
        Ok(Arc::new(page))
    }
}

struct Member {
    source: Source,
    image: OnceLock<Image>,
}

impl Member {
    fn image(&self) -> Result<&Image> {
        if let Some(image) = self.image.get() {
            return Ok(image);
        }
        let image = Image::open(&self.source)?;
        Ok(self.image.get_or_init(|| image))
    }
}

/// One file, or a stack of files. Files behind the first are opened when they are read.
pub struct TiffAdapter {
    members: Vec<Member>,
    host: Host,
    structure: ArrayStructure,
    metadata: Value,
    stack: Stack,
    /// Shape of one file.
    member_shape: Vec<u64>,
    /// Frames of one file.
    member_frames: u64,
}

impl TiffAdapter {
    /// Reads the directories of the first file.
    ///
    /// # Errors
    /// `InvalidData`, `UnsupportedFormat`.
    pub fn open(request: &OpenRequest, is_sequence: bool) -> Result<Self> {
        let wanted = if is_sequence { usize::MAX } else { 1 };
        let member = |source: &Source| Member { source: source.clone(), image: OnceLock::new() };
        let members: Vec<Member> =
            request.assets.iter().take(wanted).map(|asset| member(&asset.source)).collect();
        let first = members.first().ok_or_else(|| Error::not_found("there is no file to open"))?.image()?;
        let (key, member_shape) = (first.series.key.clone(), first.series.shape.clone());
        let member_frames = first.series.frames.len() as u64;
        let data_type = first.series.dtype.clone();
        let item = data_type.itemsize();
        let (mut shape, mut chunks) = (member_shape.clone(), whole_chunks(&member_shape));
        if is_sequence {
            shape.insert(0, members.len() as u64);
            chunks.insert(0, vec![1; members.len()]);
        }
        // What Tiled says of a sequence has no tags: files may differ.
        let metadata = if is_sequence {
            Value::Object(serde_json::Map::new())
        } else {
            metadata::tags(&first.file, &first.file.directory(first.file.first)?)?
        };
        let stored = ArrayStructure { data_type, chunks, shape, dims: None, resizable: false };
        let structure = registered(request, &stored).unwrap_or(stored);
        let stack = Stack::new(structure.shape.clone(), key.layout.shaped, item);
        let host = request.host.clone();
        Ok(TiffAdapter { members, host, structure, metadata, stack, member_shape, member_frames })
    }
}

/// The structure that the catalog has, where these files can be read so: as many bytes of the same type, in any shape.
fn registered(request: &OpenRequest, stored: &ArrayStructure) -> Option<ArrayStructure> {
    let structure: ArrayStructure = serde_json::from_value(request.structure.clone()?).ok()?;
    let same = structure.nbytes()? == stored.nbytes()? && structure.data_type == stored.data_type;
    same.then_some(structure)
}

impl Frames for TiffAdapter {
    fn read(&self, cx: &Context, at: u64, region: &Region, out: &mut [u8]) -> Result<()> {
        let frames = self.member_frames.max(1);
        let member = usize::try_from(at / frames).ok().and_then(|at| self.members.get(at));
        let member = member.ok_or_else(|| Error::internal("no such file in the sequence"))?;
        let image = member.image()?;
        if image.series.shape != self.member_shape || image.series.dtype != self.structure.data_type {
            let (name, got, wanted) = (member.source.name(), &image.series.shape, &self.member_shape);
            let message = format!(
                "{name}: shape {got:?} or type differ from those of the first file, {wanted:?}; register it by itself"
            );
            return Err(Error::invalid_data(message));
        }
        image.read(cx, &self.host, at % frames, region, out)
    }
}

impl Adapter for TiffAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        root(path)?;
        let description = Description::new(StructureFamily::Array, &self.structure)?;
        Ok(description.with_metadata(self.metadata.clone()))
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        root(path)?;
        let Some(first) = slice.first() else { return Ok(None) };
        let key = &self.members.first().ok_or_else(|| Error::internal("no file"))?.image()?.series.key;
        let segment = key.segment_shape();
        let bytes = segment.iter().fold(key.item(), |all, n| all.saturating_mul(*n));
        let peak_bytes = if key.is_contiguous() { 1 << 20 } else { bytes.saturating_mul(3) };
        let cuts = match self.stack.leading() {
            Some(0) if !key.planar && key.layout.shaped[1] == 1 => row_cuts(first, segment[1]),
            Some(n) if n > 0 => (1..first.count).collect(),
            _ => vec![],
        };
        Ok(Some(Plan { peak_bytes, cuts }))
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        root(path)?;
        self.stack.read(cx, self, slice, out)
    }
}

/// Where a slice of rows leaves one row of strips or tiles for the next.
fn row_cuts(rows: &SliceDim, height: u64) -> Vec<u64> {
    let height = height.max(1);
    (1..rows.count).filter(|i| rows.at(*i) / height != rows.at(*i - 1) / height).collect()
}

fn root(path: &str) -> Result<()> {
    if path.is_empty() { Ok(()) } else { Err(Error::not_found(format!("No such entry: {path}"))) }
}
