//! `GET /api/v1/array/full|block/{path}`.

use super::Example;

const WAVE: &str = "/api/v1/array/full/arrays/wave";
const PLANE: &str = "/api/v1/array/full/arrays/plane/height";

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn bytes_are_the_values_in_c_order() {
    let example = Example::serve();
    let client = example.client();
    let whole = client.get(PLANE);
    assert_eq!((whole.status, whole.header("content-type")), (200, "application/octet-stream"));
    assert_eq!((whole.header("content-length"), whole.body.len()), ("16384", 64 * 64 * 4));
    // Value: row + column / 4.
    let part = client.get(&format!("{PLANE}?slice=31:33,8:0:-4"));
    assert_eq!(floats(&part.body), [33.0, 32.0, 34.0, 33.0]);
    assert_eq!(floats(&client.get(&format!("{PLANE}?slice=-1,-1")).body), [63.0 + 63.0 / 4.0]);
    assert_eq!(client.get(&format!("{PLANE}?slice=5:5")).body.len(), 0);
    example.end();
}

#[test]
fn a_block_is_a_chunk_of_the_file() {
    let example = Example::serve();
    let client = example.client();
    let url = "/api/v1/array/block/arrays/plane/height";
    let block = client.get(&format!("{url}?block=1,0"));
    assert_eq!(block.body.len(), 32 * 64 * 4);
    assert_eq!(floats(&block.body)[0], 32.0);
    assert_eq!(floats(&client.get(&format!("{url}?block=1,0&slice=2,4")).body), [35.0]);
    assert_eq!(client.get(url).status, 422, "a block must be named");
    assert!(client.get(&format!("{url}?block=9,9")).status >= 400);
    example.end();
}

#[test]
fn values_come_as_json_csv_and_pictures() {
    let example = Example::serve();
    let client = example.client();
    let json = client.get(&format!("{PLANE}?slice=:2,:3&format=application/json")).json();
    assert_eq!(json, serde_json::json!([[0.0, 0.25, 0.5], [1.0, 1.25, 1.5]]));
    let csv = client.get(&format!("{PLANE}?slice=:2,:3&format=csv"));
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
    let rows: Vec<Vec<f32>> =
        csv.text().lines().map(|line| line.split(',').map(|n| n.parse().unwrap()).collect()).collect();
    assert_eq!(rows, [[0.0, 0.25, 0.5], [1.0, 1.25, 1.5]]);
    let png = client.get_with(PLANE, &[("accept", "image/png")]);
    assert_eq!(png.header("content-type"), "image/png");
    assert!(png.body.starts_with(b"\x89PNG"));
    let named = client.get(&format!("{PLANE}?format=tiff&filename=plane.tiff"));
    assert_eq!(named.header("content-disposition"), "attachment; filename=\"plane.tiff\"");
    example.end();
}

#[test]
fn the_tag_of_a_slice_is_of_that_slice() {
    let example = Example::serve();
    let client = example.client();
    let one = client.get(&format!("{WAVE}?slice=:10"));
    let other = client.get(&format!("{WAVE}?slice=10:20"));
    assert_ne!(one.header("etag"), other.header("etag"));
    let again = client.get_with(&format!("{WAVE}?slice=:10"), &[("if-none-match", one.header("etag"))]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    example.end();
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_read() {
    let example = Example::serve();
    let client = example.client();
    for (url, status) in [
        (format!("{WAVE}?slice=a"), 422),
        (format!("{WAVE}?slice=1,2,3"), 400),
        (format!("{WAVE}?slice=500"), 400),
        (format!("{WAVE}?expected_shape=7"), 422),
        (format!("{WAVE}?format=application/x-nothing"), 406),
        ("/api/v1/array/full/tables/weather".into(), 404),
    ] {
        let answer = client.get(&url);
        assert_eq!(answer.status, status, "{url}: {answer:?}");
        assert!(!answer.detail().is_null());
    }
    example.end();
}
