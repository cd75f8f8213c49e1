//! Makes a repository: its slots first, each with a copy of `config`, then `config` itself, which decides who made it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Repository,
    clock::{Clock, SystemClock},
    config::{Config, NO_SESSION, stored_config},
    open::{OpenOptions, assemble},
    slots::OpenedSlot,
};
use crate::{
    backend::{Backend, Folder, ObjectName},
    chunk::ChunkSizes,
    codec::{
        Codec, Kind,
        slot::{Credential, SlotRecord, seal_slot},
    },
    error::{Error, Result},
    id::{RepositoryId, SlotId},
    keys::{Keys, PasswordCost, Secret, fill_random},
    store::{list_names, put_object, put_slot},
};

/// A slot to make.
#[derive(Clone, Debug)]
pub struct NewSlot {
    /// What will open it.
    pub credential: Credential,
    /// What trying a password will cost.
    pub cost: PasswordCost,
    /// What its owner calls it.
    pub label: String,
}

impl NewSlot {
    /// A slot of the usual cost.
    #[must_use]
    pub fn new(credential: Credential, label: impl Into<String>) -> Self {
        Self { credential, cost: PasswordCost::default(), label: label.into() }
    }
}

/// How a repository is made.
#[derive(Clone)]
pub struct InitOptions {
    /// Bounds of its chunks, for ever.
    pub chunk_sizes: ChunkSizes,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Worker threads; as many as processors when `None`.
    pub threads: Option<usize>,
}

impl Default for InitOptions {
    fn default() -> Self {
        Self { chunk_sizes: ChunkSizes::default(), clock: Arc::new(SystemClock), threads: None }
    }
}

impl std::fmt::Debug for InitOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitOptions").field("chunk_sizes", &self.chunk_sizes).finish_non_exhaustive()
    }
}

impl Repository {
    /// Makes a repository in an empty backend, with at least one slot, and opens it.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when there is one already, [`Error::Invalid`] for sizes that can not be used.
    pub fn init(backend: Arc<dyn Backend>, slots: &[NewSlot], options: &InitOptions) -> Result<Self> {
        options.chunk_sizes.check()?;
        if slots.is_empty() {
            return Err(Error::Invalid { what: "a repository needs a password or a key file".into() });
        }
        refuse_existing(&*backend)?;

        let keys = Keys::new(BTreeMap::from([(0, Secret::random()?)]))?;
        let mut repository = RepositoryId([0; 16]);
        fill_random(&mut repository.0)?;
        let codec = Codec::new(keys, repository);
        let config = Config::new(repository, options.chunk_sizes, options.clock.now().seconds);
        let config_object = codec.seal_object(&ObjectName::Config, Kind::Config, NO_SESSION, &config.encode()?)?;

        let (mut made, mut opened_by) = (Vec::new(), None);
        for slot in slots {
            let record = SlotRecord {
                masters: codec.keys().masters().iter().map(|(epoch, secret)| (*epoch, *secret.expose())).collect(),
                label: slot.label.clone(),
                created_seconds: config.created_seconds,
                config: config_object.as_bytes().to_vec(),
            };
            let id = put_new_slot(&*backend, repository, slot, &record)?;
            opened_by.get_or_insert_with(|| OpenedSlot::new(id, &record));
            made.push(id);
        }
        if !put_slot(&*backend, &ObjectName::Config, &config_object)? {
            // Somebody else was quicker; these slots open nothing of theirs.
            for slot in made {
                let _ = backend.remove(&ObjectName::Slot(slot));
            }
            return Err(exists(&*backend));
        }
        let opened_by = opened_by.expect("there is a slot: checked above");
        let open =
            OpenOptions { clock: Arc::clone(&options.clock), threads: options.threads, ..OpenOptions::default() };
        assemble(backend, codec, config, config_object.as_bytes().to_vec(), &open, Vec::new(), opened_by)
    }
}

/// Seals a slot under a new id and stores it.
pub(super) fn put_new_slot(
    backend: &dyn Backend,
    repository: RepositoryId,
    slot: &NewSlot,
    record: &SlotRecord,
) -> Result<SlotId> {
    let mut id = SlotId([0; 16]);
    fill_random(&mut id.0)?;
    let sealed = seal_slot(repository, id, &slot.credential, slot.cost, record)?;
    put_object(backend, &ObjectName::Slot(id), &sealed)?;
    Ok(id)
}

fn refuse_existing(backend: &dyn Backend) -> Result<()> {
    match stored_config(backend) {
        Ok(None) => {}
        // A damaged one, too.
        Ok(Some(_)) | Err(Error::Damaged { .. }) => return Err(exists(backend)),
        Err(error) => return Err(error),
    }
    for folder in Folder::ALL {
        if !list_names(backend, folder.prefix())?.is_empty() {
            return Err(exists(backend));
        }
    }
    Ok(())
}

fn exists(backend: &dyn Backend) -> Error {
    Error::NotEmpty { place: backend.describe().place, holds: "it holds a repository already".into() }
}
