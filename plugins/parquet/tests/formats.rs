//! Readers and serializers of this plugin against each other.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, DictionaryArray, Int64Array, RecordBatch, StringArray, UInt8Array},
    datatypes::{Int8Type, Int64Type, Schema},
    ipc::writer::{FileWriter, StreamWriter},
};
use serde_json::json;
use tiled_parquet::{ArrowReader, ArrowSerializer, ParquetReader, ParquetSerializer, SparseReader};
use tiled_plugin_api::{
    author::{Context, EncodeRequest, ErrorKind, Payload, Reader, Result, Serializer, TableStream},
    model::{StructureFamily, TableStructure},
    testing::{encode, open_path, open_request, tables::rows},
};

fn batch(from: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![from, from + 1]));
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    RecordBatch::try_from_iter([("n", numbers), ("w", words)]).unwrap()
}

fn encoded(serializer: &dyn Serializer, batches: Vec<RecordBatch>) -> Vec<u8> {
    let request = EncodeRequest {
        media_type: String::new(),
        structure_family: StructureFamily::Table,
        structure: json!({}),
        metadata: json!({}),
        specs: vec![],
        key: String::new(),
        fields: None,
    };
    let schema = batches[0].schema();
    let stream = TableStream::from_batches(schema, batches.into_iter().map(Ok).collect::<Vec<Result<_>>>());
    encode(serializer, &request, Payload::Table(stream)).unwrap()
}

fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    batches.iter().flat_map(column).collect()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn both_formats_go_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&dyn Reader, &dyn Serializer, &str); 2] = [
        (&ParquetReader, &ParquetSerializer, "application/x-parquet"),
        (&ArrowReader, &ArrowSerializer, "application/vnd.apache.arrow.file"),
    ];
    for (reader, serializer, mimetype) in cases {
        let path = write(folder.path(), "t", &encoded(serializer, vec![batch(1), batch(3)]));
        let adapter = open_path(reader, mimetype, &path).unwrap();
        let structure: TableStructure = adapter.describe("").unwrap().structure().unwrap();
        assert_eq!((structure.npartitions, structure.columns), (1, vec!["n".into(), "w".into()]));
        assert_eq!(numbers(&rows(&*adapter, None, None).unwrap()), [1, 2, 3, 4]);
        let some = rows(&*adapter, Some(0), Some(&["w", "n"])).unwrap();
        assert_eq!(some[0].schema().field(0).name(), "w");
        assert_eq!(rows(&*adapter, Some(1), None).unwrap_err().kind, ErrorKind::OutOfBounds);
        assert_eq!(rows(&*adapter, None, Some(&["x"])).unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[test]
fn files_are_partitions_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = [1, 3]
        .map(|from| write(folder.path(), &format!("{from}"), &encoded(&ParquetSerializer, vec![batch(from)])))
        .to_vec();
    let paths: Vec<&Path> = paths.iter().map(|path| path.as_path()).collect();
    let request = open_request("application/x-parquet", &paths).unwrap();
    let adapter = ParquetReader.open(&Context::unbounded(), request).unwrap();
    assert_eq!(numbers(&rows(&*adapter, None, None).unwrap()), [1, 2, 3, 4]);
    assert_eq!(numbers(&rows(&*adapter, Some(1), None).unwrap()), [3, 4]);
}

#[test]
fn index_columns_are_none_of_the_columns_but_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let pandas = json!({"index_columns": ["w"]}).to_string();
    let metadata = std::collections::HashMap::from([("pandas".to_owned(), pandas)]);
    let indexed = batch(1);
    let schema = Arc::new(Schema::clone(&indexed.schema()).with_metadata(metadata));
    let path =
        write(folder.path(), "t", &encoded(&ParquetSerializer, vec![indexed.with_schema(schema).unwrap()]));
    let adapter = open_path(&ParquetReader, "application/x-parquet", &path).unwrap();
    assert_eq!(adapter.describe("").unwrap().structure::<TableStructure>().unwrap().columns, ["n"]);
    let batches = rows(&*adapter, None, Some(&["n"])).unwrap();
    let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["n", "w"]);
}

#[test]
fn a_table_without_an_index_is_sent_with_the_numbers_of_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = encoded(&ArrowSerializer, vec![batch(1), batch(3)]);
    let adapter = open_path(&ArrowReader, "", &write(folder.path(), "t", &bytes)).unwrap();
    let structure: TableStructure = adapter.describe("").unwrap().structure().unwrap();
    assert_eq!(structure.columns, ["n", "w"]);
    let batches = rows(&*adapter, None, Some(&["n"])).unwrap();
    let index = |batch: &RecordBatch| batch.column(1).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(batches[0].schema().field(1).name(), "__index_level_0__");
    assert_eq!(batches.iter().flat_map(index).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn dictionaries_of_several_batches_become_one() {
    let words = |words: Vec<&str>| -> RecordBatch {
        let column: ArrayRef = Arc::new(words.into_iter().collect::<DictionaryArray<Int8Type>>());
        RecordBatch::try_from_iter([("d", column)]).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes = encoded(&ArrowSerializer, vec![words(vec!["a", "b"]), words(vec!["c", "a"])]);
    let adapter = open_path(&ArrowReader, "", &write(folder.path(), "t", &bytes)).unwrap();
    let batches = rows(&*adapter, None, None).unwrap();
    let column = batches[0].column(0).as_dictionary::<Int8Type>().downcast_dict::<StringArray>().unwrap();
    assert_eq!(column.into_iter().collect::<Vec<_>>(), [Some("a"), Some("b"), Some("c"), Some("a")]);
}

#[test]
fn streams_are_read_and_old_or_cut_files_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Vec::new();
    let mut writer = StreamWriter::try_new(&mut stream, &batch(1).schema()).unwrap();
    writer.write(&batch(1)).unwrap();
    writer.finish().unwrap();
    let adapter = open_path(&ArrowReader, "", &write(folder.path(), "s", &stream)).unwrap();
    assert_eq!(numbers(&rows(&*adapter, None, None).unwrap()), [1, 2]);
    let mut file = Vec::new();
    let mut writer = FileWriter::try_new(&mut file, &batch(1).schema()).unwrap();
    writer.write(&batch(1)).unwrap();
    writer.finish().unwrap();
    let refused =
        |bytes: &[u8]| open_path(&ArrowReader, "", &write(folder.path(), "x", bytes)).err().unwrap();
    assert_eq!(refused(&file[..file.len() - 20]).kind, ErrorKind::InvalidData);
    assert_eq!(refused(&stream[..stream.len() / 2]).kind, ErrorKind::InvalidData);
    assert_eq!(refused(b"FEA1\0\0\0\0").kind, ErrorKind::UnsupportedFormat);
    assert_eq!(refused(b"").kind, ErrorKind::InvalidData);
}

#[test]
fn damaged_parquet_never_gives_wrong_rows_or_panics() {
    let folder = tempfile::tempdir().unwrap();
    let whole = encoded(&ParquetSerializer, vec![batch(1), batch(3)]);
    for cut in 0..whole.len() {
        let path = write(folder.path(), "t", &whole[..cut]);
        assert!(open_path(&ParquetReader, "", &path).is_err(), "{cut}");
    }
    for place in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        let path = write(folder.path(), "t", &bytes);
        if let Ok(adapter) = open_path(&ParquetReader, "", &path) {
            let _ = rows(&*adapter, None, None);
        }
    }
}

#[test]
fn sparse_blocks_are_placed_in_the_whole_array() {
    let folder = tempfile::tempdir().unwrap();
    let block = |place: u8, value: i64| {
        let dim: ArrayRef = Arc::new(UInt8Array::from(vec![place]));
        let data: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        RecordBatch::try_from_iter([("dim0", dim.clone()), ("dim1", dim), ("data", data)]).unwrap()
    };
    let write = |name: &str, batch| write(folder.path(), name, &encoded(&ParquetSerializer, vec![batch]));
    let paths = [write("0", block(0, 10)), write("1", block(1, 11))];
    let mut request =
        open_request("application/x-parquet;structure=sparse", &[&paths[0], &paths[1]]).unwrap();
    request.structure =
        Some(json!({"chunks": [[2], [2, 2]], "shape": [2, 4], "data_type": null, "coord_data_type": null,
        "dims": null, "resizable": false, "layout": "COO"}));
    let adapter = SparseReader.open(&Context::unbounded(), request).unwrap();
    let batches = rows(&*adapter, None, None).unwrap();
    let coordinates = |axis: usize| -> Vec<u8> {
        batches
            .iter()
            .flat_map(|b| b.column(axis).as_primitive::<arrow::datatypes::UInt8Type>().values().to_vec())
            .collect()
    };
    assert_eq!((coordinates(0), coordinates(1)), (vec![0, 1], vec![0, 3]));
    let block = rows(&*adapter, Some(1), None).unwrap();
    assert_eq!(block[0].column(1).as_primitive::<arrow::datatypes::UInt8Type>().values(), &[1]);
}
