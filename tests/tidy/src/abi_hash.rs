//! `plugin-api/ABI.md` states a digest of `plugin-api/src/abi`: who changes the edge reads its document again.
//! `BLESS=1` writes the new digest.

use std::fs;

use crate::files::{below, root, shown, text};

const LABEL: &str = "Digest of `plugin-api/src/abi`: `";

/// FNV-1a over names and contents, but for what a formatter may change: it need not withstand anybody.
fn digest() -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let files = below("plugin-api/src/abi", "rs");
    assert!(files.len() > 10, "the edge has moved: {files:?}");
    for file in files {
        for byte in shown(&file).bytes().chain(text(&file).bytes()) {
            if byte.is_ascii_whitespace() || byte == b',' {
                continue;
            }
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[test]
fn the_document_is_of_this_abi() {
    let path = root().join("plugin-api/ABI.md");
    let document = text(&path);
    let at = document.find(LABEL).expect("ABI.md states a digest") + LABEL.len();
    let stated = document[at..].split('`').next().unwrap_or_default();
    let found = digest();
    if std::env::var_os("BLESS").is_some() && stated != found {
        fs::write(&path, document.replacen(stated, &found, 1)).expect("ABI.md can be written");
        return;
    }
    assert_eq!(
        stated, found,
        "plugin-api/src/abi has changed: read plugin-api/ABI.md, correct it, then run this test with BLESS=1"
    );
}
