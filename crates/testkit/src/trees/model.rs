//! What a tree is made of. Everything public: a test may build or change one by hand.

use std::collections::BTreeMap;

use crate::objects::noise;

/// A directory. The default one is empty, mode 755, of the beginning of 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// What is in it, by name. A name is not empty, `.` or `..` and has no `/` or NUL.
    pub entries: BTreeMap<Vec<u8>, Node>,
    /// Its own metadata; `None` for mode 755 and the default time.
    pub metadata: Option<Metadata>,
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory(Directory),
    /// A file.
    File(File),
    /// A symbolic link.
    Symlink(Symlink),
    /// One more name of a file that was written before it, in the order of writing (names sorted, depth first):
    /// of `n` files the one of this number modulo `n`. Where there is none yet, an empty file.
    HardLink(usize),
    /// A named pipe.
    Fifo(Metadata),
}

impl Node {
    /// A file of these bytes with metadata of no interest.
    pub fn file(bytes: impl Into<Vec<u8>>) -> Self {
        let content = Content(vec![Piece::Bytes(bytes.into())]);
        Self::File(File { content, metadata: Metadata::default() })
    }
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// What is in it.
    pub content: Content,
    /// What is said about it.
    pub metadata: Metadata,
}

/// A symbolic link. Its target need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symlink {
    /// Not empty, at most 4,095 bytes, without NUL.
    pub target: Vec<u8>,
    /// When it was last changed.
    pub modified: Time,
}

/// The bytes of a file, piece by piece.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content(pub Vec<Piece>);

/// A run of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These.
    Bytes(Vec<u8>),
    /// So many that do not compress; the same ones for the same seed.
    Noise {
        /// Which bytes.
        seed: u64,
        /// How many.
        length: usize,
    },
    /// So many zeros that are written.
    Zeros(usize),
    /// So many zeros that are not written.
    Hole(usize),
}

impl Piece {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Noise { length, .. } | Self::Zeros(length) | Self::Hole(length) => *length,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Noise { seed, length } => noise(*seed, *length),
            Self::Zeros(length) | Self::Hole(length) => vec![0; *length],
        }
    }
}

impl Content {
    /// How many bytes there are.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.iter().map(Piece::length).sum()
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(Piece::bytes).collect()
    }
}

/// What is said about a file or directory. The owner is whoever writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The twelve permission bits.
    pub mode: u32,
    /// When it was last changed.
    pub modified: Time,
    /// Extended attributes by whole name (`user.…`); skipped on file systems that have none.
    pub attributes: BTreeMap<String, Vec<u8>>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { mode: 0o644, modified: Time::default(), attributes: BTreeMap::new() }
    }
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Since 1970, or before.
    pub seconds: i64,
    /// Later than that, less than 10⁹.
    pub nanoseconds: u32,
}
