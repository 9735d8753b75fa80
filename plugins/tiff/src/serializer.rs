//! Arrays as TIFF, laid out as tifffile lays them out: the last two axes are an image, three or four samples make RGB,
//! axes in front make pages, and the shape stands in the description.
//!
//! All values lie one behind the other between the first directory and the others, so that they can be streamed.

use tiled_plugin_api::prelude::{
    ArrayStructure, Context, DataType, EncodeRequest, Endianness, Error, ErrorKind, Kind, OwnedBuffer,
    Payload, Result, Serializer, Sink,
};

use crate::segment::swap_items;

/// Writes `image/tiff`.
#[derive(Default)]
pub struct TiffSerializer;

/// Files of more data than this are BigTIFF.
const CLASSIC_BYTES: u64 = (1 << 32) - (1 << 25);
/// More pages than this are refused: their directories would be larger than their pixels.
const MAX_PAGES: u64 = 1 << 24;

/// How an array lies on pages.
struct Layout {
    shape: Vec<u64>,
    pages: u64,
    rows: u64,
    columns: u64,
    samples: u64,
    is_planar: bool,
    /// Bytes of one value; 0 for bools, which are packed.
    item: u64,
    /// 1 unsigned, 2 signed, 3 float, 6 complex.
    format: u16,
    is_swapped: bool,
    half: u64,
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::NotAcceptable, message)
}

impl Layout {
    fn of(structure: &ArrayStructure, media_type: &str) -> Result<Self> {
        let axes = structure.shape.len();
        if axes > 4 {
            return Err(refused(format!(
                "The shape of this data {axes} is incompatible with the requested format ({media_type}). \
                 Slice it or choose a different format."
            )));
        }
        let dtype = &structure.data_type;
        let (item, format) = match (dtype, dtype.kind(), dtype.itemsize()) {
            (DataType::Struct { .. }, ..) => (0, 0),
            (_, Kind::Bool, 1) => (0, 1),
            (_, Kind::Uint, size @ (1 | 2 | 4 | 8)) => (size, 1),
            (_, Kind::Int, size @ (1 | 2 | 4 | 8)) => (size, 2),
            (_, Kind::Float, size @ (2 | 4 | 8)) => (size, 3),
            (_, Kind::Complex, size @ (8 | 16)) => (size, 6),
            _ => (0, 0),
        };
        if format == 0 {
            let name = dtype.numpy_str().unwrap_or_else(|| "record".into());
            return Err(refused(format!(
                "This type is supported in general but there was an error packing this specific data: \
                 TIFF holds no values of type {name}; choose a different format"
            )));
        }
        let mut shape = structure.shape.clone();
        while shape.len() < 2 {
            shape.insert(0, 1);
        }
        let (is_bool, is_swapped) = (item == 0, dtype.endianness() == Endianness::Big);
        let half = if format == 6 { item / 2 } else { item };
        let mut layout = Layout {
            shape,
            pages: 1,
            rows: 1,
            columns: 1,
            samples: 1,
            is_planar: false,
            item,
            format,
            is_swapped,
            half,
        };
        layout.lay(is_bool);
        if layout.pages > MAX_PAGES {
            return Err(refused(format!("{} pages are too many for TIFF: slice it", layout.pages)));
        }
        Ok(layout)
    }

    /// Decides what the axes are.
    fn lay(&mut self, is_bool: bool) {
        let inner = match self.shape.as_slice() {
            [.., y, x, s @ (3 | 4)] if !is_bool => {
                (self.rows, self.columns, self.samples) = (*y, *x, *s);
                3
            }
            [.., s @ (3 | 4), y, x] if !is_bool => {
                (self.rows, self.columns, self.samples, self.is_planar) = (*y, *x, *s, true);
                3
            }
            [.., y, x, 1] => {
                (self.rows, self.columns) = (*y, *x);
                3
            }
            [.., y, x] => {
                (self.rows, self.columns) = (*y, *x);
                2
            }
            _ => 0,
        };
        let outer = self.shape.len().saturating_sub(inner);
        self.pages = self.shape.iter().take(outer).product();
        if self.shape.contains(&0) {
            self.pages = 1;
        }
    }

    /// Bytes of a row of one plane as written.
    fn row_bytes(&self) -> u64 {
        let samples = if self.is_planar { 1 } else { self.samples };
        if self.item == 0 { (self.columns * samples).div_ceil(8) } else { self.columns * samples * self.item }
    }

    fn plane_bytes(&self) -> u64 {
        self.rows * self.row_bytes()
    }

    fn planes(&self) -> u64 {
        if self.is_planar { self.samples } else { 1 }
    }

    fn page_bytes(&self) -> u64 {
        self.plane_bytes() * self.planes()
    }
}

/// A directory in the making: entries in order, and values that do not fit into them.
struct Directory {
    big: bool,
    entries: Vec<u8>,
    count: u64,
    /// Where values that do not fit go.
    extra_at: u64,
    extra: Vec<u8>,
}

impl Directory {
    fn offset(&self, value: u64) -> Vec<u8> {
        if self.big { value.to_le_bytes().to_vec() } else { (value as u32).to_le_bytes().to_vec() }
    }

    fn add(&mut self, code: u16, kind: u16, count: u64, value: &[u8]) {
        self.entries.extend(code.to_le_bytes());
        self.entries.extend(kind.to_le_bytes());
        self.entries.extend(self.offset(count));
        let width = if self.big { 8 } else { 4 };
        if value.len() <= width {
            self.entries.extend(value);
            self.entries.extend(std::iter::repeat_n(0, width - value.len()));
        } else {
            self.entries.extend(self.offset(self.extra_at + self.extra.len() as u64));
            self.extra.extend(value);
            self.extra.resize(self.extra.len().next_multiple_of(8), 0);
        }
        self.count += 1;
    }

    fn shorts(&mut self, code: u16, values: &[u16]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.add(code, 3, values.len() as u64, &bytes);
    }

    fn long(&mut self, code: u16, value: u64) {
        self.add(code, 4, 1, &(value as u32).to_le_bytes());
    }

    fn places(&mut self, code: u16, values: &[u64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| self.offset(*v)).collect();
        self.add(code, if self.big { 16 } else { 4 }, values.len() as u64, &bytes);
    }

    fn text(&mut self, code: u16, text: &str) {
        let bytes: Vec<u8> = text.bytes().chain([0]).collect();
        self.add(code, 2, bytes.len() as u64, &bytes);
    }
}

/// Bytes of a directory of so many entries.
fn directory_bytes(big: bool, entries: u64) -> u64 {
    if big { 8 + entries * 20 + 8 } else { 2 + entries * 12 + 4 }
}

/// The directory of page `i`, whose values begin at `data`, to be written at `at`, followed by `next`.
fn directory(layout: &Layout, big: bool, i: u64, at: u64, data: u64, next: u64) -> Vec<u8> {
    let entries = entries_of(layout, i);
    let extra_at = at + directory_bytes(big, entries);
    let extra_at = extra_at.next_multiple_of(8);
    let mut new = Directory { big, entries: vec![], count: 0, extra_at, extra: vec![] };
    let samples = usize::try_from(layout.samples).unwrap_or(1);
    let bits = if layout.item == 0 { 1 } else { (layout.item * 8) as u16 };
    let start = data + i * layout.page_bytes();
    let starts: Vec<u64> = (0..layout.planes()).map(|plane| start + plane * layout.plane_bytes()).collect();
    new.long(256, layout.columns);
    new.long(257, layout.rows);
    new.shorts(258, &vec![bits; samples]);
    new.shorts(259, &[1]);
    new.shorts(262, &[if samples > 1 { 2 } else { u16::from(layout.item != 0) }]);
    if i == 0 {
        new.text(270, &description(layout));
    }
    new.places(273, &starts);
    new.shorts(277, &[layout.samples as u16]);
    new.long(278, layout.rows);
    new.places(279, &vec![layout.plane_bytes(); starts.len()]);
    new.add(282, 5, 1, &[1, 0, 0, 0, 1, 0, 0, 0]);
    new.add(283, 5, 1, &[1, 0, 0, 0, 1, 0, 0, 0]);
    if samples > 1 {
        new.shorts(284, &[if layout.is_planar { 2 } else { 1 }]);
    }
    new.shorts(296, &[1]);
    if i == 0 {
        new.text(305, "tiled-host");
    }
    if samples > 3 {
        new.shorts(338, &[2]);
    }
    if layout.format != 1 {
        new.shorts(339, &vec![layout.format; samples]);
    }
    let mut out =
        if big { new.count.to_le_bytes().to_vec() } else { (new.count as u16).to_le_bytes().to_vec() };
    out.append(&mut new.entries);
    out.extend(new.offset(next));
    out.resize(usize::try_from(extra_at - at).unwrap_or(0), 0);
    out.append(&mut new.extra);
    out
}

fn entries_of(layout: &Layout, i: u64) -> u64 {
    12 + 2 * u64::from(i == 0)
        + u64::from(layout.samples > 1)
        + u64::from(layout.samples > 3)
        + u64::from(layout.format != 1)
}

/// As tifffile, whose readers take the shape from here.
fn description(layout: &Layout) -> String {
    let shape: Vec<String> = layout.shape.iter().map(u64::to_string).collect();
    let truncated = if layout.shape.contains(&0) { ", \"truncated\": true" } else { "" };
    format!("{{\"shape\": [{}]{truncated}}}", shape.join(", "))
}

impl Serializer for TiffSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let structure: ArrayStructure = request.structure()?;
        let layout = Layout::of(&structure, &request.media_type)?;
        let Payload::Array(mut slabs) = payload else {
            return Err(Error::internal("the payload of an array is not an array"));
        };
        let total = layout.page_bytes().checked_mul(layout.pages).filter(|bytes| *bytes < 1 << 60);
        let total = total.ok_or_else(|| refused("This array is too large for TIFF: slice it".into()))?;
        let big = total.saturating_add(layout.pages * 256) > CLASSIC_BYTES;
        let head = if big { 16u64 } else { 8 };
        // The length of the first directory does not depend on what it says.
        let first = directory(&layout, big, 0, head, 0, 0).len() as u64;
        let data = (head + first).next_multiple_of(16);
        let rest = (data + total).next_multiple_of(8);
        let next = |after: u64| if layout.pages > 1 { after } else { 0 };
        let mut start = if big { b"II\x2b\0\x08\0\0\0".to_vec() } else { b"II\x2a\0".to_vec() };
        start.extend(if big { head.to_le_bytes().to_vec() } else { (head as u32).to_le_bytes().to_vec() });
        start.extend(directory(&layout, big, 0, head, data, next(rest)));
        start.resize(usize::try_from(data).map_err(Error::internal)?, 0);
        sink.put(&start)?;
        let mut pack = Pack::new(&layout);
        while let Some(slab) = slabs.next()? {
            cx.check()?;
            pack.put(slab.bytes, sink)?;
        }
        pack.finish(total)?;
        if layout.pages > 1 {
            sink.put(&vec![0; usize::try_from(rest - data - total).unwrap_or(0)])?;
        }
        let mut at = rest;
        for i in 1..layout.pages {
            let length = directory(&layout, big, i, at, data, 0).len() as u64;
            let after = if i + 1 < layout.pages { at + length } else { 0 };
            sink.put(&directory(&layout, big, i, at, data, after))?;
            at += length;
        }
        Ok(())
    }
}

/// Values on their way into the file: in its byte order, bools as bits.
struct Pack<'a> {
    layout: &'a Layout,
    /// Values of a row of bools that is not full yet.
    row: Vec<u8>,
    written: u64,
}

impl<'a> Pack<'a> {
    fn new(layout: &'a Layout) -> Self {
        Pack { layout, row: vec![], written: 0 }
    }

    fn put(&mut self, bytes: OwnedBuffer, sink: &mut Sink) -> Result<()> {
        if self.layout.item == 0 {
            return self.put_bools(&bytes, sink);
        }
        self.written += bytes.len() as u64;
        if !self.layout.is_swapped {
            return sink.put_owned(bytes);
        }
        let half = usize::try_from(self.layout.half).unwrap_or(1);
        for part in bytes.chunks(1 << 20) {
            let mut part = part.to_vec();
            swap_items(&mut part, half);
            sink.put_owned(OwnedBuffer::from_vec(part))?;
        }
        Ok(())
    }

    fn put_bools(&mut self, mut bytes: &[u8], sink: &mut Sink) -> Result<()> {
        let width = usize::try_from(self.layout.columns).unwrap_or(usize::MAX);
        while !bytes.is_empty() && width > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(width - self.row.len()));
            self.row.extend_from_slice(now);
            bytes = later;
            if self.row.len() == width {
                let bits = |eight: &[u8]| {
                    eight.iter().enumerate().fold(0u8, |all, (i, v)| all | (u8::from(*v != 0) << (7 - i)))
                };
                let packed: Vec<u8> = self.row.chunks(8).map(bits).collect();
                self.written += packed.len() as u64;
                sink.put(&packed)?;
                self.row.clear();
            }
        }
        Ok(())
    }

    fn finish(self, total: u64) -> Result<()> {
        if self.written == total {
            Ok(())
        } else {
            Err(Error::internal(format!("{} of {total} bytes came", self.written)))
        }
    }
}
