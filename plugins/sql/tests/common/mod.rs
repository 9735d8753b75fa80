//! Databases for tests: files, and a PostgreSQL server.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::Schema};
use serde_json::{Map, Value, json};
use tiled_plugin_api::{
    author::{
        Adapter, AssetSource, ByteSource, Context, CreateRequest, Created, Entry, Error, OpenRequest,
        OwnedBuffer, Payload, Reader, Result, Source, Storage, TableRequest, TableStream, WriteRequest,
        Writer, table_structure,
    },
    model::{StructureFamily, TableStructure},
    testing::TestHost,
};
use tiled_postgres::Postgres;
use tiled_sql::{RaggedReader, SqlWriter, TableReader};

pub const TABLE: &str = "application/x-tiled-sql-table";
pub const RAGGED: &str = "application/x-ragged+sql";

/// One database of each kind, empty.
pub struct Databases {
    pub uris: Vec<String>,
    _folder: tempfile::TempDir,
}

pub fn databases() -> Databases {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let mut uris = vec![format!("duckdb://localhost/{path}/t.duckdb"), format!("sqlite:///{path}/t.db")];
    uris.extend(Postgres::shared().map(|server| server.storage(&server.new_database())));
    Databases { uris, _folder: folder }
}

/// An asset in a database: only its URI.
struct Named(String);

impl ByteSource for Named {
    fn uri(&self) -> String {
        self.0.clone()
    }
    fn is_directory(&self) -> bool {
        false
    }
    fn len(&self) -> Result<u64> {
        Err(Error::unsupported("len"))
    }
    fn read_at(&self, _offset: u64, _out: &mut [u8]) -> Result<usize> {
        Err(Error::unsupported("read_at"))
    }
    fn list(&self, _below: &str) -> Result<Vec<Entry>> {
        Err(Error::unsupported("list"))
    }
    fn child(&self, _relative: &str) -> Result<Source> {
        Err(Error::unsupported("child"))
    }
    fn local_path(&self) -> Option<PathBuf> {
        None
    }
    fn version(&self) -> Result<u64> {
        Ok(1)
    }
}

/// A data source as a catalog would keep it.
#[derive(Debug, Clone)]
pub struct DataSource {
    pub uri: String,
    pub mimetype: &'static str,
    pub structure: Value,
    pub created: Created,
}

pub fn create(uri: &str, mimetype: &'static str, structure: Value, parameters: Value) -> Result<DataSource> {
    let structure_family = if mimetype == TABLE { StructureFamily::Table } else { StructureFamily::Ragged };
    let request = CreateRequest {
        mimetype: mimetype.into(),
        structure_family,
        structure: structure.clone(),
        parameters: parameters.as_object().cloned().unwrap_or_default(),
        storage_uri: uri.into(),
    };
    let created = SqlWriter.create(&Context::unbounded(), &request)?;
    Ok(DataSource { uri: uri.into(), mimetype, structure, created })
}

pub fn create_table(uri: &str, schema: &Schema, partitions: u64) -> Result<DataSource> {
    let structure: TableStructure = table_structure(schema, partitions).unwrap();
    create(uri, TABLE, serde_json::to_value(structure).unwrap(), json!({}))
}

impl DataSource {
    pub fn request(&self) -> OpenRequest {
        let source = Source::new(Named(self.uri.clone()));
        OpenRequest {
            mimetype: self.mimetype.into(),
            structure: Some(self.structure.clone()),
            parameters: self.created.parameters.clone(),
            assets: vec![AssetSource { source, parameter: "data_uri".into(), num: None }],
            host: TestHost::below(Path::new("/nowhere")),
        }
    }

    pub fn adapter(&self) -> Box<dyn Adapter> {
        let reader: &dyn Reader = if self.mimetype == TABLE { &TableReader } else { &RaggedReader };
        reader.open(&Context::unbounded(), self.request()).unwrap()
    }

    /// As the host writes: write, prepare, commit.
    pub fn write(&self, request: WriteRequest, payload: Payload) -> Result<Option<Value>> {
        let cx = Context::unbounded();
        let storage: Box<dyn Storage> = SqlWriter.open(&cx, self.request())?;
        let structure = storage.write(&cx, &request, &[], payload)?;
        storage.prepare()?;
        storage.commit()?;
        Ok(structure)
    }

    pub fn put(&self, partition: u64, batch: &RecordBatch) -> Result<()> {
        let request = WriteRequest { partition: Some(partition), ..WriteRequest::default() };
        self.write(request, rows(batch)).map(|_| ())
    }

    pub fn append(&self, partition: u64, batch: &RecordBatch) -> Result<()> {
        let request = WriteRequest { partition: Some(partition), append: true, ..WriteRequest::default() };
        self.write(request, rows(batch)).map(|_| ())
    }

    pub fn read(&self, partition: Option<u64>, columns: Option<&[&str]>) -> Result<RecordBatch> {
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let request = TableRequest { partition, columns };
        let stream = self.adapter().read_table(&Context::unbounded(), "", &request)?.into_reader()?;
        let schema = arrow::array::RecordBatchReader::schema(&stream);
        let batches: Vec<RecordBatch> = stream.collect::<Result<_, _>>().map_err(Error::from_arrow)?;
        Ok(concat_batches(&schema, &batches).unwrap())
    }

    pub fn delete(&self) -> Result<()> {
        SqlWriter.delete(&Context::unbounded(), self.request())
    }
}

pub fn rows(batch: &RecordBatch) -> Payload {
    Payload::Table(TableStream::from_batches(batch.schema(), vec![Ok(batch.clone())]))
}

pub fn zip_body(entries: &[(&str, Vec<u8>)]) -> Payload {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    Payload::Body { media_type: "application/zip".into(), bytes: OwnedBuffer::from_vec(bytes) }
}

pub fn no_parameters() -> Map<String, Value> {
    Map::new()
}
