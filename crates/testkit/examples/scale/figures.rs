//! How a figure is shown, and how much memory this process has.

use std::{
    fs,
    time::{Duration, Instant},
};

/// Measures what one thread does: by the clock, and by what the processor did for it, which does not depend on what else the machine does.
pub(crate) struct Watch {
    begun: Instant,
    busy: Duration,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), busy: busy() }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Processor time of this thread.
    pub(crate) fn busy(&self) -> Duration {
        busy().saturating_sub(self.busy)
    }
}

fn busy() -> Duration {
    // Not `schedstat`, which moves with the scheduler's tick alone.
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

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

pub(crate) fn show(what: &str, watch: &Watch, more: &str) {
    let (wall, busy) = (watch.wall().as_secs_f64() * 1e3, watch.busy().as_secs_f64() * 1e3);
    println!("{what:44} {wall:10.1} ms, {busy:10.1} of this thread  {more}");
}
