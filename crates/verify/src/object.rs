//! One stored object against its name or trailer (rule I6), in bounded memory.

use lbak_core::{
    backend::{Backend, ObjectName, check_stored},
    error::{Error, Result},
    store::get_listed,
};

use crate::ledger::Ledger;

/// Bytes of one read.
pub(crate) const STEP: usize = 4 << 20;

/// Reads an object from front to end, shows its bytes to `take`, and compares it with its name or trailer.
///
/// # Errors
/// Damage, or trouble with the store; [`Error::Cancelled`].
pub(crate) fn check_object(
    backend: &dyn Backend,
    name: &ObjectName,
    size: u64,
    ledger: &Ledger<'_>,
    take: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let expected = match name {
        ObjectName::Pack(id) => id.0,
        ObjectName::Segment(id) | ObjectName::MergedSegment(id) => id.0,
        ObjectName::Parity(id) => id.0,
        _ => {
            let stored = get_listed(backend, name, size)?;
            ledger.read(stored.len() as u64);
            take(&stored);
            return check_stored(name, &stored);
        }
    };
    let mut hasher = blake3::Hasher::new();
    let mut offset = 0;
    while offset < size {
        ledger.check_cancelled()?;
        let length = (STEP as u64).min(size - offset);
        let bytes = backend.get_range(name, offset, length).map_err(|error| Error::store("read", name, error))?;
        hasher.update(&bytes);
        take(&bytes);
        ledger.read(length);
        offset += length;
    }
    if *hasher.finalize().as_bytes() == expected {
        Ok(())
    } else {
        Err(Error::damaged(name, "its bytes do not match its checksum"))
    }
}
