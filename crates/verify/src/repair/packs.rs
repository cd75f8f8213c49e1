//! Salvages what still opens of damaged packs, and marks them, so that writers store the rest anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use lbak_core::{
    backend::{BackendErrorKind, Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    observe::Stage,
    repository::{Repository, Session, View},
    snapshot::DamagedRecord,
    store::{ChunkWriter, Stored, put_slot},
};

use super::{
    DamagedPack, PacksRepairReport, RepairOptions,
    salvage::{Place, Salvage},
    storing::Storing,
};
use crate::{
    VerifyOptions,
    data::{PackReading, Unsound},
    ledger::Ledger,
    packs::Packs,
    places::{Blocks, blocks_of},
};

/// Sessions that may be lost to reclaiming in a row before that is taken for a fault.
const MOST_LOST_SESSIONS: u32 = 8;

/// Reads packs, stores anew what still opens of those that are damaged or missing, and names them in `damaged/`.
///
/// From then on no writer refers to what is in them: a snapshot of the same bytes stores what could not be salvaged. What proves itself
/// by its id is taken from [`from`](RepairOptions::from), too. The damaged packs stay where they are.
///
/// # Errors
/// [`Error::OtherRepository`] when what it should take from is no copy of this repository, [`Error::Store`] when the store does not
/// answer, [`Error::Damaged`] when a record that writers need does not open ([`repair_index`](super::repair_index) helps),
/// [`Error::Cancelled`]: what was stored until then is used by the next run.
pub fn repair_packs(repository: &Repository, options: &RepairOptions) -> Result<PacksRepairReport> {
    let repository = &repository.as_stored();
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
    report.notes.extend(ledger.finish().notes);
    report.elapsed = begun.elapsed();
    Ok(report)
}

/// Finds the packs that are damaged or missing, and says what is wrong with each.
fn look(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    report: &mut PacksRepairReport,
) -> Result<BTreeMap<PackId, String>> {
    ledger.stage(Stage::Structure);
    let view = repository.view()?;
    let packs = list_packs(repository, &view, ledger)?;
    ledger.stage(Stage::ReadingData);
    let is_wanted = |pack: &PackId| options.packs.is_empty() || options.packs.contains(pack);
    ledger.expect_bytes(packs.listed().iter().filter(|pack| is_wanted(&pack.id)).map(|pack| pack.size).sum());
    let reading = PackReading::new(repository, &view.index, &packs, ledger);
    let Unsound { mut damaged, newer } = reading.run(&is_wanted)?;
    report.packs_read = reading.packs_read();
    report.newer = newer.into_iter().collect();
    damaged.extend(packs.misfits().into_keys().filter(is_wanted));

    // Bad memory or a bad cable spoils a sound pack once: only what is wrong twice is damage.
    let quiet = VerifyOptions { cancellation: options.cancellation.clone(), ..VerifyOptions::default() };
    let again = Ledger::new(&quiet);
    let mut confirmed =
        PackReading::new(repository, &view.index, &packs, &again).run(&|pack| damaged.contains(pack))?;
    confirmed.damaged.extend(packs.misfits().into_keys());
    let told: BTreeMap<String, String> =
        again.finish().damage.into_iter().map(|damage| (damage.object, damage.what)).collect();
    let mut found = BTreeMap::new();
    for pack in damaged {
        let name = ObjectName::Pack(pack);
        if confirmed.damaged.contains(&pack) {
            let fault = || packs.misfits().get(&pack).and_then(|row| packs.fault(row)).map(|error| error.to_string());
            let what = told.get(&name.to_string()).cloned().or_else(fault);
            found.insert(pack, what.unwrap_or_else(|| "it is damaged".into()));
        } else {
            ledger.set_aside(&name.to_string());
            ledger.note(format!(
                "{name} was read wrongly once and rightly the second time: look at memory, cable and disk"
            ));
        }
    }
    found.extend(packs.missing().into_iter().filter(is_wanted).map(|pack| (pack, "it is missing".into())));
    Ok(found)
}

/// The packs that are there, and those that the index names.
///
/// # Errors
/// When the store does not answer, or did not list a pack that is there.
pub(super) fn list_packs(repository: &Repository, view: &View, ledger: &Ledger<'_>) -> Result<Packs> {
    let packs = Packs::list(&**repository.backend())?;
    for segment in view.index.segments() {
        ledger.check_cancelled()?;
        // Without records no pack is compared with the index: that is not what is repaired here.
        for row in ledger.outlive(segment.pack_rows())?.into_iter().flatten() {
            packs.name(&row, 0);
        }
    }
    // A list may be cut short: what it lacks is asked for by name (rule I9).
    for pack in packs.missing() {
        let name = ObjectName::Pack(pack);
        match repository.backend().get_range(&name, 0, 1) {
            Err(error) if error.kind == BackendErrorKind::NotFound => {}
            // Emptied, or not readable where it begins: it is there.
            Err(error) if error.kind != BackendErrorKind::Corrupt => return Err(Error::store("read", name, error)),
            _ => return Err(Error::store("list", Folder::Packs.prefix(), BackendErrorKind::Corrupt.into())),
        }
    }
    Ok(packs)
}

/// Salvages under one session after another, until one is not lost to reclaiming.
fn salvage_all(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    found: BTreeMap<PackId, String>,
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
            return Ok(());
        }
    }
    Err(Error::SessionsLost { times: MOST_LOST_SESSIONS, place: repository.backend().describe().place })
}

fn salvage_in(
    repository: &Repository,
    options: &RepairOptions,
    ledger: &Ledger<'_>,
    found: &BTreeMap<PackId, String>,
    session: &Session,
) -> Result<(Vec<DamagedPack>, Stored)> {
    let view = &session.view;
    let writer = start_writer(repository, options, session, found.keys().copied().collect())?;
    let salvaged = salvage_with(repository, options, ledger, found, view, &writer);
    let damaged = match salvaged {
        Ok(damaged) => damaged,
        Err(error) => {
            writer.salvage();
            return Err(error);
        }
    };
    let stored = writer.finish()?;
    // What could be had is stored: from here on writers look elsewhere.
    for pack in damaged.iter().filter(|pack| !pack.was_marked && !options.dry_run) {
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
    found: &BTreeMap<PackId, String>,
    view: &View,
    writer: &ChunkWriter,
) -> Result<Vec<DamagedPack>> {
    let mut places = vec![Place { repository, reader: repository.reader(view) }];
    for copy in &options.from {
        places.push(Place { repository: copy, reader: copy.reader(&copy.view()?) });
    }
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
                what: found.get(pack).cloned().unwrap_or_default(),
                is_known: false,
                was_marked: view.damaged_packs.contains(pack),
                elsewhere_chunks: 0,
                salvaged_chunks: 0,
                salvaged_bytes: 0,
                copied_chunks: 0,
                lost_chunks: 0,
                lost_bytes: 0,
            };
            salvage.salvage(&mut outcome, blocks)?;
            damaged.push(outcome);
        }
    }
    salvage.storing.flush()?;
    Ok(damaged)
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
