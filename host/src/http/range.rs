//! `Range: bytes=…` over bytes of a known length.

/// What a header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Nothing that we do by parts: the whole is sent.
    Ignored,
    /// From, and the end that is not included.
    Part(u64, u64),
    /// Nothing of it is there.
    Unsatisfiable,
    /// Bytes are asked for, but not which.
    Malformed,
}

impl Range {
    /// One range of bytes. Several, and other units, are answered with the whole, as RFC 9110 allows. It allows it for what
    /// is malformed, too; Tiled refuses that.
    pub fn parse(text: &str, length: u64) -> Self {
        let Some(spec) = text.strip_prefix("bytes=") else { return Range::Ignored };
        let Some((first, last)) = spec.split_once('-') else { return Range::Malformed };
        if last.contains(',') {
            return Range::Ignored;
        }
        let (from, to) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
            (Ok(from), Ok(last)) if last >= from => (from, last.saturating_add(1).min(length)),
            (Ok(from), Err(_)) if last.trim().is_empty() => (from, length),
            (Err(_), Ok(count)) if first.trim().is_empty() => (length.saturating_sub(count), length),
            _ => return Range::Malformed,
        };
        if from < to { Range::Part(from, to) } else { Range::Unsatisfiable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Option<(u64, u64)> {
        match Range::parse(text, 100) {
            Range::Part(from, to) => Some((from, to)),
            Range::Ignored => None,
            Range::Malformed => Some((1, 0)),
            Range::Unsatisfiable => Some((0, 0)),
        }
    }

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        assert_eq!(check("bytes=0-9"), Some((0, 10)));
        assert_eq!(check("bytes=90-"), Some((90, 100)));
        assert_eq!(check("bytes=-5"), Some((95, 100)));
        assert_eq!(check("bytes=50-1000"), Some((50, 100)));
        assert_eq!(check("bytes=100-"), Some((0, 0)));
        assert_eq!(check("bytes=5-1"), Some((1, 0)));
        assert_eq!(check("bytes=abc"), Some((1, 0)));
        assert_eq!(check("bytes=0-1,4-5"), None);
        assert_eq!(check("lines=1-2"), None);
    }
}
