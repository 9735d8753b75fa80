//! `Accept-Encoding` of values and files. These clients are on the server's machine: only what all but vanishes is
//! compressed.

use std::path::Path;

use tempfile::TempDir;
use tiled_tests::{Access, Server};

/// What Tiled's client sends.
const ALL: [(&str, &str); 1] = [("accept-encoding", "gzip, deflate, zstd, blosc2")];
const ZSTD: [(&str, &str); 1] = [("accept-encoding", "gzip, deflate, zstd")];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const VALUES: usize = 3_000_000;
/// `{'descr': '|u1', …}` and what is before it.
const NPY_HEADER_BYTES: usize = 128;

fn write_npy(path: &Path, values: &[u8]) {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}", values.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").as_bytes());
    assert_eq!(bytes.len(), NPY_HEADER_BYTES);
    bytes.extend(values);
    std::fs::write(path, bytes).unwrap();
}

fn served() -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write_npy(&folder.path().join("zeros.npy"), &vec![0; VALUES]);
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    write_npy(&folder.path().join("noise.npy"), &(0..VALUES).map(|_| noise()).collect::<Vec<_>>());
    (Server::directory(folder.path(), Access::Public), folder)
}

fn asset(server: &Server, path: &str) -> String {
    let document = server.client().get(&format!("/api/v1/metadata/{path}?include_data_sources=true")).json();
    let id = &document["data"]["attributes"]["data_sources"][0]["assets"][0]["id"];
    format!("/api/v1/asset/bytes/{path}?id={id}")
}

/// Sizes of frames of Blosc before and after compression, one behind the other.
fn frames(mut bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        all.push((number(4), number(12)));
        bytes = &bytes[number(12)..];
    }
    all
}

#[test]
fn values_are_blosc_frames_where_hardly_anything_is_left_of_them() {
    let (server, _folder) = served();
    let client = server.client();
    let zeros = client.get_with("/api/v1/array/full/zeros", &ALL);
    assert_eq!((zeros.status, zeros.header("content-encoding")), (200, "blosc2"));
    assert_eq!(
        (zeros.header("vary"), zeros.header("content-type")),
        ("Accept-Encoding", "application/octet-stream")
    );
    assert_eq!(frames(&zeros.body), [(VALUES, zeros.body.len())]);
    assert_eq!(zeros.header("content-length"), zeros.body.len().to_string());
    let zstd = client.get_with("/api/v1/array/full/zeros", &ZSTD);
    assert_eq!((zstd.header("content-encoding"), &zstd.body[..4]), ("zstd", &ZSTD_MAGIC[..]));
    for (path, headers) in
        [("noise", &ALL), ("zeros?slice=:1000", &ALL), ("zeros", &[("accept-encoding", "gzip")])]
    {
        let plain = client.get_with(&format!("/api/v1/array/full/{path}"), headers);
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{path}");
    }
    // Text is not for Blosc.
    let text = client.get_with("/api/v1/array/full/zeros?format=text/csv&slice=:10000", &ALL);
    assert_eq!((text.status, text.header("content-encoding")), (200, "zstd"));
    server.end();
}

#[test]
fn files_are_compressed_piece_by_piece() {
    let (server, _folder) = served();
    let client = server.client();
    let url = asset(&server, "zeros");
    let length = NPY_HEADER_BYTES + VALUES;
    let blosc = client.get_with(&url, &ALL);
    assert_eq!((blosc.status, blosc.header("content-encoding")), (200, "blosc2"));
    let frames = frames(&blosc.body);
    assert!(
        frames.len() > 1 && frames.iter().map(|(content, _)| content).sum::<usize>() == length,
        "{frames:?}"
    );
    let zstd = client.get_with(&url, &ZSTD);
    assert_eq!((zstd.header("content-encoding"), &zstd.body[..4]), ("zstd", &ZSTD_MAGIC[..]));
    assert_eq!((zstd.header("content-length"), zstd.header("vary")), ("", "Accept-Encoding"));
    assert!(zstd.body.len() < length / 100);
    let plain = client.get_with(&url, &[("accept-encoding", "identity")]);
    assert_eq!((plain.header("content-encoding"), plain.body.len()), ("", length));
    assert_eq!(plain.header("content-length"), length.to_string());
    let part = client.get_with(&url, &[ALL[0], ("range", "bytes=1-2000000")]);
    assert_eq!((part.status, part.header("content-encoding"), part.body.len()), (206, "", 2_000_000));
    let noise = client.get_with(&asset(&server, "noise"), &ALL);
    assert_eq!((noise.header("content-encoding"), noise.body.len()), ("", length));
    server.end();
}
