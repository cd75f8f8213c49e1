//! Salvages what still opens of damaged packs, and marks them, so that writers store the rest anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use lbak_core::{
    backend::{Folder, ObjectName, Sealed},
    error::{Error, Result},
    id::PackId,
    repository::{Repository, Session, View},
    snapshot::DamagedRecord,
    store::{ChunkWriter, Stored, put_slot},
};

use super::{
    DamagedPack, Healed, PacksRepairReport, RepairOptions,
    listing::is_missing,
    place::{Origin, Place},
    salvage::Salvage,
    storing::Storing,
    suspects::{Fault, Suspect, look, still_wrong},
};
use crate::{
    ledger::Ledger,
    misread::tell_misread,
    parity::{Healer, read_objects},
    places::{Blocks, blocks_of},
};

/// Sessions that may be lost to reclaiming in a row before that is taken for a fault.
const MOST_LOST_SESSIONS: u32 = 8;

/// Reads packs, stores anew what still opens of those that are damaged or missing, and names them in `damaged/`.
///
/// From then on no writer refers to what is in them: a snapshot of the same bytes stores what could not be salvaged. What proves itself
/// by its id is taken from [`from`](RepairOptions::from), too. A pack that parity makes whole loses nothing: one that is missing is put back as it
/// was. The damaged packs stay where they are.
///
/// # Errors
/// [`Error::Invalid`] when a wanted pack is neither there nor named by the index,
/// [`Error::OtherRepository`] when what it should take from is no copy of this repository, [`Error::Store`] when the store does not
/// answer, [`Error::Damaged`] when a record that writers need does not open ([`repair_index`](super::repair_index) helps),
/// [`Error::Cancelled`]: what was stored until then is used by the next run.
pub fn repair_packs(repository: &Repository, options: &RepairOptions) -> Result<PacksRepairReport> {
    let repository = &repository.as_stored().for_one_run();
    let begun = Instant::now();
    if let Some(other) = options.from.iter().find(|other| other.id() != repository.id()) {
        return Err(Error::OtherRepository {
            place: other.backend().describe().place,
            found: other.id().to_string(),
            expected: repository.id().to_string(),
        });
    }
    let looking = options.looking();
    let ledger = Ledger::new(&looking);
    let mut report = PacksRepairReport::default();
    let found = repository.workers().install(|| look(repository, options, &ledger, &mut report))?;
    if !found.is_empty() {
        salvage_all(repository, options, &ledger, found, &mut report)?;
    }
    let told = ledger.finish();
    report.notes.extend(told.notes);
    let parity = told.damage.into_iter().filter(|damage| damage.object.starts_with(Folder::Parity.prefix()));
    report.notes.extend(parity.map(|damage| format!("{} heals nothing: {}", damage.object, damage.what)));
    report.misread = tell_misread(repository, &*options.observer);
    report.elapsed = begun.elapsed();
    Ok(report)
}

/// Salvages under one session after another, until one is not lost to reclaiming.
fn salvage_all(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    found: BTreeMap<PackId, Fault>,
    report: &mut PacksRepairReport,
) -> Result<()> {
    for _ in 0..MOST_LOST_SESSIONS {
        let announcement = options.announcement();
        let session =
            if options.dry_run { repository.look(&announcement)? } else { repository.announce(&announcement)? };
        let outcome = salvage_in(repository, options, ledger, &found, &session);
        let is_over = match &outcome {
            _ if options.dry_run => true,
            Ok(_) => repository.conclude(session.id, &options.program(), "packs were repaired")?,
            Err(error) => {
                repository.abandon(session.id, &options.program(), &error.to_string());
                true
            }
        };
        if is_over {
            let (damaged, stored) = outcome?;
            report.damaged = damaged;
            (report.packs_written, report.stored_bytes) = (stored.packs, stored.bytes);
            if stored.spoiled_blocks > 0 {
                report.notes.push(
                    "a block was sealed wrongly, and once more: memory or processor of this machine is unreliable"
                        .into(),
                );
            }
            return Ok(());
        }
    }
    Err(Error::SessionsLost { times: MOST_LOST_SESSIONS, place: repository.backend().describe().place })
}

fn salvage_in(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    found: &BTreeMap<PackId, Fault>,
    session: &Session,
) -> Result<(Vec<DamagedPack>, Stored)> {
    let view = &session.view;
    let found = still_wrong(repository, view, found, ledger)?;
    let writer = start_writer(repository, options, session, found.keys().copied().collect())?;
    let salvaged = salvage_with(repository, options, ledger, &found, view, &writer);
    let damaged = match salvaged {
        Ok(damaged) => damaged,
        Err(error) => {
            writer.salvage();
            return Err(error);
        }
    };
    let stored = writer.finish()?;
    // A mark costs every snapshot from then on: only what a writer could refer to gets one.
    let is_named = |pack: &DamagedPack| found.get(&pack.pack).is_some_and(|suspect| suspect.is_named);
    let (damaged, loose): (Vec<_>, Vec<_>) = damaged.into_iter().partition(is_named);
    for pack in loose {
        let (name, what) = (ObjectName::Pack(pack.pack), &pack.what);
        let (salvaged, lost) = (pack.salvaged_chunks, pack.lost_chunks);
        ledger.note(format!(
            "{name} is damaged ({what}), and no segment names it: left by an interrupted run, or the index has lost it, and is to be \
             repaired first; {salvaged} of its chunks were saved, {lost} are in no other pack"
        ));
    }
    // What could be had is stored: from here on writers look elsewhere.
    let is_marked = |pack: &&DamagedPack| !pack.was_marked && pack.healed != Some(Healed::PutBack);
    for pack in damaged.iter().filter(is_marked).filter(|_| !options.dry_run) {
        mark(repository, options, session, pack)?;
    }
    Ok((damaged, stored))
}

/// A writer that refers to none of these packs.
pub(super) fn start_writer(
    repository: &Repository,
    options: &RepairOptions,
    session: &Session,
    damaged: BTreeSet<PackId>,
) -> Result<ChunkWriter> {
    let view = &session.view;
    let (condemned, marked) = (view.condemned.clone(), view.damaged_packs.clone());
    ChunkWriter::start(
        Arc::clone(repository.backend()),
        repository.codec().clone(),
        Arc::clone(&view.index),
        session.id,
        Arc::new(move |pack| !condemned.contains(pack) && !marked.contains(pack) && !damaged.contains(pack)),
        options.dry_run,
        options.writer.clone(),
    )
}

fn salvage_with(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    found: &BTreeMap<PackId, Suspect>,
    view: &View,
    writer: &ChunkWriter,
) -> Result<Vec<DamagedPack>> {
    let mut places = vec![Place::of(repository, repository.reader(view), Origin::Own)];
    for copy in &options.from {
        places.push(Place::of(copy, copy.reader(&copy.view()?), Origin::Copy));
    }
    let backend = &**repository.backend();
    let healer = Healer { backend, objects: read_objects(backend, Some(repository.codec()))?, ledger };
    let mut salvage = Salvage { places, writer, storing: Storing::new(repository.codec(), writer)? };
    let packs: Vec<PackId> = found.keys().copied().collect();
    let mut damaged = Vec::new();
    for packs in packs.chunks(64) {
        let own = salvage.places.first().map(|place| &place.reader);
        let mut told = match own {
            Some(reader) => blocks_of(reader, packs, ledger)?,
            None => Blocks::new(),
        };
        for pack in packs {
            ledger.check_cancelled()?;
            let behind = told.split_off(&behind(pack));
            let blocks = std::mem::replace(&mut told, behind);
            let mut outcome = DamagedPack {
                pack: *pack,
                what: found.get(pack).map(|suspect| suspect.what.clone()).unwrap_or_default(),
                is_known: false,
                was_marked: view.damaged_packs.contains(pack),
                elsewhere_chunks: 0,
                salvaged_chunks: 0,
                salvaged_bytes: 0,
                copied_chunks: 0,
                healed_chunks: 0,
                healed: None,
                lost_chunks: 0,
                lost_bytes: 0,
            };
            if let Some(bytes) = healer.heal(pack)? {
                if put_back(repository, options, pack, &bytes)? {
                    (outcome.is_known, outcome.healed) = (true, Some(Healed::PutBack));
                    damaged.push(outcome);
                    continue;
                }
                outcome.healed = Some(Healed::StoredAnew);
                salvage.places.insert(1, Place::healed(repository, view, *pack, bytes));
            }
            let salvaged = salvage.salvage(&mut outcome, blocks);
            salvage.places.retain(|place| place.origin != Origin::Parity);
            salvaged?;
            damaged.push(outcome);
        }
    }
    salvage.storing.flush()?;
    Ok(damaged)
}

/// Puts a pack that was healed under its own name, where nothing else stands there; tells whether it did.
fn put_back(repository: &Repository, options: &RepairOptions, pack: &PackId, bytes: &Bytes) -> Result<bool> {
    let backend = &**repository.backend();
    if !is_missing(backend, pack)? {
        return Ok(false);
    }
    let name = ObjectName::Pack(*pack);
    // Its name proves it once more.
    let sealed = Sealed::from_stored(&name, bytes.clone())?;
    if options.dry_run { Ok(true) } else { put_slot(backend, &name, &sealed) }
}

/// Sorts behind every block of a pack, and before those of the next.
fn behind(pack: &PackId) -> (PackId, u32, u32, u32, [u8; 80]) {
    (*pack, u32::MAX, u32::MAX, u32::MAX, [0xff; 80])
}

fn mark(repository: &Repository, options: &RepairOptions, session: &Session, pack: &DamagedPack) -> Result<()> {
    let record = DamagedRecord { by: options.who(), what: pack.what.clone(), at: repository.now() };
    let name = ObjectName::Damaged(pack.pack);
    let sealed = repository.codec().seal_object(&name, DamagedRecord::KIND, session.id, &record.encode()?)?;
    // One that somebody else put says the same.
    put_slot(&**repository.backend(), &name, &sealed)?;
    Ok(())
}
