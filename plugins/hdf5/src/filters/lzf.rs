//! LZF, the fast filter that h5py brings along.

use tiled_plugin_api::author::{Error, Result};

use super::{too_long, truncated};

/// Decodes one LZF block and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let room = out.len();
    let (mut from, mut to) = (0usize, 0usize);
    let next = |at: &mut usize| -> Result<usize> {
        let byte = input.get(*at).ok_or_else(truncated)?;
        *at += 1;
        Ok(usize::from(*byte))
    };
    while from < input.len() {
        let control = next(&mut from)?;
        if control < 32 {
            let length = control + 1;
            let literal = input.get(from..from + length).ok_or_else(truncated)?;
            out.get_mut(to..to + length).ok_or_else(|| too_long(room))?.copy_from_slice(literal);
            from += length;
            to += length;
            continue;
        }
        let mut length = control >> 5;
        if length == 7 {
            length += next(&mut from)?;
        }
        length += 2;
        let distance = (((control & 31) << 8) | next(&mut from)?) + 1;
        let start = to.checked_sub(distance).ok_or_else(|| Error::invalid_data("a reference leads out"))?;
        if to + length > room {
            return Err(too_long(room));
        }
        repeat(out, start, to, length);
        to += length;
    }
    Ok(to)
}

/// Copies `length` bytes from `start` to `to`; where they overlap, the copied bytes are copied again.
pub(super) fn repeat(out: &mut [u8], start: usize, to: usize, length: usize) {
    let mut done = 0;
    while done < length {
        let step = (to + done - start).min(length - done);
        out.copy_within(start..start + step, to + done);
        done += step;
    }
}
