//! Dumps files as Arrow, to be compared with pyarrow.

use tiled_parquet::{ArrowReader, ParquetReader};
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
        let reader: &dyn Reader = if mimetype.contains("arrow") { &ArrowReader } else { &ParquetReader };
        dump(&*open_path(reader, mimetype, from)?, "", to)
    })
    .unwrap();
}
