//! `application/x-hdf5`: any node as an HDF5 file, laid out as Tiled's Python server does; and `application/x-netcdf`, the
//! same as netCDF-4.
//!
//! Containers and tables become groups, arrays and columns datasets, metadata attributes; metadata that no attribute holds
//! are one of JSON text. A sparse array becomes the datasets `data` and `coords`, a lone array one dataset, an awkward
//! array a group of its buffers. Takes a payload, gives a stream of bytes; never holds more than one slab of an array, and
//! of tables a bounded part. Of a container nothing is left out silently but broken links: what has no form in HDF5 is an
//! error that names it.

mod convert;
mod format;
mod heaps;
mod metadata;
mod netcdf;
mod plan;
mod store;
mod table;
mod types;
mod walk;

use serde_json::Map;
use tiled_plugin_api::{layout::parts, prelude::*};

use heaps::Heaps;
use plan::{Data, Item, Plan};
use store::Store;
use walk::{Walk, attributes_of};

/// Writes HDF5 files.
pub struct Hdf5Serializer;

/// Writes netCDF-4 files.
pub struct NetcdfSerializer;

/// Whose conventions a file keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavour {
    /// h5py's.
    Hdf5,
    /// netCDF-4's and xarray's.
    Netcdf,
}

impl Serializer for Hdf5Serializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        encode(cx, request, payload, Flavour::Hdf5, sink)
    }
}

impl Serializer for NetcdfSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        encode(cx, request, payload, Flavour::Netcdf, sink)
    }
}

fn encode(
    cx: &Context,
    request: &EncodeRequest,
    payload: Payload,
    flavour: Flavour,
    sink: &mut Sink,
) -> Result<()> {
    let refuses_objects = flavour == Flavour::Hdf5
        && request.structure_family == StructureFamily::Container
        && request.parameter("metadata") != Some("json");
    let heaps = Heaps::at(format::SUPERBLOCK_BYTES);
    let mut kept = Kept { heaps, store: Store::default(), flavour, refuses_objects };
    let is_dataset = request.specs.iter().any(|spec| spec.name == "xarray_dataset");
    let metadata = attributes_of(&request.metadata, is_dataset);
    let mut attributes = metadata::attributes(&metadata, &mut kept)?;
    let (children, source) = match payload {
        Payload::Node(node) => {
            let mut walk = Walk::new(cx, &*node, &mut kept);
            let children = walk.root(request.fields.as_deref())?;
            attributes.extend(walk.coordinates(is_dataset)?);
            (children, Source::Node(node))
        }
        Payload::Table(stream) if request.structure_family == StructureFamily::Sparse => {
            (table::sparse(cx, stream, &mut kept)?, Source::Nothing)
        }
        Payload::Table(stream) => (table::columns(cx, stream, &mut kept)?, Source::Nothing),
        Payload::Array(slabs) => {
            let name = if request.key.is_empty() { "data" } else { &request.key };
            let array = walk::array(request.structure()?, Map::new(), name.to_owned(), &mut kept)?;
            (vec![(name.to_owned(), Item::Dataset(array))], Source::Slabs(slabs))
        }
        _ => {
            let message = format!("{} cannot be made of this kind of values", request.essence());
            return Err(Error::new(ErrorKind::NotAcceptable, message));
        }
    };
    let mut root = Item::Group { attributes, children };
    if flavour == Flavour::Netcdf {
        root = netcdf::with_dimensions(root, &mut 0)?;
    }
    write(cx, Plan::new(root, kept)?, source, sink)
}

/// What waits until the file's head is known.
struct Kept {
    /// Texts.
    heaps: Heaps,
    /// Texts that are in full heaps, and values.
    store: Store,
    flavour: Flavour,
    /// As Tiled refuses containers whose metadata are nested, unless JSON text was asked for in their place.
    refuses_objects: bool,
}

impl Kept {
    /// Keeps a text and gives the 16 bytes that stand for it.
    fn text(&mut self, text: &[u8]) -> Result<[u8; 16]> {
        Ok(self.heaps.put(text.len(), text, &mut self.store)?.0)
    }
}

/// Where values come from that are not in memory yet.
enum Source {
    Nothing,
    Node(std::sync::Arc<dyn Adapter>),
    Slabs(Slabs),
}

/// Bytes of an array that are read at once.
const SLAB_BYTES: u64 = 16 << 20;

fn write(cx: &Context, mut plan: Plan, source: Source, sink: &mut Sink) -> Result<()> {
    plan.write_head(sink)?;
    let mut source = source;
    for dataset in std::mem::take(&mut plan.datasets) {
        cx.check()?;
        let mut written = 0;
        let mut put = |bytes: OwnedBuffer, sink: &mut Sink| {
            written += bytes.len() as u64;
            sink.put_owned(bytes)
        };
        match (dataset.data, &mut source) {
            (Data::Nothing, _) => {}
            (Data::Kept(extents), _) => {
                for extent in extents {
                    plan.store.read(extent, &mut |piece| put(OwnedBuffer::from_vec(piece.to_vec()), sink))?;
                }
            }
            (Data::Later { structure, path, convert }, Source::Node(node)) => {
                parts::for_each_slice(&structure, SLAB_BYTES, &mut |slice: &[SliceDim]| {
                    cx.check()?;
                    put(convert.apply(parts::read(&**node, cx, &path, &structure, slice)?), sink)
                })?;
            }
            (Data::Later { convert, .. }, Source::Slabs(slabs)) => {
                while let Some(slab) = slabs.next()? {
                    put(convert.apply(slab.bytes), sink)?;
                }
            }
            (Data::Later { .. }, Source::Nothing) => {
                return Err(Error::internal("an array without a source"));
            }
        }
        if written != dataset.size {
            return Err(Error::internal(format!("{written} bytes were written, {} announced", dataset.size)));
        }
        sink.put(&vec![0; plan::padding(dataset.size)])?;
    }
    Ok(())
}
