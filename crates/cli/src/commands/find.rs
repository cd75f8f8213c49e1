//! `lbak find`: in which snapshots something is, and where.

use lbak::{
    Error, FindOptions, FindReport, Finding, FindingCount, HistoryReport, Hit, Manifest, PathHistory, Repository,
    SnapshotId, Timestamp, escape,
};

use crate::{
    arguments::FindArguments,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json,
    listing::Listing,
    opening,
    output::Output,
    patterns, selecting, sizes,
    tables::{Align, Table},
    times,
};

pub(crate) fn run(arguments: &FindArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let now = repository.now();
    let options = options(arguments, now, invocation)?;
    let catalog = repository.catalog()?;
    let chosen = selecting::choose_all(&catalog, output, now, &arguments.snapshots, &arguments.selection)?;
    if chosen.is_empty() {
        return Err(Trouble::new(Exit::NoSnapshot, "no snapshot to look into").into());
    }
    // What was last seen is what most people look for.
    let mut snapshots: Vec<&Manifest> = chosen.iter().map(|snapshot| &snapshot.manifest).collect();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse((moment(snapshot), snapshot.id)));
    let found = match arguments.history {
        true => history(repository, &snapshots, &options, output)?,
        false => find(repository, &snapshots, &options, arguments, output)?,
    };
    let Some(Found { finding_counts, findings }) = found else { return Ok(Exit::Done) };
    if output.is_json() {
        findings.iter().try_for_each(|finding| output.json(&json::Finding::of(finding)))?;
    }
    findings::tell(output, &finding_counts, &findings);
    let is_damaged = !repository.damage().is_empty() || !catalog.damaged.is_empty();
    Ok(findings::exit(&finding_counts).or_worse(Exit::damage_if(is_damaged)))
}

/// What was wrong.
struct Found {
    finding_counts: Vec<FindingCount>,
    findings: Vec<Finding>,
}

fn options(arguments: &FindArguments, now: Timestamp, invocation: &Invocation<'_>) -> anyhow::Result<FindOptions> {
    let time = |text: &Option<String>| text.as_deref().map(|text| times::parse(text, now)).transpose();
    let mut patterns = patterns::of_options(&arguments.patterns)?;
    let mut patterns_any_case = patterns::of_options(&arguments.iname)?;
    if arguments.ignore_case {
        patterns_any_case.append(&mut patterns);
    }
    Ok(FindOptions {
        patterns,
        patterns_any_case,
        kinds: arguments.kinds.iter().map(|&kind| kind.into()).collect(),
        newer: time(&arguments.newer)?,
        older: time(&arguments.older)?,
        larger: arguments.larger,
        smaller: arguments.smaller,
        cancellation: invocation.cancellation(),
    })
}

/// Snapshot by snapshot, newest first; `None` when nobody reads on.
fn find(
    repository: &Repository,
    snapshots: &[&Manifest],
    options: &FindOptions,
    arguments: &FindArguments,
    output: &Output,
) -> anyhow::Result<Option<Found>> {
    let mut lines = Listing::new(output, &arguments.long);
    let (mut group, mut failed) = (None, None);
    let mut show = |hit: Hit<'_>| {
        let told = tell(output, &mut lines, &mut group, &hit);
        if told.is_err() || output.is_closed() {
            failed = told.err();
            return Err(Error::Cancelled);
        }
        Ok(())
    };
    let outcome = lbak::find(repository, snapshots.iter().copied(), options, &mut show);
    let Some(report) = outcome_of(failed, outcome, output)? else { return Ok(None) };
    lines.finish()?;
    let FindReport { hits, snapshots, searched, finding_counts, findings, lost, .. } = report;
    if output.is_json() {
        let counts = json::finding_counts(&finding_counts);
        output.json(&json::inspect::FindSummary::new(hits, snapshots, searched, lost, counts))?;
    } else {
        // Behind what was found, where both go to one screen.
        output.finish()?;
        let matches = sizes::counted(hits, "match", "matches");
        output.note(&format!("{matches} in {snapshots} of {}", sizes::counted(searched, "snapshot", "snapshots")));
    }
    Ok(Some(Found { finding_counts, findings }))
}

fn tell(output: &Output, lines: &mut Listing<'_>, group: &mut Option<SnapshotId>, hit: &Hit<'_>) -> anyhow::Result<()> {
    if output.is_json() {
        return output.json(&json::inspect::Match::of(hit));
    }
    if *group != Some(hit.snapshot.id) {
        lines.finish()?;
        if group.replace(hit.snapshot.id).is_some() {
            output.line("")?;
        }
        output.line(&format!("snapshot {}:", selecting::in_short(hit.snapshot)))?;
    }
    lines.show(hit.path, hit.entry)
}

/// Path by path with its versions; `None` when nobody reads on.
fn history(
    repository: &Repository,
    snapshots: &[&Manifest],
    options: &FindOptions,
    output: &Output,
) -> anyhow::Result<Option<Found>> {
    let mut failed = None;
    let are_hosts_told =
        snapshots.iter().any(|snapshot| Some(&snapshot.host) != snapshots.first().map(|first| &first.host));
    let mut show = |path: PathHistory<'_>| {
        let told = match output.is_json() {
            true => output.json(&json::inspect::History::of(&path)),
            false => tell_history(output, &path, snapshots.len(), are_hosts_told),
        };
        if told.is_err() || output.is_closed() {
            failed = told.err();
            return Err(Error::Cancelled);
        }
        Ok(())
    };
    let outcome = lbak::history(repository, snapshots.iter().copied(), options, &mut show);
    let Some(report) = outcome_of(failed, outcome, output)? else { return Ok(None) };
    let HistoryReport { paths, searched, finding_counts, findings, lost, .. } = report;
    if output.is_json() {
        let counts = json::finding_counts(&finding_counts);
        output.json(&json::inspect::HistorySummary::new(paths, searched, lost, counts))?;
    } else {
        output.finish()?;
        let paths = sizes::counted(paths, "path", "paths");
        output.note(&format!("{paths} in {}", sizes::counted(searched, "snapshot", "snapshots")));
    }
    Ok(Some(Found { finding_counts, findings }))
}

fn tell_history(output: &Output, path: &PathHistory<'_>, searched: usize, are_hosts_told: bool) -> anyhow::Result<()> {
    let holders: u64 = path.versions.iter().map(|version| version.snapshots).sum();
    let versions = sizes::counted(path.versions.len() as u64, "version", "versions");
    output.line(&format!("{}: {versions} in {holders} of {searched} snapshots", escape(path.path)))?;
    let mut table = Table::new([
        ("  First", Align::Left),
        ("Last", Align::Left),
        ("Snapshots", Align::Right),
        ("Size", Align::Right),
        ("Modified", Align::Left),
    ]);
    for version in &path.versions {
        let entry = &version.entry;
        let size = if entry.kind() == lbak::FileKind::File { sizes::bytes(entry.size) } else { "-".to_owned() };
        table.row([
            format!("  {}", seen(version.first, are_hosts_told)),
            seen(version.last, are_hosts_told),
            sizes::count(version.snapshots),
            size,
            times::local(entry.mtime),
        ]);
    }
    table.lines().try_for_each(|line| output.line(&line))
}

/// Id and time of a snapshot, and its host where there are several.
fn seen(snapshot: &Manifest, are_hosts_told: bool) -> String {
    let host = if are_hosts_told { format!(" {}", escape(snapshot.host.as_bytes())) } else { String::new() };
    format!("{} {}{host}", snapshot.id.short(), times::local(moment(snapshot)))
}

fn moment(snapshot: &Manifest) -> Timestamp {
    snapshot.point_in_time.unwrap_or(snapshot.ended_at)
}

/// What came of a verb whose results were shown one by one; `None` when nobody reads on.
fn outcome_of<T>(
    failed: Option<anyhow::Error>,
    outcome: Result<T, Error>,
    output: &Output,
) -> anyhow::Result<Option<T>> {
    match (failed, outcome) {
        (Some(error), _) => Err(error),
        (None, Err(Error::Cancelled)) if output.is_closed() => Ok(None),
        (None, outcome) => Ok(Some(outcome?)),
    }
}
