//! Columns of tables and of sparse arrays as datasets. Rows come batch by batch and wait, column by column, in the store.

use arrow::{
    array::{Array, ArrayData, ArrayRef, AsArray, RecordBatchReader, make_array},
    buffer::Buffer,
    compute::cast,
    datatypes::{DataType as Arrow, Float64Type, Int64Type, TimeUnit},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use tiled_plugin_api::prelude::*;

use super::{
    Flavour, Kept, netcdf,
    plan::{Dataset, Item},
    store::Extent,
    types,
};

/// Bytes of one column that wait for more.
const PENDING_BYTES: usize = 256 << 10;

/// The columns of a table, one dataset each.
///
/// # Errors
/// Those of reading the table and of the store.
pub(crate) fn columns(cx: &Context, stream: TableStream, kept: &mut Kept) -> Result<Vec<(String, Item)>> {
    let columns = read(cx, stream, kept, false)?;
    columns.into_iter().map(|column| Ok((column.name.clone(), column.finish(kept)?))).collect()
}

/// A sparse array as Tiled writes it: `data`, and `coords` with a row per axis.
///
/// # Errors
/// Those of reading the table and of the store.
pub(crate) fn sparse(cx: &Context, stream: TableStream, kept: &mut Kept) -> Result<Vec<(String, Item)>> {
    let mut data = vec![];
    let (mut axes, mut rows, mut coords) = (0, 0, vec![]);
    for column in read(cx, stream, kept, true)? {
        if column.name == "data" {
            data.push((column.name.clone(), column.finish(kept)?));
        } else {
            rows = column.rows;
            axes += 1;
            coords.extend(column.extents(kept)?);
        }
    }
    let mut coords = Item::kept(types::integer(8, true, false), vec![axes, rows], coords);
    if let (Item::Dataset(coords), Flavour::Netcdf) = (&mut coords, kept.flavour) {
        coords.dims = vec!["axis".into(), netcdf::ROWS.into()];
    }
    data.push(("coords".into(), coords));
    Ok(data)
}

fn internal(error: ArrowError) -> Error {
    Error::internal(error)
}

/// All rows of every column; coordinates of sparse arrays as signed integers.
fn read(cx: &Context, stream: TableStream, kept: &mut Kept, is_sparse: bool) -> Result<Vec<Column>> {
    let reader = stream.into_reader()?;
    let column = |field: &arrow::datatypes::FieldRef| {
        let is_place = is_sparse && field.name() != "data";
        let kind = if is_place { Arrow::Int64 } else { field.data_type().clone() };
        Column::new(field.name(), &kind, kept.flavour)
    };
    let mut columns: Vec<Column> = reader.schema().fields().iter().map(column).collect();
    for batch in reader {
        cx.check()?;
        let batch = batch.map_err(Error::from_arrow)?;
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            column.push(array, kept)?;
        }
    }
    for column in &mut columns {
        column.flush(kept)?;
    }
    Ok(columns)
}

/// How the values of a column are written.
enum Form {
    Numbers(Arrow),
    Flags,
    Times {
        kind: Kind,
        unit: &'static str,
    },
    /// Texts, and everything else as text.
    Texts,
}

struct Column {
    name: String,
    form: Form,
    rows: u64,
    pending: Vec<u8>,
    /// What was put away, and whether as floats.
    done: Vec<(Extent, bool)>,
    /// As pandas: what is missing among numbers is NaN, and the column one of floats.
    is_float: bool,
}

impl Column {
    fn new(name: &str, kind: &Arrow, flavour: Flavour) -> Self {
        let times = |kind, unit| Form::Times { kind, unit };
        let form = match kind {
            // netCDF has no half floats.
            Arrow::Float16 if flavour == Flavour::Netcdf => Form::Numbers(Arrow::Float32),
            kind if kind.is_numeric() && !is_decimal(kind) => Form::Numbers(kind.clone()),
            Arrow::Boolean => Form::Flags,
            Arrow::Timestamp(unit, _) => times(Kind::Datetime, unit_name(*unit)),
            Arrow::Duration(unit) => times(Kind::Timedelta, unit_name(*unit)),
            Arrow::Date64 => times(Kind::Datetime, "ms"),
            Arrow::Date32 => times(Kind::Datetime, "D"),
            _ => Form::Texts,
        };
        Column { name: name.into(), form, rows: 0, pending: vec![], done: vec![], is_float: false }
    }

    fn push(&mut self, array: &ArrayRef, kept: &mut Kept) -> Result<()> {
        self.rows += array.len() as u64;
        let may_be_float = matches!(self.form, Form::Numbers(_) | Form::Flags);
        if may_be_float && !self.is_float && array.null_count() > 0 {
            self.flush(kept)?;
            self.is_float = true;
        }
        match &self.form {
            _ if self.is_float => floats(array, &mut self.pending)?,
            Form::Numbers(kind) => plain(&cast(array, kind).map_err(internal)?, &mut self.pending),
            Form::Flags => self.pending.extend(array.as_boolean().values().iter().map(u8::from)),
            Form::Times { .. } => {
                let days = matches!(array.data_type(), Arrow::Date32);
                let numbers =
                    if days { cast(array, &Arrow::Int32).map_err(internal)? } else { array.clone() };
                let numbers = cast(&numbers, &Arrow::Int64).map_err(internal)?;
                let numbers = numbers.as_primitive::<Int64Type>().iter();
                // A gap is NumPy's "not a time".
                self.pending.extend(numbers.flat_map(|n| n.unwrap_or(i64::MIN).to_le_bytes()));
            }
            Form::Texts => texts(array, &mut self.pending, kept)?,
        }
        if self.pending.len() > PENDING_BYTES { self.flush(kept) } else { Ok(()) }
    }

    fn flush(&mut self, kept: &mut Kept) -> Result<()> {
        if !self.pending.is_empty() {
            self.done.push((kept.store.keep(&self.pending)?, self.is_float));
            self.pending.clear();
        }
        Ok(())
    }

    /// Where the values lie, all in one form.
    fn extents(&self, kept: &mut Kept) -> Result<Vec<Extent>> {
        let mut all = vec![];
        for (extent, is_float) in &self.done {
            if *is_float || !self.is_float {
                all.push(*extent);
                continue;
            }
            let mut bytes = Vec::with_capacity(usize::try_from(extent.len).map_err(Error::internal)?);
            kept.store.read(*extent, &mut |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            let kind = if let Form::Numbers(kind) = &self.form { kind } else { &Arrow::UInt8 };
            let length = bytes.len() / kind.primitive_width().unwrap_or(1);
            let data = ArrayData::builder(kind.clone()).len(length).add_buffer(Buffer::from(bytes));
            let mut converted = vec![];
            floats(&make_array(data.build().map_err(internal)?), &mut converted)?;
            all.push(kept.store.keep(&converted)?);
        }
        Ok(all)
    }

    fn finish(self, kept: &mut Kept) -> Result<Item> {
        let extents = self.extents(kept)?;
        let is_netcdf = kept.flavour == Flavour::Netcdf;
        let mut attributes = vec![];
        let data_type = match &self.form {
            _ if self.is_float => types::float(8, false)?,
            Form::Numbers(kind) if kind.is_floating() => types::float(width(kind), false)?,
            Form::Numbers(kind) => types::integer(width(kind), kind.is_signed_integer(), false),
            Form::Flags if is_netcdf => {
                attributes.push(netcdf::flag(kept)?);
                types::integer(1, true, false)
            }
            Form::Flags => types::boolean(),
            Form::Times { kind, unit } if is_netcdf => {
                attributes.extend(netcdf::times(*kind, unit, kept)?);
                types::integer(8, true, false)
            }
            Form::Times { kind, unit } => {
                let dt_units = Some(format!("[{unit}]"));
                let (kind, endianness) = (*kind, Endianness::Little);
                types::encode(&DataType::Builtin { endianness, kind, itemsize: 8, dt_units })?
            }
            Form::Texts => types::text(),
        };
        let Item::Dataset(item) = Item::kept(data_type, vec![self.rows], extents) else {
            return Err(Error::internal("a column is no group"));
        };
        let dims = if is_netcdf { vec![netcdf::ROWS.to_owned()] } else { vec![] };
        Ok(Item::Dataset(Dataset { attributes, dims, ..item }))
    }
}

fn width(kind: &Arrow) -> u64 {
    kind.primitive_width().unwrap_or(1) as u64
}

fn is_decimal(kind: &Arrow) -> bool {
    matches!(
        kind,
        Arrow::Decimal32(..) | Arrow::Decimal64(..) | Arrow::Decimal128(..) | Arrow::Decimal256(..)
    )
}

fn floats(array: &ArrayRef, out: &mut Vec<u8>) -> Result<()> {
    let numbers = cast(array, &Arrow::Float64).map_err(internal)?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    out.extend(numbers.flat_map(|n| n.unwrap_or(f64::NAN).to_le_bytes()));
    Ok(())
}

/// The bytes of numbers without gaps.
fn plain(column: &ArrayRef, out: &mut Vec<u8>) {
    let data = column.to_data();
    let size = data.data_type().primitive_width().unwrap_or(1);
    let bytes = data.buffers().first().and_then(|buffer| {
        let start = data.offset().checked_mul(size)?;
        buffer.as_slice().get(start..start.checked_add(data.len().checked_mul(size)?)?)
    });
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

/// Texts, and everything else as text; a gap is empty.
fn texts(column: &ArrayRef, out: &mut Vec<u8>, kept: &mut Kept) -> Result<()> {
    if let Ok(texts) = cast(column, &Arrow::LargeUtf8) {
        for text in texts.as_string::<i64>() {
            out.extend(kept.text(text.unwrap_or_default().as_bytes())?);
        }
        return Ok(());
    }
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()).map_err(internal)?;
    for row in 0..column.len() {
        let text = formatter.value(row).try_to_string().map_err(internal)?;
        out.extend(kept.text(text.as_bytes())?);
    }
    Ok(())
}
