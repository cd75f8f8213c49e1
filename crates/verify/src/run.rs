//! The verb itself: what is checked in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use lbak_core::{
    backend::{Folder, ObjectName},
    error::Result,
    id::{PackId, ParityId},
    index::PackRow,
    observe::Stage,
    repository::Repository,
    store::list_names,
};

use crate::{
    Depth, VerifyOptions, VerifyReport,
    data::PackReading,
    hurt::Hurt,
    ledger::Ledger,
    misread::tell_misread,
    object::read_bytes,
    packs::{ListedPack, Packs},
    parity::{Healer, can_have_parity, check_objects},
    places::BadPlaces,
    records::check_records,
    segments::check_segments,
    structure::Structure,
    turn::Turn,
    without_key::{list, strangers_note},
};

/// Damaged packs of which a look at the structure tries whether they can be healed: each try reads what may be half a gigabyte.
const MOST_HEALED_FOR_A_TRY: usize = 16;
/// How often a verification is begun anew because packs were reclaimed meanwhile.
const MOST_TRIES: u32 = 3;

/// Checks a repository with its key, as deep as the options say.
///
/// Damage is in the report, whatever it is; nothing is changed. Packs that are reclaimed while it works are no damage: it
/// looks again.
///
/// # Errors
/// [`Error::Store`](lbak_core::error::Error::Store) when the store does not answer,
/// [`Error::Cancelled`](lbak_core::error::Error::Cancelled).
pub fn verify(repository: &Repository, options: &VerifyOptions) -> Result<VerifyReport> {
    let repository = &repository.as_stored().for_one_run();
    if let Depth::ReadData { share } = &options.depth {
        share.check()?;
    }
    let begun = Instant::now();
    let mut tries = 1;
    loop {
        let before = rounds(repository)?;
        // All of it on the pool: what is done in parallel is many small steps.
        let mut report = repository.workers().install(|| verify_once(repository, options, begun))?;
        if report.is_sound() || tries == MOST_TRIES || rounds(repository)? == before {
            report.misread = tell_misread(repository, &*options.observer);
            report.elapsed = begun.elapsed();
            return Ok(report);
        }
        tries += 1;
    }
}

/// The finished rounds of reclaiming: only they take anything away.
fn rounds(repository: &Repository) -> Result<Vec<(ObjectName, u64)>> {
    list_names(&**repository.backend(), Folder::Fin.prefix())
}

fn verify_once(repository: &Repository, options: &VerifyOptions, begun: Instant) -> Result<VerifyReport> {
    let ledger = Ledger::new(options);
    let mut report = VerifyReport::default();
    ledger.stage(Stage::Structure);
    // Snapshots, then the index, then the packs: whatever a writer adds meanwhile, all that is referred to is seen.
    let mut snapshots = check_records(repository, &ledger)?;
    let view = repository.view()?;
    let reader = repository.reader(&view);
    let mut view = view;
    std::mem::take(&mut view.damage).into_iter().try_for_each(|error| ledger.blame(error))?;
    let (index, damaged_packs) = (&view.index, &view.damaged_packs);
    let packs = list_all(repository, options, &ledger, &mut report)?;

    check_segments(repository, &index.segments(), &packs, &ledger)?;
    let structure = Structure::new(&ledger, &reader, &packs, options.depth != Depth::Structure);
    structure.walk(&mut snapshots)?;
    (report.trees, report.chunks) = (structure.trees(), structure.chunks());
    report.snapshots = snapshots.iter().filter(|snapshot| !snapshot.is_forgotten).count() as u64;
    drop(structure);

    let is_whole = |id: &ParityId| is_read_whole(options, id);
    let parity = check_objects(&**repository.backend(), Some(repository.codec()), &ledger, &is_whole)?;
    // Those that are marked as damaged get none any more.
    let is_needing =
        |pack: &&ListedPack| pack.records() > 0 && !damaged_packs.contains(&pack.id) && can_have_parity(pack.size);
    let needing: Vec<PackId> = packs.listed().iter().filter(is_needing).map(|pack| pack.id).collect();
    parity.set_replaced_aside(&needing, &[], &ledger);

    let misfits = check_packs(&packs, &ledger, &mut report)?;
    // What is marked as damaged may hold the only copy of something: that is asked however deep it goes.
    let mut suspects: BTreeSet<PackId> = damaged_packs.iter().copied().collect();
    if let Depth::ReadData { share } = &options.depth {
        ledger.stage(Stage::ReadingData);
        let reading = PackReading::new(repository, index, &packs, &ledger);
        let unsound = match &options.steady {
            None => reading.run(&|pack| share.contains(pack))?,
            Some(steady) => {
                let turn = Turn { repository, packs: &packs, damaged_packs, share, steady, begun };
                turn.read(&reading, &ledger, &mut report)?
            }
        };
        report.packs_read = reading.packs_read();
        suspects.extend(misfits.into_keys().chain(unsound.damaged).chain(unsound.newer));
    }
    let bad = BadPlaces::find(&reader, &suspects, &ledger)?;
    let is_any_overfull = snapshots.iter().any(|snapshot| snapshot.is_overfull);
    if ledger.any(holds_content) || is_any_overfull || !damaged_packs.is_empty() {
        if ledger.any(|object| object.starts_with("index")) {
            // A restore looks there, too: what only the index has lost is not lost.
            repository.index_loose_packs(&view, &options.cancellation)?;
        }
        let are_misfits_tried = options.depth != Depth::Structure;
        let hurt = Hurt::new(&ledger, &reader, &packs, &bad, are_misfits_tried);
        report.hurt = hurt.find(&snapshots)?;
        let needed = hurt.into_needed();
        for pack in damaged_packs.iter().filter(|pack| needed.contains(pack)) {
            let name = ObjectName::Pack(*pack);
            if !ledger.has(&name.to_string()) {
                ledger.damage(name, "it is marked as damaged, and snapshots need what can be read nowhere else");
            }
        }
        // Writers do not refer to them, and whatever snapshots need of them has another copy.
        for pack in damaged_packs.difference(&needed.into_iter().collect()) {
            ledger.set_aside(&ObjectName::Pack(*pack).to_string());
        }
    }
    let healer = Healer { backend: &**repository.backend(), objects: parity.into_usable(), ledger: &ledger };
    report.parity_objects = healer.objects.len() as u64;
    let is_quick = options.depth == Depth::Structure;
    report.healable = healer.healable(if is_quick { MOST_HEALED_FOR_A_TRY } else { usize::MAX })?;
    report.bytes_read = ledger.bytes();
    let found = ledger.finish();
    (report.damage, report.set_aside, report.notes) = (found.damage, found.set_aside, found.notes);
    if !report.set_aside.is_empty() {
        let count = report.set_aside.len();
        report.notes.push(format!("{count} damaged objects were set aside by a repair: nothing needs them"));
    }
    Ok(report)
}

/// Parity is read as packs are, but not in turns: there it would take the place of packs.
fn is_read_whole(options: &VerifyOptions, id: &ParityId) -> bool {
    options.steady.is_none() && matches!(&options.depth, Depth::ReadData { share } if share.contains(&PackId(id.0)))
}

/// Lists everything: packs are kept, the rest is counted.
fn list_all(
    repository: &Repository,
    options: &VerifyOptions,
    ledger: &Ledger<'_>,
    report: &mut VerifyReport,
) -> Result<Packs> {
    let (mut packs, mut strangers, mut total_bytes) = (Vec::new(), 0_u64, 0);
    let is_read = |pack: &PackId| matches!(&options.depth, Depth::ReadData { share } if share.contains(pack));
    list(&**repository.backend(), "", &mut |name, size| match ObjectName::parse(name) {
        Some(name) => {
            report.objects += 1;
            let is_read = match name {
                ObjectName::Pack(pack) => {
                    packs.push((pack, size));
                    is_read(&pack)
                }
                ObjectName::Parity(id) => is_read_whole(options, &id),
                _ => true,
            };
            total_bytes += if is_read { read_bytes(&name, size) } else { 0 };
        }
        None => strangers += 1,
    })?;
    if strangers > 0 {
        ledger.note(strangers_note(strangers));
    }
    report.packs = packs.len() as u64;
    ledger.expect_bytes(total_bytes);
    Ok(Packs::new(packs))
}

/// Compares the packs that are there with those that the index names. Returns those of a wrong length.
fn check_packs(packs: &Packs, ledger: &Ledger<'_>, report: &mut VerifyReport) -> Result<BTreeMap<PackId, PackRow>> {
    for pack in packs.listed().iter().filter(|pack| pack.records() == 0) {
        report.unreferenced_packs += 1;
        report.unreferenced_bytes += pack.size;
    }
    if report.unreferenced_packs > 0 {
        let (count, bytes) = (report.unreferenced_packs, report.unreferenced_bytes);
        let why = match ledger.has("index") {
            true => "what the index lacks may be in them, and it can be made again from them",
            false => "of interrupted or running sessions",
        };
        ledger.note(format!("{count} packs with {bytes} bytes are in no segment: {why}"));
    }
    let misfits = packs.misfits();
    for row in misfits.values() {
        if let Some(fault) = packs.fault(row) {
            ledger.blame(fault)?;
        }
    }
    // Where a tree could not be opened, nobody knows what lies below it.
    let is_all_seen = !ledger.any(|object| holds_content(object) || object.starts_with("snapshots/"));
    let missing: Vec<ObjectName> = packs.missing().into_iter().map(ObjectName::Pack).collect();
    let unneeded: Vec<&ObjectName> = missing.iter().filter(|pack| !ledger.has(&pack.to_string())).collect();
    match unneeded.len() {
        0 => {}
        _ if !is_all_seen => {
            for pack in unneeded {
                ledger
                    .damage(pack, "it is missing; whether snapshots need it can not be told while others are damaged");
            }
        }
        1 => ledger.note("1 pack that the index names is missing, and no snapshot needs it".into()),
        count => ledger.note(format!("{count} packs that the index names are missing, and no snapshot needs them")),
    }
    Ok(misfits)
}

/// Tells of objects that files and directories are kept in.
fn holds_content(object: &str) -> bool {
    ["packs/", "index", "tree ", "list "].into_iter().any(|kind| object.starts_with(kind))
}
