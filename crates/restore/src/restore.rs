//! The verb `restore`.

use std::{
    path::Path,
    sync::{atomic::Ordering, mpsc::sync_channel},
    thread,
    time::Instant,
};

use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::{Event, FindingKind, Progress, Stage},
    repository::Repository,
    snapshot::Manifest,
    tree::Node,
};

use crate::{
    chunks::Chunks,
    findings::Findings,
    options::{Place, RestoreOptions, RestoreReport},
    plan::{self, Plan},
    roots,
    select::select,
    target::Target,
    write::Writer,
};

/// Restores a snapshot, or what lies at one path of it.
///
/// The target is made when it is missing (the directory above it is not) and must be empty, except for [`Place::Original`].
/// When it returns `Ok` (and [`RestoreOptions::sync`] was not turned off), everything that the report counts is on stable storage: the file systems that were written to
/// have been synced, and none reported that writing had failed. Owners are set by number, by root alone; others may set
/// groups that they belong to.
///
/// What can not be restored or not be set is in the report: damage as [`Lost`](FindingKind::Lost), trouble with one name
/// as [`Unwritable`](FindingKind::Unwritable), the rest as [`MetadataUnset`](FindingKind::MetadataUnset).
///
/// # Errors
/// [`Error::TargetNotEmpty`]; [`Error::NotInSnapshot`]; [`Error::Target`] when nothing can be written any more (no room,
/// read-only); [`Error::Store`] when the store does not answer: that is no damage; [`Error::Cancelled`]. Files that are
/// complete stay, files that are not are removed.
pub fn restore(
    repository: &Repository,
    snapshot: &Manifest,
    target: &Path,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let begun = Instant::now();
    let stage = |stage| options.observer.event(&Event::Stage(stage));
    options.cancellation.check()?;

    stage(Stage::Opening);
    let findings = Findings::new(options.observer.clone());
    let chunks = Chunks::open(repository, &findings)?;

    stage(Stage::Planning);
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let selected = select(snapshot, options.path.as_deref(), &read, &findings)?;
    let is_single = options.path.is_some() || snapshot.paths.len() == 1 && selected.len() == 1;
    let roots = roots::place(selected, is_single, options.place, &findings);
    // A single directory stands for the target, which then gets its metadata.
    let of_target = roots.roots.iter().find(|root| options.place == Place::Contents && root.names.is_empty());
    let of_target = of_target.map(|root| root.selected.entry.clone());
    debug_assert!(of_target.as_ref().is_none_or(|entry| matches!(entry.node, Node::Directory { .. })));

    let expected = expected(snapshot, options);
    let target = Target::new(target, options.dry_run, findings, options.cancellation.clone(), expected);
    let top = target.open(options.place, roots.shown, of_target)?;

    stage(Stage::Restoring);
    let window_bytes = options.window_bytes.max(1);
    let writer = Writer { chunks: &chunks, target: &target, window_bytes };
    let plan = Plan { chunks: &chunks, target: &target, top, roots: roots.roots, place: options.place, window_bytes };
    run(plan, &writer)?;
    if options.sync && !options.dry_run {
        target.sync()?;
    }
    if let Some(summary) = target.owners.summary() {
        target.findings.note(FindingKind::MetadataUnset, b"/".to_vec(), summary);
    }

    let (finding_counts, first) = target.findings.take();
    Ok(RestoreReport {
        totals: target.totals(),
        bytes: target.restored.bytes.load(Ordering::Relaxed),
        finding_counts,
        findings: first,
        lost: target.findings.lost(),
        elapsed: begun.elapsed(),
    })
}

/// Plans one window while the one before it is written.
fn run(plan: Plan<'_>, writer: &Writer<'_>) -> Result<()> {
    thread::scope(|scope| {
        let (give, take) = sync_channel(0);
        let planner = thread::Builder::new()
            .name("lbak-restore".into())
            .spawn_scoped(scope, move || plan::run(plan, &give))
            .map_err(|source| Error::System { what: "a thread", source })?;
        let written = take.iter().try_for_each(|window| writer.write(window));
        // Who plans on finds nobody who takes it.
        drop(take);
        let planned = planner.join().map_err(|_| Error::Panicked { doing: "planning a restore" })?;
        written.and(planned)
    })
}

fn expected(snapshot: &Manifest, options: &RestoreOptions) -> Progress {
    match options.path {
        Some(_) => Progress::default(),
        None => Progress {
            total_files: Some(snapshot.totals.files),
            total_bytes: Some(snapshot.sizes.logical),
            ..Progress::default()
        },
    }
}
