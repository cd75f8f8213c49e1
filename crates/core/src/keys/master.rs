//! Master secrets and what is derived from them.

use std::collections::BTreeMap;

use super::secret::Secret;
use crate::{
    chunk::{ChunkSizes, Cutter},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
};

/// The secret of one key epoch; everything else follows from it.
pub type MasterSecret = Secret;

/// Which class of objects a secret seals. A host that may only add gets *content* alone one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Packs and manifests.
    Content,
    /// Sessions, segments, `closed`, marks, removals, fin.
    Index,
    /// Config, forgotten, damaged.
    Rule,
}

/// Everything derived from one epoch's master secret, plus the masters of all epochs.
#[derive(Clone)]
pub struct Keys {
    epoch: u32,
    masters: BTreeMap<u32, MasterSecret>,
    chunk_ids: [Secret; 3],
    group: Secret,
    runs: Secret,
    copies: Secret,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

fn derive(context: &str, master: &Secret) -> Secret {
    Secret::new(blake3::derive_key(context, master.expose()))
}

impl Keys {
    /// Derives from the masters of all epochs; ids and cuts come from the first, so that they stay when keys are rotated.
    ///
    /// # Errors
    /// [`Error::Invalid`] without any master.
    pub fn new(masters: BTreeMap<u32, MasterSecret>) -> Result<Self> {
        let (Some((_, first)), Some((&epoch, _))) = (masters.first_key_value(), masters.last_key_value()) else {
            return Err(Error::Invalid { what: "a key slot holds no master secret".into() });
        };
        Ok(Self {
            epoch,
            chunk_ids: [
                derive("lbak v1 2026-11 chunk id of data", first),
                derive("lbak v1 2026-11 chunk id of tree", first),
                derive("lbak v1 2026-11 chunk id of list", first),
            ],
            group: derive("lbak v1 2026-11 session group", first),
            runs: derive("lbak v1 2026-11 run cuts", first),
            copies: derive("lbak v1 2026-11 list of copies", first),
            masters,
        })
    }

    /// The epoch that new objects are sealed under.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The masters of all epochs, for a new slot.
    #[must_use]
    pub fn masters(&self) -> &BTreeMap<u32, MasterSecret> {
        &self.masters
    }

    /// The secret of a class of objects in an epoch; `None` for an epoch that no slot has given.
    #[must_use]
    pub fn class(&self, epoch: u32, class: Class) -> Option<Secret> {
        let context = match class {
            Class::Content => "lbak v1 2026-11 class content",
            Class::Index => "lbak v1 2026-11 class index",
            Class::Rule => "lbak v1 2026-11 class rule",
        };
        self.masters.get(&epoch).map(|master| derive(context, master))
    }

    /// The id of a chunk: BLAKE3 of its plain bytes, keyed by its kind.
    #[must_use]
    pub fn chunk_id(&self, kind: ChunkKind, plain: &[u8]) -> ChunkId {
        ChunkId(*blake3::keyed_hash(self.chunk_ids[kind as usize].expose(), plain).as_bytes())
    }

    /// The cutter of this repository: 2,048 bytes of BLAKE3's output stream are its table, drawn again while unusable.
    #[must_use]
    pub fn cutter(&self, sizes: ChunkSizes) -> Cutter {
        let (_, first) = self.masters.first_key_value().expect("not empty: checked in new");
        for attempt in 0_u64.. {
            let mut hasher = blake3::Hasher::new_derive_key("lbak v1 2026-11 cutter table");
            hasher.update(first.expose()).update(&attempt.to_le_bytes());
            let mut stream = hasher.finalize_xof();
            let mut gear = Box::new([0; 256]);
            for value in gear.iter_mut() {
                let mut bytes = [0; 8];
                stream.fill(&mut bytes);
                *value = u64::from_le_bytes(bytes);
            }
            if Cutter::is_table_usable(sizes, &gear) {
                return Cutter::new(sizes, gear);
            }
        }
        unreachable!("one table in a thousand is unusable, not all of 2^64")
    }

    /// Two bytes that the sessions of one host and its paths share.
    #[must_use]
    pub fn session_group(&self, host: &str, paths: &[Vec<u8>]) -> [u8; 2] {
        let mut hasher = blake3::Hasher::new_keyed(self.group.expose());
        hasher.update(&(host.len() as u64).to_le_bytes()).update(host.as_bytes());
        for path in paths {
            hasher.update(&(path.len() as u64).to_le_bytes()).update(path);
        }
        let hash = hasher.finalize();
        [hash.as_bytes()[0], hash.as_bytes()[1]]
    }

    /// A keyed hash over the list of what a client keeps copies of: it is this client's own, or that of another with these keys.
    #[must_use]
    pub fn copies_tag(&self, list: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(self.copies.expose(), list).as_bytes()
    }

    /// A keyed hash that decides where a large directory is cut into runs.
    #[must_use]
    pub fn run_hash(&self, name: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(self.runs.expose(), name);
        let first = hash.as_bytes().first_chunk().expect("32 bytes hold 8");
        u64::from_le_bytes(*first)
    }
}
