//! The header of an MRC file: 1024 bytes of one byte order.

use serde_json::{Map, Value, json};
use tiled_plugin_api::prelude::{Error, Result, Source};

use crate::text;

/// Bytes of the header; the extended header follows.
pub const HEADER_BYTES: u64 = 1024;
const MAP: &[u8] = b"MAP ";
/// Where whole numbers are.
const INTS: [(&str, usize); 17] = [
    ("nx", 0),
    ("ny", 4),
    ("nz", 8),
    ("mode", 12),
    ("nxstart", 16),
    ("nystart", 20),
    ("nzstart", 24),
    ("mx", 28),
    ("my", 32),
    ("mz", 36),
    ("mapc", 64),
    ("mapr", 68),
    ("maps", 72),
    ("ispg", 88),
    ("nsymbt", 92),
    ("nversion", 108),
    ("nlabl", 220),
];
/// Where floats are.
const FLOATS: [(&str, usize, usize); 6] =
    [("cella", 40, 3), ("cellb", 52, 3), ("dmin", 76, 1), ("dmax", 80, 1), ("dmean", 84, 1), ("rms", 216, 1)];

/// The header of a file.
pub struct Header {
    bytes: Vec<u8>,
    /// Its byte order, and that of the values.
    pub is_big: bool,
}

impl Header {
    /// Reads it.
    ///
    /// # Errors
    /// `InvalidData` where it is not one.
    pub fn read(source: &Source) -> Result<Self> {
        let mut bytes = vec![0; HEADER_BYTES as usize];
        source.read_exact_at(0, &mut bytes)?;
        if bytes.get(208..212) != Some(MAP) {
            let message = "this is no MRC file: the word MAP is not at byte 208 of its header";
            return Err(Error::invalid_data(message));
        }
        let mut header = Header { bytes, is_big: false };
        header.is_big = match (header.byte(212), header.byte(213)) {
            (0x44, 0x44 | 0x41) => false,
            (0x11, 0x11) => true,
            // Some programs leave the stamp out. The mode is a small number in one of the two orders.
            (0, 0) if (0..256).contains(&header.int(12)) => false,
            (0, 0) => true,
            (a, b) => {
                return Err(Error::invalid_data(format!("the machine stamp {a:#x} {b:#x} is not known")));
            }
        };
        Ok(header)
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn word(&self, at: usize) -> [u8; 4] {
        let word = self.bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        if self.is_big { [word[3], word[2], word[1], word[0]] } else { word }
    }

    /// The whole number at this place.
    pub fn int(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.word(at))
    }

    fn float(&self, at: usize) -> Value {
        text::number(f32::from_le_bytes(self.word(at)))
    }

    /// All fields under their names in MRC2014.
    pub fn metadata(&self) -> Map<String, Value> {
        let mut map: Map<String, Value> =
            INTS.iter().map(|(name, at)| ((*name).to_owned(), json!(self.int(*at)))).collect();
        for (name, at, count) in FLOATS {
            let list = || (0..count).map(|i| self.float(at + 4 * i)).collect();
            map.insert(name.into(), if count == 1 { self.float(at) } else { list() });
        }
        map.insert("origin".into(), json!([self.float(196), self.float(200), self.float(204)]));
        let kind = text::trimmed(self.bytes.get(104..108).unwrap_or_default());
        map.insert("exttyp".into(), Value::from(kind));
        let count = usize::try_from(self.int(220)).unwrap_or(0).min(10);
        let labels = self.bytes.get(224..).unwrap_or_default().chunks(80).take(count);
        map.insert("labels".into(), labels.map(text::trimmed).collect());
        map.insert("byte_order".into(), json!(if self.is_big { "big" } else { "little" }));
        map.insert("voxel_size".into(), self.voxel_size());
        map
    }

    /// Ångström along x, y, z; null where the header has none.
    fn voxel_size(&self) -> Value {
        let along = |i: usize| {
            let (length, count) = (f32::from_le_bytes(self.word(40 + 4 * i)), self.int(28 + 4 * i));
            if count > 0 { text::number(length / count as f32) } else { Value::Null }
        };
        json!([along(0), along(1), along(2)])
    }
}
