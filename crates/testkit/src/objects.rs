//! Objects that prove themselves without a key (rule I6), for tests that need any object at all.
//!
//! A store checks nothing else, so they are good enough for tests of backends; no repository can open them.

use bytes::Bytes;
use lbak_core::{
    backend::{ObjectName, Sealed},
    id::{PackId, ParityId, SegmentId, SessionId},
};

/// Makes an object for a name: a body, and its BLAKE3 as trailer.
///
/// # Panics
/// For packs and segments, whose names follow from their bytes: see [`pack`] and [`segment`].
#[must_use]
pub fn trailed(name: &ObjectName, body: &[u8]) -> Sealed {
    let mut bytes = body.to_vec();
    bytes.extend_from_slice(blake3::hash(body).as_bytes());
    Sealed::from_stored(name, bytes.into()).expect("the trailer was made from the body")
}

/// Makes a pack of any bytes, and its name.
#[must_use]
pub fn pack(bytes: impl Into<Bytes>) -> (ObjectName, Sealed) {
    let bytes = bytes.into();
    let name = ObjectName::Pack(PackId(*blake3::hash(&bytes).as_bytes()));
    let object = Sealed::from_stored(&name, bytes).expect("the name was made from the bytes");
    (name, object)
}

/// Makes an index segment of any bytes, and its name.
#[must_use]
pub fn segment(bytes: impl Into<Bytes>) -> (ObjectName, Sealed) {
    let bytes = bytes.into();
    let name = ObjectName::Segment(SegmentId(*blake3::hash(&bytes).as_bytes()));
    let object = Sealed::from_stored(&name, bytes).expect("the name was made from the bytes");
    (name, object)
}

/// Makes a parity object of any bytes, and its name.
#[must_use]
pub fn parity(bytes: impl Into<Bytes>) -> (ObjectName, Sealed) {
    let bytes = bytes.into();
    let name = ObjectName::Parity(ParityId(*blake3::hash(&bytes).as_bytes()));
    let object = Sealed::from_stored(&name, bytes).expect("the name was made from the bytes");
    (name, object)
}

/// A session id made from a number, different for each.
#[must_use]
pub fn session_id(number: u64) -> SessionId {
    let hash = blake3::hash(&number.to_le_bytes());
    SessionId::from_slice(&hash.as_bytes()[..SessionId::LENGTH]).expect("a hash is longer than a session id")
}

/// Bytes that do not compress, the same ones for the same seed.
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
