//! `lbak stats SNAPSHOT…` and `lbak stats --snapshots`: what snapshots hold, and what they alone do.

use lbak::{Manifest, SnapshotId, StatsOptions, StatsReport, Weight};

use crate::{
    arguments::StatsArguments,
    exit::{Exit, Trouble},
    findings,
    invocation::Invocation,
    json, opening,
    output::Output,
    selecting, sizes,
    tables::{Align, Table},
};

/// Tells whether some snapshots are meant, not the repository as a whole.
pub(crate) fn is_meant(arguments: &StatsArguments) -> bool {
    let selection = &arguments.selection;
    let is_narrowed = selection.host.is_some() || !selection.paths.is_empty() || selection.tag.is_some();
    arguments.each || is_narrowed || !arguments.snapshots.is_empty()
}

pub(crate) fn run(arguments: &StatsArguments, invocation: &Invocation<'_>) -> anyhow::Result<Exit> {
    let opened = opening::open(invocation, None)?;
    let (repository, output) = (&opened.repository, invocation.output);
    let catalog = repository.catalog()?;
    let chosen = selecting::choose_all(&catalog, output, repository.now(), &arguments.snapshots, &arguments.selection)?;
    if chosen.is_empty() {
        return Err(Trouble::new(Exit::NoSnapshot, "no snapshot to weigh").into());
    }
    let manifests: Vec<&Manifest> = chosen.iter().map(|snapshot| &snapshot.manifest).collect();
    let ids: Vec<SnapshotId> = manifests.iter().map(|manifest| manifest.id).collect();
    let options = StatsOptions { each: arguments.each, cancellation: invocation.cancellation() };
    let report = lbak::stats(repository, &ids, &options)?;
    if output.is_json() {
        for (manifest, weight) in manifests.iter().zip(&report.each) {
            output.json(&json::inspect::SnapshotUsage::of(manifest, weight))?;
        }
        report.findings.iter().try_for_each(|finding| output.json(&json::Finding::of(finding)))?;
        output.json(&json::inspect::Usage::of(&report, &manifests))?;
    } else {
        if arguments.each {
            tell_each(output, &manifests, &report)?;
            output.line("")?;
        }
        tell(output, &manifests, &report)?;
    }
    findings::tell(output, &report.finding_counts, &report.findings);
    if report.lost > 0 || !catalog.damaged.is_empty() {
        output.warn("something that needs chunks could not be read: less may be exclusive than is told");
    }
    let is_damaged = report.lost > 0 || !repository.damage().is_empty() || !catalog.damaged.is_empty();
    Ok(findings::exit(&report.finding_counts).or_worse(Exit::damage_if(is_damaged)))
}

fn tell_each(output: &Output, manifests: &[&Manifest], report: &StatsReport) -> anyhow::Result<()> {
    let mut table = Table::new([
        ("ID", Align::Left),
        ("Time", Align::Left),
        ("Logical", Align::Right),
        ("New", Align::Right),
        ("Stored", Align::Right),
        ("Exclusive", Align::Right),
    ]);
    for (manifest, weight) in manifests.iter().zip(&report.each) {
        table.row([
            manifest.id.short(),
            selecting::when(manifest),
            sizes::bytes(manifest.sizes.logical),
            sizes::bytes(manifest.sizes.new),
            sizes::bytes(manifest.sizes.stored),
            sizes::bytes(weight.exclusive.stored_bytes),
        ]);
    }
    table.lines().try_for_each(|line| output.line(&line))
}

fn tell(output: &Output, manifests: &[&Manifest], report: &StatsReport) -> anyhow::Result<()> {
    let sum = |count: fn(&Manifest) -> u64| -> u64 { manifests.iter().map(|manifest| count(manifest)).sum() };
    let (all, exclusive) = (report.all, report.exclusive);
    output.line(&format!(
        "{}: {}, {}, {}; {} in all",
        sizes::counted(manifests.len() as u64, "snapshot", "snapshots"),
        sizes::counted(sum(|manifest| manifest.totals.files), "file", "files"),
        sizes::counted(sum(|manifest| manifest.totals.directories), "directory", "directories"),
        sizes::counted(sum(|manifest| manifest.totals.links + manifest.totals.others), "other", "others"),
        sizes::bytes(sum(|manifest| manifest.sizes.logical)),
    ))?;
    let shared = Weight {
        chunks: all.chunks.saturating_sub(exclusive.chunks),
        plain_bytes: all.plain_bytes.saturating_sub(exclusive.plain_bytes),
        stored_bytes: all.stored_bytes.saturating_sub(exclusive.stored_bytes),
    };
    let mut table = Table::new([
        ("", Align::Left),
        ("Chunks", Align::Right),
        ("Plain", Align::Right),
        ("Stored", Align::Right),
        ("Ratio", Align::Right),
    ]);
    for (name, weight) in [("shared with others", shared), ("exclusive", exclusive), ("all", all)] {
        let cells = [sizes::count(weight.chunks), sizes::bytes(weight.plain_bytes), sizes::bytes(weight.stored_bytes)];
        let [chunks, plain, stored] = cells;
        table.row([name.to_owned(), chunks, plain, stored, ratio(&weight)]);
    }
    table.lines().try_for_each(|line| output.line(&line))?;
    output.report(&format!(
        "forgetting {} frees about {} once reclaiming has rewritten its packs",
        if manifests.len() == 1 { "it" } else { "them" },
        sizes::bytes(exclusive.stored_bytes)
    ))
}

/// How many plain bytes stand behind one that is stored.
fn ratio(weight: &Weight) -> String {
    if weight.stored_bytes == 0 {
        return "-".to_owned();
    }
    format!("{:.2}", weight.plain_bytes as f64 / weight.stored_bytes as f64)
}
