//! Full text search: what may be asked, and whether the strings of some metadata answer it.
//!
//! Words are asked for as they are, all of them to be found (`dog cat`). As in SQLite's and PostgreSQL's own full text
//! search, `OR` or `|` asks for one of two, `AND` or `&` for both, `NOT` or `!` for what is without, `"dog cat"` for
//! words in a row, `do*` or `do:*` for a beginning, and parentheses group. A word with punctuation inside
//! (`sample-1.tif`) stands for its parts in a row.

use serde_json::Value;

use super::text::{collect_texts, words};

/// Parentheses may be nested so deep.
const NESTING_MAX: usize = 16;

/// A full text search that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// Words in a row in one string; of the last one perhaps only its beginning is given.
    Row {
        /// In lower case; never empty.
        words: Vec<String>,
        /// The last one may go on.
        prefix: bool,
    },
    /// All of them.
    All(Vec<Words>),
    /// One of them.
    Any(Vec<Words>),
    /// Not this one.
    Not(Box<Words>),
}

impl Words {
    /// Reads a search. One without any word finds nothing.
    ///
    /// # Errors
    /// When parentheses or quotes have no partner, or an operator has nothing to work on.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0 };
        let found = reader.any(0)?;
        match reader.next() {
            None => Ok(found),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    /// Whether the strings in `metadata` answer it.
    pub fn matches(&self, metadata: &Value) -> bool {
        let mut texts = Vec::new();
        collect_texts(metadata, &mut texts);
        self.found_in(&texts)
    }

    fn found_in(&self, texts: &[Vec<String>]) -> bool {
        match self {
            Words::Row { words, prefix } => texts.iter().any(|text| has_row(text, words, *prefix)),
            Words::All(parts) => parts.iter().all(|part| part.found_in(texts)),
            Words::Any(parts) => parts.iter().any(|part| part.found_in(texts)),
            Words::Not(part) => !part.found_in(texts),
        }
    }
}

fn has_row(text: &[String], row: &[String], prefix: bool) -> bool {
    let Some((last, first)) = row.split_last() else { return false };
    text.windows(row.len()).any(|part| match part.split_last() {
        Some((end, begin)) => begin == first && (end == last || prefix && end.starts_with(last.as_str())),
        None => false,
    })
}

/// Whether the strings in `metadata` answer a full text search; one that cannot be read finds nothing.
pub fn fulltext_matches(query: &str, metadata: &Value) -> bool {
    Words::parse(query).is_ok_and(|words| words.matches(metadata))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Row { words: Vec<String>, prefix: bool },
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '&' => Some(Token::And),
            '|' => Some(Token::Or),
            '!' => Some(Token::Not),
            _ => None,
        };
        if let Some(token) = single {
            found.push(token);
            rest = rest[1..].trim_start();
            continue;
        }
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"').ok_or("a quote is not closed")?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => {
                let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '&' | '|' | '"');
                rest.split_at(rest.find(ends).unwrap_or(rest.len()))
            }
        };
        let quoted = first == '"';
        let prefix = if quoted { after.trim_start().starts_with('*') } else { word.ends_with('*') };
        rest = if quoted && prefix { after.trim_start()[1..].trim_start() } else { after.trim_start() };
        let parts = words(word);
        match word {
            "AND" if !quoted => found.push(Token::And),
            "OR" if !quoted => found.push(Token::Or),
            "NOT" if !quoted => found.push(Token::Not),
            // Punctuation alone asks for nothing.
            _ if parts.is_empty() => {}
            _ => found.push(Token::Row { words: parts, prefix }),
        }
    }
    Ok(found)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn any(&mut self, depth: usize) -> Result<Words, String> {
        let mut parts = vec![self.all(depth)?];
        while self.peek() == Some(&Token::Or) {
            self.at += 1;
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Words::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Words, String> {
        let mut parts = Vec::new();
        let mut wants_more = false;
        loop {
            match self.peek() {
                Some(Token::And) if parts.is_empty() || wants_more => {
                    return Err("AND has nothing before it".into());
                }
                Some(Token::And) => {
                    self.at += 1;
                    wants_more = true;
                }
                Some(Token::Not | Token::Open | Token::Row { .. }) => {
                    parts.push(self.one(depth)?);
                    wants_more = false;
                }
                Some(Token::Or) if parts.is_empty() => return Err("OR has nothing before it".into()),
                _ if wants_more => return Err("AND has nothing after it".into()),
                // No word at all, or an OR or a parenthesis with nothing after it.
                _ if parts.is_empty() && self.at > 0 => return Err("an operator has nothing after it".into()),
                _ => break,
            }
        }
        Ok(match parts.len() {
            0 => Words::Any(Vec::new()),
            1 => parts.remove(0),
            _ => Words::All(parts),
        })
    }

    fn one(&mut self, depth: usize) -> Result<Words, String> {
        if depth > NESTING_MAX {
            return Err(format!("nested deeper than {NESTING_MAX}"));
        }
        match self.next() {
            Some(Token::Row { words, prefix }) => Ok(Words::Row { words, prefix }),
            Some(Token::Not) => Ok(Words::Not(Box::new(self.one(depth + 1)?))),
            Some(Token::Open) => {
                let inner = self.any(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    _ => Err("a parenthesis is not closed".into()),
                }
            }
            _ => Err("an operator has nothing after it".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_match_whole_and_in_any_case() {
        let metadata = json!({"animal": "cat Dog elephant", "file": ["a", {"name": "sample-1.tif"}], "n": 5});
        for (query, wanted) in [
            ("dog", true),
            ("do", false),
            ("cat dog", true),
            ("cat bird", false),
            ("sample-1.tif", true),
            ("sample-1.png", false),
            ("animal", false),
            ("5", false),
            ("", false),
            ("dog OR bird", true),
            ("dog | bird", true),
            ("dog AND bird", false),
            ("dog & cat", true),
            ("dog NOT bird", true),
            ("dog !cat", false),
            ("NOT bird", true),
            ("do*", true),
            ("ele:*", true),
            ("\"cat dog\"", true),
            ("\"dog cat\"", false),
            ("\"cat do\" *", true),
            ("(bird OR dog) elephant", true),
            ("(bird OR dog) fish", false),
            ("dog -", true),
        ] {
            assert_eq!(fulltext_matches(query, &metadata), wanted, "{query}");
        }
    }

    #[test]
    fn searches_that_cannot_be_read_are_refused() {
        let deep = "(".repeat(5000);
        for query in ["(", "dog)", "dog OR", "OR dog", "\"dog", "AND", "dog AND", "NOT", "()", &deep] {
            assert!(Words::parse(query).is_err(), "{query}");
        }
    }
}
