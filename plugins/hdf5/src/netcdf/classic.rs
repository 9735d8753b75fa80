//! The header of classic netCDF files: CDF-1, CDF-2 (64-bit offsets) and CDF-5 (64-bit sizes).
//!
//! Counts, names and offsets are checked against the file before anything is allocated. The format:
//! <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>.

use tiled_plugin_api::prelude::{Error, ErrorKind, Result, Source};

use super::{
    model::{Group, Place, Stored, Variable},
    number::{Attr, Number},
};

/// Headers are small; a larger one is refused rather than read.
const MAX_HEADER: u64 = 256 << 20;
/// Axes of one variable, as NumPy has at most.
const MAX_RANK: u64 = 64;

/// Whether these are the first bytes of a classic file.
pub(crate) fn is_classic(head: &[u8]) -> bool {
    matches!(head, [b'C', b'D', b'F', 1 | 2 | 5, ..])
}

/// Reads the header of a classic file.
///
/// # Errors
/// `InvalidData` when it is damaged or truncated, `TooLarge` beyond 256 MiB.
pub(crate) fn read_header(source: &Source) -> Result<Group> {
    let len = source.len()?;
    let mut take = 64 << 10;
    loop {
        let take_now = len.min(take);
        let mut head = vec![0; usize::try_from(take_now).map_err(Error::internal)?];
        source.read_exact_at(0, &mut head)?;
        match Header::parse(&head, len) {
            Err(Stop::Short) if take_now < len => {}
            Err(Stop::Short) => return Err(damaged("the header is truncated")),
            Err(Stop::Bad(error)) => return Err(error),
            Ok(group) => return Ok(group),
        }
        take = take.saturating_mul(8);
        if take > MAX_HEADER {
            return Err(Error::new(ErrorKind::TooLarge, "the netCDF header is larger than 256 MiB"));
        }
    }
}

fn damaged(why: impl std::fmt::Display) -> Error {
    Error::invalid_data(format!("the netCDF header is damaged: {why}"))
}

/// Why parsing stopped: more bytes are wanted, or they make no sense.
enum Stop {
    Short,
    Bad(Error),
}

type Parsed<T> = std::result::Result<T, Stop>;

fn bad<T>(why: impl std::fmt::Display) -> Parsed<T> {
    Err(Stop::Bad(damaged(why)))
}

#[derive(Clone, Copy)]
enum Type {
    Char,
    Number(Number),
}

impl Type {
    fn of(code: u32, version: u8) -> Option<Type> {
        let number = match code {
            1 => Number::I8,
            2 => return Some(Type::Char),
            3 => Number::I16,
            4 => Number::I32,
            5 => Number::F32,
            6 => Number::F64,
            7 if version == 5 => Number::U8,
            8 if version == 5 => Number::U16,
            9 if version == 5 => Number::U32,
            10 if version == 5 => Number::I64,
            11 if version == 5 => Number::U64,
            _ => return None,
        };
        Some(Type::Number(number))
    }

    fn size(self) -> u64 {
        match self {
            Type::Char => 1,
            Type::Number(number) => number.size() as u64,
        }
    }
}

struct Dimension {
    name: String,
    length: u64,
    record: bool,
}

/// A variable as the header has it.
struct Entry {
    name: String,
    dims: Vec<usize>,
    attrs: Vec<(String, Attr)>,
    kind: Type,
    begin: u64,
}

struct Header<'a> {
    bytes: &'a [u8],
    at: usize,
    version: u8,
    file: u64,
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8], file: u64) -> Parsed<Group> {
        let version = match bytes {
            [b'C', b'D', b'F', version @ (1 | 2 | 5), ..] => *version,
            _ => return bad("it does not begin as netCDF does"),
        };
        let mut header = Header { bytes, at: 4, version, file };
        let records = header.size()?;
        let streaming = records == if version == 5 { u64::MAX } else { u64::from(u32::MAX) };
        let mut dims = header.list(10, 8, Header::dimension)?;
        let attrs = header.list(12, 12, Header::attribute)?;
        let entries = header.list(11, 28, Header::entry)?;
        for entry in &entries {
            if entry.dims.iter().any(|d| *d >= dims.len()) {
                return bad(format!("{}: a dimension that is not there", entry.name));
            }
        }
        let layout = Layout::of(&entries, &dims)?;
        let records = if streaming { layout.records_in(file, &entries, &dims) } else { records };
        for dim in dims.iter_mut().filter(|dim| dim.record) {
            dim.length = records;
        }
        let variables: Parsed<Vec<_>> =
            entries.into_iter().map(|entry| layout.variable(entry, &dims, file)).collect();
        Ok(Group { attrs, variables: variables?, ..Group::default() })
    }

    fn take(&mut self, len: u64) -> Parsed<&'a [u8]> {
        // What cannot fit the file is forged; what is only beyond the bytes at hand is read later.
        if len > self.file.saturating_sub(self.at as u64) {
            return bad("a length goes beyond the end of the file");
        }
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)).ok_or(Stop::Short)?;
        let part = self.bytes.get(self.at..end).ok_or(Stop::Short)?;
        self.at = end;
        Ok(part)
    }

    fn word(&mut self) -> Parsed<u32> {
        Ok(self.take(4)?.iter().fold(0, |all, b| (all << 8) | u32::from(*b)))
    }

    fn long(&mut self) -> Parsed<u64> {
        Ok((u64::from(self.word()?) << 32) | u64::from(self.word()?))
    }

    /// A count: 4 bytes, in CDF-5 8.
    fn size(&mut self) -> Parsed<u64> {
        if self.version == 5 { self.long() } else { Ok(u64::from(self.word()?)) }
    }

    /// Bytes, followed by padding to a multiple of 4.
    fn padded(&mut self, len: u64) -> Parsed<&'a [u8]> {
        let all = len.checked_next_multiple_of(4).ok_or(Stop::Short)?;
        let part = self.take(all.min(self.file.saturating_sub(self.at as u64)).max(len))?;
        Ok(part.get(..usize::try_from(len).unwrap_or(0)).unwrap_or_default())
    }

    fn name(&mut self) -> Parsed<String> {
        let len = self.size()?;
        Ok(String::from_utf8_lossy(self.padded(len)?).into_owned())
    }

    /// A list: its tag and count (both 0 where it is absent), then items of at least `least` bytes.
    fn list<T>(&mut self, tag: u32, least: u64, item: impl Fn(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let (found, count) = (self.word()?, self.size()?);
        if count == 0 {
            return Ok(vec![]);
        }
        if found != tag {
            return bad(format!("tag {found} where {tag} was expected"));
        }
        if count > self.file / least {
            return bad("more entries than fit the file");
        }
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(item(self)?);
        }
        Ok(all)
    }

    fn dimension(&mut self) -> Parsed<Dimension> {
        let (name, length) = (self.name()?, self.size()?);
        Ok(Dimension { name, length, record: length == 0 })
    }

    fn attribute(&mut self) -> Parsed<(String, Attr)> {
        let name = self.name()?;
        let kind = self.kind(&name)?;
        let count = self.size()?;
        let Some(len) = count.checked_mul(kind.size()) else { return bad(format!("{name}: too long")) };
        let bytes = self.padded(len)?;
        let value = match kind {
            // As netCDF4-python: all NUL dropped.
            Type::Char => Attr::Text(String::from_utf8_lossy(bytes).replace('\0', "")),
            Type::Number(number) => {
                let mut bytes = bytes.to_vec();
                to_native(&mut bytes, number.size());
                Attr::Numbers(number, bytes)
            }
        };
        Ok((name, value))
    }

    fn kind(&mut self, name: &str) -> Parsed<Type> {
        let code = self.word()?;
        match Type::of(code, self.version) {
            Some(kind) => Ok(kind),
            None => bad(format!("{name}: unknown type {code}")),
        }
    }

    fn entry(&mut self) -> Parsed<Entry> {
        let name = self.name()?;
        let rank = self.size()?;
        if rank > MAX_RANK {
            return bad(format!("{name}: {rank} dimensions"));
        }
        let mut dims = Vec::new();
        for _ in 0..rank {
            dims.push(usize::try_from(self.size()?).unwrap_or(usize::MAX));
        }
        let attrs = self.list(12, 12, Header::attribute)?;
        let kind = self.kind(&name)?;
        // The stored size is redundant, and wrong for large variables: counted anew from the dimensions.
        self.size()?;
        let begin = if self.version == 1 { u64::from(self.word()?) } else { self.long()? };
        Ok(Entry { name, dims, attrs, kind, begin })
    }
}

/// Where rows of record variables lie.
struct Layout {
    /// Bytes from record to record.
    record: u64,
}

impl Layout {
    fn of(entries: &[Entry], dims: &[Dimension]) -> Parsed<Layout> {
        let of_records =
            |entry: &&Entry| entry.dims.first().and_then(|d| dims.get(*d)).is_some_and(|d| d.record);
        let mut sizes = Vec::new();
        for entry in entries.iter().filter(of_records) {
            let Some(size) = row_bytes(entry, dims) else { return bad(format!("{}: too large", entry.name)) };
            sizes.push(size);
        }
        // A lone record variable is not padded.
        let record = match sizes.as_slice() {
            [size] => Some(*size),
            sizes => sizes.iter().try_fold(0_u64, |all, n| all.checked_add(n.checked_next_multiple_of(4)?)),
        };
        match record {
            Some(record) => Ok(Layout { record }),
            None => bad("the records are too large"),
        }
    }

    /// Whole records of a file whose writer did not say how many there are.
    fn records_in(&self, file: u64, entries: &[Entry], dims: &[Dimension]) -> u64 {
        let first = entries
            .iter()
            .filter(|e| e.dims.first().and_then(|d| dims.get(*d)).is_some_and(|d| d.record))
            .map(|e| e.begin)
            .min();
        first.and_then(|first| file.saturating_sub(first).checked_div(self.record)).unwrap_or(0)
    }

    fn variable(&self, entry: Entry, dims: &[Dimension], file: u64) -> Parsed<Variable> {
        let used: Vec<&Dimension> = entry.dims.iter().filter_map(|d| dims.get(*d)).collect();
        let shape: Vec<u64> = used.iter().map(|d| d.length).collect();
        if entry.begin > file && !shape.contains(&0) {
            return bad(format!("{}: it begins beyond the end of the file", entry.name));
        }
        let mut strides = vec![0; shape.len()];
        let mut step = Some(entry.kind.size());
        for (axis, dim) in used.iter().enumerate().rev() {
            let stride = if axis == 0 && dim.record { Some(self.record) } else { step };
            let Some(stride) = stride else { return bad(format!("{}: too large", entry.name)) };
            if let Some(place) = strides.get_mut(axis) {
                *place = stride;
            }
            step = stride.checked_mul(dim.length);
        }
        if step.and_then(|all| all.checked_add(entry.begin)).is_none_or(|end| end > i64::MAX as u64) {
            return bad(format!("{}: too large", entry.name));
        }
        let stored = match entry.kind {
            Type::Char => Stored::Char,
            Type::Number(number) => Stored::Number(number),
        };
        Ok(Variable {
            name: entry.name,
            dims: used.iter().map(|d| d.name.clone()).collect(),
            shape,
            stored,
            attrs: entry.attrs,
            chunk: None,
            place: Place::Classic { begin: entry.begin, strides },
        })
    }
}

/// Bytes of one record of a record variable.
fn row_bytes(entry: &Entry, dims: &[Dimension]) -> Option<u64> {
    let mut inner = entry.dims.iter().skip(1).map(|d| dims.get(*d).map_or(0, |d| d.length));
    inner.try_fold(entry.kind.size(), |all, n| all.checked_mul(n))
}

/// Turns big-endian elements into this machine's order.
pub(crate) fn to_native(bytes: &mut [u8], size: usize) {
    if cfg!(target_endian = "big") {
        return;
    }
    swap(bytes, size);
}

/// Reverses the bytes of each element.
pub(crate) fn swap(bytes: &mut [u8], size: usize) {
    match size {
        2 => each::<2>(bytes),
        4 => each::<4>(bytes),
        8 => each::<8>(bytes),
        0 | 1 => {}
        _ => bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse),
    }
}

fn each<const N: usize>(bytes: &mut [u8]) {
    for element in bytes.as_chunks_mut::<N>().0 {
        element.reverse();
    }
}
