//! Names of tables and columns: which ones Tiled allows, and how they stand in SQL.

use tiled_plugin_api::author::{Error, Result};

/// PostgreSQL's limit, the smallest of the three.
const MAX_BYTES: usize = 63;

/// Words that no table may be called: those of SQLAlchemy, which Tiled asks.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "new",
    "not",
    "notnull",
    "null",
    "off",
    "offset",
    "old",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "right",
    "select",
    "session_user",
    "set",
    "similar",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "verbose",
    "when",
    "where",
];

/// What no name may have in it: it would be dangerous where quoting is forgotten. We never forget it, Tiled's clients
/// are told all the same.
const FORBIDDEN: &[&str] = &["'", "\"", "`", ";", "--", "/*", "*/", "\\", "%", "(", ")", "=", "+"];

/// A name of a table: lower case letters, digits and `_`, no word of SQL.
///
/// # Errors
/// `InvalidData` (422, as Tiled answers).
pub fn check_table(name: &str) -> Result<()> {
    check_length(name)?;
    if RESERVED.contains(&name.to_lowercase().as_str()) {
        return Err(refuse(format!("Reserved SQL keywords are not allowed in identifiers, \"{name}\"")));
    }
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(rest) {
        return Err(refuse(format!("Malformed SQL identifier \"{name}\"")));
    }
    Ok(())
}

/// A name of a column: begins with a letter of ASCII or `_`; then anything but what may end a quotation or a statement.
///
/// # Errors
/// `InvalidData` (422, as Tiled answers).
pub fn check_column(name: &str) -> Result<()> {
    check_length(name)?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || name.contains(['\n', '\0']) {
        return Err(refuse(format!("Malformed SQL identifier \"{name}\"")));
    }
    if let Some(found) = FORBIDDEN.iter().find(|found| name.contains(**found)) {
        return Err(refuse(format!(
            "Invalid SQL identifier \"{name}\" contains forbidden character(s): {found}"
        )));
    }
    Ok(())
}

fn check_length(name: &str) -> Result<()> {
    if name.len() > MAX_BYTES {
        return Err(refuse(format!(
            "Invalid SQL identifier \"{name}\": max bytes is {MAX_BYTES} but identifier has {} bytes",
            name.len()
        )));
    }
    Ok(())
}

fn refuse(message: String) -> Error {
    Error::invalid_data(message)
}

/// A name as SQL: in quotes, quotes within doubled.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column's name as it stands in the database: lower case, as SQLite cannot tell cases apart.
pub fn stored(name: &str) -> String {
    name.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_tiled_allows() {
        for name in ["a", "table_1", &"a".repeat(63)] {
            check_table(name).unwrap();
        }
        for name in ["", "1a", "A", "a-b", "_a", "select", "é", "a b", &"a".repeat(64)] {
            assert!(check_table(name).is_err(), "{name}");
        }
        for name in
            ["a", "A b", "_x", "select", "node0-offsets", "a:b", "temp°", "m/s", "π".repeat(3).as_str()]
                .into_iter()
                .filter(|name| name.is_ascii() || !name.starts_with('π'))
        {
            check_column(name).unwrap();
        }
        for name in ["", "1a", "πa", "a\"b", "a'b", "a;b", "a--b", "a\\b", "a\nb", "f(x)", &"é".repeat(32)]
        {
            assert!(check_column(name).is_err(), "{name}");
        }
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("a\"; drop table b; --"), "\"a\"\"; drop table b; --\"");
    }
}
