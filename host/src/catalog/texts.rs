//! Queries that look into texts (`like`, `regex`, `contains`): instead of all texts of a path, only those that begin as
//! the query says, or, where a path has few different texts, only those that meet the query.

use regex_syntax::hir::{Hir, HirKind, Look};
use serde_json::Value;

use super::facts::{Driver, Filter, Range, Source, Span, TEXT_LENGTH};
use super::failure::Failure;
use super::session::Session;
use super::sql::{Param, Sql};
use crate::query::like;

/// So many beginnings are looked up one by one.
const BEGINNINGS_MAX: usize = 64;
/// A path with more different texts has many.
const DIFFERENT_MAX: u64 = 200;
/// Longer beginnings tell no more.
const BEGINNING_LENGTH: usize = 64;

/// Puts fewer texts in place of all texts of a path, where it can. Drivers that have to read all texts go, if there are
/// others.
pub(super) fn narrow(session: &Session<'_>, drivers: &mut Vec<Driver>) -> Result<(), Failure> {
    let mut slow = Vec::new();
    for (at, driver) in drivers.iter_mut().enumerate() {
        let Source::Facts(spans) = &mut driver.source else { continue };
        let mut narrowed = Vec::new();
        for span in spans.drain(..) {
            let fewer = match &span.range {
                Range::Texts(filter) => fewer(session, &span.path, filter)?,
                _ => None,
            };
            match fewer {
                Some(ranges) => {
                    narrowed.extend(ranges.into_iter().map(|range| Span { path: span.path.clone(), range }));
                }
                None => {
                    if matches!(span.range, Range::Texts(_)) {
                        slow.push(at);
                    }
                    narrowed.push(span);
                }
            }
        }
        if narrowed.is_empty() {
            // No text meets the query; a stretch that is empty says so.
            narrowed.push(Span { path: "0".to_owned(), range: Range::Any });
        }
        *spans = narrowed;
    }
    if slow.len() < drivers.len() {
        for at in slow.into_iter().rev() {
            drivers.remove(at);
        }
    }
    Ok(())
}

fn fewer(session: &Session<'_>, path: &str, filter: &Filter) -> Result<Option<Vec<Range>>, Failure> {
    let beginnings = match filter {
        Filter::Part(_) => None,
        Filter::Like(pattern) => like_beginnings(pattern),
        Filter::Regex(pattern) if pattern.case_sensitive() => {
            regex_beginning(pattern.text()).map(|one| vec![one])
        }
        Filter::Regex(_) => None,
    };
    if let Some(beginnings) = beginnings {
        // The last character there is, so often that no text of the index comes after.
        let last = "\u{10ffff}".repeat(TEXT_LENGTH);
        let pairs = beginnings.into_iter().map(|low| [low.clone(), low + &last]).collect();
        return Ok(Some(vec![Range::Between(pairs)]));
    }
    let Some(mut texts) = different(session, path)? else { return Ok(None) };
    texts.retain(|text| text.chars().count() >= TEXT_LENGTH || passes(filter, text));
    Ok(Some(match texts.len() {
        0 => vec![],
        1 => texts.into_iter().map(|text| Range::At(Value::String(text))).collect(),
        _ => vec![Range::Between(texts.into_iter().map(|text| [text.clone(), text]).collect())],
    }))
}

fn passes(filter: &Filter, text: &str) -> bool {
    match filter {
        Filter::Part(part) => text.to_ascii_lowercase().contains(&part.to_ascii_lowercase()),
        Filter::Like(pattern) => like(pattern, text),
        Filter::Regex(pattern) => pattern.is_match(text),
    }
}

/// The different texts of a path, found one after the other; `None` where there are many.
fn different(session: &Session<'_>, path: &str) -> Result<Option<Vec<String>>, Failure> {
    let d = session.dialect();
    let mut sql = Sql::new(d, "");
    let (path, limit) = (sql.bind(Param::text(path)), sql.bind_int(DIFFERENT_MAX + 1));
    sql.push(&format!(
        "WITH RECURSIVE v (x) AS (SELECT {} UNION ALL SELECT {} FROM v WHERE v.x IS NOT NULL) \
         SELECT v.x FROM v WHERE v.x IS NOT NULL LIMIT {limit}",
        d.next_text(&path, false),
        d.next_text(&path, true)
    ));
    let texts = session.rows(&sql.text, &sql.params, |row| row.string(0))?;
    Ok((texts.len() as u64 <= DIFFERENT_MAX).then_some(texts))
}

/// How texts begin that meet an SQL LIKE, ASCII letters in both cases; `None` where they begin in any way.
fn like_beginnings(pattern: &str) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    for char in pattern.chars().take_while(|char| !matches!(char, '%' | '_')).take(BEGINNING_LENGTH) {
        if !char.is_ascii_alphabetic() {
            all.iter_mut().for_each(|text| text.push(char));
        } else if 2 * all.len() <= BEGINNINGS_MAX {
            let other = all.clone();
            all.iter_mut().for_each(|text| text.push(char.to_ascii_lowercase()));
            all.extend(
                other.into_iter().map(|text| text + char.to_ascii_uppercase().encode_utf8(&mut [0; 4])),
            );
        } else {
            break;
        }
    }
    all.iter().all(|text| !text.is_empty()).then_some(all)
}

/// How texts begin that match a regular expression with `^` in front.
fn regex_beginning(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let [start, next, ..] = &parts[..] else { return None };
    let literal = |part: &Hir| match part.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    };
    let text = literal(next).filter(|_| matches!(start.kind(), HirKind::Look(Look::Start)))?;
    Some(text.chars().take(BEGINNING_LENGTH).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_how_texts_begin() {
        assert_eq!(like_beginnings("1-%a"), Some(vec!["1-".to_owned()]));
        assert_eq!(like_beginnings("aé_"), Some(vec!["aé".to_owned(), "Aé".to_owned()]));
        assert_eq!(like_beginnings("%a"), None);
        assert_eq!(like_beginnings(""), None);
        assert_eq!(like_beginnings("abcdefgh").map(|all| all.len()), Some(64));
        assert_eq!(regex_beginning("^Cu.*"), Some("Cu".to_owned()));
        assert_eq!(regex_beginning("^abc$"), Some("abc".to_owned()));
        for pattern in ["Cu", "^[ab]", "(?i)^cu", "(?m)^cu", "^a|b", "^", "^a*b"] {
            assert_eq!(regex_beginning(pattern), None, "{pattern}");
        }
    }
}
