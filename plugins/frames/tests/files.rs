//! The files of `fixtures/` are read as fabio, imageio and mrcfile read them; what the libraries do not write is made here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tiled_frames::{CbfReader, EdfReader, MrcReader, SpeReader};
use tiled_plugin_api::{prelude::*, testing};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected() -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().clone()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap()).collect()
}

fn reader(path: &Path) -> &'static dyn Reader {
    let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".gz").to_owned();
    match name.rsplit('.').next() {
        Some("edf") => &EdfReader,
        Some("cbf") => &CbfReader,
        Some("spe") => &SpeReader,
        _ => &MrcReader,
    }
}

fn open(path: &Path) -> Result<Box<dyn Adapter>> {
    testing::open_path(reader(path), "", path)
}

fn structure(adapter: &dyn Adapter, path: &str) -> ArrayStructure {
    adapter.describe(path).unwrap().structure().unwrap()
}

/// The same slice taken by hand from all the values.
fn pick(all: &[u8], shape: &[u64], slice: &[SliceDim], item: usize) -> Vec<u8> {
    let Some((dim, rest)) = slice.split_first() else { return all[..item].to_vec() };
    let stride = shape[1..].iter().product::<u64>() as usize * item;
    let part = |i| pick(&all[dim.at(i) as usize * stride..], &shape[1..], rest, item);
    (0..dim.count).flat_map(part).collect()
}

fn check_slices(adapter: &dyn Adapter, path: &str, values: &[u8], name: &str) {
    let structure = structure(adapter, path);
    assert!(testing::read_array(adapter, path).unwrap() == values, "{name}: values differ");
    let item = structure.data_type.itemsize() as usize;
    for (start, step) in [(0, 2i64), (1, 1), (2, -1), (0, 3)] {
        let dim = |n: &u64| {
            let start = start.min(n - 1);
            let count = if step < 0 { start + 1 } else { (n - start).div_ceil(step.unsigned_abs()) };
            SliceDim { start, step, count }
        };
        let slice: Vec<SliceDim> = structure.shape.iter().map(dim).collect();
        let got = testing::read_slice(adapter, path, &slice).unwrap();
        assert!(got == pick(values, &structure.shape, &slice, item), "{name}: slice {slice:?} differs");
    }
}

#[test]
fn files_are_what_their_libraries_read() {
    for (name, want) in expected() {
        let adapter = open(&fixture(&name)).unwrap();
        let description = adapter.describe("").unwrap();
        let structure: ArrayStructure = description.structure().unwrap();
        assert_eq!(json!(structure.shape), want["shape"], "{name}");
        assert_eq!(structure.data_type.numpy_str().as_deref(), want["dtype"].as_str(), "{name}");
        for (key, value) in want["metadata"].as_object().unwrap() {
            assert_eq!(&description.metadata[key], value, "{name}: {key}");
        }
        check_slices(&*adapter, "", &bytes_of(want["values"].as_str().unwrap()), &name);
    }
}

#[test]
fn formats_are_told_by_their_first_bytes() {
    let readers: [(&str, &dyn Reader); 4] =
        [("edf", &EdfReader), ("cbf", &CbfReader), ("spe", &SpeReader), ("mrc", &MrcReader)];
    for name in expected().keys().filter(|name| !name.ends_with(".gz")) {
        let bytes = fs::read(fixture(name)).unwrap();
        let source = testing::FileSource::open(&fixture(name)).unwrap();
        let head = &bytes[..bytes.len().min(4096)];
        for (extension, reader) in readers {
            let is_sure = reader.sniff(&source, head) > 0;
            assert_eq!(is_sure, name.ends_with(extension), "{name} looked at as {extension}");
        }
    }
    let source = testing::FileSource::open(&fixture("expected.json")).unwrap();
    for other in [&b"{\"version\":3}"[..], b"0       European data format", &[0; 4096], b"# a linker's map"] {
        assert!(readers.iter().all(|(_, reader)| reader.sniff(&source, other) == 0));
    }
}

/// A file cut anywhere is refused, or gives what is there of its values.
#[test]
fn files_that_are_cut_give_no_other_values() {
    let folder = tempfile::tempdir().unwrap();
    for (name, want) in expected() {
        let bytes = fs::read(fixture(&name)).unwrap();
        let values = bytes_of(want["values"].as_str().unwrap());
        let path = folder.path().join(&name);
        let step = bytes.len() / 97 + 1;
        for length in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(40)..bytes.len()) {
            fs::write(&path, &bytes[..length]).unwrap();
            let Ok(adapter) = open(&path) else { continue };
            let read = testing::read_array(&*adapter, "");
            // What stands behind the values of a CBF file is not needed.
            if let Ok(got) = read {
                assert!(values.starts_with(&got), "{name} cut at {length} gives other values");
                assert!(
                    name.starts_with("frames.edf") || got.len() == values.len(),
                    "{name} cut at {length}"
                );
            }
        }
    }
}

#[test]
fn files_with_wrong_bytes_harm_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below.max(1)
    };
    for name in expected().keys() {
        let bytes = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        for _ in 0..200 {
            let mut bad = bytes.clone();
            for _ in 0..=next(3) {
                let at = if next(2) == 0 { next(bad.len().min(700)) } else { next(bad.len()) };
                bad[at] = if next(2) == 0 { next(256) as u8 } else { bad[at] ^ 1 << next(8) };
            }
            fs::write(&path, &bad).unwrap();
            let Ok(adapter) = open(&path) else { continue };
            let Ok(description) = adapter.describe("") else { continue };
            let Ok(structure) = description.structure::<ArrayStructure>() else { continue };
            if structure.nbytes().is_some_and(|n| n <= 1 << 22) {
                let _ = testing::read_array(&*adapter, "");
            }
        }
    }
}

#[test]
fn a_wrong_md5_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(fixture("pilatus.cbf")).unwrap();
    let start = bytes.windows(4).position(|w| w == b"\x0c\x1a\x04\xd5").unwrap() + 4;
    bytes[start + 5] ^= 1;
    let path = folder.path().join("bad.cbf");
    fs::write(&path, &bytes).unwrap();
    let error = testing::read_array(&*open(&path).unwrap(), "").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.contains("MD5") && error.message.contains("bad.cbf"), "{error}");
}

#[test]
fn numbered_files_are_one_array() {
    let path = fixture("pilatus.cbf");
    let request =
        testing::open_request("multipart/related;type=application/x-cbf", &[&path, &path, &path]).unwrap();
    let adapter = CbfReader.open(&Context::unbounded(), request).unwrap();
    let structure = structure(&*adapter, "");
    assert_eq!((structure.shape, structure.chunks), (vec![3, 9, 11], vec![vec![1; 3], vec![9], vec![11]]));
    assert_eq!(adapter.describe("").unwrap().metadata["first_file"]["N_excluded_pixels"], 3);
    let one = bytes_of(expected()["pilatus.cbf"]["values"].as_str().unwrap());
    assert_eq!(testing::read_array(&*adapter, "").unwrap(), one.repeat(3));

    let other = fixture("short.cbf");
    let request =
        testing::open_request("multipart/related;type=application/x-cbf", &[&path, &other]).unwrap();
    let adapter = CbfReader.open(&Context::unbounded(), request).unwrap();
    let error = testing::read_array(&*adapter, "").unwrap_err();
    assert!(error.message.contains("short.cbf"), "{error}");
}

#[test]
fn frames_that_differ_are_a_container() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.edf");
    let both = [fs::read(fixture("one.edf")).unwrap(), fs::read(fixture("packed.edf")).unwrap()].concat();
    fs::write(&path, both).unwrap();
    let adapter = open(&path).unwrap();
    let request = ChildrenRequest { offset: 0, limit: 9, keys_only: true };
    let keys: Vec<String> =
        adapter.children("", &request).unwrap().items.into_iter().map(|child| child.key).collect();
    assert_eq!(keys, ["0", "1"]);
    for (key, name) in [("0", "one.edf"), ("1", "packed.edf")] {
        check_slices(&*adapter, key, &bytes_of(expected()[name]["values"].as_str().unwrap()), name);
    }
    assert_eq!(adapter.describe("2").unwrap_err().kind, ErrorKind::NotFound);
}

/// A header of an MRC file, little endian, and values.
fn mrc(mode: i32, shape: [i32; 3], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let [nz, ny, nx] = shape;
    for (at, value) in [(0, nx), (4, ny), (8, nz), (12, mode), (36, nz), (88, 1)] {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    bytes[208..216].copy_from_slice(b"MAP \x44\x44\0\0");
    bytes.extend(values);
    bytes
}

#[test]
fn rare_modes_of_mrc_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mrc");
    fs::write(&path, mrc(101, [2, 2, 3], &[0x21, 0x03, 0x54, 0x06, 0x87, 0x09, 0xba, 0x0c])).unwrap();
    check_slices(&*open(&path).unwrap(), "", &(1..=12).collect::<Vec<u8>>(), "mode 101");

    let pairs: Vec<u8> = (0..16).collect();
    fs::write(&path, mrc(3, [1, 2, 2], &pairs)).unwrap();
    let adapter = open(&path).unwrap();
    let DataType::Struct { fields, .. } = structure(&*adapter, "").data_type else { panic!("no record") };
    assert_eq!(fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["real", "imag"]);
    check_slices(&*adapter, "", &pairs, "mode 3");

    let mut imod = mrc(0, [1, 2, 2], &[1, 2, 3, 255]);
    imod[152..156].copy_from_slice(&1_146_047_817_i32.to_le_bytes());
    fs::write(&path, &imod).unwrap();
    assert_eq!(structure(&*open(&path).unwrap(), "").data_type, DataType::native(Kind::Uint, 1));
    fs::write(&path, mrc(7, [1, 2, 2], &[0; 64])).unwrap();
    assert_eq!(open(&path).err().unwrap().kind, ErrorKind::UnsupportedFormat);
}

/// An SPE 3 file of two frames, each of two regions and eight bytes of what was noted with it.
fn spe_3(xml: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4100];
    bytes[1992..1996].copy_from_slice(&3.0_f32.to_le_bytes());
    for frame in 0..2_u16 {
        bytes.extend((0..6_u16).chain(10..14).flat_map(|n| (n + 100 * frame).to_le_bytes()));
        bytes.extend([0xee; 8]);
    }
    let footer = bytes.len() as u64;
    bytes[678..686].copy_from_slice(&footer.to_le_bytes());
    bytes.extend(xml.as_bytes());
    bytes
}

const XML: &str = r#"<SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009"><DataFormat>
<DataBlock type="Frame" count="2" pixelFormat="MonochromeUnsigned16" size="20" stride="28">
<DataBlock type="Region" count="1" width="3" height="2" size="12" stride="12"/>
<DataBlock type="Region" count="1" width="2" height="2" size="8" stride="8"/></DataBlock></DataFormat>
<GeneralInformation creator="me"><Notes>done</Notes></GeneralInformation></SpeFormat>"#;

#[test]
fn regions_of_spe_3_are_stacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.spe");
    fs::write(&path, spe_3(XML)).unwrap();
    let adapter = open(&path).unwrap();
    let description = adapter.describe("").unwrap();
    assert_eq!(description.structure_family, StructureFamily::Container);
    assert_eq!(
        description.metadata["SpeFormat"]["GeneralInformation"],
        json!({"creator": "me", "Notes": "done"})
    );
    let words = |ranges: [std::ops::Range<u16>; 2]| -> Vec<u8> {
        ranges.into_iter().flatten().flat_map(u16::to_le_bytes).collect()
    };
    check_slices(&*adapter, "roi0", &words([0..6, 100..106]), "roi0");
    check_slices(&*adapter, "roi1", &words([10..14, 110..114]), "roi1");

    for (from, to) in [
        ("count=\"2\"", "count=\"3\""),
        ("width=\"3\"", "width=\"-3\""),
        ("<DataFormat>", "<Data"),
        ("stride=\"28\"", "stride=\"18446744073709551615\""),
        ("width=\"3\"", "width=\"99999999999\""),
    ] {
        fs::write(&path, spe_3(&XML.replace(from, to))).unwrap();
        let read = open(&path).and_then(|adapter| testing::read_array(&*adapter, "roi0"));
        assert!(matches!(read.unwrap_err().kind, ErrorKind::InvalidData), "{to}");
    }
}

#[test]
fn forged_sizes_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = open(&path).err().unwrap_or_else(|| panic!("{name} was opened"));
        assert!(matches!(error.kind, ErrorKind::InvalidData | ErrorKind::TooLarge), "{name}: {error}");
        assert!(error.message.contains(name), "{error}");
    };
    check("a.mrc", mrc(2, [i32::MAX; 3], &[0; 64]));
    check("b.mrc", mrc(2, [-1, 2, 2], &[0; 64]));
    check("c.mrc", mrc(101, [1 << 20, i32::MAX, i32::MAX], &[0; 64]));
    let edf = |fields: &str, blob: usize| [format!("{{\n{fields} }}\n").as_bytes(), &vec![0; blob]].concat();
    let kind = "ByteOrder = LowByteFirst; DataType = SignedInteger;";
    check("a.edf", edf(&format!("{kind} Dim_1 = 4294967296; Dim_2 = 4294967296;"), 64));
    check("b.edf", edf(&format!("{kind} Dim_1 = 1000; Dim_2 = 1000; Size = 64;"), 64));
    check("c.edf", edf(&format!("{kind} Dim_1 = 99999; Dim_2 = 9999; Size = 64; Compression = GZIP;"), 64));
    check("d.edf", edf(&format!("{kind} Dim_4000000000 = 1;"), 64));
    check("e.edf", edf(&format!("{kind} Dim_1 = 4; Dim_2 = 4; Size = 18446744073709551615;"), 64));
    let text = String::from_utf8_lossy(&fs::read(fixture("pilatus.cbf")).unwrap()).into_owned();
    let text = text.split('\u{c}').next().unwrap().replace("Dimension: 11", "Dimension: 1100000000");
    let text = text.replace("Elements: 99", "Elements: 9900000000");
    check("a.cbf", [text.as_bytes(), b"\x0c\x1a\x04\xd5", &[0; 200]].concat());
}
