//! Points in time and time spans, counted in NumPy's units, as text.

use crate::number::push_int;

/// Numpy's "not a time".
pub const NAT: i64 = i64::MIN;

/// A unit of time: `multiple` times `base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Its base.
    pub base: Base,
    /// How many of the base one count stands for.
    pub multiple: i64,
}

/// The bases of NumPy's datetime units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Base {
    /// Calendar years.
    Year,
    /// Calendar months.
    Month,
    /// Seven days.
    Week,
    /// 86400 seconds.
    Day,
    /// 3600 seconds.
    Hour,
    /// 60 seconds.
    Minute,
    /// One second.
    Second,
    /// This many decimal places of a second: 3, 6, 9, 12, 15 or 18.
    Fraction(u8),
}

impl Unit {
    /// A unit of one base.
    pub const fn of(base: Base) -> Self {
        Unit { base, multiple: 1 }
    }

    /// NumPy's text with brackets: `[ns]`, `[25s]`. `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        let (count, name) = inner.split_at(inner.find(|c: char| !c.is_ascii_digit())?);
        let multiple = if count.is_empty() { 1 } else { count.parse().ok()? };
        let base = match name {
            "Y" => Base::Year,
            "M" => Base::Month,
            "W" => Base::Week,
            "D" => Base::Day,
            "h" => Base::Hour,
            "m" => Base::Minute,
            "s" => Base::Second,
            "ms" => Base::Fraction(3),
            "us" => Base::Fraction(6),
            "ns" => Base::Fraction(9),
            "ps" => Base::Fraction(12),
            "fs" => Base::Fraction(15),
            "as" => Base::Fraction(18),
            _ => return None,
        };
        Some(Unit { base, multiple })
    }

    /// NumPy's English name, for time spans.
    const fn name(self) -> &'static str {
        match self.base {
            Base::Year => "years",
            Base::Month => "months",
            Base::Week => "weeks",
            Base::Day => "days",
            Base::Hour => "hours",
            Base::Minute => "minutes",
            Base::Second => "seconds",
            Base::Fraction(3) => "milliseconds",
            Base::Fraction(6) => "microseconds",
            Base::Fraction(9) => "nanoseconds",
            Base::Fraction(12) => "picoseconds",
            Base::Fraction(15) => "femtoseconds",
            Base::Fraction(_) => "attoseconds",
        }
    }
}

/// A point in time, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Astronomical year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Since midnight.
    pub second: u32,
    /// Attoseconds.
    pub atto: u64,
}

const DAY_S: i64 = 86_400;
const ATTO_DIGITS: u32 = 18;

impl Moment {
    /// The moment `count` units after 1970; `None` for "not a time" and beyond any calendar.
    pub fn new(count: i64, unit: Unit) -> Option<Self> {
        if count == NAT {
            return None;
        }
        let count = i128::from(count) * i128::from(unit.multiple);
        let (days, second, atto) = match unit.base {
            Base::Year => (first_of_year(1970 + count)?, 0, 0),
            Base::Month => (first_of_month(count)?, 0, 0),
            Base::Week => (count * 7, 0, 0),
            Base::Day => (count, 0, 0),
            Base::Hour => split(count * 3600),
            Base::Minute => split(count * 60),
            Base::Second => split(count),
            Base::Fraction(digits) => {
                let scale = 10_i128.pow(u32::from(digits));
                let (days, second, _) = split(count.div_euclid(scale));
                let atto = count.rem_euclid(scale) * 10_i128.pow(ATTO_DIGITS - u32::from(digits));
                (days, second, u64::try_from(atto).ok()?)
            }
        };
        let (year, month, day) = civil(i64::try_from(days).ok()?)?;
        Some(Moment { year, month, day, second, atto })
    }

    /// `2025-01-31`
    pub fn push_date(&self, out: &mut Vec<u8>) {
        if self.year < 0 {
            out.push(b'-');
        }
        push_padded(out, self.year.unsigned_abs(), 4);
        out.push(b'-');
        push_padded(out, u64::from(self.month), 2);
        out.push(b'-');
        push_padded(out, u64::from(self.day), 2);
    }

    /// `12:34:56` and `digits` places of the second behind a point.
    pub fn push_time(&self, out: &mut Vec<u8>, digits: u32) {
        push_padded(out, u64::from(self.second / 3600), 2);
        out.push(b':');
        push_padded(out, u64::from(self.second / 60 % 60), 2);
        out.push(b':');
        push_padded(out, u64::from(self.second % 60), 2);
        if digits > 0 {
            out.push(b'.');
            push_padded(out, self.atto / 10_u64.pow(ATTO_DIGITS.saturating_sub(digits)), digits as usize);
        }
    }

    /// How many places the second needs: 0, 3, 6, 9 or 18.
    pub fn places(&self) -> u32 {
        let zero_below = |digits: u32| self.atto.is_multiple_of(10_u64.pow(ATTO_DIGITS - digits));
        [0, 3, 6, 9].into_iter().find(|digits| zero_below(*digits)).unwrap_or(ATTO_DIGITS)
    }

    /// ISO 8601 with `T` between, and six places of the second or nine where it has a fraction: Python's `isoformat`.
    pub fn push_iso(&self, out: &mut Vec<u8>, between: u8) {
        self.push_date(out);
        out.push(between);
        self.push_time(
            out,
            match self.places() {
                0 => 0,
                3 | 6 => 6,
                more => more,
            },
        );
    }
}

/// `str` of a NumPy datetime64: as precise as its unit.
pub fn push_numpy(out: &mut Vec<u8>, count: i64, unit: Unit) {
    let Some(moment) = Moment::new(count, unit) else {
        out.extend_from_slice(b"NaT");
        return;
    };
    let mut date = Vec::with_capacity(16);
    moment.push_date(&mut date);
    let cut = match unit.base {
        Base::Year => date.len().saturating_sub(6),
        Base::Month => date.len().saturating_sub(3),
        _ => date.len(),
    };
    out.extend_from_slice(date.get(..cut).unwrap_or_default());
    if unit.base <= Base::Day {
        return;
    }
    out.push(b'T');
    let mut time = Vec::with_capacity(32);
    moment.push_time(&mut time, if let Base::Fraction(digits) = unit.base { u32::from(digits) } else { 0 });
    let cut = match unit.base {
        Base::Hour => 2,
        Base::Minute => 5,
        _ => time.len(),
    };
    out.extend_from_slice(time.get(..cut).unwrap_or_default());
}

/// `str` of a NumPy timedelta64: `5 seconds`.
pub fn push_numpy_span(out: &mut Vec<u8>, count: i64, unit: Unit) {
    if count == NAT {
        out.extend_from_slice(b"NaT");
        return;
    }
    push_int(out, i128::from(count) * i128::from(unit.multiple));
    out.push(b' ');
    out.extend_from_slice(unit.name().as_bytes());
}

/// `str` of a pandas Timedelta of `count` units of `digits` places of a second: `1 days 01:01:01.500000`.
pub fn push_pandas_span(out: &mut Vec<u8>, count: i64, digits: u8) {
    let unit = Unit::of(if digits == 0 { Base::Second } else { Base::Fraction(digits) });
    let Some(moment) = Moment::new(count, unit) else {
        out.extend_from_slice(b"NaT");
        return;
    };
    let days = i128::from(count).div_euclid(10_i128.pow(u32::from(digits)) * i128::from(DAY_S));
    push_int(out, days);
    out.extend_from_slice(if days < 0 { b" days +" } else { b" days " });
    moment.push_time(
        out,
        match moment.places() {
            0 => 0,
            3 | 6 => 6,
            _ => 9,
        },
    );
}

fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(value).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

/// Days, second of the day, no fraction.
fn split(seconds: i128) -> (i128, u32, u64) {
    let day = i128::from(DAY_S);
    (seconds.div_euclid(day), seconds.rem_euclid(day) as u32, 0)
}

fn first_of_year(year: i128) -> Option<i128> {
    first_of_month((year.checked_sub(1970)?).checked_mul(12)?)
}

/// Days from 1970 to the first of the month `months` after January 1970.
fn first_of_month(months: i128) -> Option<i128> {
    let year = months.div_euclid(12).checked_add(1970)?;
    let month = months.rem_euclid(12) + 1;
    // Years begin in March, so that the leap day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    era.checked_mul(146_097)?.checked_add(day_of_era - 719_468)
}

/// Year, month and day of a day counted from 1970 in the Gregorian calendar.
fn civil(days: i64) -> Option<(i64, u8, u8)> {
    let shifted = days.checked_add(719_468)?;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = of_era + era * 400 + i64::from(month <= 2);
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numpy(count: i64, unit: &str) -> String {
        let mut out = Vec::new();
        push_numpy(&mut out, count, Unit::parse(unit).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn datetimes_are_as_precise_as_their_unit() {
        assert_eq!(numpy(55, "[Y]"), "2025");
        assert_eq!(numpy(-1, "[Y]"), "1969");
        assert_eq!(numpy(1, "[M]"), "1970-02");
        assert_eq!(numpy(5, "[W]"), "1970-02-05");
        assert_eq!(numpy(-1, "[D]"), "1969-12-31");
        assert_eq!(numpy(1, "[h]"), "1970-01-01T01");
        assert_eq!(numpy(2, "[25s]"), "1970-01-01T00:00:50");
        assert_eq!(numpy(-1, "[ns]"), "1969-12-31T23:59:59.999999999");
        assert_eq!(numpy(5, "[as]"), "1970-01-01T00:00:00.000000000000000005");
        assert_eq!(numpy(NAT, "[s]"), "NaT");
    }

    #[test]
    fn days_and_dates_agree_over_four_centuries() {
        for days in (-200_000..200_000).step_by(17) {
            let moment = Moment::new(days, Unit::of(Base::Day)).unwrap();
            let months = i128::from((moment.year - 1970) * 12 + i64::from(moment.month) - 1);
            assert_eq!(first_of_month(months).unwrap() + i128::from(moment.day) - 1, i128::from(days));
        }
    }

    #[test]
    fn iso_has_a_fraction_only_where_there_is_one() {
        let iso = |count, unit: &str| {
            let mut out = Vec::new();
            Moment::new(count, Unit::parse(unit).unwrap()).unwrap().push_iso(&mut out, b'T');
            String::from_utf8(out).unwrap()
        };
        assert_eq!(iso(0, "[ns]"), "1970-01-01T00:00:00");
        assert_eq!(iso(1, "[ms]"), "1970-01-01T00:00:00.001000");
        assert_eq!(iso(1, "[ns]"), "1970-01-01T00:00:00.000000001");
    }

    #[test]
    fn spans_are_counted_as_pandas_counts_them() {
        let span = |count| {
            let mut out = Vec::new();
            push_pandas_span(&mut out, count, 9);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(span(90_061_000_000_000), "1 days 01:01:01");
        assert_eq!(span(1), "0 days 00:00:00.000000001");
        assert_eq!(span(-1_000_000_000), "-1 days +23:59:59");
    }
}
