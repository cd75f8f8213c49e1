//! Writes a new snapshot beside each one of which something is lost.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Instant,
};

use lbak_core::{
    error::{Error, Result},
    id::{PackId, SnapshotId},
    keys::fill_random,
    observe::{Observer, Silent, Stage},
    repository::{Announcement, Outcome, Repository, Session},
    snapshot::{Catalog, Committed, Extent, Manifest, Sizes},
    store::Stored,
};

use super::{
    DamagedSlot, FoundAgain, Mended, MendedSnapshot, RepairOptions, SnapshotsRepairReport,
    family::Families,
    listing::list_packs,
    lost::Losses,
    mender::{Left, Mender, Sound, Unmended},
    packs::start_writer,
    slots::{self, LostSlot},
    storing::Storing,
};
use crate::{
    Depth, HurtSnapshot, data::PackReading, hurt::Hurt, ledger::Ledger, misread::tell_misread, packs::Packs,
    places::BadPlaces, records::KnownSnapshot,
};

/// Sessions that may be lost to reclaiming in a row before that is taken for a fault.
const MOST_LOST_SESSIONS: u32 = 8;

/// Writes, for every snapshot of which something is lost, a new one with all that is left, and says in it what is gone.
///
/// The old one stays. In the new one files that lack bytes have holes there, and directories that lack entries the others; both are
/// flagged, so that the next snapshot reads them again and a restore tells of them. It has the time of the old one, and stands
/// just behind it. When an earlier repair has written just that, nothing is.
///
/// A slot that does not open is told whatever was asked for: what it held is looked for in the packs of its session and written as a new
/// snapshot, and the slot is set aside.
///
/// # Errors
/// [`Error::Damaged`] when the index does not tell of everything ([`repair_index`](super::repair_index) comes first),
/// [`Error::Store`] when the store does not answer, [`Error::Cancelled`]: snapshots that were written until then stay.
pub fn repair_snapshots(repository: &Repository, options: &RepairOptions) -> Result<SnapshotsRepairReport> {
    let repository = &repository.as_stored().for_one_run();
    let begun = Instant::now();
    let looking = options.looking();
    let ledger = Ledger::new(&looking);
    let mut report = SnapshotsRepairReport::default();
    let catalog = repository.catalog()?;
    let is_wanted =
        |snapshot: &&Committed| options.snapshots.is_empty() || options.snapshots.contains(&snapshot.manifest.id);
    let wanted: Vec<&Committed> = catalog.snapshots.iter().filter(is_wanted).collect();
    report.checked = wanted.len() as u64;
    let mut families = Families::of(&catalog);
    // What earlier repairs have made is asked for, too, whether it is still whole.
    let related: HashSet<SnapshotId> = wanted
        .iter()
        .flat_map(|snapshot| families.others_of(snapshot.session, snapshot.manifest.id))
        .chain(wanted.iter().map(|snapshot| snapshot.manifest.id))
        .collect();
    let related: Vec<&Committed> =
        catalog.snapshots.iter().filter(|snapshot| related.contains(&snapshot.manifest.id)).collect();
    let mending = Mending { repository, options, ledger: &ledger };
    let lost = match catalog.damaged.is_empty() {
        true => Vec::new(),
        false => slots::find(repository, &repository.view()?, &catalog, &looking)?,
    };
    let found = repository.workers().install(|| mending.look(&related))?;
    for slot in lost {
        report.slots.push(mending.find_again(slot, &found, &catalog, &mut families)?);
    }
    for snapshot in wanted {
        if found.hurt.iter().any(|hurt| hurt.snapshot == snapshot.manifest.id) {
            report.hurt.extend(mending.mend(snapshot, &found, &mut families)?);
        }
    }
    report.misread = tell_misread(repository, &*options.observer);
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
}

impl Mending<'_> {
    /// Finds what can not be read, and which snapshots need it.
    fn look(&self, snapshots: &[&Committed]) -> Result<Found> {
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
            snapshots.iter().map(|snapshot| KnownSnapshot::new((*snapshot).clone(), &forgotten)).collect();
        let hurt = Hurt::new(ledger, &reader, &packs, &bad, true).find(&known)?;
        // What seems lost may be in packs that were put just before a crash, and that nobody may refer to yet.
        if !hurt.is_empty() && repository.index_loose_packs(&view, &self.options.cancellation)? > 0 {
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
    fn mend(&self, old: &Committed, found: &Found, families: &mut Families) -> Result<Option<MendedSnapshot>> {
        let manifest = &old.manifest;
        let is_hurt = |id: &SnapshotId| found.hurt.iter().any(|hurt| hurt.snapshot == *id);
        // What would be left tells whether an earlier repair has written just that.
        let is_alone = families.others_of(old.session, manifest.id).next().is_none();
        if self.options.dry_run || !is_alone {
            let session = self.repository.look(&self.announcement(old))?;
            let attempt = self.attempt(manifest, Extent::of(manifest), &session, found, true)?;
            let Some((mut mended, left)) = attempt.outcome(manifest) else { return Ok(None) };
            let Some(left) = left else { return Ok(Some(mended)) };
            let made = families.with_root(old.session, manifest.id, left.root, is_hurt);
            if made.is_some() || self.options.dry_run {
                mended.outcome = made.map_or(Mended::WouldBe, Mended::Already);
                return Ok(Some(mended));
            }
        }
        for _ in 0..MOST_LOST_SESSIONS {
            let session = self.repository.announce(&self.announcement(old))?;
            let abandon = |reason: &str| self.repository.abandon(session.id, &self.options.program(), reason);
            let attempt = self.attempt(manifest, Extent::of(manifest), &session, found, false);
            let attempt = attempt.inspect_err(|error| abandon(&error.to_string()))?;
            let stored_bytes = attempt.stored.bytes;
            let Some((mut mended, left)) = attempt.outcome(manifest) else {
                abandon("nothing of the snapshot is lost");
                return Ok(None);
            };
            let Some(left) = left else {
                abandon(mended.reason.as_deref().unwrap_or_default());
                return Ok(Some(mended));
            };
            let mut id = SnapshotId([0; 16]);
            fill_random(&mut id.0).inspect_err(|error| abandon(&error.to_string()))?;
            let (ended_at, point_in_time) = families.times_behind(old.session, manifest);
            let new = Manifest {
                id,
                root: left.root,
                ended_at,
                point_in_time,
                program: self.options.program(),
                description: described(manifest),
                totals: left.totals,
                sizes: Sizes { logical: left.logical_bytes, new: 0, stored: stored_bytes },
                findings: left.findings,
                is_complete: false,
                origin: Some(old.session),
                heads: session.catalog.heads(),
                ..manifest.clone()
            };
            self.options.cancellation.check().inspect_err(|error| abandon(&error.to_string()))?;
            if let Outcome::Committed(_) = self.repository.commit(session.id, &new)? {
                families.add(session.id, &new);
                mended.outcome = Mended::Written(id);
                return Ok(Some(mended));
            }
        }
        Err(Error::SessionsLost { times: MOST_LOST_SESSIONS, place: self.repository.backend().describe().place })
    }

    /// Writes what a slot held that does not open any more, and sets the slot aside.
    fn find_again(
        &self,
        slot: LostSlot,
        found: &Found,
        catalog: &Catalog,
        families: &mut Families,
    ) -> Result<DamagedSlot> {
        let LostSlot { mut told, held } = slot;
        if !held.is_empty() {
            told.found = FoundAgain::WouldBe(held.len());
        }
        if self.options.dry_run {
            return Ok(told);
        }
        let (mut again, mut unmended) = (Vec::new(), None);
        for held in held {
            if let Some(before) = slots::written_before(catalog, held.session, held.manifest.root) {
                again.push(before);
                continue;
            }
            match self.write_again(&held, found, families)? {
                Ok(id) => again.push(id),
                Err(reason) => unmended = Some(reason),
            }
        }
        if !again.is_empty() {
            told.found = FoundAgain::Snapshots(again);
        } else if let Some(reason) = unmended {
            told.found = FoundAgain::Unmended(reason);
        }
        slots::set_aside(self.repository, self.options, &told)?;
        Ok(told)
    }

    /// Writes all that is left below a list of roots as a new snapshot, or tells why nothing is.
    fn write_again(
        &self,
        held: &Committed,
        found: &Found,
        families: &mut Families,
    ) -> Result<Result<SnapshotId, String>> {
        // What seems lost is read a second time before that is written down for good.
        let mut is_sure = false;
        for _ in 0..MOST_LOST_SESSIONS {
            let session = self.repository.announce(&self.announcement(held))?;
            let abandon = |reason: &str| self.repository.abandon(session.id, &self.options.program(), reason);
            // How much it held was in what is lost.
            let is_counted = held.manifest.totals.entries() > 0;
            let extent = if is_counted { Extent::of(&held.manifest) } else { Extent::untold() };
            let attempt = self.attempt(&held.manifest, extent, &session, found, false);
            let attempt = attempt.inspect_err(|error| abandon(&error.to_string()))?;
            let (stored_bytes, is_whole) = (attempt.stored.bytes, attempt.left.is_ok() && !attempt.losses.is_any());
            if !is_whole && !std::mem::replace(&mut is_sure, true) {
                abandon("what seems lost is read a second time");
                continue;
            }
            let left = match attempt.left {
                Ok(left) => left,
                Err(unmended) => {
                    abandon(&unmended.reason);
                    return Ok(Err(unmended.reason));
                }
            };
            let mut id = SnapshotId([0; 16]);
            fill_random(&mut id.0).inspect_err(|error| abandon(&error.to_string()))?;
            let new = Manifest {
                id,
                root: left.root,
                program: self.options.program(),
                description: noted(&held.manifest, format!("found again: snapshots/{} is damaged", held.session)),
                totals: left.totals,
                sizes: Sizes { logical: left.logical_bytes, new: 0, stored: stored_bytes },
                findings: left.findings,
                is_complete: held.manifest.is_complete && is_whole,
                origin: Some(held.session),
                heads: session.catalog.heads(),
                ..held.manifest.clone()
            };
            self.options.cancellation.check().inspect_err(|error| abandon(&error.to_string()))?;
            if let Outcome::Committed(_) = self.repository.commit(session.id, &new)? {
                families.add(session.id, &new);
                return Ok(Ok(id));
            }
        }
        Err(Error::SessionsLost { times: MOST_LOST_SESSIONS, place: self.repository.backend().describe().place })
    }

    fn announcement(&self, old: &Committed) -> Announcement {
        Announcement {
            host: old.manifest.host.clone(),
            paths: old.manifest.paths.clone(),
            pinned: vec![old.session],
            ..self.options.announcement()
        }
    }

    /// Stores what is left of one snapshot in a session; in a dry run it only finds out what that is, without telling of it when
    /// it is to be written next.
    fn attempt(
        &self,
        manifest: &Manifest,
        extent: Extent,
        session: &Session,
        found: &Found,
        dry_run: bool,
    ) -> Result<Attempt> {
        let reader = self.repository.reader(&session.view);
        let (packs, bad) = (&found.packs, &found.bad);
        let sound = Sound { ledger: self.ledger, reader: &reader, view: &session.view, packs, bad };
        let options = RepairOptions { dry_run, ..self.options.clone() };
        let writer = start_writer(self.repository, &options, session, found.unreliable.clone())?;
        let observer: Arc<dyn Observer> =
            if dry_run && !self.options.dry_run { Arc::new(Silent) } else { Arc::clone(&self.options.observer) };
        let outcome = Storing::new(self.repository.codec(), &writer).and_then(|storing| {
            let mut mender = Mender::new(&sound, storing, Losses::new(observer));
            let left = mender.mend(manifest, extent)?;
            Ok((left, mender.losses))
        });
        match outcome {
            Ok((left, losses)) => Ok(Attempt { left, losses, stored: writer.finish()? }),
            Err(error) => {
                writer.salvage();
                Err(error)
            }
        }
    }
}

/// What one walk came to.
struct Attempt {
    left: Result<Left, Unmended>,
    losses: Losses,
    stored: Stored,
}

impl Attempt {
    /// What is lost, with what is left if that is anything; `None` when nothing is lost.
    fn outcome(self, manifest: &Manifest) -> Option<(MendedSnapshot, Option<Left>)> {
        let Self { left, losses, .. } = self;
        let mended = MendedSnapshot {
            snapshot: manifest.id,
            outcome: Mended::Nothing,
            lost_files: losses.files,
            lost_directories: losses.directories,
            lost_bytes: losses.bytes,
            finding_counts: Vec::new(),
            reason: None,
        };
        match left {
            Ok(_) if !losses.is_any() => None,
            Ok(left) => Some((MendedSnapshot { finding_counts: left.findings.counts.clone(), ..mended }, Some(left))),
            // What was met until then says nothing of the rest.
            Err(Unmended { outcome, reason }) => {
                let (lost_files, lost_directories, lost_bytes) = (0, 0, 0);
                let reason = Some(reason);
                Some((MendedSnapshot { outcome, lost_files, lost_directories, lost_bytes, reason, ..mended }, None))
            }
        }
    }
}

fn described(manifest: &Manifest) -> String {
    noted(manifest, format!("what is left of {}", manifest.id.short()))
}

fn noted(manifest: &Manifest, note: String) -> String {
    if manifest.description.is_empty() { note } else { format!("{} ({note})", manifest.description) }
}
