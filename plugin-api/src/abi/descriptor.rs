//! The descriptor: JSON in an ELF section of its own, readable without running the library.

/// The section's name.
pub const SECTION: &str = ".tiled_plugin";
/// What the edge is built on; `abi_stable` compares its own minor for versions before 1.
pub const ABI_NAME: &str = "abi_stable/0.11";
/// Libraries of another major are refused.
pub const ABI_MAJOR: u32 = 1;
/// Libraries of any minor are accepted.
pub const ABI_MINOR: u32 = 0;

/// Bytes of all parts together.
pub const fn descriptor_len(parts: &[&str]) -> usize {
    let (mut all, mut i) = (0, 0);
    while i < parts.len() {
        all += parts[i].len();
        i += 1;
    }
    all
}

/// The parts one after the other.
///
/// # Panics
/// At compile time, when `N` is not their length.
pub const fn descriptor_bytes<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < parts.len() {
        let part = parts[i].as_bytes();
        let mut j = 0;
        while j < part.len() {
            out[at] = part[j];
            at += 1;
            j += 1;
        }
        i += 1;
    }
    assert!(at == N);
    out
}
