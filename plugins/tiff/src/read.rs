//! Reading part of a page: which strips or tiles it needs, and how their values come to their place.
//!
//! What lies in the file as it is in memory is read straight to where it belongs; the rest is decoded segment by
//! segment, and only those segments that the region touches.

use tiled_plugin_api::prelude::{Context, Error, Host, Kind, OwnedBuffer, Result};

use crate::{
    file::File,
    page::{Bits, Page},
    segment::{self, Decoder},
    stack::{Block, Region, within},
};

/// Reading uncompressed values that are not wanted side by side: at most so many bytes at once.
const SPAN_BYTES: u64 = 1 << 20;
/// Runs of at least so many bytes are read one by one, straight into place.
const RUN_BYTES: u64 = 4096;
/// Decoded segments beyond this are not kept in the host's cache.
const MAX_CACHED_BYTES: usize = 64 << 20;

/// A page of an opened file with what reading it needs.
pub struct PageReader<'a> {
    /// The file.
    pub file: &'a File,
    /// The page.
    pub page: &'a Page,
    /// Its number, for messages.
    pub number: u64,
    /// Bytes added to every offset: for stacks that lie behind one directory.
    pub shift: u64,
    /// Where decoded segments are kept.
    pub host: Option<&'a Host>,
}

impl PageReader<'_> {
    /// Fills `out` with a region of the page, C order, native byte order.
    ///
    /// # Errors
    /// `InvalidData` naming file, page and segment; `UnsupportedFormat` for codecs that are not known.
    pub fn read(&self, cx: &Context, region: &Region, out: &mut [u8]) -> Result<()> {
        let named = |error: Error| error.within(format_args!("page {}", self.number));
        let plain =
            self.page.is_contiguous() && self.page.layout.predictor == 1 && self.page.layout.fill_order == 1;
        if self.page.is_subsampled && self.page.layout.compression == 1 {
            return Err(self.file.unknown("chroma subsampling without JPEG compression"));
        }
        if plain {
            return self.read_contiguous(cx, region, out).map_err(named);
        }
        let Some(grid) = Grid::of(self.file, self.page) else {
            return Err(self.file.damaged(format_args!("page {}: impossible strips or tiles", self.number)));
        };
        let decoder = Decoder::new(self.file, self.page)?;
        grid.each(region, &mut |index, origin, valid| {
            cx.check()?;
            self.read_segment(&decoder, index, origin, valid, region, out)
                .map_err(|error| error.within(format_args!("page {}, segment {index}", self.number)))
        })
    }

    /// Values that lie in the file as in memory, from the first offset on.
    fn read_contiguous(&self, cx: &Context, region: &Region, out: &mut [u8]) -> Result<()> {
        let start = self.page.offsets.first().copied().unwrap_or(0).saturating_add(self.shift);
        let shape = self.page.layout.shaped;
        let raw = Raw { file: self.file, start, shape, item: self.page.item() };
        raw.read(cx, region, out)?;
        swap(self.file, self.page, out);
        Ok(())
    }

    fn read_segment(
        &self,
        decoder: &Decoder<'_>,
        index: u64,
        origin: [u64; 5],
        valid: [u64; 5],
        region: &Region,
        out: &mut [u8],
    ) -> Result<()> {
        let item = usize::try_from(self.page.item()).unwrap_or(1);
        let [d, h, w, c] = self.page.segment_shape();
        let rows = if self.page.is_tiled() { h } else { valid[2] };
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let (Some(offset), Some(count)) = (self.page.offsets.get(at), self.page.counts.get(at)) else {
            return Err(self.file.damaged("the directory does not say where it is"));
        };
        if *offset == 0 || *count == 0 {
            // Sparse files leave out segments that are all nodata.
            let bytes = segment::nodata(self.page, valid)?;
            return Block { bytes: &bytes, origin, stored: valid, valid }.copy(region, out, item);
        }
        let key = self.cache_key(index);
        if let Some(kept) = self.host.zip(key.as_ref()).and_then(|(host, key)| host.cache_get(key)) {
            let stored = [1, d, rows, w, c];
            return Block { bytes: &kept, origin, stored, valid }.copy(region, out, item);
        }
        let raw = self.file.bytes(*offset, (*count).min(self.file.len.saturating_sub(*offset)))?;
        if (raw.len() as u64) < *count {
            return Err(self
                .file
                .damaged(format_args!("truncated: {count} bytes at {offset} wanted, {} there", raw.len())));
        }
        let decoded = decoder.decode(raw, [d, rows, w, c], valid)?;
        let stored = [1, decoded.shape[0], decoded.shape[1], decoded.shape[2], decoded.shape[3]];
        Block { bytes: &decoded.bytes, origin, stored, valid }.copy(region, out, item)?;
        let whole = region.iter().zip(&valid).zip(&origin).all(|((dim, n), o)| within(dim, *o, *n).1 == *n);
        if let (Some(host), Some(key), false) = (self.host, key, whole)
            && decoded.bytes.len() <= MAX_CACHED_BYTES
            && decoded.shape == [d, rows, w, c]
        {
            host.cache_put(&key, OwnedBuffer::from_vec(decoded.bytes));
        }
        Ok(())
    }

    /// `None` for segments that cost nothing to decode.
    fn cache_key(&self, index: u64) -> Option<String> {
        if self.page.layout.compression == 1 {
            return None;
        }
        let version = self.file.source.version().ok()?;
        Some(format!("tiff {} {version} {} {index}", self.file.source.uri(), self.page.directory.at))
    }
}

/// Turns values of the file's byte order into this machine's.
fn swap(file: &File, page: &Page, out: &mut [u8]) {
    let Some(dtype) = &page.dtype else { return };
    let half = if dtype.kind() == Kind::Complex { 2 } else { 1 };
    if file.big_endian == cfg!(target_endian = "little") {
        segment::swap_items(out, usize::try_from(dtype.itemsize()).unwrap_or(1) / half);
    }
}

/// Values in C order somewhere in a file.
struct Raw<'a> {
    file: &'a File,
    start: u64,
    shape: [u64; 5],
    item: u64,
}

impl Raw<'_> {
    fn read(&self, cx: &Context, region: &Region, out: &mut [u8]) -> Result<()> {
        // The axes from `inner` on are wanted whole and in order: with the one before they make one run.
        let whole = |axis: usize| {
            region
                .get(axis)
                .zip(self.shape.get(axis))
                .is_some_and(|(dim, n)| dim.count == *n && (dim.step == 1 || *n == 1))
        };
        let mut inner = 5;
        while inner > 0 && whole(inner - 1) {
            inner -= 1;
        }
        let axis = inner.saturating_sub(1);
        let run =
            region.get(axis..).unwrap_or_default().iter().map(|dim| dim.count).product::<u64>() * self.item;
        let step_is_one = inner == 0 || region.get(axis).is_some_and(|dim| dim.step == 1 || dim.count == 1);
        if step_is_one && (run >= RUN_BYTES || run == out.len() as u64) {
            return self.read_runs(cx, axis, run, region, out);
        }
        self.read_rows(cx, region, out)
    }

    fn check(&self, flat: u64, bytes: u64) -> Result<u64> {
        let at = flat.checked_mul(self.item).and_then(|o| o.checked_add(self.start));
        match at.and_then(|at| Some((at, at.checked_add(bytes)?))) {
            Some((at, end)) if end <= self.file.len && self.start >= 8 => Ok(at),
            _ => Err(self.file.damaged(format_args!(
                "truncated: the values end behind the file's {} bytes",
                self.file.len
            ))),
        }
    }

    /// One read for each run of the axes from `axis` on.
    fn read_runs(&self, cx: &Context, axis: usize, run: u64, region: &Region, out: &mut [u8]) -> Result<()> {
        let bytes = usize::try_from(run).map_err(Error::internal)?.max(1);
        let mut at = [0u64; 5];
        for part in out.chunks_exact_mut(bytes) {
            cx.check()?;
            let flat = (0..5).fold(0u64, |flat, i| flat * self.shape[i] + region[i].at(at[i]));
            let offset = self.check(flat, run)?;
            self.file.source.read_exact_at(offset, part)?;
            for i in (0..axis).rev() {
                at[i] += 1;
                if at[i] < region[i].count {
                    break;
                }
                at[i] = 0;
            }
        }
        Ok(())
    }

    /// Rows that are wanted in part: read in spans of rows, from the first to the last wanted column.
    fn read_rows(&self, cx: &Context, region: &Region, out: &mut [u8]) -> Result<()> {
        let [_, _, rows, columns, samples] = *region;
        let Some((left, right)) = columns.bounds() else { return Ok(()) };
        let pixel = self.shape[4];
        let width = right - left + 1;
        let row_bytes = self.shape[3] * pixel * self.item;
        let together = (SPAN_BYTES / row_bytes.max(1)).max(1);
        let mut done = 0;
        while done < rows.count {
            cx.check()?;
            // As many wanted rows as lie within one span; far rows are read one by one.
            let mut count = (together / rows.step.unsigned_abs().max(1)).clamp(1, rows.count - done);
            if row_bytes * rows.step.unsigned_abs() > 16 * 1024 {
                count = 1;
            }
            let part = rows.part(done, count);
            let (top, bottom) = part.bounds().unwrap_or((0, 0));
            for s in 0..region[0].count {
                for d in 0..region[1].count {
                    let plane = region[0].at(s) * self.shape[1] + region[1].at(d);
                    let first = ((plane * self.shape[2] + top) * self.shape[3] + left) * pixel;
                    let last = ((plane * self.shape[2] + bottom) * self.shape[3] + right) * pixel + pixel;
                    let bytes = (last - first) * self.item;
                    let offset = self.check(first, bytes)?;
                    let mut span = vec![0; usize::try_from(bytes).map_err(Error::internal)?];
                    self.file.source.read_exact_at(offset, &mut span)?;
                    for y in 0..count {
                        let from = (part.at(y) - top) * self.shape[3] * pixel * self.item;
                        let from = usize::try_from(from).map_err(Error::internal)?;
                        let row = span.get(from..).unwrap_or_default();
                        let origin = [region[0].at(s), region[1].at(d), part.at(y), left, 0];
                        let stored = [1, 1, 1, width, pixel];
                        let row_region = [region[0], region[1], rows, columns, samples];
                        let block = Block { bytes: row, origin, stored, valid: stored };
                        block.copy(&row_region, out, usize::try_from(self.item).unwrap_or(1))?;
                    }
                }
            }
            done += count;
        }
        Ok(())
    }
}

/// The strips or tiles of a page.
struct Grid {
    shaped: [u64; 5],
    segment: [u64; 4],
    count: [u64; 4],
    /// How many of them the directory lists.
    known: u64,
    name: String,
}

impl Grid {
    fn of(file: &File, page: &Page) -> Option<Self> {
        let segment = page.segment_shape();
        let usable = segment.iter().all(|n| *n > 0) && !page.layout.shaped.contains(&0);
        let is_bytes = matches!(page.layout.bits, Bits::Same(_));
        let (known, name) = (page.offsets.len() as u64, file.source.name());
        (usable && is_bytes).then(|| Grid {
            shaped: page.layout.shaped,
            segment,
            count: page.grid(),
            known,
            name,
        })
    }

    fn damaged(&self) -> Error {
        Error::invalid_data(format!(
            "{}: the directory lists {} strips or tiles, too few",
            self.name, self.known
        ))
    }

    /// Calls `found` with number, origin and valid lengths of each segment that the region touches.
    fn each(
        &self,
        region: &Region,
        found: &mut dyn FnMut(u64, [u64; 5], [u64; 5]) -> Result<()>,
    ) -> Result<()> {
        let [sd, sh, sw, _] = self.segment;
        let lengths = [1, sd, sh, sw];
        let touched = |axis: usize| -> Result<Vec<u64>> {
            let (dim, length) = (&region[axis], lengths[axis]);
            let (low, high) = dim.bounds().map_or((1, 0), |(low, high)| (low / length, high / length));
            if high >= self.known.max(1) {
                return Err(self.damaged());
            }
            Ok((low..=high)
                .filter(|i| *i < self.count[axis] && within(dim, i * length, length).1 > 0)
                .collect())
        };
        let [planes, depths, rows, columns] = [touched(0)?, touched(1)?, touched(2)?, touched(3)?];
        for s in &planes {
            for d in &depths {
                for y in &rows {
                    for x in &columns {
                        let index = ((s * self.count[1] + d) * self.count[2] + y) * self.count[3] + x;
                        let origin = [*s, d * sd, y * sh, x * sw, 0];
                        let left = |axis: usize, length: u64| length.min(self.shaped[axis] - origin[axis]);
                        let valid = [1, left(1, sd), left(2, sh), left(3, sw), self.shaped[4]];
                        found(index, origin, valid)?;
                    }
                }
            }
        }
        Ok(())
    }
}
