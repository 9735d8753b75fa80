//! bzip2 (filter 307).

use bzip2::{Decompress, Status};
use tiled_plugin_api::author::{Error, Result};

use super::{too_long, truncated};

/// Decodes one bzip2 stream and says how many bytes it gave.
///
/// # Errors
/// `InvalidData` when it is damaged, truncated, or does not fit into `out`.
pub fn decode(input: &[u8], out: &mut [u8]) -> Result<usize> {
    let room = out.len();
    let mut decoder = Decompress::new(false);
    loop {
        let (from, to) = (count(decoder.total_in())?, count(decoder.total_out())?);
        let rest = input.get(from..).unwrap_or_default();
        let space = out.get_mut(to..).unwrap_or_default();
        let status = decoder
            .decompress(rest, space)
            .map_err(|error| Error::invalid_data(format!("the bzip2 stream is damaged: {error}")))?;
        if status == Status::StreamEnd {
            return count(decoder.total_out());
        }
        if (count(decoder.total_in())?, count(decoder.total_out())?) == (from, to) {
            return Err(if to >= room { too_long(room) } else { truncated() });
        }
    }
}

fn count(total: u64) -> Result<usize> {
    usize::try_from(total).map_err(Error::internal)
}
