//! The fifteen queries and the sort order, as values.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde_json::Value;
use tiled_plugin_api::model::StructureFamily;

/// A compiled regular expression may take this much memory.
const REGEX_SIZE_LIMIT_BYTES: usize = 1 << 20;

/// One condition on a node. Keys are dotted paths into the metadata; several queries are all to be met.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// Whole words in the metadata.
    FullText { text: String },
    /// The child of this key, among those the other queries leave.
    Lookup { key: String },
    /// The children of these keys.
    KeysFilter { keys: Vec<String> },
    /// The string at `key` has a match of the pattern anywhere in it.
    Regex { key: String, pattern: Pattern },
    /// Equal, of the same JSON type; numbers by value; null is the same as missing.
    Eq { key: String, value: Value },
    /// There, not null, and not equal.
    NotEq { key: String, value: Value },
    /// Before or after in order, of the same JSON type: number, string or boolean.
    Comparison { operator: Operator, key: String, value: Value },
    /// A list with this element, a string with this part, or an object with this key.
    Contains { key: String, value: Value },
    /// Equal to one of them.
    In { key: String, values: Vec<Value> },
    /// There, not null, and equal to none of them; everything when there are none.
    NotIn { key: String, values: Vec<Value> },
    /// Has the key, were it null, or has it not.
    KeyPresent { key: String, exists: bool },
    /// SQL's LIKE on a string: `%` any text, `_` any one character, ASCII letters in either case.
    Like { key: String, pattern: String },
    /// Has all specs of `include` and none of `exclude`, by name.
    Specs { include: Vec<String>, exclude: Vec<String> },
    /// Carries one of these access tags.
    AccessTags { tags: Vec<String> },
    /// Is of this family.
    StructureFamily { family: StructureFamily },
}

impl Query {
    /// Its name in the URL, in the order in which `about` lists them.
    pub const NAMES: [&'static str; 15] = [
        "fulltext",
        "lookup",
        "keys_filter",
        "regex",
        "eq",
        "noteq",
        "comparison",
        "contains",
        "in",
        "notin",
        "keypresent",
        "like",
        "specs",
        "access_tags_filter",
        "structure_family",
    ];

    /// Its name in the URL.
    pub const fn name(&self) -> &'static str {
        match self {
            Query::FullText { .. } => "fulltext",
            Query::Lookup { .. } => "lookup",
            Query::KeysFilter { .. } => "keys_filter",
            Query::Regex { .. } => "regex",
            Query::Eq { .. } => "eq",
            Query::NotEq { .. } => "noteq",
            Query::Comparison { .. } => "comparison",
            Query::Contains { .. } => "contains",
            Query::In { .. } => "in",
            Query::NotIn { .. } => "notin",
            Query::KeyPresent { .. } => "keypresent",
            Query::Like { .. } => "like",
            Query::Specs { .. } => "specs",
            Query::AccessTags { .. } => "access_tags_filter",
            Query::StructureFamily { .. } => "structure_family",
        }
    }
}

/// An order between values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Less than.
    Lt,
    /// Greater than.
    Gt,
    /// Less or equal.
    Le,
    /// Greater or equal.
    Ge,
}

impl Operator {
    /// The operator of that name: `lt gt le ge`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "lt" => Some(Operator::Lt),
            "gt" => Some(Operator::Gt),
            "le" => Some(Operator::Le),
            "ge" => Some(Operator::Ge),
            _ => None,
        }
    }

    /// As SQL writes it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Operator::Lt => "<",
            Operator::Gt => ">",
            Operator::Le => "<=",
            Operator::Ge => ">=",
        }
    }

    /// Whether two values standing so to each other satisfy it.
    pub const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Operator::Lt => order.is_lt(),
            Operator::Gt => order.is_gt(),
            Operator::Le => order.is_le(),
            Operator::Ge => order.is_ge(),
        }
    }
}

/// A regular expression that was checked: it compiles, within bounds.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    case_sensitive: bool,
    compiled: Regex,
}

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// When it is not a regular expression, uses look-around or back-references, or compiles to over 1 MiB.
    pub fn new(text: &str, case_sensitive: bool) -> Result<Self, String> {
        let compiled = RegexBuilder::new(text)
            .case_insensitive(!case_sensitive)
            .size_limit(REGEX_SIZE_LIMIT_BYTES)
            .build()
            .map_err(|error| error.to_string().lines().last().unwrap_or_default().to_owned())?;
        Ok(Pattern { text: text.to_owned(), case_sensitive, compiled })
    }

    /// As given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether letters match only in their own case.
    pub fn case_sensitive(&self) -> bool {
        self.case_sensitive
    }

    /// Whether it matches anywhere in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.case_sensitive == other.case_sensitive
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.text, if self.case_sensitive { "" } else { "i" })
    }
}

/// What one sort key orders by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortTarget {
    /// The node's own key (`id` in the URL).
    Key,
    /// A dotted path into the metadata.
    Metadata(String),
}

/// One sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub target: SortTarget,
    /// Largest first. What lacks the key comes last either way.
    pub descending: bool,
}

/// An order of siblings: by the keys in turn, then by when they were inserted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sorting {
    /// The keys; none is the default order.
    pub keys: Vec<SortKey>,
    /// Newest first among those that the keys leave equal.
    pub newest_first: bool,
}

impl Sorting {
    /// Whether it is the order of insertion, oldest or newest first: only then a cursor says where a page ends.
    pub fn is_insertion(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Why a filter or sort of the request cannot be answered. The caller is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No query of that name.
    #[error("There is no query type '{name}'; the query types are {}", Query::NAMES.join(", "))]
    UnknownFilter {
        /// As in the URL.
        name: String,
    },
    /// A `filter[...` parameter that is not of the form.
    #[error("The parameter '{parameter}' is not of the form filter[NAME][condition][FIELD]")]
    MalformedParameter {
        /// As in the URL.
        parameter: String,
    },
    /// A field the query has not.
    #[error("filter[{filter}] has no field '{field}'")]
    UnknownField {
        /// Query name.
        filter: &'static str,
        /// As in the URL.
        field: String,
    },
    /// A field is missing, or there are fewer of it than of its companions.
    #[error(
        "filter[{filter}][condition][{field}] is missing: it is given {found} times, its companions {wanted}"
    )]
    MissingField {
        /// Query name.
        filter: &'static str,
        /// Which is missing.
        field: &'static str,
        /// How often it is given.
        found: usize,
        /// How often the others are.
        wanted: usize,
    },
    /// A value that cannot be read or used.
    #[error("filter[{filter}][condition][{field}]: {reason}")]
    BadValue {
        /// Query name.
        filter: &'static str,
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The kind of node does not answer this query.
    #[error("The query type '{filter}' is not supported on this node.")]
    Unsupported {
        /// Query name.
        filter: &'static str,
    },
    /// A sort item of a wrong form.
    #[error("'{item}' is not a sorting key: it must match ^(?:[+-][a-zA-Z0-9_.]*|[a-zA-Z0-9_.]+)?$")]
    MalformedSort {
        /// As in the URL.
        item: String,
    },
    /// The same key twice.
    #[error("Duplicate sorting key: {key}")]
    DuplicateSort {
        /// Without its sign.
        key: String,
    },
    /// `+` or `-` alone, and not at the end.
    #[error("Default sorting (empty string) must be the last item in the sort list")]
    DefaultSortNotLast,
}
