//! The few Python literals that a `.npy` header is made of. Nothing is evaluated.

use tiled_plugin_api::author::{Error, Result};

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Text(String),
    Integer(i64),
    Bool(bool),
    None,
    /// Tuples and lists: NumPy tells them apart in types only by what they hold, so `is_list` is kept.
    Sequence {
        is_list: bool,
        items: Vec<Literal>,
    },
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// The value of a text key of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Literal> {
        let Literal::Dict(entries) = self else { return None };
        entries.iter().find(|(k, _)| matches!(k, Literal::Text(k) if k == key)).map(|(_, value)| value)
    }

    /// A tuple of sizes, or one size.
    pub fn sizes(&self) -> Option<Vec<u64>> {
        match self {
            Literal::Integer(n) => Some(vec![u64::try_from(*n).ok()?]),
            Literal::Sequence { items, .. } => items
                .iter()
                .map(|item| match item {
                    Literal::Integer(n) => u64::try_from(*n).ok(),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}

/// Nesting beyond this is no NumPy type.
const MAX_DEPTH: u32 = 32;

/// Reads one literal; only white space may follow.
///
/// # Errors
/// `InvalidData` for anything else.
pub fn parse(text: &str) -> Result<Literal> {
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.skip_space();
    if parser.rest.is_empty() { Ok(value) } else { Err(parser.error("text after its end")) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn error(&self, what: &str) -> Error {
        let near: String = self.rest.chars().take(20).collect();
        Error::invalid_data(format!("the header is no Python literal: {what} at {near:?}"))
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\0']);
    }

    fn eat(&mut self, expected: char) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: u32) -> Result<Literal> {
        if depth > MAX_DEPTH {
            return Err(self.error("too deep"));
        }
        self.skip_space();
        match self.rest.chars().next() {
            Some('{') => self.dict(depth),
            Some('(') => self.sequence(')', depth),
            Some('[') => self.sequence(']', depth),
            Some('\'' | '"') => self.text().map(Literal::Text),
            Some(c) if c.is_ascii_digit() || c == '-' => self.integer(),
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            _ => Err(self.error("no value")),
        }
    }

    fn dict(&mut self, depth: u32) -> Result<Literal> {
        self.eat('{');
        let mut entries = Vec::new();
        while !self.eat('}') {
            let key = self.value(depth + 1)?;
            if !self.eat(':') {
                return Err(self.error("no colon"));
            }
            entries.push((key, self.value(depth + 1)?));
            if !self.eat(',') && !self.rest.starts_with('}') {
                return Err(self.error("no comma"));
            }
        }
        Ok(Literal::Dict(entries))
    }

    /// A tuple, a list, or a value in parentheses.
    fn sequence(&mut self, close: char, depth: u32) -> Result<Literal> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let (mut items, mut commas) = (Vec::new(), 0);
        while !self.eat(close) {
            items.push(self.value(depth + 1)?);
            if self.eat(',') {
                commas += 1;
            } else if !self.rest.starts_with(close) {
                return Err(self.error("no comma"));
            }
        }
        let is_list = close == ']';
        match (items.pop(), is_list, commas) {
            (Some(only), false, 0) => Ok(only),
            (last, ..) => {
                items.extend(last);
                Ok(Literal::Sequence { is_list, items })
            }
        }
    }

    fn integer(&mut self) -> Result<Literal> {
        let digits = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let end = self.rest.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = self.rest.split_at(end);
        let number = number.parse().map_err(|_| self.error("a number that does not fit"))?;
        // Python 2 wrote 3L.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(Literal::Integer(number))
    }

    fn word(&mut self) -> Result<Literal> {
        for (word, value) in
            [("True", Literal::Bool(true)), ("False", Literal::Bool(false)), ("None", Literal::None)]
        {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        for prefix in ['u', 'b'] {
            if let Some(rest) = self.rest.strip_prefix(prefix).filter(|rest| rest.starts_with(['\'', '"'])) {
                self.rest = rest;
                return self.text().map(Literal::Text);
            }
        }
        Err(self.error("an unknown word"))
    }

    fn text(&mut self) -> Result<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next();
        let mut text = String::new();
        loop {
            match chars.next() {
                None => return Err(self.error("text without an end")),
                c if c == quote => break,
                Some('\\') => text.push(escape(&mut chars).ok_or_else(|| self.error("a bad escape"))?),
                Some(c) => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(text)
    }
}

/// The character after a backslash, as `repr` writes it.
fn escape(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        c @ ('\\' | '\'' | '"') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let hex = chars.as_str().get(..digits)?;
    let code = u32::from_str_radix(hex, 16).ok()?;
    chars.nth(digits - 1)?;
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_python_versions_are_read() {
        let header = parse(
            "{'descr': [(u'a\\'b', '<f8', (2,)), (('t', 'n'), '|S3')], 'shape': (3L,), 'fortran_order': False, }  \n",
        );
        let header = header.unwrap();
        assert_eq!(header.get("shape").unwrap().sizes(), Some(vec![3]));
        assert_eq!(header.get("fortran_order"), Some(&Literal::Bool(false)));
        assert!(
            matches!(header.get("descr"), Some(Literal::Sequence { is_list: true, items }) if items.len() == 2)
        );
        assert_eq!(parse("()").unwrap().sizes(), Some(vec![]));
        assert_eq!(parse("(-1,)").unwrap().sizes(), None);
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in
            ["__import__('os').getcwd()", "{'a': 1", "'abc", "1 2", "{1 2}", "[1 2]", "", "'\\q'", "'\\x4'"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(30_000)).is_err());
    }
}
