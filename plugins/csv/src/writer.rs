//! Tables kept as text, as Tiled keeps them: without their index.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use arrow::datatypes::{DataType, Schema};
use serde_json::Map;
use tiled_plugin_api::author::{Context, Error, ErrorKind, Result};
use tiled_tabular::{Rows, pandas, store::TableFormat};

use crate::{
    options::Options,
    serializer::{write_names, write_rows},
    text,
    tokens::{Record, Tokens},
};

/// `text/csv`. Appending copies what is there.
#[derive(Clone)]
pub struct CsvFormat;

impl TableFormat for CsvFormat {
    fn suffix(&self) -> &'static str {
        "csv"
    }

    fn check(&self, schema: &Schema) -> Result<()> {
        let index = pandas::index_columns(schema);
        for field in schema.fields().iter().filter(|field| !index.contains(field.name())) {
            if !is_text(field.data_type()) {
                let message = format!(
                    "Column {} of type {} cannot be kept as text. Keep the table as application/x-parquet",
                    field.name(),
                    field.data_type()
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }

    fn encode(&self, rows: Rows, to: &mut (dyn Write + Send)) -> Result<()> {
        let mut rows = rows.without_index()?;
        let put = &mut |bytes: &[u8]| to.write_all(bytes).map_err(Error::internal);
        write_names(&rows, b',', put)?;
        write_rows(&mut rows, b',', put)
    }

    fn encode_more(&self, _: &Context, before: &Path, rows: Rows, to: &mut (dyn Write + Send)) -> Result<()> {
        let mut file = File::open(before)?;
        let mut rows = rows.without_index()?;
        if file.metadata()?.len() > 0 {
            rows = rows.in_order(&names(&file)?)?;
        }
        let ends_a_line = ends_a_line(&mut file)?;
        std::io::copy(&mut file, to).map_err(Error::internal)?;
        let put = &mut |bytes: &[u8]| to.write_all(bytes).map_err(Error::internal);
        if !ends_a_line {
            put(b"\n")?;
        }
        write_rows(&mut rows, b',', put)
    }
}

/// The names in the first line.
fn names(file: &File) -> Result<Vec<String>> {
    let options = Options::new(&Map::new(), b',', true)?;
    let (mut tokens, mut record) = (Tokens::new(file, options.dialect), Record::default());
    tokens.next(&mut record)?;
    Ok((0..record.len()).map(|place| text::field(record.field(place), false).into_owned()).collect())
}

/// Whether the file is empty or its last line is ended; left at its beginning.
fn ends_a_line(file: &mut File) -> Result<bool> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    file.rewind()?;
    Ok(last == [b'\n'])
}

/// Whether values of this type come back from their text.
fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::Boolean => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Date32 | DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) => true,
        DataType::Timestamp(..) => true,
        DataType::Dictionary(_, values) => is_text(values),
        other => other.is_numeric(),
    }
}
