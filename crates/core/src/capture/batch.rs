//! What goes from the walk to the readers, from them to the workers, and back.

use std::sync::Arc;

use super::path::Path;
use crate::{
    metadata::Metadata,
    observe::{FindingKind, ReadReason},
    source::{Directory, ExtendedAttributes, SourceError},
    tree::{EntryFlags, Piece},
};

/// Bytes of small files that are read, encoded and sealed together.
pub(super) const BATCH_BYTES: u64 = 2 << 20;

/// Files from this size on are read in parts of their own.
pub(super) const LARGE_FILE: u64 = 1 << 20;

/// Files from this size on may be worth keeping their holes.
const SPARSE_FILE: u64 = 64 << 10;

/// Most files of a batch, and most directories whose descriptors it keeps open.
const BATCH_FILES: usize = 1024;
const BATCH_DIRECTORIES: usize = 64;

/// A place in a directory under construction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) directory: usize,
    pub(super) slot: usize,
}

/// A file to read.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) parent: Arc<dyn Directory>,
    pub(super) parent_path: Path,
    pub(super) name: Vec<u8>,
    pub(super) found: Metadata,
    /// Something else had its place when it was to be read, and this is what a second look found.
    pub(super) is_second_look: bool,
    /// Why it is read; none when something else had its place when it was listed.
    pub(super) reason: Option<ReadReason>,
}

impl Job {
    /// The whole path, for findings.
    pub(super) fn path(&self) -> Vec<u8> {
        self.parent_path.of(&self.name)
    }
}

/// Files to read together.
pub(super) enum Batch {
    Small(Vec<Job>),
    Large(Job),
}

/// Fills batches of small files in the order of the walk.
#[derive(Default)]
pub(super) struct Batcher {
    jobs: Vec<Job>,
    bytes: u64,
    directories: usize,
}

impl Batcher {
    /// Adds a file; returns a batch that is full.
    pub(super) fn add(&mut self, job: Job) -> Option<Batch> {
        // Small files may take less room than they hold for other reasons: stored inline, or compressed.
        let is_sparse = job.found.size >= SPARSE_FILE && job.found.allocated < job.found.size;
        if job.found.size >= LARGE_FILE || is_sparse {
            return Some(Batch::Large(job));
        }
        let full = (self.bytes + job.found.size > BATCH_BYTES).then(|| self.take()).flatten();
        let is_new_directory = self.jobs.last().is_none_or(|last| !Arc::ptr_eq(&last.parent, &job.parent));
        self.directories += usize::from(is_new_directory);
        self.bytes += job.found.size;
        self.jobs.push(job);
        if full.is_some() {
            return full;
        }
        let is_full = self.jobs.len() >= BATCH_FILES || self.directories >= BATCH_DIRECTORIES;
        is_full.then(|| self.take()).flatten()
    }

    /// Takes what there is.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let jobs = std::mem::take(self).jobs;
        (!jobs.is_empty()).then_some(Batch::Small(jobs))
    }
}

/// What became of a file, or of a part of it.
pub(super) enum Message {
    /// A file that was read at once.
    File { job: Job, outcome: FileOutcome, pieces: Vec<Piece> },
    /// A part of a large file; parts come in any order.
    Part { ticket: Ticket, number: u64, part: Part },
    /// All parts of a large file are on their way: so many.
    End { job: Job, parts: u64, outcome: FileOutcome },
    /// There is room for another batch.
    ReaderIsFree,
    /// The writer failed: nothing more will come of something that was asked for.
    Failed,
}

/// A part of a large file.
pub(super) enum Part {
    /// What follows on the part before it.
    Pieces(Vec<Piece>),
    /// The file has changed and is read again from the front: what came before counts no more.
    Again,
}

/// How reading a file ended: its entry is made of this, or it is left out.
pub(super) type FileOutcome = Result<FileRead, SourceError>;

/// What was learned of a file besides its content.
pub(super) struct FileRead {
    pub(super) metadata: Metadata,
    pub(super) flags: EntryFlags,
    pub(super) attributes: ExtendedAttributes,
    /// What to say about it, although it is stored.
    pub(super) findings: Vec<(FindingKind, String)>,
}
