//! Time zones of Arrow columns: fixed offsets (`+01:00`) and names (`Europe/Berlin`).

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// A time zone.
pub enum Zone {
    /// Seconds east of UTC.
    Fixed(i64),
    /// Whose offset changes.
    Named(Tz),
}

impl Zone {
    /// The zone of that name; UTC where nobody knows it.
    pub fn named(name: &str) -> Self {
        match fixed(name) {
            Some(seconds) => Zone::Fixed(seconds),
            None => name.parse().map_or(Zone::Fixed(0), Zone::Named),
        }
    }

    /// Seconds that clocks there are ahead at this time, in seconds since 1970.
    pub fn offset_s(&self, at_s: i64) -> i64 {
        match self {
            Zone::Fixed(seconds) => *seconds,
            Zone::Named(zone) => DateTime::from_timestamp(at_s, 0).map_or(0, |time| {
                zone.offset_from_utc_datetime(&time.naive_utc()).fix().local_minus_utc().into()
            }),
        }
    }
}

fn fixed(name: &str) -> Option<i64> {
    let sign = match name.bytes().next()? {
        b'-' => -1,
        b'+' => 1,
        _ => return None,
    };
    let (hours, minutes) = name.get(1..)?.split_once(':')?;
    let seconds =
        hours.parse::<i64>().ok()?.checked_mul(3600)? + i64::from(minutes.parse::<u16>().ok()?) * 60;
    (0..86_400).contains(&seconds).then_some(sign * seconds)
}

/// `+01:00`, with seconds where there are some, as Python writes it.
pub fn push_offset(out: &mut Vec<u8>, seconds: i64) {
    let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let mut text = format!("{sign}{:02}:{:02}", size / 3600, size / 60 % 60);
    if !size.is_multiple_of(60) {
        text.push_str(&format!(":{:02}", size % 60));
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(name: &str, at_s: i64) -> String {
        let mut out = Vec::new();
        push_offset(&mut out, Zone::named(name).offset_s(at_s));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn offsets_are_those_of_the_moment() {
        assert_eq!(
            (offset("Europe/Berlin", 1_577_836_800), offset("Europe/Berlin", 1_600_000_000)),
            ("+01:00".into(), "+02:00".into())
        );
        assert_eq!((offset("UTC", 0), offset("Nowhere/At-All", 0)), ("+00:00".into(), "+00:00".into()));
        assert_eq!((offset("-03:30", 0), offset("+99:00", 0)), ("-03:30".into(), "+00:00".into()));
        assert_eq!(offset("Europe/Berlin", -3_000_000_000), "+00:53:28");
        assert_eq!(offset("Europe/Berlin", i64::MIN), "+00:00");
    }
}
