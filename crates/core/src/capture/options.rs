//! How a snapshot is taken, and what is reported of it.

use std::{sync::Arc, time::Duration};

use crate::{
    codec::Compression,
    id::{ObjectHash, SessionId, SnapshotId},
    metadata::Timestamp,
    observe::{Cancellation, Finding, FindingKind, Observer, ReadReason, Silent},
    snapshot::{FindingCount, Lineage, LineageKind, Sizes, StoredFindings, Totals},
    store::WriterOptions,
};

/// How a snapshot is taken.
#[derive(Clone)]
pub struct SnapshotOptions {
    /// What it is compared with.
    pub lineage: LineageKind,
    /// Name of the host that the source belongs to; snapshots of one host and the same paths form a group.
    pub host: String,
    /// Name of the user who takes it.
    pub user: String,
    /// Tags.
    pub tags: Vec<String>,
    /// What the user says of it.
    pub description: String,
    /// The program and its version, when it is not lbak itself.
    pub program: Option<String>,
    /// The moment that the content is of, where the source was frozen.
    pub point_in_time: Option<Timestamp>,
    /// How hard to try to make blocks small.
    pub compression: Compression,
    /// Does not read a file again when its ctime alone differs: for file systems and programs that change it without
    /// need. A file that was changed and given its old mtime and size is not noticed then.
    pub ignore_ctime: bool,
    /// Does not read a file again when its inode and ctime alone differ: for file systems that number files anew at each
    /// mount. A file that another one of the same mtime and size took the place of is not noticed then.
    pub ignore_inode: bool,
    /// Read and compare, store and commit nothing.
    pub dry_run: bool,
    /// Sizes of packs, threads, memory.
    pub writer: WriterOptions,
    /// Hears of progress and findings.
    pub observer: Arc<dyn Observer>,
    /// Stops it; what was stored is used by the next run.
    pub cancellation: Cancellation,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self {
            lineage: LineageKind::default(),
            host: "localhost".into(),
            user: String::new(),
            tags: Vec::new(),
            description: String::new(),
            program: None,
            point_in_time: None,
            compression: Compression::default(),
            ignore_ctime: false,
            ignore_inode: false,
            dry_run: false,
            writer: WriterOptions::default(),
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
        }
    }
}

impl std::fmt::Debug for SnapshotOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotOptions")
            .field("lineage", &self.lineage)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// What came of a snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotReport {
    /// Its id; meaningless after a dry run.
    pub snapshot: SnapshotId,
    /// The session whose slot holds it.
    pub session: SessionId,
    /// Hash of the stored slot: who keeps it can prove later that this snapshot was there. `None` after a dry run.
    pub head: Option<ObjectHash>,
    /// What was asked for.
    pub asked: LineageKind,
    /// What it was compared with in the end.
    pub lineage: Lineage,
    /// When reading began.
    pub started_at: Timestamp,
    /// When everything was stored.
    pub ended_at: Timestamp,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
    /// How much it holds.
    pub totals: Totals,
    /// Logical, new and stored bytes.
    pub sizes: Sizes,
    /// What was done with each file.
    pub files: FileCounts,
    /// Findings by kind: those that are recorded in the snapshot, and what was [misread](FindingKind::Misread) of the repository.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings, and behind them the first hundred objects that were misread.
    pub findings: Vec<Finding>,
    /// Nothing of the source was left out.
    pub is_complete: bool,
    /// Damage in the repository that was met and did no harm to this snapshot: time for `verify`.
    pub damage: Vec<String>,
    /// How often a collector closed its session and it was begun again.
    pub lost_sessions: u32,
    /// Blocks that were not what was meant just after they were sealed, and were sealed once more, correctly: memory or processor of
    /// this machine is unreliable. What was sealed before was opened again only in part, unless all was asked for.
    pub spoiled_blocks: u64,
}

impl SnapshotReport {
    /// Adds what was read wrongly once of the repository.
    pub(super) fn with_misread(mut self, mut misread: Vec<Finding>) -> Self {
        if !misread.is_empty() {
            self.finding_counts.push(FindingCount { kind: FindingKind::Misread, count: misread.len() as u64 });
            misread.truncate(StoredFindings::FIRST);
            self.findings.extend(misread);
        }
        self
    }
}

/// What was done with regular files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileCounts {
    /// Not in the snapshot that this one was compared with.
    pub new: u64,
    /// There, but changed.
    pub changed: u64,
    /// They look as they did, but were read less than 60 s after their last change, or while they changed: read again.
    pub unsettled: u64,
    /// Taken over without being read.
    pub unchanged: u64,
    /// There, but could not be read; counted nowhere else.
    pub unreadable: u64,
    /// Bytes read from the source.
    pub read_bytes: u64,
}

impl FileCounts {
    /// Where a file that is read for this reason is counted.
    pub(super) fn read_for(&mut self, reason: ReadReason) -> &mut u64 {
        match reason {
            ReadReason::Uncompared | ReadReason::New => &mut self.new,
            ReadReason::Changed(_) | ReadReason::ReadOnce => &mut self.changed,
            _ => &mut self.unsettled,
        }
    }

    /// It was to be read, and was not in the end.
    pub(super) fn not_read(&mut self, reason: Option<ReadReason>, trouble: Option<FindingKind>) {
        if let Some(reason) = reason {
            let count = self.read_for(reason);
            *count = count.saturating_sub(1);
        }
        self.unreadable += u64::from(trouble == Some(FindingKind::Unreadable));
    }
}
