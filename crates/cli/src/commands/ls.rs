//! `lbak ls`: lists what is in a snapshot.

use lbak::{Entry, Error, ListOptions, ListReport, ListedEntry, Manifest, Repository};

use crate::{
    arguments::{LsArguments, SortArgument},
    exit::Exit,
    findings,
    invocation::Invocation,
    json,
    listing::{self, Listing},
    opening,
    output::Output,
    paths,
    selecting::{self, Choice},
};

pub(crate) fn run(arguments: &LsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let (snapshot, path) = paths::snapshot_and_path(&arguments.snapshot, arguments.path.as_deref())?;
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let Choice { manifest, exit } =
        selecting::choose(repository, output, (snapshot, path), arguments.at.as_deref(), &arguments.selection)?;
    if output.is_json() {
        output.json(&json::Snapshot::of(&manifest, repository.now()))?;
    }
    let Some(report) = list(repository, &manifest, path, arguments, invocation)? else { return Ok(exit) };
    if output.is_json() {
        report.findings.iter().try_for_each(|finding| output.json(&json::Finding::of(finding)))?;
    }
    findings::tell(output, &report.finding_counts, &report.findings);
    let is_damaged = report.lost > 0 || !repository.damage().is_empty();
    Ok(exit.or_worse(findings::exit(&report.finding_counts)).or_worse(Exit::damage_if(is_damaged)))
}

/// Shows the entries; `None` when nobody reads on.
fn list(
    repository: &Repository,
    manifest: &Manifest,
    path: Option<&[u8]>,
    arguments: &LsArguments,
    invocation: &Invocation<'_>,
) -> anyhow::Result<Option<ListReport>> {
    let output = invocation.output;
    let is_ordered = arguments.sort == SortArgument::Name && !arguments.reverse;
    let (mut lines, mut held) = (Listing::new(output, &arguments.long), Vec::new());
    let mut failed = None;
    let mut show = |ListedEntry { path, entry }: ListedEntry<'_>| {
        if !is_ordered {
            held.push((path, entry.clone()));
            return Ok(());
        }
        let told = tell(output, &mut lines, &path, entry);
        // Nobody reads on: there is no use in listing on.
        if told.is_err() || output.is_closed() {
            failed = told.err();
            return Err(Error::Cancelled);
        }
        Ok(())
    };
    let options =
        ListOptions { recursive: arguments.recursive, cancellation: invocation.signals.cancellation().clone() };
    let listed = lbak::list(repository, manifest, path, &options, &mut show);
    let report = match (failed, listed) {
        (Some(error), _) => return Err(error),
        (None, Err(Error::Cancelled)) if output.is_closed() => return Ok(None),
        (None, listed) => listed.map_err(|error| selecting::explain_path(error, manifest))?,
    };
    sort(&mut held, arguments);
    held.iter().try_for_each(|(path, entry)| tell(output, &mut lines, path, entry))?;
    lines.finish()?;
    Ok(Some(report))
}

fn sort(held: &mut [(Vec<u8>, Entry)], arguments: &LsArguments) {
    match arguments.sort {
        // They come in the order of names already.
        SortArgument::Name => {}
        SortArgument::Size => held.sort_by_key(|(_, entry)| entry.size),
        SortArgument::Time => held.sort_by_key(|(_, entry)| entry.mtime),
    }
    if arguments.reverse {
        held.reverse();
    }
}

fn tell(output: &Output, lines: &mut Listing<'_>, path: &[u8], entry: &Entry) -> anyhow::Result<()> {
    match output.is_json() {
        true => output.json(&listing::node("node", path, entry)),
        false => lines.show(path, entry),
    }
}
