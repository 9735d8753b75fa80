//! Files that the `netcdf` and `hdf5` crates write, read back; and forged ones.

use std::path::{Path, PathBuf};

use netcdf::Options;
use serde_json::json;
use tempfile::TempDir;
use tiled_plugin_api::{
    prelude::*,
    testing::{open_path, read_array, read_slice},
};

use super::{
    NetcdfReader,
    cf::{self, Recipe},
    model::{Group, Place, Stored, Variable},
    number::{Attr, Element, Number},
};

/// Kinds of files: CDF-1, CDF-2, CDF-5, netCDF-4.
fn kinds() -> [(&'static str, Options); 4] {
    [
        ("cdf1.nc", Options::empty()),
        ("cdf2.nc", Options::_64BIT_OFFSET),
        ("cdf5.nc", Options::_64BIT_DATA),
        ("four.nc", Options::NETCDF4),
    ]
}

/// Two record variables, a fixed one, characters, a coordinate, attributes.
fn write(path: &Path, options: Options) -> netcdf::Result<()> {
    let mut file = netcdf::create_with(path, options)?;
    file.add_unlimited_dimension("time")?;
    for (name, len) in [("y", 5), ("x", 3), ("chars", 4)] {
        file.add_dimension(name, len)?;
    }
    file.add_attribute("title", "a t\u{e9}st")?;
    let mut packed = file.add_variable::<i16>("packed", &["time", "y", "x"])?;
    packed.put_attribute("scale_factor", 0.5_f32)?;
    packed.put_attribute("_FillValue", -1_i16)?;
    packed.put_attribute("units", "K")?;
    packed.put_attribute("coordinates", "depth nothing")?;
    file.add_variable::<i8>("odd", &["time"])?;
    file.add_variable::<f64>("x", &["x"])?.put_attribute("range", vec![0.0_f32, 0.1])?;
    file.add_variable::<i32>("depth", &["y"])?;
    file.add_variable::<NcChar>("name", &["y", "chars"])?;
    file.enddef()?;
    let values: Vec<i16> = (0..60).map(|i| if i % 7 == 0 { -1 } else { i }).collect();
    put(&mut file, "packed", &values, (..4, .., ..))?;
    put(&mut file, "odd", &[1_i8, 2, 3, 4], ..4)?;
    put(&mut file, "x", &[0.25, 0.5, 0.75], ..)?;
    put(&mut file, "depth", &[10, 20, 30, 40, 50], ..)?;
    put(&mut file, "name", &b"ab\0\0c   \0\0\0\0defgh\0\0\0".map(NcChar), (.., ..))?;
    file.close()
}

fn put<T, E>(file: &mut netcdf::FileMut, name: &str, values: &[T], extents: E) -> netcdf::Result<()>
where
    T: netcdf::types::NcTypeDescriptor,
    E: TryInto<netcdf::Extents>,
    E::Error: Into<netcdf::Error>,
{
    let mut variable = file.variable_mut(name).ok_or("no such variable")?;
    variable.put_values(values, extents)
}

/// One character of netCDF, which the crate leaves to its users.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct NcChar(u8);

// SAFETY: one byte, as the type that is named.
#[allow(unsafe_code)]
unsafe impl netcdf::types::NcTypeDescriptor for NcChar {
    fn type_descriptor() -> netcdf::types::NcVariableType {
        netcdf::types::NcVariableType::Char
    }
}

fn written() -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = kinds().map(|(name, options)| {
        let path = folder.path().join(name);
        write(&path, options).unwrap_or_else(|error| panic!("{name}: {error}"));
        path
    });
    (folder, paths.into())
}

fn open(path: &Path) -> Box<dyn Adapter> {
    open_path(&NetcdfReader, "application/netcdf", path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn numbers<T: Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(T::SIZE).map(T::get).collect()
}

fn structure(adapter: &dyn Adapter, path: &str) -> ArrayStructure {
    adapter.describe(path).unwrap().structure().unwrap()
}

#[test]
fn every_kind_of_file_gives_the_same_dataset() {
    let (_folder, paths) = written();
    for path in paths {
        let adapter = open(&path);
        let root = adapter.describe("").unwrap();
        assert_eq!(root.specs, [Spec::named("xarray_dataset")], "{}", path.display());
        assert_eq!(root.metadata, json!({"attrs": {"title": "a t\u{e9}st"}}));
        let all = adapter.children("", &ChildrenRequest { offset: 0, limit: 100, keys_only: false }).unwrap();
        let keys: Vec<&str> = all.items.iter().map(|child| child.key.as_str()).collect();
        assert_eq!(keys, ["packed", "odd", "name", "x", "depth"], "{}", path.display());
        let packed = all.items[0].description.as_ref().unwrap();
        assert_eq!(packed.metadata, json!({"attrs": {"units": "K"}}));
        assert_eq!(packed.specs, [Spec::named("xarray_data_var")]);
        assert_eq!(packed.structure["dims"], json!(["time", "y", "x"]));
        assert_eq!(
            all.items[3].description.as_ref().unwrap().metadata,
            json!({"attrs": {"range": [0.0, 0.1]}})
        );
        for coordinate in &all.items[3..] {
            assert_eq!(coordinate.description.as_ref().unwrap().specs, [Spec::named("xarray_coord")]);
        }
    }
}

#[test]
fn every_kind_of_file_gives_the_same_values() {
    let (_folder, paths) = written();
    for path in paths {
        let adapter = open(&path);
        let packed = numbers::<f32>(&read_array(&*adapter, "packed").unwrap());
        let wanted: Vec<f32> = (0..60).map(|i| if i % 7 == 0 { f32::NAN } else { i as f32 * 0.5 }).collect();
        assert_eq!(packed.len(), 60);
        assert!(packed.iter().zip(&wanted).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{packed:?}");
        assert_eq!(numbers::<i8>(&read_array(&*adapter, "odd").unwrap()), [1, 2, 3, 4]);
        assert_eq!(numbers::<f64>(&read_array(&*adapter, "x").unwrap()), [0.25, 0.5, 0.75]);
        assert_eq!(read_array(&*adapter, "name").unwrap(), b"ab\0\0c   \0\0\0\0defgh\0\0\0");
        let name = structure(&*adapter, "name");
        assert_eq!((name.data_type.numpy_str().unwrap(), name.shape), ("|S4".to_owned(), vec![5]));
    }
}

#[test]
fn slices_take_from_the_whole_whatever_their_steps() {
    let (_folder, paths) = written();
    let parts = [
        [SliceDim::range(1, 2), SliceDim { start: 4, step: -2, count: 3 }, SliceDim::all(3)],
        [
            SliceDim { start: 3, step: -1, count: 4 },
            SliceDim::range(2, 1),
            SliceDim { start: 0, step: 2, count: 2 },
        ],
        [SliceDim::range(0, 0), SliceDim::all(5), SliceDim::all(3)],
    ];
    for path in paths {
        let adapter = open(&path);
        let whole = numbers::<u32>(&read_array(&*adapter, "packed").unwrap());
        for [a, b, c] in parts {
            let got = numbers::<u32>(&read_slice(&*adapter, "packed", &[a, b, c]).unwrap());
            let mut wanted = Vec::new();
            for (i, j, k) in (0..a.count)
                .flat_map(|i| (0..b.count).flat_map(move |j| (0..c.count).map(move |k| (i, j, k))))
            {
                wanted.push(whole[(a.at(i) * 15 + b.at(j) * 3 + c.at(k)) as usize]);
            }
            assert_eq!(got, wanted, "{}", path.display());
        }
    }
}

#[test]
fn wide_gaps_are_read_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.nc");
    let (rows, columns) = (3000_usize, 1000_usize);
    let values: Vec<i32> = (0..(rows * columns) as i32).collect();
    let mut file = netcdf::create_with(&path, Options::_64BIT_OFFSET).unwrap();
    file.add_dimension("row", rows).unwrap();
    file.add_dimension("column", columns).unwrap();
    file.add_variable::<i32>("v", &["row", "column"]).unwrap();
    file.enddef().unwrap();
    put(&mut file, "v", &values, (.., ..)).unwrap();
    file.close().unwrap();
    let adapter = open(&path);
    for (rows, columns) in [
        (SliceDim::all(3000), SliceDim::range(7, 1)),
        (SliceDim { start: 2999, step: -3, count: 1000 }, SliceDim { start: 5, step: 100, count: 3 }),
        (SliceDim::range(5, 1), SliceDim { start: 999, step: -1, count: 1000 }),
    ] {
        let got = numbers::<i32>(&read_slice(&*adapter, "v", &[rows, columns]).unwrap());
        let wanted: Vec<i32> = (0..rows.count)
            .flat_map(|i| (0..columns.count).map(move |k| (rows.at(i) * 1000 + columns.at(k)) as i32))
            .collect();
        assert!(got == wanted, "{rows:?} {columns:?}");
    }
}

#[test]
fn a_variable_shorter_than_its_record_dimension_is_filled_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.nc");
    let mut file = netcdf::create(&path).unwrap();
    file.add_unlimited_dimension("t").unwrap();
    file.add_variable::<i32>("long", &["t"]).unwrap().put_values(&[1, 2, 3, 4], ..4).unwrap();
    let mut short = file.add_variable::<i16>("short", &["t"]).unwrap();
    short.set_fill_value(9_i16).unwrap();
    short.put_values(&[1_i16, 2], ..2).unwrap();
    file.add_variable::<f64>("never", &["t"]).unwrap();
    file.close().unwrap();
    let adapter = open(&path);
    let short = numbers::<f32>(&read_array(&*adapter, "short").unwrap());
    assert_eq!(&short[..2], [1.0, 2.0]);
    assert!(short.len() == 4 && short[2].is_nan() && short[3].is_nan());
    let backwards = [SliceDim { start: 3, step: -2, count: 2 }];
    let part = numbers::<f32>(&read_slice(&*adapter, "short", &backwards).unwrap());
    assert!(part[0].is_nan() && part[1] == 2.0);
    assert_eq!(numbers::<f64>(&read_array(&*adapter, "never").unwrap()), [9.969_209_968_386_869e36; 4]);
}

#[test]
fn strings_are_as_wide_as_the_longest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("strings.nc");
    let mut file = netcdf::create(&path).unwrap();
    file.add_dimension("n", 3).unwrap();
    let mut variable = file.add_string_variable("s", &["n"]).unwrap();
    variable.put_string("a", 0).unwrap();
    variable.put_string("\u{e9}3x", 1).unwrap();
    file.close().unwrap();
    let adapter = open(&path);
    assert_eq!(structure(&*adapter, "s").data_type, DataType::native(Kind::Unicode, 12));
    let text: String = numbers::<u32>(&read_array(&*adapter, "s").unwrap())
        .into_iter()
        .map(|code| char::from_u32(code).unwrap())
        .collect();
    assert_eq!(text, "a\0\0\u{e9}3x\0\0\0");
}

#[test]
fn groups_are_datasets_below_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("groups.nc");
    let mut file = netcdf::create(&path).unwrap();
    file.add_dimension("n", 2).unwrap();
    file.add_group("g").unwrap().add_variable::<i32>("v", &["n"]).unwrap().put_values(&[7, 8], ..).unwrap();
    file.close().unwrap();
    let adapter = open(&path);
    assert_eq!(structure(&*adapter, "g/v").dims.unwrap(), ["n"]);
    assert_eq!(numbers::<i32>(&read_array(&*adapter, "g/v").unwrap()), [7, 8]);
    assert_eq!(adapter.describe("g/w").unwrap_err().kind, ErrorKind::NotFound);
}

#[test]
fn cycles_and_broken_links_fail_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cycle.nc");
    write(&path, Options::NETCDF4).unwrap();
    let file = hdf5::File::open_rw(&path).unwrap();
    file.create_group("g").unwrap().link_soft("/", "up").unwrap();
    file.link_hard("/g", "g/self").unwrap();
    file.link_soft("/nowhere", "dangling").unwrap();
    file.link_external("/etc/passwd", "/x", "outside").unwrap();
    file.close().unwrap();
    let adapter = open(&path);
    assert_eq!(numbers::<i8>(&read_array(&*adapter, "odd").unwrap()), [1, 2, 3, 4]);
    let all = adapter.children("", &ChildrenRequest { offset: 0, limit: 100, keys_only: false }).unwrap();
    let broken: Vec<&str> = all.items.iter().filter(|c| c.broken.is_some()).map(|c| c.key.as_str()).collect();
    assert_eq!(broken, ["dangling", "outside"]);
    let below = adapter.children("g", &ChildrenRequest { offset: 0, limit: 100, keys_only: false }).unwrap();
    assert!(below.count == 2 && below.items.iter().all(|c| c.broken.is_some()), "{below:?}");
    assert_eq!(adapter.describe("dangling").unwrap_err().kind, ErrorKind::BrokenLink);
}

#[test]
fn truncated_data_are_an_error_and_never_zeros() {
    let (_folder, paths) = written();
    for path in &paths[..3] {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 30]).unwrap();
        let adapter = open(path);
        let error = read_array(&*adapter, "packed").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidData);
        assert!(error.message.contains("packed") && error.message.contains(".nc"), "{error}");
        assert_eq!(numbers::<f64>(&read_array(&*adapter, "x").unwrap()), [0.25, 0.5, 0.75]);
    }
}

#[test]
fn forged_headers_are_refused_or_read_but_never_panic() {
    let (folder, paths) = written();
    let forged = folder.path().join("forged.nc");
    let mut refused = 0;
    for path in [&paths[0], &paths[2]] {
        let bytes = std::fs::read(path).unwrap();
        for at in 3..bytes.len().min(600) {
            for value in [0x00, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                std::fs::write(&forged, &changed).unwrap();
                match open_path(&NetcdfReader, "application/netcdf", &forged) {
                    Err(error) => {
                        assert!(
                            matches!(error.kind, ErrorKind::InvalidData | ErrorKind::UnsupportedFormat),
                            "{error}"
                        );
                        refused += 1;
                    }
                    Ok(adapter) => read_some(&*adapter),
                }
            }
        }
        // Every length of the file: the header may end anywhere.
        for len in (0..bytes.len().min(600)).step_by(3) {
            std::fs::write(&forged, &bytes[..len]).unwrap();
            if let Ok(adapter) = open_path(&NetcdfReader, "application/netcdf", &forged) {
                read_some(&*adapter);
            }
        }
    }
    assert!(refused > 500, "only {refused} were refused");
}

/// Reads what has a sane size.
fn read_some(adapter: &dyn Adapter) {
    let all = adapter.children("", &ChildrenRequest { offset: 0, limit: 100, keys_only: false }).unwrap();
    for child in all.items {
        let Some(description) = child.description else { continue };
        let Ok(structure) = description.structure::<ArrayStructure>() else { continue };
        if structure.nbytes().is_some_and(|bytes| bytes < 1 << 20) {
            let _ = read_array(adapter, &child.key);
        }
    }
}

fn variable(name: &str, stored: Stored, dims: &[(&str, u64)], attrs: &[(&str, Attr)]) -> Variable {
    Variable {
        name: name.into(),
        dims: dims.iter().map(|(name, _)| (*name).to_owned()).collect(),
        shape: dims.iter().map(|(_, length)| *length).collect(),
        stored,
        attrs: attrs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        chunk: None,
        place: Place::Classic { begin: 0, strides: vec![] },
    }
}

fn f32s(value: f32) -> Attr {
    Attr::Numbers(Number::F32, value.to_ne_bytes().to_vec())
}

fn f64s(value: f64) -> Attr {
    Attr::Numbers(Number::F64, value.to_ne_bytes().to_vec())
}

fn i16s(value: i16) -> Attr {
    Attr::Numbers(Number::I16, value.to_ne_bytes().to_vec())
}

fn decoded(stored: Number, attrs: &[(&str, Attr)]) -> (String, cf::Decoded) {
    let group = Group {
        variables: vec![variable("v", Stored::Number(stored), &[("x", 2)], attrs)],
        ..Group::default()
    };
    let decoded = cf::decode(&group).variables.remove(0);
    let data_type = match &decoded.recipe {
        Recipe::Plain(data_type) => data_type.clone(),
        Recipe::Numbers(numeric) => numeric.data_type(),
        Recipe::Text { .. } => panic!("numbers are no text"),
    };
    (data_type.numpy_str().unwrap()[1..].to_owned(), decoded)
}

#[test]
fn types_are_those_that_xarray_chooses() {
    let fill = ("_FillValue", i16s(-1));
    type Attrs<'a> = &'a [(&'a str, Attr)];
    let cases: [(Number, Attrs, &str); 14] = [
        (Number::I16, &[], "i2"),
        (Number::I16, &[("scale_factor", f64s(0.1)), ("add_offset", f64s(1.0)), fill.clone()], "f8"),
        (Number::I16, &[("scale_factor", f32s(0.1))], "f4"),
        (Number::I32, &[("scale_factor", f32s(0.1))], "f4"),
        (Number::I32, &[("scale_factor", f32s(0.1)), ("add_offset", f32s(1.0))], "f8"),
        (Number::I16, &[("scale_factor", f32s(0.1)), ("add_offset", f64s(1.0))], "f8"),
        (Number::I16, std::slice::from_ref(&fill), "f4"),
        (Number::I32, std::slice::from_ref(&fill), "f8"),
        (Number::F32, &[("missing_value", f64s(1e20))], "f4"),
        (Number::I16, &[("_FillValue", f64s(f64::NAN))], "i2"),
        (Number::I8, &[("_Unsigned", Attr::Text("true".into()))], "u1"),
        (Number::U8, &[("_Unsigned", Attr::Text("false".into()))], "i1"),
        (Number::I8, &[("dtype", Attr::Text("bool".into()))], "b1"),
        (Number::F32, &[("_FillValue", f32s(f32::NAN)), ("scale_factor", f64s(0.1))], "f4"),
    ];
    for (stored, attrs, wanted) in cases {
        let (got, decoded) = decoded(stored, attrs);
        assert_eq!(got, wanted, "{stored:?} {attrs:?}");
        assert!(decoded.attrs.is_empty(), "{stored:?}: {:?} are left", decoded.attrs);
    }
}

#[test]
fn values_are_calculated_in_the_chosen_type() {
    let apply = |stored: Number, attrs: &[(&str, Attr)], bytes: &[u8]| {
        let (_, decoded) = decoded(stored, attrs);
        let Recipe::Numbers(numeric) = decoded.recipe else { panic!("nothing to calculate") };
        let mut out = vec![0xaa; bytes.len() / stored.size() * numeric.data_type().itemsize() as usize];
        numeric.apply(bytes, &mut out);
        out
    };
    let scale = [("scale_factor", f32s(0.1)), ("add_offset", f32s(7.3))];
    let out = apply(Number::I16, &scale, &123_i16.to_ne_bytes());
    assert_eq!(f32::get(&out), 123.0_f32 * 0.1 + 7.3);
    // The bits of a fill value count, not its sign.
    let unsigned =
        [("_Unsigned", Attr::Text("true".into())), ("_FillValue", Attr::Numbers(Number::I8, vec![0xfd]))];
    let out = apply(Number::I8, &unsigned, &[0xfd, 0xfc]);
    assert!(f32::get(&out).is_nan() && f32::get(&out[4..]) == 252.0);
    let out = apply(Number::I8, &[("dtype", Attr::Text("bool".into()))], &[0, 5]);
    assert_eq!(out, [0, 1]);
}

#[test]
fn characters_stay_apart_where_their_axis_has_other_uses() {
    let chars = |dims: &[(&str, u64)]| variable("c", Stored::Char, dims, &[]);
    let other = |name: &str, dims: &[(&str, u64)]| variable(name, Stored::Number(Number::I8), dims, &[]);
    let dims = |variables: Vec<Variable>| {
        let view = cf::decode(&Group { variables, ..Group::default() });
        view.variables.iter().find(|d| d.name == "c").unwrap().dims.clone()
    };
    assert_eq!(dims(vec![chars(&[("n", 2), ("l", 4)])]), ["n"]);
    assert_eq!(dims(vec![chars(&[("n", 2), ("l", 4)]), other("l", &[("n", 2)])]), ["n", "l"]);
    assert_eq!(dims(vec![chars(&[("n", 2), ("l", 4)]), other("o", &[("l", 4)])]), ["n", "l"]);
}
