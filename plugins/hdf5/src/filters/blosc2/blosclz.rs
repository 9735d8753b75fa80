//! BloscLZ, the codec that Blosc brings along.

use tiled_plugin_api::author::{Error, Result};

use super::super::{lzf::repeat, too_long, truncated};

/// Where distances of 13 bits end.
const MAX_DISTANCE: usize = 8191;

/// Decodes one stream and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged or does not fit into `out`.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let room = out.len();
    let (mut from, mut to) = (0, 0);
    let next = |at: &mut usize| -> Result<usize> {
        let byte = input.get(*at).ok_or_else(truncated)?;
        *at += 1;
        Ok(usize::from(*byte))
    };
    if input.is_empty() {
        return Ok(0);
    }
    // The first byte holds the version in its upper bits, and always begins a literal.
    let mut control = next(&mut from)? & 31;
    loop {
        if control < 32 {
            let length = control + 1;
            let literal = input.get(from..from + length).ok_or_else(truncated)?;
            out.get_mut(to..to + length).ok_or_else(|| too_long(room))?.copy_from_slice(literal);
            (from, to) = (from + length, to + length);
        } else {
            let mut length = (control >> 5) - 1;
            if length == 6 {
                loop {
                    let more = next(&mut from)?;
                    length += more;
                    if more != 255 {
                        break;
                    }
                }
            }
            length += 3;
            let (high, low) = ((control & 31) << 8, next(&mut from)?);
            let mut distance = high + low;
            if low == 255 && high == 31 << 8 {
                distance = (next(&mut from)? << 8) + next(&mut from)? + MAX_DISTANCE;
            }
            let start =
                to.checked_sub(distance + 1).ok_or_else(|| Error::invalid_data("a reference leads out"))?;
            if length > room - to {
                return Err(too_long(room));
            }
            repeat(out, start, to, length);
            to += length;
        }
        match input.get(from) {
            Some(byte) => control = usize::from(*byte),
            None => return Ok(to),
        }
        from += 1;
    }
}
