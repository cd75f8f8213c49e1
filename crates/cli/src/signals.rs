//! Ctrl-C and termination: the first signal asks the verb to stop at its next step, the second ends the program at once.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    thread,
};

use lbak::Cancellation;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
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
        let mut arriving = Arriving::new([SIGINT, SIGTERM])?;
        let this = self.clone();
        // It lives as long as the program: there is nothing to wait for at the end.
        thread::Builder::new().name("lbak-signals".into()).spawn(move || {
            for signal in arriving.forever() {
                if this.received.swap(signal, Ordering::SeqCst) != 0 {
                    std::process::exit(128 + signal);
                }
                this.cancellation.cancel();
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
            SIGTERM => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }
}
