//! The snapshots of a repository, read from their slots.

use std::collections::{BTreeSet, HashSet};

use super::{
    aside::read_aside,
    history::{self, Version},
    kept::KeptSlots,
    manifest::Manifest,
    protocol::ClosedRecord,
};
use crate::{
    backend::{Backend, Folder, ObjectName},
    codec::{Codec, Kind, object_hash},
    error::{Error, Result},
    id::{ObjectHash, SessionId, SnapshotId},
    metadata::Timestamp,
    store::{get_listed, get_object, list_names},
};

/// A committed snapshot.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The session whose slot holds it.
    pub session: SessionId,
    /// What is recorded of it.
    pub manifest: Manifest,
    /// Hash of the stored slot: a head of history.
    pub head: ObjectHash,
}

impl Committed {
    /// Snapshots sort by when they ended, then by id.
    #[must_use]
    pub fn order(&self) -> (Timestamp, SnapshotId) {
        (self.manifest.ended_at, self.manifest.id)
    }

    /// The moment that its content is of: when the source was frozen, else when it was all stored.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.manifest.point_in_time.unwrap_or(self.manifest.ended_at)
    }

    fn version(&self, is_forgotten: bool) -> Version {
        Version { session: self.session, id: self.manifest.id, origin: self.manifest.origin, is_forgotten }
    }

    /// Tells whether two snapshots are of one host and the same paths.
    #[must_use]
    pub fn is_of_group(&self, host: &str, paths: &[Vec<u8>]) -> bool {
        self.manifest.host == host && self.manifest.paths == paths
    }
}

/// What a session's slot holds.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "made one at a time, and most are snapshots")]
pub enum Slot {
    /// A snapshot.
    Committed(Committed),
    /// Nothing will ever be committed there.
    Closed(ClosedRecord),
}

/// Snapshots that are committed and not forgotten, oldest first, and the slots that do not open.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The snapshots.
    pub snapshots: Vec<Committed>,
    /// What was forgotten, still in its slot.
    pub forgotten: Vec<Committed>,
    /// Older versions of these snapshots, from before a tag or description changed: see [`replaced`](super::replaced).
    pub replaced: Vec<Committed>,
    /// Slots that are damaged and were not [set aside](super::set_aside), or that a newer version wrote: never taken for closed.
    pub damaged: Vec<(SessionId, Error)>,
    /// Sessions whose slots were forgotten or replaced, as far as that is said in `forgotten/`.
    set_aside: HashSet<SessionId>,
}

impl Catalog {
    /// Reads all slots, or those of one group of host and paths.
    ///
    /// # Errors
    /// [`Error::Store`] when the store can not be listed or read.
    pub fn load(backend: &dyn Backend, codec: &Codec, group: Option<[u8; 2]>) -> Result<Self> {
        Self::load_with(backend, codec, group, None)
    }

    /// The same; what this client keeps of slots that are listed is not read again.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_with(
        backend: &dyn Backend,
        codec: &Codec,
        group: Option<[u8; 2]>,
        slots: Option<&KeptSlots>,
    ) -> Result<Self> {
        let of_group = |folder: Folder| match group {
            Some([first, second]) => format!("{}{first:02x}{second:02x}", folder.prefix()),
            None => folder.prefix().to_owned(),
        };
        // What is forgotten is read first: a snapshot that is committed and forgotten in between is passed over or seen whole.
        let forgotten: HashSet<SessionId> = list_names(backend, &of_group(Folder::Forgotten))?
            .into_iter()
            .filter_map(|(name, _)| match name {
                ObjectName::Forgotten(session) => Some(session),
                _ => None,
            })
            .collect();
        let (mut committed, mut damaged) = (Vec::new(), Vec::new());
        let (mut kept, mut listed) = (slots.map(KeptSlots::read).unwrap_or_default(), BTreeSet::new());
        for (name, size) in list_names(backend, &of_group(Folder::Snapshots))? {
            let ObjectName::Snapshot(session) = name else { continue };
            listed.insert(session);
            let known = kept.get(session, size).and_then(|stored| open_slot(codec, session, stored).ok());
            let slot: Result<Slot> = known.map_or_else(
                || {
                    let stored = get_listed(backend, &name, size)?;
                    let slot = open_slot(codec, session, &stored)?;
                    kept.keep(session, stored);
                    Ok(slot)
                },
                Ok,
            );
            match slot {
                Ok(Slot::Committed(snapshot)) => committed.push(snapshot),
                Ok(Slot::Closed(_)) => {}
                Err(error) if error.is_of_one_object() => damaged.push((session, error)),
                Err(error) => return Err(error),
            }
        }
        // What was set aside was told, and is told by verification still.
        if !damaged.is_empty() {
            let aside = read_aside(backend, codec)?;
            damaged.retain(|(session, _)| !aside.contains_key(&ObjectName::Snapshot(*session).to_string()));
        }
        if let Some(slots) = slots {
            slots.write(kept, Some(&listed).filter(|_| group.is_none()));
        }
        Ok(Self::sort(committed, forgotten, damaged))
    }

    fn sort(committed: Vec<Committed>, set_aside: HashSet<SessionId>, damaged: Vec<(SessionId, Error)>) -> Self {
        let versions: Vec<Version> =
            committed.iter().map(|snapshot| snapshot.version(set_aside.contains(&snapshot.session))).collect();
        let replaced = history::replaced(&versions);
        let mut catalog = Self { damaged, set_aside, ..Self::default() };
        for snapshot in committed {
            let session = &snapshot.session;
            if replaced.contains(session) {
                catalog.replaced.push(snapshot);
            } else if catalog.set_aside.contains(session) {
                catalog.forgotten.push(snapshot);
            } else {
                catalog.snapshots.push(snapshot);
            }
        }
        catalog.snapshots.sort_by_key(Committed::order);
        catalog
    }

    /// The older versions of a snapshot of which nothing in `forgotten/` says that they are no longer wanted: whoever changed it
    /// was interrupted. Forgetting a snapshot means all of its versions.
    pub fn unsettled_versions(&self, id: SnapshotId) -> impl Iterator<Item = &Committed> {
        let is_unsettled = move |old: &&Committed| old.manifest.id == id && !self.set_aside.contains(&old.session);
        self.replaced.iter().filter(is_unsettled)
    }

    /// Heads of history: snapshots that no other one has seen.
    #[must_use]
    pub fn heads(&self) -> Vec<ObjectHash> {
        let all = || self.snapshots.iter().chain(&self.forgotten).chain(&self.replaced);
        let seen: HashSet<ObjectHash> = all().flat_map(|snapshot| snapshot.manifest.heads.iter().copied()).collect();
        let mut heads: Vec<ObjectHash> =
            all().map(|snapshot| snapshot.head).filter(|head| !seen.contains(head)).collect();
        heads.sort_unstable();
        heads
    }
}

/// Reads the slot of one session.
///
/// # Errors
/// [`Error::Damaged`], [`Error::Newer`] or [`Error::Store`].
pub fn read_slot(backend: &dyn Backend, codec: &Codec, session: SessionId) -> Result<Slot> {
    let stored = get_object(backend, &ObjectName::Snapshot(session))?;
    open_slot(codec, session, &stored)
}

/// Opens a stored slot.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::Newer`].
pub fn open_slot(codec: &Codec, session: SessionId, stored: &[u8]) -> Result<Slot> {
    let name = ObjectName::Snapshot(session);
    let opened = codec.open_object(&name, &[Kind::Manifest, Kind::Closed], Some(session), stored)?;
    let object = name.to_string();
    if opened.kind == Kind::Closed {
        return ClosedRecord::decode(&object, &opened.plain).map(Slot::Closed);
    }
    let manifest = Manifest::decode(&object, &opened.plain)?;
    Ok(Slot::Committed(Committed { session, manifest, head: object_hash(stored) }))
}
