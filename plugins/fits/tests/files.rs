//! The files of `fixtures/` are read as astropy reads them; cut or damaged, they are refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tiled_fits::FitsReader;
use tiled_plugin_api::{prelude::*, testing};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected() -> serde_json::Map<String, Value> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().clone()
}

/// Name, node, and what astropy reads there.
fn arrays() -> Vec<(String, String, Value)> {
    let of_file = |(name, nodes): (String, Value)| {
        let nodes = nodes.as_array().unwrap().clone();
        nodes.into_iter().map(move |want| (name.clone(), want["node"].as_str().unwrap().to_owned(), want))
    };
    expected().into_iter().flat_map(of_file).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).unwrap()).collect()
}

fn open(path: &Path) -> Result<Box<dyn Adapter>> {
    testing::open_path(&FitsReader, "application/fits", path)
}

/// The same slice taken by hand from all the values.
fn pick(all: &[u8], shape: &[u64], slice: &[SliceDim], item: usize) -> Vec<u8> {
    let Some((dim, rest)) = slice.split_first() else { return all[..item].to_vec() };
    let stride = shape[1..].iter().product::<u64>() as usize * item;
    let part = |i| pick(&all[dim.at(i) as usize * stride..], &shape[1..], rest, item);
    (0..dim.count).flat_map(part).collect()
}

#[test]
fn arrays_are_what_astropy_reads() {
    for (name, node, want) in arrays() {
        let adapter = open(&fixture(&name)).unwrap();
        let structure: ArrayStructure = adapter.describe(&node).unwrap().structure().unwrap();
        assert_eq!(json!(structure.shape), want["shape"], "{name}");
        assert_eq!(structure.data_type.numpy_str().as_deref(), want["dtype"].as_str(), "{name}");
        let values = bytes_of(want["values"].as_str().unwrap());
        let item = structure.data_type.itemsize() as usize;
        let got = testing::read_array(&*adapter, &node).unwrap();
        assert!(same(&got, &values, &structure.data_type), "{name}: values differ");
        for (start, step) in [(0, 2i64), (1, 1), (4, -1), (0, 3)] {
            let dim = |n: &u64| {
                let start = start.min(n - 1);
                let count = if step < 0 { start + 1 } else { (n - start).div_ceil(step.unsigned_abs()) };
                SliceDim { start, step, count }
            };
            let slice: Vec<SliceDim> = structure.shape.iter().map(dim).collect();
            let part = testing::read_slice(&*adapter, &node, &slice).unwrap();
            assert!(part == pick(&got, &structure.shape, &slice, item), "{name}: slice {slice:?} differs");
        }
    }
}

/// Equal bytes, but for what stands in a NaN.
fn same(got: &[u8], want: &[u8], data_type: &DataType) -> bool {
    let is_nan = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if data_type.is_swapped() {
            bytes.reverse();
        }
        match *bytes.as_slice() {
            [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]).is_nan(),
            [a, b, c, d, e, f, g, h] => f64::from_ne_bytes([a, b, c, d, e, f, g, h]).is_nan(),
            _ => false,
        }
    };
    let item = data_type.itemsize() as usize;
    let is_float = data_type.kind() == Kind::Float;
    got.len() == want.len()
        && got.chunks(item).zip(want.chunks(item)).all(|(a, b)| a == b || is_float && is_nan(a) && is_nan(b))
}

#[test]
fn a_file_of_several_hdus_is_a_container() {
    let adapter = open(&fixture("several.fits")).unwrap();
    let root = adapter.describe("").unwrap();
    assert_eq!((root.structure_family, root.count), (StructureFamily::Container, Some(5)));
    assert_eq!(root.metadata["OBJECT"], "M 31");
    assert_eq!(root.metadata["comments"]["OBJECT"], "what it is");
    assert_eq!(root.metadata["LONG"], "x".repeat(150));
    assert_eq!(root.metadata["ESO DET DIT"], 1.5);
    assert_eq!(root.metadata["HISTORY"], json!(["made"]));
    let request = ChildrenRequest { offset: 0, limit: 9, keys_only: false };
    let children = adapter.children("", &request).unwrap();
    let seen: Vec<_> = children
        .items
        .iter()
        .map(|child| (child.key.as_str(), child.description.as_ref().unwrap().structure_family))
        .collect();
    use StructureFamily::{Array, Container, Table};
    let want =
        [("EVENTS", Table), ("TEXT", Table), ("SCI_1", Array), ("SCI_2", Array), ("NOTHING", Container)];
    assert_eq!(seen, want);
    assert_eq!(adapter.describe("SCI_2").unwrap().metadata["EXTVER"], 2);
    assert_eq!(adapter.describe("SCI_3").unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(adapter.children("SCI_1", &request).unwrap_err().kind, ErrorKind::InvalidArgument);
}

fn rows(adapter: &dyn Adapter, path: &str, columns: Option<&[&str]>) -> Result<Vec<Value>> {
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    let request = TableRequest { partition: None, columns };
    let stream = adapter.read_table(&Context::unbounded(), path, &request)?;
    let mut lines = Vec::new();
    for batch in stream.into_reader()? {
        let batch = batch.map_err(Error::from_arrow)?;
        for row in 0..batch.num_rows() {
            let names = batch.schema();
            let cell = |(field, column): (&std::sync::Arc<arrow::datatypes::Field>, _)| {
                let column: &arrow::array::ArrayRef = column;
                (field.name().clone(), cell(column, row))
            };
            lines.push(Value::Object(names.fields().iter().zip(batch.columns()).map(cell).collect()));
        }
    }
    Ok(lines)
}

fn cell(column: &arrow::array::ArrayRef, row: usize) -> Value {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt16Type};
    if column.is_null(row) {
        return Value::Null;
    }
    let list = |values: arrow::array::ArrayRef| (0..values.len()).map(|i| cell(&values, i)).collect();
    match column.data_type() {
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Int16 => json!(column.as_primitive::<Int16Type>().value(row)),
        DataType::UInt16 => json!(column.as_primitive::<UInt16Type>().value(row)),
        DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => json!(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::List(_) => list(column.as_list::<i32>().value(row)),
        DataType::FixedSizeList(..) => list(column.as_fixed_size_list().value(row)),
        other => Value::from(other.to_string()),
    }
}

#[test]
fn binary_tables_have_columns_of_all_kinds() {
    let adapter = open(&fixture("several.fits")).unwrap();
    let structure: TableStructure = adapter.describe("EVENTS").unwrap().structure().unwrap();
    assert_eq!(structure.npartitions, 1);
    let rows = rows(&*adapter, "EVENTS", None).unwrap();
    let want = |row: i64| {
        let bits: Vec<bool> = (0..10).map(|bit| (row + bit) % 3 == 0).collect();
        let at = |i: i64| (row * 6 + i) as f64;
        json!({
            "flag": row % 2 == 0, "bits": bits, "small": row + 60_000,
            "null": if row == 2 { Value::Null } else { json!(row) },
            "name": (["a", "bc", "", "hello"][row as usize]),
            "grid": [[at(0), at(1), at(2)], [at(3), at(4), at(5)]],
            "wave": row as f64 / 8.0, "cplx.real": row as f64, "cplx.imag": 2.0 * row as f64,
            "list": (0..row).collect::<Vec<_>>(), "words": "xyz"[..row as usize],
        })
    };
    assert_eq!(rows, (0..4).map(want).collect::<Vec<_>>());
    assert_eq!(structure.columns, rows[0].as_object().unwrap().keys().cloned().collect::<Vec<_>>());
}

#[test]
fn columns_are_chosen_and_ascii_tables_are_read() {
    let adapter = open(&fixture("several.fits")).unwrap();
    let read = rows(&*adapter, "EVENTS", Some(&["words", "wave"])).unwrap();
    assert_eq!(read[1], json!({"words": "x", "wave": 0.125}));
    assert_eq!(rows(&*adapter, "EVENTS", Some(&["no"])).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(rows(&*adapter, "SCI_1", None).unwrap_err().kind, ErrorKind::InvalidArgument);
    let text = rows(&*adapter, "TEXT", None).unwrap();
    let want = json!([
        {"a": "x", "i": -2, "f": 0.0}, {"a": "y z", "i": null, "f": 1e10},
        {"a": "", "i": 0, "f": 2e10}, {"a": "w", "i": 1, "f": 3e10},
    ]);
    assert_eq!(Value::Array(text), want);
}

#[test]
fn an_only_image_has_the_cards_of_the_image() {
    let adapter = open(&fixture("rice16.fits")).unwrap();
    let metadata = adapter.describe("").unwrap().metadata;
    assert_eq!((&metadata["BITPIX"], &metadata["NAXIS1"]), (&json!(16), &json!(20)));
    assert_eq!((&metadata["ZCMPTYPE"], &metadata["primary"]["SIMPLE"]), (&json!("RICE_1"), &json!(true)));
    assert!(metadata.get("TFORM1").is_none() && metadata.get("ZIMAGE").is_none());
    let error = open(&fixture("hcompress.fits")).err().unwrap();
    assert_eq!(error.kind, ErrorKind::UnsupportedFormat);
    assert!(error.message.contains("HCOMPRESS_1") && error.message.contains("hcompress.fits"), "{error}");
}

/// A file cut anywhere is refused, or gives the values it gives whole.
#[test]
fn files_that_are_cut_give_no_other_values() {
    let folder = tempfile::tempdir().unwrap();
    for (name, node, want) in arrays() {
        let bytes = fs::read(fixture(&name)).unwrap();
        let path = folder.path().join(&name);
        let values = bytes_of(want["values"].as_str().unwrap());
        for length in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
            fs::write(&path, &bytes[..length]).unwrap();
            let Ok(adapter) = open(&path) else { continue };
            let Ok(description) = adapter.describe(&node) else { continue };
            if description.structure_family != StructureFamily::Array {
                continue;
            }
            let structure: ArrayStructure = description.structure().unwrap();
            if let Ok(got) = testing::read_array(&*adapter, &node) {
                assert!(
                    same(&got, &values, &structure.data_type),
                    "{name} cut at {length} gives other values"
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
        for _ in 0..150 {
            let mut bad = bytes.clone();
            for _ in 0..=next(4) {
                let at = next(bad.len());
                bad[at] = match next(3) {
                    0 => next(256) as u8,
                    1 => b'0' + next(10) as u8,
                    _ => bad[at] ^ 1 << next(8),
                };
            }
            fs::write(&path, &bad).unwrap();
            let Ok(adapter) = open(&path) else { continue };
            let request = ChildrenRequest { offset: 0, limit: 99, keys_only: true };
            let children = adapter.children("", &request).map(|children| children.items).unwrap_or_default();
            let paths = children.into_iter().map(|child| child.key).chain([String::new()]);
            for path in paths {
                let Ok(description) = adapter.describe(&path) else { continue };
                if let Ok(structure) = description.structure::<ArrayStructure>() {
                    if structure.nbytes().is_some_and(|n| n <= 1 << 22) {
                        let _ = testing::read_array(&*adapter, &path);
                    }
                } else if description.structure_family == StructureFamily::Table {
                    let _ = rows(&*adapter, &path, None);
                }
            }
        }
    }
}

/// An HDU of these cards, each a keyword and its value, and of zeros.
fn hdu(cards: &[(&str, &str)], data: usize) -> Vec<u8> {
    let card = |(key, value): &(&str, &str)| format!("{:80}", format!("{key:8}= {value:>20}")).into_bytes();
    let mut bytes: Vec<u8> = cards.iter().flat_map(card).collect();
    bytes.extend(format!("{:80}", "END").bytes());
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes.resize(bytes.len() + data.next_multiple_of(2880), 0);
    bytes
}

/// Opens a file and describes and reads the table `HDU1` in it; it has to be refused.
fn is_refused(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let read = open(&path).and_then(|adapter| {
        adapter.describe("HDU1")?;
        rows(&*adapter, "HDU1", None)
    });
    let error = read.expect_err(name);
    assert!(matches!(error.kind, ErrorKind::InvalidData | ErrorKind::TooLarge), "{name}: {error}");
    assert!(error.message.contains(name), "{error}");
}

#[test]
fn images_of_forged_sizes_are_refused() {
    let sizes = [
        ("1000000000", "1000000000"),
        ("9223372036854775807", "9223372036854775807"),
        ("-1", "1"),
        ("T", "1"),
    ];
    for (number, (rows, columns)) in sizes.into_iter().enumerate() {
        let cards =
            [("SIMPLE", "T"), ("BITPIX", "16"), ("NAXIS", "2"), ("NAXIS1", columns), ("NAXIS2", rows)];
        is_refused(&format!("image{number}.fits"), &hdu(&cards, 5760));
    }
}

#[test]
fn tables_of_forged_sizes_are_refused() {
    let check = |name: &str, cards: &[(&str, &str)]| {
        let primary = hdu(&[("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0")], 0);
        let start = [("XTENSION", "'BINTABLE'"), ("BITPIX", "8"), ("NAXIS", "2")];
        is_refused(name, &[primary, hdu(&[&start[..], cards].concat(), 5760)].concat());
    };
    let shape = [("NAXIS1", "16"), ("NAXIS2", "10"), ("PCOUNT", "100"), ("TFIELDS", "1")];
    for (number, form) in ["'9999999999999J'", "'17B'", "'1Z'", "'2PJ'"].into_iter().enumerate() {
        check(&format!("form{number}.fits"), &[&shape[..], &[("TFORM1", form)]].concat());
    }
    check("rows.fits", &[("NAXIS1", "0"), ("NAXIS2", "999999999999"), ("TFIELDS", "0")]);
    let tiles = [
        ("TTYPE1", "'COMPRESSED_DATA'"),
        ("TFORM1", "'1QB'"),
        ("ZIMAGE", "T"),
        ("ZCMPTYPE", "'RICE_1'"),
        ("ZBITPIX", "16"),
        ("ZNAXIS", "1"),
    ];
    for (number, (length, tile)) in
        [("9223372036854775807", "1"), ("99999999", "99999999"), ("1000", "1")].into_iter().enumerate()
    {
        let sizes = [("ZNAXIS1", length), ("ZTILE1", tile)];
        check(&format!("tiles{number}.fits"), &[&shape[..], &tiles, &sizes].concat());
    }
}

#[test]
fn a_row_cannot_point_out_of_its_heap() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(fixture("several.fits")).unwrap();
    let adapter = open(&fixture("several.fits")).unwrap();
    // The descriptor of `list` in the last row: three numbers of four bytes.
    let at = good.windows(8).position(|bytes| bytes == [0, 0, 0, 3, 0, 0, 0, 12]);
    let mut bad = good.clone();
    bad[at.unwrap()] = 0x7f;
    let path = folder.path().join("bad.fits");
    fs::write(&path, &bad).unwrap();
    assert!(rows(&*adapter, "EVENTS", Some(&["list"])).is_ok());
    let error = rows(&*open(&path).unwrap(), "EVENTS", Some(&["list"])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidData, "{error}");
    assert!(error.message.contains("list") && error.message.contains("bad.fits"), "{error}");
}
