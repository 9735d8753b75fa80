//! `GET /api/v1/asset/bytes|manifest/{path}`: files as they are.

use serde_json::Value;

use super::Example;

/// The assets of a node.
fn assets(example: &Example, path: &str) -> Vec<Value> {
    let document = example.client().get(&format!("/api/v1/metadata/{path}?include_data_sources=true")).json();
    document["data"]["attributes"]["data_sources"][0]["assets"].as_array().unwrap().clone()
}

#[test]
fn a_file_comes_whole_or_in_a_range() {
    let example = Example::serve();
    let client = example.client();
    let id = assets(&example, "arrays/wave")[0]["id"].clone();
    let url = format!("/api/v1/asset/bytes/arrays/wave?id={id}");
    let whole = client.get(&url);
    assert_eq!((whole.status, whole.header("accept-ranges"), whole.body.len()), (200, "bytes", 128 + 4000));
    assert_eq!(whole.header("content-disposition"), "attachment; filename=\"wave.npy\"");
    let part = client.get_with(&url, &[("range", "bytes=1-5")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &b"NUMPY"[..]));
    assert_eq!(part.header("content-range"), "bytes 1-5/4128");
    let beyond = client.get_with(&url, &[("range", "bytes=9999-")]);
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */4128"));
    assert_eq!(client.get_with(&url, &[("range", "bytes=abc")]).status, 400);
    assert_eq!(client.get_with(&url, &[("if-none-match", whole.header("etag"))]).status, 304);
    example.end();
}

#[test]
fn a_directory_has_a_manifest_and_gives_nothing_from_outside() {
    let example = Example::serve();
    let client = example.client();
    let id = assets(&example, "arrays/plane")[0]["id"].clone();
    let manifest = client.get(&format!("/api/v1/asset/manifest/arrays/plane?id={id}")).json();
    let files: Vec<&str> =
        manifest["manifest"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(files, ["height/c/0/0", "height/c/1/0", "height/zarr.json", "zarr.json"]);
    let url = format!("/api/v1/asset/bytes/arrays/plane?id={id}");
    assert_eq!(client.get(&format!("{url}&relative_path=height/c/1/0")).body.len(), 32 * 64 * 4);
    assert_eq!(client.get(&url).status, 400, "which file?");
    for outside in ["../wave.npy", "/etc/passwd", "height/../../wave.npy"] {
        assert_eq!(client.get(&format!("{url}&relative_path={outside}")).status, 400, "{outside}");
    }
    example.end();
}

#[test]
fn only_assets_of_the_node_are_given() {
    let example = Example::serve();
    let client = example.client();
    assert_eq!(client.get("/api/v1/asset/bytes/arrays/wave").status, 422);
    assert_eq!(client.get("/api/v1/asset/bytes/arrays/wave?id=999999").status, 404);
    let other = assets(&example, "images/spots")[0]["id"].clone();
    assert_eq!(client.get(&format!("/api/v1/asset/bytes/arrays/wave?id={other}")).status, 404);
    example.end();
}
