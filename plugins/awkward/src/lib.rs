//! Awkward arrays and sparse blocks.
