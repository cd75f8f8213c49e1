//! What is known about a file without reading it: the words that sources and trees have in common.
//!
//! A source fills [`Metadata`] from one system call; a tree stores the part of it that a restore can set. Where
//! the file lay (device, number of links) is not stored: it would make every tree new.

use std::sync::Arc;

/// A moment: seconds since 1970, negative before, and nanoseconds that always count forward.
///
/// ```
/// use lbak_core::metadata::Timestamp;
/// let earlier = Timestamp { seconds: -1, nanoseconds: 500_000_000 }; // half a second before 1970
/// assert!(earlier < Timestamp::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// Nanoseconds behind them, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe. Never opened.
    Fifo,
    /// A character device. Never opened.
    CharacterDevice,
    /// A block device. Never opened.
    BlockDevice,
    /// A socket: listed, so that leaving it out is a decision that is told.
    Socket,
}

/// What one `stat` tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner's number.
    pub uid: u32,
    /// Group's number.
    pub gid: u32,
    /// Owner's name; empty when unknown. Shared, because a million files have few owners.
    pub user: Arc<[u8]>,
    /// Group's name; empty when unknown.
    pub group: Arc<[u8]>,
    /// Last change of the content, as programs may set it.
    pub mtime: Timestamp,
    /// Last change of content or metadata, set by the system.
    pub ctime: Timestamp,
    /// Length in bytes, of whatever kind; only a file's is stored.
    pub size: u64,
    /// Bytes that the file system has set aside; less than `size` when there are holes.
    pub allocated: u64,
    /// The file's number on its device.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// The device it lies on.
    pub device: u64,
    /// For a device node, the major number of what it stands for; else 0.
    pub major: u32,
    /// For a device node, the minor number; else 0.
    pub minor: u32,
}

impl Metadata {
    /// Tells whether two looks met the same file: device, inode and kind are equal.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode, self.kind) == (other.device, other.inode, other.kind)
    }
}
