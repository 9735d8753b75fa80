//! A regular expression as PostgreSQL writes it, matching the very same texts: each class of characters is written
//! out, so that neither the database's locale nor its own idea of a word counts.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The translation; `None` for what PostgreSQL has no words for.
pub(super) fn translate(pattern: &str, case_sensitive: bool) -> Option<String> {
    let hir = ParserBuilder::new().case_insensitive(!case_sensitive).build().parse(pattern).ok()?;
    let mut text = String::from("(?:");
    put(&hir, &mut text)?;
    text.push(')');
    Some(text)
}

fn put(hir: &Hir, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty => text.push_str("(?:)"),
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).ok()?.chars().for_each(|char| character(char, text));
        }
        HirKind::Class(class) => text.push_str(&ranges(class)),
        HirKind::Look(look) => text.push_str(&edge(*look)?),
        HirKind::Repetition(repeated) => {
            text.push_str("(?:");
            put(&repeated.sub, text)?;
            text.push(')');
            text.push_str(&match (repeated.min, repeated.max) {
                (0, None) => "*".to_owned(),
                (1, None) => "+".to_owned(),
                (0, Some(1)) => "?".to_owned(),
                (min, None) => format!("{{{min},}}"),
                (min, Some(max)) => format!("{{{min},{max}}}"),
            });
        }
        HirKind::Capture(capture) => {
            text.push_str("(?:");
            put(&capture.sub, text)?;
            text.push(')');
        }
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| put(part, text))?,
        HirKind::Alternation(parts) => {
            text.push_str("(?:");
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    text.push('|');
                }
                put(part, text)?;
            }
            text.push(')');
        }
    }
    Some(())
}

fn character(char: char, text: &mut String) {
    if char.is_ascii_alphanumeric() {
        text.push(char);
    } else {
        text.push_str(&format!("\\U{:08x}", u32::from(char)));
    }
}

/// A class as ranges. No text in the database has the character 0, so a class without any other matches nothing.
fn ranges(class: &Class) -> String {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
    };
    let mut text = String::from("[");
    for (start, end) in ranges.into_iter().filter(|(_, end)| *end > 0) {
        text.push_str(&format!("\\U{:08x}-\\U{end:08x}", start.max(1)));
    }
    if text.len() == 1 { "[^\\U00000001-\\U0010ffff]".to_owned() } else { text + "]" }
}

fn edge(look: Look) -> Option<String> {
    let word = |pattern: &str| match ParserBuilder::new().build().parse(pattern).ok()?.kind() {
        HirKind::Class(class) => Some(ranges(class)),
        _ => None,
    };
    let at_edge = |word: String| format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))");
    let inside = |word: String| format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))");
    Some(match look {
        Look::Start => "\\A".to_owned(),
        Look::End => "\\Z".to_owned(),
        Look::StartLF => "(?:\\A|(?<=\\n))".to_owned(),
        Look::EndLF => "(?:\\Z|(?=\\n))".to_owned(),
        Look::WordUnicode => at_edge(word(r"\w")?),
        Look::WordUnicodeNegate => inside(word(r"\w")?),
        Look::WordAscii => at_edge(word("[0-9A-Za-z_]")?),
        Look::WordAsciiNegate => inside(word("[0-9A-Za-z_]")?),
        _ => return None,
    })
}
