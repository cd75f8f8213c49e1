//! How fast the work is, and how long it will take, as far as that can be known.

use std::time::Instant;

use lbak::{Stage, observe};

use super::Work;
use crate::sizes;

/// Where the work stands.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) stage: Option<Stage>,
    pub(super) stage_began: Instant,
    pub(super) told: Instant,
    pub(super) advanced: Instant,
    /// Bytes that nothing can have read or written in that time: holes.
    pub(super) leapt_bytes: u64,
    pub(super) so_far: observe::Progress,
}

/// More than this is no speed of any disk.
const FASTEST_BYTES_PER_SECOND: f64 = (64_u64 << 30) as f64;

/// Less than this at once may have been counted late.
const LEAP_BYTES: u64 = 1 << 30;

impl State {
    pub(super) fn advance(&mut self, progress: observe::Progress, now: Instant) {
        let bytes = progress.bytes.saturating_sub(self.so_far.bytes);
        let seconds = now.duration_since(self.advanced).as_secs_f64();
        if bytes > LEAP_BYTES && bytes as f64 > seconds * FASTEST_BYTES_PER_SECOND {
            self.leapt_bytes = self.leapt_bytes.saturating_add(bytes);
        }
        self.advanced = now;
        self.so_far = progress;
    }

    /// How far the work is, and how fast.
    pub(super) fn pace(&self, work: Work, now: Instant) -> Pace {
        let seconds = now.duration_since(self.stage_began).as_secs_f64();
        let worked_bytes = self.so_far.bytes.saturating_sub(self.leapt_bytes);
        // Where there are holes nobody knows how many of the bytes that are left are work.
        let is_known = work != Work::Looking && self.leapt_bytes == 0;
        let seconds_left = remaining(&self.so_far, seconds).filter(|_| is_known);
        Pace { rate: (work != Work::Looking).then(|| sizes::rate(worked_bytes, seconds)), seconds_left }
    }
}

/// What is said of speed.
pub(super) struct Pace {
    pub(super) rate: Option<String>,
    pub(super) seconds_left: Option<u64>,
}

/// Seconds left at the rate so far, when the total is known and enough was done to tell.
pub(super) fn remaining(progress: &observe::Progress, seconds: f64) -> Option<u64> {
    let total = progress.total_bytes?;
    if progress.bytes == 0 || seconds < 1.0 {
        return None;
    }
    let left = total.saturating_sub(progress.bytes) as f64 * seconds / progress.bytes as f64;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float above the largest integer becomes the largest integer"
    )]
    #[expect(clippy::cast_sign_loss, reason = "no factor is negative")]
    Some(left.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_hole_is_no_work_and_a_dry_run_has_no_speed() {
        let now = Instant::now();
        let mut state = State {
            stage: Some(Stage::Restoring),
            stage_began: now,
            told: now,
            advanced: now,
            leapt_bytes: 0,
            so_far: observe::Progress::default(),
        };
        let progress = |bytes| observe::Progress { bytes, total_bytes: Some(9 << 40), ..observe::Progress::default() };
        let after = |seconds| now + Duration::from_secs(seconds);
        state.advance(progress(1 << 30), after(2));
        assert_eq!(state.pace(Work::Restore, after(2)).rate.as_deref(), Some("512 MiB/s"));
        assert!(state.pace(Work::Restore, after(2)).seconds_left.is_some());
        assert!(state.pace(Work::Looking, after(2)).rate.is_none());
        state.advance(progress(8 << 40), after(3));
        let pace = state.pace(Work::Restore, after(4));
        assert_eq!((pace.rate.as_deref(), pace.seconds_left), (Some("256 MiB/s"), None));
    }
}
