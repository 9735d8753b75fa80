//! zfp (filter 32013): numbers in blocks of 4 along each axis, in all of its modes.
//!
//! The decoder follows zfp 1.0 (`src/template/decode*.c`, `revdecode*.c`): the same operations on the same types, so
//! the values are equal to the last bit. The header, which says type, shape and mode, lies in the filter's parameters.

mod bits;
mod block;
mod order;

use tiled_plugin_api::author::{Error, Result};

use self::{
    bits::Bits,
    block::{Mode, Number},
};
use super::{head, truncated};

/// The version of the coding that all zfp since 0.5 write.
const CODEC: u64 = 5;

#[derive(Clone, Copy)]
enum Type {
    Int32,
    Int64,
    Float,
    Double,
}

/// What the header says.
struct Header {
    data_type: Type,
    axes: usize,
    /// The fastest axis first; 1 for those that are not there.
    shape: [usize; 4],
    mode: Mode,
    /// The writer's byte order was the other one: so is that of the values.
    swapped: bool,
}

fn damaged(what: &str) -> Error {
    Error::invalid_data(format!("the zfp header is damaged: {what}"))
}

impl Header {
    /// Reads the parameters: versions, then the header as zfp writes it.
    fn parse(cd: &[u32]) -> Result<Header> {
        let words = cd.get(1..).unwrap_or_default();
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let swapped = !bytes.starts_with(b"zfp");
        if swapped {
            bytes = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        }
        if !bytes.starts_with(b"zfp") {
            return Err(damaged("it does not begin with zfp"));
        }
        let mut bits = Bits::new(bytes.get(3..).unwrap_or_default());
        let codec = bits.take(8);
        if codec != CODEC {
            return Err(Error::unsupported_format(format!("zfp's coding of version {codec} is not known")));
        }
        let data_type = match bits.take(2) {
            0 => Type::Int32,
            1 => Type::Int64,
            2 => Type::Float,
            _ => Type::Double,
        };
        let axes = bits.take(2) as usize + 1;
        let wide = 48 / axes as u32;
        let mut shape = [1; 4];
        for n in shape.iter_mut().take(axes) {
            *n = bits.take(wide) as usize + 1;
        }
        let mode = Mode::read(&mut bits)?;
        if bits.is_over() {
            return Err(truncated());
        }
        Ok(Header { data_type, axes, shape, mode, swapped })
    }

    fn bytes(&self) -> Option<usize> {
        let item = if matches!(self.data_type, Type::Int32 | Type::Float) { 4 } else { 8 };
        self.shape.iter().try_fold(item, |all: usize, n| all.checked_mul(*n))
    }
}

/// Bytes of the values that the header in the parameters announces.
pub fn content_size(cd: &[u32]) -> Option<u64> {
    Header::parse(cd).ok()?.bytes().map(|size| size as u64)
}

/// Decodes one chunk and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged, truncated, or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8], cd: &[u32]) -> Result<usize> {
    let header = Header::parse(cd)?;
    let size = header.bytes().ok_or_else(|| damaged("its shape is too large"))?;
    let out = head(out, size)?;
    match header.data_type {
        Type::Int32 => values::<i32, 4>(&header, input, out, i32::to_le_bytes)?,
        Type::Int64 => values::<i64, 8>(&header, input, out, i64::to_le_bytes)?,
        Type::Float => values::<f32, 4>(&header, input, out, f32::to_le_bytes)?,
        Type::Double => values::<f64, 8>(&header, input, out, f64::to_le_bytes)?,
    }
    Ok(size)
}

/// Decodes block by block; what sticks out of the array is padding.
fn values<T: Number, const N: usize>(
    header: &Header,
    input: &[u8],
    out: &mut [u8],
    to_bytes: impl Fn(T) -> [u8; N],
) -> Result<()> {
    let mut bits = Bits::new(input);
    let mut block = vec![T::default(); 1 << (2 * header.axes)];
    let [nx, ny, nz, nw] = header.shape;
    let side = |n: usize| (0..n).step_by(4);
    for (w, z, y) in side(nw).flat_map(|w| side(nz).flat_map(move |z| side(ny).map(move |y| (w, z, y)))) {
        for x in side(nx) {
            T::decode(&mut bits, &header.mode, header.axes, &mut block);
            if bits.is_over() {
                return Err(truncated());
            }
            for (row, values) in block.chunks_exact(4).enumerate() {
                let (y, z, w) = (y + row % 4, z + row / 4 % 4, w + row / 16);
                if y >= ny || z >= nz || w >= nw {
                    continue;
                }
                let from = (((w * nz + z) * ny + y) * nx + x) * N;
                let row = out.get_mut(from..from + (nx - x).min(4) * N).unwrap_or_default();
                for (place, value) in row.chunks_exact_mut(N).zip(values) {
                    place.copy_from_slice(&to_bytes(*value));
                    if header.swapped {
                        place.reverse();
                    }
                }
            }
        }
    }
    Ok(())
}
