//! What a repository holds at one moment: which packs may be used, and the index.

use std::{collections::HashSet, sync::Arc};

use super::Repository;
use crate::{
    backend::{Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    index::{Counted, Index},
    snapshot::{FinRecord, MarkRecord},
    store::{get_listed, list_names},
};

/// The state of reclaiming and the index.
#[derive(Debug)]
pub struct View {
    /// Where chunks lie.
    pub index: Arc<Index>,
    /// Packs that an unfinished mark condemns: nobody may begin to refer to them.
    pub condemned: HashSet<PackId>,
    /// Packs that were found damaged: their chunks are stored anew.
    pub damaged_packs: HashSet<PackId>,
    /// A mark is unfinished.
    pub is_marked: bool,
    /// Segments and records that do not open. They cost time, or space, never data.
    pub damage: Vec<Error>,
    /// A merged segment does not open: of packs that others name, too, chunks may be hidden that it alone named.
    pub lacks_merged: bool,
}

/// What the objects of reclaiming say.
struct Reclaiming {
    counted: Counted,
    condemned: HashSet<PackId>,
    is_marked: bool,
}

impl View {
    /// Reads what a writer needs, after its session was announced: the newest `fin` and the unfinished marks.
    /// The snapshots are read next, and then the index with [`View::for_writing`].
    pub(super) fn reclaiming_for_writing(repository: &Repository) -> Result<ReclaimingState> {
        Ok(ReclaimingState(read_reclaiming(repository)?, read_damaged(repository)?))
    }

    /// Completes a writer's view with the index.
    pub(super) fn for_writing(repository: &Repository, state: ReclaimingState) -> Result<Self> {
        let ReclaimingState(reclaiming, damaged_packs) = state;
        Self::load(repository, reclaiming, damaged_packs, Vec::new())
    }

    /// Reads what a reader needs. A reader needs no permission: it takes chunks from wherever they open, and proves them.
    pub(super) fn for_reading(repository: &Repository) -> Result<Self> {
        let mut damage = Vec::new();
        let reclaiming = match read_reclaiming(repository) {
            Ok(reclaiming) => reclaiming,
            // Without the authority on segments all of them are looked into: at worst some name packs that are gone.
            Err(error) if error.is_damage() => {
                damage.push(error);
                Reclaiming { counted: all_segments(repository)?, condemned: HashSet::new(), is_marked: false }
            }
            Err(error) => return Err(error),
        };
        let damaged_packs = read_damaged(repository)?;
        Self::load(repository, reclaiming, damaged_packs, damage)
    }

    fn load(
        repository: &Repository,
        reclaiming: Reclaiming,
        damaged_packs: HashSet<PackId>,
        mut damage: Vec<Error>,
    ) -> Result<Self> {
        let copies = repository.1.copies.as_ref();
        let loaded = Index::load_with(
            repository.backend(),
            repository.codec(),
            &reclaiming.counted,
            copies,
            repository.misread(),
        )?;
        let is_merged = |error: &Error| {
            let name = error.damaged_object().and_then(ObjectName::parse);
            matches!(name, Some(ObjectName::MergedSegment(_)))
        };
        let lacks_merged = loaded.damaged.iter().any(is_merged);
        damage.extend(loaded.damaged);
        Ok(Self {
            index: Arc::new(loaded.index),
            condemned: reclaiming.condemned,
            damaged_packs,
            is_marked: reclaiming.is_marked,
            damage,
            lacks_merged,
        })
    }

    /// Tells whether a new reference to chunks in this pack is allowed.
    #[must_use]
    pub fn is_usable(&self, pack: &PackId) -> bool {
        !self.condemned.contains(pack) && !self.damaged_packs.contains(pack)
    }

    /// Tells whether everything that a parent refers to may be taken over unseen: no reclaiming is under way, and
    /// nothing is known to be damaged. Chunks that only a damaged segment names are stored anew.
    #[must_use]
    pub fn is_parent_trusted(&self) -> bool {
        !self.is_marked && self.damaged_packs.is_empty() && self.damage.is_empty()
    }
}

/// The state of reclaiming, read before the snapshots and the index.
pub(super) struct ReclaimingState(Reclaiming, HashSet<PackId>);

fn read_reclaiming(repository: &Repository) -> Result<Reclaiming> {
    let backend = &**repository.backend();
    let mut rounds: Vec<(u64, u64)> = list_names(backend, Folder::Fin.prefix())?
        .into_iter()
        .filter_map(|(name, size)| match name {
            ObjectName::Fin(round) => Some((round, size)),
            _ => None,
        })
        .collect();
    rounds.sort_unstable();
    let mut counted = Counted::default();
    if let Some(&(newest, size)) = rounds.last() {
        let fin = FinRecord::decode("fin", &open(repository, &ObjectName::Fin(newest), size, FinRecord::KIND)?)?;
        counted.merged.extend(fin.merged);
        counted.replaced.extend(fin.replaced);
        counted.buried.extend(fin.buried);
    }
    let mut condemned = HashSet::new();
    let mut is_marked = false;
    for (name, size) in list_names(backend, Folder::Marks.prefix())? {
        let ObjectName::Mark(round) = name else { continue };
        // A mark found while its fin stands is void.
        if rounds.iter().any(|(finished, _)| *finished == round) {
            continue;
        }
        is_marked = true;
        condemned.extend(MarkRecord::decode("mark", &open(repository, &name, size, MarkRecord::KIND)?)?.condemned);
    }
    Ok(Reclaiming { counted, condemned, is_marked })
}

fn open(repository: &Repository, name: &ObjectName, size: u64, kind: crate::codec::Kind) -> Result<Vec<u8>> {
    let backend = &**repository.backend();
    repository.misread().read_twice(backend, name, &mut || {
        let stored = get_listed(backend, name, size)?;
        Ok(repository.codec().open_object(name, &[kind], None, &stored)?.plain)
    })
}

fn read_damaged(repository: &Repository) -> Result<HashSet<PackId>> {
    let names = list_names(&**repository.backend(), Folder::Damaged.prefix())?;
    Ok(names
        .into_iter()
        .filter_map(|(name, _)| match name {
            ObjectName::Damaged(pack) => Some(pack),
            _ => None,
        })
        .collect())
}

fn all_segments(repository: &Repository) -> Result<Counted> {
    let mut counted = Counted::default();
    for (name, _) in list_names(&**repository.backend(), Folder::Index.prefix())? {
        if let ObjectName::MergedSegment(segment) = name {
            counted.merged.insert(segment);
        }
    }
    Ok(counted)
}
