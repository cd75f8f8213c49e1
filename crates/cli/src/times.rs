//! Times: read from options, shown to people in their own zone, written to JSON in UTC.
//!
//! ```text
//! 2026-11-22T10:00:00Z    2026-11-22T10:00:00+01:00     RFC 3339
//! 2026-11-22              2026-11-22 10:00[:30]         local; a date alone is its first moment
//! 2h ago                  1 day 6h ago                  before now
//! now                     @1763800000                   seconds since 1970
//! today                   yesterday                     the first moment of the day
//! 18:00[:30]              yesterday 18:00               of today, if that is past, or of yesterday
//! ```

use jiff::{Span, ToSpan, Zoned, civil::DateTime, tz::TimeZone};
use lbak::Timestamp;

use crate::exit::Trouble;

/// Reads a time given by a person.
pub(crate) fn parse(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let time = parse_in(text, now, &TimeZone::system()).ok_or_else(|| {
        let trouble = Trouble::usage(format!("`{text}` is no time"));
        trouble
            .hint("give RFC 3339, `YYYY-MM-DD[ HH:MM[:SS]]` in local time, `yesterday 18:00`, `2h ago` or `@SECONDS`")
    })?;
    // A time of day means one that has been: who means yesterday's says so.
    if time > now && !text.contains(['-', '@']) {
        let trouble = Trouble::usage(format!("`{text}` is still to come today"));
        return Err(trouble.hint(format!("say `yesterday {}`", text.trim().trim_start_matches("today "))).into());
    }
    Ok(time)
}

/// The same in a given zone; `None` for what is no time.
pub(crate) fn parse_in(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(span) = text.strip_suffix("ago") {
        let is_unsigned = !span.contains(['-', '+']);
        // A span may end with `ago` itself: `2h ago ago` is no time.
        let span = span.trim().parse().ok().filter(|span: &Span| is_unsigned && !span.is_negative())?;
        let before = to_jiff(now)?.to_zoned(zone.clone()).checked_sub(span).ok()?;
        return Some(from_jiff(before.timestamp()));
    }
    if text == "now" {
        return Some(now);
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let is_number = seconds.strip_prefix('-').unwrap_or(seconds).bytes().all(|byte| byte.is_ascii_digit());
        return seconds.parse().ok().filter(|_| is_number).map(|seconds| Timestamp { seconds, nanoseconds: 0 });
    }
    if let Some(local) = of_day(text, now, zone) {
        return local;
    }
    let is_offset_given = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    if is_offset_given {
        return text.parse::<jiff::Timestamp>().ok().map(from_jiff);
    }
    // `20261122` and other forms of ISO 8601 are too easily something else.
    if text.get(4..5) != Some("-") {
        return None;
    }
    // A date alone is read as its first moment.
    let local: DateTime = text.parse().ok()?;
    Some(from_jiff(local.to_zoned(zone.clone()).ok()?.timestamp()))
}

/// Reads `today`, `yesterday` and times of day; `None` when it is none of these, `Some(None)` when it is none that there is.
fn of_day(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Option<Timestamp>> {
    let today = to_jiff(now)?.to_zoned(zone.clone()).date();
    let (day, time) = match text.split_once(' ').map_or((text, ""), |(day, time)| (day, time.trim_start())) {
        ("today", time) => (today, time),
        ("yesterday", time) => (today.yesterday().ok()?, time),
        (time, "") if time.get(2..3) == Some(":") => (today, time),
        _ => return None,
    };
    let is_plain = matches!(time.len(), 0 | 5 | 8) && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let time = match time {
        "" => Some(jiff::civil::Time::midnight()),
        _ => time.parse().ok().filter(|_| is_plain),
    };
    let zoned = time.and_then(|time| day.to_datetime(time).to_zoned(zone.clone()).ok());
    Some(zoned.map(|zoned| from_jiff(zoned.timestamp())))
}

/// Shows a time in the zone of who looks.
pub(crate) fn local(time: Timestamp) -> String {
    match to_jiff(time) {
        Some(time) => Zoned::new(time, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// The same with the name of the zone.
pub(crate) fn local_with_zone(time: Timestamp) -> String {
    match to_jiff(time) {
        Some(time) => Zoned::new(time, TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        None => format!("@{}", time.seconds),
    }
}

/// Writes a time in RFC 3339, UTC, with nine digits of the second.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    match to_jiff(time) {
        Some(time) => format!("{time:.9}"),
        None => format!("@{}", time.seconds),
    }
}

/// How far apart two times are, for people: the two largest units.
pub(crate) fn gap(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.seconds.saturating_sub(from.seconds).unsigned_abs();
    // The nanoseconds decide whether the last second is complete.
    let is_part = to.seconds > from.seconds && to.nanoseconds < from.nanoseconds;
    duration(seconds - u64::from(is_part))
}

/// Seconds for people: `0 s`, `59 s`, `2 min 5 s`, `3 h 20 min`, `12 d 4 h`.
pub(crate) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |first: u64, unit: &str, second: u64, small: &str| match second {
        0 => format!("{first} {unit}"),
        _ => format!("{first} {unit} {second} {small}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(minutes, "min", seconds % 60, "s"),
        3600..86_400 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// `None` for what no calendar here reaches: a stored time can be any number.
fn to_jiff(time: Timestamp) -> Option<jiff::Timestamp> {
    let nanoseconds = i32::try_from(time.nanoseconds).ok()?;
    jiff::Timestamp::from_second(time.seconds).ok()?.checked_add(i64::from(nanoseconds).nanoseconds()).ok()
}

fn from_jiff(time: jiff::Timestamp) -> Timestamp {
    let nanoseconds = time.as_nanosecond();
    Timestamp {
        seconds: i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or(i64::MAX),
        nanoseconds: u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T12:00:00Z
    const NOW: Timestamp = Timestamp { seconds: 1_795_348_800, nanoseconds: 0 };

    fn read(text: &str) -> Option<String> {
        let zone = TimeZone::get("Europe/Berlin").ok()?;
        parse_in(text, NOW, &zone).map(rfc3339)
    }

    #[test]
    fn every_documented_form_is_read() {
        let forms = [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000000Z"),
            ("2026-11-22T10:00:00.25+01:00", "2026-11-22T09:00:00.250000000Z"),
            ("2026-11-22 10:00:00-05:00", "2026-11-22T15:00:00.000000000Z"),
            ("2026-11-22", "2026-11-21T23:00:00.000000000Z"),
            ("2026-11-22 10:00", "2026-11-22T09:00:00.000000000Z"),
            ("2026-11-22T10:00:30", "2026-11-22T09:00:30.000000000Z"),
            ("2h ago", "2026-11-22T10:00:00.000000000Z"),
            ("2 days ago", "2026-11-20T12:00:00.000000000Z"),
            ("1d 90m ago", "2026-11-21T10:30:00.000000000Z"),
            ("now", "2026-11-22T12:00:00.000000000Z"),
            ("today", "2026-11-21T23:00:00.000000000Z"),
            ("yesterday", "2026-11-20T23:00:00.000000000Z"),
            ("yesterday 18:00", "2026-11-21T17:00:00.000000000Z"),
            ("10:00", "2026-11-22T09:00:00.000000000Z"),
            ("10:00:30", "2026-11-22T09:00:30.000000000Z"),
            ("@0", "1970-01-01T00:00:00.000000000Z"),
            ("@-1", "1969-12-31T23:59:59.000000000Z"),
        ];
        for (given, meant) in forms {
            assert_eq!(read(given).as_deref(), Some(meant), "{given}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2h",
            "-2h ago",
            "2h ago ago",
            "2h agoago",
            "ago",
            "2026-13-01",
            "20261122",
            "1763800000",
            "25:00",
            "10:0",
            "10",
            "@",
            "@1.5",
            "@+1",
            "tomorrow",
            "yesterday noon",
            "yesterday 24:00",
            "today -1h",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_that_is_still_to_come_is_refused_with_what_to_say() {
        let error = parse("23:59:59", Timestamp { seconds: 0, nanoseconds: 0 }).expect_err("it is to come");
        assert_eq!(error.to_string(), "`23:59:59` is still to come today");
        assert!(parse("@99", Timestamp::default()).is_ok(), "a number is taken as it is");
    }

    #[test]
    fn times_that_no_calendar_reaches_are_shown_as_numbers() {
        let far = Timestamp { seconds: i64::MAX, nanoseconds: u32::MAX };
        assert_eq!(local(far), format!("@{}", i64::MAX));
    }

    #[test]
    fn durations_name_two_units() {
        assert_eq!(
            [0, 59, 60, 125, 7200, 12_000, 1_051_200].map(duration),
            ["0 s", "59 s", "1 min", "2 min 5 s", "2 h", "3 h 20 min", "12 d 4 h"]
        );
    }
}
