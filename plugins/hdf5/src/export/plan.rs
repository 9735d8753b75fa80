//! Where everything of the file will lie, before anything is written.

use tiled_plugin_api::prelude::*;

use super::{
    format::{self, Heaps, Message, SUPERBLOCK_BYTES},
    types,
};

/// A node of the file.
pub(crate) enum Item {
    /// A container.
    Group { attributes: Vec<Message>, children: Vec<(String, Item)> },
    /// An array: type in HDF5's encoding, axes, attributes, values.
    Dataset { data_type: Vec<u8>, shape: Vec<u64>, attributes: Vec<Message>, size: u64, data: Data },
}

/// Values of a dataset.
pub(crate) enum Data {
    /// In memory.
    Ready(Vec<u8>),
    /// Read when their turn has come.
    Later { structure: ArrayStructure, path: String },
}

/// Values that follow the head, in order, each padded to eight bytes.
pub(crate) struct Following {
    pub(crate) size: u64,
    pub(crate) data: Data,
}

/// The file: everything but values, then values.
pub(crate) struct Plan {
    pub(crate) head: Vec<u8>,
    pub(crate) datasets: Vec<Following>,
}

/// Bytes between values of this size and the next.
pub(crate) fn padding(size: u64) -> usize {
    (8 - size as usize % 8) % 8
}

impl Item {
    /// An array whose values come later.
    ///
    /// # Errors
    /// `NotAcceptable` where HDF5 has no such type, `TooLarge` when the size overflows.
    pub(crate) fn array(structure: ArrayStructure, attributes: Vec<Message>, path: String) -> Result<Self> {
        let data_type = types::encode(&structure.data_type)?.bytes;
        let size = structure
            .nbytes()
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, format!("{path}: the array is too large")))?;
        let shape = structure.shape.clone();
        Ok(Item::Dataset { data_type, shape, attributes, size, data: Data::Later { structure, path } })
    }

    /// An array in memory.
    pub(crate) fn ready(data_type: Vec<u8>, shape: Vec<u64>, bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Item::Dataset { data_type, shape, attributes: vec![], size, data: Data::Ready(bytes) }
    }

    /// The messages of its header when its values, or those of its children, lie at these addresses.
    fn messages(&self, addresses: &[u64]) -> Vec<Message> {
        let at = |i: usize| addresses.get(i).copied().unwrap_or(0);
        let (mut messages, attributes) = match self {
            Item::Group { attributes, children } => {
                let mut messages = Message::group().to_vec();
                messages.extend(children.iter().enumerate().map(|(i, (name, _))| Message::link(name, at(i))));
                (messages, attributes)
            }
            Item::Dataset { data_type, shape, attributes, size, .. } => {
                let data_type = Message::data_type(data_type.clone());
                let place = Message::contiguous(at(0), *size);
                (vec![Message::space(shape), data_type, Message::fill(), place], attributes)
            }
        };
        messages.extend(attributes.iter().cloned());
        messages
    }
}

impl Plan {
    /// Lays out the file below `root`.
    ///
    /// # Errors
    /// `TooLarge` when sizes overflow.
    pub(crate) fn new(root: Item, heaps: Heaps) -> Result<Self> {
        let heaps = heaps.finish();
        let headers_at = SUPERBLOCK_BYTES + heaps.len() as u64;
        let headers_len = header_bytes(&root);
        let mut place =
            Place { header: headers_at, data: headers_at + headers_len, headers: vec![], datasets: vec![] };
        let root_at = place.put(root)?;
        let mut head = format::superblock(root_at, place.data);
        head.extend(heaps);
        head.extend(place.headers);
        Ok(Plan { head, datasets: place.datasets })
    }
}

/// Bytes of all headers of a tree.
fn header_bytes(item: &Item) -> u64 {
    let own = format::object_header(&item.messages(&[])).len().next_multiple_of(8) as u64;
    match item {
        Item::Group { children, .. } => {
            own + children.iter().map(|(_, child)| header_bytes(child)).sum::<u64>()
        }
        Item::Dataset { .. } => own,
    }
}

struct Place {
    /// Where the next header goes.
    header: u64,
    /// Where the next values go.
    data: u64,
    headers: Vec<u8>,
    datasets: Vec<Following>,
}

impl Place {
    /// Places an item, its children first, and gives the address of its header.
    fn put(&mut self, item: Item) -> Result<u64> {
        let (item, addresses) = match item {
            Item::Group { attributes, children } => {
                let mut addresses = Vec::with_capacity(children.len());
                let mut names = Vec::with_capacity(children.len());
                for (name, child) in children {
                    addresses.push(self.put(child)?);
                    names.push((name, Item::Group { attributes: vec![], children: vec![] }));
                }
                (Item::Group { attributes, children: names }, addresses)
            }
            Item::Dataset { data_type, shape, attributes, size, data } => {
                let address = self.data;
                let end = size.checked_add(padding(size) as u64).and_then(|n| self.data.checked_add(n));
                let too_large = || Error::new(ErrorKind::TooLarge, "the file would be too large");
                self.data = end.ok_or_else(too_large)?;
                self.datasets.push(Following { size, data });
                let data = Data::Ready(vec![]);
                (Item::Dataset { data_type, shape, attributes, size, data }, vec![address])
            }
        };
        let header = format::object_header(&item.messages(&addresses));
        let at = self.header;
        let padded = header.len().next_multiple_of(8);
        self.header += padded as u64;
        let end = self.headers.len() + padded;
        self.headers.extend(header);
        self.headers.resize(end, 0);
        Ok(at)
    }
}
