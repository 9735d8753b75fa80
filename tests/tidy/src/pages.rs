//! Every file says first what it is for, and none is unfinished.

use crate::files::{assert_none, below, shown, text};

/// Written apart, so that this file does not hold them.
const UNFINISHED: &[&str] =
    &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("TEMPO", "RARY"), concat!("todo", "!(")];

#[test]
fn every_file_starts_with_its_page() {
    let mut complaints = Vec::new();
    for file in
        ["host", "plugin-api", "plugins", "tests", "examples"].iter().flat_map(|folder| below(folder, "rs"))
    {
        let text = text(&file);
        // Files of cargo itself are three lines that no one reads.
        if !text.starts_with("//!") && !file.ends_with("build.rs") {
            complaints.push(format!("{}: begin with `//!` and what it is for", shown(&file)));
        }
        for word in UNFINISHED.iter().filter(|word| text.contains(**word)) {
            complaints.push(format!("{}: {word}: do it, or open an issue", shown(&file)));
        }
    }
    assert_none(&complaints);
}
