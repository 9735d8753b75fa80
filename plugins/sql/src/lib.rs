//! Tables and ragged arrays in databases: DuckDB, SQLite, PostgreSQL.
//!
//! Reads and writes `application/x-tiled-sql-table` (tables that rows can be appended to) and `application/x-ragged+sql`
//! (ragged arrays, one row for each chunk), in the layout of Tiled's own server, so that either reads what the other wrote.
//! Databases are spoken to over ADBC. The drivers are libraries of their own, loaded when the first storage needs them
//! (see `driver`); a server without them starts, and says what to install when such a table is asked for.

use tiled_plugin_api::export_plugin;

mod address;
mod create;
mod driver;
mod layout;
mod list_text;
mod names;
mod pool;
mod ragged;
mod ragged_form;
mod ragged_store;
mod rows;
mod session;
mod store;
mod table;
mod types;
mod writer;

pub use ragged::RaggedReader;
pub use table::TableReader;
pub use writer::SqlWriter;

export_plugin! {
    name: "sql",
    init: driver::configure,
    shutdown: pool::close_all,
    readers: [
        TableReader => { mimetypes: ["application/x-tiled-sql-table"], extensions: [] },
        RaggedReader => { mimetypes: ["application/x-ragged+sql"], extensions: [] },
    ],
    writers: [
        SqlWriter => {
            mimetypes: ["application/x-tiled-sql-table", "application/x-ragged+sql"],
            schemes: ["duckdb", "sqlite", "postgresql"]
        },
    ],
}
