//! Text as numbers, truth values and missing values, as the C parser of pandas understands it.

/// A whole number, or why it is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It fits an int64.
    Int(i64),
    /// It fits a uint64 only.
    Uint(u64),
    /// It fits neither.
    Beyond,
    /// It is no whole number.
    No,
}

/// What pandas counts as missing.
pub fn is_missing(field: &[u8]) -> bool {
    match field.len() {
        0 => true,
        2 => field == b"NA",
        3 => matches!(field, b"NaN" | b"nan" | b"n/a" | b"N/A" | b"#NA"),
        4 => matches!(field, b"NULL" | b"null" | b"None" | b"-nan" | b"-NaN" | b"<NA>" | b"#N/A"),
        6 => field == b"1.#IND",
        7 => field == b"-1.#IND" || field == b"1.#QNAN",
        8 => field == b"#N/A N/A" || field == b"-1.#QNAN",
        _ => false,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn trimmed(field: &[u8]) -> &[u8] {
    let start = field.iter().position(|byte| !is_space(*byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    field.get(start..end).unwrap_or_default()
}

/// A whole number with blanks around it and a sign in front.
pub fn whole(field: &[u8]) -> Whole {
    let text = trimmed(field);
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let count = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let (number, rest) = digits.split_at(count);
    let size =
        number.iter().try_fold(0_u64, |all, digit| all.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    // pandas stops at the first digit too many, whatever stands behind it.
    let too_many = size.is_none_or(|size| negative && 0_i64.checked_sub_unsigned(size).is_none());
    if count == 0 || (!rest.is_empty() && !too_many) {
        return Whole::No;
    }
    match size {
        None => Whole::Beyond,
        Some(size) if negative => 0_i64.checked_sub_unsigned(size).map_or(Whole::Beyond, Whole::Int),
        Some(size) => i64::try_from(size).map_or(Whole::Uint(size), Whole::Int),
    }
}

/// A truth value in any case.
pub fn truth(field: &[u8]) -> Option<bool> {
    if field.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if field.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

/// A float with blanks around it. Not always the nearest one: pandas sums up at most 17 digits and scales them with
/// one power of ten (`float_precision="high"`), and so do we, bit for bit.
pub fn float(field: &[u8]) -> Option<f64> {
    const MAX_DIGITS: u32 = 17;
    let text = trimmed(field);
    let (negative, mut rest) = signed(text);
    let (mut number, mut exponent, mut digits) = (0.0_f64, 0_i32, 0_u32);
    while let [digit @ b'0'..=b'9', more @ ..] = rest {
        if digits < MAX_DIGITS {
            number = number * 10.0 + f64::from(digit - b'0');
            digits += 1;
        } else {
            exponent = exponent.saturating_add(1);
        }
        rest = more;
    }
    if let [b'.', more @ ..] = rest {
        rest = more;
        while let [digit @ b'0'..=b'9', more @ ..] = rest {
            if digits < MAX_DIGITS {
                number = number * 10.0 + f64::from(digit - b'0');
                digits += 1;
                exponent = exponent.saturating_sub(1);
            }
            rest = more;
        }
    }
    if digits == 0 {
        return infinite(text);
    }
    if let [b'e' | b'E', more @ ..] = rest {
        let (down, mut power) = signed(more);
        let (mut n, mut count) = (0_i32, 0);
        while let [digit @ b'0'..=b'9', more @ ..] = power {
            if count < MAX_DIGITS {
                n = n.saturating_mul(10).saturating_add(i32::from(digit - b'0'));
                count += 1;
            }
            power = more;
        }
        if count > 0 {
            exponent = exponent.saturating_add(if down { -n } else { n });
            rest = power;
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let number = if negative { -number } else { number };
    let number = scaled(number, exponent);
    number.is_finite().then_some(number)
}

fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

fn infinite(text: &[u8]) -> Option<f64> {
    let (negative, word) = signed(text);
    let known = word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity");
    known.then_some(if negative { f64::NEG_INFINITY } else { f64::INFINITY })
}

/// Powers of ten as the compiler rounds their literals, which is not what repeated multiplication gives.
fn power(exponent: i32) -> f64 {
    static POWERS: std::sync::OnceLock<Vec<f64>> = std::sync::OnceLock::new();
    let powers =
        POWERS.get_or_init(|| (0..=308).map(|n| format!("1e{n}").parse().unwrap_or(f64::INFINITY)).collect());
    usize::try_from(exponent).ok().and_then(|place| powers.get(place)).copied().unwrap_or(f64::INFINITY)
}

fn scaled(number: f64, exponent: i32) -> f64 {
    match exponent {
        309.. => number * f64::INFINITY,
        1..=308 => number * power(exponent),
        -308..=0 => number / power(-exponent),
        // Too small for one step.
        -616..=-309 => number / power(-308 - exponent) / power(308),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_pandas() {
        assert_eq!(whole(b" 007 "), Whole::Int(7));
        assert_eq!(whole(b"-9223372036854775808"), Whole::Int(i64::MIN));
        assert_eq!(whole(b"18446744073709551615"), Whole::Uint(u64::MAX));
        assert_eq!(whole(b"99999999999999999999"), Whole::Beyond);
        assert_eq!(whole(b"99999999999999999999.5"), Whole::Beyond);
        for text in ["1.0", "9999999999999999999.5", "", "-", "1 2", "0x10", "1_000", "+-1", "- 1"] {
            assert_eq!(whole(text.as_bytes()), Whole::No, "{text}");
        }
        assert_eq!(float(b"99999999999999999999"), Some(1.000_000_000_000_000_2e20));
        assert_eq!(float(b" 1e5 "), Some(1e5));
        assert_eq!(float(b".5"), Some(0.5));
        assert_eq!(float(b"1."), Some(1.0));
        assert_eq!(float(b"-Infinity"), Some(f64::NEG_INFINITY));
        for text in [".", "1e", "1.5.2", "1e400", "infinit", "0x1", ""] {
            assert_eq!(float(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn missing_values_have_many_names() {
        for text in ["", "NA", "NaN", "null", "None", "n/a", "-1.#QNAN", "#N/A N/A"] {
            assert!(is_missing(text.as_bytes()), "{text}");
        }
        assert!(!is_missing(b" ") && !is_missing(b"none") && !is_missing(b"-"));
        assert_eq!(truth(b"tRUe"), Some(true));
        assert_eq!(truth(b"1"), None);
    }
}
