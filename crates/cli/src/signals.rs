//! Ctrl-C, termination and a terminal that is closed: the first signal asks the verb to stop at its next step, the second ends the
//! program at once.
//!
//! A next step may never come: a disk that is dying, or a network share whose server is gone, answers no more, and a thread that waits for
//! it hears nothing. When nothing has moved for some seconds after the first signal, the program ends as after a second one, which harms
//! nothing: that is what a crash would do.
//!
//! A hang-up is never the second one: a terminal that is closed sends it more than once, through the shell and by itself.
//! What was started with `nohup` goes on.

use std::{
    fs, io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lbak::Cancellation;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals as Arriving,
};

use crate::{exit::Exit, output::Output};

/// How long nothing may move after a signal. A command that is backed up has five seconds to end by itself.
const STILL: Duration = Duration::from_secs(6);
/// Ticks of work, a hundredth of a second each, that are nothing in that time: threads that only look whether there is something to do.
const FEW_TICKS: u64 = 3;

/// What came in so far.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    cancellation: Cancellation,
    received: Arc<AtomicI32>,
}

impl Signals {
    /// Begins to listen. Not before passwords were asked for: at a prompt Ctrl-C ends the program the plain way.
    pub(crate) fn listen(&self, output: &Arc<Output>) -> io::Result<()> {
        let heard = [SIGINT, SIGTERM].into_iter().chain(is_hang_up_heard().then_some(SIGHUP));
        let mut arriving = Arriving::new(heard)?;
        let (this, output) = (self.clone(), Arc::clone(output));
        // It lives as long as the program: there is nothing to wait for at the end.
        thread::Builder::new().name("lbak-signals".into()).spawn(move || {
            for signal in arriving.forever() {
                let is_first = this.received.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
                if is_first {
                    this.cancellation.cancel();
                    this.end_when_still(signal, &output);
                } else if signal != SIGHUP {
                    std::process::exit(128 + signal);
                }
            }
        })?;
        Ok(())
    }

    /// Ends the program when nothing moves any more.
    fn end_when_still(&self, signal: i32, output: &Arc<Output>) {
        let (this, output) = (self.clone(), Arc::clone(output));
        // Without it the second signal ends the program, as where there is no /proc.
        let _ = thread::Builder::new().name("lbak-still".into()).spawn(move || {
            let (mut since, mut before) = (Instant::now(), ticks());
            loop {
                thread::sleep(STILL / 20);
                let (Some(now), Some(then)) = (ticks(), before) else { return };
                if now > then + FEW_TICKS {
                    (since, before) = (Instant::now(), Some(now));
                } else if since.elapsed() >= STILL {
                    let exit = this.exit().unwrap_or(Exit::Interrupted);
                    let hint = "what was waited for does not answer: it ended without that";
                    output.error(exit, exit.of_signal(), Some(hint));
                    std::process::exit(128 + signal);
                }
            }
        });
    }

    /// The switch that the verbs look at.
    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// The exit code of the signal that came in, if there was one.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self.received.load(Ordering::SeqCst) {
            0 => None,
            SIGHUP => Some(Exit::HungUp),
            SIGTERM => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }
}

/// The time that all threads have worked so far, in hundredths of a second.
fn ticks() -> Option<u64> {
    ticks_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Reads it: the 14th and 15th field, behind a name in brackets that may hold anything.
fn ticks_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Tells whether a hang-up is for us: not when whoever started the program had it ignored, and not where that can not be
/// known. There the system does what it does without a handler, and `nohup` works.
fn is_hang_up_heard() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hang_up(&status) == Some(false))
}

/// Reads the mask of ignored signals, in which SIGHUP is the lowest bit.
fn ignores_hang_up(status: &str) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    Some(u64::from_str_radix(mask.trim(), 16).ok()? & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_that_was_done_is_read() {
        let stat = "28176 (a) b (c) R 28163 28163 7231 0 -1 4194304 101 0 0 0 17 4 0 0 20 0 1 0 4878865";
        assert_eq!(ticks_of(stat), Some(21));
        assert_eq!((ticks_of(""), ticks_of("1 (a) R 2 3")), (None, None));
    }

    #[test]
    fn an_ignored_hang_up_is_recognised() {
        let status = |mask: &str| format!("Name:\tlbak\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert_eq!(ignores_hang_up(&status("0000000000001001")), Some(true));
        assert_eq!(ignores_hang_up(&status("0000000000001000")), Some(false));
        assert_eq!((ignores_hang_up(""), ignores_hang_up(&status("?"))), (None, None));
    }
}
