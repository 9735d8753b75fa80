//! Tiled's search queries: what they are, how they stand in a URL, and how they are answered for children that
//! are in memory. Takes decoded query pairs, gives [`Query`] and [`Sorting`]; the catalog turns the same values
//! into SQL. Never does I/O.

mod ast;
mod matches;
mod parse;
mod sort;
mod text;
mod words;

pub use ast::{Operator, Pattern, Query, QueryError, SortKey, SortTarget, Sorting};
pub use matches::{compare_numbers, contains, lookup_path, matches, same_value};
pub use parse::{parse_filters, parse_sort};
pub use sort::{rank, sort_in_memory};
pub use text::like;
pub use words::{Words, fulltext_matches};
