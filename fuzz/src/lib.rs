//! What the targets have in common: a limit on memory, and checksums that fit.

pub mod memory;

/// Puts an empty signature field and a fitting BLAKE3 behind a body, as every object sealed as one has them: the fuzzer
/// can not find a hash, and behind it is where it is wanted.
#[must_use]
pub fn with_fitting_checksum(body: &[u8]) -> Vec<u8> {
    let mut stored = [body, &[0, 0]].concat();
    let hash = blake3::hash(&stored);
    stored.extend_from_slice(hash.as_bytes());
    stored
}

/// Splits the first `N` bytes off; `None` for a shorter input, from which nothing is learnt.
#[must_use]
pub fn take<const N: usize>(input: &[u8]) -> Option<([u8; N], &[u8])> {
    input.split_first_chunk().map(|(first, rest)| (*first, rest))
}
