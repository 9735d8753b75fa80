//! The header of an HDU: its cards, by keyword and as metadata.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tiled_plugin_api::prelude::{Context, Error, Result, Source};

use crate::card::{self, Card};

/// Headers and data take whole blocks.
pub const BLOCK: u64 = 2880;
const CARD: usize = 80;
/// More than 100 000 cards.
const MAX_HEADER_BYTES: u64 = 2880 * 4096;

/// The cards of a header.
#[derive(Debug, Default)]
pub struct Header {
    cards: Vec<Card>,
    /// The first card of each keyword.
    places: HashMap<String, usize>,
}

impl Header {
    /// Reads the header that begins at `at`; gives where its data begin.
    ///
    /// # Errors
    /// `InvalidData` where the file ends before it does.
    pub fn read(cx: &Context, source: &Source, at: u64) -> Result<(Self, u64)> {
        let (mut cards, mut block, mut position): (Vec<Card>, _, _) =
            (Vec::new(), vec![0; BLOCK as usize], at);
        loop {
            cx.check()?;
            if source.read_at(position, &mut block)? < block.len() || position - at > MAX_HEADER_BYTES {
                return Err(Error::invalid_data(format!("the header at {at} does not end")));
            }
            position += BLOCK;
            for bytes in block.chunks_exact(CARD) {
                if bytes.starts_with(b"END     ") {
                    return Ok((Header::new(cards), position));
                }
                let card = card::parse(bytes);
                if card.keyword == "CONTINUE" && continues(cards.last_mut(), &card) {
                    continue;
                }
                cards.push(card);
            }
        }
    }

    fn new(cards: Vec<Card>) -> Self {
        let mut places = HashMap::new();
        for (place, card) in cards.iter().enumerate() {
            places.entry(card.keyword.clone()).or_insert(place);
        }
        Header { cards, places }
    }

    /// The value of a keyword: the first one, where there are several.
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        let card = self.cards.get(*self.places.get(keyword)?)?;
        (!card.value.is_null()).then_some(&card.value)
    }

    /// A text.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.get(keyword)?.as_str()
    }

    /// A whole number.
    pub fn int(&self, keyword: &str) -> Option<i64> {
        let value = self.get(keyword)?;
        let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e18).then_some(number as i64);
        value.as_i64().or_else(|| whole(value.as_f64()?))
    }

    /// A number.
    pub fn float(&self, keyword: &str) -> Option<f64> {
        self.get(keyword)?.as_f64()
    }

    /// Whether it is there and true.
    pub fn is_true(&self, keyword: &str) -> bool {
        self.get(keyword) == Some(&Value::Bool(true))
    }

    /// A size that must be there.
    ///
    /// # Errors
    /// `InvalidData` where it is not, or is none.
    pub fn size(&self, keyword: &str) -> Result<u64> {
        let size = self.int(keyword).and_then(|n| u64::try_from(n).ok());
        size.ok_or_else(|| Error::invalid_data(format!("{keyword} is missing or is no size")))
    }

    /// A size, or `default` where the keyword is not there.
    ///
    /// # Errors
    /// `InvalidData` where it is none.
    pub fn size_or(&self, keyword: &str, default: u64) -> Result<u64> {
        if self.get(keyword).is_some() { self.size(keyword) } else { Ok(default) }
    }

    /// All cards as metadata: values under their keywords, comments of these under `comments`, `COMMENT` and `HISTORY` as
    /// lists of lines. `rename` gives the name under which a keyword stands, `None` where it is left out.
    pub fn metadata(&self, rename: impl Fn(&str) -> Option<String>) -> Map<String, Value> {
        let (mut map, mut comments) = (Map::new(), Map::new());
        for card in &self.cards {
            if matches!(card.keyword.as_str(), "COMMENT" | "HISTORY") {
                let lines = map.entry(card.keyword.clone()).or_insert_with(|| json!([]));
                if let Some(lines) = lines.as_array_mut() {
                    lines.push(Value::from(card.comment.as_str()));
                }
                continue;
            }
            let Some(name) = rename(&card.keyword).filter(|name| !name.is_empty()) else { continue };
            if map.contains_key(&name) {
                continue;
            }
            if !card.comment.is_empty() {
                comments.insert(name.clone(), Value::from(card.comment.as_str()));
            }
            map.insert(name, card.value.clone());
        }
        if !comments.is_empty() {
            map.insert("comments".into(), Value::Object(comments));
        }
        map
    }
}

/// Adds a card to the text of the one before; whether it belongs to that.
fn continues(last: Option<&mut Card>, card: &Card) -> bool {
    let (Some(last), Some(more)) = (last, card.value.as_str()) else { return false };
    // In place: a forged header may have a hundred thousand of them.
    match &mut last.value {
        Value::String(text) if text.ends_with('&') => {
            text.pop();
            text.push_str(more);
        }
        _ => return false,
    }
    if !last.comment.is_empty() && !card.comment.is_empty() {
        last.comment.push(' ');
    }
    last.comment.push_str(&card.comment);
    true
}
