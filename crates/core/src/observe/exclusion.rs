//! Why something of a source is left out on purpose.

use std::fmt;

/// Why something of a source is left out because that was asked for: no finding, and the snapshot is complete.
///
/// The first three, and the repository, leave out the name itself; the others keep a directory and leave out what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Exclusion {
    /// A pattern excludes it.
    Pattern,
    /// Only what matches some pattern is wanted, and neither it nor anything below it does.
    NotIncluded,
    /// It is a file that is larger than files may be.
    TooLarge,
    /// It is the repository itself.
    Repository,
    /// It is marked as a cache by a `CACHEDIR.TAG`; all but that tag is left out.
    Cache,
    /// It holds a file that says so; all but that file is left out.
    Marked,
    /// Another file system begins there; the directory is kept empty.
    OtherFileSystem,
    /// It shows the running system (proc, sysfs) and no files of anybody; the directory is kept empty.
    PseudoFileSystem,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pattern => "a pattern excludes it",
            Self::NotIncluded => "no pattern includes it",
            Self::TooLarge => "it is too large",
            Self::Repository => "it is the repository",
            Self::Cache => "all but its CACHEDIR.TAG",
            Self::Marked => "all but the file that marks it",
            Self::OtherFileSystem => "what is in it, on another file system",
            Self::PseudoFileSystem => "what is in it, on a pseudo file system",
        })
    }
}
