//! `/api/v1/container/full/{path}`.

use serde_json::json;

use super::Example;

#[test]
fn a_container_is_a_file_with_all_below_it() {
    let example = Example::serve();
    let client = example.client();
    let file = client.get("/api/v1/container/full/scans/scan_001?format=h5");
    assert_eq!((file.status, file.header("content-type")), (200, "application/x-hdf5"));
    assert!(file.body.starts_with(b"\x89HDF"));
    let tree = client.get("/api/v1/container/full/scans?format=json").json();
    assert!(tree.to_string().contains("counts"), "{tree}");
    example.end();
}

#[test]
fn a_child_that_is_not_there_is_named() {
    let example = Example::serve();
    let client = example.client();
    let answer = client.post("/api/v1/container/full/scans/scan_001?format=json", &json!(["nothing"]));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.detail(), "No such field nothing.");
    example.end();
}
