//! A workbook: its sheets and their cells, whatever the format.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use calamine::{Data, DataRef, ExcelDateTime, Reader as _, SheetType, Sheets, open_workbook_auto_from_rs};
use chrono::Datelike;
use tiled_plugin_api::author::{Error, ErrorKind, Result, Source};
use tiled_tabular::guard::guarded;

use crate::sheet::{Cells, Value};

/// Larger workbooks are refused.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// What a sheet may take in memory: some for any file, more for larger ones.
const BUDGET_BYTES: u64 = 64 << 20;
const BUDGET_PER_FILE_BYTE: u64 = 64;

type Bytes = Cursor<Arc<[u8]>>;

/// An opened workbook.
pub struct Book {
    name: String,
    sheets: Sheets<Bytes>,
    budget: u64,
}

impl Book {
    /// Reads the file and the list of its sheets.
    ///
    /// # Errors
    /// `InvalidData` where it is no workbook, is encrypted or damaged; `TooLarge`.
    pub fn open(source: &Source) -> Result<Self> {
        let name = source.name();
        let bytes: Arc<[u8]> = source.read_all(MAX_FILE_BYTES)?.into();
        let budget = BUDGET_BYTES + BUDGET_PER_FILE_BYTE * bytes.len() as u64;
        if bytes.is_empty() {
            return Err(Error::invalid_data(format!("{name}: the file is empty")));
        }
        check_members(&name, &bytes, budget)?;
        let sheets = guarded(&name, || {
            open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|error| {
                let message = format!("{name}: this is no workbook, or it is encrypted or damaged");
                Error::invalid_data(message).with_detail(error)
            })
        })?;
        Ok(Book { name, sheets, budget })
    }

    /// Names of the worksheets; charts and macros have no cells. In `.xlsb` they are shown as the reference reader does:
    /// empty.
    pub fn names(&self) -> Vec<String> {
        let all = matches!(self.sheets, Sheets::Xlsb(_));
        let sheets = self.sheets.sheets_metadata().iter();
        sheets
            .filter(|sheet| all || sheet.typ == SheetType::WorkSheet)
            .map(|sheet| sheet.name.clone())
            .collect()
    }

    fn is_worksheet(&self, name: &str) -> bool {
        self.sheets
            .sheets_metadata()
            .iter()
            .any(|sheet| sheet.name == name && sheet.typ == SheetType::WorkSheet)
    }

    /// The cells of one sheet.
    ///
    /// # Errors
    /// `InvalidData` naming file and sheet; `TooLarge` where they take more memory than such a file may.
    pub fn cells(&mut self, sheet: &str) -> Result<Cells> {
        let what = format!("{}: sheet {sheet}", self.name);
        let mut cells = Cells::new(self.budget);
        if !self.is_worksheet(sheet) {
            return Ok(cells);
        }
        let sheets = &mut self.sheets;
        guarded(&what, || match sheets {
            Sheets::Xlsx(book) => {
                let mut reader = book.worksheet_cells_reader(sheet).map_err(|error| damaged(&what, error))?;
                while let Some(cell) = reader.next_cell().map_err(|error| damaged(&what, error))? {
                    cells
                        .push(cell.get_position(), from_ref(cell.get_value(), Dates::Times))
                        .map_err(|e| e.within(&what))?;
                }
                Ok(())
            }
            Sheets::Xlsb(book) => {
                let mut reader = book.worksheet_cells_reader(sheet).map_err(|error| damaged(&what, error))?;
                while let Some(cell) = reader.next_cell().map_err(|error| damaged(&what, error))? {
                    cells
                        .push(cell.get_position(), from_ref(cell.get_value(), Dates::Numbers))
                        .map_err(|e| e.within(&what))?;
                }
                Ok(())
            }
            Sheets::Xls(_) | Sheets::Ods(_) => {
                let dates = if matches!(sheets, Sheets::Xls(_)) { Dates::NoSpans } else { Dates::Times };
                let range = sheets.worksheet_range(sheet).map_err(|error| damaged(&what, error))?;
                let (top, left) = range.start().unwrap_or((0, 0));
                for (row, column, value) in range.used_cells() {
                    let at = (top.saturating_add(row as u32), left.saturating_add(column as u32));
                    cells.push(at, from_data(value, dates)).map_err(|error| error.within(&what))?;
                }
                Ok(())
            }
        })?;
        Ok(cells)
    }
}

fn damaged(what: &str, error: impl std::fmt::Display) -> Error {
    Error::invalid_data(format!("{what}: {error}"))
}

/// A small archive can unpack to more than memory holds: what is read whole must fit into the budget.
fn check_members(name: &str, bytes: &Arc<[u8]>, budget: u64) -> Result<()> {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes.clone())) else { return Ok(()) };
    for place in 0..archive.len() {
        let Ok(member) = archive.by_index_raw(place) else { continue };
        let path = member.name().map(|path| path.to_ascii_lowercase()).unwrap_or_default();
        // Sheets of these formats are read cell by cell.
        let streamed = path.starts_with("xl/worksheets/");
        let (size, packed) = (member.size(), member.compressed_size());
        drop(member);
        if !streamed && size > budget {
            let message = format!("{name}: the member {path} unpacks to {size} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        // No deflate stream grows to more than 1032 times its length, whatever the archive says.
        if streamed
            && packed.saturating_mul(1032) > BUDGET_BYTES
            && archive.by_index(place).is_ok_and(has_endless_text)
        {
            let message = format!("{name}: the member {path} has a cell of more than {MAX_TEXT_BYTES} bytes");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
    }
    Ok(())
}

/// No text between two tags is longer: Excel's cells have 32767 characters at most.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Whether there is a piece of a document without any tag that the parser would have to hold as a whole. What cannot be
/// unpacked ends the search: the parser says what is wrong.
fn has_endless_text(mut document: impl Read) -> bool {
    let mut piece = vec![0; 64 << 10];
    let mut run = 0;
    while let Ok(got @ 1..) = document.read(&mut piece) {
        let piece = piece.get(..got).unwrap_or_default();
        match piece.iter().rposition(|byte| *byte == b'<') {
            Some(last) => run = (got - last) as u64,
            None => run += got as u64,
        }
        if run > MAX_TEXT_BYTES {
            return true;
        }
    }
    false
}

/// What the reference reader of a format makes of its dates.
#[derive(Clone, Copy, PartialEq)]
enum Dates {
    /// Dates, times of day and spans.
    Times,
    /// Dates and times of day only.
    NoSpans,
    /// Plain numbers.
    Numbers,
}

fn from_ref(value: &DataRef<'_>, dates: Dates) -> Value {
    match value {
        DataRef::Int(value) => Value::Int(*value),
        DataRef::Float(value) => Value::number(*value),
        DataRef::String(text) => Value::text(text),
        DataRef::SharedString(text) => Value::text(text),
        DataRef::Bool(value) => Value::Bool(*value),
        DataRef::DateTime(value) => from_date(value, dates),
        DataRef::DateTimeIso(text) => Value::iso(text),
        DataRef::DurationIso(text) => Value::iso_span(text),
        DataRef::Error(_) => Value::Error,
        DataRef::Empty => Value::Empty,
    }
}

fn from_data(value: &Data, dates: Dates) -> Value {
    match value {
        Data::Int(value) => Value::Int(*value),
        Data::Float(value) => Value::number(*value),
        Data::String(text) => Value::text(text),
        Data::Bool(value) => Value::Bool(*value),
        Data::DateTime(value) => from_date(value, dates),
        Data::DateTimeIso(text) => Value::iso(text),
        Data::DurationIso(text) => Value::iso_span(text),
        Data::Error(_) => Value::Error,
        Data::Empty => Value::Empty,
    }
}

/// The last year there is.
const MAX_YEAR: i32 = 9999;
/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

fn from_date(value: &ExcelDateTime, dates: Dates) -> Value {
    let days = value.as_f64();
    if dates == Dates::Numbers || !days.is_finite() {
        return Value::number(days);
    }
    if value.is_duration() && dates == Dates::Times {
        return Value::Span((days * DAY_MS).round() as i64);
    }
    if (0.0..1.0).contains(&days) {
        return Value::Time(((days * DAY_MS).round() as i64).clamp(0, DAY_MS as i64 - 1));
    }
    match value.as_datetime() {
        // Beyond the calendar of the reference reader, which calls it an error.
        Some(moment) if moment.year() > MAX_YEAR => Value::Error,
        Some(moment) => Value::Moment(moment.and_utc().timestamp_millis()),
        None => Value::number(days),
    }
}
