//! Waiting for bytes that somebody else must send: until they come, for so long at most, or until the run is given up.

use std::{
    io::{self, PipeReader, PipeWriter, Write},
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, OutputFailure, Result};

/// A switch that wakes whoever waits by it, and stays on.
#[derive(Debug)]
pub(super) struct Stop {
    is_on: AtomicBool,
    wake: PipeWriter,
    woken: PipeReader,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// There are bytes, or the end.
    Ready,
    /// The switch is on, whatever else there is.
    Stopped,
    /// Nothing happened.
    Nothing,
}

impl Stop {
    pub(super) fn new() -> Result<Self> {
        let (woken, wake) = io::pipe().map_err(|source| Error::System { what: "a pipe", source })?;
        Ok(Self { is_on: AtomicBool::new(false), wake, woken })
    }

    /// Turns it on.
    pub(super) fn stop(&self) {
        if !self.is_on.swap(true, Ordering::SeqCst) {
            // The byte is never read, so that every later wait ends at once, too.
            let _ = (&self.wake).write_all(&[0]);
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::SeqCst)
    }

    /// Waits for bytes, or for the switch alone.
    pub(super) fn wait(&self, input: Option<BorrowedFd<'_>>, at_most: Duration) -> io::Result<Woken> {
        let woken = self.woken.as_fd();
        // What is not waited for is watched twice.
        let mut both =
            [PollFd::new(&woken, PollFlags::IN), PollFd::new(input.as_ref().unwrap_or(&woken), PollFlags::IN)];
        let count = poll_for(&mut both, at_most)?;
        Ok(match count {
            _ if self.is_on() => Woken::Stopped,
            0 => Woken::Nothing,
            _ => Woken::Ready,
        })
    }
}

/// Tells whether there are bytes, or the end, without waiting.
pub(super) fn is_ready(input: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(poll_for(&mut [PollFd::new(&input, PollFlags::IN)], Duration::ZERO)? > 0)
}

fn poll_for(descriptors: &mut [PollFd<'_>], at_most: Duration) -> io::Result<usize> {
    let timeout = Timespec::try_from(at_most).ok();
    match poll(descriptors, timeout.as_ref()) {
        // As if nothing had happened: whoever waits looks at his limits and waits on.
        Err(rustix::io::Errno::INTR) => Ok(0),
        other => Ok(other?),
    }
}

/// How long to wait for somebody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Without a byte. Counted only while somebody waits: a slow repository is not held against the stream.
    pub(super) silence: Option<Duration>,
    /// For all of it, from its beginning.
    pub(super) whole: Option<Duration>,
    /// Its beginning.
    pub(super) began: Instant,
}

impl Limits {
    pub(super) fn new(silence: Option<Duration>, whole: Option<Duration>) -> Self {
        Self { silence, whole, began: Instant::now() }
    }

    /// Passes while there is time.
    pub(super) fn check(&self, waiting_since: Instant) -> Result<(), OutputFailure> {
        if let Some(limit) = self.whole.filter(|limit| self.began.elapsed() >= *limit) {
            return Err(OutputFailure::TooLong(limit));
        }
        match self.silence.filter(|limit| waiting_since.elapsed() >= *limit) {
            Some(limit) => Err(OutputFailure::Silent(limit)),
            None => Ok(()),
        }
    }

    /// How long to wait until it is worth checking again.
    pub(super) fn left(&self, waiting_since: Instant, at_most: Duration) -> Duration {
        let silence = self.silence.map(|limit| limit.saturating_sub(waiting_since.elapsed()));
        let whole = self.whole.map(|limit| limit.saturating_sub(self.began.elapsed()));
        [silence, whole].into_iter().flatten().fold(at_most, Duration::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_bytes_or_the_switch_whichever_is_first() {
        let stop = Stop::new().expect("a pipe");
        let (input, mut output) = io::pipe().expect("a pipe");
        let wait = |at_most| stop.wait(Some(input.as_fd()), Duration::from_millis(at_most)).expect("it polls");
        assert_eq!(wait(1), Woken::Nothing);
        output.write_all(b"x").expect("there is room");
        assert_eq!(wait(60_000), Woken::Ready);
        std::thread::scope(|threads| {
            threads.spawn(|| stop.stop());
            while stop.wait(None, Duration::from_secs(60)).expect("it polls") != Woken::Stopped {}
        });
        assert_eq!(wait(60_000), Woken::Stopped, "it stays on");
    }

    #[test]
    fn the_nearest_limit_counts() {
        let minute = Duration::from_secs(60);
        let limits = Limits { silence: Some(minute), whole: Some(2 * minute), began: Instant::now() };
        assert!(limits.check(Instant::now()).is_ok());
        assert!(limits.left(Instant::now(), 5 * minute) <= minute);
        let past = Limits { silence: Some(Duration::ZERO), ..limits };
        assert_eq!(past.check(Instant::now()), Err(OutputFailure::Silent(Duration::ZERO)));
    }
}
