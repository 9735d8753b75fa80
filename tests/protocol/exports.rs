//! Every row of the formats that nodes are sent in: status, media type, file name. What is in the files is compared by
//! `tests/clients/formats.py`.

use super::Example;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const ARROW: &str = "application/vnd.apache.arrow.file";

/// Asks for a node as each of these words, and compares the media types.
fn check(example: &Example, route: &str, rows: &[(&str, &str)]) {
    let client = example.client();
    for (format, media_type) in rows {
        let answer = client.get(&format!("/api/v1/{route}?format={format}&filename=a.{format}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, *media_type), "{route} {format}");
        assert!(!answer.body.is_empty(), "{route} {format}");
        let named = answer.header("content-disposition");
        assert!(named.starts_with("attachment; filename=\"a."), "{route} {format}: {named}");
    }
}

#[test]
fn arrays() {
    let example = Example::serve();
    let rows = [
        ("application/octet-stream", "application/octet-stream"),
        ("json", "application/json"),
        ("csv", "text/csv; charset=utf-8"),
        ("txt", "text/plain; charset=utf-8"),
        ("text", "text/plain; charset=utf-8"),
        ("text/x-comma-separated-values", "text/x-comma-separated-values; charset=utf-8"),
        ("xls", "application/vnd.ms-excel"),
        ("png", "image/png"),
        ("image/*", "image/png"),
        ("tif", "image/tiff"),
        ("tiff", "image/tiff"),
        ("html", "text/html; charset=utf-8"),
        ("h5", "application/x-hdf5"),
        ("nc", "application/x-netcdf"),
        ("application/netcdf", "application/netcdf"),
        ("npy", "application/x-npy"),
    ];
    check(&example, "array/full/images/spots", &rows);
    let unknown = example.client().get("/api/v1/array/full/images/spots?format=nothing");
    assert_eq!(unknown.status, 406);
    let wrong = example.client().get("/api/v1/array/full/images/spots?format=png&scale=cubic");
    assert_eq!((wrong.status, wrong.detail()), (400, "scale=cubic: linear, log or sqrt expected".into()));
    example.end();
}

#[test]
fn an_answer_with_other_options_has_another_tag() {
    let example = Example::serve();
    let client = example.client();
    let url = "/api/v1/array/full/images/spots?format=png";
    let (plain, colored) = (client.get(url), client.get(&format!("{url}&colors=magma")));
    assert_eq!((plain.status, colored.status), (200, 200));
    assert_ne!(plain.body, colored.body);
    let tag = plain.header("etag").to_owned();
    assert_ne!(tag, colored.header("etag"));
    assert_eq!(client.get_with(url, &[("If-None-Match", &tag)]).status, 304);
    let again = client.get_with(&format!("{url}&colors=magma"), &[("If-None-Match", &tag)]);
    assert_eq!(again.status, 200);
    example.end();
}

#[test]
fn tables() {
    let example = Example::serve();
    let rows = [
        ("arrow", ARROW),
        ("feather", ARROW),
        ("parquet", "application/x-parquet"),
        ("csv", "text/csv; charset=utf-8"),
        ("txt", "text/plain; charset=utf-8"),
        ("xls", "application/vnd.ms-excel"),
        ("html", "text/html; charset=utf-8"),
        ("xlsx", XLSX),
        ("json", "application/json"),
        ("json-seq", "application/json-seq"),
        ("h5", "application/x-hdf5"),
        ("nc", "application/x-netcdf"),
    ];
    check(&example, "table/full/tables/weather", &rows);
    check(
        &example,
        "table/full/spectra/iron_foil",
        &[("xdi", "application/x-xdi"), ("csv", "text/csv; charset=utf-8")],
    );
    example.end();
}

#[test]
fn containers() {
    let example = Example::serve();
    let rows = [
        ("h5", "application/x-hdf5"),
        ("hdf5", "application/x-hdf5"),
        ("nc", "application/x-netcdf"),
        ("zip", "application/zip"),
        ("json", "application/json"),
    ];
    check(&example, "container/full/scans/scan_001", &rows);
    example.end();
}
