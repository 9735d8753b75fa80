//! Why a node is not given.

use tiled_plugin_api::{
    author::{Error, ErrorKind},
    model::StructureFamily,
};

use crate::{access::MissingScope, catalog::CatalogError};

/// `Result` of this room.
pub type TreeResult<T> = Result<T, TreeError>;

/// Any failure on the way to a node or its values.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// No node at this path.
    #[error("No such entry: {}", python_list(.0))]
    NoEntry(Vec<String>),
    /// The caller may not.
    #[error(transparent)]
    Scope(#[from] MissingScope),
    /// The route is for other families.
    #[error(
        "The node at {path} has structure family StructureFamily.{family} and this endpoint is compatible with \
         structure families {{{}}}",
        families(.wanted)
    )]
    Family {
        /// Of the node.
        path: String,
        /// Its family.
        family: StructureFamily,
        /// Those the route is for.
        wanted: &'static [StructureFamily],
    },
    /// The catalog failed, or the query of the caller does.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A plugin, or the data it reads.
    #[error(transparent)]
    Data(#[from] Error),
}

impl TreeError {
    /// The caller asked for something that makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        TreeError::Data(Error::new(ErrorKind::InvalidArgument, message))
    }
}

impl From<crate::query::QueryError> for TreeError {
    fn from(error: crate::query::QueryError) -> Self {
        TreeError::Catalog(error.into())
    }
}

/// As Python prints a list of texts: clients show it.
fn python_list(segments: &[String]) -> String {
    let quoted: Vec<String> = segments.iter().map(|segment| python_repr(segment)).collect();
    format!("[{}]", quoted.join(", "))
}

fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn families(wanted: &[StructureFamily]) -> String {
    let each: Vec<String> = wanted.iter().map(|f| format!("<StructureFamily.{f}: '{f}'>")).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_entry_is_named_as_tiled_names_it() {
        assert_eq!(
            TreeError::NoEntry(vec!["a".into(), "it's".into()]).to_string(),
            "No such entry: ['a', \"it's\"]"
        );
    }
}
