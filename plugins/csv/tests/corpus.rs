//! Dumps files as Arrow, to be compared with pandas.

use tiled_csv::{CsvReader, XdiReader};
use tiled_plugin_api::{
    author::Reader,
    testing::{
        open_path,
        tables::{dump, for_each_listed},
    },
};

#[test]
#[ignore = "needs files from elsewhere"]
fn files_are_dumped_as_arrow() {
    for_each_listed(|mimetype, from, to| {
        let delimiter = if mimetype.contains("tab") { b'\t' } else { b',' };
        let csv = CsvReader { delimiter };
        let reader: &dyn Reader = if mimetype.contains("xdi") { &XdiReader } else { &csv };
        dump(&*open_path(reader, mimetype, from)?, "", to)
    })
    .unwrap();
}
