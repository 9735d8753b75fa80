//! The text of a CIF file, as far as it describes an image: tags and their values, and loops of them.

use serde_json::{Map, Value};

use crate::text;

/// Tags with their values; those of a loop with a list of values. Later ones of the same name are left out.
pub fn parse(text: &str) -> Map<String, Value> {
    let tokens = tokens(text);
    let (mut map, mut at) = (Map::new(), 0);
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            Token::Bare(word) if word.starts_with('_') => {
                if let Some(value) = tokens.get(at).and_then(Token::value) {
                    text::put(&mut map, word, value);
                    at += 1;
                }
            }
            Token::Bare(word) if word.eq_ignore_ascii_case("loop_") => at = repeated(&tokens, at, &mut map),
            _ => {}
        }
    }
    map
}

/// A loop: tags, then their values in turn. Gives where it ends.
fn repeated(tokens: &[Token], mut at: usize, map: &mut Map<String, Value>) -> usize {
    let mut names = Vec::new();
    while let Some(Token::Bare(word)) = tokens.get(at) {
        if !word.starts_with('_') {
            break;
        }
        names.push(word.clone());
        at += 1;
    }
    let mut columns: Vec<Vec<Value>> = vec![Vec::new(); names.len()];
    let count = names.len().max(1);
    for number in 0.. {
        let Some(value) = tokens.get(at).and_then(Token::value) else { break };
        if let Some(column) = columns.get_mut(number % count) {
            column.push(value);
        }
        at += 1;
    }
    for (name, column) in names.iter().zip(columns) {
        text::put(map, name, Value::Array(column));
    }
    at
}

#[derive(Debug, PartialEq)]
enum Token {
    Bare(String),
    Quoted(String),
}

impl Token {
    /// What stands for a value; `None` for tags and for the words that begin something.
    fn value(&self) -> Option<Value> {
        match self {
            Token::Quoted(text) => Some(Value::from(text.as_str())),
            Token::Bare(word) => {
                let lower = word.to_ascii_lowercase();
                let begins = ["_", "loop_", "data_", "save_", "stop_", "global_"];
                (!begins.iter().any(|begin| lower.starts_with(begin))).then(|| text::value(word))
            }
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let (mut found, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        // A line that begins with a semicolon begins a text of many lines.
        if let Some(first) = line.strip_prefix(';') {
            let mut inside = vec![first];
            inside.extend(lines.by_ref().take_while(|line| !line.starts_with(';')));
            found.push(Token::Quoted(inside.join("\n").trim().to_owned()));
            continue;
        }
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let closed = quote.and_then(|quote| {
                let inside = rest.get(1..)?;
                let ends = |at: usize| {
                    inside.get(at + 1..).is_some_and(|r| !r.starts_with(|c: char| !c.is_whitespace()))
                };
                let end = places(inside, quote).find(|at| ends(*at))?;
                Some((inside.get(..end)?, inside.get(end + 1..)?))
            });
            let (token, after) = match closed {
                Some((inside, after)) => (Token::Quoted(inside.to_owned()), after),
                None => {
                    let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
                    (Token::Bare(word.to_owned()), after)
                }
            };
            found.push(token);
            rest = after.trim_start();
        }
    }
    found
}

/// Where a quote is, as far as a line may be long (2048 characters): a search for each token must not take the whole text.
fn places(text: &str, quote: char) -> impl Iterator<Item = usize> {
    text.match_indices(quote).map(|(at, _)| at).take_while(|at| *at < 2048)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_texts_and_loops_are_read() {
        let text = "###CBF: VERSION 1.5\ndata_x\n_a.b 'it''s'\n_a.c \"two words\" # note\nloop_\n_d.e\n_d.f\n1 x\n2.5 'y z'\n\
                    _t\n;\n# Detector: X\n# Wavelength 1.0 A\n;\n_q";
        let want = json!({
            "_a.b": "it''s", "_a.c": "two words", "_d.e": [1, 2.5], "_d.f": ["x", "y z"],
            "_t": "# Detector: X\n# Wavelength 1.0 A"
        });
        assert_eq!(Value::Object(parse(text)), want);
    }
}
