//! An opened FITS file.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use tiled_plugin_api::{
    author::Level,
    prelude::{
        Adapter, Child, Children, ChildrenRequest, Context, Description, Error, ErrorKind, Host, OpenRequest,
        Plan, Result, SliceDim, Source, StructureFamily, TableRequest, TableStream,
    },
};

use crate::{
    gz,
    hdu::{self, Hdu, Kind},
    header::Header,
    image::Image,
    table::Table,
};

/// What an HDU holds, once somebody asked for it.
#[derive(Clone)]
enum Content {
    Empty,
    Image(Arc<Image>),
    Table(Arc<Table>),
}

struct Entry {
    hdu: Hdu,
    content: OnceLock<Result<Content>>,
}

/// An opened file.
pub struct FitsAdapter {
    source: Source,
    host: Host,
    entries: Vec<Entry>,
    /// The place of the HDU that is the whole file.
    only: Option<usize>,
}

impl FitsAdapter {
    /// Reads all headers.
    ///
    /// # Errors
    /// `InvalidData` where the first one is damaged, or the only image does not fit into the file.
    pub fn open(cx: &Context, request: &OpenRequest) -> Result<Self> {
        let source = gz::opened(cx, request.source())?;
        let (hdus, warning) = hdu::walk(cx, &source)?;
        if let Some(warning) = warning {
            request.host.log(Level::Warn, &format!("{}: {warning}", source.name()));
        }
        let only = only_image(&hdus);
        let entries = hdus.into_iter().map(|hdu| Entry { hdu, content: OnceLock::new() }).collect();
        let adapter = FitsAdapter { source, host: request.host.clone(), entries, only };
        if let Some(at) = only {
            adapter.content(adapter.entry(at)?)?;
        }
        Ok(adapter)
    }

    fn entry(&self, at: usize) -> Result<&Entry> {
        self.entries.get(at).ok_or_else(|| Error::not_found("there is no such HDU"))
    }

    /// Those that are served as children: all but a primary HDU without data.
    fn children_of_root(&self) -> &[Entry] {
        match self.entries.split_first() {
            Some((first, rest)) if first.hdu.kind == Kind::Empty => rest,
            _ => &self.entries,
        }
    }

    fn at(&self, path: &str) -> Result<&Entry> {
        if let Some(only) = self.only.filter(|_| path.is_empty()) {
            return self.entry(only);
        }
        let found = self.children_of_root().iter().find(|entry| self.only.is_none() && entry.hdu.key == path);
        found.ok_or_else(|| Error::not_found(format!("No such entry: {path}")))
    }

    fn header(&self, hdu: &Hdu) -> Result<Header> {
        Ok(Header::read(&Context::unbounded(), &self.source, hdu.at)?.0)
    }

    fn content(&self, entry: &Entry) -> Result<Content> {
        let read = || {
            let (header, len) = (self.header(&entry.hdu)?, self.source.len()?);
            match entry.hdu.kind {
                Kind::Empty => Ok(Content::Empty),
                Kind::Image | Kind::Tiles => {
                    Ok(Content::Image(Arc::new(Image::of(&header, &entry.hdu, len)?)))
                }
                Kind::Table | Kind::Ascii => {
                    Ok(Content::Table(Arc::new(Table::of(&header, &entry.hdu, len)?)))
                }
                Kind::Unknown => {
                    let what = header.text("XTENSION").unwrap_or("random groups");
                    Err(Error::unsupported_format(format!("HDUs of type {what} are not read")))
                }
            }
        };
        entry.content.get_or_init(read).clone()
    }

    fn describe_entry(&self, entry: &Entry) -> Result<Description> {
        let description = match self.content(entry)? {
            Content::Empty => Description::container(0),
            Content::Image(image) => Description::new(StructureFamily::Array, &image.structure())?,
            Content::Table(table) => Description::new(StructureFamily::Table, &table.structure()?)?,
        };
        let header = self.header(&entry.hdu)?;
        let mut metadata = metadata(&header, entry.hdu.kind);
        // What the empty primary HDU before the only image says, holds for that.
        if let (Some(1), Some(first)) = (self.only, self.entries.first()) {
            let primary = self.header(&first.hdu)?.metadata(|keyword| Some(keyword.to_owned()));
            metadata.insert("primary".into(), Value::Object(primary));
        }
        Ok(description.with_metadata(Value::Object(metadata)))
    }

    fn named(&self, entry: &Entry, error: Error) -> Error {
        error.within(format_args!("{}: HDU {}", self.source.name(), entry.hdu.key))
    }

    fn image(&self, path: &str) -> Result<(&Entry, Arc<Image>)> {
        let entry = self.at(path)?;
        match self.content(entry).map_err(|e| self.named(entry, e))? {
            Content::Image(image) => Ok((entry, image)),
            _ => Err(Error::new(ErrorKind::InvalidArgument, format!("{path} is no array"))),
        }
    }
}

/// The only HDU, or the second where the first has no data, and it is an image.
fn only_image(hdus: &[Hdu]) -> Option<usize> {
    let is_image = |hdu: &Hdu| matches!(hdu.kind, Kind::Image | Kind::Tiles);
    match hdus {
        [one] if is_image(one) => Some(0),
        [first, second] if first.kind == Kind::Empty && is_image(second) => Some(1),
        _ => None,
    }
}

/// The cards of a header; of compressed images those of the image, not those of the table that it is kept in.
fn metadata(header: &Header, kind: Kind) -> Map<String, Value> {
    if kind != Kind::Tiles {
        return header.metadata(|keyword| Some(keyword.to_owned()));
    }
    let is_numbered = |keyword: &str, stem: &str| {
        keyword.strip_prefix(stem).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    header.metadata(|keyword| match keyword {
        "XTENSION" | "BITPIX" | "NAXIS" | "PCOUNT" | "GCOUNT" | "TFIELDS" | "ZIMAGE" | "THEAP" => None,
        "ZBITPIX" | "ZNAXIS" | "ZSIMPLE" | "ZTENSION" | "ZEXTEND" => {
            Some(if keyword == "ZTENSION" { "XTENSION" } else { keyword.get(1..)? }.to_owned())
        }
        _ if is_numbered(keyword, "ZNAXIS") => Some(keyword.get(1..)?.to_owned()),
        _ if ["NAXIS", "TTYPE", "TFORM"].iter().any(|stem| is_numbered(keyword, stem)) => None,
        _ => Some(keyword.to_owned()),
    })
}

impl Adapter for FitsAdapter {
    fn describe(&self, path: &str) -> Result<Description> {
        if path.is_empty() && self.only.is_none() {
            let first = self.entry(0)?;
            let metadata = self.header(&first.hdu)?.metadata(|keyword| Some(keyword.to_owned()));
            let count = self.children_of_root().len() as u64;
            return Ok(Description::container(count).with_metadata(Value::Object(metadata)));
        }
        let entry = self.at(path)?;
        self.describe_entry(entry).map_err(|e| self.named(entry, e))
    }

    fn children(&self, path: &str, request: &ChildrenRequest) -> Result<Children> {
        if !path.is_empty() || self.only.is_some() {
            let entry = self.at(path)?;
            if entry.hdu.kind == Kind::Empty {
                return Ok(Children::default());
            }
            return Err(Error::new(ErrorKind::InvalidArgument, "It has no children"));
        }
        let all = self.children_of_root();
        let skip = usize::try_from(request.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let child = |entry: &Entry| {
            let key = entry.hdu.key.clone();
            if request.keys_only {
                return Child { key, description: None, broken: None };
            }
            match self.describe_entry(entry) {
                Ok(description) => Child { key, description: Some(description), broken: None },
                Err(error) => Child { key, description: None, broken: Some(error.message) },
            }
        };
        Ok(Children { count: all.len() as u64, items: all.iter().skip(skip).take(take).map(child).collect() })
    }

    fn plan(&self, path: &str, slice: &[SliceDim]) -> Result<Option<Plan>> {
        Ok(Some(self.image(path)?.1.plan(slice)))
    }

    fn read_into(&self, cx: &Context, path: &str, slice: &[SliceDim], out: &mut [u8]) -> Result<()> {
        let (entry, image) = self.image(path)?;
        let read = image.read(cx, (&self.source, &self.host), slice, out);
        read.map_err(|e| if e.kind == ErrorKind::Cancelled { e } else { self.named(entry, e) })
    }

    fn read_table(&self, cx: &Context, path: &str, request: &TableRequest) -> Result<TableStream> {
        let entry = self.at(path)?;
        match self.content(entry).map_err(|e| self.named(entry, e))? {
            Content::Table(table) => table.read(cx, self.source.clone(), request),
            _ => Err(Error::new(ErrorKind::InvalidArgument, format!("{path} is no table"))),
        }
    }
}
