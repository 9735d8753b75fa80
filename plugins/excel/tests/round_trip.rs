//! A table written as a workbook and read again.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use serde_json::json;
use tiled_excel::{WorkbookReader, XlsxSerializer};
use tiled_plugin_api::{
    author::{Adapter, Context, EncodeRequest, ErrorKind, Payload, Result, TableRequest, one_batch},
    model::{ChildrenRequest, StructureFamily, TableStructure},
    testing::{encode, open_path},
};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

fn workbook(batch: RecordBatch) -> Vec<u8> {
    let request = EncodeRequest {
        media_type: XLSX.into(),
        structure_family: StructureFamily::Table,
        structure: json!({}),
        metadata: json!({}),
        specs: vec![],
        key: "t".into(),
        fields: None,
    };
    encode(&XlsxSerializer, &request, Payload::Table(one_batch(batch))).unwrap()
}

fn opened(bytes: &[u8]) -> Result<Box<dyn Adapter>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.xlsx");
    std::fs::write(&path, bytes).unwrap();
    open_path(&WorkbookReader, XLSX, &path)
}

fn read(adapter: &dyn Adapter, columns: Option<Vec<String>>) -> RecordBatch {
    let request = TableRequest { partition: Some(0), columns };
    let rows = adapter.read_table(&Context::unbounded(), "Sheet1", &request).unwrap();
    rows.into_reader().unwrap().next().unwrap().unwrap()
}

#[test]
fn values_of_each_kind_come_back() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![1, 2]))),
        ("x", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ("s", Arc::new(StringArray::from(vec!["a", "<&>"]))),
        ("t", Arc::new(TimestampMillisecondArray::from(vec![1_577_934_245_000, 0]))),
    ];
    let adapter = opened(&workbook(RecordBatch::try_from_iter(columns.clone()).unwrap())).unwrap();
    let batch = read(&*adapter, None);
    for (place, (name, column)) in columns.iter().take(4).enumerate() {
        assert_eq!((batch.schema().field(place).name().as_str(), batch.column(place)), (*name, column));
    }
    let nanoseconds: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_577_934_245_000_000_000, 0]));
    assert_eq!(batch.column(4), &nanoseconds);
    let some = read(&*adapter, Some(vec!["s".into(), "n".into()]));
    assert_eq!((some.num_columns(), some.column(1)), (2, &columns[0].1));
}

#[test]
fn sheets_are_tables_in_a_container() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let adapter = opened(&workbook(RecordBatch::try_from_iter([("n", column)]).unwrap())).unwrap();
    assert_eq!(adapter.describe("").unwrap().count, Some(1));
    let request = ChildrenRequest { offset: 0, limit: 10, keys_only: false };
    let children = adapter.children("", &request).unwrap();
    let description = children.items[0].description.clone().unwrap();
    assert_eq!((children.items[0].key.as_str(), description.specs[0].name.as_str()), ("Sheet1", "dataframe"));
    assert_eq!(description.structure::<TableStructure>().unwrap().columns, ["n"]);
    assert_eq!(adapter.describe("Sheet2").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn what_is_no_workbook_is_refused() {
    for bytes in
        [&b""[..], b"PK\x03\x04", b"a,b\n1,2\n", &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0, 0]]
    {
        assert_eq!(opened(bytes).err().unwrap().kind, ErrorKind::InvalidData, "{bytes:?}");
    }
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let whole = workbook(RecordBatch::try_from_iter([("n", column)]).unwrap());
    assert!(opened(&whole[..whole.len() / 2]).is_err());
}
