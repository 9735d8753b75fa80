//! Matching of texts: SQL's LIKE, and the words of texts.

use serde_json::Value;

/// SQLite's LIKE: `%` any text, `_` any one character, ASCII letters in either case.
pub fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where to go back to: just after the last `%`, and one character further into the text.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            Some(c) if *c == '_' || c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        let Some((after, from)) = retry else { return false };
        retry = Some((after, from + 1));
        p = after;
        t = from + 1;
    }
    pattern[p..].iter().all(|c| *c == '%')
}

/// The words of every string in a value, string by string.
pub(super) fn collect_texts(value: &Value, texts: &mut Vec<Vec<String>>) {
    match value {
        Value::String(text) => texts.push(words(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}

/// Letters and digits in a row, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_both_wildcards_and_folds_ascii() {
        for (pattern, text, wanted) in [
            ("Ni%", "nickel", true),
            ("%image", "det_image", true),
            ("_i", "ni", true),
            ("_i", "i", false),
            ("%a%b%", "xxaxxbxx", true),
            ("%a%b", "ba", false),
            ("É", "é", false),
            ("", "", true),
            ("%", "", true),
            ("a", "", false),
        ] {
            assert_eq!(like(pattern, text), wanted, "{pattern} {text}");
        }
    }
}
