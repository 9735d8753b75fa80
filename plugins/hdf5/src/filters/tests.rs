//! Chunks that h5py and hdf5plugin stored (`tests/fixtures/make_filters.py`), and damaged ones.

use base64::{Engine, engine::general_purpose::STANDARD};
use tiled_plugin_api::author::ErrorKind;

use super::*;

struct Case {
    name: String,
    filters: Vec<Filter>,
    mask: u32,
    raw: Vec<u8>,
    values: Vec<u8>,
    size: usize,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/fixtures/filters.json");
    let all: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    all.iter().map(case).collect()
}

fn case(json: &serde_json::Value) -> Case {
    let number = |value: &serde_json::Value| value.as_u64().unwrap() as u32;
    let filters = json["filters"].as_array().unwrap();
    let filters = filters.iter().map(|f| Filter {
        id: number(&f["id"]),
        cd_values: f["cd"].as_array().unwrap().iter().map(number).collect(),
    });
    let dtype = json["dtype"].as_str().unwrap();
    let size: usize = dtype[2..].parse().unwrap();
    let value = |i: u64| {
        let v = i * i % 1000;
        match dtype {
            "<f8" => (v as f64).to_le_bytes().to_vec(),
            "<f4" => (v as f32).to_le_bytes().to_vec(),
            _ => v.to_le_bytes()[..size].to_vec(),
        }
    };
    let decoded = json["decoded"].as_str().map(|text| STANDARD.decode(text).unwrap());
    Case {
        name: json["name"].as_str().unwrap().to_owned(),
        filters: filters.collect(),
        mask: number(&json["mask"]),
        raw: STANDARD.decode(json["raw"].as_str().unwrap()).unwrap(),
        values: decoded.unwrap_or_else(|| (0..json["elements"].as_u64().unwrap()).flat_map(value).collect()),
        size,
    }
}

fn supported() -> Vec<Case> {
    cases().into_iter().filter(|case| case.filters.iter().all(|filter| is_supported(filter.id))).collect()
}

fn try_decode(case: &Case, raw: &[u8], out: &mut [u8]) -> Result<()> {
    decode(&case.filters, case.mask, raw, out, case.size)
}

#[test]
fn every_chunk_decodes_to_its_values() {
    let cases = supported();
    assert!(cases.len() >= 115, "only {} cases", cases.len());
    for case in cases {
        let mut out = vec![0xaa; case.values.len()];
        try_decode(&case, &case.raw, &mut out).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(out == case.values, "{}: wrong values", case.name);
    }
}

#[test]
fn a_truncated_chunk_is_an_error() {
    for case in supported() {
        for keep in [0, 1, 3, 8, 11, 12, 15, 16, case.raw.len() / 2, case.raw.len() - 1] {
            let mut out = vec![0; case.values.len()];
            let error = try_decode(&case, &case.raw[..keep], &mut out).expect_err(&case.name);
            assert_eq!(error.kind, ErrorKind::InvalidData, "{} cut to {keep}: {error}", case.name);
        }
    }
}

#[test]
fn a_chunk_of_another_size_is_an_error() {
    for case in supported() {
        for len in [0, case.size, case.values.len() - case.size, case.values.len() + case.size, 1 << 16] {
            let mut out = vec![0; len];
            let error = try_decode(&case, &case.raw, &mut out).expect_err(&case.name);
            assert_eq!(error.kind, ErrorKind::InvalidData, "{} into {len}: {error}", case.name);
        }
    }
}

#[test]
fn damaged_chunks_never_panic_and_checksums_find_them() {
    for case in supported() {
        let checked = case.filters.iter().any(|filter| filter.id == FLETCHER32);
        for at in 0..case.raw.len().min(600) {
            for flip in [0x01, 0x80, 0xff] {
                let mut raw = case.raw.clone();
                raw[at] ^= flip;
                let mut out = vec![0; case.values.len()];
                let result = try_decode(&case, &raw, &mut out);
                assert!(!checked || result.is_err(), "{}: byte {at} changed unnoticed", case.name);
            }
        }
    }
}

#[test]
fn a_masked_filter_is_skipped() {
    let values: Vec<u8> = (0..64).collect();
    let filters = [Filter { id: SHUFFLE, cd_values: vec![4] }, Filter { id: GZIP, cd_values: vec![6] }];
    let mut out = vec![0; 64];
    decode(&filters, 0b11, &values, &mut out, 4).unwrap();
    assert_eq!(out, values);
    decode(&filters, 0b10, &values, &mut out, 4).unwrap();
    assert_eq!(out[..5], [0, 16, 32, 48, 1]);
    assert_eq!(decode(&filters, 0, &values, &mut out, 4).unwrap_err().kind, ErrorKind::InvalidData);
}

#[test]
fn an_unknown_filter_says_so() {
    let mut out = [0; 4];
    let filters = [Filter { id: 32024, cd_values: vec![] }];
    let error = decode(&filters, 0, &[1, 2, 3, 4], &mut out, 4).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedFormat);
    assert!(error.message.contains("32024 (sz3)"), "{error}");
    decode(&filters, 1, &[1, 2, 3, 4], &mut out, 4).unwrap();
    assert_eq!(out, [1, 2, 3, 4]);
}

#[test]
fn libhdf5_reads_with_the_registered_decoders() {
    register_with_libhdf5();
    for id in [BZIP2, BLOSC, LZ4, BITSHUFFLE, ZFP, ZSTD, FCIDECOMP, BLOSC2] {
        // SAFETY: a plain question, asked under the library's lock.
        #[allow(unsafe_code)]
        let there = hdf5::sync::sync(|| unsafe { hdf5_sys::h5z::H5Zfilter_avail(id as i32) });
        assert_eq!(there, 1, "filter {id}");
    }
}
