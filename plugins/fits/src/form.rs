//! The columns of a binary table: `TFORM` and what else a header says of each.

use tiled_plugin_api::prelude::{Error, Result};

use crate::header::Header;

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// `TTYPE`; empty where there is none.
    pub name: String,
    /// The letter of its elements: `L X B I J K A E D C M`.
    pub code: u8,
    /// Elements in a row; of variable-length columns: descriptors.
    pub repeat: u64,
    /// Bytes of a heap descriptor (8 or 16) where the values are there.
    pub descriptor: Option<u64>,
    /// Characters of one text, where a row has several of them.
    pub text_width: Option<u64>,
    /// Bytes from the beginning of a row.
    pub offset: u64,
    /// `TDIM`, the axis that varies fastest first, where it has as many elements as the row.
    pub dimensions: Vec<u64>,
    /// `TSCAL` and `TZERO`, where they change anything.
    pub scale: Option<(f64, f64)>,
    /// `TNULL`.
    pub null: Option<i64>,
}

/// The standard's limit.
const MAX_COLUMNS: u64 = 999;
/// No element is larger than this, so that sums are far from overflow.
const MAX_REPEAT: u64 = 1 << 40;

impl Column {
    /// Bytes of it in a row.
    pub fn width(&self) -> u64 {
        match (self.descriptor, self.code) {
            (Some(bytes), _) => self.repeat * bytes,
            (None, b'X') => self.repeat.div_ceil(8),
            (None, code) => self.repeat * item_bytes(code),
        }
    }
}

/// Bytes of an element; of bits: of eight of them.
pub fn item_bytes(code: u8) -> u64 {
    match code {
        b'I' => 2,
        b'J' | b'E' => 4,
        b'K' | b'D' | b'C' => 8,
        b'M' => 16,
        _ => 1,
    }
}

/// The columns of a binary table.
///
/// # Errors
/// `InvalidData` where they do not fit into a row, or a format is none of the standard's.
pub fn columns(header: &Header) -> Result<Vec<Column>> {
    let (count, row_bytes) = (header.size("TFIELDS")?, header.size("NAXIS1")?);
    if count > MAX_COLUMNS {
        return Err(Error::invalid_data(format!("{count} columns are more than {MAX_COLUMNS}")));
    }
    let (mut columns, mut offset) = (Vec::new(), 0);
    for number in 1..=count {
        let column = column(header, number, offset)?;
        offset += column.width();
        columns.push(column);
    }
    if offset > row_bytes {
        let message = format!("the columns take {offset} bytes, a row has {row_bytes}");
        return Err(Error::invalid_data(message));
    }
    Ok(columns)
}

fn column(header: &Header, number: u64, offset: u64) -> Result<Column> {
    let text = header.text(&format!("TFORM{number}")).unwrap_or_default().trim();
    let wrong = || Error::invalid_data(format!("TFORM{number} is {text:?}, which is none of the standard's"));
    let letter = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (digits, rest) = text.split_at(letter);
    let repeat = if digits.is_empty() { 1 } else { digits.parse().map_err(|_| wrong())? };
    let mut letters = rest.bytes();
    let first = letters.next().ok_or_else(wrong)?;
    let (descriptor, code) = match first {
        b'P' => (Some(8), letters.next().ok_or_else(wrong)?),
        b'Q' => (Some(16), letters.next().ok_or_else(wrong)?),
        code => (None, code),
    };
    if !b"LXBIJKAEDCM".contains(&code) || repeat > MAX_REPEAT || (descriptor.is_some() && repeat > 1) {
        return Err(wrong());
    }
    let text_width = match rest.get(1..).and_then(|width| width.parse().ok()) {
        Some(width) if first == b'A' && width > 0 && repeat % width == 0 => Some(width),
        _ => None,
    };
    let (by, zero) = (header.float(&format!("TSCAL{number}")), header.float(&format!("TZERO{number}")));
    let scale = (by.unwrap_or(1.0), zero.unwrap_or(0.0));
    let is_number = b"BIJKEDCM".contains(&code);
    Ok(Column {
        name: header.text(&format!("TTYPE{number}")).unwrap_or_default().trim().to_owned(),
        code,
        repeat,
        descriptor,
        text_width,
        offset,
        dimensions: dimensions(header.text(&format!("TDIM{number}")), repeat),
        scale: (is_number && scale != (1.0, 0.0)).then_some(scale),
        null: header.int(&format!("TNULL{number}")).filter(|_| b"BIJK".contains(&code)),
    })
}

/// `(3,4)`; none where it is not of so many elements.
fn dimensions(text: Option<&str>, repeat: u64) -> Vec<u64> {
    let inside = text.and_then(|text| text.trim().strip_prefix('(')?.strip_suffix(')'));
    let lengths: Option<Vec<u64>> =
        inside.and_then(|inside| inside.split(',').map(|n| n.trim().parse().ok()).collect());
    let fits = |lengths: &Vec<u64>| {
        lengths.len() > 1
            && lengths.len() <= 16
            && lengths.iter().try_fold(1_u64, |all, n| all.checked_mul(*n)) == Some(repeat)
    };
    lengths.filter(fits).unwrap_or_default()
}
