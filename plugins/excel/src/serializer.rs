//! Tables as `.xlsx`, laid out as pandas' `to_excel` without its index.

use std::io::{Read, Seek};

use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::{DataType, Float64Type},
};
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};
use tiled_plugin_api::author::{
    Context, EncodeRequest, Error, ErrorKind, OwnedBuffer, Payload, Result, Serializer, Sink,
};
use tiled_tabular::{
    json::counts,
    moment::{Base, NAT},
    plain::cells,
    table_rows,
};

/// `.xlsx` of a table: one sheet, the names of the columns in the first row.
pub struct XlsxSerializer;

/// What a sheet can hold.
const MAX_ROWS: usize = 1_048_576;
const MAX_COLUMNS: usize = 16_384;
/// Passed on at once.
const PIECE_BYTES: usize = 256 << 10;
/// The number of the day 1970-01-01 in Excel.
const EPOCH_DAY: f64 = 25_569.0;
const DAY_S: f64 = 86_400.0;
/// Integers beyond this lose digits as floats: they are written as text.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

impl Serializer for XlsxSerializer {
    fn encode(&self, cx: &Context, request: &EncodeRequest, payload: Payload, sink: &mut Sink) -> Result<()> {
        let mut rows = table_rows(cx, request, payload)?.without_index()?;
        if rows.schema.fields().len() > MAX_COLUMNS {
            return Err(too_large());
        }
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet_with_low_memory().map_err(unfit)?;
        sheet.set_name("Sheet1").map_err(unfit)?;
        let head = Format::new().set_bold().set_align(FormatAlign::Center).set_border(FormatBorder::Thin);
        for (place, field) in rows.schema.fields().iter().enumerate() {
            sheet.write_string_with_format(0, place as u16, field.name(), &head).map_err(unfit)?;
        }
        let formats = Formats {
            date: Format::new().set_num_format("yyyy-mm-dd"),
            moment: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
            time: Format::new().set_num_format("hh:mm:ss"),
            span: Format::new().set_num_format("[h]:mm:ss"),
        };
        let mut written = 1;
        while let Some(batch) = rows.next()? {
            if written + batch.num_rows() > MAX_ROWS {
                return Err(too_large());
            }
            let writers =
                batch.columns().iter().map(|column| writer(column, &formats)).collect::<Result<Vec<_>>>()?;
            // Rows must come in order where the sheet is not kept in memory.
            for row in 0..batch.num_rows() {
                for (place, (write, column)) in writers.iter().zip(batch.columns()).enumerate() {
                    if column.is_valid(row) {
                        write(sheet, (written + row) as u32, place as u16, row).map_err(unfit)?;
                    }
                }
            }
            written += batch.num_rows();
        }
        pass_on(&mut workbook, sink)
    }
}

/// The workbook by way of an unnamed file: it is a ZIP archive whose parts are known last.
fn pass_on(workbook: &mut Workbook, sink: &mut Sink) -> Result<()> {
    let mut file = tempfile::tempfile().map_err(Error::internal)?;
    workbook.save_to_writer(&mut file).map_err(unfit)?;
    file.rewind().map_err(Error::internal)?;
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        if Read::by_ref(&mut file)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .map_err(Error::internal)?
            == 0
        {
            return Ok(());
        }
        sink.put_owned(OwnedBuffer::from_vec(piece))?;
    }
}

fn too_large() -> Error {
    let message = format!(
        "This table is too large for a sheet of {MAX_ROWS} rows and {MAX_COLUMNS} columns. Choose a different format."
    );
    Error::new(ErrorKind::NotAcceptable, message)
}

fn unfit(error: XlsxError) -> Error {
    Error::new(ErrorKind::NotAcceptable, format!("This table does not fit into a sheet: {error}"))
}

struct Formats {
    date: Format,
    moment: Format,
    time: Format,
    span: Format,
}

/// Writes the cell of a row of a column to a row and column of the sheet.
type Write<'a> = Box<dyn Fn(&mut Worksheet, u32, u16, usize) -> Result<(), XlsxError> + 'a>;

fn writer<'a>(column: &'a dyn Array, formats: &'a Formats) -> Result<Write<'a>> {
    let data_type = column.data_type();
    if let DataType::Boolean = data_type {
        let column = column.as_boolean();
        return Ok(Box::new(move |sheet, row, place, from| {
            sheet.write_boolean(row, place, column.value(from)).map(|_| ())
        }));
    }
    if data_type.is_integer() || data_type.is_floating() {
        let numbers = cast(column, &DataType::Float64).map_err(Error::from_arrow)?;
        let text = cells(column)?;
        let whole = data_type.is_integer();
        return Ok(Box::new(move |sheet, row, place, from| {
            let number = numbers.as_primitive::<Float64Type>().value(from);
            if number.is_nan() {
                return Ok(());
            }
            if number.is_infinite() || (whole && number.abs() > MAX_EXACT) {
                return write_text(sheet, row, place, &text, from);
            }
            sheet.write_number(row, place, sixteen_digits(number)).map(|_| ())
        }));
    }
    // Times with a zone have no place in Excel: they are text, as all else.
    let zoned = matches!(data_type, DataType::Timestamp(_, Some(_)));
    if let Some((count, unit)) = counts(column).filter(|_| !zoned) {
        let (per_day, format) = match (data_type, unit.base) {
            (DataType::Date32, _) => (1.0, &formats.date),
            (DataType::Time32(_) | DataType::Time64(_), base) => (per_day(base), &formats.time),
            (DataType::Duration(_), base) => (per_day(base), &formats.span),
            (_, base) => (per_day(base), &formats.moment),
        };
        let since = matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
        let offset = if since { EPOCH_DAY } else { 0.0 };
        return Ok(Box::new(move |sheet, row, place, from| match count(from) {
            NAT => Ok(()),
            count => sheet
                .write_number_with_format(row, place, sixteen_digits(count as f64 / per_day + offset), format)
                .map(|_| ()),
        }));
    }
    let text = cells(column)?;
    Ok(Box::new(move |sheet, row, place, from| write_text(sheet, row, place, &text, from)))
}

/// The number as Tiled writes it: XlsxWriter gives Excel sixteen digits (`%.16G`).
fn sixteen_digits(number: f64) -> f64 {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return number;
    }
    format!("{number:.15e}").parse().unwrap_or(number)
}

fn per_day(base: Base) -> f64 {
    if let Base::Fraction(digits) = base { DAY_S * 10_f64.powi(i32::from(digits)) } else { DAY_S }
}

fn write_text(
    sheet: &mut Worksheet,
    row: u32,
    place: u16,
    text: &tiled_tabular::plain::Cell<'_>,
    from: usize,
) -> Result<(), XlsxError> {
    let mut out = Vec::new();
    text(from, &mut out);
    sheet.write_string(row, place, String::from_utf8_lossy(&out)).map(|_| ())
}
