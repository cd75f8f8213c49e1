//! One entry of a directory: a name and everything that a restore needs to make it again.

use std::sync::Arc;

use crate::{
    id::ChunkId,
    metadata::{FileKind, Metadata, Timestamp},
};

/// One name of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Raw bytes; see [`check_name`](super::check_name).
    pub name: Vec<u8>,
    /// What it is, with what only this kind has.
    pub node: Node,
    /// What is to be known about how it was read.
    pub flags: EntryFlags,
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name; empty when unknown.
    pub user: Arc<[u8]>,
    /// Group's name; empty when unknown.
    pub group: Arc<[u8]>,
    /// Last change of the content.
    pub mtime: Timestamp,
    /// Last change of content or metadata.
    pub ctime: Timestamp,
    /// Bytes of a file, the sum of its pieces; 0 for everything else.
    pub size: u64,
    /// The file's number on its device.
    pub inode: u64,
    /// 0 for a name that stands alone; else entries with equal link group and inode are names of one file.
    pub link_group: u64,
    /// Extended attributes.
    pub attributes: Attributes,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Where its bytes are.
        content: Content,
    },
    /// A directory.
    Directory {
        /// The chunk of its highest level.
        tree: ChunkId,
    },
    /// A symbolic link.
    Symlink {
        /// Raw bytes of what it points to.
        target: Vec<u8>,
    },
    /// A named pipe.
    Fifo,
    /// A character device.
    CharacterDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A socket.
    Socket,
}

/// A sequence of pieces in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// At most [`INLINE_PIECES`](super::INLINE_PIECES), here.
    Inline(Vec<Piece>),
    /// More than that, in chunks of kind list.
    List {
        /// The chunk of the highest level.
        id: ChunkId,
        /// Its level.
        level: u8,
        /// How many pieces there are.
        pieces: u64,
    },
}

/// A run of bytes of a file: a chunk, or a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes; not zero, and no more than the largest chunk unless it is a hole.
    pub length: u64,
    /// The chunk; `None` for a hole, which reads as zeros.
    pub chunk: Option<ChunkId>,
}

/// Extended attributes: name and value, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attributes {
    /// There are none.
    #[default]
    None,
    /// At least one; their encoding is at most [`INLINE_ATTRIBUTES`](super::INLINE_ATTRIBUTES) bytes.
    Inline(Vec<(Vec<u8>, Vec<u8>)>),
    /// Their encoding (see [`encode_attributes`](super::encode_attributes)) is stored as data chunks.
    Stored(Content),
}

/// What is to be known about how an entry was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryFlags(u8);

impl EntryFlags {
    /// Read less than 60 s after its ctime: read again next time (rule I13).
    pub const UNSETTLED: Self = Self(1);
    /// It changed while it was read.
    pub const CHANGED: Self = Self(2);
    /// Part of its metadata could not be read.
    pub const METADATA_INCOMPLETE: Self = Self(4);
    /// A directory that could not be listed, or that a mount shows below itself; it stands empty.
    pub const CONTENT_UNREAD: Self = Self(8);
    /// A directory of which some names, or all it holds, were left out by choice: what it does not have may have been there.
    pub const NAMES_LEFT_OUT: Self = Self(16);

    /// A part of its content was lost, and this is what a repair has found of the rest: a file has holes there, a directory lacks entries.
    pub const CONTENT_LOST: Self = Self(32);

    const ALL: u8 = 63;

    /// Returns the stored number.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Reads the stored number; `None` when it has a bit that this version does not know.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        u8::try_from(bits).ok().filter(|bits| bits & !Self::ALL == 0).map(Self)
    }

    /// Tells whether every flag of `other` is set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same without the flags of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Sets every flag of `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Entry {
    /// An entry with the stored part of `metadata`, no flags, standing alone, without attributes.
    ///
    /// The size is the metadata's for a file; the caller puts the sum of the pieces there if it read another number of bytes.
    #[must_use]
    pub fn new(name: Vec<u8>, node: Node, metadata: &Metadata) -> Self {
        // The size of a directory tells of its file system, not of its content.
        let size = if matches!(node, Node::File { .. }) { metadata.size } else { 0 };
        Self {
            name,
            node,
            flags: EntryFlags::default(),
            mode: metadata.mode & 0o7777,
            uid: metadata.uid,
            gid: metadata.gid,
            user: Arc::clone(&metadata.user),
            group: Arc::clone(&metadata.group),
            mtime: metadata.mtime,
            ctime: metadata.ctime,
            size,
            inode: metadata.inode,
            link_group: 0,
            attributes: Attributes::None,
        }
    }

    /// What kind of file it is.
    #[must_use]
    pub fn kind(&self) -> FileKind {
        match self.node {
            Node::File { .. } => FileKind::File,
            Node::Directory { .. } => FileKind::Directory,
            Node::Symlink { .. } => FileKind::Symlink,
            Node::Fifo => FileKind::Fifo,
            Node::CharacterDevice { .. } => FileKind::CharacterDevice,
            Node::BlockDevice { .. } => FileKind::BlockDevice,
            Node::Socket => FileKind::Socket,
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

impl Content {
    /// How many pieces there are.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        match self {
            Self::Inline(pieces) => pieces.len() as u64,
            Self::List { pieces, .. } => *pieces,
        }
    }
}

impl Piece {
    /// A chunk of data.
    #[must_use]
    pub fn data(length: u64, chunk: ChunkId) -> Self {
        Self { length, chunk: Some(chunk) }
    }

    /// Zeros that take no room.
    #[must_use]
    pub fn hole(length: u64) -> Self {
        Self { length, chunk: None }
    }
}
