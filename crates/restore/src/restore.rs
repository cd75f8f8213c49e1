//! The verb `restore`.

use std::{
    os::fd::AsFd,
    path::Path,
    sync::{atomic::Ordering, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use lbak_core::{
    browse::{Chunks, Findings, select},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    observe::{Event, FindingKind, Progress, Stage},
    repository::{Repository, View},
    snapshot::{Extent, Manifest},
    tree::Node,
};

use crate::{
    announced::Announced,
    options::{Delete, RestoreOptions, RestoreReport},
    plan::{self, Plan},
    roots::{self, Roots},
    target::Target,
    untouched,
    write::{Spare, Writer},
};

/// Restores a snapshot, or what lies at one path of it.
///
/// The target is made when it is missing (the directory above it is not) and must be empty unless
/// [`RestoreOptions::in_place`] says what happens to what it holds, or [`Place::Original`](crate::Place::Original) is asked for.
/// When it returns `Ok` (and [`RestoreOptions::sync`] was not turned off), everything that the report counts is on stable storage: the file systems that were written to
/// have been synced, and none reported that writing had failed. Only root gives files away; others may set
/// groups that they belong to.
///
/// What can not be restored or not be set is in the report: damage as [`Lost`](FindingKind::Lost), trouble with one name
/// as [`Unwritable`](FindingKind::Unwritable), the rest as [`MetadataUnset`](FindingKind::MetadataUnset).
///
/// # After an interruption
/// The same restore with [`RestoreOptions::in_place`] does only what is missing: files that are complete have their size
/// and time, of a file above 64 MiB that is not complete all chunks that are there are kept, under a temporary name until
/// it is complete. That holds when it was cancelled, failed or was killed. After a power failure, files may be
/// empty that seemed complete; with [`Overwrite::Always`](crate::Overwrite::Always) each is read and compared.
///
/// # Errors
/// [`Error::TargetNotEmpty`]; [`Error::NotInSnapshot`]; [`Error::Invalid`] when deleting is refused, another restore is
/// writing there, or the target lies in what is [untouched](RestoreOptions::untouched); [`Error::Target`] when nothing can be written any more (no room, read-only); [`Error::Store`] when the
/// store does not answer: that is no damage; [`Error::Damaged`] when there is far more than the snapshot says that it holds;
/// [`Error::Cancelled`]. Files that are complete stay, files that are not are
/// removed, but for large ones.
pub fn restore(
    repository: &Repository,
    snapshot: &Manifest,
    target: &Path,
    options: &RestoreOptions,
) -> Result<RestoreReport> {
    let begun = Instant::now();
    let repository = &repository.for_one_run();
    options.cancellation.check()?;
    refuse_to_delete(snapshot, options)?;
    options.observer.event(&Event::Stage(Stage::Opening));
    let announced = Announced::for_restore(repository, snapshot, options);
    let outcome = restore_announced(repository, snapshot, target, options, announced.view);
    announced.session.end(repository);
    outcome.map(|report| RestoreReport { elapsed: begun.elapsed(), ..report })
}

fn restore_announced(
    repository: &Repository,
    snapshot: &Manifest,
    target: &Path,
    options: &RestoreOptions,
    view: Option<View>,
) -> Result<RestoreReport> {
    let stage = |stage| options.observer.event(&Event::Stage(stage));
    let findings = Findings::new(options.observer.clone());
    let chunks = match view {
        Some(view) => Chunks::of_view(repository, view, &findings, &options.cancellation)?,
        None => Chunks::open(repository, &findings, &options.cancellation)?,
    };

    stage(Stage::Planning);
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let selected = select(snapshot, options.path.as_deref(), &read, &findings)?;
    let is_single = options.path.is_some() || snapshot.paths.len() == 1 && selected.len() == 1;
    let roots = roots::place(selected, is_single, options.place, &findings);
    untouched::refuse(target, &roots, &options.untouched)?;
    let target = Target::new(target, options, repository.codec().clone(), findings, expected(snapshot, options));
    stage(Stage::Restoring);
    let extent = Extent::of(snapshot);
    restore_to(&chunks, roots.clone(), extent.clone(), &target, options)?;
    if options.sync && !options.dry_run {
        target.sync()?;
    }
    for summary in target.owners.summary() {
        target.findings.note(FindingKind::MetadataUnset, b"/".to_vec(), summary);
    }
    if let Some(note) = target.owners.note() {
        target.findings.note(FindingKind::Skipped, b"/".to_vec(), note);
    }
    let mut verified_files = 0;
    if options.verify && !options.dry_run {
        stage(Stage::ReadingData);
        let reading = target.to_read_back(options);
        restore_to(&chunks, roots, extent, &reading, options)?;
        verified_files = reading.totals().files;
        target.findings.noted().merge(reading.findings.noted());
    }

    chunks.tell_misread(target.findings.noted());
    let (finding_counts, first) = target.findings.noted().take();
    Ok(RestoreReport {
        totals: target.totals(),
        bytes: target.restored.bytes.load(Ordering::Relaxed),
        actions: target.actions(),
        patterns: target.pattern_counts(),
        written_bytes: target.restored.written.load(Ordering::Relaxed),
        spared_directories: target.restored.spared_directories.load(Ordering::Relaxed),
        verified_files,
        finding_counts,
        findings: first,
        lost: target.findings.noted().lost(),
        elapsed: Duration::ZERO,
    })
}

/// Goes over all that is wanted: to restore it, to show what would be, or to compare what is there.
fn restore_to(chunks: &Chunks, roots: Roots, extent: Extent, target: &Target, options: &RestoreOptions) -> Result<()> {
    // A single directory stands for the target, which then gets its metadata.
    let of_target = roots.roots.iter().find(|root| root.names.is_empty());
    let of_target = of_target.map(|root| root.selected.entry.clone());
    debug_assert!(of_target.as_ref().is_none_or(|entry| matches!(entry.node, Node::Directory { .. })));
    let (top, top_action) = target.open(roots.shown, of_target)?;
    if let Some(call) = options.before_writing.as_ref().filter(|_| !target.is_reading_back)
        && let Ok(directory) = top.fd(target)
    {
        call(directory.as_fd());
    }

    let window_bytes = options.window_bytes.max(1);
    let writer = Writer { chunks, target, window_bytes, spare: Spare::default() };
    let (roots, place) = (roots.roots, options.place);
    let plan = Plan { chunks, target, top, top_action, roots, extent, place, window_bytes };
    run(plan, &writer)?;
    target.end();
    Ok(())
}

/// What could not be read when the snapshot was taken must not be deleted because of that.
fn refuse_to_delete(snapshot: &Manifest, options: &RestoreOptions) -> Result<()> {
    let delete = options.in_place.map(|in_place| in_place.delete);
    if delete == Some(Delete::Extra) && !snapshot.is_complete {
        let what = "refusing to delete: the snapshot is incomplete, and what could not be read then would be deleted";
        return Err(Error::Invalid { what: what.into() });
    }
    Ok(())
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
