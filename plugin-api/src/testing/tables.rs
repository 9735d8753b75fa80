//! For tests of table plugins: rows of adapters, files written as Arrow, tables kept by a writer.

use std::{fs::File, path::Path};

use arrow::{
    array::{RecordBatch, RecordBatchReader},
    ipc::writer::FileWriter,
};
use serde_json::{Map, Value};

use super::{FileSource, TestHost};
use crate::{
    author::{
        Adapter, AssetSource, Context, CreateRequest, Created, Error, OpenRequest, Payload, Reader, Result,
        TableRequest, TableStream, WriteRequest, Writer,
    },
    model::StructureFamily,
};

/// The rows of a table or a sparse array.
///
/// # Errors
/// Those of the adapter.
pub fn rows(
    adapter: &dyn Adapter,
    partition: Option<u64>,
    columns: Option<&[&str]>,
) -> Result<Vec<RecordBatch>> {
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let stream = adapter.read_table(&Context::unbounded(), "", &TableRequest { partition, columns })?;
    stream.into_reader()?.map(|batch| batch.map_err(Error::from_arrow)).collect()
}

/// Writes a table as an Arrow file, for other programs to compare.
///
/// # Errors
/// Those of the adapter and of the file.
pub fn dump(adapter: &dyn Adapter, path: &str, to: &Path) -> Result<()> {
    adapter.describe(path)?;
    let rows = adapter.read_table(&Context::unbounded(), path, &TableRequest::default())?.into_reader()?;
    let mut writer = FileWriter::try_new(File::create(to)?, &rows.schema()).map_err(Error::from_arrow)?;
    for batch in rows {
        writer.write(&batch.map_err(Error::from_arrow)?).map_err(Error::from_arrow)?;
    }
    writer.finish().map_err(Error::from_arrow)
}

/// Calls `dump` for each line of the file that the variable `TILED_DUMP` names: mimetype, file and output, separated by
/// tabs. What cannot be read is printed.
///
/// # Errors
/// `NotFound` without the variable or the file.
pub fn for_each_listed(dump: impl Fn(&str, &Path, &Path) -> Result<()>) -> Result<()> {
    let list =
        std::env::var("TILED_DUMP").map_err(|_| Error::not_found("TILED_DUMP names no list of files"))?;
    for line in std::fs::read_to_string(list)?.lines() {
        let mut parts = line.split('\t');
        let (Some(mimetype), Some(from), Some(to)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::invalid_data(format!("{line:?} has no three parts")));
        };
        if let Err(error) = dump(mimetype, Path::new(from), Path::new(to)) {
            println!("{from}: {:?} {error}", error.kind);
        }
    }
    Ok(())
}

/// A data source that a writer made, as the host goes about it.
pub struct Kept<'a> {
    writer: &'a dyn Writer,
    mimetype: String,
    structure: Value,
    /// What the writer answered.
    pub created: Created,
}

impl<'a> Kept<'a> {
    /// Makes room in `folder`, which need not be there.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn create(
        writer: &'a dyn Writer,
        mimetype: &str,
        structure_family: StructureFamily,
        structure: Value,
        folder: &Path,
    ) -> Result<Self> {
        let request = CreateRequest {
            mimetype: mimetype.into(),
            structure_family,
            structure: structure.clone(),
            parameters: Map::new(),
            storage_uri: format!("file://localhost{}", folder.display()),
        };
        let created = writer.create(&Context::unbounded(), &request)?;
        Ok(Kept { writer, mimetype: mimetype.into(), structure, created })
    }

    /// What the host asks to open.
    ///
    /// # Errors
    /// `InvalidArgument` where an asset is no local file.
    pub fn request(&self) -> Result<OpenRequest> {
        let mut assets = Vec::new();
        for asset in &self.created.assets {
            assets.push(AssetSource {
                source: FileSource::awaited(crate::disk::path_of(&asset.data_uri)?),
                parameter: asset.parameter.clone(),
                num: asset.num,
            });
        }
        Ok(OpenRequest {
            mimetype: self.mimetype.clone(),
            structure: Some(self.structure.clone()),
            parameters: self.created.parameters.clone(),
            assets,
            host: TestHost::below(Path::new("/")),
        })
    }

    /// Writes and commits these batches of one schema; forgets them after an error.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn write(&self, request: &WriteRequest, batches: &[RecordBatch]) -> Result<()> {
        let cx = Context::unbounded();
        let storage = self.writer.open(&cx, self.request()?)?;
        let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| Error::internal("no batch"))?;
        let stream =
            TableStream::from_batches(schema, batches.iter().cloned().map(Ok).collect::<Vec<Result<_>>>());
        let written = storage.write(&cx, request, &[], Payload::Table(stream));
        if let Err(error) = written.map(|_| ()).and_then(|()| storage.prepare()) {
            storage.abort()?;
            return Err(error);
        }
        storage.commit()
    }

    /// Opens it with a reader.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn open(&self, reader: &dyn Reader) -> Result<Box<dyn Adapter>> {
        reader.open(&Context::unbounded(), self.request()?)
    }

    /// Removes it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn delete(&self) -> Result<()> {
        self.writer.delete(&Context::unbounded(), self.request()?)
    }
}

/// Runs the script with Tiled's own Python, and gives what it printed. `None` where there is none; the test says so, and
/// fails where `CI` is set.
///
/// # Panics
/// When the script fails, and without a Python where `CI` is set: this is for tests.
pub fn run_with_tiled(script: &Path, arguments: &[&str]) -> Option<String> {
    let Some(python) = std::env::var_os("TILED_PYTHON") else {
        assert!(std::env::var_os("CI").is_none(), "TILED_PYTHON names no Python with Tiled");
        eprintln!("SKIPPED: TILED_PYTHON names no Python with Tiled");
        return None;
    };
    let output = std::process::Command::new(python).arg(script).args(arguments).output();
    match output {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{} {arguments:?}:\n{errors}", script.display());
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(error) => panic!("TILED_PYTHON: {error}"),
    }
}
