//! Ctrl-C, termination and a terminal that is closed: the first signal asks the verb to stop at its next step, the second ends the
//! program at once.
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
};

use lbak::Cancellation;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals as Arriving,
};

use crate::exit::Exit;

/// What came in so far.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    cancellation: Cancellation,
    received: Arc<AtomicI32>,
}

impl Signals {
    /// Begins to listen. Not before passwords were asked for: at a prompt Ctrl-C ends the program the plain way.
    pub(crate) fn listen(&self) -> io::Result<()> {
        let heard = [SIGINT, SIGTERM].into_iter().chain(is_hang_up_heard().then_some(SIGHUP));
        let mut arriving = Arriving::new(heard)?;
        let this = self.clone();
        // It lives as long as the program: there is nothing to wait for at the end.
        thread::Builder::new().name("lbak-signals".into()).spawn(move || {
            for signal in arriving.forever() {
                let is_first = this.received.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
                if is_first {
                    this.cancellation.cancel();
                } else if signal != SIGHUP {
                    std::process::exit(128 + signal);
                }
            }
        })?;
        Ok(())
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
    fn an_ignored_hang_up_is_recognised() {
        let status = |mask: &str| format!("Name:\tlbak\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        assert_eq!(ignores_hang_up(&status("0000000000001001")), Some(true));
        assert_eq!(ignores_hang_up(&status("0000000000001000")), Some(false));
        assert_eq!((ignores_hang_up(""), ignores_hang_up(&status("?"))), (None, None));
    }
}
