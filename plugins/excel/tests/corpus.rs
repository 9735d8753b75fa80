//! Dumps sheets as Arrow, to be compared with pandas.

use std::path::Path;

use tiled_excel::WorkbookReader;
use tiled_plugin_api::{
    author::Result,
    model::ChildrenRequest,
    testing::{
        open_path,
        tables::{dump, for_each_listed},
    },
};

fn dump_sheets(mimetype: &str, from: &Path, to: &Path) -> Result<()> {
    let book = open_path(&WorkbookReader, mimetype, from)?;
    let sheets = book.children("", &ChildrenRequest { offset: 0, limit: u64::MAX, keys_only: false })?;
    for sheet in sheets.items {
        match sheet.broken {
            Some(broken) => println!("{}: {}: broken: {broken}", from.display(), sheet.key),
            None => {
                let name = format!("{}.{}", to.display(), sheet.key.replace('/', "_"));
                dump(&*book, &sheet.key, Path::new(&name))?;
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs files from elsewhere"]
fn sheets_are_dumped_as_arrow() {
    for_each_listed(dump_sheets).unwrap();
}
