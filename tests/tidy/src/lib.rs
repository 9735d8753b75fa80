//! Checks on the text of the project, as ordinary tests without dependencies: who may import whom (`layers`), how long
//! a file may be (`sizes`), what it starts with (`pages`), what crates depend on (`manifests`), whether the ABI's
//! document is of the ABI (`abi_hash`), whether what is named in the documents is there (`readme`).
//!
//! They read text, not meaning: a macro can hide an arrow. What clippy checks is not checked here.
#![cfg(test)]

mod abi_hash;
mod files;
mod layers;
mod manifests;
mod pages;
mod readme;
mod sizes;
