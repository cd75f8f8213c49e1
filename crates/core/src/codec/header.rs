//! The 80 bytes that every sealed object begins with.
//!
//! ```text
//! 0 magic "lbak" · 4 kind · 5 version · 6 suite · 7 wrap · 8 epoch u32 · 12 features to read u16
//! 14 features to collect u16 · 16 repository 16 · 32 session 16 · 48 random 32
//! ```

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    error::{Error, Result},
    id::{RepositoryId, SessionId},
    keys::Class,
};

/// Length of a header in bytes.
pub const HEADER: usize = 80;

const MAGIC: &[u8; 4] = b"lbak";
const VERSION: u8 = 1;
/// ChaCha20-Poly1305.
const SUITE: u8 = 0;
/// The key comes from the class secret. 1 is reserved for write-only hosts.
const WRAP: u8 = 0;

/// What an object is. A slot that holds one kind never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is named for the object, see ObjectName")]
pub enum Kind {
    Config = 1,
    Slot = 2,
    Session = 3,
    DataPack = 4,
    TreePack = 5,
    Segment = 6,
    MergedSegment = 7,
    Manifest = 8,
    Closed = 9,
    Forgotten = 10,
    Damaged = 11,
    Mark = 12,
    Removals = 13,
    Fin = 14,
    Feature = 15,
    Reading = 16,
    Aside = 17,
    Parity = 18,
}

impl Kind {
    const ALL: [Self; 18] = [
        Self::Config,
        Self::Slot,
        Self::Session,
        Self::DataPack,
        Self::TreePack,
        Self::Segment,
        Self::MergedSegment,
        Self::Manifest,
        Self::Closed,
        Self::Forgotten,
        Self::Damaged,
        Self::Mark,
        Self::Removals,
        Self::Fin,
        Self::Feature,
        Self::Reading,
        Self::Aside,
        Self::Parity,
    ];

    /// The class whose secret seals it; `None` for slots, which are sealed by passwords and key files.
    #[must_use]
    pub fn class(self) -> Option<Class> {
        match self {
            Self::Slot => None,
            Self::DataPack | Self::TreePack | Self::Manifest => Some(Class::Content),
            Self::Config | Self::Forgotten | Self::Damaged | Self::Feature | Self::Aside => Some(Class::Rule),
            Self::Session
            | Self::Segment
            | Self::MergedSegment
            | Self::Closed
            | Self::Mark
            | Self::Removals
            | Self::Fin
            | Self::Reading
            | Self::Parity => Some(Class::Index),
        }
    }
}

/// A header that was read, or drawn for a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the object is.
    pub kind: Kind,
    /// Key epoch.
    pub epoch: u32,
    /// Features that a reader must know, a bit each.
    pub read_features: u16,
    /// Features that a collector must know, a bit each.
    pub collect_features: u16,
    /// The repository that it belongs to.
    pub repository: RepositoryId,
    /// The session that wrote it; zero for config, the slot's id for slots.
    pub session: SessionId,
    /// Makes the object's key unique.
    pub random: [u8; 32],
}

impl Header {
    /// Draws a header for a new object.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn draw(kind: Kind, epoch: u32, repository: RepositoryId, session: SessionId) -> Result<Self> {
        Ok(Self { kind, epoch, read_features: 0, collect_features: 0, repository, session, random: random_bytes()? })
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&[self.kind as u8, VERSION, SUITE, WRAP]);
        bytes[8..12].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.read_features.to_le_bytes());
        bytes[14..16].copy_from_slice(&self.collect_features.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.repository.0);
        bytes[32..48].copy_from_slice(&self.session.0);
        bytes[48..80].copy_from_slice(&self.random);
        bytes
    }

    /// Reads the header at the beginning of `bytes`.
    ///
    /// # Errors
    /// [`Error::Damaged`] for anything that is no header, [`Error::Newer`] for one that asks for what this version does not know.
    pub fn parse(object: &str, bytes: &[u8]) -> Result<Self> {
        let Some(bytes) = bytes.first_chunk::<HEADER>() else {
            return Err(Error::damaged(object, format!("it is only {} bytes long", bytes.len())));
        };
        if &bytes[0..4] != MAGIC {
            return Err(Error::damaged(object, "it does not begin with an lbak header"));
        }
        let newer = |needs: String| Error::Newer { object: object.to_owned(), needs };
        let [kind, version, suite, wrap] = [bytes[4], bytes[5], bytes[6], bytes[7]];
        if version != VERSION {
            return Err(newer(format!("format version {version}")));
        }
        if suite != SUITE {
            return Err(newer(format!("cipher suite {suite}")));
        }
        if wrap != WRAP {
            return Err(newer(format!("key wrap {wrap}")));
        }
        let kind = Kind::ALL
            .into_iter()
            .find(|known| *known as u8 == kind)
            .ok_or_else(|| newer(format!("object kind {kind}")))?;
        let header = Self {
            kind,
            epoch: u32::from_le_bytes(array(&bytes[8..12])),
            read_features: u16::from_le_bytes(array(&bytes[12..14])),
            collect_features: u16::from_le_bytes(array(&bytes[14..16])),
            repository: RepositoryId(array(&bytes[16..32])),
            session: SessionId(array(&bytes[32..48])),
            random: array(&bytes[48..80]),
        };
        if header.read_features != 0 {
            return Err(newer(format!("feature bits {:#06x}", header.read_features)));
        }
        Ok(header)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cut exactly this many")
}

/// Thirty-two bytes from the operating system, mixed with what differs between forks and clones of one machine.
pub(crate) fn random_bytes() -> Result<[u8; 32]> {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let mut system = [0; 32];
    crate::keys::fill_random(&mut system)?;
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    let mut hasher = blake3::Hasher::new_derive_key("lbak v1 2026-11 random bytes");
    hasher
        .update(&system)
        .update(&std::process::id().to_le_bytes())
        .update(&nanoseconds.to_le_bytes())
        .update(&DRAWN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::draw(Kind::DataPack, 3, RepositoryId([7; 16]), SessionId([8; 16])).expect("random bytes")
    }

    #[test]
    fn headers_round_trip_and_no_two_are_alike() {
        let header = header();
        assert_eq!(Header::parse("test", &header.encode()).expect("parse"), header);
        assert_ne!(header.random, super::tests::header().random);
    }

    #[test]
    fn what_this_version_does_not_know_is_named() {
        for (place, value) in [(4, 99), (5, 2), (6, 1), (7, 1), (12, 1)] {
            let mut bytes = header().encode();
            bytes[place] = value;
            assert!(matches!(Header::parse("test", &bytes), Err(Error::Newer { .. })), "byte {place}");
        }
        let mut bytes = header().encode();
        bytes[0] = b'x';
        assert!(matches!(Header::parse("test", &bytes), Err(Error::Damaged { .. })));
        assert!(Header::parse("test", &header().encode()[..79]).is_err());
    }
}
