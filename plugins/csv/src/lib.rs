//! CSV tables, with the type rules of pandas.
