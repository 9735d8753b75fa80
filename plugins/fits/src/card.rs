//! One card of a header: 80 characters of keyword, value and comment.

use serde_json::{Value, json};

/// A card.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Without blanks; of `HIERARCH` cards the words between it and the value.
    pub keyword: String,
    /// Null where it is undefined or the card has none.
    pub value: Value,
    /// What follows the slash; of cards without value all that follows the keyword.
    pub comment: String,
}

/// Reads a card.
pub fn parse(bytes: &[u8]) -> Card {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let split =
        |at: usize| text.char_indices().nth(at).map_or((text.as_str(), ""), |(at, _)| text.split_at(at));
    let (name, rest) = split(8);
    let keyword = name.trim().to_owned();
    if keyword == "HIERARCH"
        && let Some((words, value)) = rest.split_once('=')
    {
        let (value, comment) = value_and_comment(value);
        return Card { keyword: words.trim().to_owned(), value, comment };
    }
    let is_comment = matches!(keyword.as_str(), "COMMENT" | "HISTORY" | "");
    match rest.strip_prefix("= ").or_else(|| rest.strip_prefix('=').filter(|rest| rest.trim().is_empty())) {
        Some(value) if !is_comment => {
            let (value, comment) = value_and_comment(value);
            Card { keyword, value, comment }
        }
        _ if keyword == "CONTINUE" => {
            let (value, comment) = value_and_comment(rest);
            Card { keyword, value, comment }
        }
        _ => Card { keyword, value: Value::Null, comment: rest.trim_end().to_owned() },
    }
}

fn value_and_comment(text: &str) -> (Value, String) {
    let text = text.trim();
    if let Some(inside) = text.strip_prefix('\'') {
        let (mut value, mut rest) = (String::new(), inside);
        loop {
            let (part, after) = rest.split_once('\'').unwrap_or((rest, ""));
            value.push_str(part);
            match after.strip_prefix('\'') {
                Some(more) => {
                    value.push('\'');
                    rest = more;
                }
                None => return (Value::from(value.trim_end()), comment(after)),
            }
        }
    }
    let (value, _) = text.split_once('/').unwrap_or((text, ""));
    (plain(value.trim()), comment(text.get(value.len()..).unwrap_or_default()))
}

fn comment(text: &str) -> String {
    text.split_once('/').map_or("", |(_, comment)| comment).trim().to_owned()
}

/// A value that is no text: a logical, a number, a complex number as a list of two.
fn plain(text: &str) -> Value {
    match text {
        "" => return Value::Null,
        "T" => return Value::Bool(true),
        "F" => return Value::Bool(false),
        _ => {}
    }
    if let Some((real, imag)) =
        text.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')?.split_once(','))
    {
        return json!([plain(real.trim()), plain(imag.trim())]);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return json!(whole);
    }
    let float = float(text).map(Value::from);
    float.unwrap_or_else(|| Value::from(text))
}

/// A finite number as Fortran writes it, also with `D` for the exponent.
pub fn float(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eEdD".contains(&b));
    let text = if is_number { text.replace(['D', 'd'], "E") } else { return None };
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(text: &str) -> (String, Value, String) {
        let Card { keyword, value, comment } = parse(format!("{text:80}").as_bytes());
        (keyword, value, comment)
    }

    #[test]
    fn values_are_those_of_the_standard() {
        let is = |text: &str, value: Value, comment: &str| {
            assert_eq!((card(text).1, card(text).2), (value, comment.into()), "{text}");
        };
        is("SIMPLE  =                    T / conforms", json!(true), "conforms");
        is("NAXIS1  =                 1024", json!(1024), "");
        is("EXPTIME =             1.25D+02 / [s] / of all", json!(125.0), "[s] / of all");
        is("OBJECT  = 'it''s / here  '     / name", json!("it's / here"), "name");
        is("EMPTY   = ''", json!(""), "");
        is("UNDEF   =                      / nothing", Value::Null, "nothing");
        is("CPLX    = (1.0, -2)", json!([1.0, -2]), "");
        is("HUGE    = 9223372036854775808", json!(9.223372036854775808e18), "");
        is("ODD     = NaN", json!("NaN"), "");
        is("OPEN    = 'no end", json!("no end"), "");
        is("HISTORY made = 3", Value::Null, "made = 3");
        is("CONTINUE  'more&' / and", json!("more&"), "and");
        assert_eq!(card("HIERARCH ESO DET DIT = 1.5 / time").0, "ESO DET DIT");
        assert_eq!(card("HIERARCH ESO DET DIT = 1.5 / time").1, json!(1.5));
    }

    #[test]
    fn any_bytes_are_a_card() {
        for byte in 0..=255_u8 {
            parse(&[byte; 80]);
            parse(&[&b"KEY     = "[..], &[byte; 70]].concat());
            parse(&[byte; 3]);
        }
    }
}
