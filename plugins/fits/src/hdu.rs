//! The HDUs of a file: where each one is, what it is, and the key under which it is served.

use std::collections::HashSet;

use tiled_plugin_api::prelude::{Context, Error, Result, Source};

use crate::header::{BLOCK, Header};

/// No file of anyone has as many.
const MAX_HDUS: usize = 1 << 18;

/// What an HDU holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A header alone.
    Empty,
    /// An array.
    Image,
    /// An array in compressed tiles, kept in a binary table.
    Tiles,
    /// A binary table.
    Table,
    /// A table of text.
    Ascii,
    /// Something that is not read.
    Unknown,
}

/// One HDU.
#[derive(Debug, Clone)]
pub struct Hdu {
    /// Unique within the file, without slashes.
    pub key: String,
    /// What it holds.
    pub kind: Kind,
    /// Where its header begins.
    pub at: u64,
    /// Where its data begin, and how many bytes they are without padding. Not tested against the file's length.
    pub data: (u64, u64),
}

/// Walks over all headers. What follows the last one is left out; says why, where that is odd.
///
/// # Errors
/// `InvalidData` where the first one is damaged.
pub fn walk(cx: &Context, source: &Source) -> Result<(Vec<Hdu>, Option<String>)> {
    let len = source.len()?;
    let mut start = [0; 9];
    if source.read_at(0, &mut start)? < start.len() || &start != b"SIMPLE  =" {
        return Err(Error::invalid_data("this is no FITS file: it does not begin with SIMPLE"));
    }
    let (mut hdus, mut names, mut at, mut warning) = (Vec::new(), Vec::new(), 0, None);
    while at < len {
        if !hdus.is_empty() && !begins_extension(source, at)? {
            warning = Some(format!("the bytes from {at} on are no extension and are left out"));
            break;
        }
        match Header::read(cx, source, at)
            .and_then(|(header, data_at)| Ok((one(&header, at, data_at)?, header)))
        {
            Ok((hdu, header)) => {
                let end =
                    hdu.data.0.checked_add(hdu.data.1).and_then(|end| end.checked_next_multiple_of(BLOCK));
                names.push(name(&header, hdus.is_empty()));
                hdus.push(hdu);
                let Some(end) = end else { break };
                at = end;
            }
            Err(error) if hdus.is_empty() => return Err(error),
            Err(error) => {
                warning = Some(format!("what follows HDU {} is left out: {error}", hdus.len() - 1));
                break;
            }
        }
        if hdus.len() > MAX_HDUS {
            return Err(Error::invalid_data(format!("it has more than {MAX_HDUS} HDUs")));
        }
    }
    keys(&mut hdus, names);
    Ok((hdus, warning))
}

fn begins_extension(source: &Source, at: u64) -> Result<bool> {
    let mut start = [0; 8];
    Ok(source.read_at(at, &mut start)? == start.len() && &start == b"XTENSION")
}

fn one(header: &Header, at: u64, data_at: u64) -> Result<Hdu> {
    let axes = header.size("NAXIS")?;
    let extension = header.text("XTENSION").unwrap_or("IMAGE");
    let is_groups = header.is_true("GROUPS") && header.int("NAXIS1") == Some(0);
    let kind = match extension {
        _ if is_groups => Kind::Unknown,
        "IMAGE" | "IUEIMAGE" if axes == 0 => Kind::Empty,
        "IMAGE" | "IUEIMAGE" => Kind::Image,
        "BINTABLE" | "A3DTABLE" if header.is_true("ZIMAGE") => Kind::Tiles,
        "BINTABLE" | "A3DTABLE" => Kind::Table,
        "TABLE" => Kind::Ascii,
        _ => Kind::Unknown,
    };
    let bytes = if axes == 0 { Some(0) } else { data_bytes(header, axes, is_groups)? };
    let bytes = bytes.filter(|n| *n <= i64::MAX as u64);
    let bytes = bytes.ok_or_else(|| Error::invalid_data("its data are larger than any file"))?;
    Ok(Hdu { key: String::new(), kind, at, data: (data_at, bytes) })
}

fn data_bytes(header: &Header, axes: u64, is_groups: bool) -> Result<Option<u64>> {
    if axes > 999 {
        return Err(Error::invalid_data(format!("{axes} axes are more than 999")));
    }
    let item = header.int("BITPIX").map_or(0, i64::unsigned_abs) / 8;
    let mut elements = Some(1_u64);
    for axis in (1..=axes).skip(usize::from(is_groups)) {
        let length = header.size(&format!("NAXIS{axis}"))?;
        elements = elements.and_then(|n| n.checked_mul(length));
    }
    let (parameters, groups) = (header.size_or("PCOUNT", 0)?, header.size_or("GCOUNT", 1)?);
    let each = elements.and_then(|n| n.checked_add(parameters));
    Ok(each.and_then(|n| n.checked_mul(groups)).and_then(|n| n.checked_mul(item)))
}

fn name(header: &Header, is_primary: bool) -> (String, i64) {
    let name = header.text("EXTNAME").unwrap_or_default().trim().replace('/', "_");
    let name = if name.is_empty() && is_primary { "PRIMARY".to_owned() } else { name };
    (name, header.int("EXTVER").unwrap_or(1))
}

/// An HDU is called by its name; where several have one name, with the version behind it; else by its place.
fn keys(hdus: &mut [Hdu], names: Vec<(String, i64)>) {
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for (name, _) in &names {
        if !seen.insert(name.as_str()) {
            twice.insert(name.clone());
        }
    }
    let mut taken = HashSet::new();
    for (number, (hdu, (name, version))) in hdus.iter_mut().zip(names).enumerate() {
        let wanted = match name.as_str() {
            "" => format!("HDU{number}"),
            name if twice.contains(name) => format!("{name}_{version}"),
            name => name.to_owned(),
        };
        let mut key = wanted.clone();
        while !taken.insert(key.clone()) {
            key = format!("{key}_HDU{number}");
        }
        hdu.key = key;
    }
}
