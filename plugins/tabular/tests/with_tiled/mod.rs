//! Tables kept by a plugin read by Tiled's own adapter, and the other way round: for the plugins that keep them as files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    compute::concat_batches,
};
use serde_json::Value;
use tiled_plugin_api::{
    author::{Reader, WriteRequest, Writer},
    model::StructureFamily,
    testing::tables::{Kept, rows, run_with_tiled},
};

/// The script of these tests.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tabular/tests/with_tiled.py")
}

/// The rows of `partition` in the script.
fn partition(number: i64) -> RecordBatch {
    let first = 10 * number;
    let times = TimestampMicrosecondArray::from(vec![Some(1_577_836_800_000_001), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![first, first + 1]))),
        ("x", Arc::new(Float64Array::from(vec![Some(0.1 * first as f64), None]))),
        ("w", Arc::new(StringArray::from(vec![Some("ü,"), None]))),
        ("t", Arc::new(times)),
        ("b", Arc::new(BooleanArray::from(vec![true, false]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn part(number: u64) -> WriteRequest {
    WriteRequest { partition: Some(number), ..WriteRequest::default() }
}

/// What `writer` keeps is read by Tiled's adapter, and what Tiled's keeps by `reader`.
pub fn table_goes_both_ways(writer: &dyn Writer, reader: &dyn Reader, mimetype: &str, kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let theirs = base.join("theirs");
    let Some(said) = run_with_tiled(&script(), &["write", kind, &theirs.display().to_string()]) else {
        return;
    };
    let said: Value = serde_json::from_str(&said).unwrap();
    let make = |folder: &Path| {
        Kept::create(writer, mimetype, StructureFamily::Table, said["structure"].clone(), &folder.join("t"))
    };
    let mut kept = make(&base.join("ours")).unwrap();
    let names = |text: &str| text.rsplit('/').next().unwrap().to_owned();
    let ours: Vec<String> = kept.created.assets.iter().map(|asset| names(&asset.data_uri)).collect();
    let uris = said["uris"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap());
    assert_eq!(ours, uris.clone().map(names).collect::<Vec<_>>());
    for number in [1_u8, 0] {
        kept.write(&part(number.into()), &[partition(number.into())]).unwrap();
    }
    run_with_tiled(&script(), &["read", kind, &base.join("ours").display().to_string()]);
    for (asset, uri) in kept.created.assets.iter_mut().zip(uris) {
        asset.data_uri = uri.into();
    }
    let back = rows(&*kept.open(reader).unwrap(), None, None).unwrap();
    let back = concat_batches(&back[0].schema(), &back).unwrap();
    let sent = [partition(0), partition(1)];
    let sent = concat_batches(&sent[0].schema(), &sent).unwrap();
    for (field, (sent, back)) in sent.schema().fields().iter().zip(sent.columns().iter().zip(back.columns()))
    {
        assert_eq!(format!("{sent:?}"), format!("{back:?}"), "{kind} {}", field.name());
    }
}
