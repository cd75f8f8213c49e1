//! Whether a chunk has to be stored: what the index places in a usable pack, and what somebody in this session has claimed, has not.

use std::collections::{BTreeMap, HashSet};

use super::{ChunkWriter, Shared};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    index::Location,
};

impl ChunkWriter {
    /// Tells whether the caller has to store this chunk: it is neither in a usable pack nor claimed by anybody in this session.
    ///
    /// # Errors
    /// When the index can not be read, or the writer failed.
    pub fn claim(&self, kind: ChunkKind, id: &ChunkId) -> Result<bool> {
        self.shared.failure.check()?;
        if self.shared.claims.contains(id) || self.is_stored(kind, id)? {
            return Ok(false);
        }
        // Segments are added to the index before their ids leave the claims, so between the two looks nothing slips through:
        // at worst a chunk is stored twice.
        Ok(self.shared.claims.insert(*id))
    }

    /// What [`claim`](Self::claim) says of a chunk of data, as far as what is in memory tells: none when the index would have to be read.
    ///
    /// # Errors
    /// When the writer failed.
    pub fn claim_at_once(&self, id: &ChunkId) -> Result<Option<bool>> {
        self.shared.failure.check()?;
        if self.shared.claims.contains(id) {
            return Ok(Some(false));
        }
        // As for `claim`: the index is asked between the two looks.
        if self.shared.index.may_hold(id) {
            return Ok(None);
        }
        Ok(Some(self.shared.claims.insert(*id)))
    }

    /// What [`claim`](Self::claim) says of each of many chunks, in their order; a page of the index that several of them need is opened once.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim).
    pub fn claim_many(&self, kind: ChunkKind, ids: &[ChunkId]) -> Result<Vec<bool>> {
        let Shared { failure, claims, index, .. } = &*self.shared;
        failure.check()?;
        let asked: Vec<ChunkId> = ids.iter().filter(|id| !claims.contains(id)).copied().collect();
        let mut is_open: HashSet<ChunkId> = asked.iter().copied().collect();
        let mut unanswered = BTreeMap::new();
        let found = index.find_many(&asked, kind, &mut |place, location| {
            self.is_usable(location).unwrap_or_else(|error| {
                unanswered.entry(place).or_insert(error);
                false
            })
        });
        for (place, (id, found)) in asked.iter().zip(found).enumerate() {
            if settled(found, unanswered.remove(&place))? {
                is_open.remove(id);
            }
        }
        // As for `claim`: the index was asked between the two looks.
        Ok(ids.iter().map(|id| is_open.contains(id) && claims.insert(*id)).collect())
    }

    /// Tells whether the index places this chunk in a usable pack.
    ///
    /// # Errors
    /// When the index can not be read.
    pub fn is_stored(&self, kind: ChunkKind, id: &ChunkId) -> Result<bool> {
        let mut unanswered = None;
        let found = self.shared.index.find(id, kind, &mut |location| {
            self.is_usable(location).unwrap_or_else(|error| {
                unanswered.get_or_insert(error);
                false
            })
        });
        settled(found, unanswered)
    }

    /// Tells whether a chunk that lies there needs no other copy.
    fn is_usable(&self, location: &Location) -> Result<bool> {
        let Shared { usable, doubt, backend, .. } = &*self.shared;
        // A delta is only as safe as its base, which this version does not look up.
        Ok(!location.has_base && usable(&location.pack.id) && doubt.permits(&location.pack.id, &**backend)?)
    }
}

/// What the search for a chunk and the questions to the store that it led to come to.
fn settled(found: Result<Option<Location>>, unanswered: Option<Error>) -> Result<bool> {
    match found {
        Ok(None) => unanswered.map_or(Ok(false), Err),
        Ok(Some(_)) => Ok(true),
        // A damaged page of the index costs space, never data: the chunk is stored anew (rule I5).
        Err(error) if error.is_damage() => Ok(false),
        Err(error) => Err(error),
    }
}
