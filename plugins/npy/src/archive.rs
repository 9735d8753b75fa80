//! A `.npz` archive: a container of its arrays.

use std::{
    cell::RefCell,
    io::{BufReader, Read},
    sync::OnceLock,
};

use flate2::{Crc, bufread::DeflateDecoder};
use tiled_plugin_api::{
    author::{Adapter, Context, Error, Host, OpenRequest, OwnedBuffer, Result, Source},
    layout::gather::Linear,
    model::{
        ArrayStructure, Child, Children, ChildrenRequest, Description, SliceDim, StructureFamily,
        is_everything,
    },
};
use zip::{CompressionMethod, ZipArchive};

use crate::header::Header;

/// Deflated members up to this size are kept in the host's cache once they are inflated.
const CACHED_BYTES: u64 = 64 << 20;
/// Stored members up to this size are checked as a whole before the first read.
const CHECKED_BYTES: u64 = 256 << 20;
const BUFFER_BYTES: usize = 1 << 16;

/// An opened archive.
pub struct NpzAdapter {
    source: Source,
    host: Host,
    members: Vec<Member>,
}

struct Member {
    key: String,
    /// Where its bytes begin in the archive, and how many there are; or why they cannot be read.
    place: Result<(u64, u64)>,
    is_deflated: bool,
    /// Bytes when inflated, and their checksum.
    len: u64,
    crc: u32,
    header: OnceLock<Header>,
    /// Set once the checksum was found right.
    is_checked: OnceLock<()>,
}

impl NpzAdapter {
    /// Reads the directory of the archive.
    ///
    /// # Errors
    /// `InvalidData` when it is damaged.
    pub fn open(request: &OpenRequest) -> Result<Self> {
        let source = request.source().clone();
        let name = source.name();
        let damaged = |e| Error::invalid_data(format!("{name}: the archive is damaged: {e}"));
        let mut archive = ZipArchive::new(BufReader::new(source.cursor())).map_err(damaged)?;
        let len = source.len()?;
        let mut members = Vec::new();
        for at in 0..archive.len() {
            let file = archive.by_index_raw(at).map_err(damaged)?;
            if file.is_dir() {
                continue;
            }
            let file_name = file.name().map_err(damaged)?;
            members.push(Member {
                key: file_name.strip_suffix(".npy").unwrap_or(&file_name).to_owned(),
                place: place(&file, len),
                is_deflated: file.compression() == CompressionMethod::Deflated,
                len: file.size(),
                crc: file.crc32(),
                header: OnceLock::new(),
                is_checked: OnceLock::new(),
            });
        }
        Ok(NpzAdapter { source, host: request.host.clone(), members })
    }

    fn member(&self, path: &str) -> Result<&Member> {
        let found = self.members.iter().find(|member| member.key == path);
        found.ok_or_else(|| Error::not_found(format!("No such entry: {path}")))
    }

    fn within(&self, member: &Member, error: Error) -> Error {
        error.within(format_args!("{}: member {:?}", self.source.name(), member.key))
    }

    fn bytes<'a>(&'a self, member: &'a Member) -> Result<Box<dyn Linear + 'a>> {
        let (at, stored) = member.place.clone()?;
        let source = &self.source;
        Ok(if member.is_deflated {
            Box::new(Inflated { source, at, stored, len: member.len, stream: RefCell::new(None) })
        } else {
            Box::new(Window { source, at, len: stored })
        })
    }

    fn header<'a>(&self, member: &'a Member) -> Result<&'a Header> {
        if let Some(header) = member.header.get() {
            return Ok(header);
        }
        let header = Header::read(&*self.bytes(member)?, member.len)?;
        Ok(member.header.get_or_init(|| header))
    }

    fn describe_member(&self, member: &Member) -> Result<Description> {
        let header = self.header(member).map_err(|e| self.within(member, e))?;
        let structure = ArrayStructure::single_chunk(header.element.dtype.clone(), header.shape.clone());
        Description::new(StructureFamily::Array, &structure)
    }

    fn read_member(&self, cx: &Context, member: &Member, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let header = self.header(member)?;
        if member.is_deflated && member.len <= CACHED_BYTES && !is_everything(slice, &header.shape) {
            let bytes = self.inflated(member)?;
            return header.read_slice(cx, &Memory(&bytes), slice, out);
        }
        if !member.is_deflated && member.len <= CHECKED_BYTES {
            self.check(cx, member)?;
        }
        header.read_slice(cx, &*self.bytes(member)?, slice, out)?;
        if member.is_deflated && is_everything(slice, &header.shape) {
            self.check_values(member, header, out)?;
        }
        Ok(())
    }

    /// Reads all of a stored member once, to test its checksum.
    fn check(&self, cx: &Context, member: &Member) -> Result<()> {
        if member.is_checked.get().is_some() {
            return Ok(());
        }
        let (file, mut crc) = (self.bytes(member)?, Crc::new());
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut at = 0;
        while at < member.len {
            cx.check()?;
            let part =
                buffer.get_mut(..(member.len - at).min(BUFFER_BYTES as u64) as usize).unwrap_or_default();
            file.fill(at, part)?;
            crc.update(part);
            at += part.len() as u64;
        }
        if crc.sum() != member.crc {
            return Err(wrong_checksum());
        }
        member.is_checked.get_or_init(|| ());
        Ok(())
    }

    /// Tests the checksum with all the values in hand, where these stand as in the file.
    fn check_values(&self, member: &Member, header: &Header, values: &[u8]) -> Result<()> {
        if header.fortran || header.data_at + values.len() as u64 != member.len {
            return Ok(());
        }
        let mut start = vec![0; header.data_at as usize];
        self.bytes(member)?.fill(0, &mut start)?;
        let mut crc = Crc::new();
        crc.update(&start);
        crc.update(values);
        if crc.sum() == member.crc { Ok(()) } else { Err(wrong_checksum()) }
    }

    /// All bytes of a deflated member, out of the host's cache where it has them.
    fn inflated(&self, member: &Member) -> Result<OwnedBuffer> {
        let key = format!("npz {} {:x} {}", self.source.uri(), self.source.version()?, member.key);
        if let Some(bytes) = self.host.cache_get(&key).filter(|bytes| bytes.len() as u64 == member.len) {
            return Ok(bytes);
        }
        let mut bytes = vec![0; member.len as usize];
        self.bytes(member)?.fill(0, &mut bytes)?;
        let mut crc = Crc::new();
        crc.update(&bytes);
        if crc.sum() != member.crc {
            return Err(wrong_checksum());
        }
        let bytes = std::sync::Arc::<[u8]>::from(bytes);
        self.host.cache_put(&key, OwnedBuffer::from_owner(bytes.clone()));
        Ok(OwnedBuffer::from_owner(bytes))
    }
}

fn wrong_checksum() -> Error {
    Error::invalid_data("the checksum is wrong: the archive is damaged")
}

fn place<R: Read>(file: &zip::read::ZipFile<'_, R>, archive_len: u64) -> Result<(u64, u64)> {
    if file.encrypted() {
        return Err(Error::unsupported_format("it is encrypted"));
    }
    if !matches!(file.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        let method = file.compression();
        return Err(Error::unsupported_format(format!("the compression {method:?} is not one of NumPy's")));
    }
    let stored = file.compressed_size();
    let at =
        file.data_start().ok_or_else(|| Error::invalid_data("the archive does not say where it begins"))?;
    if at.checked_add(stored).is_none_or(|end| end > archive_len) {
        return Err(Error::invalid_data("the archive is truncated"));
    }
    if file.compression() == CompressionMethod::Stored && stored != file.size() {
        return Err(Error::invalid_data("it is stored, but its two sizes differ"));
    }
    Ok((at, stored))
}

impl Adapter for NpzAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        if path.is_empty() {
            return Ok(Description::container(self.members.len() as u64));
        }
        self.describe_member(self.member(path)?)
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        if !path.is_empty() {
            self.member(path)?;
            return Err(Error::new(
                tiled_plugin_api::author::ErrorKind::InvalidArgument,
                "An array has no children",
            ));
        }
        let (offset, limit) = (request.offset as usize, usize::try_from(request.limit).unwrap_or(usize::MAX));
        let items = self.members.iter().skip(offset).take(limit).map(|member| {
            let described = (!request.keys_only).then(|| self.describe_member(member));
            let (description, broken) = match described {
                None => (None, None),
                Some(Ok(description)) => (Some(description), None),
                Some(Err(error)) => (None, Some(error.message)),
            };
            Child { key: member.key.clone(), description, broken }
        });
        Ok(Children { count: self.members.len() as u64, items: items.collect() })
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let member = self.member(path)?;
        self.read_member(cx, member, slice, out).map_err(|e| self.within(member, e))
    }
}

/// A stored member.
struct Window<'a> {
    source: &'a Source,
    at: u64,
    len: u64,
}

impl Linear for Window<'_> {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        match offset.checked_add(out.len() as u64) {
            Some(end) if end <= self.len => self.source.read_exact_at(self.at + offset, out),
            _ => Err(Error::invalid_data("the member ends too early")),
        }
    }
}

/// Bytes in memory.
struct Memory<'a>(&'a [u8]);

impl Linear for Memory<'_> {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(start..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or_else(|| Error::invalid_data("the member ends too early"))?);
        Ok(())
    }
}

/// A deflated member, inflated as far as it is read and never kept: a bomb costs time that the deadline ends, but no
/// memory.
struct Inflated<'a> {
    source: &'a Source,
    at: u64,
    stored: u64,
    len: u64,
    stream: RefCell<Option<(DeflateDecoder<BufReader<Stored<'a>>>, u64)>>,
}

impl Linear for Inflated<'_> {
    fn fill(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > self.len) {
            return Err(Error::invalid_data("the member ends too early"));
        }
        let mut stream = self.stream.borrow_mut();
        if stream.as_ref().is_none_or(|(_, position)| *position > offset) {
            let stored = Stored { source: self.source, at: self.at, end: self.at + self.stored };
            *stream = Some((DeflateDecoder::new(BufReader::with_capacity(BUFFER_BYTES, stored)), 0));
        }
        let Some((inflate, position)) = stream.as_mut() else { return Ok(()) };
        let damaged =
            |e: std::io::Error| Error::invalid_data(format!("the compressed data are damaged: {e}"));
        let mut skipped = vec![0; BUFFER_BYTES.min((offset - *position) as usize)];
        while *position < offset {
            let length = (offset - *position).min(skipped.len() as u64);
            inflate.read_exact(skipped.get_mut(..length as usize).unwrap_or_default()).map_err(damaged)?;
            *position += length;
        }
        inflate.read_exact(out).map_err(damaged)?;
        *position += out.len() as u64;
        Ok(())
    }
}

/// The compressed bytes of a member.
struct Stored<'a> {
    source: &'a Source,
    at: u64,
    end: u64,
}

impl Read for Stored<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = (self.end - self.at).min(out.len() as u64) as usize;
        let out = out.get_mut(..length).unwrap_or_default();
        let got = self.source.read_at(self.at, out).map_err(std::io::Error::other)?;
        self.at += got as u64;
        Ok(got)
    }
}
