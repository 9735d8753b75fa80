//! CSV tables, with the type rules of pandas; XDI files; CSV and XDI serializers.
//!
//! Reads `text/csv` (`.csv`, also compressed with gzip or bzip2) and `text/tab-separated-values` (`.tsv`) as tables,
//! one partition per file, and `text/csv;header=absent` as arrays. Parameters are named as those of `pandas.read_csv`:
//! `sep`, `header`, `names`, `usecols`, `skiprows`, `nrows`, `dtype`, `encoding`, `quotechar`, `comment`,
//! `skipinitialspace`, `skip_blank_lines`, `na_values`, `keep_default_na`, `assume_missing`; others do not matter.
//! Keeps tables in files of comma-separated values, one for each partition, that can be appended to; read back, columns
//! have the types that the catalog has.
//! A file is read once to learn its types and again for its rows; neither keeps it in memory.

use tiled_plugin_api::export_plugin;

mod array;
mod build;
mod declared;
mod layout;
mod options;
mod serializer;
mod table;
mod text;
mod tokens;
mod writer;
mod xdi;

pub use serializer::{ArrayCsv, TableCsv};
pub use table::CsvReader;
pub use tiled_tabular::store::TableWriter;
pub use writer::CsvFormat;
pub use xdi::{XdiReader, XdiSerializer};

export_plugin! {
    name: "csv",
    readers: [
        CsvReader { delimiter: b',' } => {
            mimetypes: ["text/csv", "text/csv;header=present", "text/csv;header=absent"],
            extensions: [".csv", ".csv.gz", ".csv.bz2"],
            sequence: "multipart/related;type=text/csv"
        },
        CsvReader { delimiter: b'\t' } => {
            mimetypes: ["text/tab-separated-values"], extensions: [".tsv", ".tsv.gz", ".tsv.bz2"]
        },
        XdiReader => { mimetypes: ["application/x-xdi"], extensions: [".xdi"] },
    ],
    serializers: [
        ArrayCsv => {
            families: ["array"],
            media_types: ["text/csv", "text/x-comma-separated-values", "text/plain", "application/vnd.ms-excel"],
            aliases: {
                "csv": "text/csv", "txt": "text/plain", "text": "text/plain", "xls": "application/vnd.ms-excel"
            }
        },
        TableCsv => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: [
                "text/csv", "text/x-comma-separated-values", "text/comma-separated-values", "text/plain",
                "application/vnd.ms-excel"
            ],
            aliases: {
                "csv": "text/csv", "txt": "text/plain", "text": "text/plain", "xls": "application/vnd.ms-excel"
            }
        },
        XdiSerializer => {
            families: ["xdi"], media_types: ["application/x-xdi"], aliases: { "xdi": "application/x-xdi" }
        },
    ],
    writers: [
        TableWriter(CsvFormat) => { mimetypes: ["text/csv", "text/csv;header=present"], schemes: ["file"] },
    ],
}
