//! netCDF-4: the same files with named dimensions, and values in the types and conventions that netCDF has.
//!
//! Texts become characters along one more axis, times numbers with units, booleans bytes, half floats single ones and
//! complex numbers pairs, as xarray and the netCDF library write and read them. Dimensions are HDF5's dimension scales.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tiled_plugin_api::prelude::*;

use super::{
    Kept,
    convert::Convert,
    format::Message,
    metadata,
    plan::{Data, Dataset, Item},
    types,
};

/// The dimension of a table's rows.
pub(crate) const ROWS: &str = "index";
/// What the netCDF library calls a variable of several axes that has the name of one of them.
const NOT_A_COORDINATE: &str = "_nc4_non_coord_";

/// Marks bytes as booleans.
///
/// # Errors
/// Those of the store.
pub(crate) fn flag(kept: &mut Kept) -> Result<Message> {
    metadata::text("dtype", "bool", kept)
}

/// Units of times that are counted in NumPy's `unit`.
///
/// # Errors
/// `NotAcceptable` for months, years and multiples; those of the store.
pub(crate) fn times(kind: Kind, unit: &str, kept: &mut Kept) -> Result<Vec<Message>> {
    let units = match unit {
        "D" => "days",
        "h" => "hours",
        "m" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        _ => return Err(unfit(&format!("times in units of {unit}"))),
    };
    let space = Message::space(&[]);
    let number = types::integer(8, true, false);
    let mut attributes = vec![Message::attribute("_FillValue", &number, &space, &i64::MIN.to_le_bytes())?];
    if kind == Kind::Datetime {
        attributes.push(metadata::text("units", &format!("{units} since 1970-01-01"), kept)?);
        attributes.push(metadata::text("calendar", "proleptic_gregorian", kept)?);
    } else {
        attributes.push(metadata::text("units", units, kept)?);
    }
    Ok(attributes)
}

fn unfit(what: &str) -> Error {
    let message = format!("{what} have no form in netCDF: choose another format or other nodes");
    Error::new(ErrorKind::NotAcceptable, message)
}

/// Attributes that a variable's type decides, or that mean something else in a file of netCDF's.
const OURS: [&str; 10] = [
    "_FillValue",
    "missing_value",
    "dtype",
    "_Encoding",
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
];

/// Names for the axes of an array: its own, else its key's.
fn axes(structure: &ArrayStructure, path: &str) -> Vec<String> {
    let rank = structure.shape.len();
    let key = path.rsplit('/').next().unwrap_or("dim");
    let own = structure.dims.clone().filter(|dims| dims.len() == rank);
    own.unwrap_or_else(|| (0..rank).map(|axis| format!("{key}_{axis}")).collect())
}

/// An array as a variable.
///
/// # Errors
/// `NotAcceptable` for types that netCDF does not have, `TooLarge` when the size overflows.
pub(crate) fn variable(
    structure: ArrayStructure,
    attributes: Map<String, Value>,
    path: String,
    kept: &mut Kept,
) -> Result<Dataset> {
    let too_large = || Error::new(ErrorKind::TooLarge, "the array is too large");
    let mut size = structure.nbytes().ok_or_else(too_large)?;
    let (mut shape, mut convert, mut more) = (structure.shape.clone(), Convert::No, vec![]);
    let mut dims = axes(&structure, &path);
    let DataType::Builtin { kind, itemsize, dt_units, .. } = &structure.data_type else {
        return Err(unfit("records"));
    };
    let big = structure.data_type.endianness() == Endianness::Big;
    let data_type = match (*kind, *itemsize) {
        (Kind::Int | Kind::Uint, size @ (1 | 2 | 4 | 8)) => types::integer(size, *kind == Kind::Int, big),
        (Kind::Bool, 1) => {
            more.push(flag(kept)?);
            types::integer(1, true, false)
        }
        (Kind::Float, 2) => {
            convert = Convert::Halves { big };
            size = size.checked_mul(2).ok_or_else(too_large)?;
            types::float(4, big)?
        }
        (Kind::Float, bytes @ (4 | 8)) => types::float(bytes, big)?,
        (Kind::Complex, bytes @ (8 | 16)) => {
            shape.push(2);
            dims.push("complex".into());
            types::float(bytes / 2, big)?
        }
        (Kind::Bytes | Kind::Unicode, bytes) => {
            shape.push(bytes);
            dims.push(format!("string{bytes}"));
            if *kind == Kind::Unicode {
                convert = Convert::for_hdf5(&structure.data_type);
                more.push(metadata::text("_Encoding", "utf-8", kept)?);
            }
            types::fixed_text(1)
        }
        (Kind::Datetime | Kind::Timedelta, 8) => {
            let unit = dt_units.as_deref().unwrap_or("[?]").trim_matches(['[', ']']);
            more.extend(times(*kind, unit, kept)?);
            types::integer(8, true, big)
        }
        _ => {
            return Err(unfit(&format!(
                "values of type {}",
                structure.data_type.numpy_str().unwrap_or_default()
            )));
        }
    };
    let is_time = matches!(kind, Kind::Datetime | Kind::Timedelta);
    let is_kept = |name: &str| !(OURS.contains(&name) || is_time && matches!(name, "units" | "calendar"));
    let others = attributes.into_iter().filter(|(name, _)| is_kept(name)).collect();
    more.extend(metadata::attributes(&others, kept)?);
    let data = Data::Later { structure, path, convert };
    Ok(Dataset { attributes: more, dims, size, data, ..Dataset::new(data_type, shape) })
}

/// Gives every group of a tree its dimensions, and every variable its own among them.
///
/// # Errors
/// Those of making attributes.
pub(crate) fn with_dimensions(item: Item, next: &mut usize) -> Result<Item> {
    let Item::Group { attributes, children } = item else { return Ok(item) };
    let below = children.into_iter().map(|(key, child)| Ok((key, with_dimensions(child, next)?)));
    let mut children = below.collect::<Result<Vec<_>>>()?;
    let mut group = Group::of(&children);
    for (key, child) in &mut children {
        let Item::Dataset(variable) = child else { continue };
        for axis in variable.dims.len()..variable.shape.len() {
            variable.dims.push(format!("{key}_{axis}"));
        }
        for (name, length) in variable.dims.iter_mut().zip(&variable.shape) {
            *name = group.name(name, *length);
        }
        if variable.dims.contains(key) {
            if variable.dims.len() == 1 {
                group.coordinates.insert(key.clone());
            } else {
                key.insert_str(0, NOT_A_COORDINATE);
            }
        }
    }
    let mut numbers = BTreeMap::new();
    for name in group.lengths.keys() {
        numbers.insert(name.clone(), *next);
        *next += 1;
    }
    for (key, child) in &mut children {
        let Item::Dataset(variable) = child else { continue };
        if group.coordinates.contains(key) {
            variable.scale = numbers.get(key).copied();
            let number = variable.scale.unwrap_or_default();
            variable.attributes.extend(scale(key, number)?);
        } else {
            variable.along = variable.dims.iter().filter_map(|name| numbers.get(name).copied()).collect();
        }
    }
    for (name, length) in group.lengths.iter().filter(|(name, _)| !group.coordinates.contains(*name)) {
        let number = numbers.get(name).copied().unwrap_or_default();
        // As the netCDF library does: big-endian floats that are never written.
        let mut dimension = Dataset::new(types::float(4, true)?, vec![*length]);
        let about = format!("This is a netCDF dimension but not a netCDF variable. {length:10}");
        dimension.attributes = scale(&about, number)?.into();
        dimension.scale = Some(number);
        dimension.size = length.saturating_mul(4);
        children.push((name.clone(), Item::Dataset(dimension)));
    }
    Ok(Item::Group { attributes, children })
}

/// The dimensions of a group.
struct Group {
    lengths: BTreeMap<String, u64>,
    /// Those that a variable of one axis has the values of.
    coordinates: BTreeSet<String>,
    /// Names that a dimension cannot have.
    taken: BTreeSet<String>,
}

impl Group {
    fn of(children: &[(String, Item)]) -> Self {
        let is_taken = |(key, item): &&(String, Item)| match item {
            Item::Group { .. } => true,
            Item::Dataset(variable) => !variable.dims.contains(key),
        };
        let taken = children.iter().filter(is_taken).map(|(key, _)| key.clone()).collect();
        // Coordinates first: what they say of a name goes before what others say.
        let coordinates = children.iter().filter_map(|(key, item)| match item {
            Item::Dataset(variable) if variable.dims == [key.clone()] => {
                Some((key.clone(), variable.shape.first().copied().unwrap_or(0)))
            }
            _ => None,
        });
        Group { lengths: coordinates.collect(), coordinates: BTreeSet::new(), taken }
    }

    /// The dimension of this name, or, where it is another or no dimension, one of a name of its own.
    fn name(&mut self, wanted: &str, length: u64) -> String {
        let mut name = wanted.replace('/', "_");
        let mut number = 1;
        while self.taken.contains(&name) || self.lengths.get(&name).is_some_and(|known| *known != length) {
            number += 1;
            name = format!("{wanted}_{number}");
        }
        self.lengths.insert(name.clone(), length);
        name
    }
}

/// What makes a dataset a dimension.
fn scale(name: &str, number: usize) -> Result<[Message; 3]> {
    let space = Message::space(&[]);
    let text = |key: &str, value: &str| {
        let value = format!("{value}\0");
        Message::attribute(key, &types::fixed_text(value.len() as u64), &space, value.as_bytes())
    };
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let id =
        Message::attribute("_Netcdf4Dimid", &types::integer(4, true, false), &space, &number.to_le_bytes())?;
    Ok([text("CLASS", "DIMENSION_SCALE")?, text("NAME", name)?, id])
}
