//! The output of a command, read to its end and no further than the command's own.

use std::{
    fs::File,
    io::Read,
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    super::{
        one_file::Output,
        stream::{is_worth_another_try, unread},
        waiting::{Limits, Stop, Woken},
    },
    Graces,
    process::{Doing, Process},
};
use crate::error::OutputFailure;

/// How often a silent command is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How soon a command that has closed its output is looked at again; then more and more seldom.
const FIRST_LOOK: Duration = Duration::from_millis(1);

pub(super) struct CommandOutput {
    process: Process,
    stdout: File,
    stop: Arc<Stop>,
    limits: Limits,
    graces: Graces,
    /// When it was seen that the command has ended.
    ended: Option<Instant>,
    is_over: bool,
}

impl CommandOutput {
    pub(super) fn new(process: Process, stdout: File, stop: Arc<Stop>, limits: Limits, graces: Graces) -> Self {
        Self { process, stdout, stop, limits, graces, ended: None, is_over: false }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, OutputFailure> {
        let asked = Instant::now();
        loop {
            self.limits.check(asked)?;
            match self.stop.wait(Some(self.stdout.as_fd()), self.limits.left(asked, LOOK)).map_err(unread)? {
                Woken::Stopped => return Err(OutputFailure::GivenUp),
                Woken::Nothing => self.look(asked)?,
                Woken::Ready => match self.stdout.read(buffer) {
                    Ok(0) => return self.wait_for_end(asked),
                    Ok(length) => return Ok(length),
                    Err(error) if is_worth_another_try(&error) => {}
                    Err(error) => return Err(unread(error)),
                },
            }
        }
    }

    /// A command that is silent may have ended, and left its output to somebody who holds it open.
    fn look(&mut self, asked: Instant) -> Result<(), OutputFailure> {
        match self.process.doing() {
            Doing::Running => Ok(()),
            Doing::WaitingForTerminal => Err(OutputFailure::WantsTerminal),
            Doing::Nothing => {
                let now = Instant::now();
                // A slow repository may have kept us from looking: the time begins when we are back.
                let since = (*self.ended.get_or_insert(now)).max(asked);
                let grace = self.graces.output;
                if now.duration_since(since) < grace { Ok(()) } else { Err(OutputFailure::HeldOpen(grace)) }
            }
        }
    }

    /// The output is over: now the command must end, and well.
    fn wait_for_end(&mut self, asked: Instant) -> Result<usize, OutputFailure> {
        let mut look = FIRST_LOOK;
        loop {
            match self.process.doing() {
                Doing::Nothing => break,
                Doing::WaitingForTerminal => return Err(OutputFailure::WantsTerminal),
                Doing::Running => self.limits.check(asked)?,
            }
            if self.stop.wait(None, self.limits.left(asked, look)).map_err(unread)? == Woken::Stopped {
                return Err(OutputFailure::GivenUp);
            }
            look = (look * 2).min(LOOK);
        }
        self.process.outcome().map(|()| 0)
    }
}

impl Output for CommandOutput {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, OutputFailure> {
        if self.is_over {
            return Ok(0);
        }
        let read = self.read_some(buffer);
        if let Err(failure) = read {
            // A command that has failed by itself says more than that somebody else holds its output open.
            let is_held_open = matches!(failure, OutputFailure::HeldOpen(_));
            self.process.end(self.graces.ending);
            return Err(self.process.outcome().err().filter(|_| is_held_open).unwrap_or(failure));
        }
        self.is_over = matches!(read, Ok(0));
        read
    }
}

impl Drop for CommandOutput {
    fn drop(&mut self) {
        self.process.end(self.graces.ending);
    }
}
