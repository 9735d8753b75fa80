//! `PLIO_1`: runs of masks, as the library of IRAF writes them.

use tiled_plugin_api::prelude::{Error, Result};

/// Pixels of a list of 16-bit words. Behind the last run all are 0, as the format has it.
///
/// # Errors
/// `InvalidData` where the list is shorter than it says, or has more pixels than `out`.
pub fn decode(bytes: &[u8], out: &mut [u32]) -> Result<()> {
    let words: Vec<i32> =
        bytes.as_chunks::<2>().0.iter().map(|b| i32::from(i16::from_be_bytes(*b))).collect();
    let word = |at: usize| words.get(at).copied().unwrap_or(0);
    let (length, first) = if word(2) > 0 { (word(2), 3) } else { ((word(4) << 15) + word(3), word(1)) };
    let (length, first) = (usize::try_from(length).unwrap_or(0), usize::try_from(first).unwrap_or(0));
    if length > words.len() || first < 3 {
        return Err(Error::invalid_data("the compressed mask is shorter than it says"));
    }
    let (mut high, mut at, mut done) = (1_i32, first, 0_usize);
    out.fill(0);
    while at < length {
        let (code, data) = (word(at) / 4096, word(at) & 4095);
        at += 1;
        match code {
            0 | 4 | 5 => {
                let run = usize::try_from(data).unwrap_or(0);
                let run = out.get_mut(done..).unwrap_or_default().get_mut(..run).ok_or_else(too_many)?;
                match (code, run) {
                    (4, run) => run.fill(high.cast_unsigned()),
                    (5, [.., last]) => *last = high.cast_unsigned(),
                    _ => {}
                }
                done += usize::try_from(data).unwrap_or(0);
            }
            1 => {
                high = word(at).wrapping_shl(12).wrapping_add(data);
                at += 1;
            }
            2 => high = high.wrapping_add(data),
            3 => high = high.wrapping_sub(data),
            6 | 7 => {
                high = if code == 6 { high.wrapping_add(data) } else { high.wrapping_sub(data) };
                *out.get_mut(done).ok_or_else(too_many)? = high.cast_unsigned();
                done += 1;
            }
            _ => return Err(Error::invalid_data("the compressed mask has an unknown instruction")),
        }
    }
    Ok(())
}

fn too_many() -> Error {
    Error::invalid_data("the compressed mask has more pixels than its tile")
}
