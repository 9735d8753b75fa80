//! Floats as Python and NumPy write them: the shortest digits that read back the same.

/// From this power of ten on NumPy writes a float64 with an exponent.
const SCIENTIFIC_FROM_F64: i32 = 16;
/// The same for float32.
const SCIENTIFIC_FROM_F32: i32 = 6;
/// The same for float16.
const SCIENTIFIC_FROM_F16: i32 = 3;
/// Room for the digits of any float.
const MAX_DIGITS: usize = 24;

/// Python's `repr` of a float: `0.1`, `1e+16`, `nan`, `-inf`.
pub fn push_f64(out: &mut Vec<u8>, value: f64) {
    if let Some(word) = special(value) {
        out.extend_from_slice(word);
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let (text, size) = (buffer.format_finite(value), value.abs());
    if (1e-4..1e15).contains(&size) && is_plain(text) {
        return out.extend_from_slice(text.as_bytes());
    }
    push_digits(out, text, value != 0.0 && size < 1e-4, SCIENTIFIC_FROM_F64);
}

/// Whether a float's shortest digits are without an exponent: Python writes those of a common size so, too.
fn is_plain(text: &str) -> bool {
    !text.as_bytes().contains(&b'e')
}

/// `str` of a NumPy float32.
pub fn push_f32(out: &mut Vec<u8>, value: f32) {
    push_single(out, value, SCIENTIFIC_FROM_F32);
}

/// `str` of a NumPy float16, given as the float32 of the same value.
pub fn push_f16(out: &mut Vec<u8>, value: f32, bits: u16) {
    match special(f64::from(value)) {
        Some(word) => out.extend_from_slice(word),
        None => push_digits(
            out,
            &shortest_f16(value, bits),
            value != 0.0 && value.abs() < 1e-4,
            SCIENTIFIC_FROM_F16,
        ),
    }
}

/// A float as JSON: `null` where JSON has no number for it.
pub fn push_json_f64(out: &mut Vec<u8>, value: f64) {
    push_json(out, value.is_finite(), value);
}

/// A float32 as JSON, in its own shortest digits.
pub fn push_json_f32(out: &mut Vec<u8>, value: f32) {
    push_json(out, value.is_finite(), value);
}

/// JSON leaves it to us where an exponent begins.
fn push_json(out: &mut Vec<u8>, is_finite: bool, value: impl zmij::Float) {
    if is_finite {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        out.extend_from_slice(b"null");
    }
}

/// An integer in decimal.
pub fn push_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The float32 value of these float16 bits.
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

fn special(value: f64) -> Option<&'static [u8]> {
    match value {
        v if v.is_nan() => Some(b"nan"),
        v if v == f64::INFINITY => Some(b"inf"),
        v if v == f64::NEG_INFINITY => Some(b"-inf"),
        _ => None,
    }
}

fn push_single(out: &mut Vec<u8>, value: f32, scientific_from: i32) {
    if let Some(word) = special(f64::from(value)) {
        out.extend_from_slice(word);
        return;
    }
    // NumPy compares the value itself, and 0.0001 as a float32 is a little below 0.0001.
    let small = value != 0.0 && f64::from(value.abs()) < 1e-4;
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    if (1e-3..1e3).contains(&value.abs()) && is_plain(text) {
        return out.extend_from_slice(text.as_bytes());
    }
    push_digits(out, text, small, scientific_from);
}

/// The fewest digits that name this float16 and no other.
fn shortest_f16(value: f32, bits: u16) -> String {
    (1..6)
        .map(|digits| format!("{value:.*e}", digits - 1))
        .find(|text| text.parse::<f32>().is_ok_and(|parsed| f32_to_f16(parsed) == bits))
        .unwrap_or_else(|| format!("{value:e}"))
}

/// Rounds to the nearest float16, ties to even; finite values within its range only.
fn f32_to_f16(value: f32) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    let size = value.abs();
    let exponent = if size < 2_f32.powi(-14) { -24 } else { (size.to_bits() >> 23) as i32 - 127 - 10 };
    let scaled = f64::from(size) / 2_f64.powi(exponent);
    let rounded = scaled.round_ties_even() as u32;
    let code = if exponent == -24 && size < 2_f32.powi(-14) {
        rounded
    } else {
        rounded + (((exponent + 24) as u32) << 10)
    };
    sign | code.min(0x7c00) as u16
}

/// Writes the digits of the shortest text anew, in Python's layout.
fn push_digits(out: &mut Vec<u8>, text: &str, small: bool, scientific_from: i32) {
    let text = match text.strip_prefix('-') {
        Some(rest) => {
            out.push(b'-');
            rest
        }
        None => text,
    };
    let (mantissa, exponent) =
        text.split_once('e').map_or((text, 0), |(m, e)| (m, e.parse::<i32>().unwrap_or(0)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [0_u8; MAX_DIGITS];
    let mut count = 0;
    let mut leading = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if count == 0 && byte == b'0' {
            leading += 1;
        } else if let Some(slot) = digits.get_mut(count) {
            *slot = byte;
            count += 1;
        }
    }
    let point = whole.len() as i32 + exponent - leading;
    let digits = digits.get(..count).unwrap_or_default();
    let used = digits.iter().rposition(|d| *d != b'0').map_or(0, |last| last + 1);
    push_layout(out, digits.get(..used).unwrap_or_default(), point, small, scientific_from);
}

/// `digits` with the decimal point behind the first `point` of them.
fn push_layout(out: &mut Vec<u8>, digits: &[u8], point: i32, small: bool, scientific_from: i32) {
    let Some((first, rest)) = digits.split_first() else {
        out.extend_from_slice(b"0.0");
        return;
    };
    if small || point > scientific_from {
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        let exponent = point - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        push_int(out, exponent.abs());
        return;
    }
    let place = usize::try_from(point).unwrap_or(0);
    if place == 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        out.extend_from_slice(digits);
        return;
    }
    let (whole, fraction) = digits.split_at(place.min(digits.len()));
    out.extend_from_slice(whole);
    out.extend(std::iter::repeat_n(b'0', place - whole.len()));
    out.push(b'.');
    out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e300, "1e+300"),
            (-123.456, "-123.456"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| push_f64(out, value)), expected);
        }
    }

    #[test]
    fn small_floats_have_numpys_thresholds() {
        for (value, expected) in
            [(999_999.0, "999999.0"), (1e6, "1e+06"), (0.1, "0.1"), (1_234_567.0, "1.234567e+06")]
        {
            assert_eq!(text(|out| push_f32(out, value)), expected);
        }
        for (bits, expected) in
            [(0x3c00, "1.0"), (0x7bff, "6.55e+04"), (0x2e66, "0.1"), (0x0001, "6e-08"), (0x63d0, "1e+03")]
        {
            assert_eq!(text(|out| push_f16(out, f16_to_f32(bits), bits)), expected);
        }
    }

    #[test]
    fn json_has_no_infinity() {
        assert_eq!(text(|out| push_json_f64(out, f64::INFINITY)), "null");
        assert_eq!(text(|out| push_json_f32(out, 0.1)), "0.1");
    }
}
