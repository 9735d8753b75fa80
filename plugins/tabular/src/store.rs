//! Storage of tables: one file for each partition, in whatever format writes rows.

use std::{
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;
use tiled_plugin_api::{
    author::{
        Context, CreateRequest, Created, Error, ErrorKind, OpenRequest, Payload, Result, Storage,
        WriteRequest, Writer,
    },
    disk::Replacements,
    model::{SliceDim, StructureFamily, TableStructure},
};

use crate::{
    Rows,
    fit::{Fitted, decode_schema},
    keep,
};

/// Handed to the system at a time.
const WRITE_BYTES: usize = 256 << 10;

/// How one file of a table is written.
pub trait TableFormat: Send + Sync + 'static {
    /// Of the names of files: `parquet` in `partition-0.parquet`.
    fn suffix(&self) -> &'static str;

    /// Whether files can hold these columns.
    ///
    /// # Errors
    /// `Unsupported` naming the column that they cannot.
    fn check(&self, schema: &Schema) -> Result<()>;

    /// Writes a file of these rows.
    ///
    /// # Errors
    /// Those of the rows and of writing.
    fn encode(&self, rows: Rows, to: &mut (dyn Write + Send)) -> Result<()>;

    /// Writes a file of what is in the file `before`, and these rows behind it.
    ///
    /// # Errors
    /// `Unsupported` where files of this format are not for appending; as `encode`.
    fn encode_more(&self, cx: &Context, before: &Path, rows: Rows, to: &mut (dyn Write + Send))
    -> Result<()>;
}

/// Keeps tables in files of one format.
pub struct TableWriter<F>(pub F);

impl<F: TableFormat + Clone> Writer for TableWriter<F> {
    fn create(&self, _cx: &Context, request: &CreateRequest) -> Result<Created> {
        if request.structure_family != StructureFamily::Table {
            let message = format!("{} keeps tables, not {}", request.mimetype, request.structure_family);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let structure = structure_of(&request.structure)?;
        if structure.npartitions == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "A table has at least one partition"));
        }
        self.0.check(&*decode_schema(&structure.arrow_schema)?)?;
        let suffix = self.0.suffix();
        let name = |number| format!("partition-{number}.{suffix}");
        let assets = keep::make_room(request, structure.npartitions, name)?;
        Ok(Created::as_requested(request, assets))
    }

    fn open(&self, _cx: &Context, request: OpenRequest) -> Result<Box<dyn Storage>> {
        let structure = structure_of(request.structure.as_ref().unwrap_or(&Value::Null))?;
        let schema = decode_schema(&structure.arrow_schema)?;
        let partitions = keep::paths(&request)?;
        Ok(Box::new(TableStorage { format: self.0.clone(), schema, partitions, pending: Pending::default() }))
    }

    fn delete(&self, _cx: &Context, request: OpenRequest) -> Result<()> {
        keep::remove(&request)
    }
}

fn structure_of(structure: &Value) -> Result<TableStructure> {
    serde_json::from_value(structure.clone()).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, format!("The structure is no table's: {error}"))
    })
}

struct TableStorage<F> {
    format: F,
    schema: SchemaRef,
    partitions: Vec<PathBuf>,
    pending: Pending,
}

impl<F: TableFormat> TableStorage<F> {
    fn target(&self, partition: Option<u64>) -> Result<&Path> {
        let number = match partition {
            None if self.partitions.len() > 1 => {
                let message = format!(
                    "This table has {} partitions: write them one by one (table/partition)",
                    self.partitions.len()
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            number => usize::try_from(number.unwrap_or(0)).unwrap_or(usize::MAX),
        };
        let path = self.partitions.get(number);
        path.map(PathBuf::as_path).ok_or_else(|| Error::new(ErrorKind::OutOfBounds, "Partition out of range"))
    }
}

impl<F: TableFormat> Storage for TableStorage<F> {
    fn write(
        &self,
        cx: &Context,
        request: &WriteRequest,
        _slice: &[SliceDim],
        payload: Payload,
    ) -> Result<Option<Value>> {
        let target = self.target(request.partition)?;
        let Payload::Table(stream) = payload else {
            return Err(Error::new(ErrorKind::InvalidArgument, "A table is written as rows (Arrow)"));
        };
        let fitted = Fitted::new(Box::new(stream.into_reader()?), &self.schema)?;
        let rows = Rows::new(cx, Box::new(fitted));
        self.format.check(&rows.schema)?;
        self.pending.write(target, |to| {
            if request.append && target.exists() {
                self.format.encode_more(cx, target, rows, to)
            } else {
                self.format.encode(rows, to)
            }
        })?;
        Ok(None)
    }

    fn prepare(&self) -> Result<()> {
        self.pending.sync()
    }

    fn commit(&self) -> Result<()> {
        self.pending.commit()
    }

    fn abort(&self) -> Result<()> {
        self.pending.forget()
    }
}

/// Files that wait for the commit.
#[derive(Default)]
pub struct Pending(Mutex<Replacements>);

impl Pending {
    /// Lets `write` make a file beside `target`. What a serializer calls not acceptable is the client's fault here.
    ///
    /// # Errors
    /// Those of `write`; `Internal` when the medium refuses.
    pub fn write(
        &self,
        target: &Path,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
    ) -> Result<()> {
        keep::tidy(target);
        self.0.lock().map_err(Error::internal)?.write_with(target, |file| {
            let mut to = BufWriter::with_capacity(WRITE_BYTES, file);
            write(&mut to).map_err(|error| match error.kind {
                ErrorKind::NotAcceptable => Error { kind: ErrorKind::InvalidArgument, ..error },
                _ => error,
            })?;
            to.flush().map_err(Error::internal)
        })
    }

    /// Makes the files safe.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn sync(&self) -> Result<()> {
        self.0.lock().map_err(Error::internal)?.sync()
    }

    /// Puts the files into their places.
    ///
    /// # Errors
    /// `Internal` when the medium refuses.
    pub fn commit(&self) -> Result<()> {
        self.0.lock().map_err(Error::internal)?.commit()
    }

    /// Removes the files.
    ///
    /// # Errors
    /// `Internal` after a panic.
    pub fn forget(&self) -> Result<()> {
        *self.0.lock().map_err(Error::internal)? = Replacements::default();
        Ok(())
    }
}
