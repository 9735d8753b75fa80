//! Checksums before or behind the bytes they protect.

use super::Outcome;

/// Which sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    Crc32,
    Crc32c,
    Adler32,
    Fletcher32,
}

impl Checksum {
    /// The sum of these bytes, as it is stored.
    pub fn of(self, content: &[u8]) -> [u8; LEN] {
        let sum = match self {
            Checksum::Crc32 => {
                let mut crc = flate2::Crc::new();
                crc.update(content);
                crc.sum()
            }
            Checksum::Crc32c => crc32c::crc32c(content),
            Checksum::Adler32 => adler32(content),
            Checksum::Fletcher32 => fletcher32(content),
        };
        sum.to_le_bytes()
    }
}

/// Bytes of every one of them.
pub const LEN: usize = 4;

/// The protected bytes.
///
/// # Errors
/// When the sum is wrong.
pub fn check(bytes: &[u8], kind: Checksum, at_end: bool) -> Outcome<&[u8]> {
    let cut = if at_end { bytes.len().checked_sub(LEN) } else { Some(LEN) };
    let Some((first, last)) = cut.and_then(|at| bytes.split_at_checked(at)) else {
        return Err("it is too short for its checksum".into());
    };
    let (content, sum) = if at_end { (first, last) } else { (last, first) };
    if sum == kind.of(content) { Ok(content) } else { Err(format!("its {kind:?} checksum is wrong")) }
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    // 5552 is the longest run without an overflow of 32 bits.
    for part in bytes.chunks(5552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    b << 16 | a
}

/// The sum of HDF5 over big-endian words, as numcodecs has it.
fn fletcher32(bytes: &[u8]) -> u32 {
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    let (mut a, mut b) = (0u32, 0u32);
    let (words, rest) = bytes.as_chunks::<2>();
    for part in words.chunks(360) {
        for word in part {
            a += u32::from(u16::from_be_bytes(*word));
            b += a;
        }
        (a, b) = (fold(a), fold(b));
    }
    if let [last] = rest {
        a += u32::from(*last) << 8;
        b += a;
        (a, b) = (fold(a), fold(b));
    }
    fold(b) << 16 | fold(a)
}
