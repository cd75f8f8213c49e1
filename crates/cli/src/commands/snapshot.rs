//! `lbak snapshot`: takes a snapshot and reports what it was compared with, what it cost and what was wrong.

use std::{os::unix::ffi::OsStrExt, sync::Arc};

use lbak::{
    ExclusionCount, Lineage, LineageKind, Observer, ReadBack, Repository, SelectedSource, SnapshotOptions,
    SnapshotReport, Source, WriterOptions, patterns::PatternCount,
};

use crate::{
    apart,
    arguments::SnapshotArguments,
    environment,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json, making,
    named::Named,
    opening::{Opened, Place},
    output::Output,
    path_lines::PathLines,
    paths,
    progress::{Progress, Work},
    sizes, wanted,
};

pub(crate) fn run(arguments: &SnapshotArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    if arguments.stream.is_asked_for() {
        return super::stream::run(arguments, invocation);
    }
    // A path that is not there is found out before a repository is made for it.
    let named = Named::read(&arguments.all_paths(), &arguments.wanted)?;
    let source = named.source()?;
    apart::refuse_inside(&Place::meant(invocation)?, &named.paths)?;
    let given = wanted::patterns(&arguments.wanted)?;
    let mut rules = wanted::rules(&arguments.wanted, &given)?;
    let opened = making::open_or_make_default(invocation, arguments.threads, arguments.dry_run)?;
    rules.repositories.push(opened.backend.identity());

    let observing = Observing::new(arguments, invocation);
    let selected = SelectedSource::new(&source, rules)
        .observed_by(Arc::clone(&observing.observer))
        .stopped_by(invocation.cancellation());
    let report = take(&opened.repository, &selected, &observing, arguments, invocation)?;
    drop(observing);
    let named = paths::joined(source.paths().iter().map(|path| path.as_os_str().as_bytes()));
    let left_out = LeftOut { excluded: selected.excluded(), patterns: selected.pattern_counts() };
    let exit = tell_all(&opened, &report, &left_out, &named, invocation)?;
    given.tell_unmatched(invocation.output, &left_out.patterns);
    Ok(exit)
}

/// What was left out, and which patterns did it.
#[derive(Default)]
pub(super) struct LeftOut {
    excluded: Vec<ExclusionCount>,
    patterns: Vec<PatternCount>,
}

/// Shows what is done, until it is dropped.
pub(super) struct Observing {
    observer: Arc<dyn Observer>,
    _progress: Progress,
}

impl Observing {
    pub(super) fn new(arguments: &SnapshotArguments, invocation: &Invocation<'_>) -> Self {
        let progress = invocation.progress(Work::Snapshot);
        let observer: Arc<dyn Observer> = PathLines::new(progress.observer(), invocation.output, arguments.dry_run);
        Self { observer, _progress: progress }
    }
}

/// Tells what came of a snapshot of whatever is named so.
pub(super) fn tell_all(
    opened: &Opened,
    report: &SnapshotReport,
    left_out: &LeftOut,
    named: &str,
    invocation: &Invocation<'_>,
) -> anyhow::Result<Exit> {
    let output = invocation.output;
    let told = match output.is_json() {
        true => output.json(&json::SnapshotSummary::of(report, &left_out.excluded, &left_out.patterns)),
        false => tell(output, report, &left_out.excluded, named),
    };
    // Written out here: later nobody knows any more that there is a snapshot.
    let told = told.and_then(|()| output.finish());
    findings::tell(output, &report.finding_counts, &report.findings);
    tell_damage(output, &opened.repository, report);
    tell_spoiled(output, report.spoiled_blocks);
    told.map_err(|error| match report.head {
        Some(_) => {
            let what = format!("snapshot {} was committed, but the report could not be written", report.snapshot);
            error.context(Trouble::new(Exit::Failed, what))
        }
        None => error,
    })?;
    let is_damaged = !report.damage.is_empty() || !opened.repository.damage().is_empty();
    let of_machine = if report.spoiled_blocks > 0 { Exit::Incomplete } else { Exit::Done };
    Ok(findings::exit(&report.finding_counts).or_worse(of_machine).or_worse(Exit::damage_if(is_damaged)))
}

/// Tells that this machine makes mistakes. Programs read of it in the summary.
fn tell_spoiled(output: &Output, blocks: u64) {
    if blocks == 0 || output.is_json() {
        return;
    }
    output.warn(&format!(
        "{} not what was meant just after it was sealed, and was sealed once more: memory or processor of this machine is unreliable",
        sizes::counted(blocks, "block was", "blocks were"),
    ));
    output.detail("hint: test its memory, and run `lbak verify --read-data` on another machine");
}

fn read_back(arguments: &SnapshotArguments) -> ReadBack {
    if arguments.paranoid { ReadBack::Everything } else { ReadBack::Sampled }
}

/// Tells of damage in the repository that did no harm to this snapshot. Programs read of it in the summary.
fn tell_damage(output: &Output, repository: &Repository, report: &SnapshotReport) {
    if report.damage.is_empty() || output.is_json() {
        return;
    }
    // What was met when the repository was opened was told then.
    let told: Vec<String> = repository.damage().iter().map(ToString::to_string).collect();
    let untold: Vec<&String> = report.damage.iter().filter(|damage| !told.contains(damage)).collect();
    let shown = if output.is_verbose() { untold.len() } else { untold.len().min(findings::TOLD) };
    untold.iter().take(shown).for_each(|damage| output.warn(damage));
    if shown < untold.len() {
        output.detail(&format!("  … and {} more (-v tells all)", sizes::count((untold.len() - shown) as u64)));
    }
    let outcome = match report.head {
        Some(_) => format!("snapshot {} was committed all the same", report.snapshot.short()),
        None => "the dry run was made all the same".to_owned(),
    };
    output.warn(&format!("the repository is damaged; {outcome}"));
    output.detail("hint: `lbak verify` names what is damaged and which snapshots and paths it hurts");
}

pub(super) fn take(
    repository: &Repository,
    source: &dyn Source,
    observing: &Observing,
    arguments: &SnapshotArguments,
    invocation: &Invocation<'_>,
) -> anyhow::Result<SnapshotReport> {
    let options = SnapshotOptions {
        lineage: arguments.lineage.into(),
        host: arguments.host.clone().unwrap_or_else(environment::host),
        user: environment::user(),
        tags: arguments.tags.clone(),
        description: arguments.description.clone(),
        compression: arguments.compression.into(),
        ignore_ctime: arguments.ignore_ctime,
        ignore_inode: arguments.ignore_inode,
        dry_run: arguments.dry_run,
        writer: WriterOptions { read_back: read_back(arguments), ..WriterOptions::default() },
        observer: Arc::clone(&observing.observer),
        cancellation: invocation.cancellation(),
        ..SnapshotOptions::default()
    };
    Ok(lbak::snapshot(repository, source, &options)?)
}

fn tell(output: &Output, report: &SnapshotReport, excluded: &[ExclusionCount], named: &str) -> anyhow::Result<()> {
    let (files, totals, size) = (&report.files, &report.totals, &report.sizes);
    let is_stored = report.head.is_some();
    let seconds = report.elapsed.as_secs_f64();
    output.report(&match is_stored {
        true => format!("snapshot {} of {named}", report.snapshot.short()),
        false => format!("dry run of {named}: nothing was stored"),
    })?;
    output.report(&format!("  {}", compared(report)))?;
    // They look unchanged, but so soon after a change that is no proof.
    let again = match files.unsettled {
        0 => String::new(),
        unsettled => format!(", {} read again", sizes::count(unsettled)),
    };
    let unreadable = match files.unreadable {
        0 => String::new(),
        unreadable => format!(", {} unreadable", sizes::count(unreadable)),
    };
    output.report(&format!(
        "  files     {} new, {} changed, {} unchanged{again}{unreadable}",
        sizes::count(files.new),
        sizes::count(files.changed),
        sizes::count(files.unchanged),
    ))?;
    output.report(&format!(
        "  beside    {}, {}, {}",
        sizes::counted(totals.directories, "directory", "directories"),
        sizes::counted(totals.links, "link", "links"),
        sizes::counted(totals.others, "other", "others"),
    ))?;
    output.report(&format!("  logical   {}", sizes::bytes(size.logical)))?;
    output.report(&format!("  new       {}", sizes::bytes(size.new)))?;
    // What would be stored is not known without compressing it.
    if is_stored {
        output.report(&format!("  stored    {}", sizes::bytes(size.stored)))?;
    }
    output.report(&format!("  read      {}", sizes::in_time(files.read_bytes, files.read_bytes, seconds)))?;
    for ExclusionCount { exclusion, count } in excluded.iter().filter(|_| output.is_verbose()) {
        output.report(&format!("  left out  {}: {exclusion}", sizes::count(*count)))?;
    }
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
