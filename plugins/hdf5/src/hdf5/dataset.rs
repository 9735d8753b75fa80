//! A dataset as it was found: extent, element, layout, attributes, and its chunk index once values are wanted.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use serde_json::Value;
use tiled_plugin_api::prelude::*;

use super::{
    element::{Element, Form, Refusal},
    file::{H5File, Snapshot},
    links::Located,
    raw::{self, Id, RawLayout, Space},
};
use crate::filters;

/// Everything about a dataset but its values.
#[derive(Clone)]
pub(crate) struct Dataset {
    /// Its file.
    pub(crate) file: Arc<H5File>,
    /// The state of the file that this describes.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Its path within the file.
    pub(crate) inner: String,
    /// Lengths of the axes of its dataspace; none for a scalar.
    pub(crate) shape: Vec<u64>,
    /// What an element is.
    pub(crate) element: Element,
    /// Where the elements lie.
    pub(crate) layout: RawLayout,
    /// Bytes of one stored element that was never written; empty for zeros.
    pub(crate) fill: Vec<u8>,
    /// Its attributes.
    pub(crate) attributes: Value,
    index: Arc<OnceLock<Index>>,
}

/// Where a chunk lies in the file, in bytes, and the filters it was written without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) mask: u32,
}

enum Index {
    /// By the number of the chunk in C order.
    Known(HashMap<u128, Entry>),
    /// Too large to keep: libhdf5 is asked every time.
    Ask,
}

/// Chunks whose places are kept for one dataset (some 50 bytes each).
const MAX_KNOWN_CHUNKS: u64 = 1 << 20;

impl Dataset {
    /// Looks at an opened object.
    ///
    /// # Errors
    /// `UnsupportedFormat` for types without a NumPy form and for null dataspaces, `InvalidData` for damage.
    pub(crate) fn open(located: Located) -> Result<Arc<Dataset>> {
        let Located { file, snapshot, object, inner, .. } = located;
        let place = format!("{}: dataset /{inner}", snapshot.name);
        Dataset::look(file, snapshot, object, inner).map_err(|e| e.within(place))
    }

    fn look(file: Arc<H5File>, snapshot: Arc<Snapshot>, object: Id, inner: String) -> Result<Arc<Dataset>> {
        let attributes = Value::Object(raw::attributes(&object, &|at| snapshot.name_of(at))?);
        let opened = raw::open_dataset(object);
        let info = raw::create_info(&opened)?;
        let shape = match info.space {
            Space::Null => {
                return Err(Error::unsupported_format("it has no elements at all (a null dataspace)"));
            }
            Space::Scalar => vec![],
            Space::Simple(dims) => dims,
        };
        if let RawLayout::Chunked { shape: chunk, .. } = &info.layout
            && chunk.len() != shape.len()
        {
            return Err(Error::invalid_data("its chunks have not its number of axes"));
        }
        let element = element_of(&info.type_id)?;
        let fill = if element.native || info.fill.len() != element.stored { vec![] } else { info.fill };
        Ok(Arc::new(Dataset {
            file,
            snapshot,
            inner,
            shape,
            element,
            layout: info.layout,
            fill,
            attributes,
            index: Arc::default(),
        }))
    }

    /// The same dataset with other lengths of its axes.
    pub(crate) fn resized(self: Arc<Self>, shape: Vec<u64>) -> Arc<Self> {
        Arc::new(Dataset { shape, ..Arc::unwrap_or_clone(self) })
    }

    /// The same dataset, its texts this many bytes wide.
    pub(crate) fn widened(self: Arc<Self>, bytes: u64) -> Arc<Self> {
        let mut dataset = Arc::unwrap_or_clone(self);
        dataset.element.data_type = DataType::native(Kind::Bytes, bytes.max(1));
        Arc::new(dataset)
    }

    /// For messages: file and path.
    pub(crate) fn place(&self) -> String {
        format!("{}: dataset /{}", self.snapshot.name, self.inner)
    }

    /// Lengths of the axes that are served: those of the dataspace and of an array type.
    pub(crate) fn served_shape(&self) -> Vec<u64> {
        self.shape.iter().chain(&self.element.axes).copied().collect()
    }

    /// Whether only libhdf5 can read the values.
    pub(crate) fn needs_library(&self) -> bool {
        match &self.layout {
            RawLayout::Inside => true,
            RawLayout::Chunked { filters, .. } => {
                self.element.native || filters.iter().any(|f| LIBRARY_FILTERS.contains(&f.id))
            }
            RawLayout::Contiguous(_) | RawLayout::External(_) => self.element.native,
            RawLayout::Virtual(_) => false,
        }
    }

    /// Opens it with libhdf5 again.
    pub(crate) fn reopen(&self) -> Result<raw::OpenDataset> {
        Ok(raw::open_dataset(raw::open_child(self.snapshot.session()?, &self.inner)?))
    }

    /// Its type as libhdf5 knows it: the native one where `element.native`.
    pub(crate) fn memory_type(&self, opened: &raw::OpenDataset) -> Result<Id> {
        let stored = raw::create_info(opened)?.type_id;
        if self.element.native { raw::native_type(&stored) } else { Ok(stored) }
    }

    /// Where the chunk at these coordinates (counted in chunks) lies; `None` where it was never written.
    ///
    /// # Errors
    /// `InvalidData` when the index is damaged.
    pub(crate) fn chunk(&self, coordinates: &[u64]) -> Result<Option<Entry>> {
        let RawLayout::Chunked { shape: chunk, .. } = &self.layout else { return Ok(None) };
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let index = self.read_index(chunk)?;
                self.index.get_or_init(|| index)
            }
        };
        match index {
            Index::Known(entries) => Ok(entries.get(&self.number(chunk, coordinates)).copied()),
            Index::Ask => {
                let start: Vec<u64> =
                    coordinates.iter().zip(chunk).map(|(i, n)| i.saturating_mul(*n)).collect();
                let record = raw::chunk_record_at(&self.reopen()?, &start)?;
                Ok(record.map(|r| Entry { address: r.address, size: r.size, mask: r.mask }))
            }
        }
    }

    /// The number of a chunk in C order.
    pub(crate) fn number(&self, chunk: &[u64], coordinates: &[u64]) -> u128 {
        let grid = self.shape.iter().zip(chunk).map(|(n, c)| n.div_ceil((*c).max(1)));
        let add =
            |all: u128, (n, i): (u64, &u64)| all.wrapping_mul(u128::from(n)).wrapping_add(u128::from(*i));
        grid.zip(coordinates).fold(0, add)
    }

    fn read_index(&self, chunk: &[u64]) -> Result<Index> {
        let opened = self.reopen()?;
        let mut entries = HashMap::new();
        let mut add = |record: raw::ChunkRecord| {
            let at: Vec<u64> = record.start.iter().zip(chunk).map(|(s, n)| s / (*n).max(1)).collect();
            let entry = Entry { address: record.address, size: record.size, mask: record.mask };
            entries.insert(self.number(chunk, &at), entry);
        };
        let known = raw::chunk_records(&opened, chunk.len(), MAX_KNOWN_CHUNKS, &mut add)?;
        Ok(if known { Index::Known(entries) } else { Index::Ask })
    }
}

/// n-bit and scale-offset: written so rarely that libhdf5's own decoders do.
const LIBRARY_FILTERS: [u32; 2] = [5, 6];

/// Refuses a pipeline with a filter that nobody here knows.
pub(crate) fn check_filters(filters: &[filters::Filter]) -> Result<()> {
    let unknown = filters.iter().find(|f| !filters::is_supported(f.id) && !LIBRARY_FILTERS.contains(&f.id));
    match unknown {
        None => Ok(()),
        Some(filter) => Err(Error::unsupported_format(format!(
            "it is compressed with the HDF5 filter {} ({}), which this server does not know: repack it with gzip, zstd, \
             lz4 or blosc",
            filter.id,
            filters::name(filter.id)
        ))),
    }
}

fn element_of(type_id: &Id) -> Result<Element> {
    let unsupported = |why: &str| Error::unsupported_format(format!("{why} cannot be served as an array"));
    let info = raw::describe_type(type_id)?;
    match Element::of(&info) {
        Ok(element) => return Ok(element),
        Err(Refusal::Unsupported(why)) => return Err(unsupported(why)),
        Err(Refusal::Convert) => {}
    }
    let native = raw::describe_type(&raw::native_type(type_id)?)?;
    match Element::of(&native) {
        Ok(element) if element.form != Form::Text => Ok(Element { native: true, ..element }),
        Ok(_) | Err(Refusal::Convert) => Err(unsupported("a number type without a NumPy form")),
        Err(Refusal::Unsupported(why)) => Err(unsupported(why)),
    }
}
