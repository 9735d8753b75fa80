//! Arrow helpers (feature `arrow`): schemas on the wire.

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
    ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message},
};

use super::{Error, Result, TableStream};
use crate::model::TableStructure;

/// The encapsulated IPC message of a schema: what Tiled puts into `arrow_schema`.
///
/// # Errors
/// `Internal` when arrow cannot encode it.
pub fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let data =
        IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options);
    let mut bytes = Vec::new();
    write_message(&mut bytes, data, &options).map_err(Error::internal)?;
    Ok(bytes)
}

/// The `arrow_schema` of a table's structure.
///
/// # Errors
/// As [`encode_schema`].
pub fn schema_uri(schema: &Schema) -> Result<String> {
    let mut text = String::from("data:application/vnd.apache.arrow.file;base64,");
    push_base64(&mut text, &encode_schema(schema)?);
    Ok(text)
}

/// The structure of a table of `npartitions`. Columns that the schema's `pandas` metadata call index columns are left
/// out of `columns`, as Tiled does.
///
/// # Errors
/// As [`encode_schema`].
pub fn table_structure(schema: &Schema, npartitions: u64) -> Result<TableStructure> {
    let index = index_columns(schema);
    let names = schema.fields().iter().map(|field| field.name().clone());
    let columns = names.filter(|name| !index.contains(name)).collect();
    Ok(TableStructure { arrow_schema: schema_uri(schema)?, npartitions, columns, resizable: false })
}

fn index_columns(schema: &Schema) -> Vec<String> {
    let pandas =
        schema.metadata().get("pandas").and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let listed = pandas.as_ref().and_then(|pandas| pandas.get("index_columns")?.as_array());
    listed.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// A stream of a single batch.
pub fn one_batch(batch: RecordBatch) -> TableStream {
    let schema: SchemaRef = batch.schema();
    TableStream::from_batches(schema, vec![Ok(batch)])
}

fn push_base64(out: &mut String, bytes: &[u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let word =
            group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= group.len() { letter as char } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            let mut out = String::new();
            push_base64(&mut out, bytes.as_bytes());
            assert_eq!(out, text);
        }
    }
}
