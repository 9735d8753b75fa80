//! Text kept by this plugin read by Tiled's own adapter, and the other way round.

#[path = "../../tabular/tests/with_tiled/mod.rs"]
mod tables;

use tables::table_goes_both_ways;
use tiled_csv::{CsvFormat, CsvReader, TableWriter};

#[test]
fn tiled_reads_what_is_kept_and_what_tiled_keeps_is_read() {
    table_goes_both_ways(&TableWriter(CsvFormat), &CsvReader { delimiter: b',' }, "text/csv", "csv");
}
