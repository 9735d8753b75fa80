//! Excel and OpenDocument workbooks.
