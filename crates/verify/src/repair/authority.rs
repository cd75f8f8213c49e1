//! The newest finished round of reclaiming: it says which segments count, and the next one says it anew.
//!
//! A repair of the index is a round that condemns nothing and removes nothing: it only merges, so it needs no mark, and one
//! create-only object, `fin/<n>`, makes all of it count at once. What it sets aside it lists as replaced.

use std::collections::{BTreeMap, BTreeSet};

use lbak_core::{
    backend::{Folder, ObjectName},
    codec::object_hash,
    error::{Error, Result},
    id::{ObjectHash, SegmentId, SessionId},
    index::Counted,
    repository::{Repository, StoredObject},
    snapshot::{FinRecord, RemovalsRecord, Slot},
    store::{get_object, list_names, put_slot},
};

use crate::ledger::Ledger;

/// What the rounds say.
pub(super) struct Authority {
    /// The number of the next round.
    round: u64,
    /// What the newest says; when it does not open, what all others say together.
    fin: FinRecord,
    /// The newest does not open: nothing says which merged segments count.
    is_lost: bool,
    /// A record that writers need does not open, and the next round makes it void.
    is_stuck: bool,
}

impl Authority {
    /// Reads the rounds. Damage is told.
    ///
    /// # Errors
    /// [`Error::TooLate`] while something is being reclaimed, [`Error::Newer`], [`Error::Store`].
    pub(super) fn read(repository: &Repository, ledger: &Ledger<'_>) -> Result<Self> {
        let backend = &**repository.backend();
        let mut rounds: BTreeMap<u64, Option<FinRecord>> = BTreeMap::new();
        for (name, size) in list_names(backend, Folder::Fin.prefix())? {
            let ObjectName::Fin(round) = name else { continue };
            let opened = match repository.open_stored(&name, size) {
                Err(error @ Error::Newer { .. }) => return Err(error),
                opened => ledger.outlive(opened)?,
            };
            rounds.insert(
                round,
                opened.and_then(|object| if let StoredObject::Fin(fin) = object { Some(fin) } else { None }),
            );
        }
        let round = rounds.last_key_value().map_or(0, |(newest, _)| newest + 1);
        let is_lost = rounds.last_key_value().is_some_and(|(_, newest)| newest.is_none());
        let fin = match rounds.pop_last() {
            Some((newest, Some(fin))) => FinRecord { previous: Some(hash_of(repository, newest)?), ..fin },
            // What was replaced or buried stays so.
            _ => all_of(rounds.into_values().flatten()),
        };
        let is_stuck = is_lost | check_marks(repository, round, ledger)?;
        Ok(Self { round, fin, is_lost, is_stuck })
    }

    /// Which segments count, as far as that is known: without authority none is beyond doubt.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            merged: self.fin.merged.iter().copied().collect(),
            replaced: self.fin.replaced.iter().copied().collect(),
            buried: self.fin.buried.iter().copied().collect(),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Finishes the next round: these merged segments count besides those that did, and these segments do not count any more.
    /// Tells whether it was this call that finished it.
    pub(super) fn finish(
        self,
        repository: &Repository,
        session: SessionId,
        merged: &BTreeSet<SegmentId>,
        aside: &BTreeSet<SegmentId>,
    ) -> Result<bool> {
        let mut fin = self.fin;
        fin.merged.extend(merged);
        fin.merged.retain(|segment| !aside.contains(segment));
        fin.replaced.extend(aside);
        if self.is_lost {
            fin.buried.extend(closed_sessions(repository)?);
        }
        fin.live = live(repository, &fin.live)?;
        for list in [&mut fin.merged, &mut fin.replaced] {
            list.sort_unstable();
            list.dedup();
        }
        fin.buried.sort_unstable();
        fin.buried.dedup();
        // The list of a round that removes nothing is not kept, as if it had gone after the round: no stored one has this hash.
        let nothing = RemovalsRecord { packs: Vec::new(), segments: Vec::new(), merged: Vec::new() };
        let (name, removals) = (ObjectName::Fin(self.round), ObjectName::Removals(self.round));
        let seal = |name, kind, plain: Vec<u8>| repository.codec().seal_object(name, kind, session, &plain);
        fin.removals = object_hash(seal(&removals, RemovalsRecord::KIND, nothing.encode()?)?.as_bytes());
        let sealed = seal(&name, FinRecord::KIND, fin.encode()?)?;
        put_slot(&**repository.backend(), &name, &sealed)
    }
}

/// Refuses to work beside a round of reclaiming; tells whether a mark does not open, which stops every writer.
fn check_marks(repository: &Repository, round: u64, ledger: &Ledger<'_>) -> Result<bool> {
    let mut is_stuck = false;
    for (name, size) in list_names(&**repository.backend(), Folder::Marks.prefix())? {
        let ObjectName::Mark(marked) = name else { continue };
        if marked < round {
            continue;
        }
        match repository.open_stored(&name, size) {
            Ok(StoredObject::Mark(mark)) if mark.condemned.is_empty() && marked == round => {}
            Ok(_) => {
                return Err(Error::TooLate { what: format!("space is being reclaimed ({name}): let that end first") });
            }
            Err(error @ Error::Newer { .. }) => return Err(error),
            Err(error) => {
                ledger.blame(error)?;
                // The fin of this round makes the mark void; one of a later round stops writers still.
                is_stuck |= marked == round;
            }
        }
    }
    Ok(is_stuck)
}

fn hash_of(repository: &Repository, round: u64) -> Result<ObjectHash> {
    let name = ObjectName::Fin(round);
    let stored = get_object(&**repository.backend(), &name)?;
    Ok(object_hash(&stored))
}

/// What several rounds say together about what counts no more; of what counts, nothing.
fn all_of(rounds: impl Iterator<Item = FinRecord>) -> FinRecord {
    let nothing = object_hash(&[]);
    let mut all = FinRecord {
        merged: Vec::new(),
        replaced: Vec::new(),
        live: Vec::new(),
        buried: Vec::new(),
        removals: nothing,
        previous: None,
    };
    for round in rounds {
        all.replaced.extend(round.replaced);
        all.replaced.extend(round.merged);
        all.buried.extend(round.buried);
    }
    all
}

/// Sessions that were closed: which of them are buried was in the record that is lost, and burying one too many only hides
/// segments whose packs are indexed anew.
fn closed_sessions(repository: &Repository) -> Result<Vec<SessionId>> {
    let mut closed = Vec::new();
    for (name, size) in list_names(&**repository.backend(), Folder::Snapshots.prefix())? {
        let ObjectName::Snapshot(session) = name else { continue };
        match repository.open_stored(&name, size) {
            Ok(StoredObject::Outcome(Slot::Closed(_))) => closed.push(session),
            Ok(_) => {}
            Err(error) if error.is_of_one_object() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(closed)
}

/// Sessions whose snapshots are live: those that are there, and those that the last round knew and nobody has forgotten. That one
/// of them is gone must stay to be seen.
fn live(repository: &Repository, before: &[SessionId]) -> Result<Vec<SessionId>> {
    let catalog = repository.catalog()?;
    let mut live: BTreeSet<SessionId> = catalog.snapshots.iter().map(|snapshot| snapshot.session).collect();
    let forgotten: BTreeSet<SessionId> = list_names(&**repository.backend(), Folder::Forgotten.prefix())?
        .into_iter()
        .filter_map(|(name, _)| if let ObjectName::Forgotten(session) = name { Some(session) } else { None })
        .collect();
    live.extend(before.iter().filter(|session| !forgotten.contains(session)));
    Ok(live.into_iter().collect())
}
