//! The one door between plain content and stored bytes: headers, sealing, compression.
//!
//! ```text
//! object sealed as one:  header 80 · sealed bytes · tag 16 · signature · its length u16 · BLAKE3 of all before 32
//! block:                 codec 1 · payload          (sealed inside a pack by its offset)
//! ```
//!
//! Each object has its own key, derived from its class secret and its whole header, so counters serve as
//! nonces and none are stored. Packs and segments are put together in their rooms from what this room seals.

mod block;
mod cipher;
mod header;
mod object;
pub mod slot;

pub use block::{BlockDecoder, BlockEncoder, Compression, Encoded, LARGEST_BLOCK};
pub use cipher::{Domain, Opener, Sealer, TAG};
pub use header::{HEADER, Header, Kind};
pub use object::{OpenedObject, object_hash};

use crate::{
    error::{Error, Result},
    id::{RepositoryId, SessionId},
    keys::Keys,
};

/// Seals and opens for one repository.
#[derive(Clone, Debug)]
pub struct Codec {
    keys: Keys,
    repository: RepositoryId,
}

impl Codec {
    /// A codec for a repository and its keys.
    #[must_use]
    pub fn new(keys: Keys, repository: RepositoryId) -> Self {
        Self { keys, repository }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The repository that every header must name.
    #[must_use]
    pub fn repository(&self) -> RepositoryId {
        self.repository
    }

    /// Begins a new object with a fresh header and key.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn sealer(&self, kind: Kind, session: SessionId) -> Result<Sealer> {
        let header = Header::draw(kind, self.keys.epoch(), self.repository, session)?;
        let secret = self.class_secret("a new object", &header)?;
        Ok(Sealer::new(header, &secret))
    }

    /// Prepares to open an object by its header, which was read from it or from a pack table.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it names another repository or a key epoch that no slot has given.
    pub fn opener(&self, object: &str, header: &Header) -> Result<Opener> {
        if header.repository != self.repository {
            return Err(Error::damaged(object, format!("it belongs to repository {}", header.repository)));
        }
        let secret = self.class_secret(object, header)?;
        Ok(Opener::new(object, header, &secret))
    }

    fn class_secret(&self, object: &str, header: &Header) -> Result<crate::keys::Secret> {
        let class = header
            .kind
            .class()
            .ok_or_else(|| Error::damaged(object, "a key slot stands where another object should be"))?;
        self.keys
            .class(header.epoch, class)
            .ok_or_else(|| Error::damaged(object, format!("no key slot gives key epoch {}", header.epoch)))
    }
}
