//! `lbak diff`: what differs between two snapshots, or between a snapshot and what is there now.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

use lbak::{
    Change, ChangeCounts, ChangeKind, Committed, DiffOptions, DiffReport, DiffSide, Differing, Error, FileKind,
    LocalSource, Manifest, Pick, escape,
};

use crate::{
    arguments::DiffArguments,
    environment,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json,
    opening::{self, Opened},
    output::Output,
    paths, selecting, sizes,
};

/// What a snapshot is compared with.
enum Second<'a> {
    Snapshot(&'a OsStr),
    /// Paths on this machine.
    Paths(Vec<PathBuf>),
    /// Where it came from.
    Origin,
}

pub(crate) fn run(arguments: &DiffArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let second = second(arguments.second.as_deref())?;
    if arguments.content && matches!(second, Second::Snapshot(_)) {
        let trouble = Trouble::usage("--content reads files of this machine, and two snapshots are compared");
        return Err(trouble.hint("contents of snapshots are always compared, by the ids of their chunks").into());
    }
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let catalog = repository.catalog()?;
    selecting::tell_damage(output, &catalog);
    let choose = |given: &OsStr| -> anyhow::Result<&Committed> {
        selecting::choose_one(&catalog, repository.now(), paths::split_snapshot(given), &arguments.selection)
    };
    let before = &choose(&arguments.first)?.manifest;
    let before_path = paths::split_snapshot(&arguments.first).1;
    let after = match &second {
        Second::Snapshot(given) => Some(&choose(given)?.manifest),
        Second::Paths(_) | Second::Origin => None,
    };
    let side = |snapshot, path| DiffSide { snapshot, path };
    let is_verbose = output.is_verbose();
    let options = DiffOptions {
        metadata: arguments.metadata || is_verbose,
        content: arguments.content,
        cancellation: invocation.cancellation(),
    };

    let (first_text, second_text) =
        (described(before, before_path), describe_second(&second, before, before_path, after));
    output.note(&format!("{first_text} → {second_text}"));
    let mut failed = None;
    let mut show = |change: &Change<'_>| {
        let told = tell(output, change);
        // Nobody reads on: there is no use in comparing on.
        if told.is_err() || output.is_closed() {
            failed = told.err();
            return Err(Error::Cancelled);
        }
        Ok(())
    };
    let outcome = match (&second, after) {
        (Second::Snapshot(given), Some(after)) => {
            let after = side(after, paths::split_snapshot(given).1);
            lbak::diff(repository, side(before, before_path), after, &options, &mut show)
        }
        _ => {
            let source = source(&second, before, before_path, &opened)?;
            lbak::diff_with_source(repository, side(before, before_path), &source, &options, &mut show)
        }
    };
    let report = match (failed, outcome) {
        (Some(error), _) => return Err(error),
        (None, Err(Error::Cancelled)) if output.is_closed() => return Ok(Exit::Done),
        (None, Err(error)) => return Err(explain(error, before, after)),
        (None, Ok(report)) => report,
    };
    if output.is_json() {
        report.findings.iter().try_for_each(|finding| output.json(&json::Finding::of(finding)))?;
        output.json(&json::inspect::DiffStatistics::of(&report, before, after))?;
    } else {
        tell_totals(output, &report)?;
    }
    findings::tell(output, &report.finding_counts, &report.findings);
    let is_damaged = !repository.damage().is_empty() || !catalog.damaged.is_empty();
    Ok(findings::exit(&report.finding_counts).or_worse(Exit::damage_if(is_damaged)))
}

/// A snapshot's name, or a path: what has a slash before any colon, and what can be no snapshot.
fn second(given: Option<&OsStr>) -> anyhow::Result<Second<'_>> {
    let Some(given) = given else { return Ok(Second::Origin) };
    let name = paths::split_snapshot(given).0;
    let is_path = name.as_bytes().contains(&b'/') || matches!(name.as_bytes(), b"." | b"..");
    if !is_path && Pick::parse(&name.to_string_lossy()).is_ok() {
        return Ok(Second::Snapshot(given));
    }
    if !is_path && std::fs::symlink_metadata(given).is_err() {
        let what = format!("`{}` is neither a snapshot nor something on this machine", escape(given.as_bytes()));
        let hint = "give `latest`, `latest~N`, at least 4 digits of an id, or a path";
        return Err(Trouble::usage(what).hint(hint).into());
    }
    Ok(Second::Paths(vec![PathBuf::from(given)]))
}

/// What is on this machine now, without the repository itself.
fn source(second: &Second<'_>, before: &Manifest, path: Option<&[u8]>, opened: &Opened) -> anyhow::Result<LocalSource> {
    let (device, inode) = opened.backend.identity();
    let paths = match second {
        Second::Paths(paths) => paths.clone(),
        Second::Origin | Second::Snapshot(_) => {
            let origins = paths::origins(before, path);
            // What is gone was removed, as long as something is there to compare with.
            let there: Vec<PathBuf> = origins.iter().filter(|path| path.symlink_metadata().is_ok()).cloned().collect();
            if there.is_empty() { origins } else { there }
        }
    };
    Ok(LocalSource::new(&paths)?.skip_identity(device, inode))
}

fn described(snapshot: &Manifest, path: Option<&[u8]>) -> String {
    let part = path.map(|path| format!(":{}", escape(path))).unwrap_or_default();
    format!("snapshot {}{part} ({})", snapshot.id.short(), selecting::when(snapshot))
}

fn describe_second(second: &Second<'_>, before: &Manifest, path: Option<&[u8]>, after: Option<&Manifest>) -> String {
    let listed = |paths: &[PathBuf]| -> String {
        let paths: Vec<String> = paths.iter().map(|path| escape(path.as_os_str().as_bytes())).collect();
        format!("{} as it is now", paths.join(" "))
    };
    match (second, after) {
        (Second::Snapshot(given), Some(after)) => described(after, paths::split_snapshot(given).1),
        (Second::Paths(paths), _) => listed(paths),
        // The same paths on another machine may hold something else.
        _ if before.host != environment::host() => {
            let (host, origins) = (escape(before.host.as_bytes()), listed(&paths::origins(before, path)));
            format!("{origins} on this machine ({}); the snapshot is of host {host}", environment::host())
        }
        _ => listed(&paths::origins(before, path)),
    }
}

fn explain(error: Error, before: &Manifest, after: Option<&Manifest>) -> anyhow::Error {
    if let Error::NotInSnapshot { snapshot, .. } = &error {
        let manifest = after.filter(|after| after.id == *snapshot).unwrap_or(before);
        return selecting::explain_path(error, manifest);
    }
    error.into()
}

fn tell(output: &Output, change: &Change<'_>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&json::inspect::Changed::of(change, modifier(change)));
    }
    let shown = change.after.or(change.before);
    let slash = if shown.is_some_and(|entry| entry.kind() == FileKind::Directory) { "/" } else { "" };
    let slash = if change.path.ends_with(b"/") { "" } else { slash };
    let fields: Vec<&str> = change.fields.iter().map(|&field| json::inspect::field_name(field)).collect();
    let fields = if fields.is_empty() { String::new() } else { format!("  ({})", fields.join(", ")) };
    output.line(&format!("{:<4} {}{slash}{fields}", modifier(change), escape(change.path)))
}

/// Restic's letters, and `?` for what was not read.
fn modifier(change: &Change<'_>) -> &'static str {
    match change.kind {
        ChangeKind::Added => "+",
        ChangeKind::Removed => "-",
        ChangeKind::Modified if change.is_silent => "M?",
        ChangeKind::Modified => "M",
        ChangeKind::MaybeModified => "?",
        ChangeKind::Metadata => "U",
        ChangeKind::Type => "T",
    }
}

fn tell_totals(output: &Output, report: &DiffReport) -> anyhow::Result<()> {
    let Differing { added, removed, modified, maybe_modified, metadata, new_bytes, gone_bytes } = &report.differing;
    if !report.differing.is_any() {
        return output.report("no difference");
    }
    let line = |what: &str, counts: &ChangeCounts, more: String| match is_none(counts) {
        true => Ok(()),
        false => output.report(&format!("{what:<9} {}{more}", counted(counts))),
    };
    line("added", added, String::new())?;
    line("removed", removed, String::new())?;
    let pieces = match (new_bytes, gone_bytes) {
        (Some(new), Some(gone)) => {
            format!("; new in them {}, gone {}", sizes::bytes(*new), sizes::bytes(*gone))
        }
        _ => String::new(),
    };
    line("modified", modified, pieces)?;
    line("perhaps", maybe_modified, " (--content reads them)".to_owned())?;
    line("updated", metadata, String::new())?;
    if !report.in_common {
        output.note("nothing is on both sides: name the parts that are to be compared, as SNAPSHOT:PATH");
    }
    Ok(())
}

fn is_none(counts: &ChangeCounts) -> bool {
    counts.files + counts.directories + counts.others == 0
}

/// `2 files (1.0 KiB), 1 directory`.
fn counted(counts: &ChangeCounts) -> String {
    let mut parts = Vec::new();
    if counts.files > 0 {
        parts.push(format!("{} ({})", sizes::counted(counts.files, "file", "files"), sizes::bytes(counts.bytes)));
    }
    if counts.directories > 0 {
        parts.push(sizes::counted(counts.directories, "directory", "directories"));
    }
    if counts.others > 0 {
        parts.push(sizes::counted(counts.others, "other", "others"));
    }
    parts.join(", ")
}
