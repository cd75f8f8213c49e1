//! Writes a new snapshot beside each one of which something is lost.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};

use lbak_core::{
    error::{Error, Result},
    id::{PackId, SessionId, SnapshotId},
    keys::fill_random,
    metadata::Timestamp,
    observe::{FindingKind, Stage},
    repository::{Announcement, Outcome, Repository},
    snapshot::{Catalog, Committed, Manifest, Sizes},
};

use super::{
    Mended, MendedSnapshot, RepairOptions, SnapshotsRepairReport,
    lost::Losses,
    mender::{Mender, Sound},
    packs::{list_packs, start_writer},
    storing::Storing,
};
use crate::{
    Depth, HurtSnapshot, data::PackReading, hurt::Hurt, ledger::Ledger, packs::Packs, places::BadPlaces,
    records::KnownSnapshot,
};

/// Sessions that may be lost to reclaiming in a row before that is taken for a fault.
const MOST_LOST_SESSIONS: u32 = 8;

/// Writes, for every snapshot of which something is lost, a new one with all that is left, and says in it what is gone.
///
/// The old one stays. In the new one files that lack bytes have holes there, and directories that lack entries the others; both are
/// flagged, so that the next snapshot reads them again and a restore tells of them. It has the time of the old one, and stands
/// just behind it.
///
/// # Errors
/// [`Error::Damaged`] when the index does not tell of everything ([`repair_index`](super::repair_index) comes first),
/// [`Error::Store`] when the store does not answer, [`Error::Cancelled`]: snapshots that were written until then stay.
pub fn repair_snapshots(repository: &Repository, options: &RepairOptions) -> Result<SnapshotsRepairReport> {
    let repository = &repository.as_stored();
    let begun = Instant::now();
    let looking = options.looking();
    let ledger = Ledger::new(&looking);
    let mut report = SnapshotsRepairReport::default();
    let catalog = repository.catalog()?;
    let is_wanted =
        |snapshot: &&Committed| options.snapshots.is_empty() || options.snapshots.contains(&snapshot.manifest.id);
    let wanted: Vec<&Committed> = catalog.snapshots.iter().filter(is_wanted).collect();
    report.checked = wanted.len() as u64;
    let mending = Mending { repository, options, ledger: &ledger, catalog: &catalog };
    let found = repository.workers().install(|| mending.look(&wanted))?;
    for snapshot in wanted {
        if let Some(hurt) = found.hurt.iter().find(|hurt| hurt.snapshot == snapshot.manifest.id) {
            report.hurt.extend(mending.mend(snapshot, hurt, &found)?);
        }
    }
    report.elapsed = begun.elapsed();
    Ok(report)
}

/// What can not be relied on, and who needs it.
struct Found {
    packs: Packs,
    bad: BadPlaces,
    /// Packs that nothing new may refer to, whatever the index says: missing, of a wrong length, or not what was written.
    unreliable: BTreeSet<PackId>,
    hurt: Vec<HurtSnapshot>,
}

struct Mending<'a> {
    repository: &'a Repository,
    options: &'a RepairOptions,
    ledger: &'a Ledger<'a>,
    catalog: &'a Catalog,
}

impl Mending<'_> {
    /// Finds what can not be read, and which snapshots need it.
    fn look(&self, wanted: &[&Committed]) -> Result<Found> {
        let (repository, ledger) = (self.repository, self.ledger);
        ledger.stage(Stage::Structure);
        let view = repository.view()?;
        let reader = repository.reader(&view);
        if let Some(error) = view.damage.first() {
            return Err(Error::damaged("the index", format!("repair it first ({error})")));
        }
        let packs = list_packs(repository, &view, ledger)?;
        let mut suspects: BTreeSet<_> = view.damaged_packs.iter().copied().collect();
        suspects.extend(packs.misfits().into_keys());
        if let Depth::ReadData { share } = &self.options.depth {
            ledger.stage(Stage::ReadingData);
            let reading = PackReading::new(repository, &view.index, &packs, ledger);
            let unsound = reading.run(&|pack| share.contains(pack))?;
            suspects.extend(unsound.damaged.into_iter().chain(unsound.newer));
        }
        let bad = BadPlaces::find(&reader, &suspects, ledger)?;
        ledger.stage(Stage::Planning);
        let forgotten = HashSet::new();
        let known: Vec<KnownSnapshot> =
            wanted.iter().map(|snapshot| KnownSnapshot::new((*snapshot).clone(), &forgotten)).collect();
        let hurt = Hurt::new(ledger, &reader, &packs, &bad, true).find(&known)?;
        // What seems lost may be in packs that were put just before a crash, and that nobody may refer to yet.
        if !hurt.is_empty() && repository.index_loose_packs(&view)? > 0 {
            let still = Hurt::new(ledger, &reader, &packs, &bad, true).find(&known)?;
            if still != hurt {
                return Err(Error::damaged(
                    "the index",
                    "packs that are in no segment hold what is missing: repair it first",
                ));
            }
        }
        let mut unreliable = suspects;
        unreliable.extend(packs.missing());
        Ok(Found { packs, bad, unreliable, hurt })
    }

    /// Writes what is left of one snapshot; `None` when nothing of it is lost after all.
    fn mend(&self, old: &Committed, hurt: &HurtSnapshot, found: &Found) -> Result<Option<MendedSnapshot>> {
        let manifest = &old.manifest;
        let mut id = SnapshotId([0; 16]);
        fill_random(&mut id.0)?;
        let announcement = Announcement {
            host: manifest.host.clone(),
            paths: manifest.paths.clone(),
            pinned: vec![old.session],
            ..self.options.announcement()
        };
        let is_dry_run = self.options.dry_run || self.earlier(old, hurt).is_some();
        for _ in 0..MOST_LOST_SESSIONS {
            let session = if is_dry_run {
                self.repository.look(&announcement)?
            } else {
                self.repository.announce(&announcement)?
            };
            let reader = self.repository.reader(&session.view);
            let sound = Sound {
                ledger: self.ledger,
                reader: &reader,
                view: &session.view,
                packs: &found.packs,
                bad: &found.bad,
            };
            let options = RepairOptions { dry_run: is_dry_run, ..self.options.clone() };
            let writer = start_writer(self.repository, &options, &session, found.unreliable.clone())?;
            let outcome = Storing::new(self.repository.codec(), &writer).and_then(|storing| {
                let mut mender = Mender::new(&sound, storing, Losses::new(Arc::clone(&self.options.observer)));
                let left = mender.mend(manifest)?;
                Ok((left, mender.losses))
            });
            let abandon = |reason: &str| {
                if !is_dry_run {
                    self.repository.abandon(session.id, &self.options.program(), reason);
                }
            };
            let (left, losses) = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    writer.salvage();
                    abandon(&error.to_string());
                    return Err(error);
                }
            };
            let stored = writer.finish().inspect_err(|error| abandon(&error.to_string()))?;
            let mut mended = MendedSnapshot {
                snapshot: manifest.id,
                outcome: Mended::Nothing,
                lost_files: losses.files,
                lost_directories: losses.directories,
                lost_bytes: losses.bytes,
                finding_counts: Vec::new(),
            };
            let Some(left) = left else {
                abandon("nothing of the snapshot can be read");
                return Ok(Some(mended));
            };
            if !losses.is_any() {
                abandon("nothing of the snapshot is lost");
                return Ok(None);
            }
            mended.finding_counts.clone_from(&left.findings.counts);
            if is_dry_run {
                mended.outcome = self.earlier(old, hurt).map_or(Mended::WouldBe, Mended::Already);
                return Ok(Some(mended));
            }
            let new = Manifest {
                id,
                root: left.root,
                ended_at: just_after(manifest.ended_at),
                point_in_time: manifest.point_in_time.map(just_after),
                program: self.options.program(),
                description: described(manifest),
                totals: left.totals,
                sizes: Sizes { logical: left.logical_bytes, new: 0, stored: stored.bytes },
                findings: left.findings,
                is_complete: false,
                origin: Some(old.session),
                heads: session.catalog.heads(),
                ..manifest.clone()
            };
            self.options.cancellation.check().inspect_err(|error| abandon(&error.to_string()))?;
            if let Outcome::Committed(_) = self.repository.commit(session.id, &new)? {
                mended.outcome = Mended::Written(id);
                return Ok(Some(mended));
            }
        }
        Err(Error::SessionsLost { times: MOST_LOST_SESSIONS, place: self.repository.backend().describe().place })
    }

    /// A snapshot that an earlier repair has made of this one, if it lacks no more than is lost now.
    fn earlier(&self, old: &Committed, hurt: &HurtSnapshot) -> Option<SnapshotId> {
        // Either may have got another tag since.
        let Catalog { snapshots, replaced, .. } = self.catalog;
        let versions = || snapshots.iter().chain(replaced);
        let sessions: HashSet<SessionId> = versions()
            .filter(|version| version.manifest.id == old.manifest.id)
            .map(|version| version.session)
            .collect();
        let is_made_of_it = |version: &&Committed| {
            version.manifest.id != old.manifest.id
                && version.manifest.origin.is_some_and(|origin| sessions.contains(&origin))
        };
        let made: HashSet<SnapshotId> = versions().filter(is_made_of_it).map(|version| version.manifest.id).collect();
        let lacks_no_more = |other: &&Committed| other.manifest.findings.count(FindingKind::Lost) <= hurt.path_count;
        let made = snapshots.iter().filter(|other| made.contains(&other.manifest.id)).filter(lacks_no_more);
        made.map(|other| other.manifest.id).next()
    }
}

/// So that it sorts behind the one that it is made of, and before all that were taken later.
fn just_after(time: Timestamp) -> Timestamp {
    match time.nanoseconds.checked_add(1).filter(|nanoseconds| *nanoseconds < 1_000_000_000) {
        Some(nanoseconds) => Timestamp { nanoseconds, ..time },
        None => Timestamp { seconds: time.seconds.saturating_add(1), nanoseconds: 0 },
    }
}

fn described(manifest: &Manifest) -> String {
    let note = format!("what is left of {}", manifest.id.short());
    if manifest.description.is_empty() { note } else { format!("{} ({note})", manifest.description) }
}
