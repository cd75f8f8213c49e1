//! What decides whether a repository opens, behind the seal: its config, and the record of a key slot.
//!
//! A config that is not as it must be costs nothing while a slot has a copy of it; what is sealed in the only slot decides, and is damage,
//! newer, or opens a repository that has exactly these sizes of chunks.
//!
//! Input: where u8 · the plain bytes that are sealed there.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    chunk::ChunkSizes,
    codec::{
        Codec, Kind,
        slot::{Credential, SlotRecord, seal_slot},
    },
    error::Error,
    id::{RepositoryId, SessionId, SlotId},
    keys::{KeyFile, Keys, PasswordCost, Secret},
    repository::{Config, OpenOptions, Repository},
    wire,
};

const REPOSITORY: RepositoryId = RepositoryId([2; 16]);
const SLOT: SlotId = SlotId([5; 16]);
const NO_SESSION: SessionId = SessionId([0; 16]);
const MASTER: [u8; 32] = [7; 32];

static KEY: LazyLock<Credential> = LazyLock::new(|| {
    Credential::KeyFile(KeyFile::parse(include_bytes!("../../../../fuzz/corpus/keyfile/sound")).expect("a seed"))
});
static CODEC: LazyLock<Codec> = LazyLock::new(|| {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new(MASTER))])).expect("one master");
    Codec::new(keys, REPOSITORY)
});
/// A sound config, sealed.
static CONFIG: LazyLock<Bytes> = LazyLock::new(|| {
    let config = Config {
        repository: REPOSITORY,
        chunk_sizes: ChunkSizes::default(),
        cutter: 0,
        created_seconds: 1_790_000_000,
    };
    sealed_config(&wire::encode("config", 1, &config).expect("a small record"))
});

fn sealed_config(plain: &[u8]) -> Bytes {
    let sealed = CODEC.seal_object(&ObjectName::Config, Kind::Config, NO_SESSION, plain).expect("random bytes");
    sealed.as_bytes().clone()
}

fn slot_with(config: &Bytes) -> Bytes {
    let record =
        SlotRecord { masters: vec![(0, MASTER)], label: "a slot".into(), created_seconds: 1, config: config.to_vec() };
    seal(&record)
}

fn seal(record: &SlotRecord) -> Bytes {
    seal_slot(REPOSITORY, SLOT, &KEY, PasswordCost::CHEAPEST, record).expect("random bytes").as_bytes().clone()
}

/// A store that holds these two.
pub(super) fn store(config: &Bytes, slot: &Bytes) -> Arc<MemoryBackend> {
    let backend = MemoryBackend::new();
    backend.tamper(&ObjectName::Config.to_string(), Some(config.clone()));
    backend.tamper(&ObjectName::Slot(SLOT).to_string(), Some(slot.clone()));
    Arc::new(backend)
}

/// A store with a sound repository in which there is nothing yet, and what seals for it.
pub(super) fn sound_store() -> (Arc<MemoryBackend>, &'static Codec) {
    static SOUND_SLOT: LazyLock<Bytes> = LazyLock::new(|| slot_with(&CONFIG));
    (store(&CONFIG, &SOUND_SLOT), &CODEC)
}

/// Opens it.
pub(super) fn open(backend: &Arc<MemoryBackend>) -> Result<Repository, Error> {
    let options = OpenOptions { threads: Some(1), ..OpenOptions::default() };
    Repository::open(Arc::<MemoryBackend>::clone(backend) as Arc<dyn Backend>, &KEY, &options)
}

/// Runs the target.
pub fn config(input: &[u8]) {
    let Some((&place, plain)) = input.split_first() else { return };
    match place {
        // In both places.
        0 => {
            let config = sealed_config(plain);
            judge(plain, open(&store(&config, &slot_with(&config))));
        }
        // In the slot alone: the one that counts, and the other one is told of.
        1 => {
            let opened = open(&store(&CONFIG, &slot_with(&sealed_config(plain))));
            if let Ok(repository) = &opened {
                assert_eq!(repository.damage().len(), 1, "it differs from the copy");
            }
            judge(plain, opened);
        }
        // Beside a sound slot, sealed or not: it opens, and the damage is told.
        2 | 3 => {
            let stored = if place == 2 { sealed_config(plain) } else { Bytes::copy_from_slice(plain) };
            let (backend, _) = sound_store();
            backend.tamper(&ObjectName::Config.to_string(), Some(stored));
            let repository = open(&backend).expect("the slot has a copy");
            assert_eq!(repository.damage().len(), 1);
        }
        // Whatever a slot says of master secrets, and whatever it has for a copy.
        4 => {
            let Ok(record) = wire::decode::<SlotRecord>("fuzz", 1, plain) else { return };
            let is_ours = record.masters.contains(&(0, MASTER)) && record.config == CONFIG.to_vec();
            let opened = open(&store(&CONFIG, &seal(&record)));
            assert!(opened.is_err() || is_ours, "it was sealed with another secret");
        }
        _ => {}
    }
}

/// What opened has exactly the config that was given, and what did not open says why.
fn judge(plain: &[u8], opened: Result<Repository, Error>) {
    match opened {
        Ok(repository) => {
            let config = repository.config();
            assert_eq!(wire::encode("config", 1, config).expect("a small record"), plain, "another config was read");
            assert!(config.repository == REPOSITORY && config.cutter == 0 && config.chunk_sizes.check().is_ok());
        }
        Err(Error::Damaged { .. } | Error::Newer { .. }) => {}
        Err(error) => panic!("neither damage nor newer: {error}"),
    }
}
