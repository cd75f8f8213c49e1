//! The small objects: config, slots, sessions, snapshots and the records of the protocol, each opened.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
};

use lbak_core::{
    backend::{Folder, ObjectName},
    codec::{Kind, object_hash},
    error::{Error, Result},
    id::{ChunkId, ObjectHash, SessionId, SnapshotId},
    repository::{Config, Repository, SlotState},
    snapshot::{
        AsideRecord, Committed, DamagedRecord, Extent, FinRecord, ForgottenRecord, MarkRecord, REPLACED_CONFIG,
        ReadingRecord, RemovalsRecord, SessionRecord, Slot, Totals, Version, open_slot, read_aside, replaced,
    },
    store::{get_listed, get_object, list_names},
    wire,
};
use rayon::prelude::*;

use crate::{ledger::Ledger, object::read_bytes};

/// What the rest needs to know of a snapshot.
pub(crate) struct KnownSnapshot {
    pub(crate) session: SessionId,
    pub(crate) id: SnapshotId,
    pub(crate) root: ChunkId,
    pub(crate) paths: Vec<Vec<u8>>,
    /// How much it may hold, by what it says.
    pub(crate) extent: Extent,
    /// What it says of how much it holds.
    pub(crate) totals: Totals,
    /// The same, of the bytes of its files.
    pub(crate) logical_bytes: u64,
    /// It holds far more than it says: nobody restores it to its end.
    pub(crate) is_overfull: bool,
    /// Chunks of findings.
    pub(crate) findings: Vec<ChunkId>,
    /// Nobody needs what only this one refers to.
    pub(crate) is_forgotten: bool,
    /// Another version of the same snapshot counts in its place.
    is_replaced: bool,
    origin: Option<SessionId>,
    head: ObjectHash,
    heads: Vec<ObjectHash>,
}

/// What the small objects told.
#[derive(Default)]
pub(crate) struct Told {
    snapshots: Vec<KnownSnapshot>,
    closed: u64,
    damaged_slots: u64,
    rounds: Vec<(u64, ObjectHash, FinRecord)>,
}

/// Folders of small objects, those that a snapshot's safety hangs on in the order of reading.
const FOLDERS: [Folder; 10] = [
    Folder::Features,
    Folder::Sessions,
    Folder::Forgotten,
    Folder::Snapshots,
    Folder::Damaged,
    Folder::Marks,
    Folder::Removals,
    Folder::Fin,
    Folder::Readings,
    Folder::Aside,
];

/// Opens every small object. Returns the snapshots, oldest session name first.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn check_records(repository: &Repository, ledger: &Ledger<'_>) -> Result<Vec<KnownSnapshot>> {
    let backend = &**repository.backend();
    check_config_and_slots(repository, ledger)?;
    let mut names = Vec::new();
    for folder in FOLDERS {
        names.extend(list_names(backend, folder.prefix())?);
    }
    let forgotten: HashSet<SessionId> = names
        .iter()
        .filter_map(|(name, _)| if let ObjectName::Forgotten(session) = name { Some(*session) } else { None })
        .collect();

    let reading = |name: &ObjectName| if let ObjectName::Reading(number) = name { Some(*number) } else { None };
    let newest_reading = names.iter().filter_map(|(name, _)| reading(name)).max();
    let told = Mutex::new(Told::default());
    names.par_iter().try_for_each(|(name, size)| {
        ledger.check_cancelled()?;
        ledger.read(read_bytes(name, *size));
        let opened = open_record(repository, name, *size, &forgotten, &told);
        if matches!(name, ObjectName::Snapshot(_)) && opened.is_err() {
            told.lock().unwrap_or_else(PoisonError::into_inner).damaged_slots += 1;
        }
        // What is told of reading is told again by every later turn.
        match reading(name).is_some_and(|number| Some(number) < newest_reading) {
            true => ledger.outlive_aside(opened),
            false => ledger.outlive(opened).map(|_| ()),
        }
    })?;

    let mut told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    told.snapshots.sort_by_key(|snapshot| snapshot.session);
    told.rounds.sort_by_key(|(round, ..)| *round);
    // Before anything is said to be missing: what was set aside is there.
    for (name, what) in read_aside(backend, repository.codec())? {
        ledger.set_aside_as(&name, &what);
        if name == REPLACED_CONFIG {
            ledger.note("config was damaged once and was replaced: what it was is kept in aside/".into());
        }
    }
    set_replaced_aside(&mut told.snapshots);
    check_history(&told, ledger);
    check_rounds(&told, &names, ledger);
    note_states(&told, &names, ledger);
    Ok(told.snapshots)
}

fn check_config_and_slots(repository: &Repository, ledger: &Ledger<'_>) -> Result<()> {
    let backend = &**repository.backend();
    let config = get_object(backend, &ObjectName::Config).and_then(|stored| {
        ledger.read(stored.len() as u64);
        let opened =
            repository.codec().open_object(&ObjectName::Config, &[Kind::Config], Some(SessionId([0; 16])), &stored)?;
        let config: Config = wire::decode("config", 1, &opened.plain)?;
        if config == *repository.config() {
            Ok(())
        } else {
            Err(Error::damaged("config", "it differs from the copy in the key slot"))
        }
    });
    ledger.outlive(config)?;
    let stored_slots = list_names(backend, Folder::Keys.prefix())?;
    ledger.read(stored_slots.iter().map(|(name, size)| read_bytes(name, *size)).sum());
    let slots = repository.slots()?;
    if !slots.iter().any(|slot| matches!(slot.state, SlotState::Sound { .. })) {
        ledger.damage("keys/", "there is no sound key slot left");
    }
    for slot in slots {
        if let SlotState::Damaged(error) = slot.state {
            ledger.blame(error)?;
        }
    }
    // Only the one who opened the repository has tried what a slot asks for.
    for error in repository.damage() {
        if let Error::AbsurdSlot { object, what } = error {
            ledger.damage(object, format!("it asks for absurd password hashing: {what}"));
        }
    }
    Ok(())
}

/// Opens one small object and notes what it tells.
pub(crate) fn open_record(
    repository: &Repository,
    name: &ObjectName,
    size: u64,
    forgotten: &HashSet<SessionId>,
    told: &Mutex<Told>,
) -> Result<()> {
    let (backend, codec, object) = (&**repository.backend(), repository.codec(), name.to_string());
    if let ObjectName::Snapshot(session) = name {
        let slot = get_listed(backend, name, size).and_then(|stored| open_slot(codec, *session, &stored))?;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        match slot {
            Slot::Committed(committed) => told.snapshots.push(KnownSnapshot::new(committed, forgotten)),
            Slot::Closed(_) => told.closed += 1,
        }
        return Ok(());
    }
    let stored = get_listed(backend, name, size)?;
    let open = |kind, session| codec.open_object(name, &[kind], session, &stored).map(|opened| opened.plain);
    match name {
        ObjectName::Feature(_) => open(Kind::Feature, None).map(|_| ()),
        ObjectName::Session(session) => {
            SessionRecord::decode(&object, &open(SessionRecord::KIND, Some(*session))?).map(|_| ())
        }
        ObjectName::Forgotten(_) => ForgottenRecord::decode(&object, &open(ForgottenRecord::KIND, None)?).map(|_| ()),
        ObjectName::Damaged(_) => DamagedRecord::decode(&object, &open(DamagedRecord::KIND, None)?).map(|_| ()),
        ObjectName::Mark(_) => MarkRecord::decode(&object, &open(MarkRecord::KIND, None)?).map(|_| ()),
        ObjectName::Removals(_) => RemovalsRecord::decode(&object, &open(RemovalsRecord::KIND, None)?).map(|_| ()),
        ObjectName::Reading(_) => ReadingRecord::decode(&object, &open(ReadingRecord::KIND, None)?).map(|_| ()),
        ObjectName::Aside(_) => AsideRecord::decode(&object, &open(AsideRecord::KIND, None)?).map(|_| ()),
        ObjectName::Fin(round) => {
            let fin = FinRecord::decode(&object, &open(FinRecord::KIND, None)?)?;
            told.lock().unwrap_or_else(PoisonError::into_inner).rounds.push((*round, object_hash(&stored), fin));
            Ok(())
        }
        _ => Ok(()),
    }
}

impl KnownSnapshot {
    pub(crate) fn new(committed: Committed, forgotten: &HashSet<SessionId>) -> Self {
        let Committed { session, manifest, head } = committed;
        Self {
            session,
            id: manifest.id,
            root: manifest.root,
            extent: Extent::of(&manifest),
            totals: manifest.totals,
            logical_bytes: manifest.sizes.logical,
            is_overfull: false,
            paths: manifest.paths,
            findings: manifest.findings.all,
            is_forgotten: forgotten.contains(&session),
            is_replaced: false,
            origin: manifest.origin,
            head,
            heads: manifest.heads,
        }
    }
}

/// Of the versions of one snapshot, only the one that counts is looked into: what the others refer to is no concern of a restore.
fn set_replaced_aside(snapshots: &mut [KnownSnapshot]) {
    let version = |snapshot: &KnownSnapshot| {
        let &KnownSnapshot { session, id, origin, is_forgotten, .. } = snapshot;
        Version { session, id, origin, is_forgotten }
    };
    let versions: Vec<Version> = snapshots.iter().map(version).collect();
    let replaced = replaced(&versions);
    for snapshot in snapshots.iter_mut().filter(|snapshot| replaced.contains(&snapshot.session)) {
        (snapshot.is_replaced, snapshot.is_forgotten) = (true, true);
    }
}

/// Heads that a snapshot remembers and no slot has: somebody took a snapshot away, or put an older state back.
fn check_history(told: &Told, ledger: &Ledger<'_>) {
    let known: HashSet<ObjectHash> = told.snapshots.iter().map(|snapshot| snapshot.head).collect();
    let lost: BTreeSet<(ObjectHash, SessionId)> = told
        .snapshots
        .iter()
        .flat_map(|snapshot| snapshot.heads.iter().map(|head| (*head, snapshot.session)))
        .filter(|(head, _)| !known.contains(head))
        .collect();
    // What a damaged slot was can not be told: so many heads may have been theirs.
    let heads: BTreeSet<ObjectHash> = lost.iter().map(|(head, _)| *head).collect();
    if heads.len() as u64 <= told.damaged_slots {
        return;
    }
    for (head, session) in lost {
        let slot = ObjectName::Snapshot(session);
        ledger.damage(format!("head {head}"), format!("history names a snapshot that is gone: {slot} remembers it"));
    }
}

/// The newest finished round of reclaiming says which snapshots were live, and each round which one was before it.
fn check_rounds(told: &Told, names: &[(ObjectName, u64)], ledger: &Ledger<'_>) {
    let is_listed = |name: &ObjectName| names.iter().any(|(listed, _)| listed == name);
    for (round, _, fin) in &told.rounds {
        let name = ObjectName::Fin(*round);
        let before = round.checked_sub(1).map(ObjectName::Fin).filter(|before| !is_listed(before));
        let is_changed = fin.previous.is_some_and(|previous| {
            told.rounds.iter().any(|(other, hash, _)| other.checked_add(1) == Some(*round) && *hash != previous)
        });
        match (before, fin.previous) {
            (Some(before), Some(_)) => ledger.damage(before, format!("it is missing, though {name} follows it")),
            _ if is_changed => ledger.damage(name, "the round before it is not the one that it follows"),
            _ => {}
        }
    }
    let Some((round, _, fin)) = told.rounds.last() else { return };
    // Nobody asks a fin before the newest, nor the mark of a finished round.
    for (name, _) in names {
        if matches!(name, ObjectName::Fin(other) | ObjectName::Mark(other) if other < round)
            || *name == ObjectName::Mark(*round)
        {
            ledger.set_aside(&name.to_string());
        }
    }
    let slots: HashSet<&ObjectName> = names.iter().map(|(name, _)| name).collect();
    for &session in &fin.live {
        let slot = ObjectName::Snapshot(session);
        if !slots.contains(&slot) && !slots.contains(&ObjectName::Forgotten(session)) {
            let fin = ObjectName::Fin(*round);
            ledger.damage(slot, format!("it is missing, though {fin} lists it as live and nobody forgot it"));
        }
    }
}

fn note_states(told: &Told, names: &[(ObjectName, u64)], ledger: &Ledger<'_>) {
    let count = |is_wanted: &dyn Fn(&ObjectName) -> bool| names.iter().filter(|(name, _)| is_wanted(name)).count();
    let slots: HashSet<SessionId> = names
        .iter()
        .filter_map(|(name, _)| if let ObjectName::Snapshot(session) = name { Some(*session) } else { None })
        .collect();
    let undecided = count(&|name| matches!(name, ObjectName::Session(session) if !slots.contains(session)));
    let marked = count(&|name| matches!(name, ObjectName::Damaged(_)));
    let features = count(&|name| matches!(name, ObjectName::Feature(_)));
    let forgotten = told.snapshots.iter().filter(|snapshot| snapshot.is_forgotten && !snapshot.is_replaced).count();
    // Older versions of snapshots whose tags were changed are kept, too: that is as it should be, and nothing to note.
    for (count, one, many) in [
        (
            undecided,
            "session has no outcome: it is still going on, or was interrupted",
            "sessions have no outcome: they are still going on, or were interrupted",
        ),
        (
            forgotten,
            "snapshot is forgotten: what only it needs was not looked for",
            "snapshots are forgotten: what only they need was not looked for",
        ),
        (
            marked,
            "pack is marked as damaged: its chunks are stored anew by the next snapshots",
            "packs are marked as damaged: their chunks are stored anew by the next snapshots",
        ),
        (
            features,
            "feature is in use that this version does not know",
            "features are in use that this version does not know",
        ),
    ] {
        if count > 0 {
            ledger.note(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
}
