//! File URIs as Tiled writes them: `file://localhost/data/a b.h5`, the path as it is.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use tiled_plugin_api::author::{Error, ErrorKind, Result};

/// What is escaped in the URI of a path that is not UTF-8.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'#').add(b'?').add(b'"').add(b'<').add(b'>');

/// The URI of an absolute path. Tiled does not escape; only a path that is not UTF-8 has to be.
pub fn uri_of(path: &Path) -> String {
    match path.to_str() {
        Some(text) => format!("file://localhost{text}"),
        None => format!("file://localhost{}", percent_encode(path.as_os_str().as_bytes(), ESCAPED)),
    }
}

/// The path of `file://localhost/…`, `file:///…` or of a bare absolute path.
///
/// Tiled neither escapes nor unescapes, other writers do: the path as written goes first, the unescaped one is taken
/// where only that is there.
///
/// # Errors
/// `InvalidArgument` for other schemes and hosts, for relative paths and NUL.
pub fn path_of(uri: &str) -> Result<PathBuf> {
    let text = strip_scheme(uri)?;
    if !text.starts_with('/') {
        return Err(invalid(format!("{uri}: the path must be absolute, as in file://localhost/data/a.h5")));
    }
    let no_nul = || invalid("a path must not contain NUL");
    if text.contains('\0') {
        return Err(no_nul());
    }
    let literal = PathBuf::from(text);
    if !text.contains('%') || literal.symlink_metadata().is_ok() {
        return Ok(literal);
    }
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    if decoded.contains(&0) {
        return Err(no_nul());
    }
    let decoded = PathBuf::from(OsString::from_vec(decoded));
    Ok(if decoded.symlink_metadata().is_ok() { decoded } else { literal })
}

fn strip_scheme(uri: &str) -> Result<&str> {
    if uri.starts_with('/') {
        return Ok(uri);
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err(invalid(format!("{uri}: neither a file URI nor an absolute path")));
    };
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(invalid(format!("{uri}: only file URIs can be opened, not {scheme}")));
    }
    let Some(rest) = rest.strip_prefix("//") else { return Ok(rest) };
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(at);
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(path);
    }
    Err(invalid(format!("{uri}: the file is on another host ({host})")))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_both_styles_give_the_path() {
        for uri in [
            "file://localhost/a/b.h5",
            "file:///a/b.h5",
            "file:/a/b.h5",
            "FILE://LOCALHOST/a/b.h5",
            "/a/b.h5",
        ] {
            assert_eq!(path_of(uri).unwrap(), Path::new("/a/b.h5"), "{uri}");
        }
        for uri in
            ["http://x/a", "file://elsewhere/a", "a/b", "file://localhost", "/a\0b", "file:///a%00b", ""]
        {
            assert_eq!(path_of(uri).unwrap_err().kind, ErrorKind::InvalidArgument, "{uri}");
        }
    }

    #[test]
    fn a_path_as_written_goes_before_the_unescaped_one() {
        let dir = tempfile::tempdir().unwrap();
        let (escaped, plain) = (dir.path().join("a%20b"), dir.path().join("a b"));
        std::fs::write(&plain, "").unwrap();
        let uri = format!("file://localhost{}", escaped.display());
        assert_eq!(path_of(&uri).unwrap(), plain);
        std::fs::write(&escaped, "").unwrap();
        assert_eq!(path_of(&uri).unwrap(), escaped);
    }

    #[test]
    fn every_path_comes_back_from_its_uri() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            &b"plain.h5"[..],
            b"a b#c?d%20.h5",
            b"per%2Fcent%00.csv",
            b"\xff\xfe.dat",
            "schlüssel".as_bytes(),
        ] {
            let path = dir.path().join(OsString::from_vec(name.to_vec()));
            std::fs::write(&path, "").unwrap();
            assert_eq!(path_of(&uri_of(&path)).unwrap(), path);
        }
    }
}
