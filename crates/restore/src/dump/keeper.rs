//! Keeps a command from taking the end of this process for the end of its input.
//!
//! A process that is killed by SIGKILL, or by the system for want of memory, can not kill anybody any more: the pipe into its
//! command is closed, and the command takes what it got for all there is. So a small process of its own holds that pipe open
//! too, and listens on another one that only this process writes to:
//!
//! ```text
//! a line comes    all was written, or the command is gone → it ends, and with it the pipe
//! the pipe ends   whoever wrote is gone → SIGKILL to the command's group, then it ends
//! ```
//!
//! It is three words for `/bin/sh`. Where there is none, or something kills it too, the command is as it would be without.

use std::{
    io::Write,
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::Pid;

/// Killed by no signal that a terminal sends.
const WORDS: &str = "trap '' HUP INT QUIT TERM; read -r line || kill -s KILL -- \"-$1\"";

/// The process, as long as it is needed.
pub(super) struct Keeper(Child);

impl Keeper {
    /// Starts it for a command's group and input.
    pub(super) fn start(group: Pid, input: &ChildStdin) -> std::io::Result<Self> {
        let held = input.as_fd().try_clone_to_owned()?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", WORDS, "lbak-keeper"]).arg(group.as_raw_nonzero().to_string());
        command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(held).stderr(Stdio::null());
        command.process_group(0).spawn().map(Self)
    }

    /// Ends it without harm to the command. To be called while the command's number is still its own.
    pub(super) fn end(mut self) {
        if let Some(mut line) = self.0.stdin.take() {
            // Whoever killed it has done that.
            let _ = line.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
