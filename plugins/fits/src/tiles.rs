//! Images in compressed tiles, each a row of a binary table.

use tiled_plugin_api::prelude::{Context, Error, ErrorKind, Host, OwnedBuffer, Result, SliceDim, Source};

use crate::{
    codec::{Codec, Values},
    form::{self, Column},
    hdu::Hdu,
    header::Header,
    quantize::{self, Dither},
    tile_copy,
};

/// A tile is decoded as a whole; astropy and fpack write rows or some megabytes.
const MAX_TILE_BYTES: u64 = 256 << 20;

/// Where the tiles of an image are, and how they are compressed.
#[derive(Debug, Clone)]
pub struct Tiles {
    codec: Codec,
    /// `ZBITPIX`.
    bits: i64,
    shape: Vec<u64>,
    tile: Vec<u64>,
    /// Tiles along each axis.
    grid: Vec<u64>,
    rows_at: u64,
    row_bytes: u64,
    heap: (u64, u64),
    packed: Column,
    /// Floats that were not worth quantising.
    gzipped: Option<Column>,
    plain: Option<Column>,
    quantized: Option<Quantized>,
}

/// Where a number of each tile is: in a column, or the same for all.
#[derive(Debug, Clone)]
enum Each {
    Column(Column),
    All(f64),
}

#[derive(Debug, Clone)]
struct Quantized {
    scale: Each,
    zero: Each,
    blank: Option<Each>,
    dither: Dither,
    seed: i64,
}

impl Tiles {
    /// What the header says.
    ///
    /// # Errors
    /// `InvalidData` where it does not fit together, `UnsupportedFormat` for `HCOMPRESS_1` and unknown codecs.
    pub fn of(header: &Header, hdu: &Hdu) -> Result<Self> {
        let bits = header.int("ZBITPIX").ok_or_else(|| Error::invalid_data("it has no ZBITPIX"))?;
        let axes = header.size("ZNAXIS")?;
        if axes == 0 || axes > 32 {
            return Err(Error::invalid_data(format!(
                "{axes} axes of a compressed image are none or too many"
            )));
        }
        let (mut shape, mut tile) = (Vec::new(), Vec::new());
        for axis in (1..=axes).rev() {
            let length = header.size(&format!("ZNAXIS{axis}"))?;
            // By default a row is a tile.
            let side = header.size_or(&format!("ZTILE{axis}"), if axis == 1 { length } else { 1 })?;
            tile.push(side.clamp(1, length.max(1)));
            shape.push(length);
        }
        let grid: Vec<u64> = shape.iter().zip(&tile).map(|(n, side)| n.div_ceil(*side)).collect();
        let (row_bytes, rows) = (header.size("NAXIS1")?, header.size("NAXIS2")?);
        let tiles = grid.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
        if tiles.is_none_or(|tiles| tiles > rows) {
            return Err(Error::invalid_data(format!("the table has {rows} rows, the image more tiles")));
        }
        let table = row_bytes.checked_mul(rows).filter(|n| *n <= hdu.data.1);
        let table = table.ok_or_else(|| Error::invalid_data("the table is larger than its HDU"))?;
        let heap_at = header.size_or("THEAP", table)?;
        let heap_len = hdu.data.1.checked_sub(heap_at);
        let heap_len = heap_len.ok_or_else(|| Error::invalid_data("THEAP lies behind the data"))?;
        let columns = form::columns(header)?;
        let named = |name: &str| columns.iter().find(|column| column.name == name).cloned();
        let in_heap = |name: &str| named(name).filter(|column| column.descriptor.is_some());
        let packed = in_heap("COMPRESSED_DATA");
        let packed = packed.ok_or_else(|| Error::invalid_data("it has no column COMPRESSED_DATA"))?;
        let tiles = Tiles {
            codec: codec(header)?,
            bits,
            shape,
            tile,
            grid,
            rows_at: hdu.data.0,
            row_bytes,
            heap: (hdu.data.0 + heap_at, heap_len),
            packed,
            gzipped: in_heap("GZIP_COMPRESSED_DATA"),
            plain: in_heap("UNCOMPRESSED_DATA"),
            quantized: quantized(header, &named)?,
        };
        tiles.check_size()?;
        Ok(tiles)
    }

    fn check_size(&self) -> Result<()> {
        let pixels = self.tile.iter().try_fold(1_u64, |all, n| all.checked_mul(*n));
        // While it is decoded a value takes up to eight bytes.
        let bytes = pixels.and_then(|n| n.checked_mul(8));
        if bytes.is_none_or(|bytes| bytes > MAX_TILE_BYTES) {
            let message = format!("tiles of {:?} are larger than {MAX_TILE_BYTES} bytes", self.tile);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        Ok(())
    }

    /// The image's shape.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Bytes that decoding takes at most.
    pub fn peak_bytes(&self) -> u64 {
        self.tile.iter().product::<u64>().saturating_mul(24)
    }

    /// Positions along the first axis of a tile.
    pub fn tile_rows(&self) -> u64 {
        self.tile.first().copied().unwrap_or(1)
    }

    /// Fills `out` with a slice of the values as they were before compression, big endian.
    ///
    /// # Errors
    /// `InvalidData` naming the tile; `Cancelled`.
    pub fn read(
        &self,
        cx: &Context,
        (source, host): (&Source, &Host),
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        let touched: Vec<Vec<u64>> = slice
            .iter()
            .zip(&self.shape)
            .zip(&self.tile)
            .map(|((d, n), side)| touched(d, *n, *side))
            .collect();
        let total = touched.iter().map(Vec::len).product::<usize>();
        for number in 0..total {
            cx.check()?;
            let (mut left, mut place) = (number, vec![0; touched.len()]);
            for (at, axis) in place.iter_mut().zip(&touched).rev() {
                *at = axis.get(left % axis.len()).copied().unwrap_or(0);
                left /= axis.len();
            }
            self.copy_tile(source, host, &place, slice, out)?;
        }
        Ok(())
    }

    fn copy_tile(
        &self,
        source: &Source,
        host: &Host,
        place: &[u64],
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        let item = self.bits.unsigned_abs() / 8;
        let index = place.iter().zip(&self.grid).fold(0, |index, (at, n)| index * n + at);
        let origin: Vec<u64> = place.iter().zip(&self.tile).map(|(at, side)| at * side).collect();
        let lengths: Vec<u64> = origin
            .iter()
            .zip(&self.shape)
            .zip(&self.tile)
            .map(|((origin, n), side)| (*side).min(n.saturating_sub(*origin)))
            .collect();
        let pixels = lengths.iter().product::<u64>();
        let named = |e: Error| e.within(format_args!("tile {index}"));
        let key = format!("fits {} {:x} {} {index}", source.uri(), source.version()?, self.rows_at);
        if let Some(kept) = host.cache_get(&key).filter(|kept| kept.len() as u64 == pixels * item) {
            return tile_copy::copy(&kept, (&origin, &lengths), slice, item, out);
        }
        let bytes = self.decode(source, index, pixels).map_err(named)?;
        if bytes.len() as u64 != pixels * item {
            return Err(named(Error::invalid_data("it has not as many values as the header says")));
        }
        tile_copy::copy(&bytes, (&origin, &lengths), slice, item, out)?;
        let is_whole = slice
            .iter()
            .zip(&origin)
            .zip(&lengths)
            .all(|((dim, origin), n)| tile_copy::within(dim, *origin, *n).1 == *n);
        if !is_whole {
            host.cache_put(&key, OwnedBuffer::from_vec(bytes));
        }
        Ok(())
    }

    fn decode(&self, source: &Source, index: u64, pixels: u64) -> Result<Vec<u8>> {
        let size = self.bits.unsigned_abs() / 8;
        let packed = self.heap_bytes(source, &self.packed, index)?;
        if packed.is_empty() {
            return self.decode_unpacked(source, index, pixels);
        }
        if !self.codec.may_hold(packed.len() as u64, pixels) {
            let count = packed.len();
            return Err(Error::invalid_data(format!("{count} bytes are too few for {pixels} values")));
        }
        let values = self.codec.decode(&packed, usize::try_from(pixels).map_err(Error::internal)?)?;
        match &self.quantized {
            Some(quantized) => self.restore(source, quantized, index, &values),
            None if self.bits > 0 => values.into_bytes(size),
            None => match values {
                Values::Bytes(bytes, own) if own == size => Ok(bytes),
                _ => Err(Error::invalid_data("its floats are neither whole nor quantised")),
            },
        }
    }

    /// Values that were not worth quantising, as they are.
    fn decode_unpacked(&self, source: &Source, index: u64, pixels: u64) -> Result<Vec<u8>> {
        let size = self.bits.unsigned_abs() / 8;
        let pixels = usize::try_from(pixels).map_err(Error::internal)?;
        let read = |column: &Option<Column>| match column {
            Some(column) => self.heap_bytes(source, column, index),
            None => Ok(vec![]),
        };
        let gzipped = read(&self.gzipped)?;
        let values = if gzipped.is_empty() {
            Codec::Plain.decode(&read(&self.plain)?, pixels)?
        } else {
            if !Codec::Gzip.may_hold(gzipped.len() as u64, pixels as u64) {
                return Err(Error::invalid_data("the compressed bytes are too few"));
            }
            Codec::Gzip.decode(&gzipped, pixels)?
        };
        match values {
            Values::Bytes(bytes, own) if own == size => Ok(bytes),
            values if self.bits > 0 => values.into_bytes(size),
            _ => Err(Error::invalid_data("its floats have another size than the image's")),
        }
    }

    fn restore(&self, source: &Source, how: &Quantized, index: u64, values: &Values) -> Result<Vec<u8>> {
        let number = |each: &Each| self.number(source, each, index);
        let blank = how.blank.as_ref().map(number).transpose()?.map(|blank| blank as i64);
        let scale = (number(&how.scale)?, number(&how.zero)?);
        let seed = how.seed.saturating_add(i64::try_from(index).unwrap_or(0));
        let numbers = values.numbers().map(|number| number as i32);
        let mut bytes = Vec::new();
        let dither = (how.dither, seed);
        if self.bits == -32 {
            quantize::restore(numbers, scale, dither, blank, |v| bytes.extend((v as f32).to_be_bytes()));
        } else {
            quantize::restore(numbers, scale, dither, blank, |v| bytes.extend(v.to_be_bytes()));
        }
        Ok(bytes)
    }

    /// The bytes of a column in the heap.
    fn heap_bytes(&self, source: &Source, column: &Column, index: u64) -> Result<Vec<u8>> {
        let (count, offset) = self.descriptor(source, column, index)?;
        let bytes = count.checked_mul(form::item_bytes(column.code));
        let end = bytes.and_then(|n| n.checked_add(offset));
        match (bytes, end) {
            (Some(bytes), Some(end)) if end <= self.heap.1 && bytes <= MAX_TILE_BYTES => {
                let mut out = vec![0; bytes as usize];
                source.read_exact_at(self.heap.0 + offset, &mut out)?;
                Ok(out)
            }
            _ => Err(Error::invalid_data(format!("{} lies behind the end of the data", column.name))),
        }
    }

    fn descriptor(&self, source: &Source, column: &Column, index: u64) -> Result<(u64, u64)> {
        let at = self.rows_at + index * self.row_bytes + column.offset;
        let mut bytes = [0; 16];
        let bytes = bytes.get_mut(..column.width() as usize).unwrap_or_default();
        source.read_exact_at(at, bytes)?;
        descriptor(bytes).ok_or_else(|| Error::invalid_data(format!("{}: a size is negative", column.name)))
    }

    fn number(&self, source: &Source, each: &Each, index: u64) -> Result<f64> {
        let column = match each {
            Each::All(number) => return Ok(*number),
            Each::Column(column) => column,
        };
        let mut bytes = [0; 8];
        let width = form::item_bytes(column.code) as usize;
        let bytes = bytes.get_mut(..width).unwrap_or_default();
        source.read_exact_at(self.rows_at + index * self.row_bytes + column.offset, bytes)?;
        Ok(match (column.code, &*bytes) {
            (b'D', &[a, b, c, d, e, f, g, h]) => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            (b'E', &[a, b, c, d]) => f32::from_be_bytes([a, b, c, d]).into(),
            (b'J', &[a, b, c, d]) => i32::from_be_bytes([a, b, c, d]).into(),
            (b'I', &[a, b]) => i16::from_be_bytes([a, b]).into(),
            (b'B', &[a]) => a.into(),
            (b'K', &[a, b, c, d, e, f, g, h]) => i64::from_be_bytes([a, b, c, d, e, f, g, h]) as f64,
            _ => return Err(Error::invalid_data(format!("{} is no number", column.name))),
        })
    }
}

/// Count and offset of a heap descriptor of 8 or 16 bytes.
pub fn descriptor(bytes: &[u8]) -> Option<(u64, u64)> {
    if let &[a, b, c, d, e, f, g, h] = bytes {
        let (count, offset) = (i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h]));
        return Some((u64::try_from(count).ok()?, u64::try_from(offset).ok()?));
    }
    let (count, offset) = bytes.split_first_chunk::<8>()?;
    let offset = offset.first_chunk::<8>()?;
    Some((u64::try_from(i64::from_be_bytes(*count)).ok()?, u64::try_from(i64::from_be_bytes(*offset)).ok()?))
}

/// The tiles along an axis that a slice wants something of.
fn touched(dim: &SliceDim, length: u64, side: u64) -> Vec<u64> {
    let Some((low, high)) = dim.bounds() else { return vec![] };
    let wants = |at: u64| tile_copy::within(dim, at * side, side.min(length.saturating_sub(at * side))).1 > 0;
    (low / side..=high / side).filter(|at| wants(*at)).collect()
}

fn codec(header: &Header) -> Result<Codec> {
    let name = header.text("ZCMPTYPE").unwrap_or_default().trim();
    let setting = |wanted: &str, default: u64| {
        let named = |n: &u64| {
            header.text(&format!("ZNAME{n}")).is_some_and(|name| name.trim().eq_ignore_ascii_case(wanted))
        };
        let value = (1..=99).find(named).and_then(|n| header.int(&format!("ZVAL{n}")));
        value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default)
    };
    match name {
        "RICE_1" | "RICE_ONE" => {
            let (size, block) = (setting("BYTEPIX", 4), setting("BLOCKSIZE", 32));
            if ![1, 2, 4].contains(&size) || block == 0 || block > 4096 {
                return Err(Error::invalid_data(format!("RICE_1 with BYTEPIX {size}, BLOCKSIZE {block}")));
            }
            Ok(Codec::Rice { size, block })
        }
        "GZIP_1" => Ok(Codec::Gzip),
        "GZIP_2" => Ok(Codec::Shuffled),
        "PLIO_1" => Ok(Codec::Plio),
        "NOCOMPRESS" => Ok(Codec::Plain),
        other => Err(Error::unsupported_format(format!(
            "its tiles are compressed with {other}, which is not read; RICE_1, GZIP_1, GZIP_2 and PLIO_1 are"
        ))),
    }
}

fn quantized(header: &Header, named: &impl Fn(&str) -> Option<Column>) -> Result<Option<Quantized>> {
    let each = |name: &str| named(name).map(Each::Column).or_else(|| header.float(name).map(Each::All));
    let is_float = header.int("ZBITPIX").is_some_and(|bits| bits < 0);
    let (Some(scale), true) = (each("ZSCALE"), is_float) else { return Ok(None) };
    let dither = match header.text("ZQUANTIZ").unwrap_or("NO_DITHER").trim() {
        "NO_DITHER" | "NONE" => Dither::No,
        "SUBTRACTIVE_DITHER_1" => Dither::One,
        "SUBTRACTIVE_DITHER_2" => Dither::Two,
        other => return Err(Error::unsupported_format(format!("its quantisation {other} is not known"))),
    };
    let blank = each("ZBLANK").or_else(|| header.float("BLANK").map(Each::All));
    let zero = each("ZZERO").unwrap_or(Each::All(0.0));
    Ok(Some(Quantized { scale, zero, blank, dither, seed: header.int("ZDITHER0").unwrap_or(0) }))
}
