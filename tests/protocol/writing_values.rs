//! Writing values: tables and arrays, whole, in parts, from many clients at once.

use std::sync::Arc;

use serde_json::{Value, json};
use tiled_plugin_api::{
    arrow::{
        array::{ArrayRef, Int64Array, RecordBatch},
        ipc::writer::FileWriter,
    },
    author::schema_uri as uri_of,
};

use super::writing::{Lab, container, table};

const ARROW: &str = "application/vnd.apache.arrow.file";
const RAW: &str = "application/octet-stream";

fn batch(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

/// The schema of tables here.
pub(super) fn schema_uri() -> String {
    uri_of(&batch(&[]).schema()).unwrap()
}

fn arrow(values: &[i64]) -> Vec<u8> {
    let mut writer = FileWriter::try_new(vec![], &batch(values).schema()).unwrap();
    writer.write(&batch(values)).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let lab = Lab::open();
    let owner = lab.owner();
    let made = owner.post("/api/v1/metadata/", &table("t", 2)).json();
    assert_eq!(made["data_sources"][0]["mimetype"], "application/x-parquet");
    assert_eq!(made["data_sources"][0]["assets"].as_array().unwrap().len(), 2);
    for (partition, values) in [(0, [1, 2]), (1, [3, 4])] {
        let url = format!("/api/v1/table/partition/t?partition={partition}");
        assert_eq!(owner.put(&url, ARROW, &arrow(&values)).json(), Value::Null);
    }
    assert_eq!(owner.get("/api/v1/table/full/t?format=csv").text(), "a\n1\n2\n3\n4\n");
    let url = "/api/v1/table/partition/t?partition=0";
    owner.put(url, ARROW, &arrow(&[9])).json();
    assert_eq!(owner.get("/api/v1/table/full/t?format=csv").text(), "a\n9\n3\n4\n", "seen at once");
    let refused = owner.put("/api/v1/table/partition/t?partition=2", ARROW, &arrow(&[1]));
    assert_eq!((refused.status, refused.detail()), (400, json!("Partition out of range")));
    assert_eq!(owner.put(url, "text/plain", b"a").status, 415);
    assert_eq!(owner.put(url, ARROW, b"no arrow at all").status, 422);
    let cut = arrow(&[1, 2, 3]);
    assert_eq!(owner.put(url, ARROW, &cut[..cut.len() / 2]).status, 422);
    let appended = owner.send("PATCH", url, &[("content-type", ARROW)], &arrow(&[1]));
    assert_eq!(
        (appended.status, appended.detail()),
        (405, json!("This node does not supporting writing a partition."))
    );
    let stranger = lab.server.client().put(url, ARROW, &arrow(&[1]));
    assert_eq!(stranger.status, 401);
    assert_eq!(owner.get("/api/v1/table/full/t?format=csv").text(), "a\n9\n3\n4\n");
    owner.post("/api/v1/metadata/", &container("c")).json();
    assert_eq!(owner.put("/api/v1/table/full/c", ARROW, &arrow(&[1])).status, 404);
    lab.end();
}

#[test]
fn compressed_bodies_are_taken_as_what_they_hold() {
    let lab = Lab::open();
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &table("t", 1)).json();
    let url = "/api/v1/table/full/t";
    let refused =
        owner.send("PUT", url, &[("content-type", ARROW), ("content-encoding", "br")], &arrow(&[1]));
    assert_eq!(refused.status, 415);
    let not_gzip =
        owner.send("PUT", url, &[("content-type", ARROW), ("content-encoding", "gzip")], &arrow(&[1]));
    assert_eq!(not_gzip.status, 422);
    lab.end();
}

#[test]
fn what_is_left_by_a_crash_is_in_nobodys_way() {
    let lab = Lab::open();
    let owner = lab.owner();
    let left = lab.folder.path().join("data/t");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("partition-0.parquet"), "half a file").unwrap();
    let made = owner.post("/api/v1/metadata/", &table("t", 1)).json();
    let uri = made["data_sources"][0]["assets"][0]["data_uri"].as_str().unwrap().to_owned();
    assert!(!uri.ends_with("data/t/partition-0.parquet"), "{uri}");
    owner.put("/api/v1/table/full/t", ARROW, &arrow(&[5])).json();
    assert_eq!(owner.get("/api/v1/table/full/t?format=csv").text(), "a\n5\n");
    lab.end();
}

/// An array of numbers of 8 bytes in chunks along its first axis.
fn array(key: &str, shape: &[u64], chunks: Value) -> Value {
    let data_type = json!({"endianness": "little", "kind": "f", "itemsize": 8, "dt_units": null});
    let structure =
        json!({"data_type": data_type, "chunks": chunks, "shape": shape, "dims": null, "resizable": false});
    json!({"id": key, "structure_family": "array", "metadata": {}, "specs": [],
           "data_sources": [{"structure_family": "array", "structure": structure, "mimetype": null,
                             "parameters": {}, "properties": {}, "assets": [], "management": "writable"}]})
}

fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn an_array_is_written_whole_by_block_and_by_region() {
    let lab = Lab::open();
    let owner = lab.owner();
    let made = owner.post("/api/v1/metadata/", &array("x", &[4, 2], json!([[2, 2], [2]]))).json();
    assert_eq!(made["data_sources"][0]["mimetype"], "application/x-zarr");
    let read = || owner.get("/api/v1/array/full/x").body;
    assert_eq!(read(), bytes(&[0.0; 8]), "fill values until something is written");
    owner.put("/api/v1/array/full/x", RAW, &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])).json();
    owner.put("/api/v1/array/block/x?block=1,0", RAW, &bytes(&[9.0; 4])).json();
    assert_eq!(read(), bytes(&[1.0, 2.0, 3.0, 4.0, 9.0, 9.0, 9.0, 9.0]));
    let patch = |query: &str, values: &[f64]| {
        let url = format!("/api/v1/array/full/x?{query}");
        owner.send("PATCH", &url, &[("content-type", RAW)], &bytes(values))
    };
    patch("offset=1&shape=2,2", &[0.5; 4]).json();
    assert_eq!(read(), bytes(&[1.0, 2.0, 0.5, 0.5, 0.5, 0.5, 9.0, 9.0]));
    let refused = patch("offset=4&shape=2,2", &[0.0; 4]);
    assert_eq!(refused.status, 409);
    assert!(
        refused
            .detail()
            .as_str()
            .unwrap()
            .contains("Use ?extend=true to extend the array dimensions to fit.")
    );
    let after = patch("offset=4&shape=2,2&extend=true", &[7.0; 4]).json();
    assert_eq!((&after["shape"], &after["chunks"]), (&json!([6, 2]), &json!([[2, 2, 2], [2]])));
    assert_eq!(owner.get("/api/v1/metadata/x").json()["data"]["attributes"]["structure"], after);
    assert_eq!(read()[64..], bytes(&[7.0; 4]));
    assert_eq!(patch("offset=4&shape=2,2&extend=true&persist=false", &[7.0; 4]).status, 400);
    assert_eq!(patch("offset=0&shape=2,2&persist=false", &[3.0; 4]).status, 200);
    assert_eq!(read()[..16], bytes(&[1.0, 2.0]), "nothing was kept");
    lab.end();
}

#[test]
fn bodies_that_do_not_fit_are_refused_and_change_nothing() {
    let lab = Lab::open();
    let owner = lab.owner();
    owner.post("/api/v1/metadata/", &array("x", &[2], json!([[2]]))).json();
    owner.put("/api/v1/array/full/x", RAW, &bytes(&[1.0, 2.0])).json();
    let status = |url: &str, kind: &str, body: &[u8]| owner.put(url, kind, body).status;
    assert_eq!(status("/api/v1/array/full/x", RAW, &[0; 15]), 422);
    assert_eq!(status("/api/v1/array/full/x", "image/png", &[0; 16]), 415);
    assert_eq!(status("/api/v1/array/block/x", RAW, &[0; 16]), 422);
    assert_eq!(status("/api/v1/array/block/x?block=1", RAW, &[0; 16]), 422);
    assert_eq!(status("/api/v1/array/full/none", RAW, &[0; 16]), 404);
    // Larger than what a socket holds: the refusal must come through while the body is still being sent.
    assert_eq!(status("/api/v1/array/full/x", RAW, &vec![0; 32 << 20]), 422);
    assert_eq!(owner.get("/api/v1/array/full/x").body, bytes(&[1.0, 2.0]));
    lab.end();
}

#[test]
fn blocks_written_and_rows_added_by_many_at_once_are_all_there() {
    const WRITERS: u64 = 8;
    const ROWS: u64 = 5;
    let lab = Lab::open();
    let chunks = vec![1; usize::try_from(WRITERS).unwrap()];
    lab.owner().post("/api/v1/metadata/", &array("blocks", &[WRITERS], json!([chunks]))).json();
    lab.owner().post("/api/v1/metadata/", &array("rows", &[1], json!([[1]]))).json();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let owner = lab.owner();
            scope.spawn(move || {
                let value = bytes(&[writer as f64 + 1.0]);
                owner.put(&format!("/api/v1/array/block/blocks?block={writer}"), RAW, &value).json();
                for row in 0..ROWS {
                    let at = 1 + writer * ROWS + row;
                    let url = format!("/api/v1/array/full/rows?offset={at}&shape=1&extend=true");
                    owner.send("PATCH", &url, &[("content-type", RAW)], &bytes(&[at as f64])).json();
                }
            });
        }
    });
    let wanted: Vec<f64> = (1..=WRITERS).map(|n| n as f64).collect();
    assert_eq!(lab.owner().get("/api/v1/array/full/blocks").body, bytes(&wanted));
    let wanted: Vec<f64> = (0..=WRITERS * ROWS).map(|n| n as f64).collect();
    assert_eq!(lab.owner().get("/api/v1/array/full/rows").body, bytes(&wanted));
    lab.end();
}
