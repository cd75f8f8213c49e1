//! A stream into a command: a database client, an importer, another machine's shell.
//!
//! A command that reads to the end of its input can not tell a stream that was broken off from a whole one. So when
//! anything goes wrong its whole process group is killed *before* its input is closed: it never sees that end.
//!
//! ```text
//! check → start → stream ──── whole ──→ close its input → its exit status is the outcome
//!                   └── anything wrong ──→ SIGKILL to its group → wait → close its input → the error is the outcome
//! ```
//!
//! When this process itself is killed, a [`Keeper`] does the same in its place. What neither can reach: a process that left the
//! group or belongs to another user, and the far end of a network connection. Whoever can should therefore work in one
//! transaction.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use lbak_core::{
    error::{Error, Result},
    observe::{Cancellation, Event},
    repository::Repository,
    snapshot::Manifest,
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::{AfterError, DumpOptions, DumpReport, Prepared, keeper::Keeper};

/// How soon a cancellation reaches a command that reads nothing.
const GLANCE: Duration = Duration::from_millis(20);

/// Streams a file of a snapshot, or an archive of what lies at a path of it, into the standard input of a command.
///
/// The command runs in a process group of its own, which is also killed when this process is killed while it writes
/// (a small `/bin/sh` beside it sees to that; without one, an observer hears of it). The command's environment, output and directory are the caller's choice. With
/// [`DumpCheck::Everything`](super::DumpCheck::Everything) it is not started before all that it will get was read and
/// checked once.
///
/// `Ok` means that it got everything, read everything and ended with status 0.
///
/// # Errors
/// As for [`dump`](super::dump); [`Error::Target`] when the command can not be started, ends with another status, or
/// ends before it has read everything. After any error of the stream itself, and when cancelled, the command was killed.
pub fn dump_to_command(
    repository: &Repository,
    snapshot: &Manifest,
    options: &DumpOptions,
    command: &mut Command,
) -> Result<DumpReport> {
    let begun = Instant::now();
    let prepared = Prepared::new(repository, snapshot, options)?;
    prepared.check(options.check)?;
    options.cancellation.check()?;
    let mut sink = Sink::start(command)?;
    if let Err(error) = sink.keep() {
        let note = format!("nothing kills the command if this process is killed: cannot run /bin/sh: {error}");
        options.observer.event(&Event::Note(&note));
    }
    let group = sink.group;
    let fed = thread::scope(|scope| {
        let (done, is_done) = sync_channel::<()>(0);
        let watch = move || watch(group, &is_done, &options.cancellation);
        thread::Builder::new()
            .name("lbak-sink".into())
            .spawn_scoped(scope, watch)
            .map_err(|source| Error::System { what: "a thread", source })?;
        let fed = feed(&prepared, &mut sink);
        drop(done);
        Ok(fed)
    })?;
    let (bytes, entries) = sink.judge(fed, &options.cancellation)?;
    Ok(prepared.report(bytes, entries, begun))
}

/// How the feeding of a command that has ended by now went.
struct Fed {
    /// Bytes and entries.
    written: Result<(u64, u64)>,
    /// Something of it was never read.
    is_left: bool,
}

fn feed(prepared: &Prepared<'_>, sink: &mut Sink) -> Fed {
    let written = prepared.write(sink, AfterError::Discard);
    if written.is_err() && !sink.is_refused {
        sink.kill();
        return Fed { written, is_left: true };
    }
    // One that refuses its input sees no end of it either: how it ends is its own affair.
    let rest = sink.close();
    sink.await_end();
    let is_left = rest.is_some_and(|rest| rustix::io::ioctl_fionread(&rest).is_ok_and(|bytes| bytes > 0));
    Fed { is_left: is_left || written.is_err(), written }
}

/// Kills the command as soon as the caller wants to stop, also when it does not read and the stream waits for it.
fn watch(group: Pid, is_done: &Receiver<()>, cancellation: &Cancellation) {
    while is_done.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
        if cancellation.is_cancelled() {
            kill(group);
            return;
        }
    }
}

fn kill(group: Pid) {
    // It may have ended by itself.
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
}

/// A command that is being fed. Dropped before it ended, it is killed.
struct Sink {
    name: PathBuf,
    child: Child,
    input: Option<ChildStdin>,
    /// Who kills it when this process can not.
    keeper: Option<Keeper>,
    /// Its process group.
    group: Pid,
    is_ended: bool,
    /// It does not take any more.
    is_refused: bool,
}

impl Sink {
    fn start(command: &mut Command) -> Result<Self> {
        let name = PathBuf::from(command.get_program());
        let mut child = command.stdin(Stdio::piped()).process_group(0).spawn().map_err(|source| Error::Target {
            action: "run",
            path: name.clone(),
            source,
        })?;
        let input = child.stdin.take();
        let group = Pid::from_child(&child);
        Ok(Self { name, child, input, keeper: None, group, is_ended: false, is_refused: false })
    }

    fn keep(&mut self) -> io::Result<()> {
        if let Some(input) = &self.input {
            self.keeper = Some(Keeper::start(self.group, input)?);
        }
        Ok(())
    }

    /// From now on its input ends with this process's end of it.
    fn let_go(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.end();
        }
    }

    /// Closes its input: this is the end of the stream. Returns what tells how much of it was never read, where that can be told.
    fn close(&mut self) -> Option<File> {
        self.let_go();
        let input = self.input.take()?;
        unread(&input)
    }

    /// Waits until it ends. Its status stays where it is, so that nothing else can get its number and be killed for it.
    fn await_end(&mut self) {
        let wait = || rustix::process::waitid(WaitId::Pid(self.group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while wait().is_err_and(|errno| errno == rustix::io::Errno::INTR) {}
        self.is_ended = true;
    }

    fn kill(&mut self) {
        if !self.is_ended {
            kill(self.group);
            // Only when it is gone is its input closed.
            self.await_end();
        }
        self.let_go();
        self.input = None;
    }

    /// What came of it.
    fn judge(&mut self, fed: Fed, cancellation: &Cancellation) -> Result<(u64, u64)> {
        let path = self.name.clone();
        let status = self.child.wait().map_err(|source| Error::Target { action: "wait for", path, source })?;
        let what = match fed.written {
            Ok(counts) if status.success() && !fed.is_left => return Ok(counts),
            _ if cancellation.is_cancelled() => return Err(Error::Cancelled),
            Err(error) if !self.is_refused => return Err(error),
            _ if status.success() => "it ended before it had read everything".to_owned(),
            _ => format!("it ended with {status}"),
        };
        Err(Error::Target { action: "restore into", path: self.name.clone(), source: io::Error::other(what) })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else { return Err(io::ErrorKind::BrokenPipe.into()) };
        input.write(bytes).inspect_err(|error| self.is_refused |= error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// The other end of a pipe that was written to, so that it can be asked how much nobody has read. Only where the system
/// shows open files by name; without it a command that ends well counts as one that has read everything.
fn unread(input: &ChildStdin) -> Option<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).ok()?;
    let name = format!("/proc/self/fd/{}", input.as_raw_fd());
    File::options().read(true).custom_flags(flags).open(name).ok()
}
