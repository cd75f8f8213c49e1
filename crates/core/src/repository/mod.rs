//! A repository: made with [`Repository::init`], opened with [`Repository::open`], worked in by sessions.
//!
//! ```text
//! open:     keys/ → a slot opens → masters, copy of config → config → features
//! announce: sessions/<s>, and only then: fin and marks → snapshots → index
//! commit:   packs → segments → snapshots/<s>      one create-only slot decides
//! ```

mod clock;
mod config;
mod init;
mod inspect;
mod loose;
mod mend;
mod named;
mod open;
mod session;
mod slots;
mod view;

use std::sync::Arc;

pub use clock::{Clock, SystemClock};
pub use config::Config;
pub use init::{InitOptions, NewSlot};
pub use inspect::StoredObject;
pub use open::OpenOptions;
pub use session::{Announcement, Outcome, Session};
pub use slots::{OpenedSlot, SlotInfo, SlotState};
pub use view::View;

use crate::{
    backend::{Backend, Misread},
    chunk::Cutter,
    codec::Codec,
    error::{Error, Result},
    id::RepositoryId,
    index::Copies,
    metadata::Timestamp,
    snapshot::{Catalog, KeptSlots},
    store::ChunkReader,
};

/// Objects that are read at a time by threads that only wait for them.
const AT_ONCE: usize = 8;

/// An open repository. Clones share everything, [`for_one_run`](Self::for_one_run) all but one list; all methods may be called from several threads at once.
#[derive(Clone)]
pub struct Repository(Arc<Inner>, Arc<Caches>, Misread);

struct Inner {
    backend: Arc<dyn Backend>,
    codec: Codec,
    config: Config,
    config_bytes: Vec<u8>,
    cutter: Arc<Cutter>,
    clock: Arc<dyn Clock>,
    workers: rayon::ThreadPool,
    damage: Vec<Error>,
    opened_by: OpenedSlot,
}

/// What this client keeps copies in.
#[derive(Debug, Default)]
struct Caches {
    copies: Option<Copies>,
    slots: Option<KeptSlots>,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("id", &self.id())
            .field("place", &self.0.backend.describe().place)
            .finish_non_exhaustive()
    }
}

impl Repository {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> RepositoryId {
        self.0.config.repository
    }

    /// What was fixed when it was made.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Where its objects lie.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.backend
    }

    /// What seals and opens its objects.
    #[must_use]
    pub fn codec(&self) -> &Codec {
        &self.0.codec
    }

    /// What cuts content into its chunks.
    #[must_use]
    pub fn cutter(&self) -> &Arc<Cutter> {
        &self.0.cutter
    }

    /// Its own pool of worker threads.
    #[must_use]
    pub fn workers(&self) -> &rayon::ThreadPool {
        &self.0.workers
    }

    /// The time by its clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Damage that did not keep it from opening: of `config`, of slots.
    #[must_use]
    pub fn damage(&self) -> &[Error] {
        &self.0.damage
    }

    /// Reads all snapshots.
    ///
    /// # Errors
    /// [`Error::Store`] or [`Error::Newer`]; damaged slots are in the catalog.
    pub fn catalog(&self) -> Result<Catalog> {
        Catalog::load_with(&*self.0.backend, &self.0.codec, None, self.1.slots.as_ref())
    }

    /// Reads what is needed to find chunks, through this client's copies where it keeps some.
    ///
    /// # Errors
    /// [`Error::Store`] or [`Error::Newer`]; damaged segments are in the view.
    pub fn view(&self) -> Result<View> {
        View::for_reading(self)
    }

    /// The same repository without this client's copies: for whoever checks, counts or repairs what is stored.
    #[must_use]
    pub fn as_stored(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::default(), self.2.clone())
    }

    /// The same repository for one run of a verb, which tells at its end what was [misread](Self::misread) in it, and nothing that others
    /// met who use this repository at the same time.
    #[must_use]
    pub fn for_one_run(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::clone(&self.1), self.2.below())
    }

    /// What was read wrongly once and rightly the second time, through this repository and the views and readers that it gave.
    ///
    /// Verbs tell it in their reports. What is found here is what none of them told: of runs that ended with an error, and of what was read
    /// without a verb.
    #[must_use]
    pub fn misread(&self) -> &Misread {
        &self.2
    }

    /// A reader of chunks over a view's index.
    #[must_use]
    pub fn reader(&self, view: &View) -> ChunkReader {
        let (backend, codec) = (Arc::clone(&self.0.backend), self.0.codec.clone());
        ChunkReader::new(backend, codec, Arc::clone(&view.index)).noting(&self.2)
    }
}
