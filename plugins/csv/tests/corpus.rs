//! Dumps files as Arrow, to be compared with pandas: `TILED_DUMP` lists mimetype, file and output, tab-separated.

use std::path::Path;

use tiled_csv::{CsvReader, XdiReader};
use tiled_plugin_api::{
    author::{Context, Reader, Result, TableRequest},
    testing::open_path,
};

fn dump(mimetype: &str, from: &str, to: &str) -> Result<()> {
    let delimiter = if mimetype.contains("tab") { b'\t' } else { b',' };
    let csv = CsvReader { delimiter };
    let reader: &dyn Reader = if mimetype.contains("xdi") { &XdiReader } else { &csv };
    let adapter = open_path(reader, mimetype, Path::new(from))?;
    adapter.describe("")?;
    let rows = adapter.read_table(&Context::unbounded(), "", &TableRequest::default())?.into_reader()?;
    let file = std::fs::File::create(to)?;
    let schema = arrow::array::RecordBatchReader::schema(&rows);
    let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &schema).unwrap();
    for batch in rows {
        writer.write(&batch.map_err(tiled_plugin_api::author::Error::from_arrow)?).unwrap();
    }
    writer.finish().unwrap();
    Ok(())
}

#[test]
#[ignore = "needs files from elsewhere"]
fn files_are_dumped_as_arrow() {
    let list = std::fs::read_to_string(std::env::var("TILED_DUMP").unwrap()).unwrap();
    for line in list.lines() {
        let mut parts = line.split('\t');
        let (mimetype, from, to) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        if let Err(error) = dump(mimetype, from, to) {
            println!("{from}: {:?} {error}", error.kind);
        }
    }
}
