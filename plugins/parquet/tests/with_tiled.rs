//! Files kept by this plugin read by Tiled's own adapters, and the other way round.

#[path = "../../tabular/tests/with_tiled/mod.rs"]
mod tables;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use serde_json::Value;
use tables::{script, table_goes_both_ways};
use tiled_parquet::{
    ArrowFormat, ArrowReader, ParquetFormat, ParquetReader, SparseReader, SparseWriter, TableWriter,
};
use tiled_plugin_api::{
    author::WriteRequest,
    model::StructureFamily,
    testing::tables::{Kept, rows, run_with_tiled},
};

#[test]
fn tiled_reads_the_tables_that_are_kept_and_what_tiled_keeps_is_read() {
    let parquet = "application/x-parquet";
    table_goes_both_ways(&TableWriter(ParquetFormat), &ParquetReader, parquet, "parquet");
    let arrow = "application/vnd.apache.arrow.file";
    table_goes_both_ways(&TableWriter(ArrowFormat), &ArrowReader, arrow, "arrow");
}

/// The rows of `block` in the script.
fn block(number: i64) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("dim0", Arc::new(Int64Array::from(vec![0, 1]))),
        ("dim1", Arc::new(Int64Array::from(vec![number, 199]))),
        ("data", Arc::new(Float64Array::from(vec![1.5, -0.5]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn sparse_arrays_go_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let theirs = base.join("theirs").display().to_string();
    let Some(said) = run_with_tiled(&script(), &["write", "sparse", &theirs]) else { return };
    let said: Value = serde_json::from_str(&said).unwrap();
    let mimetype = "application/x-parquet;structure=sparse";
    let structure = said["structure"].clone();
    let ours = base.join("ours");
    let mut kept =
        Kept::create(&SparseWriter, mimetype, StructureFamily::Sparse, structure, &ours.join("t")).unwrap();
    for number in 0..2_u8 {
        let at = WriteRequest { block: Some(vec![0, number.into()]), ..WriteRequest::default() };
        kept.write(&at, &[block(number.into())]).unwrap();
    }
    run_with_tiled(&script(), &["read", "sparse", &ours.display().to_string()]);
    let before = rows(&*kept.open(&SparseReader).unwrap(), None, None).unwrap();
    for (asset, uri) in kept.created.assets.iter_mut().zip(said["uris"].as_array().unwrap()) {
        asset.data_uri = uri.as_str().unwrap().into();
    }
    assert_eq!(before, rows(&*kept.open(&SparseReader).unwrap(), None, None).unwrap());
}
