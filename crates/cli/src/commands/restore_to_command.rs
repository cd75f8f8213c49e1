//! `lbak restore … --to-command`: feeds a file, or an archive of a directory, to a command.

use std::{
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use lbak::{DumpCheck, DumpOptions, Error, Event, Observer, Stage};

use crate::{
    arguments::RestoreArguments,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json, opening, paths,
    progress::Work,
    selecting::{self, Choice},
    sizes,
};

pub(crate) fn run(arguments: &RestoreArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let Some((program, words)) = arguments.command.split_first() else {
        let trouble = Trouble::usage("--to-command needs a command");
        return Err(trouble.hint("give it behind two dashes: --to-command -- psql -d app").into());
    };
    if !arguments.to_command {
        return Err(Trouble::usage("a command is given without --to-command").into());
    }
    let (snapshot, path) = paths::split_snapshot(&arguments.snapshot);
    let opened = opening::open(invocation, arguments.threads)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let Choice { manifest, exit } =
        selecting::choose(repository, output, (snapshot, path), arguments.at.as_deref(), &arguments.selection)?;
    if output.is_json() {
        output.json(&json::Snapshot::of(&manifest, repository.now()))?;
        output.finish()?;
    }
    super::dump::warn_of_incomplete(output, &manifest);

    let mut command = Command::new(program);
    // The key is not the command's affair.
    command.args(words).env_remove("LBAK_PASSWORD");
    if output.is_json() {
        // What it says must not come between our lines.
        command.stdout(io::stderr().as_fd().try_clone_to_owned().context("cannot use standard error")?);
    }
    let progress = invocation.progress(Work::Restore);
    let feeding = Arc::new(Feeding { inner: progress.observer(), has_begun: AtomicBool::new(false) });
    let options = DumpOptions {
        path: path.map(<[u8]>::to_vec),
        check: if arguments.inline { DumpCheck::Index } else { DumpCheck::Everything },
        observer: Arc::clone(&feeding) as Arc<dyn Observer>,
        cancellation: invocation.cancellation(),
        ..DumpOptions::default()
    };
    let report = lbak::dump_to_command(repository, &manifest, &options, &mut command)
        .map_err(|error| feeding.explain_end(error, invocation))?;
    drop(progress);
    if output.is_json() {
        let words = arguments.command.iter().map(|word| json::path(word.as_bytes())).collect();
        output.json(&json::DumpSummary { command: Some(words), ..json::DumpSummary::of(&manifest, &report) })?;
    } else {
        let (bytes, program) = (sizes::bytes(report.bytes), program.to_string_lossy());
        output.note(&format!("{bytes} went to {program}, which ended with status 0"));
    }
    findings::tell_after_losses(output, &report.finding_counts, &report.findings);
    let is_damaged = !repository.damage().is_empty();
    Ok(exit.or_worse(findings::exit(&report.finding_counts)).or_worse(Exit::damage_if(is_damaged)))
}

/// Remembers whether the command has been started.
struct Feeding {
    inner: Arc<dyn Observer>,
    has_begun: AtomicBool,
}

impl Feeding {
    /// Whoever stops it must hear what became of the command.
    fn explain_end(&self, error: Error, invocation: &Invocation<'_>) -> anyhow::Error {
        let Some(exit) = invocation.signals.exit().filter(|_| matches!(error, Error::Cancelled)) else {
            return error.into();
        };
        let what = match self.has_begun.load(Ordering::Relaxed) {
            true => "the command was killed before its input ended: it saw no whole stream",
            false => "the command was not started",
        };
        Trouble::new(exit, format!("{}: {what}", exit.of_signal())).into()
    }
}

impl Observer for Feeding {
    fn event(&self, event: &Event<'_>) {
        // Only then are bytes written.
        if matches!(event, Event::Stage(Stage::Restoring)) {
            self.has_begun.store(true, Ordering::Relaxed);
        }
        self.inner.event(event);
    }

    fn wants_paths(&self) -> bool {
        self.inner.wants_paths()
    }
}
