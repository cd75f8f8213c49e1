//! `lbak snapshot`: takes a snapshot and reports what it was compared with, what it cost and what was wrong.

use std::os::unix::ffi::OsStrExt;

use lbak::{Lineage, LineageKind, LocalSource, Repository, SnapshotOptions, SnapshotReport, escape};

use crate::{
    arguments::SnapshotArguments, environment, exit::Exit, findings, invocation::Invocation, json, opening,
    output::Output, progress::Work, sizes,
};

pub(crate) fn run(arguments: &SnapshotArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    // A path that is not there is found out before a repository is made for it.
    let source = LocalSource::new(&arguments.paths)?;
    let opened = opening::open_or_make_default(invocation, arguments.threads)?;
    let (device, inode) = opened.backend.identity();
    let source = source.skip_identity(device, inode);

    let report = take(&opened.repository, &source, arguments, invocation)?;
    let output = invocation.output;
    if output.is_json() {
        output.json(&json::SnapshotSummary::of(&report))?;
    } else {
        tell(output, &report, &source)?;
    }
    findings::tell(output, &report.finding_counts, &report.findings);
    Ok(findings::exit(&report.finding_counts).or_worse(Exit::damage_if(!opened.repository.damage().is_empty())))
}

fn take(
    repository: &Repository,
    source: &LocalSource,
    arguments: &SnapshotArguments,
    invocation: &Invocation<'_>,
) -> anyhow::Result<SnapshotReport> {
    let progress = invocation.progress(Work::Snapshot);
    let options = SnapshotOptions {
        lineage: arguments.lineage.into(),
        host: arguments.host.clone().unwrap_or_else(environment::host),
        user: environment::user(),
        tags: arguments.tags.clone(),
        description: arguments.description.clone(),
        compression: arguments.compression.into(),
        dry_run: arguments.dry_run,
        observer: progress.observer(),
        cancellation: invocation.cancellation(),
        ..SnapshotOptions::default()
    };
    Ok(lbak::snapshot(repository, source, &options)?)
}

fn tell(output: &Output, report: &SnapshotReport, source: &LocalSource) -> anyhow::Result<()> {
    let paths: Vec<String> = source.paths().iter().map(|path| escape(path.as_os_str().as_bytes())).collect();
    let paths = paths.join(" ");
    let (files, totals, size) = (&report.files, &report.totals, &report.sizes);
    let is_stored = report.head.is_some();
    let seconds = report.elapsed.as_secs_f64();
    output.report(&match is_stored {
        true => format!("snapshot {} of {paths}", report.snapshot.short()),
        false => format!("dry run of {paths}: nothing was stored"),
    })?;
    output.report(&format!("  {}", compared(report)))?;
    output.report(&format!(
        "  files     {} new, {} changed, {} unchanged; {}, {}",
        sizes::count(files.new),
        sizes::count(files.changed),
        sizes::count(files.unchanged),
        sizes::counted(totals.directories, "directory", "directories"),
        sizes::counted(totals.links + totals.others, "other", "others"),
    ))?;
    output.report(&format!("  logical   {}", sizes::bytes(size.logical)))?;
    output.report(&format!("  new       {}", sizes::bytes(size.new)))?;
    output.report(&format!("  {} {}", if is_stored { "stored   " } else { "to store " }, sizes::bytes(size.stored)))?;
    let (read, rate) = (sizes::bytes(files.read_bytes), sizes::rate(files.read_bytes, seconds));
    output.report(&format!("  read      {read} in {seconds:.1} s ({rate})"))?;
    if report.lost_sessions > 0 {
        let times = sizes::counted(u64::from(report.lost_sessions), "time", "times");
        output.report(&format!("  begun again {times}, because of reclaiming"))?;
    }
    Ok(())
}

/// What it was compared with, and why that is not what was asked for, if so.
fn compared(report: &SnapshotReport) -> String {
    match (report.asked, &report.lineage) {
        (_, Lineage::Incremental { parent }) => {
            format!("incremental: compared with {}, the snapshot before it", parent.short())
        }
        (_, Lineage::Differential { base }) => {
            format!("differential: compared with {}, the last full snapshot", base.short())
        }
        (LineageKind::Full, Lineage::Full) => "full: every file was read".to_owned(),
        (LineageKind::Incremental, Lineage::Full) => {
            "full: there is no earlier snapshot of these paths on this host to compare with".to_owned()
        }
        (LineageKind::Differential, Lineage::Full) => {
            "full: there is no full snapshot of these paths on this host to compare with".to_owned()
        }
    }
}
