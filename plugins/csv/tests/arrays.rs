//! CSV files as arrays and as tables of several files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tiled_csv::CsvReader;
use tiled_plugin_api::{
    author::{Adapter, Context, ErrorKind, Reader, Result, TableRequest},
    model::{ArrayStructure, SliceDim},
    testing::{open_request, read_array, read_slice},
};

fn opened(
    mimetype: &str,
    texts: &[&str],
    parameters: Value,
    structure: Option<Value>,
) -> Result<Box<dyn Adapter>> {
    let folder = tempfile::tempdir().unwrap().keep();
    let paths: Vec<PathBuf> = (0..texts.len()).map(|place| folder.join(format!("{place}.csv"))).collect();
    for (path, text) in paths.iter().zip(texts) {
        std::fs::write(path, text).unwrap();
    }
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut request = open_request(mimetype, &paths).unwrap();
    request.parameters = parameters.as_object().unwrap().clone();
    request.structure = structure;
    CsvReader { delimiter: b',' }.open(&Context::unbounded(), request)
}

fn array(texts: &[&str], parameters: Value, structure: Option<Value>) -> Box<dyn Adapter> {
    opened("text/csv;header=absent", texts, parameters, structure).unwrap()
}

fn structure(adapter: &dyn Adapter) -> ArrayStructure {
    adapter.describe("").unwrap().structure().unwrap()
}

#[test]
fn files_without_header_are_one_array_below_the_other() {
    let adapter = array(&["1,2\n3,4\n", "5,6\n"], json!({}), None);
    let found = structure(&*adapter);
    assert_eq!((found.shape, found.chunks), (vec![3, 2], vec![vec![2, 1], vec![2]]));
    assert_eq!(found.data_type.numpy_str().unwrap(), "<i8");
    let backwards = SliceDim { start: 2, step: -2, count: 2 };
    let bytes = read_slice(&*adapter, "", &[backwards, SliceDim::range(1, 1)]).unwrap();
    assert_eq!(bytes, [6_i64.to_le_bytes(), 2_i64.to_le_bytes()].concat());
}

#[test]
fn columns_of_several_types_are_records() {
    let adapter = array(&["1,x\n2,yz\n"], json!({}), None);
    let found = structure(&*adapter);
    assert_eq!((found.shape, found.data_type.itemsize()), (vec![2, 1], 8 + 2 * 4));
    let bytes = read_array(&*adapter, "").unwrap();
    assert_eq!(bytes[16..], [2_i64.to_le_bytes().to_vec(), b"y\0\0\0z\0\0\0".to_vec()].concat());
}

#[test]
fn a_given_structure_converts_the_values() {
    let known = json!({"data_type": {"endianness": "big", "kind": "f", "itemsize": 4, "dt_units": null},
        "chunks": [[2], [1]], "shape": [2, 1], "dims": null, "resizable": false});
    let adapter = array(&["a,b\n1,2\n3,\n"], json!({"header": 0, "usecols": ["b"]}), Some(known));
    let bytes = read_array(&*adapter, "").unwrap();
    assert_eq!(bytes[..4], 2_f32.to_be_bytes());
    assert!(f32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]).is_nan());
}

#[test]
fn a_structure_that_does_not_fit_is_an_error() {
    let known = json!({"data_type": {"endianness": "not_applicable", "kind": "u", "itemsize": 1, "dt_units": null},
        "chunks": [[3], [1]], "shape": [3, 1], "dims": null, "resizable": false});
    let adapter = array(&["1\n2\n"], json!({}), Some(known));
    assert_eq!(read_array(&*adapter, "").unwrap_err().kind, ErrorKind::InvalidData);
}

#[test]
fn types_hold_the_values_of_all_partitions() {
    let adapter = opened("text/csv", &["a,b\n1,x\n", "a,b\n1.5,\n"], json!({}), None).unwrap();
    let request = TableRequest { partition: Some(0), columns: Some(vec!["a".into()]) };
    let mut rows = adapter.read_table(&Context::unbounded(), "", &request).unwrap().into_reader().unwrap();
    let batch = rows.next().unwrap().unwrap();
    assert_eq!(batch.schema().field(0).data_type(), &arrow::datatypes::DataType::Float64);
    assert!(opened("text/csv", &["a\n1\n", "b\n1\n"], json!({}), None).is_err());
}
