//! Excel and OpenDocument workbooks: a container of sheets, each a table with the type rules of pandas.
//!
//! Reads `.xlsx`, `.xlsm`, `.xlsb`, `.xls` and `.ods`. The first row names the columns. What a sheet may take in memory
//! depends on the size of its file: a cell in the last row and column is refused, not filled up.
//! Writes tables, sparse arrays and xarray datasets as `.xlsx`.

use tiled_plugin_api::export_plugin;

mod book;
mod column;
mod reader;
mod serializer;
mod sheet;

pub use reader::WorkbookReader;
pub use serializer::XlsxSerializer;

export_plugin! {
    name: "excel",
    readers: [
        WorkbookReader => {
            mimetypes: [
                "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                "application/vnd.ms-excel.sheet.macroenabled.12"
            ],
            extensions: [".xlsx", ".xlsm"]
        },
        WorkbookReader => { mimetypes: ["application/vnd.ms-excel"], extensions: [".xls"] },
        WorkbookReader => {
            mimetypes: [
                "application/vnd.ms-excel.sheet.binary.macroenabled.12",
                "application/vnd.ms-excel.sheet.binary.macroEnabled.12"
            ],
            extensions: [".xlsb"]
        },
        WorkbookReader => {
            mimetypes: ["application/vnd.oasis.opendocument.spreadsheet"], extensions: [".ods"]
        },
    ],
    serializers: [
        XlsxSerializer => {
            families: ["table", "sparse", "xarray_dataset"],
            media_types: ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
            aliases: { "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" }
        },
    ],
}
