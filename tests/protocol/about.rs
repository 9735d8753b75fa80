//! `GET /api/v1/`, and what all answers have in common.

use super::Example;

#[test]
fn the_server_says_what_it_is_and_can_do() {
    let example = Example::serve();
    let client = example.client();
    let about = client.get("/api/v1/").json();
    assert_eq!(about["api_version"], 0);
    assert!(about["library_version"].as_str().unwrap().starts_with("0.2.20"), "{about}");
    assert_eq!(about["authentication"]["required"], false);
    for (family, media_type) in [
        ("array", "application/octet-stream"),
        ("array", "image/png"),
        ("array", "image/tiff"),
        ("table", "application/vnd.apache.arrow.file"),
        ("table", "text/csv"),
        ("container", "application/x-hdf5"),
    ] {
        let formats = about["formats"][family].as_array().unwrap();
        assert!(formats.iter().any(|format| format == media_type), "{family} {media_type}: {formats:?}");
    }
    assert_eq!(client.get("/api/v1").json(), about);
    example.end();
}

#[test]
fn documents_are_msgpack_where_that_is_wished() {
    let example = Example::serve();
    let answer =
        example.client().get_with("/api/v1/metadata/arrays/wave", &[("accept", "application/x-msgpack")]);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-msgpack"));
    // A map of four: data, error, links, meta.
    assert_eq!(answer.body[..6], [0x84, 0xa4, b'd', b'a', b't', b'a']);
    example.end();
}

#[test]
fn large_documents_are_compressed_where_that_is_wished() {
    let example = Example::serve();
    let client = example.client();
    let url = "/api/v1/metadata/tables/weather";
    assert_eq!(client.get_with(url, &[("accept-encoding", "identity")]).header("content-encoding"), "");
    for (encoding, magic) in [("gzip", &[0x1f, 0x8b][..]), ("zstd", &[0x28, 0xb5, 0x2f, 0xfd][..])] {
        let answer = client.get_with(url, &[("accept-encoding", encoding)]);
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding));
        assert!(answer.body.starts_with(magic));
    }
    example.end();
}

#[test]
fn unknown_urls_and_methods_are_refused_in_tileds_words() {
    let example = Example::serve();
    let client = example.client();
    let answer = client.get("/api/v1/nothing");
    assert_eq!((answer.status, answer.detail()), (404, "Not Found".into()));
    let answer = client.post("/api/v1/search/arrays", &serde_json::Value::Null);
    assert_eq!((answer.status, answer.detail()), (405, "Method Not Allowed".into()));
    example.end();
}
