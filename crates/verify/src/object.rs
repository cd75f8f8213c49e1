//! One stored object against its name or trailer (rule I6), in bounded memory.

use lbak_core::{
    backend::{Backend, ObjectName, check_stored},
    error::{Error, Result},
    index::LARGEST_SEGMENT,
    pack::LARGEST_PACK,
    parity::LARGEST_PARITY,
    store::{LARGEST_WHOLE, get_listed},
};

use crate::ledger::Ledger;

/// Bytes of one read.
pub(crate) const STEP: usize = 4 << 20;

/// More bytes than any object with a name like this has.
fn largest(name: &ObjectName) -> u64 {
    match name {
        ObjectName::Pack(_) => LARGEST_PACK,
        ObjectName::Segment(_) | ObjectName::MergedSegment(_) => LARGEST_SEGMENT,
        ObjectName::Parity(_) => LARGEST_PARITY,
        _ => LARGEST_WHOLE,
    }
}

/// How many bytes are read of an object that was listed with this size: none of one that is larger than any can be. Hashing a file with a hole
/// of a terabyte takes hours, and proves what its size says.
pub(crate) fn read_bytes(name: &ObjectName, size: u64) -> u64 {
    if size > largest(name) { 0 } else { size }
}

/// Reads an object from front to end, shows its bytes to `take`, and compares it with its name or trailer. One that is larger than any such object
/// is damaged, and is not read.
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
    if size > largest(name) {
        return Err(Error::damaged(name, format!("it has {size} bytes, more than any such object")));
    }
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
