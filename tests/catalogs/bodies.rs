//! Documents and bodies of the writes here.

use std::sync::Arc;

use serde_json::{Value, json};
use tiled_plugin_api::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch},
        ipc::writer::FileWriter,
    },
    author::schema_uri,
};

pub const ARROW: &str = "application/vnd.apache.arrow.file";
pub const RAW: &str = "application/octet-stream";

fn batch(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

/// A table of one column.
pub fn rows(values: &[i64]) -> Vec<u8> {
    let mut writer = FileWriter::try_new(vec![], &batch(values).schema()).unwrap();
    writer.write(&batch(values)).unwrap();
    writer.into_inner().unwrap()
}

/// Elements of an array.
pub fn elements(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The same back.
pub fn numbers(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn node(key: &str, family: &str, mimetype: Option<&str>, structure: Value) -> Value {
    json!({"id": key, "structure_family": family, "metadata": {"key": key}, "specs": [],
           "data_sources": [{"structure_family": family, "structure": structure, "mimetype": mimetype,
                             "parameters": {}, "properties": {}, "assets": [], "management": "writable"}]})
}

pub fn container(key: &str, metadata: Value) -> Value {
    json!({"id": key, "structure_family": "container", "metadata": metadata, "specs": [], "data_sources": []})
}

/// An array of float64.
pub fn array(key: &str, shape: &[u64], chunks: Value) -> Value {
    let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
    let structure =
        json!({"data_type": data_type, "chunks": chunks, "shape": shape, "dims": null, "resizable": false});
    node(key, "array", None, structure)
}

/// A table that rows are appended to.
pub fn growing_table(key: &str) -> Value {
    table_of(key, Some("application/x-tiled-sql-table"), 1)
}

/// A table in files, one for each partition.
pub fn table(key: &str, partitions: u64) -> Value {
    table_of(key, None, partitions)
}

fn table_of(key: &str, mimetype: Option<&str>, partitions: u64) -> Value {
    let schema = schema_uri(&batch(&[]).schema()).unwrap();
    let structure =
        json!({"arrow_schema": schema, "npartitions": partitions, "columns": ["a"], "resizable": false});
    node(key, "table", mimetype, structure)
}

/// Lists of float64 of any length; none yet.
pub fn ragged(key: &str) -> Value {
    let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
    let structure = json!({"data_type": data_type, "shape": [0, null], "size": 0, "chunks": [[], null],
                           "dims": null, "resizable": false});
    node(key, "ragged", None, structure)
}
