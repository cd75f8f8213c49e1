//! Opens a repository: any one sound slot is enough, and its copy of `config` stands in for a damaged one.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{
    Caches, Inner, Repository,
    clock::{Clock, SystemClock},
    config::{Config, stored_config},
    slots::OpenedSlot,
};
use crate::{
    backend::{Backend, Folder, Misread, ObjectName},
    cache::CacheFolder,
    codec::{
        Codec,
        slot::{Credential, SlotForm, SlotRecord, open_slot, read_head},
    },
    error::{Error, Result},
    id::{RepositoryId, SlotId},
    index::{Copies, CopiesOptions},
    keys::{Keys, Secret},
    snapshot::KeptSlots,
    store::{get_listed, list_names},
};

/// Most slots that are tried: each password slot costs time and memory.
pub(super) const MOST_SLOTS: usize = 20;

/// How a repository is opened.
#[derive(Clone)]
pub struct OpenOptions {
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Worker threads; as many as processors when `None`.
    pub threads: Option<usize>,
    /// The repository that it must be, where the caller remembers it.
    pub expected: Option<RepositoryId>,
    /// Where this client keeps copies of what it has read, in a folder for each repository: merged segments of the index, and slots of
    /// snapshots. They may be removed at any time. Nothing is kept when `None`.
    pub cache: Option<PathBuf>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), threads: None, expected: None, cache: None }
    }
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl Repository {
    /// Opens a repository with a password or a key file.
    ///
    /// # Errors
    /// [`Error::NoRepository`], [`Error::WrongKey`], [`Error::Damaged`] when no slot opens and one of them is damaged,
    /// [`Error::Newer`], [`Error::OtherRepository`].
    pub fn open(backend: Arc<dyn Backend>, credential: &Credential, options: &OpenOptions) -> Result<Self> {
        let config_object = stored_config(&*backend);
        let slots = slot_ids(&*backend)?;
        if slots.is_empty() {
            return Err(match config_object {
                Ok(None) => Error::NoRepository { place: backend.describe().place },
                Ok(Some(_)) | Err(Error::Damaged { .. }) => Error::damaged("keys/", "there is no key slot left"),
                Err(error) => error,
            });
        }
        let (opened, mut damage) = try_slots(&*backend, &slots, credential)?;
        let opened_by = OpenedSlot::new(opened.slot, &opened.record);
        let masters = opened.record.masters.iter().map(|(epoch, master)| (*epoch, Secret::new(*master)));
        let keys = Keys::new(masters.collect::<BTreeMap<_, _>>())?;
        let codec = Codec::new(keys, opened.repository);
        if let Some(expected) = options.expected.filter(|expected| *expected != opened.repository) {
            return Err(Error::OtherRepository {
                place: backend.describe().place,
                found: opened.repository.to_string(),
                expected: expected.to_string(),
            });
        }

        // The slot's copy is the one that opened with the key; the stored one must be equal to it.
        let config = Config::open(&codec, &opened.record.config)?;
        match config_object {
            Ok(Some(stored)) if stored[..] == opened.record.config[..] => {}
            Ok(Some(stored)) => damage.push(
                Config::open(&codec, &stored)
                    .err()
                    .unwrap_or_else(|| Error::damaged("config", "it differs from the copy in the key slot")),
            ),
            Ok(None) => damage.push(Error::damaged("config", "it is missing")),
            Err(error) => damage.push(error),
        }
        check_features(&*backend, "r-")?;
        let config_bytes = opened.record.config.clone();
        assemble(backend, codec, config, config_bytes, options, damage, opened_by)
    }
}

struct Opened {
    slot: SlotId,
    record: SlotRecord,
    repository: RepositoryId,
}

/// Tries the slots in the order of their names. Returns the first that opens, and the damage met on the way.
fn try_slots(backend: &dyn Backend, slots: &[(SlotId, u64)], credential: &Credential) -> Result<(Opened, Vec<Error>)> {
    let mut damage = Vec::new();
    let mut refused = 0;
    let mut tried = 0;
    for &(slot, size) in slots {
        let attempt = get_listed(backend, &ObjectName::Slot(slot), size).and_then(|stored| {
            let head = read_head(slot, &stored)?;
            if head.form != credential.form() {
                return Ok(None);
            }
            refused += 1;
            // Sound slots of the other form cost nothing, so only these count against the limit.
            tried += 1;
            if tried > MOST_SLOTS {
                return Ok(None);
            }
            let record = open_slot(slot, &stored, credential)?;
            Ok(record.map(|record| Opened { slot, record, repository: head.repository }))
        });
        match attempt {
            Ok(Some(opened)) => {
                // That the store did not give a slot says nothing of it, and another opened.
                damage.retain(|error| !matches!(error, Error::Store { .. }) || error.is_damage());
                return Ok((opened, damage));
            }
            Ok(None) => {}
            Err(error) => damage.push(error),
        }
    }
    // A wrong password and a damaged slot can not be told apart when the damaged one may be the right one.
    if !damage.is_empty() {
        return Err(damage.swap_remove(0));
    }
    let what = match credential.form() {
        SlotForm::Password => "the password",
        SlotForm::KeyFile => "the key file",
    };
    Err(Error::WrongKey { what, slots: refused, place: backend.describe().place })
}

/// The ids of all slots and their sizes, in order.
pub(super) fn slot_ids(backend: &dyn Backend) -> Result<Vec<(SlotId, u64)>> {
    let names = list_names(backend, Folder::Keys.prefix())?;
    Ok(names
        .into_iter()
        .filter_map(|(name, size)| match name {
            ObjectName::Slot(slot) => Some((slot, size)),
            _ => None,
        })
        .collect())
}

/// Refuses features that this version does not know: none exist yet.
pub(super) fn check_features(backend: &dyn Backend, class: &str) -> Result<()> {
    match list_names(backend, &format!("features/{class}"))?.first() {
        Some((name, _)) => Err(Error::Newer { object: "the repository".into(), needs: name.to_string() }),
        None => Ok(()),
    }
}

/// Puts an open repository together.
pub(super) fn assemble(
    backend: Arc<dyn Backend>,
    codec: Codec,
    config: Config,
    config_bytes: Vec<u8>,
    options: &OpenOptions,
    damage: Vec<Error>,
    opened_by: OpenedSlot,
) -> Result<Repository> {
    let workers = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0))
        .thread_name(|number| format!("lbak-worker-{number}"))
        .build()
        .map_err(|error| Error::System { what: "worker threads", source: std::io::Error::other(error) })?;
    let cutter = Arc::new(codec.keys().cutter(config.chunk_sizes));
    let clock = Arc::clone(&options.clock);
    let cache = options.cache.as_ref().map(|above| CacheFolder::new(above.join(config.repository.to_string())));
    let caches = Caches {
        copies: cache.clone().map(|folder| Copies::new(folder, CopiesOptions::default())),
        slots: cache.map(KeptSlots::new),
    };
    let inner = Inner { backend, codec, config, config_bytes, cutter, clock, workers, damage, opened_by };
    Ok(Repository(Arc::new(inner), Arc::new(caches), Misread::default()))
}
