//! Bytes that may leave the machine: sealed, or proven to be what a store already held (rule I4).

use bytes::Bytes;

use super::ObjectName;
use crate::error::{Error, Result};

/// Bytes of an object, sealed by `codec` or copied from a store after their name or trailer proved them.
///
/// [`Backend::put`](super::Backend::put) takes nothing else, so plain content can not reach a store by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Bytes);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl Sealed {
    /// Takes what `codec` or a builder of packs and segments has sealed.
    pub(crate) fn from_sealer(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// Takes bytes that were read from a store, when they prove themselves without a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they do not.
    pub fn from_stored(name: &ObjectName, bytes: Bytes) -> Result<Self> {
        check_stored(name, &bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Checks stored bytes against their name or trailer, without a key (rule I6): finds decay, not malice.
///
/// # Errors
/// [`Error::Damaged`] when they are not what was written.
pub fn check_stored(name: &ObjectName, bytes: &[u8]) -> Result<()> {
    match name {
        ObjectName::Pack(id) => check_hash(name, bytes, &id.0),
        ObjectName::Segment(id) | ObjectName::MergedSegment(id) => check_hash(name, bytes, &id.0),
        ObjectName::Parity(id) => check_hash(name, bytes, &id.0),
        _ => match bytes.split_last_chunk::<32>() {
            Some((body, hash)) => check_hash(name, body, hash),
            None => Err(Error::damaged(name, format!("it is only {} bytes long", bytes.len()))),
        },
    }
}

fn check_hash(name: &ObjectName, bytes: &[u8], expected: &[u8; 32]) -> Result<()> {
    if blake3::hash(bytes).as_bytes() == expected {
        Ok(())
    } else {
        Err(Error::damaged(name, "its bytes do not match its checksum"))
    }
}
