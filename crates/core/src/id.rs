//! Identifiers: fixed arrays of bytes that can not be mistaken for one another.
//!
//! A [`ChunkId`] is a keyed hash of plain bytes, a [`PackId`] an unkeyed hash of stored bytes: the
//! compiler keeps them apart. All print as lower-case hex and parse from it.

use std::fmt;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = $length;

            /// Returns the bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// Reads exactly this many bytes; `None` for any other length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads lower-case hex of the full length; `None` for anything else.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $length];
                decode_hex(text, &mut bytes).then_some(Self(bytes))
            }

            /// Returns the first eight hex digits, for people.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_string()[..8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 2 * $length];
                encode_hex(&self.0, &mut digits);
                f.pad(std::str::from_utf8(&digits).expect("hex digits are ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

identifier!(
    /// Keyed BLAKE3 of a chunk's plain bytes.
    ChunkId,
    32
);
identifier!(
    /// BLAKE3 of a pack's stored bytes; its name.
    PackId,
    32
);
identifier!(
    /// BLAKE3 of an index segment's stored bytes; its name.
    SegmentId,
    32
);
identifier!(
    /// BLAKE3 of a parity object's stored bytes; its name.
    ParityId,
    32
);
identifier!(
    /// BLAKE3 of a stored object that is not named by it (a head of history, a removal list).
    ObjectHash,
    32
);
identifier!(
    /// Names a repository for ever; chosen at random when it is made.
    RepositoryId,
    16
);
identifier!(
    /// One writer's work: two bytes of a keyed hash of host and paths, then 14 random ones.
    SessionId,
    16
);
identifier!(
    /// Names a snapshot for ever, wherever it is copied to; chosen at random.
    SnapshotId,
    16
);
identifier!(
    /// Names one password or key-file slot; chosen at random.
    SlotId,
    16
);

/// What a chunk holds. Each kind has its own key for ids, so that a file made to look like a tree stays a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ChunkKind {
    /// A piece of a file.
    Data = 0,
    /// Entries of a directory, or the list of its runs.
    Tree = 1,
    /// Part of a long list: of a file's pieces, of extended attributes, of findings.
    List = 2,
}

impl ChunkKind {
    /// Reads the stored number; `None` for a kind that this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Data),
            1 => Some(Self::Tree),
            2 => Some(Self::List),
            _ => None,
        }
    }
}

/// Fills `digits`, twice as long, with lower-case hex: names are made for every read.
fn encode_hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Fills `bytes` from lower-case hex of exactly twice its length; tells whether that was so.
pub(crate) fn decode_hex(text: &str, bytes: &mut [u8]) -> bool {
    if text.len() != bytes.len() * 2 {
        return false;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |character: u8| match character {
            b'0'..=b'9' => Some(character - b'0'),
            b'a'..=b'f' => Some(character - b'a' + 10),
            _ => None,
        };
        let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_everything_else() {
        let id = SessionId([0xa5; 16]);
        assert_eq!(SessionId::from_hex(&id.to_string()), Some(id));
        assert_eq!(SessionId::from_hex("a5"), None);
        assert_eq!(SessionId::from_hex(&"A5".repeat(16)), None);
        assert_eq!(SessionId::from_hex(&"g5".repeat(16)), None);
        assert_eq!(id.short(), "a5a5a5a5");
    }
}
