//! Which new chunks of this session somebody has taken on.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::id::ChunkId;

/// Enough shards that workers seldom meet.
const SHARDS: usize = 64;

/// Ids that are new in this session and not yet in a segment.
#[derive(Debug)]
pub(super) struct Claims {
    shards: [Mutex<HashSet<[u8; 20]>>; SHARDS],
}

impl Default for Claims {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

/// As much of an id as the index keeps: two chunks that agree in 160 bits do not happen.
pub(super) fn prefix(id: &ChunkId) -> [u8; 20] {
    *id.0.first_chunk().expect("32 bytes hold 20")
}

impl Claims {
    pub(super) fn contains(&self, id: &ChunkId) -> bool {
        self.shard(id.0[31]).contains(&prefix(id))
    }

    /// Claims an id; false when somebody was first.
    pub(super) fn insert(&self, id: ChunkId) -> bool {
        self.shard(id.0[31]).insert(prefix(&id))
    }

    /// Forgets ids that a segment now holds.
    pub(super) fn remove(&self, ids: &[ChunkId]) {
        for id in ids {
            self.shard(id.0[31]).remove(&prefix(id));
        }
    }

    fn shard(&self, byte: u8) -> MutexGuard<'_, HashSet<[u8; 20]>> {
        self.shards[usize::from(byte) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
