//! Dumps sheets as Arrow, to be compared with pandas: `TILED_DUMP` lists mimetype, file and output, tab-separated.

use std::path::Path;

use tiled_excel::WorkbookReader;
use tiled_plugin_api::{
    author::{Context, Error, Result, TableRequest},
    model::ChildrenRequest,
    testing::open_path,
};

fn dump(mimetype: &str, from: &str, to: &str) -> Result<()> {
    let adapter = open_path(&WorkbookReader, mimetype, Path::new(from))?;
    let children = adapter.children("", &ChildrenRequest { offset: 0, limit: u64::MAX, keys_only: false })?;
    for child in children.items {
        if let Some(broken) = child.broken {
            println!("{from}: {}: broken: {broken}", child.key);
            continue;
        }
        let rows =
            adapter.read_table(&Context::unbounded(), &child.key, &TableRequest::default())?.into_reader()?;
        let file = std::fs::File::create(format!("{to}.{}", child.key.replace('/', "_")))?;
        let schema = arrow::array::RecordBatchReader::schema(&rows);
        let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &schema).unwrap();
        for batch in rows {
            writer.write(&batch.map_err(Error::from_arrow)?).unwrap();
        }
        writer.finish().unwrap();
    }
    Ok(())
}

#[test]
#[ignore = "needs files from elsewhere"]
fn sheets_are_dumped_as_arrow() {
    let list = std::fs::read_to_string(std::env::var("TILED_DUMP").unwrap()).unwrap();
    for line in list.lines() {
        let mut parts = line.split('\t');
        let (mimetype, from, to) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        if let Err(error) = dump(mimetype, from, to) {
            println!("{from}: {:?} {error}", error.kind);
        }
    }
}
