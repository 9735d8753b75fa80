//! The image of an HDU: its structure, and slices of it.

use tiled_plugin_api::{
    layout::gather::{Axis, gather},
    prelude::{ArrayStructure, Context, Error, Host, Plan, Result, SliceDim, Source, chunks_of},
};

use crate::{
    hdu::{Hdu, Kind},
    header::Header,
    scale::Element,
    tiles::Tiles,
};

/// A chunk has about so many bytes.
const CHUNK_BYTES: u64 = 32 << 20;
/// The limit of NumPy before version 2.
const MAX_AXES: u64 = 32;

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    element: Element,
    shape: Vec<u64>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// From here on.
    Plain(u64),
    Tiles(Box<Tiles>),
}

impl Image {
    /// What a header says of its image, in a file of `len` bytes.
    ///
    /// # Errors
    /// `InvalidData` where that does not fit together or into the file; `UnsupportedFormat`.
    pub fn of(header: &Header, hdu: &Hdu, len: u64) -> Result<Self> {
        let is_tiles = hdu.kind == Kind::Tiles;
        let bits = header.int(if is_tiles { "ZBITPIX" } else { "BITPIX" }).unwrap_or(0);
        let element = Element::of(header, bits)?;
        let (shape, values) = if is_tiles {
            let tiles = Tiles::of(header, hdu)?;
            (tiles.shape().to_vec(), Values::Tiles(Box::new(tiles)))
        } else {
            (plain_shape(header)?, Values::Plain(hdu.data.0))
        };
        let item = element.stored().max(element.data_type().itemsize());
        let bytes =
            shape.iter().try_fold(item, |all, n| all.checked_mul(*n)).filter(|n| *n <= i64::MAX as u64);
        let end = hdu.data.0.checked_add(hdu.data.1);
        match (bytes, end) {
            (Some(_), Some(end)) if end <= len => Ok(Image { element, shape, values }),
            _ => Err(Error::invalid_data(format!(
                "the file is truncated: {len} bytes are too few for the shape {shape:?}"
            ))),
        }
    }

    /// The structure.
    pub fn structure(&self) -> ArrayStructure {
        let data_type = self.element.data_type();
        let mut chunk = self.shape.clone();
        let item = data_type.itemsize().max(1);
        for axis in 0..chunk.len().saturating_sub(1) {
            let inner = self.shape.iter().skip(axis + 1).fold(item, |all, n| all.saturating_mul(*n));
            if let Some(length) = chunk.get_mut(axis) {
                *length = (CHUNK_BYTES / inner.max(1)).clamp(1, (*length).max(1));
                if *length > 1 {
                    break;
                }
            }
        }
        let chunks = chunks_of(&self.shape, &chunk);
        ArrayStructure { data_type, chunks, shape: self.shape.clone(), dims: None, resizable: false }
    }

    /// What reading a slice costs.
    pub fn plan(&self, slice: &[SliceDim]) -> Plan {
        let Values::Tiles(tiles) = &self.values else { return Plan { peak_bytes: 1 << 20, cuts: vec![] } };
        let (rows, height) = (slice.first().copied().unwrap_or(SliceDim::all(0)), tiles.tile_rows());
        let leaves = |i: &u64| rows.at(*i) / height != rows.at(*i - 1) / height;
        Plan { peak_bytes: tiles.peak_bytes(), cuts: (1..rows.count).filter(leaves).collect() }
    }

    /// Fills `out` with a slice.
    ///
    /// # Errors
    /// `InvalidData` naming what is damaged; `Cancelled`.
    pub fn read(
        &self,
        cx: &Context,
        (source, host): (&Source, &Host),
        slice: &[SliceDim],
        out: &mut [u8],
    ) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let place = self.element.place(out.len());
        let stored = out.get_mut(place..).unwrap_or_default();
        match &self.values {
            Values::Tiles(tiles) => tiles.read(cx, (source, host), slice, stored)?,
            Values::Plain(at) => {
                let axes = axes(&self.shape, slice, self.element.stored());
                gather(cx, source, *at, &axes, self.element.stored(), stored, 0)?;
            }
        }
        self.element.apply(out);
        Ok(())
    }
}

fn plain_shape(header: &Header) -> Result<Vec<u64>> {
    let axes = header.size("NAXIS")?;
    if axes > MAX_AXES {
        return Err(Error::unsupported_format(format!("{axes} axes are more than {MAX_AXES}")));
    }
    (1..=axes).rev().map(|axis| header.size(&format!("NAXIS{axis}"))).collect()
}

/// The axes of a read from values in C order into a packed result.
fn axes(shape: &[u64], slice: &[SliceDim], item: u64) -> Vec<Axis> {
    let (mut stride, mut to) = (item, item as isize);
    let mut axes = Vec::with_capacity(slice.len());
    for (dim, n) in slice.iter().zip(shape).rev() {
        axes.push(Axis { start: dim.start, step: dim.step, count: dim.count, stride, to });
        stride = stride.saturating_mul(*n);
        to = to.saturating_mul(isize::try_from(dim.count).unwrap_or(isize::MAX));
    }
    axes.reverse();
    axes
}
