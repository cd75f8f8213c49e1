//! ChaCha20-Poly1305 with one key per object and counters for nonces.

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce, Tag,
    aead::{AeadInOut, inout::InOutBuf},
};

use super::header::{HEADER, Header};
use crate::{
    error::{Error, Result},
    keys::Secret,
};

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// What a nonce counts in an object; each counter is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Domain {
    /// A block of a pack; counts its offset in the pack.
    Block = 0,
    /// The directory of a pack.
    Directory = 1,
    /// A page of a segment; counts its number.
    Page = 2,
    /// The pack table of a segment.
    PackTable = 3,
    /// The fences of a segment.
    Fences = 4,
    /// The filter of a segment.
    Filter = 5,
    /// The summary of a segment.
    Summary = 6,
    /// An object sealed as one.
    Whole = 7,
    /// The list of a parity object, which is not encrypted: only its tag is kept.
    Parity = 8,
}

fn nonce(domain: Domain, counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&(domain as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    bytes.into()
}

fn object_key(header: &Header, secret: &Secret) -> ChaCha20Poly1305 {
    let mut hasher = blake3::Hasher::new_derive_key("lbak v1 2026-11 object key");
    hasher.update(secret.expose()).update(&header.encode());
    ChaCha20Poly1305::new(hasher.finalize().as_bytes().into())
}

/// Seals the parts of one new object. Its caller uses no (domain, counter) twice.
pub struct Sealer {
    header: Header,
    cipher: ChaCha20Poly1305,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Sealer {
    pub(super) fn new(header: Header, secret: &Secret) -> Self {
        let cipher = object_key(&header, secret);
        Self { header, cipher }
    }

    /// A sealer whose key is given: for slots, which are sealed by passwords and key files.
    pub(super) fn with_key(header: Header, key: &Secret) -> Self {
        Self { header, cipher: ChaCha20Poly1305::new(key.expose().into()) }
    }

    /// The header of the object.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Seals `bytes[from..]` in place and appends the tag.
    pub fn seal_tail(&self, domain: Domain, counter: u64, associated: &[u8], bytes: &mut Vec<u8>, from: usize) {
        let tag = self.seal_in_place(domain, counter, associated, &mut bytes[from..]);
        bytes.extend_from_slice(&tag);
    }

    /// Seals a buffer in place and returns the tag that belongs behind it.
    #[must_use]
    pub fn seal_in_place(&self, domain: Domain, counter: u64, associated: &[u8], buffer: &mut [u8]) -> [u8; TAG] {
        self.cipher
            .encrypt_inout_detached(&nonce(domain, counter), associated, InOutBuf::from(buffer))
            .expect("shorter than ChaCha20's 256 GiB")
            .into()
    }
}

/// Opens the parts of one stored object.
pub struct Opener {
    object: String,
    cipher: ChaCha20Poly1305,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("object", &self.object).finish_non_exhaustive()
    }
}

impl Opener {
    pub(super) fn new(object: &str, header: &Header, secret: &Secret) -> Self {
        Self { object: object.to_owned(), cipher: object_key(header, secret) }
    }

    pub(super) fn with_key(object: &str, key: &Secret) -> Self {
        Self { object: object.to_owned(), cipher: ChaCha20Poly1305::new(key.expose().into()) }
    }

    /// The object's name, for errors.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Opens `sealed` (with its tag) in place and returns the plain bytes.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a bit of it, or of what belongs to it, is not as it was sealed.
    pub fn open<'a>(&self, domain: Domain, counter: u64, associated: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8]> {
        let damaged = |what: &str| {
            let part = match domain {
                Domain::Block => format!("the block at {counter}"),
                Domain::Directory => "its directory".into(),
                Domain::Page => format!("page {counter}"),
                Domain::PackTable => "its pack table".into(),
                Domain::Fences => "its fences".into(),
                Domain::Filter => "its filter".into(),
                Domain::Summary => "its summary".into(),
                Domain::Whole => "it".into(),
                Domain::Parity => "its list of packs".into(),
            };
            Error::damaged(&self.object, format!("{part} {what}"))
        };
        let Some(length) = sealed.len().checked_sub(TAG) else {
            return Err(damaged("is shorter than its seal"));
        };
        let (plain, tag) = sealed.split_at_mut(length);
        let tag = Tag::try_from(&*tag).map_err(|_| damaged("has no seal"))?;
        self.cipher
            .decrypt_inout_detached(&nonce(domain, counter), associated, InOutBuf::from(&mut *plain), &tag)
            .map_err(|_| damaged("does not open"))?;
        Ok(plain)
    }
}

/// The stored header of an object that this crate built, checked to be where it belongs.
pub(super) fn split_header<'a>(object: &str, bytes: &'a [u8]) -> Result<(Header, &'a [u8])> {
    let header = Header::parse(object, bytes)?;
    Ok((header, &bytes[HEADER..]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::header::Kind, *};
    use crate::id::{RepositoryId, SessionId};

    /// Tarsnap 1.0.22 to 1.0.27 had lost the line that counts its nonces: whoever had two pieces knew how they differ.
    #[test]
    fn no_two_parts_of_an_object_are_sealed_with_the_same_nonce() {
        use Domain::{Block, Directory, Fences, Filter, PackTable, Page, Summary, Whole};
        let header = Header::draw(Kind::DataPack, 0, RepositoryId([1; 16]), SessionId([2; 16])).expect("random bytes");
        let sealer = Sealer::new(header, &Secret::new([3; 32]));
        let mut key_streams = BTreeSet::new();
        for domain in [Block, Directory, Page, PackTable, Fences, Filter, Summary, Whole] {
            for counter in [0, 1, 2, 255, 256, 1 << 24, u64::from(u32::MAX), 1 << 32, u64::MAX] {
                let mut zeros = [0; 64];
                let _ = sealer.seal_in_place(domain, counter, &[], &mut zeros);
                assert!(key_streams.insert(zeros), "{domain:?} {counter}");
            }
        }
    }
}
