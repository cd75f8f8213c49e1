//! What is fixed when a repository is made.

use serde::{Deserialize, Serialize};

use crate::{
    backend::ObjectName,
    chunk::ChunkSizes,
    codec::{Codec, Kind},
    error::{Error, Result},
    id::{RepositoryId, SessionId},
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
