//! Whether two versions of the plugin API can talk: one of them must know all that the other knows.
//!
//! abi_stable asks only whether the library knows all that the host knows, which refuses every older plugin. Methods
//! are only ever added after the frozen ones, so the question may as well be asked the other way round.

use std::fmt::{self, Write};

use tiled_plugin_api::abi::reexport::abi_stable::{
    abi_stability::abi_checking::{
        AbiInstability, AbiInstabilityError, AbiInstabilityErrors, CheckingGlobals,
        check_layout_compatibility_with_globals,
    },
    type_layout::{TLFieldOrFunction, TypeLayout},
};

/// Compares in both directions; one is enough.
///
/// # Errors
/// What differs, in one line, from the direction that found less.
pub(super) fn either_way(ours: &'static TypeLayout, theirs: &'static TypeLayout) -> Result<(), String> {
    // abi_stable's own globals remember the layouts of every library, and after an older one refuse all that are not:
    // the outcome would depend on the order of loading. No object of one plugin reaches another, so each is compared
    // with the host alone.
    let compare = |a, b| check_layout_compatibility_with_globals(a, b, &CheckingGlobals::new());
    let Err(forward) = compare(ours, theirs) else { return Ok(()) };
    let Err(backward) = compare(theirs, ours) else { return Ok(()) };
    tracing::debug!(target: "plugin", "layouts differ: {forward}");
    let least = if backward.errors.len() < forward.errors.len() { &backward } else { &forward };
    Err(in_one_line(least))
}

/// Differences told at most.
const MAX_DIFFERENCES: usize = 3;

fn in_one_line(errors: &AbiInstabilityErrors) -> String {
    let mut lines: Vec<String> = Vec::new();
    for error in &errors.errors {
        for what in &error.errs {
            let line = format!("{} {}", place(error), words(what));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let more = lines.len().saturating_sub(MAX_DIFFERENCES);
    lines.truncate(MAX_DIFFERENCES);
    let mut text = format!("its types differ from ours: {}", lines.join(", "));
    if more > 0 {
        let _ = write!(text, ", and {more} more");
    }
    text
}

/// The innermost field that the difference lies in.
fn place(error: &AbiInstabilityError) -> String {
    error.stack_trace.last().map_or_else(
        || "the module".to_owned(),
        |at| match at.found {
            TLFieldOrFunction::Field(field) => format!("`{}`", field.full_type()),
            TLFieldOrFunction::Function(function) => format!("`{}`", function.name),
        },
    )
}

fn words(what: &AbiInstability) -> String {
    use AbiInstability as Ai;
    match what {
        Ai::Size(v) => format!("has another size ({} and {} bytes)", v.expected, v.found),
        Ai::Alignment(v) => format!("has another alignment ({} and {})", v.expected, v.found),
        Ai::FieldCountMismatch(v) => format!("has another number of fields ({} and {})", v.expected, v.found),
        Ai::UnexpectedField(v) => {
            format!("has `{}` where `{}` is expected", v.found.name(), v.expected.name())
        }
        Ai::MismatchedPrefixSize(v) => {
            format!("has another frozen part ({} and {} fields)", v.expected, v.found)
        }
        Ai::Name(v) => format!("is another type (`{}` and `{}`)", v.expected, v.found),
        Ai::Package(v) => format!("comes from another package (`{}` and `{}`)", v.expected, v.found),
        Ai::PackageVersion(v) => {
            format!("comes from an incompatible version ({:#} and {:#})", v.expected, v.found)
        }
        other => {
            let mut short = Short(String::new());
            let _ = write!(short, "{other:?}");
            format!("differs ({})", short.0)
        }
    }
}

/// Takes the first word of a text that may have megabytes.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(['(', '{', ' ', '\n']);
        self.0.push_str(&text[..end.unwrap_or(text.len())]);
        if end.is_some() || self.0.len() > 80 { Err(fmt::Error) } else { Ok(()) }
    }
}

/// abi_stable's messages have many lines: the first few that say something.
pub(super) fn condense(text: &str) -> String {
    const LINES: usize = 4;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(LINES).collect::<Vec<_>>().join(" ")
}
