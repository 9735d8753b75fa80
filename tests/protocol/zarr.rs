//! `GET /zarr/v2/{path}` and `/zarr/v3/{path}`.

use serde_json::json;
use tempfile::TempDir;
use tiled_tests::{Access, Client, Server, example_data};

use super::Example;

/// A store of version 2 with one array of five numbers in chunks of two, written by hand.
fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let array = folder.path().join("store.zarr/numbers");
    std::fs::create_dir_all(&array).unwrap();
    let document = json!({"zarr_format": 2, "shape": [5], "chunks": [2], "dtype": ">i2", "order": "C",
                          "compressor": null, "filters": null, "fill_value": 0});
    std::fs::write(folder.path().join("store.zarr/.zgroup"), r#"{"zarr_format": 2}"#).unwrap();
    std::fs::write(array.join(".zarray"), document.to_string()).unwrap();
    std::fs::write(array.join(".zattrs"), r#"{"units": "mm"}"#).unwrap();
    for (chunk, bytes) in [[0, 1, 0, 2], [0, 3, 0, 4], [0, 5, 9, 9]].iter().enumerate() {
        std::fs::write(array.join(chunk.to_string()), bytes).unwrap();
    }
    folder
}

fn names(client: &Client, url: &str) -> Vec<String> {
    let urls = client.get(url).json();
    let of = |url: &serde_json::Value| {
        let url = url.as_str().unwrap().trim_end_matches('/').to_owned();
        url.rsplit('/').next().unwrap().to_owned()
    };
    urls.as_array().unwrap().iter().map(of).collect()
}

#[test]
fn an_array_has_the_documents_of_both_versions() {
    let example = Example::serve();
    let client = example.client();
    let v2 = client.get("/zarr/v2/arrays/wave/.zarray");
    assert_eq!(v2.header("content-type"), "application/json");
    assert_eq!((&v2.json()["dtype"], &v2.json()["shape"]), (&json!("<f8"), &json!([500])));
    assert_eq!(client.get("/zarr/v2/arrays/wave/.zattrs").json()["_ARRAY_DIMENSIONS"], json!(["wave_dim_0"]));
    let v3 = client.get("/zarr/v3/arrays/plane/height/zarr.json").json();
    assert_eq!((&v3["data_type"], &v3["node_type"]), (&json!("float32"), &json!("array")));
    assert_eq!(v3["chunk_grid"]["configuration"]["chunk_shape"], json!([32, 64]));
    assert_eq!(v3["dimension_names"], json!(["y", "x"]));
    assert_eq!(v3["attributes"], json!({"units": "m"}));
    // What it is not, and the other version's documents.
    for url in [
        "/zarr/v2/arrays/wave/.zgroup",
        "/zarr/v2/arrays/wave/zarr.json",
        "/zarr/v3/arrays/wave/.zarray",
        "/zarr/v2/arrays/.zarray",
        "/zarr/v2/arrays/nothing/.zarray",
        "/zarr/v3/nothing/zarr.json",
    ] {
        assert_eq!(client.get(url).status, 404, "{url}");
    }
    example.end();
}

#[test]
fn chunks_hold_the_values_and_the_last_one_is_padded() {
    let folder = store();
    let server = Server::directory(folder.path(), Access::Public);
    let client = server.client();
    let v2 = client.get("/zarr/v2/store/numbers/.zarray").json();
    assert_eq!((&v2["dtype"], &v2["chunks"]), (&json!(">i2"), &json!([2])));
    assert_eq!(client.get("/zarr/v2/store/numbers/1").body, [0, 3, 0, 4]);
    // As the file has it.
    assert_eq!(client.get("/zarr/v2/store/numbers/2").body, [0, 5, 9, 9]);
    let v3 = client.get("/zarr/v3/store/numbers/zarr.json").json();
    assert_eq!(v3["codecs"], json!([{"name": "bytes", "configuration": {"endian": "big"}}]));
    assert_eq!(client.get("/zarr/v3/store/numbers/c/2").body, [0, 5, 0, 0]);
    server.end();
}

#[test]
fn chunks_of_the_same_version_are_sent_as_they_are_stored() {
    // What zlib makes of 1, 2, 3, 4.
    const STORED: [u8; 12] = [120, 156, 99, 100, 98, 102, 1, 0, 0, 24, 0, 11];
    let folder = store();
    let array = folder.path().join("store.zarr/packed");
    std::fs::create_dir_all(&array).unwrap();
    let document = json!({"zarr_format": 2, "shape": [6], "chunks": [4], "dtype": "|u1", "order": "C",
                          "compressor": {"id": "zlib", "level": 1}, "filters": null, "fill_value": 7});
    std::fs::write(array.join(".zarray"), document.to_string()).unwrap();
    std::fs::write(array.join("0"), STORED).unwrap();
    let server = Server::directory(folder.path(), Access::Public);
    let client = server.client();
    assert_eq!(client.get("/zarr/v2/store/packed/.zarray").json(), document);
    assert_eq!(client.get("/zarr/v2/store/packed/0").body, STORED);
    // There is no file: the fill value of the document is meant.
    assert_eq!(client.get("/zarr/v2/store/packed/1").status, 404);
    // The other version has other documents, and chunks to fit them.
    let other = client.get("/zarr/v3/store/packed/zarr.json").json();
    assert_eq!(other["codecs"].as_array().unwrap().len(), 1);
    assert_eq!(client.get("/zarr/v3/store/packed/c/0").body, [1, 2, 3, 4]);
    assert_eq!(client.get("/zarr/v3/store/packed/c/1").body, [7, 7, 0, 0]);
    assert_eq!(client.get("/api/v1/array/full/store/packed").body, [1, 2, 3, 4, 7, 7]);
    server.end();
}

#[test]
fn columns_of_a_table_are_arrays_of_a_group() {
    let example = Example::serve();
    let client = example.client();
    assert_eq!(client.get("/zarr/v2/tables/weather/.zgroup").json(), json!({"zarr_format": 2}));
    let columns = names(&client, "/zarr/v2/tables/weather");
    assert_eq!(columns[..2], [".zgroup", ".zattrs"]);
    let column = &columns[2];
    let document = client.get(&format!("/zarr/v2/tables/weather/{column}/.zarray")).json();
    assert_eq!(document["shape"].as_array().unwrap().len(), 1);
    let chunk = client.get(&format!("/zarr/v2/tables/weather/{column}/0"));
    let values = client.get(&format!("/api/v1/array/full/tables/weather/{column}"));
    assert_eq!((chunk.status, chunk.body), (200, values.body));
    example.end();
}

#[test]
fn a_group_is_listed_as_fsspec_finds_links() {
    let example = Example::serve();
    let client = example.client();
    let root = client.get("/zarr/v3");
    assert_eq!((root.status, root.header("content-type")), (200, ""));
    let arrays: Vec<String> = serde_json::from_slice(&client.get("/zarr/v3/arrays").body).unwrap();
    let base = format!("{}/zarr/v3/arrays", example.server.url());
    assert_eq!(arrays[0], format!("{base}/zarr.json"));
    assert!(arrays.contains(&format!("{base}/wave/")), "{arrays:?}");
    assert_eq!(names(&client, "/zarr/v2/arrays/plane/height"), [".zarray", ".zattrs", "0.0", "1.0"]);
    assert_eq!(names(&client, "/zarr/v3/arrays/plane/height"), ["zarr.json", "c"]);
    assert_eq!(names(&client, "/zarr/v3/arrays/plane/height/c"), ["0", "1"]);
    assert_eq!(names(&client, "/zarr/v3/arrays/plane/height/c/1"), ["0"]);
    example.end();
}

#[test]
fn a_group_in_a_file_has_consolidated_metadata() {
    let example = Example::serve();
    let client = example.client();
    let v2 = client.get("/zarr/v2/arrays/plane/.zmetadata").json();
    assert_eq!(v2["metadata"]["height/.zarray"], client.get("/zarr/v2/arrays/plane/height/.zarray").json());
    assert_eq!(v2["metadata"][".zgroup"], json!({"zarr_format": 2}));
    let v3 = client.get("/zarr/v3/arrays/plane/zarr.json").json();
    assert_eq!(
        v3["consolidated_metadata"]["metadata"]["height"],
        client.get("/zarr/v3/arrays/plane/height/zarr.json").json()
    );
    // Files below are not opened for it.
    assert_eq!(client.get("/zarr/v2/.zmetadata").status, 404);
    example.end();
}

#[test]
fn parts_of_a_chunk_its_length_and_its_tag() {
    let folder = store();
    let server = Server::directory(folder.path(), Access::Public);
    let client = server.client();
    let chunk = client.get("/zarr/v2/store/numbers/0");
    assert_eq!((chunk.header("accept-ranges"), chunk.header("cache-control")), ("bytes", "no-cache"));
    let url = "/zarr/v2/store/numbers/0";
    let again = client.get_with(url, &[("if-none-match", chunk.header("etag"))]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let part = client.get_with(url, &[("range", "bytes=1-2")]);
    assert_eq!((part.status, part.header("content-range"), &*part.body), (206, "bytes 1-2/4", &[1, 0][..]));
    let end = client.get_with("/zarr/v3/store/numbers/c/0", &[("range", "bytes=-1")]);
    assert_eq!((end.status, end.body), (206, vec![2]));
    assert_eq!(client.get_with(url, &[("range", "bytes=9-")]).status, 416);
    let head = client.head(url);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "4", 0));
    server.end();
}

#[test]
fn chunks_that_are_not_there_are_refused() {
    let folder = store();
    let server = Server::directory(folder.path(), Access::Public);
    let client = server.client();
    for url in
        ["/zarr/v2/store/numbers/3", "/zarr/v3/store/numbers/c/99999999999", "/zarr/v2/store/nothing/0"]
    {
        assert_eq!(client.get(url).status, 404, "{url}");
    }
    for url in ["/zarr/v2/store/numbers/0.0", "/zarr/v3/store/numbers/c/0/0"] {
        let answer = client.get(url);
        assert_eq!(answer.status, 400, "{url}");
        let text = "Requested zarr block index [0, 0] is inconsistent with the shape of array, (5,).";
        assert_eq!(answer.detail(), text);
    }
    server.end();
}

#[test]
fn strangers_see_nothing_of_a_private_server() {
    let data = example_data();
    let server = Server::directory(data.path(), Access::Private);
    let stranger = server.client();
    for url in [
        "/zarr/v2",
        "/zarr/v2/.zgroup",
        "/zarr/v2/.zmetadata",
        "/zarr/v2/zarr.json",
        "/zarr/v2/arrays/wave/.zarray",
        "/zarr/v2/arrays/wave/0",
        "/zarr/v2/nothing",
        "/zarr/v3/",
        "/zarr/v3/zarr.json",
        "/zarr/v3/arrays/wave/c/0",
        "/zarr/v3/arrays/wave/c",
    ] {
        assert_eq!(stranger.get(url).status, 401, "{url}");
    }
    assert_eq!(server.owner().get("/zarr/v2/arrays/wave/0").status, 200);
    server.end();
}
