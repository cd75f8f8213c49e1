//! The manifest: everything that is recorded of a snapshot besides its trees.

use serde::{Deserialize, Serialize};

use super::lineage::Lineage;
use crate::{
    error::Result,
    id::{ChunkId, ObjectHash, SessionId, SnapshotId},
    metadata::Timestamp,
    observe::{Finding, FindingKind},
    wire,
};

const VERSION: u8 = 1;

/// What is recorded of a snapshot. The order of the fields is the stored one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its id, wherever it is copied to.
    pub id: SnapshotId,
    /// The tree of its roots, whose names are their absolute paths.
    pub root: ChunkId,
    /// What it was compared with.
    pub lineage: Lineage,
    /// When reading began, by the writer's clock.
    pub started_at: Timestamp,
    /// When everything was stored.
    pub ended_at: Timestamp,
    /// The moment that the content is of, where the source was frozen.
    pub point_in_time: Option<Timestamp>,
    /// Name of the host that the source belongs to.
    pub host: String,
    /// Name of the user who took it.
    pub user: String,
    /// The paths that were named, absolute, in byte order.
    pub paths: Vec<Vec<u8>>,
    /// Tags, sorted.
    pub tags: Vec<String>,
    /// What the user says of it; may be empty.
    pub description: String,
    /// The program and version that took it.
    pub program: String,
    /// How much it holds.
    pub totals: Totals,
    /// What it cost.
    pub sizes: Sizes,
    /// What kind of source it was.
    pub source: SourceKind,
    /// What was wrong.
    pub findings: StoredFindings,
    /// Nothing of the source was left out.
    pub is_complete: bool,
    /// The session that this one was rewritten or copied from.
    pub origin: Option<SessionId>,
    /// Hashes of the heads of history that its writer had seen.
    pub heads: Vec<ObjectHash>,
}

/// How much a snapshot holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// FIFOs and devices.
    pub others: u64,
}

impl Totals {
    /// All of them together.
    #[must_use]
    pub fn entries(&self) -> u64 {
        [self.files, self.directories, self.links, self.others].into_iter().fold(0, u64::saturating_add)
    }
}

/// The sizes of a snapshot, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Sum of its files' sizes.
    pub logical: u64,
    /// Of those, what no snapshot of the repository held before: plain bytes of its new chunks.
    pub new: u64,
    /// What the repository grew by.
    pub stored: u64,
}

/// What a snapshot was taken of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// Directories and files.
    Files,
    /// A stream, stored as one file.
    Stream,
    /// A command's output, stored as one file.
    Command {
        /// Its words, as they were given to the system.
        words: Vec<Vec<u8>>,
        /// Its exit status.
        status: i32,
    },
}

/// How many findings of a kind there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingCount {
    /// The kind.
    pub kind: FindingKind,
    /// How many.
    pub count: u64,
}

/// What was wrong: counted, the first in full, all of them in chunks when there are more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFindings {
    /// Counts by kind.
    pub counts: Vec<FindingCount>,
    /// The first hundred.
    pub first: Vec<Finding>,
    /// Chunks of kind *list* that hold all findings, each a record of its own, when there are more than a hundred.
    pub all: Vec<ChunkId>,
}

impl StoredFindings {
    /// Findings that are kept in the manifest itself.
    pub const FIRST: usize = 100;

    /// How many there were in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.count).sum()
    }

    /// How many there were of one kind.
    #[must_use]
    pub fn count(&self, kind: FindingKind) -> u64 {
        self.counts.iter().filter(|count| count.kind == kind).map(|count| count.count).sum()
    }

    /// How many of them leave the snapshot incomplete.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.counts.iter().filter(|count| count.kind.is_incomplete()).map(|count| count.count).sum()
    }
}

impl Manifest {
    /// Writes the record.
    ///
    /// # Errors
    /// When it is larger than records may be.
    pub fn encode(&self) -> Result<Vec<u8>> {
        wire::encode("a manifest", VERSION, self)
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::error::Error::Damaged) or [`Error::Newer`](crate::error::Error::Newer).
    pub fn decode(object: &str, bytes: &[u8]) -> Result<Self> {
        wire::decode(object, VERSION, bytes)
    }
}
