//! An array that is written to.

use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::Value;
use tiled_plugin_api::{
    author::{
        Context, Error, ErrorKind, Host, OpenRequest, Payload, Result, Slabs, Source, Storage, WriteRequest,
    },
    disk::Replacements,
    model::{ArrayStructure, DataType, SliceDim, chunks_of},
};

use super::{
    changes,
    region::{Band, Target, Written},
};
use crate::{
    adapter::is_served_as,
    meta::{ArrayMeta, Element, Node, parse, to_text},
    order::{order, swap, swap_fields, swapped_fields},
    read::Stored,
    tree::Tree,
};

/// An opened array.
pub struct ZarrStorage {
    source: Source,
    host: Host,
    directory: PathBuf,
    meta: ArrayMeta,
    /// The metadata file and what it says.
    marker: (&'static str, Value),
    structure: ArrayStructure,
    /// One element where nothing was written, in the stored byte order.
    fill: Vec<u8>,
    state: Mutex<State>,
}

/// What waits for the commit.
#[derive(Default)]
struct State {
    written: Written,
    /// The metadata of the extended array.
    meta: Option<(Replacements, ArrayMeta)>,
    /// Its shape as the catalog will have it.
    shape: Vec<u64>,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

impl ZarrStorage {
    /// Opens the array in a directory.
    ///
    /// # Errors
    /// `Unsupported` for what is no local directory, `UnsupportedFormat` for groups and for codecs that lose something.
    pub fn open(request: &OpenRequest) -> Result<Self> {
        let source = request.source().clone();
        let directory = source.local_path().filter(|_| source.is_directory());
        let directory =
            directory.ok_or_else(|| Error::unsupported("writing to what is no local directory"))?;
        let tree = Tree::new(source.clone());
        let node = tree.node("")?;
        let refused = |why: &str| Err(Error::unsupported_format(format!("{}: {why}", source.name())));
        let Node::Array(meta) = &*node else {
            return refused("only arrays with codecs and chunks of the usual kinds are written to");
        };
        let Element::Fixed(stored) = &meta.element else {
            return refused("arrays of texts of any length are only read");
        };
        if !meta.chain.is_writable() {
            return refused("its codecs lose something, so it is only read");
        }
        let (name, bytes) = tree.metadata("")?;
        let given = request.structure.clone().and_then(|structure| serde_json::from_value(structure).ok());
        let given = given.filter(|structure| is_served_as(meta, structure));
        let mut fill = meta.fill.clone();
        let (unit, big) = order(stored);
        if big != meta.chain.is_big() {
            swap(&mut fill, unit);
        }
        Ok(ZarrStorage {
            structure: given.unwrap_or_else(|| meta.structure(0)),
            marker: (name, parse(&bytes)?),
            meta: ArrayMeta::clone(meta),
            host: request.host.clone(),
            source,
            directory,
            fill,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn target<'a>(&'a self, cx: &'a Context, meta: &'a ArrayMeta, shape: &'a [u64]) -> Target<'a> {
        let stored = Stored { source: &self.source, path: "", meta };
        Target { cx, host: &self.host, stored, directory: &self.directory, shape, fill: &self.fill }
    }

    /// The shape that the array has after a write.
    fn shape_after(&self, request: &WriteRequest, slice: &[SliceDim]) -> Result<Vec<u64>> {
        let old = &self.structure.shape;
        let new = request.extend_to.as_ref().unwrap_or(old);
        if new.len() != old.len() || new.iter().zip(old).any(|(new, old)| new < old) {
            return Err(invalid(format!("An array of shape {old:?} cannot be extended to {new:?}")));
        }
        if new.iter().any(|n| i64::try_from(*n).is_err()) {
            return Err(invalid(format!("The shape {new:?} is larger than any array")));
        }
        let fits = slice.len() == new.len()
            && slice.iter().zip(new).all(|(dim, n)| {
                (dim.step == 1 || dim.count <= 1)
                    && dim.start.checked_add(dim.count).is_some_and(|end| end <= *n)
            });
        if fits {
            return Ok(new.clone());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            format!("The region does not lie within the array's shape {new:?}"),
        ))
    }

    /// Writes the metadata of a larger array beside its own. A store that is larger than the catalog says stays so.
    fn extend(&self, meta: &mut ArrayMeta, shape: &[u64]) -> Result<Option<Replacements>> {
        let larger: Vec<u64> = meta.shape.iter().zip(shape).map(|(one, other)| *one.max(other)).collect();
        if larger == meta.shape {
            return Ok(None);
        }
        let (name, mut text) = (self.marker.0, self.marker.1.clone());
        if let Some(object) = text.as_object_mut() {
            object.insert("shape".into(), serde_json::json!(larger));
        }
        meta.shape = larger;
        let mut files = Replacements::default();
        files.write(&self.directory.join(name), &[to_text(&text)?.as_bytes()])?;
        Ok(Some(files))
    }

    /// In the stored byte order; not copied where that is the client's.
    fn ordered(&self, band: Band) -> Band {
        let Element::Fixed(stored) = &self.meta.element else { return band };
        let served: &DataType = &self.structure.data_type;
        let ((unit, big), fields) = (order(served), swapped_fields(stored, served));
        // What is stored as raw bytes is stored as it comes.
        let swapped = unit > 1 && big != self.meta.chain.is_big() && order(stored).0 == unit;
        if !swapped && fields.is_empty() {
            return band;
        }
        let mut bytes = (*band).as_ref().to_vec();
        if swapped {
            swap(&mut bytes, unit);
        }
        swap_fields(&mut bytes, self.fill.len(), &fields);
        Arc::new(bytes)
    }

    fn write_slabs(
        &self,
        target: &Target,
        slice: &[SliceDim],
        mut slabs: Slabs,
        written: &mut Written,
    ) -> Result<()> {
        let counts = slice.iter().map(|dim| dim.count);
        let elements = counts.clone().skip(1).try_fold(1u64, u64::checked_mul);
        let row = elements.and_then(|n| usize::try_from(n).ok()?.checked_mul(self.fill.len()));
        let row = row.ok_or_else(|| invalid("The region is larger than any memory"))?;
        let (rows, first) = slice.first().map_or((1, 0), |dim| (dim.count, dim.start));
        if rows == 0 || row == 0 {
            return Ok(());
        }
        let chunk = target.stored.meta.chunk_shape.first().copied().unwrap_or(1);
        let (mut done, mut held) = (0u64, Vec::new());
        while let Some(slab) = slabs.next()? {
            if slab.bytes.len() % row != 0 {
                return Err(wrong_length(slab.bytes.len(), row));
            }
            let end = done + ((held.len() + slab.bytes.len()) / row) as u64;
            if end > rows {
                return Err(wrong_length(slab.bytes.len(), row.saturating_mul(rows as usize)));
            }
            // Up to the last border between chunks, so that none is written in parts.
            let cut = if end == rows { end } else { ((first + end) / chunk * chunk).saturating_sub(first) };
            let band: Band = match cut.checked_sub(done) {
                None | Some(0) => {
                    held.extend_from_slice(&slab.bytes);
                    continue;
                }
                Some(_) if held.is_empty() && cut == end => Arc::new(slab.bytes),
                Some(count) => {
                    held.extend_from_slice(&slab.bytes);
                    let rest = held.split_off(count as usize * row);
                    Arc::new(std::mem::replace(&mut held, rest))
                }
            };
            let mut part = slice.to_vec();
            if let Some(axis) = part.first_mut() {
                *axis = SliceDim::range(first + done, cut - done);
            }
            target.write(&part, &self.ordered(band), written)?;
            done = cut;
        }
        if done == rows { Ok(()) } else { Err(wrong_length(held.len(), row.saturating_mul(rows as usize))) }
    }
}

fn wrong_length(got: usize, wanted: usize) -> Error {
    invalid(format!("{got} bytes were sent where {wanted} are wanted"))
}

impl Storage for ZarrStorage {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let Payload::Array(slabs) = payload else {
            return Err(invalid("An array is written as bytes of its elements"));
        };
        let shape = self.shape_after(request, slice)?;
        let mut meta = self.meta.clone();
        let extended = self.extend(&mut meta, &shape)?;
        let mut written = Written::default();
        self.write_slabs(&self.target(cx, &meta, &shape), slice, slabs, &mut written)?;
        let mut structure = None;
        if shape != self.structure.shape {
            let chunks = chunks_of(&shape, meta.chain.readable(&meta.chunk_shape));
            let changed = ArrayStructure { shape: shape.clone(), chunks, ..self.structure.clone() };
            structure = Some(serde_json::to_value(changed).map_err(Error::internal)?);
        }
        *self.state() = State { written, meta: extended.map(|files| (files, meta)), shape };
        Ok(structure)
    }

    fn prepare(&self) -> Result<()> {
        let mut state = self.state();
        state.written.files.sync()?;
        state.meta.as_mut().map_or(Ok(()), |(files, _)| files.sync())
    }

    fn commit(&self) -> Result<()> {
        let mut state = self.state();
        let State { written: Written { files, pieces }, meta, shape } = &mut *state;
        {
            let _alone = changes::commit_lock(&self.directory);
            let cx = Context::unbounded();
            let target = self.target(&cx, meta.as_ref().map_or(&self.meta, |(_, meta)| meta), shape);
            for piece in pieces.iter().filter(|piece| piece.ticket.is_stale()) {
                target.rewrite(piece, files)?;
            }
            files.sync()?;
            let targets = files.targets();
            let renamed = files.rename();
            changes::note(targets.iter().map(PathBuf::as_path));
            renamed?;
            if let Some((meta, _)) = meta {
                // The larger shape must not be safe before its values are.
                files.sync_directories()?;
                meta.commit()?;
            }
        }
        files.sync_directories()?;
        // Replacing a chunk changes its own folder only; who looks whether the array has changed looks at this one.
        let _ = File::open(&self.directory).and_then(|file| file.set_modified(SystemTime::now()));
        *state = State::default();
        Ok(())
    }

    fn abort(&self) -> Result<()> {
        *self.state() = State::default();
        Ok(())
    }
}
