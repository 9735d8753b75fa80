//! HDF5's file format, as far as it takes to write: superblock 2, object headers 2 with everything inside them,
//! contiguous data, global heaps for texts.
//!
//! Every address is known before the first byte is written, so a file of any size streams out in one pass, without
//! libhdf5, its lock, a temporary file or a copy in memory.

use tiled_plugin_api::prelude::*;

/// "No address".
pub(crate) const UNDEFINED: u64 = u64::MAX;
/// Bytes of the superblock.
pub(crate) const SUPERBLOCK_BYTES: u64 = 48;

/// The superblock of a file that ends at `end` and whose root group's header is at `root`.
pub(crate) fn superblock(root: u64, end: u64) -> Vec<u8> {
    let mut bytes = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00".to_vec();
    for word in [0, UNDEFINED, end, root] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(lookup3(&bytes).to_le_bytes());
    bytes
}

/// The type of lists of references to objects.
pub(crate) fn reference_list() -> Vec<u8> {
    let mut bytes = vec![0x19, 0, 0, 0, 16, 0, 0, 0];
    bytes.extend([0x17, 0, 0, 0, 8, 0, 0, 0]);
    bytes
}

/// One message of an object header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    kind: u8,
    body: Vec<u8>,
}

impl Message {
    fn new(kind: u8, body: Vec<u8>) -> Self {
        Message { kind, body }
    }

    /// The extent: no axes for a scalar.
    pub(crate) fn space(dims: &[u64]) -> Self {
        let rank = u8::try_from(dims.len()).unwrap_or(u8::MAX);
        let mut body = vec![2, rank, 0, u8::from(rank > 0)];
        dims.iter().for_each(|n| body.extend(n.to_le_bytes()));
        Message::new(0x01, body)
    }

    /// An extent without elements, for what is null.
    pub(crate) fn null_space() -> Self {
        Message::new(0x01, vec![2, 0, 0, 2])
    }

    /// The type of the elements.
    pub(crate) fn data_type(encoded: Vec<u8>) -> Self {
        Message::new(0x03, encoded)
    }

    /// No fill value of its own.
    pub(crate) fn fill() -> Self {
        Message::new(0x05, vec![3, 0x0a])
    }

    /// `size` bytes of elements at `address`; at none where there are none.
    pub(crate) fn contiguous(address: Option<u64>, size: u64) -> Self {
        let mut body = vec![3, 1];
        let address = address.filter(|_| size > 0);
        body.extend(address.unwrap_or(UNDEFINED).to_le_bytes());
        body.extend(size.to_le_bytes());
        Message::new(0x08, body)
    }

    /// What makes an object a group.
    pub(crate) fn group() -> [Self; 2] {
        let mut info = vec![0, 0];
        info.extend([0xff; 16]);
        [Message::new(0x02, info), Message::new(0x0a, vec![0, 0])]
    }

    /// A child of a group.
    pub(crate) fn link(name: &str, address: u64) -> Self {
        let name = &name.replace('\0', "\u{fffd}");
        // UTF-8, the length of the name in four bytes.
        let mut body = vec![1, 0x12, 1];
        body.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(name.as_bytes());
        body.extend(address.to_le_bytes());
        Message::new(0x06, body)
    }

    /// An attribute.
    ///
    /// # Errors
    /// `NotAcceptable` when it is longer than an object header takes (64 kB).
    pub(crate) fn attribute(name: &str, data_type: &[u8], space: &Message, value: &[u8]) -> Result<Self> {
        // HDF5 ends names at a zero.
        let name = &name.replace('\0', "\u{fffd}");
        let mut body = vec![3, 0];
        for length in [name.len() + 1, data_type.len(), space.body.len()] {
            body.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
        }
        body.push(1);
        body.extend(name.as_bytes());
        body.push(0);
        body.extend(data_type);
        body.extend(&space.body);
        body.extend(value);
        let message = Message::new(0x0c, body);
        if message.body.len() > usize::from(u16::MAX) {
            let text = format!("the metadata {name:?} do not fit into an attribute of HDF5 (64 kB)");
            return Err(Error::new(ErrorKind::NotAcceptable, text));
        }
        Ok(message)
    }
}

/// An object header.
pub(crate) fn object_header(messages: &[Message]) -> Vec<u8> {
    let size: usize = messages.iter().map(|m| 4 + m.body.len()).sum();
    let mut bytes = b"OHDR\x02\x02".to_vec();
    bytes.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    for message in messages {
        bytes.push(message.kind);
        bytes.extend(u16::try_from(message.body.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.push(0);
        bytes.extend(&message.body);
    }
    bytes.extend(lookup3(&bytes).to_le_bytes());
    bytes
}

/// Bob Jenkins' lookup3 (`hashlittle`), the checksum of HDF5's metadata.
pub(crate) fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let (mut a, mut b, mut c) = (start, start, start);
    let word = |block: &[u8], i: usize| {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(block.iter().skip(4 * i)) {
            *to = *from;
        }
        u32::from_le_bytes(word)
    };
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, later) = rest.split_at(12);
        a = a.wrapping_add(word(block, 0));
        b = b.wrapping_add(word(block, 1));
        c = c.wrapping_add(word(block, 2));
        for (turn, first) in [4, 6, 8, 16, 19, 4].into_iter().zip([0, 1, 2, 0, 1, 2]) {
            // a -= c; a ^= rot(c, turn); c += b, the three running round.
            let (x, y, z) = match first {
                0 => (&mut a, &mut c, b),
                1 => (&mut b, &mut a, c),
                _ => (&mut c, &mut b, a),
            };
            *x = x.wrapping_sub(*y) ^ y.rotate_left(turn);
            *y = y.wrapping_add(z);
        }
        rest = later;
    }
    if rest.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(rest, 0));
    b = b.wrapping_add(word(rest, 1));
    c = c.wrapping_add(word(rest, 2));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_author_of_lookup3() {
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
    }
}
