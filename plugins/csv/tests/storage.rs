//! Tables that are kept as text, read back with the reader of this plugin.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{
        ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
        Float64Array, Int8Array, Int64Array, ListArray, RecordBatch, StringArray, Time64MicrosecondArray,
        TimestampMicrosecondArray, UInt64Array,
    },
    compute::concat_batches,
    datatypes::{DataType, Int8Type, Int64Type, Schema},
};
use serde_json::{Value, json};
use tiled_csv::{CsvFormat, CsvReader, TableWriter};
use tiled_plugin_api::{
    author::{ErrorKind, Result, WriteRequest, schema_uri},
    model::StructureFamily,
    testing::tables::{Kept, rows},
};

const WRITER: TableWriter<CsvFormat> = TableWriter(CsvFormat);
const READER: CsvReader = CsvReader { delimiter: b',' };

fn kept(schema: &Schema, npartitions: u64, folder: &Path) -> Result<Kept<'static>> {
    static KEPT: TableWriter<CsvFormat> = WRITER;
    let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let structure: Value = json!({"arrow_schema": schema_uri(schema).unwrap(), "npartitions": npartitions,
        "columns": columns, "resizable": false});
    Kept::create(&KEPT, "text/csv", StructureFamily::Table, structure, &folder.join("t"))
}

fn part(partition: u64, append: bool) -> WriteRequest {
    WriteRequest { partition: Some(partition), append, ..WriteRequest::default() }
}

/// A column of every type that text holds, with values that text alone would make another type of.
fn every_type() -> RecordBatch {
    let zoned = TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("+00:00");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("i1", Arc::new(Int8Array::from(vec![Some(-128), None]))),
        ("i8", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
        ("u8", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("f4", Arc::new(Float32Array::from(vec![Some(0.1), None]))),
        ("f8", Arc::new(Float64Array::from(vec![1e-300, f64::INFINITY]))),
        ("text", Arc::new(StringArray::from(vec!["1", "a,\"b\"\nc"]))),
        ("digits", Arc::new(StringArray::from(vec!["01", "2"]))),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None]))),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![1, 86_399_999_999]))),
        ("moment", Arc::new(TimestampMicrosecondArray::from(vec![1, -1]))),
        ("zoned", Arc::new(zoned)),
        ("decimal", Arc::new(Decimal128Array::from(vec![110, -5]).with_precision_and_scale(20, 2).unwrap())),
        ("category", Arc::new(vec!["a", "b"].into_iter().collect::<DictionaryArray<Int8Type>>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

#[test]
fn every_type_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let sent = every_type();
    let kept = kept(&sent.schema(), 1, folder.path()).unwrap();
    kept.write(&WriteRequest::default(), std::slice::from_ref(&sent)).unwrap();
    let back = rows(&*kept.open(&READER).unwrap(), None, None).unwrap();
    let back = concat_batches(&back[0].schema(), &back).unwrap();
    for (field, (sent, back)) in sent.schema().fields().iter().zip(sent.columns().iter().zip(back.columns()))
    {
        assert_eq!(sent.data_type(), back.data_type(), "{}", field.name());
        assert_eq!(format!("{sent:?}"), format!("{back:?}"), "{}", field.name());
    }
}

fn batch(from: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![from, from + 1]));
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    RecordBatch::try_from_iter([("n", numbers), ("w", words)]).unwrap()
}

fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        batch.column_by_name("n").unwrap().as_primitive::<Int64Type>().values().to_vec()
    };
    batches.iter().flat_map(column).collect()
}

#[test]
fn rows_are_appended_in_the_order_of_the_files_columns() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(&batch(0).schema(), 2, folder.path()).unwrap();
    let adapter = kept.open(&READER).unwrap();
    assert!(rows(&*adapter, None, None).unwrap().is_empty());
    kept.write(&part(0, true), &[batch(1)]).unwrap();
    kept.write(&part(0, true), &[batch(3)]).unwrap();
    let file = folder.path().join("t/partition-0.csv");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "n,w\n1,a\n2,\n3,a\n4,\n");
    // As Tiled may have written it, in another order and without an end of its last line.
    std::fs::write(folder.path().join("t/partition-1.csv"), "w,n\nb,7").unwrap();
    kept.write(&part(1, true), &[batch(8)]).unwrap();
    let other = std::fs::read_to_string(folder.path().join("t/partition-1.csv")).unwrap();
    assert_eq!(other, "w,n\nb,7\na,8\n,9\n");
    assert_eq!(numbers(&rows(&*adapter, Some(0), None).unwrap()), [1, 2, 3, 4]);
    kept.write(&part(0, false), &[batch(5)]).unwrap();
    assert_eq!(numbers(&rows(&*adapter, Some(0), None).unwrap()), [5, 6]);
}

#[test]
fn values_that_are_not_of_the_declared_type_are_what_pandas_makes_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept(&batch(0).schema(), 1, folder.path()).unwrap();
    std::fs::write(folder.path().join("t/partition-0.csv"), "n,w\n1.5,a\n").unwrap();
    let back = rows(&*kept.open(&READER).unwrap(), None, None).unwrap();
    assert_eq!(back[0].schema().field(0).data_type(), &DataType::Float64);
}

#[test]
fn a_column_that_text_cannot_hold_is_named() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]);
    let lists: ArrayRef = Arc::new(lists);
    let schema = RecordBatch::try_from_iter([("l", lists)]).unwrap().schema();
    let folder = tempfile::tempdir().unwrap();
    let error = kept(&schema, 1, folder.path()).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.starts_with("Column l of type List"), "{error}");
}
