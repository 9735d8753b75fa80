//! One image of the file: what its tags say of shape, type, compression and place, as tifffile understands them.

use tiled_plugin_api::prelude::{DataType, Error, Kind, Result};

use crate::file::{Directory, File};

/// Bits of the samples of a pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bits {
    /// All samples have as many.
    Same(u64),
    /// As in RGB 565.
    Mixed(Vec<u64>),
}

/// What decoding a page depends on: two pages of equal layout are of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Planes of samples, depth, rows, columns, samples side by side.
    pub shaped: [u64; 5],
    /// Rows of a strip; 0 for tiles.
    pub rows_per_strip: u64,
    /// Depth, rows, columns of a tile; columns are 0 for strips.
    pub tile: [u64; 3],
    /// SampleFormat; 0 where samples differ.
    pub sample_format: u64,
    /// BitsPerSample.
    pub bits: Bits,
    /// FillOrder.
    pub fill_order: u64,
    /// Predictor.
    pub predictor: u64,
    /// Compression.
    pub compression: u64,
    /// ExtraSamples.
    pub extra_samples: Vec<u64>,
    /// PhotometricInterpretation.
    pub photometric: u64,
}

/// One image.
pub struct Page {
    /// Its tags.
    pub directory: Directory,
    /// What its decoding depends on.
    pub layout: Layout,
    /// Shape as tifffile gives it: `layout.shaped` without axes that are not there.
    pub shape: Vec<u64>,
    /// A letter for each axis of `shape`.
    pub axes: &'static str,
    /// Type of the values, native byte order; `None` where tifffile has none.
    pub dtype: Option<DataType>,
    /// SamplesPerPixel.
    pub samples: u64,
    /// Whether samples are stored plane by plane.
    pub planar: bool,
    /// Where the strips or tiles are.
    pub offsets: Vec<u64>,
    /// Bytes of each.
    pub counts: Vec<u64>,
    /// YCbCrSubSampling, or what its absence means.
    pub is_subsampled: bool,
    /// Directories below this one.
    pub sub_ifds: Vec<u64>,
    /// ImageDescription, and a second one.
    pub descriptions: [String; 2],
    /// What sparse strips are filled with.
    pub nodata: f64,
}

const COMPRESSION_OJPEG: u64 = 6;

impl Page {
    /// Reads the directory at `at`.
    ///
    /// # Errors
    /// `InvalidData` when there is none or its sizes overflow.
    pub fn read(file: &File, at: u64) -> Result<Self> {
        let directory = file.directory(at)?;
        let number =
            |code: u16, default: u64| Ok::<u64, Error>(directory.number(file, code)?.unwrap_or(default));
        let [width, length] = [number(256, 0)?, number(257, 0)?];
        let is_tiled = directory.has(322);
        let tile = [number(32998, 1)?, number(323, 0)?, number(322, 0)?];
        let (compression, mut photometric) = (number(259, 1)?, number(262, 0)?);
        let (mut samples, mut forced_bits) = (number(277, 1)?, None);
        if compression == COMPRESSION_OJPEG {
            // As libtiff and tifffile: old JPEG files lack tags or say RGB for YCbCr.
            if !directory.has(262) || photometric == 2 {
                photometric = 6;
            }
            forced_bits = (!directory.has(258)).then_some(8);
            if !directory.has(277) && matches!(photometric, 0..=2 | 6) {
                samples = 3;
            }
        }
        let bits = bits(file, &directory, samples, forced_bits)?;
        let sample_format = sample_format(file, &directory, samples)?;
        let rows_per_strip = rows_per_strip(file, &directory, length)?;
        let (offsets, counts) = places(file, &directory)?;
        let depth = number(32997, 1)?.max(1);
        if directory.tag(284).is_some_and(|tag| !matches!(tag.kind, 3 | 4)) {
            // tifffile takes such files for planar ones, whatever is stored: there is no telling.
            return Err(file.damaged("PlanarConfiguration is not a number"));
        }
        let planar = number(284, 1)? != 1 && (photometric == 2 || samples > 1);
        let (shaped, shape, axes) = shapes(photometric, samples, planar, [depth, length, width]);
        let layout = Layout {
            shaped,
            rows_per_strip: if is_tiled { 0 } else { rows_per_strip },
            tile: if is_tiled { tile } else { [1, 0, 0] },
            sample_format,
            bits,
            fill_order: number(266, 1)?,
            predictor: number(317, 1)?,
            compression,
            extra_samples: directory.numbers(file, 338)?.unwrap_or_default(),
            photometric,
        };
        let is_subsampled = match directory.numbers(file, 530)? {
            Some(factors) => factors != [1, 1],
            None => photometric == 6,
        };
        let mut page = Page {
            dtype: dtype(&layout),
            descriptions: [directory.text(file, 270, 0)?, directory.text(file, 270, 1)?],
            sub_ifds: directory.numbers(file, 330)?.unwrap_or_default(),
            nodata: directory.text(file, 42113, 0)?.replace(',', ".").parse().unwrap_or(0.0),
            directory,
            layout,
            shape,
            axes,
            samples,
            planar,
            offsets,
            counts,
            is_subsampled,
        };
        page.tidy(file)?;
        Ok(page)
    }

    /// Refuses sizes that overflow; estimates and cuts lists of places as tifffile does.
    fn tidy(&mut self, file: &File) -> Result<()> {
        if self.nbytes().is_none_or(|bytes| bytes > 1 << 60) {
            return Err(file.damaged(format_args!("impossible shape {:?}", self.shape)));
        }
        if matches!(self.layout.compression, 2..=4)
            && self.offsets.len() == 1
            && self.counts.first().is_none_or(|count| *count == 0)
        {
            let start = self.offsets.first().copied().unwrap_or(0);
            let next = file.next(self.directory.at).unwrap_or(0);
            self.counts = vec![if next > start { next } else { file.len }.saturating_sub(start)];
        }
        if self.counts.is_empty() {
            self.counts = vec![self.nbytes().unwrap_or(0)];
        }
        let [planes, depth, length, _, _] = self.layout.shaped;
        let rows = self.layout.rows_per_strip;
        if length > 0 && rows > 0 {
            let strips = length.div_ceil(rows).saturating_mul(depth).saturating_mul(planes);
            let strips = usize::try_from(strips).unwrap_or(usize::MAX);
            self.counts.truncate(strips);
            self.offsets.truncate(strips);
        }
        Ok(())
    }

    /// Elements of the page.
    pub fn size(&self) -> u64 {
        self.layout.shaped.iter().fold(1, |all: u64, n| all.saturating_mul(*n))
    }

    /// Bytes of one element in memory; 0 without a type.
    pub fn item(&self) -> u64 {
        self.dtype.as_ref().map_or(0, DataType::itemsize)
    }

    /// Bytes of the page in memory; `None` when that overflows.
    pub fn nbytes(&self) -> Option<u64> {
        self.layout.shaped.iter().try_fold(self.item().max(1), |all, n| all.checked_mul(*n))
    }

    /// Whether the image is made of tiles.
    pub fn is_tiled(&self) -> bool {
        self.layout.tile[2] > 0
    }

    /// Depth, rows, columns and samples of a whole strip or tile.
    pub fn segment_shape(&self) -> [u64; 4] {
        let [_, _, length, width, samples] = self.layout.shaped;
        if self.is_tiled() {
            let [depth, rows, columns] = self.layout.tile;
            [depth, rows, columns, samples]
        } else {
            [1, self.layout.rows_per_strip.min(length.max(1)), width, samples]
        }
    }

    /// How many segments there are along planes, depth, rows and columns.
    pub fn grid(&self) -> [u64; 4] {
        let [planes, depth, length, width, _] = self.layout.shaped;
        let [d, h, w, _] = self.segment_shape();
        [planes, depth.div_ceil(d.max(1)), length.div_ceil(h.max(1)), width.div_ceil(w.max(1))]
    }

    /// Whether the values lie in the file as they are in memory, but for byte order and prediction, one after the other
    /// from the first offset on.
    pub fn is_contiguous(&self) -> bool {
        let layout = &self.layout;
        if layout.sample_format == 5
            || layout.compression != 1
            || !matches!(layout.bits, Bits::Same(8 | 16 | 32 | 64))
        {
            return false;
        }
        let [_, _, length, width, _] = layout.shaped;
        if self.is_tiled() {
            let [tile_depth, rows, columns] = layout.tile;
            if width != columns || rows == 0 || length % rows != 0 || columns % 16 != 0 || rows % 16 != 0 {
                return false;
            }
            let volumetric = self.directory.has(32997) && self.directory.has(32998);
            if volumetric
                && (length != rows || tile_depth == 0 || !layout.shaped[1].is_multiple_of(tile_depth))
            {
                return false;
            }
        }
        match self.offsets.len() {
            0 => return false,
            1 => return true,
            _ => {}
        }
        if self.directory.has(33628) || self.directory.has(34412) {
            return true;
        }
        let sum = self.counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count));
        if sum != self.nbytes() {
            return false;
        }
        let ends =
            self.offsets.iter().zip(&self.counts).map(|(offset, count)| (*count, offset.checked_add(*count)));
        ends.zip(self.offsets.iter().skip(1)).all(|((count, end), next)| count != 0 && end == Some(*next))
    }

    /// Contiguous, and needing no more than byte swapping.
    pub fn is_final(&self) -> bool {
        self.is_contiguous()
            && self.layout.fill_order == 1
            && self.layout.predictor == 1
            && !self.is_subsampled
    }

    /// The description that tifffile writes, a JSON object with a shape or `shape=(…)`.
    pub fn shaped_description(&self) -> Option<&str> {
        self.descriptions.iter().map(String::as_str).find(|text| {
            !text.contains("\"mibi.")
                && ((text.starts_with('{') && text.contains("\"shape\":")) || text.starts_with("shape="))
        })
    }

    /// The description that ImageJ writes.
    pub fn imagej_description(&self) -> Option<&str> {
        let starts = |text: &&str| text.starts_with("ImageJ=") || text.starts_with("SCIFIO=");
        self.descriptions.iter().map(String::as_str).find(starts)
    }

    /// OME-XML.
    pub fn ome_description(&self) -> Option<&str> {
        self.descriptions.first().map(String::as_str).filter(|text| text.ends_with("OME>"))
    }
}

fn bits(file: &File, directory: &Directory, samples: u64, forced: Option<u64>) -> Result<Bits> {
    if let Some(bits) = forced {
        return Ok(Bits::Same(bits));
    }
    let Some(values) = directory.numbers(file, 258)? else { return Ok(Bits::Same(1)) };
    // LSM files list more values than there are samples.
    let wanted = usize::try_from(samples).unwrap_or(usize::MAX).max(1);
    let values: Vec<u64> = values.into_iter().take(wanted).collect();
    let first = values.first().copied().unwrap_or(1);
    Ok(if values.iter().all(|v| *v == first) { Bits::Same(first) } else { Bits::Mixed(values) })
}

/// 0 where the samples differ.
fn sample_format(file: &File, directory: &Directory, samples: u64) -> Result<u64> {
    let Some(values) = directory.numbers(file, 339)? else { return Ok(1) };
    let wanted = usize::try_from(samples).unwrap_or(usize::MAX).max(1);
    let first = values.first().copied().unwrap_or(1);
    Ok(if values.iter().take(wanted).all(|v| *v == first) { first } else { 0 })
}

fn rows_per_strip(file: &File, directory: &Directory, length: u64) -> Result<u64> {
    let single = directory.tag(278).is_some_and(|tag| tag.count == 1);
    let rows = if single { directory.number(file, 278)?.unwrap_or(length) } else { length };
    Ok(if directory.has(257) { rows.min(length) } else { rows })
}

/// Offsets and byte counts of tiles, strips, or one JPEG stream.
fn places(file: &File, directory: &Directory) -> Result<(Vec<u64>, Vec<u64>)> {
    let first_of = |codes: [u16; 3]| -> Result<Vec<u64>> {
        for code in codes {
            if let Some(values) = directory.numbers(file, code)? {
                return Ok(values);
            }
        }
        Ok(vec![])
    };
    Ok((first_of([324, 273, 513])?, first_of([325, 279, 514])?))
}

fn shapes(
    photometric: u64,
    samples: u64,
    planar: bool,
    [depth, length, width]: [u64; 3],
) -> ([u64; 5], Vec<u64>, &'static str) {
    let deep = depth != 1;
    let (shaped, axes) = if photometric != 2 && samples <= 1 {
        ([1, depth, length, width, 1], if deep { "ZYX" } else { "YX" })
    } else if planar {
        ([samples, depth, length, width, 1], if deep { "SZYX" } else { "SYX" })
    } else {
        ([1, depth, length, width, samples], if deep { "ZYXS" } else { "YXS" })
    };
    let size = |axis| match axis {
        'S' => samples,
        'Z' => depth,
        'Y' => length,
        _ => width,
    };
    (shaped, axes.chars().map(size).collect(), axes)
}

/// tifffile's table of sample formats and bits.
fn dtype(layout: &Layout) -> Option<DataType> {
    let Bits::Same(bits) = layout.bits else { return None };
    let (kind, bytes) = match (layout.sample_format, bits) {
        (1 | 4, 1) => (Kind::Bool, 1),
        (1 | 4, 2..=8) => (Kind::Uint, 1),
        (1 | 4, 9..=16) => (Kind::Uint, 2),
        (1 | 4, 17..=32) => (Kind::Uint, 4),
        (1 | 4, 64) => (Kind::Uint, 8),
        (2, 8 | 16 | 32 | 64) => (Kind::Int, bits / 8),
        (3, 16 | 32 | 64) => (Kind::Float, bits / 8),
        (3, 24) => (Kind::Float, 4),
        (6, 64 | 128) => (Kind::Complex, bits / 8),
        _ => return None,
    };
    Some(DataType::native(kind, bytes))
}
