//! `lbak dump`: writes a file, or an archive of a directory, to standard output or a file.

use std::{os::unix::ffi::OsStrExt, path::Path, sync::Arc};

use lbak::{DumpCheck, DumpForm, DumpOptions, DumpReport, Error, Event, FindingKind, Manifest, Observer, Repository};

use crate::{
    apart,
    arguments::{ArchiveForm, DumpArguments},
    exit::{Exit, with_hint},
    findings,
    invocation::Invocation,
    json, opening,
    output::Output,
    paths,
    progress::Work,
    selecting::{self, Choice},
    sizes,
    streams::{NewFile, RawOutput},
};

pub(crate) fn run(arguments: &DumpArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let file = arguments.output.as_deref().filter(|path| *path != Path::new("-"));
    let (snapshot, path) = paths::snapshot_and_path(&arguments.snapshot, arguments.path.as_deref())?;
    let opened = opening::open(invocation, arguments.threads)?;
    if let Some(file) = file {
        apart::refuse_output(&opened, file)?;
    }
    let (repository, output) = (&opened.repository, invocation.output);
    let Choice { manifest, exit } =
        selecting::choose(repository, output, (snapshot, path), arguments.at.as_deref(), &arguments.selection)?;
    warn_of_incomplete(output, &manifest);
    let mut options = DumpOptions {
        path: path.map(<[u8]>::to_vec),
        form: match arguments.archive {
            ArchiveForm::Auto => DumpForm::Auto,
            ArchiveForm::Tar => DumpForm::Tar,
        },
        check: if arguments.verify_first { DumpCheck::Everything } else { DumpCheck::Index },
        cancellation: invocation.cancellation(),
        ..DumpOptions::default()
    };
    let dumped = match file {
        Some(file) => Some(to_file(repository, &manifest, file, &mut options, invocation)?),
        None => to_stdout(repository, &manifest, &mut options, invocation)?,
    };
    let Some(report) = dumped else { return Ok(exit) };
    tell(output, &manifest, file, &report)?;
    findings::tell_after_losses(output, &report.finding_counts, &report.findings);
    let is_damaged = !repository.damage().is_empty();
    Ok(exit.or_worse(findings::exit(&report.finding_counts)).or_worse(Exit::damage_if(is_damaged)))
}

/// What could not be read when the snapshot was taken is missing here too, and what changed meanwhile may be torn.
pub(super) fn warn_of_incomplete(output: &Output, manifest: &Manifest) {
    let changed: u64 = manifest
        .findings
        .counts
        .iter()
        .filter(|found| found.kind == FindingKind::Changed)
        .map(|found| found.count)
        .sum();
    if changed > 0 {
        let files = sizes::counted(changed, "file was", "files were");
        let id = manifest.id.short();
        output.warn(&format!("{files} changing while this snapshot read them; `lbak cat snapshot {id}` names them"));
    }
    if !manifest.is_complete {
        let found = findings::counted(&manifest.findings.counts);
        output.warn(&format!("this snapshot is incomplete: {found}; what could not be read then is not there"));
    }
}

fn to_file(
    repository: &Repository,
    manifest: &Manifest,
    file: &Path,
    options: &mut DumpOptions,
    invocation: &Invocation<'_>,
) -> anyhow::Result<DumpReport> {
    let mut new = NewFile::create(file)?;
    let progress = invocation.progress(Work::Restore);
    options.observer = progress.observer();
    let report = lbak::dump(repository, manifest, options, &mut new).map_err(|error| match error {
        Error::Damaged { .. } => {
            let name = file.display();
            with_hint(
                error,
                &format!("{name} was not made; to standard output, in place of -o, what is good is written"),
            )
        }
        error => error.into(),
    })?;
    new.complete()?;
    Ok(report)
}

/// `None` when nobody read to the end.
fn to_stdout(
    repository: &Repository,
    manifest: &Manifest,
    options: &mut DumpOptions,
    invocation: &Invocation<'_>,
) -> anyhow::Result<Option<DumpReport>> {
    let mut stdout = RawOutput::new()?;
    // Standard output is not ours to talk on.
    let _progress = if invocation.output.is_json() {
        options.observer = Arc::new(Aside(Arc::clone(invocation.output)));
        None
    } else {
        let progress = invocation.progress(Work::Restore);
        options.observer = progress.observer();
        Some(progress)
    };
    match lbak::dump(repository, manifest, options, &mut stdout) {
        Err(_) if stdout.is_closed => Ok(None),
        Err(_) if stdout.is_refused => Err(RawOutput::refusal()),
        outcome => Ok(Some(outcome?)),
    }
}

/// Tells findings as JSON lines on standard error.
struct Aside(Arc<Output>);

impl Observer for Aside {
    fn event(&self, event: &Event<'_>) {
        if let Event::Finding(finding) = event {
            self.0.json_to_stderr(&json::Finding::of(finding));
        }
    }
}

fn tell(output: &Output, manifest: &Manifest, file: Option<&Path>, report: &DumpReport) -> anyhow::Result<()> {
    if output.is_json() {
        let place = file.map(|file| json::path(file.as_os_str().as_bytes()));
        let summary = json::DumpSummary { output: place, ..json::DumpSummary::of(manifest, report) };
        match file {
            Some(_) => output.json(&summary)?,
            None => output.json_to_stderr(&summary),
        }
        return Ok(());
    }
    let Some(file) = file else { return Ok(()) };
    let what = if report.is_archive { sizes::counted(report.entries, "entry", "entries") } else { "a file".to_owned() };
    output.report(&format!("wrote {what}, {}, to {}", sizes::bytes(report.bytes), file.display()))
}
