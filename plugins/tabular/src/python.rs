//! Python's `repr` of text and bytes.

/// `b'…'` as Python writes bytes.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'b');
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b if *b == quote => out.extend_from_slice(&[b'\\', quote]),
            0x20..=0x7e => out.push(*byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(quote);
}

/// `'…'` as Python writes text.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = String::with_capacity(text.len() + 2);
    written.push(quote);
    for c in text.chars() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if c == quote => {
                written.push('\\');
                written.push(c);
            }
            c if c.is_control() => written.push_str(&format!("\\x{:02x}", c as u32)),
            c => written.push(c),
        }
    }
    written.push(quote);
    out.extend_from_slice(written.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_text_are_quoted_as_python_does() {
        let mut out = Vec::new();
        push_bytes(&mut out, b"b'\0c");
        push_text(&mut out, "it's \"x\"\n");
        assert_eq!(String::from_utf8(out).unwrap(), r#"b"b'\x00c"'it\'s "x"\n'"#);
    }
}
