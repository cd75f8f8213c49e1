//! What the fuzz targets do: each takes any bytes, and panics when something is not as it must be.
//!
//! ```text
//! fuzz/targets/NAME.rs   the fuzzer calls one of them:          just fuzz
//! tests/replay.rs        `cargo test` goes through the corpus, and everything that is one step away from it
//! examples/seeds.rs      writes fuzz/corpus anew
//! ```
//!
//! A crate of its own, so that the fuzzer's workspace (which needs a C++ compiler) holds nothing but calls.

pub mod memory;

mod targets;

pub use targets::*;

/// A target: its name, and what it does with any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name. Each has a file in `fuzz/targets` and a folder in `fuzz/corpus`.
pub const TARGETS: [Target; 15] = [
    ("arguments", arguments),
    ("config", config),
    ("directory", directory),
    ("header", header),
    ("keyfile", keyfile),
    ("manifest", manifest),
    ("parity", parity),
    ("path", path),
    ("patterns", patterns),
    ("repository", repository),
    ("segment", segment),
    ("slot", slot),
    ("time", time),
    ("tree", tree),
    ("wire", wire),
];

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
