//! `lbak restore`: chooses a snapshot, restores it or a part of it, and reports what could not be.

use std::{io, os::unix::ffi::OsStrExt, path::Path};

use lbak::{Error, Finding, FindingKind, Manifest, RestoreOptions, RestoreReport};

use crate::{
    apart,
    arguments::RestoreArguments,
    chosen, confining, environment,
    exit::{Exit, Trouble, with_hint},
    findings,
    invocation::Invocation,
    json,
    opening::{self, Opened},
    output::Output,
    path_lines::PathLines,
    paths,
    progress::Work,
    questions,
    selecting::{self, Choice},
    sizes,
};

pub(crate) fn run(arguments: &RestoreArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    refuse_root(arguments)?;
    let given = chosen::patterns(&arguments.chosen)?;
    let attributes = chosen::attributes(&arguments.setting.exclude_xattr, &arguments.setting.include_xattr)?;
    let (snapshot, path) = paths::split_snapshot(&arguments.snapshot);
    let opened = opening::open(invocation, arguments.threads)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let Choice { manifest, exit } =
        selecting::choose(repository, output, (snapshot, path), arguments.at.as_deref(), &arguments.selection)?;
    if output.is_json() {
        output.json(&json::Snapshot::of(&manifest, repository.now()))?;
    }
    super::dump::warn_of_incomplete(output, &manifest);
    if arguments.original {
        if manifest.host != environment::host() {
            let host = lbak::escape(manifest.host.as_bytes());
            output.warn(&format!(
                "this snapshot is of host {host}; --original writes on this machine ({})",
                environment::host()
            ));
        }
        if !arguments.dry_run {
            confirm_original(arguments, &manifest, path)?;
        }
    }

    let progress = invocation.progress(if arguments.dry_run { Work::Looking } else { Work::Restore });
    let options = RestoreOptions {
        path: path.map(<[u8]>::to_vec),
        patterns: given.patterns.clone(),
        place: if arguments.original { lbak::Place::Original } else { lbak::Place::Contents },
        in_place: arguments.in_place(),
        untouched: apart::untouched(invocation, &opened),
        ownership: arguments.setting.owner.into(),
        attributes,
        verify: arguments.setting.verify,
        dry_run: arguments.dry_run,
        observer: PathLines::new(progress.observer(), output, arguments.dry_run),
        cancellation: invocation.cancellation(),
        before_writing: confined(arguments, invocation, &opened)?,
        ..RestoreOptions::default()
    };
    // With `--original` every path has its own place, below the root.
    let target = arguments.target().unwrap_or(Path::new("/"));
    let outcome = lbak::restore(repository, &manifest, target, &options);
    drop(progress);
    let report = outcome.map_err(|error| match can_go_on(arguments, &error) {
        true => explain_end(error, invocation),
        false => selecting::explain_path(error, &manifest),
    })?;
    if output.is_json() {
        output.json(&summary(&manifest, arguments, &report))?;
    } else {
        tell(output, arguments, &report)?;
    }
    findings::tell_after_losses(output, &report.finding_counts, &report.findings);
    given.tell_unmatched(output, &report.patterns);
    tell_what_else_to_do(output, arguments, &report);
    let is_damaged = report.lost > 0 || !repository.damage().is_empty();
    Ok(exit.or_worse(findings::exit(&report.finding_counts)).or_worse(Exit::damage_if(is_damaged)))
}

/// Nothing but the target is written to, and where lbak keeps its own. What goes back to where it was may go anywhere.
fn confined(
    arguments: &RestoreArguments,
    invocation: &Invocation<'_>,
    opened: &Opened,
) -> anyhow::Result<Option<lbak::BeforeWriting>> {
    if arguments.original {
        return Ok(None);
    }
    let own = [Some(opening::Place::meant(invocation)?.folder().to_owned()), environment::cache()];
    let own = own.into_iter().flatten().collect();
    Ok(Some(confining::to_target(&opened.repository, own, invocation.output)))
}

/// `lbak restore latest /` would be a mistake with no way back.
fn refuse_root(arguments: &RestoreArguments) -> anyhow::Result<()> {
    if arguments.target().is_some_and(paths::is_root) {
        let trouble = Trouble::usage("refusing to restore into /");
        return Err(trouble.hint("--original puts everything back where it was").into());
    }
    Ok(())
}

fn confirm_original(arguments: &RestoreArguments, manifest: &Manifest, path: Option<&[u8]>) -> anyhow::Result<()> {
    if arguments.yes {
        return Ok(());
    }
    match questions::ask(&question(manifest, path, &environment::host()))? {
        Some(true) => Ok(()),
        Some(false) => Err(Trouble::new(Exit::Failed, "nothing was restored").into()),
        None => {
            let what = "--original writes where the data came from, and there is no terminal to ask on";
            Err(Trouble::usage(what).hint("give --yes if that is what you mean").into())
        }
    }
}

/// What is written, on which machine, and from whose snapshot.
fn question(manifest: &Manifest, path: Option<&[u8]>, here: &str) -> String {
    let origins = paths::origins(manifest, path);
    let what = paths::joined(origins.iter().map(|path| path.as_os_str().as_bytes()));
    let from = match manifest.host == here {
        true => String::new(),
        false => format!(", from a snapshot of host {}", lbak::escape(manifest.host.as_bytes())),
    };
    format!("put back {what} on this machine ({here}){from}? [y/N] ")
}

/// Tells whether a restore that ends before its time has not been for nothing.
fn can_go_on(arguments: &RestoreArguments, error: &Error) -> bool {
    let has_begun = match error {
        Error::Cancelled | Error::Store { .. } => true,
        // Others tell of a target in which nothing can be made at all.
        Error::Target { source, .. } => {
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::Other)
        }
        _ => false,
    };
    has_begun && !arguments.dry_run && arguments.target().is_none_or(Path::exists)
}

/// The end of such a restore, and how to go on.
fn explain_end(error: Error, invocation: &Invocation<'_>) -> anyhow::Error {
    const GO_ON: &str = "files that are complete stay; the same command with --in-place restores only what is missing";
    match invocation.signals.exit().filter(|_| matches!(error, Error::Cancelled)) {
        Some(exit) => Trouble::new(exit, exit.of_signal()).hint(GO_ON).into(),
        None => with_hint(error, GO_ON),
    }
}

/// What was left as it is can be had otherwise.
fn tell_what_else_to_do(output: &Output, arguments: &RestoreArguments, report: &RestoreReport) {
    if report.spared_directories > 0 {
        let directories = sizes::counted(report.spared_directories, "directory", "directories");
        output.note(&format!(
            "nothing {} deleted in {directories} of which names were left out when the snapshot was taken, for what is there may be \
             those; --delete-unread deletes there too",
            if arguments.dry_run { "would be" } else { "was" },
        ));
    }
    let is_unowned = |finding: &Finding| {
        finding.kind == FindingKind::MetadataUnset && finding.message.starts_with("owner or group of ")
    };
    if report.findings.iter().any(is_unowned) {
        output.note("--owner none leaves the files to who restores them, and is no finding");
    }
    let is_taken =
        |finding: &Finding| finding.kind == FindingKind::Unwritable && finding.message.contains("is there already");
    if arguments.in_place().is_none() && report.findings.iter().any(is_taken) {
        output.note("what is there already stays as it is; --in-place changes what differs in it");
    }
}

fn tell(output: &Output, arguments: &RestoreArguments, report: &RestoreReport) -> anyhow::Result<()> {
    let totals = &report.totals;
    let seconds = report.elapsed.as_secs_f64();
    let place = match arguments.target() {
        Some(target) => format!("to {}", target.display()),
        None => "to where it was".to_owned(),
    };
    output.report(&format!(
        "{} {}, {}, {} {place}",
        if arguments.dry_run { "would restore" } else { "restored" },
        sizes::counted(totals.files, "file", "files"),
        sizes::counted(totals.directories, "directory", "directories"),
        sizes::counted(totals.links + totals.others, "other", "others"),
    ))?;
    // A dry run reads nothing: it has no speed. Nor has what was there already.
    output.report(&match arguments.dry_run {
        true => format!("  {}", sizes::bytes(report.bytes)),
        false => format!("  {}", sizes::in_time(report.bytes, report.written_bytes, seconds)),
    })?;
    if arguments.in_place().is_some() {
        let actions = &report.actions;
        output.report(&format!(
            "  {} created, {} updated, {} unchanged, {} deleted; {} written",
            sizes::count(actions.created),
            sizes::count(actions.updated),
            sizes::count(actions.kept),
            sizes::count(actions.deleted),
            sizes::bytes(report.written_bytes),
        ))?;
    }
    if arguments.setting.verify && !arguments.dry_run {
        output.report(&format!(
            "  read back: {} as in the snapshot",
            sizes::counted(report.verified_files, "file is", "files are"),
        ))?;
    }
    Ok(())
}

fn summary(manifest: &Manifest, arguments: &RestoreArguments, report: &RestoreReport) -> json::RestoreSummary {
    json::RestoreSummary {
        message_type: "summary",
        dry_run: arguments.dry_run,
        snapshot_id: manifest.id.to_string(),
        target: arguments.target().map(|target| json::path(target.as_os_str().as_bytes())),
        total_duration: report.elapsed.as_secs_f64(),
        files_restored: report.totals.files,
        directories: report.totals.directories,
        links: report.totals.links,
        others: report.totals.others,
        bytes_restored: report.bytes,
        files_lost: report.lost,
        entries_created: report.actions.created,
        entries_updated: report.actions.updated,
        entries_unchanged: report.actions.kept,
        entries_deleted: report.actions.deleted,
        directories_spared: report.spared_directories,
        bytes_written: report.written_bytes,
        files_verified: (arguments.setting.verify && !arguments.dry_run).then_some(report.verified_files),
        findings: json::finding_counts(&report.finding_counts),
        patterns: json::pattern_counts(&report.patterns),
    }
}
