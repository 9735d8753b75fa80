//! NumPy's basic indexing: the `slice` of a request, and its resolved form that adapters get.

use std::fmt;

/// One axis of a request: `3`, `2:8`, `::-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlicePart {
    /// One position; the axis is dropped. Negative counts from the end.
    Index(i64),
    /// Python's `start:stop:step`.
    Range(Option<i64>, Option<i64>, Option<i64>),
}

/// The slice of a request, before it meets a shape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NDSlice(pub Vec<SlicePart>);

/// One axis of a read, resolved: elements `start, start + step, …`, `count` of them, all within the axis.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, abi_stable::StableAbi)]
pub struct SliceDim {
    /// First element.
    pub start: u64,
    /// Distance to the next, never 0, negative to run backwards.
    pub step: i64,
    /// How many.
    pub count: u64,
}

impl SliceDim {
    /// A whole axis of `length`.
    pub const fn all(length: u64) -> Self {
        SliceDim { start: 0, step: 1, count: length }
    }

    /// `count` elements from `start` on, one after the other.
    pub const fn range(start: u64, count: u64) -> Self {
        SliceDim { start, step: 1, count }
    }

    /// The position of element `i` of the result on the axis.
    pub const fn at(&self, i: u64) -> u64 {
        self.start.wrapping_add_signed(self.step.wrapping_mul(i as i64))
    }

    /// The elements `from .. from + count` of this result, as a slice of the same axis.
    pub const fn part(&self, from: u64, count: u64) -> Self {
        SliceDim { start: self.at(from), step: self.step, count }
    }

    /// Lowest and highest position touched; `None` when empty.
    pub const fn bounds(&self) -> Option<(u64, u64)> {
        if self.count == 0 {
            return None;
        }
        let last = self.at(self.count - 1);
        Some(if self.step < 0 { (last, self.start) } else { (self.start, last) })
    }
}

/// Whether a resolved slice is the whole of `shape`, in order.
pub fn is_everything(slice: &[SliceDim], shape: &[u64]) -> bool {
    slice.len() == shape.len() && slice.iter().zip(shape).all(|(s, n)| *s == SliceDim::all(*n))
}

/// Counts of a resolved slice: the shape before integer axes are dropped.
pub fn shape_of(slice: &[SliceDim]) -> Vec<u64> {
    slice.iter().map(|s| s.count).collect()
}

/// Why a slice was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SliceError {
    /// Not of the grammar.
    Syntax(String),
    /// An empty part between commas.
    EmptyPart,
    /// A step of 0.
    ZeroStep,
    /// An index beyond the axis, or more parts than axes.
    OutOfRange,
}

impl fmt::Display for SliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SliceError::Syntax(part) => write!(f, "Invalid slice part: {part:?}"),
            SliceError::EmptyPart => f.write_str("Invalid slice part: \"\""),
            SliceError::ZeroStep => f.write_str("Slice step cannot be zero"),
            SliceError::OutOfRange => f.write_str("Block index out of range"),
        }
    }
}

impl std::error::Error for SliceError {}

impl NDSlice {
    /// Reads `0:10,::2,3`. Empty text is everything.
    ///
    /// # Errors
    /// `Syntax` or `EmptyPart`; a zero step and ranges are judged by [`NDSlice::resolve`].
    pub fn parse(text: &str) -> Result<Self, SliceError> {
        if text.is_empty() {
            return Ok(NDSlice::default());
        }
        text.split(',').map(parse_part).collect::<Result<_, _>>().map(NDSlice)
    }

    /// The slice over `shape`, and which axes the result keeps.
    ///
    /// Missing axes are whole; ranges clip as Python's `slice.indices` does.
    ///
    /// # Errors
    /// `ZeroStep`, `OutOfRange`.
    pub fn resolve(&self, shape: &[u64]) -> Result<(Vec<SliceDim>, Vec<bool>), SliceError> {
        if self.0.len() > shape.len() {
            return Err(SliceError::OutOfRange);
        }
        let mut dims = Vec::with_capacity(shape.len());
        let mut kept = Vec::with_capacity(shape.len());
        for (axis, &length) in shape.iter().enumerate() {
            let part = self.0.get(axis).copied().unwrap_or(SlicePart::Range(None, None, None));
            dims.push(resolve_part(part, length)?);
            kept.push(!matches!(part, SlicePart::Index(_)));
        }
        Ok((dims, kept))
    }
}

fn parse_part(part: &str) -> Result<SlicePart, SliceError> {
    if part.is_empty() {
        return Err(SliceError::EmptyPart);
    }
    let number = |text: &str| text.parse::<i64>().map_err(|_| SliceError::Syntax(part.to_owned()));
    let optional = |text: Option<&str>| match text {
        None | Some("") => Ok(None),
        Some(text) => number(text).map(Some),
    };
    if !part.contains(':') {
        return number(part).map(SlicePart::Index);
    }
    let mut fields = part.split(':');
    let range = (optional(fields.next())?, optional(fields.next())?, optional(fields.next())?);
    match fields.next() {
        None => Ok(SlicePart::Range(range.0, range.1, range.2)),
        Some(_) => Err(SliceError::Syntax(part.to_owned())),
    }
}

fn resolve_part(part: SlicePart, length: u64) -> Result<SliceDim, SliceError> {
    let n = i64::try_from(length).map_err(|_| SliceError::OutOfRange)?;
    let (start, stop, step) = match part {
        SlicePart::Index(i) => {
            let at = if i < 0 { i.checked_add(n).ok_or(SliceError::OutOfRange)? } else { i };
            if !(0..n).contains(&at) {
                return Err(SliceError::OutOfRange);
            }
            return Ok(SliceDim { start: at as u64, step: 1, count: 1 });
        }
        SlicePart::Range(start, stop, step) => (start, stop, step.unwrap_or(1)),
    };
    if step == 0 {
        return Err(SliceError::ZeroStep);
    }
    // Python's slice.indices: bounds are clipped to [0, n], or to [-1, n - 1] when running backwards.
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let clip = |value: i64| (if value < 0 { value.saturating_add(n) } else { value }).clamp(low, high);
    let start = start.map_or(if step > 0 { low } else { high }, clip);
    let stop = stop.map_or(if step > 0 { high } else { low }, clip);
    let span = if step > 0 { stop - start } else { start - stop };
    let count = if span <= 0 { 0 } else { (span as u64 - 1) / step.unsigned_abs() + 1 };
    Ok(SliceDim { start: start.max(0) as u64, step, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shape: &[u64]) -> String {
        match NDSlice::parse(text).and_then(|s| s.resolve(shape)) {
            Err(error) => error.to_string(),
            Ok((dims, kept)) => dims
                .iter()
                .zip(kept)
                .map(|(d, k)| {
                    format!(
                        "{}{}x{}{}",
                        d.start,
                        if d.step < 0 { "-" } else { "+" },
                        d.count,
                        if k { "" } else { "!" }
                    )
                })
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    #[test]
    fn slices_are_those_of_python() {
        assert_eq!(check("", &[10]), "0+x10");
        assert_eq!(check("2:4,0", &[10, 5]), "2+x2 0+x1!");
        assert_eq!(check("9:-11:-1", &[10]), "9-x10");
        assert_eq!(check("::-2", &[10]), "9-x5");
        assert_eq!(check("-1", &[10]), "9+x1!");
        assert_eq!(check("5:2", &[10]), "5+x0");
        assert_eq!(check("3:100", &[10]), "3+x7");
        assert_eq!(check(":", &[0]), "0+x0");
    }

    #[test]
    fn bad_slices_say_why() {
        assert_eq!(check("10", &[10]), "Block index out of range");
        assert_eq!(check("0,0", &[10]), "Block index out of range");
        assert_eq!(check("::0", &[10]), "Slice step cannot be zero");
        assert_eq!(check(",", &[10]), "Invalid slice part: \"\"");
        assert_eq!(check("a", &[10]), "Invalid slice part: \"a\"");
        assert_eq!(check("1:2:3:4", &[10]), "Invalid slice part: \"1:2:3:4\"");
    }
}
