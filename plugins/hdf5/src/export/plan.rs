//! Where everything of the file will lie, before anything is written.

use std::collections::BTreeMap;

use tiled_plugin_api::prelude::*;

use super::{
    Kept,
    convert::Convert,
    format::{self, Message, SUPERBLOCK_BYTES},
    heaps::Heaps,
    store::{Extent, Store},
};

/// A node of the file.
#[allow(clippy::large_enum_variant, reason = "most items are datasets")]
pub(crate) enum Item {
    /// A container.
    Group { attributes: Vec<Message>, children: Vec<(String, Item)> },
    /// An array.
    Dataset(Dataset),
}

/// An array of the file.
pub(crate) struct Dataset {
    /// In HDF5's encoding.
    pub(crate) data_type: Vec<u8>,
    pub(crate) shape: Vec<u64>,
    pub(crate) attributes: Vec<Message>,
    /// Names of the axes, in netCDF.
    pub(crate) dims: Vec<String>,
    /// The numbers of the dimensions along the axes, where these are others' datasets.
    pub(crate) along: Vec<usize>,
    /// The number of the dimension that this is.
    pub(crate) scale: Option<usize>,
    /// Bytes of the values.
    pub(crate) size: u64,
    pub(crate) data: Data,
}

/// Values of a dataset.
pub(crate) enum Data {
    /// None that take place: a dimension without coordinates.
    Nothing,
    /// Waiting in the store.
    Kept(Vec<Extent>),
    /// Read when their turn has come.
    Later { structure: ArrayStructure, path: String, convert: Convert },
}

/// Values that follow the head, in order, each padded to eight bytes.
pub(crate) struct Following {
    pub(crate) size: u64,
    pub(crate) data: Data,
}

/// The file: everything but values, then values.
pub(crate) struct Plan {
    superblock: Vec<u8>,
    texts: Vec<Extent>,
    references: Vec<u8>,
    headers: Vec<u8>,
    pub(crate) datasets: Vec<Following>,
    pub(crate) store: Store,
}

/// Bytes between values of this size and the next.
pub(crate) fn padding(size: u64) -> usize {
    (8 - size as usize % 8) % 8
}

impl Item {
    /// An array that waits in the store.
    pub(crate) fn kept(data_type: Vec<u8>, shape: Vec<u64>, extents: Vec<Extent>) -> Self {
        let size = extents.iter().map(|extent| extent.len).sum();
        Item::Dataset(Dataset { size, data: Data::Kept(extents), ..Dataset::new(data_type, shape) })
    }
}

impl Dataset {
    pub(crate) fn new(data_type: Vec<u8>, shape: Vec<u64>) -> Self {
        Dataset {
            data_type,
            shape,
            attributes: vec![],
            dims: vec![],
            along: vec![],
            scale: None,
            size: 0,
            data: Data::Nothing,
        }
    }

    fn messages(&self, address: u64, references: &mut References) -> Result<Vec<Message>> {
        let address = (!matches!(self.data, Data::Nothing)).then_some(address);
        let mut messages = vec![
            Message::space(&self.shape),
            Message::data_type(self.data_type.clone()),
            Message::fill(),
            Message::contiguous(address, self.size),
        ];
        messages.extend(self.attributes.iter().cloned());
        if !self.along.is_empty() {
            let mut value = Vec::with_capacity(16 * self.along.len());
            for number in &self.along {
                value.extend(references.to(*number)?);
            }
            let space = Message::space(&[self.along.len() as u64]);
            messages.push(Message::attribute("DIMENSION_LIST", &format::reference_list(), &space, &value)?);
        }
        Ok(messages)
    }
}

/// References from variables to their dimensions: each a list of one address in a heap.
struct References {
    heaps: Heaps,
    store: Store,
    start: u64,
    /// Where an address must be put, and that of which dimension.
    open: Vec<(u64, usize)>,
}

impl References {
    fn to(&mut self, number: usize) -> Result<[u8; 16]> {
        let (place, at) = self.heaps.put(1, &[0; 8], &mut self.store)?;
        self.open.push((at - self.start, number));
        Ok(place)
    }

    /// The bytes of the heaps, with the addresses of the dimensions in them.
    fn finish(mut self, addresses: &BTreeMap<usize, u64>) -> Result<Vec<u8>> {
        let (extents, _) = self.heaps.finish(&mut self.store)?;
        let mut bytes = vec![];
        for extent in extents {
            self.store.read(extent, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
        }
        for (at, number) in self.open {
            let at = usize::try_from(at).map_err(Error::internal)?;
            let address = addresses.get(&number).ok_or_else(|| Error::internal("a dimension is missing"))?;
            let slot = bytes.get_mut(at..at + 8).ok_or_else(|| Error::internal("a reference is missing"))?;
            slot.copy_from_slice(&address.to_le_bytes());
        }
        Ok(bytes)
    }

    fn bytes(&self) -> Result<u64> {
        // As many references take as many bytes, wherever they lie.
        let mut other = References { heaps: Heaps::at(0), store: Store::default(), start: 0, open: vec![] };
        for _ in &self.open {
            other.to(0)?;
        }
        Ok(other.heaps.finish(&mut other.store)?.1)
    }
}

impl Plan {
    /// Lays out the file below `root`.
    ///
    /// # Errors
    /// `TooLarge` when sizes overflow; those of the store.
    pub(crate) fn new(root: Item, kept: Kept) -> Result<Self> {
        let Kept { heaps, mut store, .. } = kept;
        let (texts, start) = heaps.finish(&mut store)?;
        let references =
            || References { heaps: Heaps::at(start), store: Store::default(), start, open: vec![] };
        let mut measured = references();
        let headers_len = header_bytes(&root, &mut measured)?;
        let headers_at = start + measured.bytes()?;
        let mut place = Place {
            header: headers_at,
            data: headers_at + headers_len,
            headers: vec![],
            datasets: vec![],
            references: references(),
            scales: BTreeMap::new(),
        };
        let root_at = place.put(root)?;
        let superblock = format::superblock(root_at, place.data);
        let references = place.references.finish(&place.scales)?;
        Ok(Plan { superblock, texts, references, headers: place.headers, datasets: place.datasets, store })
    }

    /// Writes everything but the values.
    ///
    /// # Errors
    /// Those of the sink and the store.
    pub(crate) fn write_head(&self, sink: &mut Sink) -> Result<()> {
        debug_assert_eq!(self.superblock.len() as u64, SUPERBLOCK_BYTES);
        sink.put(&self.superblock)?;
        for texts in &self.texts {
            self.store.read(*texts, &mut |piece| sink.put(piece))?;
        }
        sink.put(&self.references)?;
        sink.put(&self.headers)
    }
}

/// Bytes of all headers of a tree.
fn header_bytes(item: &Item, references: &mut References) -> Result<u64> {
    let (messages, below) = match item {
        Item::Group { attributes, children } => {
            let names = children.iter().map(|(name, _)| (name.clone(), 0));
            let mut below = 0;
            for (_, child) in children {
                below += header_bytes(child, references)?;
            }
            (group(attributes, names), below)
        }
        Item::Dataset(dataset) => (dataset.messages(0, references)?, 0),
    };
    Ok(format::object_header(&messages).len().next_multiple_of(8) as u64 + below)
}

fn group(attributes: &[Message], children: impl Iterator<Item = (String, u64)>) -> Vec<Message> {
    let mut messages = Message::group().to_vec();
    messages.extend(children.map(|(name, address)| Message::link(&name, address)));
    messages.extend(attributes.iter().cloned());
    messages
}

struct Place {
    /// Where the next header goes.
    header: u64,
    /// Where the next values go.
    data: u64,
    headers: Vec<u8>,
    datasets: Vec<Following>,
    references: References,
    /// Addresses of the dimensions.
    scales: BTreeMap<usize, u64>,
}

impl Place {
    /// Places an item, its children first, and gives the address of its header.
    fn put(&mut self, item: Item) -> Result<u64> {
        let (messages, scale) = match item {
            Item::Group { attributes, children } => {
                let mut addresses = Vec::with_capacity(children.len());
                for (name, child) in children {
                    addresses.push((name, self.put(child)?));
                }
                (group(&attributes, addresses.into_iter()), None)
            }
            Item::Dataset(dataset) => {
                let messages = dataset.messages(self.data, &mut self.references)?;
                if !matches!(dataset.data, Data::Nothing) {
                    let size = dataset.size;
                    let end = size.checked_add(padding(size) as u64).and_then(|n| self.data.checked_add(n));
                    let too_large = || Error::new(ErrorKind::TooLarge, "the file would be too large");
                    self.data = end.ok_or_else(too_large)?;
                    self.datasets.push(Following { size, data: dataset.data });
                }
                (messages, dataset.scale)
            }
        };
        let header = format::object_header(&messages);
        let at = self.header;
        if let Some(number) = scale {
            self.scales.insert(number, at);
        }
        let padded = header.len().next_multiple_of(8);
        self.header += padded as u64;
        let end = self.headers.len() + padded;
        self.headers.extend(header);
        self.headers.resize(end, 0);
        Ok(at)
    }
}
