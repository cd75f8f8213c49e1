//! Times, lengths of time and sizes as people write them: what is read can be written and read again, in any zone.
//!
//! Input: which zone u8 · now i64 · a text.

use lbak_cli::parsers;
use lbak_core::metadata::Timestamp;

use crate::{memory, take};

/// With and without summer time, on both halves of the globe, at odd distances and half a day away.
const ZONES: [&str; 6] = [
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "<+0545>-5:45",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "<-12>12",
];

/// A parser of spans keeps its sums, and errors tell of all that was given.
const LIMIT: usize = 64 << 10;

/// Runs the target.
pub fn time(input: &[u8]) {
    let Some(([zone], rest)) = take::<1>(input) else { return };
    let Some((now, text)) = take::<8>(rest) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let now = Timestamp { seconds: i64::from_le_bytes(now), nanoseconds: 0 };
    let zone = ZONES[usize::from(zone) % ZONES.len()];
    let limit = LIMIT + memory::in_proportion_to(input);

    if let Some(time) = memory::within(limit, || parsers::time(text, now, zone)) {
        let written = parsers::rfc3339(time);
        // What no calendar reaches is written without its fraction, and has none.
        assert!(time.nanoseconds < 1_000_000_000 && (!written.starts_with('@') || time.nanoseconds == 0), "{time:?}");
        assert_eq!(parsers::time(&written, now, zone), Some(time), "{text:?} is {written}, which is another time");
        if text.trim().ends_with("ago") {
            assert!(time <= now, "{text:?} is to come");
        }
        let _ = parsers::gap(now, time);
    }
    if let Some(duration) = memory::within(limit, || parsers::duration(text)) {
        assert!(!duration.is_zero(), "{text:?} is no time at all");
    }
    if let Some(size) = memory::within(limit, || parsers::size(text)) {
        assert_eq!(parsers::size(&size.to_string()), Some(size), "{text:?}");
        assert!(parsers::shown_size(size).chars().count() <= 8, "{text:?} is as wide as any other size");
    }
}
