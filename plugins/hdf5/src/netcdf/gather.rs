//! Slices of a classic file: elements at regular distances, read in as few and as small pieces as is sensible.

use tiled_plugin_api::prelude::{Context, Error, Result, SliceDim, Source};

use super::{
    classic::to_native,
    model::{Place, Values, Variable},
};

/// The bytes of a classic file.
pub(crate) struct ClassicValues(pub(crate) Source);

/// A part with gaps is read at once up to this many bytes.
const PIECE: u64 = 1 << 20;

impl Values for ClassicValues {
    fn read(&self, cx: &Context, variable: &Variable, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let Place::Classic { begin, strides } = &variable.place else {
            return Err(Error::internal("no variable of a classic file"));
        };
        if out.is_empty() {
            return Ok(());
        }
        let size = variable.stored.size();
        let axes: Vec<Axis> =
            slice.iter().zip(strides).map(|(dim, stride)| Axis { dim: *dim, stride: *stride }).collect();
        let mut part = Part { source: &self.0, cx, size, buffer: Vec::new() };
        part.read(*begin, &axes, out).map_err(|error| error.within(format!("variable {}", variable.name)))?;
        to_native(out, size);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Axis {
    dim: SliceDim,
    stride: u64,
}

impl Axis {
    /// Where element `i` is, from the first of the axis.
    fn offset(&self, i: u64) -> u64 {
        self.dim.at(i).saturating_mul(self.stride)
    }
}

struct Part<'a> {
    source: &'a Source,
    cx: &'a Context,
    size: usize,
    buffer: Vec<u8>,
}

impl Part<'_> {
    /// Reads the elements of `axes`, counted from the file position `base`, into `out`.
    fn read(&mut self, base: u64, axes: &[Axis], out: &mut [u8]) -> Result<()> {
        self.cx.check()?;
        let (low, span) = self.span(axes);
        let start = base.saturating_add(low);
        if span == out.len() as u64 && self.in_order(axes) {
            return self.source.read_exact_at(start, out);
        }
        // Reading much more than is wanted is no gain over several reads.
        let dense = axes.len() <= 1 || span <= 64 << 10 || span / 64 <= out.len() as u64;
        if let ([first, inner @ ..], false) = (axes, dense && span <= PIECE) {
            return self.rows(base, *first, inner, out);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(usize::try_from(span).map_err(Error::internal)?, 0);
        self.source.read_exact_at(start, &mut buffer)?;
        let mut cursor = out.chunks_exact_mut(self.size);
        let mut missing = false;
        visit(axes, 0, &mut |offset| {
            let at = usize::try_from(offset - low).unwrap_or(usize::MAX);
            match (cursor.next(), at.checked_add(self.size).and_then(|end| buffer.get(at..end))) {
                (Some(place), Some(element)) => place.copy_from_slice(element),
                _ => missing = true,
            }
        });
        self.buffer = buffer;
        if missing { Err(Error::internal("elements outside of the part read")) } else { Ok(()) }
    }

    /// Row by row; a lone axis in runs that fit one piece.
    fn rows(&mut self, base: u64, first: Axis, inner: &[Axis], out: &mut [u8]) -> Result<()> {
        let count = first.dim.count.max(1);
        let gap = first.stride.saturating_mul(first.dim.step.unsigned_abs()).max(1);
        let run = if inner.is_empty() { (PIECE / gap).clamp(1, count) } else { 1 };
        let bytes = usize::try_from(out.len() as u64 / count * run).map_err(Error::internal)?;
        for (i, part) in out.chunks_mut(bytes.max(1)).enumerate() {
            let from = i as u64 * run;
            if run > 1 {
                let dim = first.dim.part(from, run.min(count - from));
                self.read(base, &[Axis { dim, stride: first.stride }], part)?;
            } else {
                self.read(base.saturating_add(first.offset(from)), inner, part)?;
            }
        }
        Ok(())
    }

    /// The lowest offset of an element, and the bytes from there to the end of the highest.
    fn span(&self, axes: &[Axis]) -> (u64, u64) {
        let (mut low, mut high) = (0_u64, 0_u64);
        for axis in axes {
            let (first, last) = axis.dim.bounds().unwrap_or((0, 0));
            low = low.saturating_add(first.saturating_mul(axis.stride));
            high = high.saturating_add(last.saturating_mul(axis.stride));
        }
        (low, (high - low).saturating_add(self.size as u64))
    }

    fn in_order(&self, axes: &[Axis]) -> bool {
        axes.iter().all(|axis| axis.dim.step > 0 || axis.dim.count <= 1)
    }
}

/// Calls `each` with the offset of every element, in C order.
fn visit(axes: &[Axis], base: u64, each: &mut dyn FnMut(u64)) {
    match axes {
        [] => each(base),
        [axis, inner @ ..] => {
            for i in 0..axis.dim.count {
                visit(inner, base + axis.offset(i), each);
            }
        }
    }
}
