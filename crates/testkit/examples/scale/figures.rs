//! How a figure is shown, and how much memory this process has.

use std::{fs, time::Duration};

/// Memory of this process.
pub(crate) struct Memory {
    pub(crate) now_bytes: u64,
    pub(crate) now_mib: u64,
    pub(crate) peak_mib: u64,
}

/// What the system says of it; zero where it does not.
pub(crate) fn memory() -> Memory {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |field: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let now = kib("VmRSS:");
    Memory { now_bytes: now << 10, now_mib: now >> 10, peak_mib: kib("VmHWM:") >> 10 }
}

pub(crate) fn show(what: &str, took: Duration, more: &str) {
    println!("{what:44} {:10.1} ms  {more}", took.as_secs_f64() * 1e3);
}
