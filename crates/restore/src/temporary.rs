//! Names under which files lie until they are complete.
//!
//! ```text
//! .lbak-restore-<24 hex>    a file that is being made, or a changed copy of one: may be removed at any time
//! .lbak-update-<24 hex>     a large file that was there and is being changed: never removed, the next restore goes on with it
//! .lbak-restore-unfinished  in a target that was empty when the restore began, until it ends
//! ```
//!
//! The digits are a keyed hash of the name that the file will have, so the next run of the same restore finds what
//! is there of it. A restore that is killed leaves such names, and never half a file under its own.

use lbak_core::{codec::Codec, id::ChunkKind};

const NEW: &[u8] = b".lbak-restore-";
const UPDATE: &[u8] = b".lbak-update-";
/// Half the digits behind them.
const HASH_BYTES: usize = 12;

/// The file that tells that the target is one restore's own.
pub(crate) const UNFINISHED: &[u8] = b".lbak-restore-unfinished";

/// The name of a file that is being made.
pub(crate) fn new_name(codec: &Codec, name: &[u8]) -> Vec<u8> {
    with_hash(NEW, codec, name)
}

/// The name of a large file that is being changed.
pub(crate) fn update_name(codec: &Codec, name: &[u8]) -> Vec<u8> {
    with_hash(UPDATE, codec, name)
}

fn with_hash(prefix: &[u8], codec: &Codec, name: &[u8]) -> Vec<u8> {
    // Nobody without the key can make up two names that have the same.
    let id = codec.keys().chunk_id(ChunkKind::Data, name);
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("below 16") as u8;
    let digits = id.0.iter().take(HASH_BYTES).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    prefix.iter().copied().chain(digits).collect()
}

/// Tells whether a name is one of a file that is being made.
pub(crate) fn is_new_name(name: &[u8]) -> bool {
    has_hash(NEW, name)
}

/// Tells whether a name is one of any file that is not complete.
pub(crate) fn is_temporary(name: &[u8]) -> bool {
    is_new_name(name) || has_hash(UPDATE, name)
}

fn has_hash(prefix: &[u8], name: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_prefix(prefix).is_some_and(|hash| hash.len() == 2 * HASH_BYTES && hash.iter().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_all_their_digits_are_temporary() {
        assert!(is_temporary(b".lbak-restore-0123456789abcdef01234567"));
        assert!(is_temporary(b".lbak-update-0123456789abcdef01234567"));
        for other in [&b".lbak-restore-0123"[..], b".lbak-restore-0123456789ABCDEF01234567", UNFINISHED, b"a"] {
            assert!(!is_temporary(other), "{other:?}");
        }
    }
}
