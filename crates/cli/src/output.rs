//! Where everything that is said goes: results to standard output, the rest to standard error.
//!
//! A closed pipe (`lbak ls … | head`) is no error: nothing more is written, and what the command was asked to do is done.
//! Whatever names files or repeats stored text goes through [`visible`](crate::tables::visible), so that no name drives the terminal.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{arguments::GlobalArguments, exit::Exit, json, tables::visible, wrapping::wrapped};

/// Standard output and standard error of one invocation.
pub(crate) struct Output {
    is_json: bool,
    is_quiet: bool,
    verbosity: u8,
    stdout: Mutex<BufWriter<Stdout>>,
    is_closed: AtomicBool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Output {
    pub(crate) fn new(arguments: &GlobalArguments) -> Self {
        Self {
            is_json: arguments.json,
            is_quiet: arguments.quiet,
            verbosity: arguments.verbose,
            stdout: Mutex::new(BufWriter::new(io::stdout())),
            is_closed: AtomicBool::new(false),
            bar: Mutex::default(),
        }
    }

    /// Results are JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Only results, warnings and errors are told.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// More is told.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity > 0
    }

    /// Still more is told.
    pub(crate) fn is_very_verbose(&self) -> bool {
        self.verbosity > 1
    }

    /// Nobody reads standard output any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Writes a line of the result.
    pub(crate) fn line(&self, line: &str) -> anyhow::Result<()> {
        self.write(visible(line).as_bytes())
    }

    /// Writes a line of the result while a bar may be shown.
    pub(crate) fn line_beside_bar(&self, line: &str) -> anyhow::Result<()> {
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| self.line(line).and_then(|()| self.finish())),
            None => self.line(line),
        }
    }

    /// Writes bytes of the result as they are: a script, a page.
    pub(crate) fn raw(&self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let outcome = self.stdout().write_all(bytes);
        self.judge(outcome)
    }

    /// Writes a line of a report on work that was done: not with `--quiet`.
    pub(crate) fn report(&self, line: &str) -> anyhow::Result<()> {
        if self.is_quiet { Ok(()) } else { self.line(line) }
    }

    /// Writes a JSON line.
    pub(crate) fn json(&self, message: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(message).context("cannot write JSON")?;
        self.write(line.as_bytes())
    }

    /// Writes a JSON line at once: a reader waits for it.
    pub(crate) fn json_now(&self, message: &impl Serialize) -> anyhow::Result<()> {
        self.json(message)?;
        self.finish()
    }

    /// Says something worth knowing: not with `--quiet`.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_quiet {
            self.say(text, "note", "");
        }
    }

    /// Passes on a line that a command whose output is backed up wrote to standard error.
    pub(crate) fn overheard(&self, line: &str) {
        self.say(line, "command_stderr", "");
    }

    /// Says something that must not be missed.
    pub(crate) fn warn(&self, text: &str) {
        self.say(text, "warning", "lbak: warning: ");
    }

    /// Says something that belongs to a warning before it.
    pub(crate) fn detail(&self, text: &str) {
        if !self.is_json {
            self.to_stderr(&format!("{}\n", fitted(&visible(text))));
        }
    }

    /// Says something of a path, in a line that is never broken.
    pub(crate) fn note_of_path(&self, line: &str) {
        if self.is_json || self.is_quiet {
            return self.note(line);
        }
        self.to_stderr(&format!("{}\n", visible(line)));
    }

    /// Says why the program ends.
    pub(crate) fn error(&self, exit: Exit, message: &str, hint: Option<&str>) {
        if self.is_json {
            let message = json::ExitError { message_type: "exit_error", code: exit as u8, message, hint };
            return self.json_to_stderr(&message);
        }
        self.to_stderr(&format!("{}\n", fitted(&format!("lbak: {}", visible(message)))));
        // Names in a hint are escaped: what ends a line in it was meant to.
        for (number, line) in hint.into_iter().flat_map(str::lines).enumerate() {
            // What is indented can be pasted as it stands.
            let is_to_paste = line.starts_with(' ');
            let line = format!("{}{}", if number == 0 { "hint: " } else { "" }, visible(line));
            self.to_stderr(&format!("{}\n", if is_to_paste { line } else { fitted(&line) }));
        }
    }

    /// Writes out what is still held back.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let outcome = self.stdout().flush();
        self.judge(outcome)
    }

    /// Text on standard error is kept apart from this bar until it is taken away again.
    pub(crate) fn show_bar(&self, bar: Option<ProgressBar>) {
        let before = std::mem::replace(&mut *self.bar.lock().unwrap_or_else(PoisonError::into_inner), bar);
        if let Some(before) = before {
            before.finish_and_clear();
        }
    }

    /// What the bar says.
    pub(crate) fn move_bar(&self, text: &str) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_message(visible(text).into_owned());
        }
    }

    /// Somebody watches standard error.
    pub(crate) fn is_watched() -> bool {
        io::stderr().is_terminal()
    }

    /// Columns of the terminal behind standard error.
    pub(crate) fn columns() -> usize {
        let size = rustix::termios::tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col));
        size.ok().filter(|columns| *columns > 0).unwrap_or(80)
    }

    fn say(&self, text: &str, kind: &'static str, prefix: &str) {
        if self.is_json {
            return self.json_to_stderr(&json::Note { message_type: kind, message: text });
        }
        self.to_stderr(&format!("{}\n", fitted(&format!("{prefix}{}", visible(text)))));
    }

    /// Writes a JSON line beside the results.
    pub(crate) fn json_to_stderr(&self, message: &impl Serialize) {
        if let Ok(line) = serde_json::to_string(message) {
            self.to_stderr(&format!("{line}\n"));
        }
    }

    /// Standard error is the last resort: when it can not be written there is nobody left to tell.
    fn to_stderr(&self, text: &str) {
        let write = || {
            let _ = io::stderr().write_all(text.as_bytes());
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn write(&self, line: &[u8]) -> anyhow::Result<()> {
        if self.is_closed() {
            return Ok(());
        }
        let mut stdout = self.stdout();
        let outcome = stdout.write_all(line).and_then(|()| stdout.write_all(b"\n"));
        drop(stdout);
        self.judge(outcome)
    }

    fn judge(&self, outcome: io::Result<()>) -> anyhow::Result<()> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            other => other.context("cannot write to standard output"),
        }
    }

    fn stdout(&self) -> MutexGuard<'_, BufWriter<Stdout>> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line as a terminal has room for it; anywhere else as it is, for who reads line by line.
fn fitted(line: &str) -> String {
    if Output::is_watched() { wrapped(line, Output::columns()) } else { line.to_owned() }
}
