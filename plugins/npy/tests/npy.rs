//! Stacks of files, shapes of the catalog, archives, and files that mean harm.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tiled_npy::{NpyReader, NpzReader};
use tiled_plugin_api::{
    author::{Adapter, Context, ErrorKind, Reader, Result},
    model::{ArrayStructure, ChildrenRequest, DataType, Kind, SliceDim},
    testing::{open_path, open_request, read_array, read_slice},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const STACK: &str = "multipart/related;type=application/x-npy";

fn npy(descr: &str, fortran: bool, shape: &str, body: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(body);
    file
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn open_stack(paths: &[PathBuf], shape: Option<&[u64]>) -> Result<Box<dyn Adapter>> {
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let mut request = open_request(STACK, &paths)?;
    request.structure = shape.map(|shape| {
        let structure = ArrayStructure::single_chunk(DataType::native(Kind::Uint, 1), shape.to_vec());
        serde_json::to_value(structure).unwrap()
    });
    NpyReader.open(&Context::unbounded(), request)
}

#[test]
fn numbered_files_are_one_array_with_a_chunk_each() {
    let folder = TempDir::new().unwrap();
    let c = write(&folder, "a0.npy", &npy("'|u1'", false, "(2, 3)", &[0, 1, 2, 3, 4, 5]));
    let f = write(&folder, "a1.npy", &npy("'|u1'", true, "(2, 3)", &[6, 9, 7, 10, 8, 11]));
    let stack = open_stack(&[c.clone(), f.clone()], None).unwrap();
    let structure: ArrayStructure = stack.describe("").unwrap().structure().unwrap();
    assert_eq!((structure.shape, structure.chunks), (vec![2, 2, 3], vec![vec![1, 1], vec![2], vec![3]]));
    assert_eq!(read_array(&*stack, "").unwrap(), (0..12).collect::<Vec<u8>>());
    let part = [
        SliceDim { start: 1, step: -1, count: 2 },
        SliceDim::range(1, 1),
        SliceDim { start: 0, step: 2, count: 2 },
    ];
    assert_eq!(read_slice(&*stack, "", &part).unwrap(), [9, 11, 3, 5]);

    let reshaped = open_stack(&[c.clone(), f], Some(&[3, 4])).unwrap();
    assert_eq!(read_array(&*reshaped, "").unwrap(), (0..12).collect::<Vec<u8>>());
    assert_eq!(read_slice(&*reshaped, "", &[SliceDim::range(1, 1), SliceDim::all(4)]).unwrap(), [4, 5, 6, 7]);

    let other = write(&folder, "a2.npy", &npy("'|u1'", false, "(3, 2)", &[0; 6]));
    let error = read_array(&*open_stack(&[c, other], None).unwrap(), "").unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData);
    assert!(error.message.contains("a2.npy"), "{error}");
}

#[test]
fn files_that_mean_harm_are_refused_when_they_are_opened() {
    let folder = TempDir::new().unwrap();
    let check = |name: &str, bytes: &[u8], kind: ErrorKind| {
        let path = write(&folder, name, bytes);
        let error = open_path(&NpyReader, "application/x-npy", &path)
            .err()
            .unwrap_or_else(|| panic!("{name} was opened"));
        assert_eq!(error.kind, kind, "{name}: {error}");
        assert!(error.message.contains(name), "{error}");
    };
    let damaged = ErrorKind::InvalidData;
    check("huge.npy", &npy("'<f8'", false, "(1152921504606846976,)", &[0; 16]), damaged);
    check("overflow.npy", &npy("'<f8'", false, "(4294967296, 4294967296)", &[0; 16]), damaged);
    check("negative.npy", &npy("'<f8'", false, "(-1,)", &[0; 8]), damaged);
    check("short.npy", &npy("'<i4'", false, "(1000,)", &[0; 8]), damaged);
    check("code.npy", &npy("__import__('os').getcwd()", false, "(1,)", &[0; 8]), damaged);
    check("object.npy", &npy("'|O'", false, "(1,)", b"\x80\x04."), ErrorKind::UnsupportedFormat);
    check("version.npy", b"\x93NUMPY\x09\x00\x01\x00{", ErrorKind::UnsupportedFormat);
    check("empty.npy", b"", damaged);
    let whole = npy("'<i2'", false, "(3,)", &[1, 0, 2, 0, 3, 0]);
    for length in 0..whole.len() {
        check("cut.npy", &whole[..length], damaged);
    }
}

#[test]
fn an_archive_is_a_container_of_its_arrays() {
    let folder = TempDir::new().unwrap();
    let values: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let path = folder.path().join("a.npz");
    let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, method) in [("stored", CompressionMethod::Stored), ("deflated", CompressionMethod::Deflated)] {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method))
            .unwrap();
        zip.write_all(&npy("'|u1'", false, "(1000, 100)", &values)).unwrap();
    }
    zip.start_file("note.txt", SimpleFileOptions::default()).unwrap();
    zip.write_all(b"no array").unwrap();
    zip.finish().unwrap();

    let check = |adapter: &dyn Adapter| -> Result<()> {
        for name in ["stored", "deflated"] {
            assert!(read_array(adapter, name)? == values);
            let part = [SliceDim { start: 999, step: -3, count: 2 }, SliceDim::range(5, 2)];
            assert_eq!(
                read_slice(adapter, name, &part)?,
                [values[99_905], values[99_906], values[99_605], values[99_606]]
            );
        }
        Ok(())
    };
    let adapter = open_path(&NpzReader, "application/x-npz", &path).unwrap();
    check(&*adapter).unwrap();
    let children = adapter.children("", &ChildrenRequest { offset: 0, limit: 9, keys_only: false }).unwrap();
    let broken: Vec<bool> = children.items.iter().map(|child| child.broken.is_some()).collect();
    assert_eq!((children.count, broken), (3, vec![false, false, true]));

    // A flipped byte of either member is found by its checksum.
    let good = fs::read(&path).unwrap();
    for at in [5_000, 100_600] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let adapter = open_path(&NpzReader, "application/x-npz", &write(&folder, "bad.npz", &bad)).unwrap();
        assert_eq!(check(&*adapter).unwrap_err().kind, ErrorKind::InvalidData);
    }
}
