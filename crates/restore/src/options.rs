//! How a snapshot is restored, and what is reported of it.

use std::{os::fd::BorrowedFd, sync::Arc, time::Duration};

use lbak_core::{
    observe::{Cancellation, Finding, Observer, Silent},
    patterns::{PatternCount, Patterns},
    snapshot::{FindingCount, Totals},
};

/// Is called with the directory that everything goes into.
pub type BeforeWriting = Arc<dyn Fn(BorrowedFd<'_>) + Send + Sync>;

/// How a snapshot is restored.
#[derive(Clone)]
pub struct RestoreOptions {
    /// The part of the snapshot that is wanted: an absolute path of the source, or one below its single root.
    pub path: Option<Vec<u8>>,
    /// Which names of that part are wanted. Absolute patterns are paths of the source; others are paths below what is
    /// restored: below `path` where it is given, else below each root. What is left out is not read, and a directory that
    /// is only on the way to something is made when that is.
    pub patterns: Patterns,
    /// Where things go.
    pub place: Place,
    /// What is done with what is there already. Without it a target that holds something is refused, and with
    /// [`Place::Original`] a name that is taken is a finding.
    pub in_place: Option<InPlace>,
    /// Device and inode of directories in which nothing is ever deleted or restored, whatever the snapshot has: the repository that
    /// is read may lie in the target ([`LocalBackend::identities`](lbak_core::backend::LocalBackend::identities)). That nothing is
    /// deleted is [`Skipped`](lbak_core::observe::FindingKind::Skipped), what would have been restored there is
    /// [`Unwritable`](lbak_core::observe::FindingKind::Unwritable), and a target that lies in one is refused. A file that is named
    /// so (a key file) is neither deleted nor changed, which is [`Skipped`](lbak_core::observe::FindingKind::Skipped) too.
    pub untouched: Vec<(u64, u64)>,
    /// Whose the restored files are.
    pub ownership: Ownership,
    /// Names of the extended attributes that are set: all, without patterns. Those that are left out are not touched.
    pub attributes: Patterns,
    /// Read everything back afterwards and compare it with the snapshot; what differs is
    /// [`Unwritable`](lbak_core::observe::FindingKind::Unwritable).
    pub verify: bool,
    /// Read trees and look chunks up, make and write nothing.
    pub dry_run: bool,
    /// Hears of progress and findings, and, if it wants paths, what is done with each entry
    /// ([`Event::Restored`](lbak_core::observe::Event::Restored)).
    pub observer: Arc<dyn Observer>,
    /// Stops it; files that are not finished are removed, but for large ones (see [`restore`](crate::restore)).
    pub cancellation: Cancellation,
    /// Plain bytes that are planned at once: larger windows read in longer runs and hold more names in memory.
    pub window_bytes: usize,
    /// A restore of so many bytes may take long: it announces a session that keeps what it reads from being collected,
    /// where the repository can be written to. Shorter ones leave no trace in the repository.
    pub announce_from: u64,
    /// Called once on the calling thread, when the directory that everything goes into is open (made, if it was missing), and before anything of
    /// the snapshot is put there; not by a dry run whose target is missing. Whoever wants its process to write nowhere else
    /// confines it here: what works then are the calling thread, those that are started after it, and
    /// [`Repository::workers`](lbak_core::repository::Repository::workers). This library confines nobody.
    pub before_writing: Option<BeforeWriting>,
    /// Wait in the end until everything is on stable storage, whatever else is being written there.
    pub sync: bool,
}

/// Where things go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Into the target, which is made when it is missing and must be empty unless [`RestoreOptions::in_place`] says what
    /// happens to what it holds: the contents of a single directory, a single file under its name, several roots under
    /// their absolute paths.
    #[default]
    Contents,
    /// Every root to its own absolute path, the target standing for `/`. Directories are entered and get their metadata; what
    /// else is there stays as it is and is a finding, unless [`RestoreOptions::in_place`] says otherwise. On the way to a root symbolic
    /// links are followed, as the system would; below it they are not.
    Original,
}

/// What is done with what is there already.
///
/// A file that differs is never seen half written under its name. Up to 64 MiB, or where the file system can clone, or when
/// it has other hard links or is running, a copy beside it is changed and takes its place when it is complete; a larger
/// one is moved to a temporary name for as long as it is being changed. Only chunks that are not in their place already are
/// read from the repository. Directories that are there get their metadata, the target too when a directory's contents go into
/// it. What is of another kind is replaced, a directory in the way only when it is empty or
/// [`Delete`] allows it. Links are never followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InPlace {
    /// Which existing files are changed.
    pub overwrite: Overwrite,
    /// What happens to names that the snapshot does not have.
    pub delete: Delete,
}

/// Which existing files are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// All that differ; every one is read and compared, whatever its size and time say.
    Always,
    /// Those whose size or time of change differs; the others keep their content unread, and get their metadata.
    #[default]
    IfChanged,
    /// Those that are older than in the snapshot; the others stay as they are, metadata too.
    IfNewer,
    /// None: only what is missing is restored.
    Never,
}

/// What happens to names that the snapshot does not have, in directories that it has.
///
/// Deleting stops at mount points, follows no link, and leaves alone what the patterns leave out. Nothing is deleted in a
/// directory of which the snapshot does not know all names, because it could not be listed then or is damaged now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delete {
    /// They stay.
    #[default]
    Nothing,
    /// They are deleted, but not in directories of which names were left out by choice when the snapshot was taken. Refused for a
    /// snapshot that is incomplete, which would take what could not be read then for gone.
    Extra,
    /// They are deleted, also when the snapshot is incomplete and where names were left out.
    ExtraOfIncomplete,
}

/// Whose the restored files are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// Of the numbers that are stored.
    #[default]
    Numbers,
    /// Of the user and group that have the stored names on this machine; where there are none, of the stored numbers.
    Names,
    /// Of whoever restores them. What gives the power of another owner (set-id bits, `security.capability`) is left out, which is
    /// [`Skipped`](lbak_core::observe::FindingKind::Skipped) once for all of them.
    Nobody,
}

/// Bytes from which on a restore announces a session.
const LONG_RESTORE: u64 = 1 << 30;

impl Default for RestoreOptions {
    fn default() -> Self {
        Self {
            path: None,
            patterns: Patterns::default(),
            place: Place::default(),
            in_place: None,
            untouched: Vec::new(),
            ownership: Ownership::default(),
            attributes: Patterns::default(),
            verify: false,
            dry_run: false,
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
            window_bytes: 64 << 20,
            announce_from: LONG_RESTORE,
            before_writing: None,
            sync: true,
        }
    }
}

impl std::fmt::Debug for RestoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreOptions")
            .field("path", &self.path)
            .field("patterns", &self.patterns)
            .field("place", &self.place)
            .field("in_place", &self.in_place)
            .field("ownership", &self.ownership)
            .field("verify", &self.verify)
            .field("dry_run", &self.dry_run)
            .field("window_bytes", &self.window_bytes)
            .field("sync", &self.sync)
            .finish_non_exhaustive()
    }
}

/// What came of a restore.
#[derive(Clone, Debug, Default)]
pub struct RestoreReport {
    /// What of the snapshot is there now, also what was there before; every name of a file with several hard links counts.
    pub totals: Totals,
    /// Sum of the sizes of those files.
    pub bytes: u64,
    /// What was done with the entries.
    pub actions: ActionCounts,
    /// How many names each of [`RestoreOptions::patterns`] has matched, of those in the snapshot and of those that were looked at to be
    /// deleted. One that has matched none was perhaps meant otherwise.
    pub patterns: Vec<PatternCount>,
    /// Directories in which nothing was deleted, although that was asked for and there was something, because names were left
    /// out of them by choice when the snapshot was taken: [`Delete::ExtraOfIncomplete`] deletes there too.
    pub spared_directories: u64,
    /// Bytes of files that were written.
    pub written_bytes: u64,
    /// Files that were read back and are as in the snapshot.
    pub verified_files: u64,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that could not be restored because stored bytes are damaged or missing. Where the top of a directory is lost,
    /// nobody knows how many there were: it counts as one.
    pub lost: u64,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

/// How many entries were made, changed, left as they were, and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionCounts {
    /// Were not there.
    pub created: u64,
    /// Were there and differed in content or metadata.
    pub updated: u64,
    /// Were there and stay as they are.
    pub kept: u64,
    /// Were there and are not in the snapshot.
    pub deleted: u64,
}
