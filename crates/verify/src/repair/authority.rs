//! The newest finished round of reclaiming: it says which segments count, and the next one says it anew.
//!
//! A repair of the index is a round that condemns nothing and removes nothing: it only merges, so it needs no mark, and one
//! create-only object, `fin/<n>`, makes all of it count at once. What it sets aside it lists as replaced.

use std::collections::{BTreeMap, BTreeSet};

use lbak_core::{
    backend::{Folder, ObjectName},
    codec::object_hash,
    error::{Error, Result},
    id::{ObjectHash, PackId, SegmentId, SessionId},
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
    /// What an earlier round is still removing. Only beside a `fin` that does not open: else nothing is repaired then.
    leaving: RemovalsRecord,
    /// Sessions that were closed, when nothing says which of them are buried.
    closed: BTreeSet<SessionId>,
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
        let next = rounds.last_key_value().map_or(0, |(newest, _)| newest + 1);
        let is_newest_open = rounds.last_key_value().is_none_or(|(_, newest)| newest.is_some());
        let marks = check_marks(repository, next, is_newest_open, ledger)?;
        let leaving = check_removals(repository, is_newest_open, ledger)?;
        // Whoever marked round n had seen the fin before it: that one is gone.
        let is_gone = marks.newest.is_some_and(|marked| marked > next);
        let round = marks.newest.map_or(next, |marked| marked.max(next));
        let is_lost = is_gone || !is_newest_open;
        let fin = match rounds.pop_last() {
            Some((newest, Some(fin))) if !is_gone => FinRecord { previous: Some(hash_of(repository, newest)?), ..fin },
            // What was replaced or buried stays so.
            last => all_of(rounds.into_values().chain(last.map(|(_, fin)| fin)).flatten()),
        };
        let is_stuck = is_lost || marks.is_stuck;
        let closed = if is_lost { closed_sessions(repository)? } else { BTreeSet::new() };
        Ok(Self { round, fin, is_lost, is_stuck, leaving, closed })
    }

    /// Tells whether an earlier round is still removing a pack.
    pub(super) fn is_leaving(&self, pack: &PackId) -> bool {
        self.leaving.packs.binary_search(pack).is_ok()
    }

    /// Tells whether a session was closed of which nothing says any more whether its packs were removed: what its segments name
    /// may be gone for good.
    pub(super) fn may_be_buried(&self, session: &SessionId) -> bool {
        self.closed.contains(session)
    }

    /// The sessions that the rounds know to have committed.
    pub(super) fn live(&self) -> &[SessionId] {
        &self.fin.live
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
    ///
    /// # Errors
    /// [`Error::TooLate`] when something is being reclaimed by now.
    pub(super) fn finish(
        self,
        repository: &Repository,
        ledger: &Ledger<'_>,
        session: SessionId,
        merged: &BTreeSet<SegmentId>,
        aside: &BTreeSet<SegmentId>,
    ) -> Result<bool> {
        check_marks(repository, self.round, !self.is_lost, ledger)?;
        if check_removals(repository, !self.is_lost, ledger)? != self.leaving {
            return Ok(false);
        }
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
        let (name, removals) = (ObjectName::Fin(self.round), ObjectName::Removals(self.round));
        let seal = |name, kind, plain: Vec<u8>| repository.codec().seal_object(name, kind, session, &plain);
        let list = seal(&removals, RemovalsRecord::KIND, self.leaving.encode()?)?;
        let removes_nothing = is_empty(&self.leaving);
        fin.removals = if removes_nothing || put_slot(&**repository.backend(), &removals, &list)? {
            // The list of a round that removes nothing is not kept, as if it had gone after the round: no stored one has this hash.
            object_hash(list.as_bytes())
        } else {
            // An earlier repair was interrupted here: its list is among those that were read.
            object_hash(&get_object(&**repository.backend(), &removals)?)
        };
        let sealed = seal(&name, FinRecord::KIND, fin.encode()?)?;
        put_slot(&**repository.backend(), &name, &sealed)
    }
}

/// Marks of rounds that are not finished.
struct Marks {
    newest: Option<u64>,
    /// One does not open, which stops every writer.
    is_stuck: bool,
}

/// Refuses to work beside a round that reclaims, or that may still be removing what it condemned. A mark that condemns nothing, or does
/// not open, is void when its round has a fin.
fn check_marks(repository: &Repository, next: u64, is_newest_open: bool, ledger: &Ledger<'_>) -> Result<Marks> {
    let mut marks = Marks { newest: None, is_stuck: false };
    for (name, size) in list_names(&**repository.backend(), Folder::Marks.prefix())? {
        let ObjectName::Mark(marked) = name else { continue };
        let is_finished = marked < next;
        if !is_finished {
            marks.newest = marks.newest.max(Some(marked));
        }
        match repository.open_stored(&name, size) {
            Ok(StoredObject::Mark(mark)) if mark.condemned.is_empty() => {}
            // Beside a fin that does not open nobody can go on with its round: what it removes is taken over.
            Ok(_) if is_finished && !is_newest_open => {}
            Ok(_) => return Err(too_late(&name)),
            Err(error @ Error::Newer { .. }) => return Err(error),
            Err(_) if is_finished => {}
            Err(error) => {
                ledger.blame(error)?;
                marks.is_stuck = true;
            }
        }
    }
    Ok(marks)
}

/// Between its `fin` and the last removal a round's packs still lie there, and no segment names them: to index them would be to promise
/// chunks that are about to go. Refuses then; but where the newest `fin` does not open, and so nobody can go on with that round,
/// returns what is to be removed.
fn check_removals(repository: &Repository, is_newest_open: bool, ledger: &Ledger<'_>) -> Result<RemovalsRecord> {
    let mut leaving = RemovalsRecord { packs: Vec::new(), segments: Vec::new(), merged: Vec::new() };
    for (name, size) in list_names(&**repository.backend(), Folder::Removals.prefix())? {
        let ObjectName::Removals(_) = name else { continue };
        // One that was read wrongly once may still be right for whoever removes.
        let opened = repository.open_stored(&name, size).or_else(|_| repository.open_stored(&name, size));
        match opened {
            Ok(StoredObject::Removals(list)) if is_empty(&list) => {}
            Ok(StoredObject::Removals(list)) if !is_newest_open => {
                leaving.packs.extend(list.packs);
                leaving.segments.extend(list.segments);
                leaving.merged.extend(list.merged);
            }
            Ok(_) => return Err(too_late(&name)),
            Err(error @ Error::Newer { .. }) => return Err(error),
            // It has not the hash that its fin names: nobody removes anything by it.
            Err(error) => ledger.blame(error)?,
        }
    }
    leaving.packs.sort_unstable();
    leaving.packs.dedup();
    for list in [&mut leaving.segments, &mut leaving.merged] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(leaving)
}

fn is_empty(list: &RemovalsRecord) -> bool {
    list.packs.is_empty() && list.segments.is_empty() && list.merged.is_empty()
}

fn too_late(name: &ObjectName) -> Error {
    Error::TooLate { what: format!("space is being reclaimed ({name}): let that end first") }
}

fn hash_of(repository: &Repository, round: u64) -> Result<ObjectHash> {
    let name = ObjectName::Fin(round);
    let stored = get_object(&**repository.backend(), &name)?;
    Ok(object_hash(&stored))
}

/// What several rounds say together about what counts no more and which snapshots are live; of which segments count, nothing.
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
        all.live.extend(round.live);
    }
    all
}

/// Sessions that were closed: which of them are buried was in the record that is lost, and burying one too many only hides
/// segments whose packs are indexed anew.
fn closed_sessions(repository: &Repository) -> Result<BTreeSet<SessionId>> {
    let mut closed = BTreeSet::new();
    for (name, size) in list_names(&**repository.backend(), Folder::Snapshots.prefix())? {
        let ObjectName::Snapshot(session) = name else { continue };
        match repository.open_stored(&name, size) {
            Ok(StoredObject::Outcome(Slot::Closed(_))) => _ = closed.insert(session),
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
