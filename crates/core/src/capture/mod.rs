//! The verb `snapshot`: reads a source and stores what is new of it.
//!
//! ```text
//! walk (this thread): list → merge with the parent's tree → an unchanged file costs one look
//!   → batches: 2 MiB of small files, or one large file
//!     → readers: take from the budget → read → cut large files
//!       → workers (rayon): cut → id → known? → one block → seal → pack
//!   → results, back on this thread: entries → trees, bottom up
//! → segments → manifest
//! ```
//!
//! Trouble with the source becomes findings; trouble with the repository stops everything and nothing is
//! committed (rule I8). What was stored until then is found by the next run.

mod again;
mod arrivals;
mod batch;
mod buffers;
mod chunks;
mod compare;
mod context;
mod directories;
mod findings;
mod known;
mod links;
mod listing;
mod options;
mod parts;
mod path;
mod reading;
mod reuse;
mod special;
#[cfg(test)]
mod tests;
mod unchanged;
mod walk;
mod working;

use std::{sync::Arc, time::Instant};

pub use options::{FileCounts, SnapshotOptions, SnapshotReport};

use self::{findings::Findings, reuse::Reuse, walk::Walked};
use crate::{
    error::{Error, Result},
    id::{ChunkId, SnapshotId},
    keys::fill_random,
    observe::{Event, Finding, FindingKind, Stage},
    repository::{Announcement, Outcome, Repository, Session},
    snapshot::{Base, Lineage, Manifest, Purpose, Sizes, SourceKind, choose_base},
    source::{self, Directory, Source, SourceError, SourceOutcome},
    store::{ChunkWriter, Stored},
    tree,
};

/// Sessions that may be lost to reclaiming in a row before that is taken for a fault.
const MOST_LOST_SESSIONS: u32 = 8;

/// What is said of a block that was sealed wrongly.
const SPOILED: &str = "a block was not what was meant just after it was sealed, and was sealed once more: memory or processor of this \
                       machine is unreliable";

/// Takes a snapshot of a source.
///
/// When it returns `Ok`, everything the snapshot refers to is stored and confirmed, and the snapshot is visible.
///
/// # Errors
/// Anything wrong with the repository, what [`Source::finish`] says, and [`Error::Cancelled`]: then nothing was committed.
pub fn snapshot(repository: &Repository, source: &dyn Source, options: &SnapshotOptions) -> Result<SnapshotReport> {
    let repository = &repository.for_one_run();
    let outcome = snapshot_in_sessions(repository, source, options);
    // Told of a run that failed, too; nothing of it belongs to the snapshot.
    let misread: Vec<Finding> = repository.misread().take().iter().map(Finding::misread).collect();
    misread.iter().for_each(|finding| options.observer.event(&Event::Finding(finding)));
    outcome.map(|report| report.with_misread(misread))
}

/// Takes it under one session after another, until one is not lost to reclaiming.
fn snapshot_in_sessions(
    repository: &Repository,
    source: &dyn Source,
    options: &SnapshotOptions,
) -> Result<SnapshotReport> {
    let begun = Instant::now();
    let started_at = repository.now();
    let mut id = SnapshotId([0; 16]);
    fill_random(&mut id.0)?;
    let roots = roots(source)?;
    let announcement = announcement(roots.paths.clone(), options);
    let mut lost: Option<LostAttempt> = None;
    let mut lost_sessions = 0;
    loop {
        options.observer.event(&Event::Stage(Stage::Opening));
        let session =
            if options.dry_run { repository.look(&announcement)? } else { repository.announce(&announcement)? };
        let attempt =
            Attempt { repository, source, roots: &roots, announcement: &announcement, options, session: &session };
        let base = attempt.base(lost.as_ref());
        let outcome = attempt.capture(&base).and_then(|captured| Ok((captured, source.finish()?)));
        let (mut captured, said) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if !options.dry_run {
                    repository.abandon(session.id, &announcement.program, &error.to_string());
                }
                return Err(error);
            }
        };

        // What was stored under a session that was lost is this snapshot's all the same: nobody else would count it.
        if let Some(lost) = &lost {
            captured.stored += lost.stored;
        }
        let stored = captured.stored;
        if stored.spoiled_blocks > 0 {
            options.observer.event(&Event::Note(SPOILED));
        }
        options.observer.event(&Event::Stage(Stage::Committing));
        let manifest = attempt.manifest(id, started_at, &base, &mut captured, said)?;
        let mut report = report(repository, &manifest, &session, options, captured, begun);
        report.lost_sessions = lost_sessions;
        if options.dry_run {
            return Ok(report);
        }
        options.cancellation.check().inspect_err(|error| {
            repository.abandon(session.id, &announcement.program, &error.to_string());
        })?;
        match repository.commit(session.id, &manifest)? {
            Outcome::Committed(head) => {
                report.head = Some(head);
                return Ok(report);
            }
            // Everything the manifest refers to is looked up again under a new session; what is not found is stored again.
            Outcome::Lost => {
                lost_sessions += 1;
                if lost_sessions == MOST_LOST_SESSIONS {
                    let place = repository.backend().describe().place;
                    return Err(Error::SessionsLost { times: lost_sessions, place });
                }
                lost = Some(LostAttempt { root: manifest.root, lineage: manifest.lineage, stored });
            }
        }
    }
}

/// What was named.
struct Roots {
    /// Its entries' names are whole paths.
    directory: Arc<dyn Directory>,
    /// Those names: the paths that the snapshot is of.
    paths: Vec<Vec<u8>>,
    kind: source::SourceKind,
}

fn roots(source: &dyn Source) -> Result<Roots> {
    let unreadable = |error: SourceError| Error::Source { path: "the source".into(), source: error.error };
    let roots = source.roots().map_err(unreadable)?;
    let names = roots.entries().map_err(unreadable)?;
    let paths: Vec<_> = names.map(|found| found.map_or_else(|unlisted| unlisted.name, |found| found.name)).collect();
    if paths.is_empty() {
        return Err(Error::Invalid { what: "there is nothing to back up: the source shows no roots".into() });
    }
    // Whether the one above shows it, too, only the source knows: what would be left out here might be nowhere else.
    let mut met = tree::Roots::default();
    if let Some(told) = paths.iter().find_map(|path| met.meet(path)) {
        return Err(Error::Invalid { what: format!("the source can not be backed up: {told}") });
    }
    Ok(Roots { directory: roots, paths, kind: source.kind() })
}

fn announcement(paths: Vec<Vec<u8>>, options: &SnapshotOptions) -> Announcement {
    Announcement {
        host: options.host.clone(),
        user: options.user.clone(),
        paths,
        purpose: Purpose::Snapshot,
        program: options.program.clone().unwrap_or_else(|| concat!("lbak ", env!("CARGO_PKG_VERSION")).to_owned()),
        pinned: Vec::new(),
    }
}

/// What was captured under a session that was lost: compared with next, nothing of it taken on trust.
struct LostAttempt {
    root: ChunkId,
    lineage: Lineage,
    /// By this attempt and those before it.
    stored: Stored,
}

/// The tree to compare with.
struct Comparison {
    base: Base,
    /// What it refers to may be taken over without looking it up.
    is_trusted: bool,
    reuse: Reuse,
}

struct Captured {
    walked: Walked,
    findings: Findings,
    stored: Stored,
}

/// One session's try.
struct Attempt<'a> {
    repository: &'a Repository,
    source: &'a dyn Source,
    roots: &'a Roots,
    announcement: &'a Announcement,
    options: &'a SnapshotOptions,
    session: &'a Session,
}

impl Attempt<'_> {
    fn base(&self, lost: Option<&LostAttempt>) -> Comparison {
        let reuse = Reuse::of(self.source.is_repeatable(), lost.is_some());
        if let Some(lost) = lost {
            return Comparison {
                base: Base { lineage: lost.lineage, root: Some(lost.root) },
                is_trusted: false,
                reuse,
            };
        }
        let group: Vec<_> = self
            .session
            .catalog
            .snapshots
            .iter()
            .filter(|snapshot| snapshot.is_of_group(&self.announcement.host, &self.announcement.paths))
            .cloned()
            .collect();
        let base = choose_base(self.options.lineage, &group);
        Comparison { base, is_trusted: self.session.view.is_parent_trusted(), reuse }
    }

    /// Reads the source and stores what is new; when it returns, all of it is stored and confirmed.
    fn capture(&self, comparison: &Comparison) -> Result<Captured> {
        let Session { id, view, .. } = self.session;
        let (condemned, damaged) = (view.condemned.clone(), view.damaged_packs.clone());
        let writer = ChunkWriter::start(
            Arc::clone(self.repository.backend()),
            self.repository.codec().clone(),
            Arc::clone(&view.index),
            *id,
            Arc::new(move |pack| !condemned.contains(pack) && !damaged.contains(pack)),
            self.options.dry_run,
            self.options.writer.clone().for_workers(self.repository.workers().current_num_threads()),
        )?;
        self.options.observer.event(&Event::Stage(Stage::Capturing));
        let mut findings = Findings::new(Arc::clone(&self.options.observer));
        let walked = walk::capture(self, comparison, &writer, &mut findings);
        match walked {
            Ok(walked) => Ok(Captured { walked, findings, stored: writer.finish()? }),
            Err(error) => {
                // What was stored until now gets its segment, so that the next run finds it.
                writer.salvage();
                Err(error)
            }
        }
    }

    fn manifest(
        &self,
        id: SnapshotId,
        started_at: crate::metadata::Timestamp,
        comparison: &Comparison,
        captured: &mut Captured,
        said: SourceOutcome,
    ) -> Result<Manifest> {
        let mut tags = self.options.tags.clone();
        tags.sort_unstable();
        tags.dedup();
        let (walked, announcement) = (&captured.walked, self.announcement);
        let findings = captured.findings.stored();
        Ok(Manifest {
            id,
            root: walked.root,
            lineage: comparison.base.lineage,
            started_at,
            ended_at: self.repository.now(),
            point_in_time: self.options.point_in_time,
            host: announcement.host.clone(),
            user: announcement.user.clone(),
            paths: announcement.paths.clone(),
            tags,
            description: self.options.description.clone(),
            program: announcement.program.clone(),
            totals: walked.totals,
            sizes: Sizes {
                logical: walked.logical_bytes,
                new: captured.stored.new_data_bytes,
                stored: captured.stored.bytes,
            },
            source: match (self.roots.kind, said) {
                (_, SourceOutcome::Ran { words, status }) => SourceKind::Command { words, status },
                (source::SourceKind::Files, SourceOutcome::Read) => SourceKind::Files,
                (source::SourceKind::Stream | source::SourceKind::Command, SourceOutcome::Read) => SourceKind::Stream,
            },
            is_complete: findings.count(FindingKind::Unreadable) == 0,
            findings,
            origin: None,
            heads: self.session.catalog.heads(),
        })
    }
}

/// What is damaged of what this run has looked at.
fn met_damage(repository: &Repository, session: &Session) -> Vec<String> {
    let slots = session.catalog.damaged.iter().map(|(_, error)| error);
    repository.damage().iter().chain(&session.view.damage).chain(slots).map(ToString::to_string).collect()
}

fn report(
    repository: &Repository,
    manifest: &Manifest,
    session: &Session,
    options: &SnapshotOptions,
    captured: Captured,
    begun: Instant,
) -> SnapshotReport {
    SnapshotReport {
        snapshot: manifest.id,
        session: session.id,
        head: None,
        asked: options.lineage,
        lineage: manifest.lineage,
        started_at: manifest.started_at,
        ended_at: manifest.ended_at,
        elapsed: begun.elapsed(),
        totals: manifest.totals,
        sizes: manifest.sizes,
        files: captured.walked.files,
        finding_counts: manifest.findings.counts.clone(),
        findings: manifest.findings.first.clone(),
        is_complete: manifest.is_complete,
        damage: [met_damage(repository, session), captured.walked.damage].concat(),
        lost_sessions: 0,
        spoiled_blocks: captured.stored.spoiled_blocks,
    }
}
