//! Tables and sparse arrays that are kept, read back with the readers of this plugin.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
        DurationMillisecondArray, FixedSizeListArray, Float16Array, Float32Array, Float64Array, Int8Array,
        Int64Array, ListArray, NullArray, RecordBatch, StringArray, StructArray, Time64MicrosecondArray,
        TimestampNanosecondArray, UInt8Array, UInt64Array, UnionArray,
    },
    buffer::ScalarBuffer,
    compute::concat_batches,
    datatypes::{DataType, Field, Int8Type, Int64Type, Schema, UInt8Type, UnionFields},
};
use serde_json::{Value, json};
use tiled_parquet::{
    ArrowFormat, ArrowReader, ParquetFormat, ParquetReader, SparseReader, SparseWriter, TableWriter,
};
use tiled_plugin_api::{
    author::{ErrorKind, Reader, Result, WriteRequest, Writer, schema_uri},
    model::StructureFamily,
    testing::tables::{Kept, rows},
};

const PARQUET: &str = "application/x-parquet";
const ARROW: &str = "application/vnd.apache.arrow.file";

fn structure(schema: &Schema, npartitions: u64) -> Value {
    let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    json!({"arrow_schema": schema_uri(schema).unwrap(), "npartitions": npartitions, "columns": columns,
        "resizable": false})
}

fn kept<'a>(
    writer: &'a dyn Writer,
    mimetype: &str,
    schema: &Schema,
    n: u64,
    folder: &Path,
) -> Result<Kept<'a>> {
    let folder = folder.join("made/t");
    Kept::create(writer, mimetype, StructureFamily::Table, structure(schema, n), &folder)
}

fn part(partition: u64) -> WriteRequest {
    WriteRequest { partition: Some(partition), ..WriteRequest::default() }
}

fn batch(from: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![from, from + 1]));
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    RecordBatch::try_from_iter([("n", numbers), ("w", words)]).unwrap()
}

fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// A column of every type that both formats hold.
fn every_type() -> RecordBatch {
    let halves = vec![half(1.5), half(-2.0)];
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
        vec![Some(vec![Some(1), Some(2)]), Some(vec![Some(3), Some(4)])],
        2,
    );
    let member: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
    let members = StructArray::from(vec![(Arc::new(Field::new("m", DataType::Int64, true)), member)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("i1", Arc::new(Int8Array::from(vec![-128, 127]))),
        ("u8", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("f2", Arc::new(Float16Array::from(halves))),
        ("f4", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("f8", Arc::new(Float64Array::from(vec![f64::NAN, f64::NEG_INFINITY]))),
        ("text", Arc::new(StringArray::from(vec!["", "ü\n"]))),
        ("bytes", Arc::new(BinaryArray::from_vec(vec![b"\0\xff", b""]))),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![1, 86_399_999_999]))),
        ("moment", Arc::new(TimestampNanosecondArray::from(vec![1, -1]).with_timezone("+01:00"))),
        ("span", Arc::new(DurationMillisecondArray::from(vec![1, -1]))),
        ("decimal", Arc::new(Decimal128Array::from(vec![110, -5]).with_precision_and_scale(20, 2).unwrap())),
        ("category", Arc::new(vec!["a", "b"].into_iter().collect::<DictionaryArray<Int8Type>>())),
        ("list", Arc::new(lists)),
        ("pair", Arc::new(fixed)),
        ("struct", Arc::new(members)),
        ("nothing", Arc::new(NullArray::new(2))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

type Half = <arrow::datatypes::Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native;

fn half(value: f32) -> Half {
    Half::from_f32(value)
}

#[test]
fn every_type_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let sent = every_type();
    let formats: [(&dyn Writer, &dyn Reader, &str); 2] = [
        (&TableWriter(ParquetFormat), &ParquetReader, PARQUET),
        (&TableWriter(ArrowFormat), &ArrowReader, ARROW),
    ];
    for (writer, reader, mimetype) in formats {
        let kept = kept(writer, mimetype, &sent.schema(), 1, &folder.path().join(&mimetype[12..14])).unwrap();
        kept.write(&WriteRequest::default(), std::slice::from_ref(&sent)).unwrap();
        let back = rows(&*kept.open(reader).unwrap(), None, None).unwrap();
        let back = concat_batches(&back[0].schema(), &back).unwrap();
        for (field, (sent, back)) in
            sent.schema().fields().iter().zip(sent.columns().iter().zip(back.columns()))
        {
            assert_eq!(sent.data_type(), back.data_type(), "{mimetype} {}", field.name());
            assert_eq!(format!("{sent:?}"), format!("{back:?}"), "{mimetype} {}", field.name());
        }
    }
}

#[test]
fn partitions_are_files_as_tiled_names_them_and_are_replaced_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let writer = TableWriter(ParquetFormat);
    let kept = kept(&writer, PARQUET, &batch(0).schema(), 3, folder.path()).unwrap();
    let uri = format!("file://localhost{}/made/t/partition-1.parquet", folder.path().display());
    let asset = &kept.created.assets[1];
    assert_eq!((&asset.data_uri, asset.num, &*asset.parameter), (&uri, Some(1), "data_uris"));
    kept.write(&part(1), &[batch(10)]).unwrap();
    kept.write(&part(2), &[batch(20), batch(22)]).unwrap();
    kept.write(&part(1), &[batch(30)]).unwrap();
    let adapter = kept.open(&ParquetReader).unwrap();
    assert_eq!(numbers(&rows(&*adapter, None, None).unwrap()), [30, 31, 20, 21, 22, 23]);
    assert_eq!(kept.write(&part(3), &[batch(0)]).unwrap_err().kind, ErrorKind::OutOfBounds);
    let whole = kept.write(&WriteRequest::default(), &[batch(0)]).unwrap_err();
    assert!(whole.message.contains("3 partitions"), "{whole}");
    let names = std::fs::read_dir(folder.path().join("made/t")).unwrap().count();
    assert_eq!(names, 2, "nothing is left beside");
    kept.delete().unwrap();
    kept.delete().unwrap();
    assert!(!folder.path().join("made/t").exists());
}

#[test]
fn what_is_not_written_yet_is_empty_and_what_has_gone_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let writer = TableWriter(ParquetFormat);
    let kept = kept(&writer, PARQUET, &batch(0).schema(), 2, folder.path()).unwrap();
    let adapter = kept.open(&ParquetReader).unwrap();
    let request =
        tiled_plugin_api::author::TableRequest { partition: Some(1), columns: Some(vec!["w".into()]) };
    let cx = tiled_plugin_api::author::Context::unbounded();
    let mut empty = adapter.read_table(&cx, "", &request).unwrap().into_reader().unwrap();
    assert_eq!(arrow::array::RecordBatchReader::schema(&empty).field(0).name(), "w");
    assert!(empty.next().is_none());
    kept.write(&part(1), &[batch(5)]).unwrap();
    assert_eq!(numbers(&rows(&*adapter, None, None).unwrap()), [5, 6]);
    let opened = kept.open(&ParquetReader).unwrap();
    std::fs::remove_file(folder.path().join("made/t/partition-1.parquet")).unwrap();
    assert_eq!(rows(&*opened, Some(1), None).unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn rows_that_do_not_fit_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let writer = TableWriter(ParquetFormat);
    let kept = kept(&writer, PARQUET, &batch(0).schema(), 1, folder.path()).unwrap();
    kept.write(&part(0), &[batch(1)]).unwrap();
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let other = RecordBatch::try_from_iter([("n", words.clone()), ("w", words.clone())]).unwrap();
    let error = kept.write(&part(0), &[other]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument);
    assert!(error.message.contains("n is Utf8"), "{error}");
    let halves: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1e300]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let late = RecordBatch::try_from_iter([("n", halves), ("w", words)]).unwrap();
    let error = kept.write(&part(0), &[late]).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidArgument, "{error}");
    let append = WriteRequest { append: true, ..part(0) };
    assert_eq!(kept.write(&append, &[batch(1)]).unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(numbers(&rows(&*kept.open(&ParquetReader).unwrap(), None, None).unwrap()), [1, 2]);
    assert_eq!(std::fs::read_dir(folder.path().join("made/t")).unwrap().count(), 1);
}

#[test]
fn arrow_files_grow() {
    let folder = tempfile::tempdir().unwrap();
    let writer = TableWriter(ArrowFormat);
    let kept = kept(&writer, ARROW, &batch(0).schema(), 1, folder.path()).unwrap();
    let append = WriteRequest { append: true, ..part(0) };
    for from in [1, 3, 5] {
        kept.write(&append, &[batch(from)]).unwrap();
    }
    assert_eq!(numbers(&rows(&*kept.open(&ArrowReader).unwrap(), None, None).unwrap()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_column_that_parquet_cannot_hold_is_named_when_the_table_is_made() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let fields: UnionFields =
        [(0_i8, Arc::new(Field::new("i", DataType::Int64, true)))].into_iter().collect();
    let union =
        UnionArray::try_new(fields, ScalarBuffer::from(vec![0_i8]), None, vec![numbers.clone()]).unwrap();
    let odd: ArrayRef = Arc::new(union);
    let schema = RecordBatch::try_from_iter([("n", numbers), ("odd", odd)]).unwrap().schema();
    let folder = tempfile::tempdir().unwrap();
    let writer = TableWriter(ParquetFormat);
    let error = kept(&writer, PARQUET, &schema, 1, folder.path()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.starts_with("Column odd of type Union"), "{error}");
    assert!(!folder.path().join("made").exists());
    let error = kept(&writer, PARQUET, &batch(0).schema(), 1 << 40, folder.path()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

fn indexed(pandas: Value, index: Option<Vec<i64>>) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let mut columns = vec![("n", numbers)];
    columns.extend(index.map(|index| ("__index_level_0__", Arc::new(Int64Array::from(index)) as ArrayRef)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let metadata = std::collections::HashMap::from([("pandas".to_owned(), pandas.to_string())]);
    let schema = Schema::clone(&batch.schema()).with_metadata(metadata);
    batch.with_schema(Arc::new(schema)).unwrap()
}

#[test]
fn an_index_is_a_column_in_one_partition_and_a_range_in_another() {
    let folder = tempfile::tempdir().unwrap();
    let column = indexed(json!({"index_columns": ["__index_level_0__"]}), Some(vec![7, 9]));
    let range =
        json!({"index_columns": [{"kind": "range", "name": null, "start": 10, "stop": 14, "step": 2}]});
    let writer = TableWriter(ParquetFormat);
    let kept = kept(&writer, PARQUET, &column.schema(), 2, folder.path()).unwrap();
    kept.write(&part(0), &[column]).unwrap();
    kept.write(&part(1), &[indexed(range.clone(), None)]).unwrap();
    let adapter = kept.open(&ParquetReader).unwrap();
    let batches = rows(&*adapter, None, None).unwrap();
    let index: Vec<i64> = batches
        .iter()
        .flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(index, [7, 9, 10, 12]);
    let alone = rows(&*adapter, Some(1), None).unwrap();
    let pandas: Value = serde_json::from_str(alone[0].schema().metadata().get("pandas").unwrap()).unwrap();
    assert_eq!(pandas, range);
}

fn places(rows: &[RecordBatch], axis: usize) -> Vec<i64> {
    let wide = |batch: &RecordBatch| arrow::compute::cast(batch.column(axis), &DataType::Int64).unwrap();
    rows.iter().flat_map(|batch| wide(batch).as_primitive::<Int64Type>().values().to_vec()).collect()
}

#[test]
fn sparse_blocks_are_kept_one_by_one_and_their_places_checked() {
    let folder = tempfile::tempdir().unwrap();
    let structure = json!({"chunks": [[2], [200, 200]], "shape": [2, 400], "dims": null, "resizable": false,
        "data_type": {"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null},
        "coord_data_type": null, "layout": "COO"});
    let mimetype = "application/x-parquet;structure=sparse";
    let folder = folder.path().join("s");
    let kept = Kept::create(&SparseWriter, mimetype, StructureFamily::Sparse, structure, &folder).unwrap();
    assert!(kept.created.assets[1].data_uri.ends_with("/block-0.1.parquet"));
    let block = |row: u8, column: u8| {
        let dim = |place: u8| Arc::new(UInt8Array::from(vec![place])) as ArrayRef;
        let data: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
        RecordBatch::try_from_iter([("dim0", dim(row)), ("dim1", dim(column)), ("data", data)]).unwrap()
    };
    let at = |place: u64| WriteRequest { block: Some(vec![0, place]), ..WriteRequest::default() };
    let adapter = kept.open(&SparseReader).unwrap();
    assert!(rows(&*adapter, None, None).unwrap().is_empty());
    kept.write(&at(1), &[block(1, 199)]).unwrap();
    let whole = rows(&*adapter, None, None).unwrap();
    assert_eq!((places(&whole, 0), places(&whole, 1)), (vec![1], vec![399]));
    let alone = rows(&*adapter, Some(1), None).unwrap();
    assert_eq!(alone[0].column(1).as_primitive::<UInt8Type>().values(), &[199]);
    for wrong in [block(2, 0), block(0, 200)] {
        assert_eq!(kept.write(&at(0), &[wrong]).unwrap_err().kind, ErrorKind::InvalidArgument);
    }
    assert_eq!(kept.write(&at(2), &[block(0, 0)]).unwrap_err().kind, ErrorKind::OutOfBounds);
    let whole = kept.write(&WriteRequest::default(), &[block(0, 0)]).unwrap_err();
    assert!(whole.message.contains("2 blocks"), "{whole}");
    kept.delete().unwrap();
}
