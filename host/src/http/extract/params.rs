//! Query parameters, decoded, in order.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::http::HttpError;

/// The pairs of a query string. `+` is a space.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query string.
    pub fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Params(pairs.collect())
    }

    /// All of them.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The last value of a name.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect()
    }

    /// All values of a name; `None` when there are none.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        Some(self.all(name)).filter(|values| !values.is_empty())
    }

    /// A truth value, by pydantic's rules.
    ///
    /// # Errors
    /// 422 naming the parameter.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, HttpError> {
        let Some(text) = self.one(name) else { return Ok(default) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Ok(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Ok(false),
            _ => Err(HttpError::validation(
                "query",
                name,
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
                Value::String(text.to_owned()),
            )),
        }
    }

    /// A number between two bounds.
    ///
    /// # Errors
    /// 422 naming the parameter and the bound.
    pub fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, HttpError> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let refuse = |kind: &str, message: String| {
            HttpError::validation("query", name, kind, &message, Value::String(text.to_owned()))
        };
        let number: i128 = text.trim().parse().map_err(|_| {
            refuse(
                "int_parsing",
                "Input should be a valid integer, unable to parse string as an integer".into(),
            )
        })?;
        if number < i128::from(least) {
            return Err(refuse(
                "greater_than_equal",
                format!("Input should be greater than or equal to {least}"),
            ));
        }
        if number > i128::from(most) {
            return Err(refuse("less_than_equal", format!("Input should be less than or equal to {most}")));
        }
        Ok(u64::try_from(number).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_repeated_names_are_lists() {
        let params = Params::parse("page%5Boffset%5D=3&column=a+b&column=%C3%A9&flag");
        assert_eq!(params.one("page[offset]"), Some("3"));
        assert_eq!(params.all("column"), ["a b", "é"]);
        assert_eq!(params.number("page[offset]", 0, 10).unwrap(), Some(3));
        assert!(params.number("page[offset]", 0, 2).is_err());
        assert!(params.flag("column", true).is_err());
    }
}
