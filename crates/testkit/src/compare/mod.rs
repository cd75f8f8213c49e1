//! Tells how two trees on disk differ, however deep they are.
//!
//! Everything is reached from an open folder by a single name: no path is too long, no symbolic link is followed, and two
//! folders are open at a time on either side. What a restore can bring back is compared: kind, permission bits, owner,
//! time of change to the nanosecond, content, holes, targets of symbolic links, device numbers, extended attributes
//! (access lists and capabilities are such), and which names are hard links of one another.
//!
//! ```
//! use lbak_testkit::compare::{Field, compare_trees};
//!
//! let (original, copy) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! std::fs::write(original.path().join("notes"), "what was written")?;
//! let comparison = compare_trees(original.path(), copy.path());
//! assert!(comparison.differences.iter().any(|one| one.path == b"/notes" && one.field == Field::Presence));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Not compared are times of access and of change of status, inode numbers, and the length of directories: nobody can
//! set them. A hole counts in whole blocks of the file system that has the larger ones. How many bytes are allocated in
//! all is told beside the differences, because it depends on the file system too.

mod attributes;
mod content;
mod links;
mod system;
mod walk;

use std::{fmt, path::Path};

use lbak_core::error::escape;

/// Compares two trees, or two files.
///
/// The roots are compared too, as `/`; a root that is a symbolic link stands for what it points to. What can not be read
/// is a difference.
#[must_use]
pub fn compare_trees(left: &Path, right: &Path) -> Comparison {
    walk::Walk::default().run(left, right)
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// In the order of names, each directory before what is in it; hard links at the end.
    pub differences: Vec<Difference>,
    /// Names that are on both sides, the roots included.
    pub entries: u64,
    /// Bytes that the files of either side take on their file system.
    pub allocated: [u64; 2],
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From the roots on, beginning with `/`; raw bytes.
    pub path: Vec<u8>,
    /// What differs.
    pub field: Field,
    /// What the left side has, as it is shown.
    pub left: String,
    /// What the right side has.
    pub right: String,
}

/// What of an entry can differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// It is on one side only.
    Presence,
    /// What it is: a file, a directory, ….
    Kind,
    /// The twelve permission bits.
    Mode,
    /// User and group by number.
    Owner,
    /// When its content was last changed.
    Modified,
    /// Length of a file.
    Size,
    /// A byte of a file, the first that differs.
    Content,
    /// A hole of one side that is data on the other.
    Hole,
    /// What a symbolic link points to.
    Target,
    /// Number of a device.
    Device,
    /// Which other names it has.
    Links,
    /// An extended attribute of this name.
    Attribute(Vec<u8>),
    /// It can not be compared.
    Unreadable,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", escape(&self.path))?;
        let Self { left, right, .. } = self;
        match &self.field {
            Field::Presence => write!(f, "missing on the {}", if left == "missing" { "left" } else { "right" }),
            Field::Content => write!(f, "byte {left} differs"),
            Field::Unreadable => write!(f, "can not be compared: {left}"),
            field => write!(f, "{field} is {left} on the left, {right} on the right"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Presence => "presence",
            Self::Kind => "kind",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Modified => "mtime",
            Self::Size => "size",
            Self::Content => "content",
            Self::Hole => "hole",
            Self::Target => "target",
            Self::Device => "device number",
            Self::Links => "hard links",
            Self::Attribute(name) => return write!(f, "attribute {}", escape(name)),
            Self::Unreadable => "readability",
        })
    }
}
