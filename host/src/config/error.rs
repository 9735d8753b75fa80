//! What is wrong with a configuration, in words that lead to the line to change.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What and where, with the nearest valid key where a key is unknown.
        message: String,
    },
}

impl ConfigError {
    /// A TOML error with its place, and the nearest valid key where a key is unknown.
    pub fn from_toml(path: impl Into<PathBuf>, error: &toml::de::Error) -> Self {
        ConfigError::Invalid { path: path.into(), message: with_nearest_key(error.to_string().trim_end()) }
    }
}

/// `unknown key "x"` with the nearest of the keys that are known.
pub fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(best) => format!("unknown key \"{key}\"; did you mean \"{best}\"?"),
        None => format!("unknown key \"{key}\"; known are {}", known.join(", ")),
    }
}

/// Adds the nearest key to serde's "unknown field" messages; other messages stay as they are.
pub fn with_nearest_key(message: &str) -> String {
    let Some((_, rest)) =
        message.split_once("unknown field ").or_else(|| message.split_once("unknown variant "))
    else {
        return message.to_owned();
    };
    let mut names = rest.split('`').skip(1).step_by(2);
    let Some(key) = names.next() else { return message.to_owned() };
    match nearest(key, names) {
        Some(best) => format!("{message}\ndid you mean \"{best}\"?"),
        None => message.to_owned(),
    }
}

fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const SIMILAR: f64 = 0.6;
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(key, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_answered_with_the_nearest_one() {
        assert_eq!(
            unknown_key("direktory", &["directory", "discover"]),
            "unknown key \"direktory\"; did you mean \"directory\"?"
        );
        assert_eq!(unknown_key("zzz", &["directory"]), "unknown key \"zzz\"; known are directory");
        assert!(
            with_nearest_key("unknown field `timeout`, expected one of `timeout_s`, `isolation`")
                .ends_with("did you mean \"timeout_s\"?")
        );
        assert_eq!(with_nearest_key("expected a string"), "expected a string");
    }
}
