//! Documents as JSON or msgpack, and the parts of them that are not the same in both.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tiled_plugin_api::author::{Error, Result};

/// A document as JSON.
///
/// # Errors
/// `Internal` when it has no such form.
pub fn to_json(document: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(Error::internal)
}

/// The same document as msgpack: maps for structs, and nothing of JSON on the way.
///
/// # Errors
/// `Internal` when it has no such form.
pub fn to_msgpack(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    let mut encoder = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    document.serialize(&mut encoder).map_err(Error::internal)?;
    Ok(bytes)
}

/// JSON as the catalog has it: it goes into a JSON document as it is.
pub struct JsonText(String);

impl JsonText {
    /// This text, which is JSON.
    pub fn new(text: String) -> Self {
        JsonText(text)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        if serializer.is_human_readable() {
            let raw: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
            return raw.serialize(serializer);
        }
        let value: serde_json::Value = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}

/// A moment as the catalog has it, `2026-11-24 16:18:35` in UTC: text in JSON, msgpack's own kind of time in msgpack.
pub struct Timestamp {
    text: String,
    seconds: Option<i64>,
}

impl Timestamp {
    /// The moment of that text.
    pub fn new(text: &str) -> Self {
        Timestamp { text: text.trim().replacen(' ', "T", 1), seconds: seconds_of(text.trim()) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.seconds {
            Some(seconds) if !serializer.is_human_readable() => {
                let bytes = match u32::try_from(seconds) {
                    Ok(seconds) => seconds.to_be_bytes().to_vec(),
                    Err(_) => [&0_u32.to_be_bytes()[..], &seconds.to_be_bytes()].concat(),
                };
                let extension = (-1_i8, Bytes(bytes));
                serializer.serialize_newtype_struct(rmp_serde::MSGPACK_EXT_STRUCT_NAME, &extension)
            }
            _ => serializer.serialize_str(&self.text),
        }
    }
}

struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// Seconds since 1970; `None` for what is not of the form.
fn seconds_of(text: &str) -> Option<i64> {
    let mut numbers = text.split(['-', ' ', 'T', ':', '.', '+', 'Z']).map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Days from civil, after Howard Hinnant: years begin in March, so that the leap day is the last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let days =
        era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Document {
        metadata: JsonText,
        time: Timestamp,
        none: Option<u8>,
        unit: (),
    }

    fn document() -> Document {
        let metadata = JsonText::new(r#"{"b":1,"a":[1.5,"x",null,true]}"#.into());
        Document { metadata, time: Timestamp::new("2026-11-24 16:18:35"), none: None, unit: () }
    }

    #[test]
    fn a_document_is_the_same_in_both_forms_but_for_times() {
        let text = r#"{"metadata":{"b":1,"a":[1.5,"x",null,true]},"time":"2026-11-24T16:18:35","none":null,"unit":null}"#;
        assert_eq!(String::from_utf8(to_json(&document()).unwrap()).unwrap(), text);
        let bytes = to_msgpack(&document()).unwrap();
        // fixext 4, type -1.
        let time = [&[0xd6, 0xff][..], &1_795_537_115_u32.to_be_bytes()].concat();
        assert!(bytes.windows(time.len()).any(|window| window == time), "{bytes:x?}");
        let plain: serde_json::Value =
            json!({"metadata": {"b": 1, "a": [1.5, "x", null, true]}, "none": null});
        assert_eq!(rmp_serde::from_slice::<serde_json::Value>(&to_msgpack(&plain).unwrap()).unwrap(), plain);
    }

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(seconds_of("1970-01-01 00:00:00"), Some(0));
        assert_eq!(seconds_of("2000-02-29T12:00:00"), Some(951_825_600));
        assert_eq!(seconds_of("2026-11-24 16:18:35.123456"), Some(1_795_537_115));
        assert_eq!(seconds_of("soon"), None);
    }
}
