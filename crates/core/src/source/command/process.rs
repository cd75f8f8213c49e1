//! One run of a command: started in a process group of its own, watched without being reaped, ended with all of its group.
//!
//! As long as the command itself is not reaped, its number and with it that of its group can not be given to anybody
//! else: only so can the group be killed without fear.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{super::waiting::Stop, said::Said};
use crate::error::OutputFailure;

/// How often a command that was asked to end is looked at: no system call waits for one process with a limit everywhere.
const LOOK: Duration = Duration::from_millis(5);

/// A command that was started.
pub(super) struct Process {
    child: Child,
    group: Pid,
    /// Set when it was reaped.
    status: Option<ExitStatus>,
    ended: Arc<Stop>,
    listening: Option<JoinHandle<()>>,
}

/// What a command is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It runs, or was stopped by somebody who may let it go on.
    Running,
    /// It was stopped because it wanted to use the terminal, which belongs to the process group in the foreground.
    WaitingForTerminal,
    /// It has ended.
    Nothing,
}

impl Process {
    /// Starts it without these variables of the environment; returns its output, too.
    pub(super) fn start(
        words: &[OsString],
        kept_back: &[OsString],
        said: &Arc<Said>,
    ) -> Result<(Self, File), OutputFailure> {
        let (program, arguments) = words.split_first().expect("there are words: checked when the source was made");
        let ended = Stop::new().map_err(|error| OutputFailure::NotStarted(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        for variable in kept_back {
            command.env_remove(variable);
        }
        let mut child = command.spawn().map_err(not_started)?;
        let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let group = number.expect("the number of a process is a positive i32");
        let stdout = File::from(OwnedFd::from(child.stdout.take().expect("it was asked for above")));
        let stderr = File::from(OwnedFd::from(child.stderr.take().expect("it was asked for above")));
        let mut process = Self { child, group, status: None, ended: Arc::new(ended), listening: None };
        let (said, ended) = (Arc::clone(said), Arc::clone(&process.ended));
        let listen = move || said.listen(stderr, &ended);
        match std::thread::Builder::new().name("lbak-stderr".into()).spawn(listen) {
            Ok(listening) => process.listening = Some(listening),
            Err(error) => return Err(not_started(error)), // dropped, it is ended
        }
        Ok((process, stdout))
    }

    /// Looks what it is doing.
    pub(super) fn doing(&self) -> Doing {
        let options = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.group), options) {
            Ok(Some(status)) if status.stopped() => {
                let is_for_terminal = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw).map(Some);
                match is_for_terminal.contains(&status.stopping_signal()) {
                    true => Doing::WaitingForTerminal,
                    false => Doing::Running,
                }
            }
            Ok(Some(_)) => Doing::Nothing,
            Ok(None) | Err(_) => Doing::Running,
        }
    }

    /// Reaps it after its end and tells whether that was a good one. What it left running goes on.
    pub(super) fn outcome(&mut self) -> Result<(), OutputFailure> {
        let status = self.reap().map_err(|error| OutputFailure::Unread(error.to_string()))?;
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(OutputFailure::Exited(code)),
            (None, signal) => Err(OutputFailure::Killed(signal.unwrap_or_default())),
        }
    }

    /// Ends it and all that it started in its group: asks, waits a while, and then by force.
    pub(super) fn end(&mut self, grace: Duration) {
        if self.status.is_some() {
            return;
        }
        let asked = Instant::now();
        let _ = kill_process_group(self.group, Signal::TERM);
        // What is stopped does not hear of anything before it goes on.
        let _ = kill_process_group(self.group, Signal::CONT);
        while self.doing() != Doing::Nothing && asked.elapsed() < grace {
            std::thread::sleep(LOOK);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.reap();
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        self.ended.stop();
        if let Some(listening) = self.listening.take() {
            // A listener that panicked has nothing to say.
            let _ = listening.join();
        }
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn not_started(error: io::Error) -> OutputFailure {
    OutputFailure::NotStarted(error.to_string())
}
