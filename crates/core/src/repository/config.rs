//! What is fixed when a repository is made.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    backend::{Backend, ObjectName},
    chunk::ChunkSizes,
    codec::{Codec, Kind},
    error::{BackendErrorKind, Error, Result},
    id::{RepositoryId, SessionId},
    store::LARGEST_WHOLE,
    wire,
};

const VERSION: u8 = 1;

/// The cutter of version 1: FastCDC with a keyed table.
const CUTTER: u8 = 0;

/// What is fixed when a repository is made. The order of the fields is the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Its id.
    pub repository: RepositoryId,
    /// Bounds of its chunks.
    pub chunk_sizes: ChunkSizes,
    /// Which cutter it uses.
    pub cutter: u8,
    /// When it was made: seconds since 1970, by the clock of who made it.
    pub created_seconds: i64,
}

/// `config` belongs to no session.
pub(super) const NO_SESSION: SessionId = SessionId([0; 16]);

/// The stored bytes of `config`; none when it is missing.
///
/// # Errors
/// [`Error::Damaged`] when the store can not give them back, or there are more than any such object has; [`Error::Store`].
pub(super) fn stored_config(backend: &dyn Backend) -> Result<Option<Bytes>> {
    match backend.get_at_most(&ObjectName::Config, LARGEST_WHOLE) {
        Ok(stored) => Ok(Some(stored)),
        Err(error) if error.kind == BackendErrorKind::NotFound => Ok(None),
        Err(error) if error.kind == BackendErrorKind::Corrupt => Err(Error::damaged("config", error)),
        Err(error) => Err(Error::store("read", "config", error)),
    }
}

impl Config {
    pub(super) fn new(repository: RepositoryId, chunk_sizes: ChunkSizes, created_seconds: i64) -> Self {
        Self { repository, chunk_sizes, cutter: CUTTER, created_seconds }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        wire::encode("config", VERSION, self)
    }

    /// Opens the stored object, from `config` or from the copy in a slot.
    pub(super) fn open(codec: &Codec, stored: &[u8]) -> Result<Self> {
        let name = ObjectName::Config;
        let opened = codec.open_object(&name, &[Kind::Config], Some(NO_SESSION), stored)?;
        let config: Self = wire::decode("config", VERSION, &opened.plain)?;
        if config.cutter != CUTTER {
            return Err(Error::Newer { object: "config".into(), needs: format!("cutter {}", config.cutter) });
        }
        config.chunk_sizes.check().map_err(|error| Error::damaged("config", error))?;
        if config.repository != codec.repository() {
            return Err(Error::damaged("config", "it belongs to another repository"));
        }
        Ok(config)
    }
}
