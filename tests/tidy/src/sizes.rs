//! A file that does one thing fits on a few screens.

use crate::files::{assert_none, below, shown, text};

/// Lines of a file without its tests.
const MAX_LINES: usize = 400;

/// Longer files, and why they may be. The list may only become shorter.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn files_are_short() {
    let mut complaints = Vec::new();
    for file in
        ["host", "plugin-api", "plugins", "tests", "examples"].iter().flat_map(|folder| below(folder, "rs"))
    {
        let (name, lines) = (shown(&file), lines_without_tests(&text(&file)));
        let excused = EXCEPTIONS.iter().any(|(known, _)| *known == name);
        if lines > MAX_LINES && !excused {
            complaints.push(format!("{name}: {lines} lines, at most {MAX_LINES}: split it by what it does"));
        }
        if lines <= MAX_LINES && excused {
            complaints.push(format!("{name}: {lines} lines: take it off the list of exceptions"));
        }
    }
    assert_none(&complaints);
}

/// Up to the module of tests at the end; a file of tests alone has none.
fn lines_without_tests(text: &str) -> usize {
    let end = text.find("#[cfg(test)]\nmod tests").or_else(|| text.find("#[test]"));
    text[..end.unwrap_or(text.len())].lines().count()
}
