//! The header of SPE 2: 4100 bytes, little endian.

use serde_json::{Map, Value, json};

use crate::text;

/// The header's bytes.
pub struct Header(pub Vec<u8>);

impl Header {
    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    /// Two bytes.
    pub fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.word(at))
    }

    /// Four bytes.
    pub fn uint(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.word(at))
    }

    /// Eight bytes.
    pub fn long(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.word(at))
    }

    fn text(&self, at: usize, len: usize) -> Value {
        Value::from(text::trimmed(self.0.get(at..at + len).unwrap_or_default()))
    }
}

/// What a field is.
enum Type {
    Signed,
    Unsigned,
    Float,
    Text(usize),
}
use Type::{Float, Signed, Text, Unsigned};

/// Fields that are known, under the names that `imageio` gives them.
const FIELDS: [(&str, usize, Type); 44] = [
    ("file_header_ver", 1992, Float),
    ("datatype", 108, Signed),
    ("xDimDet", 6, Unsigned),
    ("yDimDet", 18, Unsigned),
    ("VChipXdim", 14, Signed),
    ("VChipYdim", 16, Signed),
    ("controller_version", 0, Signed),
    ("logic_output", 2, Signed),
    ("amp_high_cap_low_noise", 4, Unsigned),
    ("mode", 8, Signed),
    ("exposure_sec", 10, Float),
    ("date", 20, Text(10)),
    ("detector_temp", 36, Float),
    ("detector_type", 40, Signed),
    ("st_diode", 44, Signed),
    ("delay_time", 46, Float),
    ("shutter_control", 50, Unsigned),
    ("absorb_live", 52, Signed),
    ("absorb_mode", 54, Unsigned),
    ("can_do_virtual_chip", 56, Signed),
    ("threshold_min_live", 58, Signed),
    ("threshold_min_val", 60, Float),
    ("threshold_max_live", 64, Signed),
    ("threshold_max_val", 66, Float),
    ("spectro_center_nm", 72, Float),
    ("XPrePixels", 98, Signed),
    ("XPostPixels", 100, Signed),
    ("YPrePixels", 102, Signed),
    ("YPostPixels", 104, Signed),
    ("time_local", 172, Text(7)),
    ("time_utc", 179, Text(7)),
    ("adc_offset", 188, Unsigned),
    ("adc_rate", 190, Unsigned),
    ("adc_type", 192, Unsigned),
    ("adc_resolution", 194, Unsigned),
    ("adc_bit_adjust", 196, Unsigned),
    ("gain", 198, Unsigned),
    ("geometric", 600, Unsigned),
    ("readout_time", 672, Float),
    ("sw_version", 688, Text(16)),
    ("type", 704, Signed),
    ("clockspeed_us", 1428, Float),
    ("readout_mode", 1480, Unsigned),
    ("window_size", 1482, Unsigned),
];

/// The fields, the comments that are not empty, and the regions of interest.
pub fn metadata(header: &Header) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, at, kind) in FIELDS {
        let value = match kind {
            Signed => json!(header.short(at).cast_signed()),
            Unsigned => json!(header.short(at)),
            Float => text::number(f32::from_bits(header.uint(at))),
            Text(len) => header.text(at, len),
        };
        map.insert(name.into(), value);
    }
    let comments = (0..5).map(|i| header.text(200 + 80 * i, 80)).collect();
    map.insert("comments".into(), Value::Array(comments));
    let count = usize::from(header.short(1510)).min(10);
    let region = |i: usize| {
        let field = |k: usize| header.short(1512 + 12 * i + 2 * k);
        json!({
            "startx": field(0), "endx": field(1), "groupx": field(2),
            "starty": field(3), "endy": field(4), "groupy": field(5),
        })
    };
    map.insert("ROIs".into(), (0..count).map(region).collect());
    map
}
