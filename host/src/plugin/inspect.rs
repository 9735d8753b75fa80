//! What a library says of itself, read from its file without running any of it.
//!
//! A half-copied library kills the process inside `dlopen`, and constructors run before anything can be checked; so
//! the whole file is accounted for here first.

use std::{collections::BTreeMap, fs::File, path::Path};

use object::{
    Endianness, ReadCache, ReadRef,
    elf::{self, FileHeader64},
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};
use serde::{Deserialize, Serialize};
use tiled_plugin_api::abi::SECTION;

use super::error::{Refusal, Step};

/// The descriptor that `export_plugin!` puts into a library. Keys of later minors are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// The plugin's name, unique on a server.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// What the edge is built on.
    pub abi: String,
    /// Libraries of another major are refused.
    pub abi_major: u32,
    /// Any minor is accepted.
    pub abi_minor: u32,
    /// The version of `tiled-plugin-api` it was built with.
    #[serde(default)]
    pub api_version: String,
    /// `unwind` or `abort`.
    pub panic: String,
    /// Processor and system, as in `x86_64-linux`.
    pub target: String,
    /// The exported header.
    pub symbol: String,
    /// `serialized` for a library that takes one call at a time.
    #[serde(default)]
    pub threading: String,
    /// By number.
    #[serde(default)]
    pub readers: Vec<ReaderClaim>,
    /// By number.
    #[serde(default)]
    pub serializers: Vec<SerializerClaim>,
    /// By number.
    #[serde(default)]
    pub writers: Vec<WriterClaim>,
}

/// What a reader opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderClaim {
    /// The first one is given to files found by suffix.
    pub mimetypes: Vec<String>,
    /// Suffixes of file names, with the dot.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// The mimetype of numbered files opened together.
    #[serde(default)]
    pub sequence: Option<String>,
    /// Whether it opens directories instead of files.
    #[serde(default)]
    pub directory: bool,
}

/// What a serializer encodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerializerClaim {
    /// Structure families or names of specs.
    pub families: Vec<String>,
    /// What it writes.
    pub media_types: Vec<String>,
    /// Short name to media type.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
}

/// What a writer keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterClaim {
    /// Storage formats.
    pub mimetypes: Vec<String>,
    /// Schemes of storage URIs; none: `file`.
    #[serde(default)]
    pub schemes: Vec<String>,
}

/// What a file turned out to be.
#[derive(Debug)]
pub enum Inspected {
    /// A plugin.
    Plugin(Box<Descriptor>),
    /// Something else, and what: a library without a descriptor, a text file.
    Other(String),
}

/// Reads the descriptor of a file.
///
/// # Errors
/// A damaged library, or one whose descriptor cannot be read. Anything that is no plugin at all is `Other`.
pub fn inspect(path: &Path) -> Result<Inspected, Refusal> {
    let refuse = |reason: String, remedy: &str| Refusal::new(path.display(), Step::Inspect, reason, remedy);
    let meta = path.metadata().map_err(|e| refuse(e.to_string(), ""))?;
    if !meta.is_file() {
        return Ok(Inspected::Other("not a file".into()));
    }
    let file = File::open(path).map_err(|e| refuse(e.to_string(), "make it readable for the server"))?;
    let cache = ReadCache::new(file);
    match read_elf(&cache, meta.len()) {
        Ok(json) => {
            let descriptor = parse_descriptor(&json).map_err(|e| {
                refuse(format!("its descriptor cannot be read: {e}"), "build it with export_plugin!")
            })?;
            Ok(Inspected::Plugin(Box::new(descriptor)))
        }
        Err(Fault::NotAPlugin(what)) => Ok(Inspected::Other(what)),
        Err(Fault::Damaged(what)) => Err(refuse(what, "copy it again, with mv into place as the last step")),
    }
}

enum Fault {
    NotAPlugin(String),
    Damaged(String),
}

type Elf = FileHeader64<Endianness>;

/// The descriptor's bytes, once every part of the file is known to be there.
fn read_elf<'a>(data: impl ReadRef<'a>, file_len: u64) -> Result<Vec<u8>, Fault> {
    let damaged = |e: object::read::Error| Fault::Damaged(e.to_string());
    let ident = data.read_bytes_at(0, 16).unwrap_or_default();
    if !ident.starts_with(&elf::ELFMAG) {
        return Err(Fault::NotAPlugin("not a shared library".into()));
    }
    if ident.get(4) != Some(&elf::ELFCLASS64.0) {
        return Err(Fault::NotAPlugin("a library for 32-bit machines".into()));
    }
    let header = Elf::parse(data).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let machine = header.e_machine(endian);
    if machine != MACHINE {
        return Err(Fault::NotAPlugin(format!(
            "a library for another processor (ELF machine {})",
            machine.0
        )));
    }
    if header.e_type(endian) != elf::ET_DYN {
        return Err(Fault::NotAPlugin("not a shared library (an executable or an object file)".into()));
    }
    account_for(header, endian, data, file_len)?;
    let sections = header.sections(endian, data).map_err(damaged)?;
    let Some((_, section)) = sections.section_by_name(endian, SECTION.as_bytes()) else {
        return Err(Fault::NotAPlugin(format!("no {SECTION} section: a library, but not a plugin")));
    };
    section.data(endian, data).map(<[u8]>::to_vec).map_err(damaged)
}

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;

/// Whether all that the headers speak of lies within the file.
fn account_for<'a>(
    header: &Elf,
    endian: Endianness,
    data: impl ReadRef<'a>,
    file_len: u64,
) -> Result<(), Fault> {
    let cut = |what: &str, end: Option<u64>| {
        let end = end.map_or_else(|| "beyond any file".to_owned(), |end| format!("at {end}"));
        Fault::Damaged(format!("truncated: {what} ends {end}, the file has {file_len} bytes"))
    };
    let table = u64::from(header.e_shentsize(endian)) * u64::from(header.e_shnum(endian));
    let table_end = header.e_shoff(endian).checked_add(table);
    if table_end.is_none_or(|end| end > file_len) {
        return Err(cut("its section table", table_end));
    }
    let segments = header.program_headers(endian, data).map_err(|e| Fault::Damaged(e.to_string()))?;
    for segment in segments {
        let end = segment.p_offset(endian).checked_add(segment.p_filesz(endian));
        if end.is_none_or(|end| end > file_len) {
            return Err(cut("a segment", end));
        }
    }
    Ok(())
}

/// Longest descriptor that is read.
const MAX_DESCRIPTOR_BYTES: usize = 1 << 20;

fn parse_descriptor(json: &[u8]) -> Result<Descriptor, String> {
    if json.len() > MAX_DESCRIPTOR_BYTES {
        return Err(format!("{} bytes are too many", json.len()));
    }
    // A linker may pad a section.
    let end = json.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let json = json.get(..end).unwrap_or_default();
    let descriptor: Descriptor = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let plain = |text: &str, also: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    };
    if !plain(&descriptor.name, "-_.") {
        return Err(format!("{:?} is not a name (letters, digits, - _ .)", descriptor.name));
    }
    if !plain(&descriptor.symbol, "_") {
        return Err(format!("{:?} is not the name of a symbol", descriptor.symbol));
    }
    for extension in descriptor.readers.iter().flat_map(|r| &r.extensions) {
        if !extension.starts_with('.') || extension.len() < 2 {
            return Err(format!("extension {extension:?} must begin with a dot"));
        }
    }
    if descriptor.readers.iter().any(|r| r.mimetypes.is_empty()) {
        return Err("a reader claims no mimetype".into());
    }
    Ok(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        match inspect(file.path()) {
            Ok(Inspected::Plugin(d)) => d.name,
            Ok(Inspected::Other(what)) => what,
            Err(refusal) => format!("{}; {}", refusal.reason, refusal.remedy),
        }
    }

    #[test]
    fn files_that_are_no_libraries_are_told_apart() {
        assert_eq!(check(b""), "not a shared library");
        assert_eq!(check(b"#!/bin/sh\n"), "not a shared library");
        assert_eq!(check(b"\x7fELF\x01\x01\x01"), "not a shared library");
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(check(&own).contains("not a plugin"), "{}", check(&own));
        let mut other_machine = own.clone();
        other_machine[18..20].copy_from_slice(&40u16.to_le_bytes());
        assert!(check(&other_machine).contains("another processor (ELF machine 40)"));
    }

    #[test]
    fn a_library_that_was_cut_anywhere_is_damaged() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for part in [17, 63, 100, own.len() / 3, own.len() / 2, own.len() - 1] {
            let text = check(&own[..part]);
            assert!(text.contains("copy it again"), "{part} of {}: {text}", own.len());
        }
    }

    #[test]
    fn a_descriptor_must_be_complete_and_plain() {
        let good = r#"{"name":"a","version":"1","abi":"x","abi_major":1,"abi_minor":7,"panic":"unwind",
            "target":"t","symbol":"s_1","later":true,"readers":[{"mimetypes":["a/b"],"extensions":[".a"],"_":0}]}"#;
        assert_eq!(parse_descriptor(good.as_bytes()).unwrap().readers[0].extensions, [".a"]);
        let padded = format!("{good}\0\0\0");
        assert!(parse_descriptor(padded.as_bytes()).is_ok());
        for (from, to) in
            [("\"a\",\"v", "\"../a\",\"v"), ("s_1", "s 1"), ("[\".a\"]", "[\"a\"]"), ("[\"a/b\"]", "[]")]
        {
            let bad = good.replace(from, to);
            assert!(parse_descriptor(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
