//! The verb `diff`: what differs between two snapshots, or between a snapshot and a source.
//!
//! Both sides are walked together in the order of names. Directories with equal trees are passed over unread, so two
//! snapshots of a large tree are compared in the time that their differences take.

mod compare;

mod content;

mod side;

mod walk;

use std::sync::Arc;

use lbak_core::{
    browse::{Chunks, Findings},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    metadata::FileKind,
    observe::{Cancellation, Finding, Silent},
    repository::Repository,
    snapshot::{Extent, FindingCount, Manifest},
    source::Source,
    tree::Entry,
};

use self::walk::Walk;

/// A snapshot, or a part of it.
#[derive(Clone, Copy, Debug)]
pub struct DiffSide<'a> {
    /// The snapshot.
    pub snapshot: &'a Manifest,
    /// What of it: an absolute path, or one below its single root. `None` for all of it.
    pub path: Option<&'a [u8]>,
}

/// What is compared.
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// Tell of names whose content is the same and whose metadata is not. Against a source, their attributes are read.
    pub metadata: bool,
    /// Against a source: read every file of the same size and compare its bytes, whatever its time says.
    pub content: bool,
    /// Stops it.
    pub cancellation: Cancellation,
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// Its content differs: bytes, link target, device numbers.
    Modified,
    /// It has another time and the same size, and was not read: it may differ. Only against a source.
    MaybeModified,
    /// Its content is the same, its metadata differs.
    Metadata,
    /// It is another kind of file.
    Type,
}

/// A part of the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetadataField {
    /// Permission bits.
    Mode,
    /// Owner, by number or name.
    Owner,
    /// Group, by number or name.
    Group,
    /// Time of the last change of the content.
    Mtime,
    /// Extended attributes.
    Attributes,
}

/// A name that is not the same on both sides.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Its absolute path where both sides lie at the same path, else the path below both.
    pub path: &'a [u8],
    /// What became of it.
    pub kind: ChangeKind,
    /// What stood there before; `None` for what was added.
    pub before: Option<&'a Entry>,
    /// What stands there now; `None` for what was removed. Of a source, content and attributes are not in it.
    pub after: Option<&'a Entry>,
    /// What of the metadata differs, where that was asked for.
    pub fields: &'a [MetadataField],
    /// The content differs although size and all times are the same: nobody wrote this file.
    pub is_silent: bool,
}

/// How much of one kind of change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Links, FIFOs, devices.
    pub others: u64,
    /// Sum of the sizes of the files.
    pub bytes: u64,
}

/// All differences, counted. A name of another type counts as removed and added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// What was not there before.
    pub added: ChangeCounts,
    /// What is not there any more.
    pub removed: ChangeCounts,
    /// What has another content, with its size now.
    pub modified: ChangeCounts,
    /// What may have another content, with its size now.
    pub maybe_modified: ChangeCounts,
    /// What has other metadata alone.
    pub metadata: ChangeCounts,
    /// Bytes of modified files in pieces that they did not have before. Between snapshots only.
    pub new_bytes: Option<u64>,
    /// Bytes of modified files in pieces that they do not have any more. Between snapshots only.
    pub gone_bytes: Option<u64>,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
pub struct DiffReport {
    /// All differences, counted.
    pub differing: Differing,
    /// Names that stand on both sides: none means that two different things were compared.
    pub in_common: bool,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that are lost to damage: they are told as neither added nor removed where that can be seen.
    pub lost: u64,
}

impl Differing {
    /// Tells whether there is any difference.
    #[must_use]
    pub fn is_any(&self) -> bool {
        let all = [self.added, self.removed, self.modified, self.maybe_modified, self.metadata];
        all.iter().any(|counts| counts.files + counts.directories + counts.others > 0)
    }
}

impl ChangeCounts {
    fn add(&mut self, entry: &Entry) {
        match entry.kind() {
            FileKind::File => self.files += 1,
            FileKind::Directory => self.directories += 1,
            _ => self.others += 1,
        }
        self.bytes = self.bytes.saturating_add(entry.size);
    }
}

/// Compares two snapshots, or parts of them; shows the differences in the order of names.
///
/// With a path on one side, the other side is its own part: the single root where no path is given.
///
/// # Errors
/// [`Error::NotInSnapshot`], [`Error::Invalid`]
/// when a snapshot of several paths is to be compared with a part of another, [`Error::Damaged`] when there is far more than a
/// snapshot says that it holds, trouble with the store, and what `found` returns.
pub fn diff(
    repository: &Repository,
    before: DiffSide<'_>,
    after: DiffSide<'_>,
    options: &DiffOptions,
    found: &mut dyn FnMut(&Change<'_>) -> Result<()>,
) -> Result<DiffReport> {
    let findings = Findings::new(Arc::new(Silent));
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let extents = (Extent::of(before.snapshot), Extent::of(after.snapshot));
    let mut walk = Walk::new(repository, &read, &findings, options, extents, found);
    walk.differing.new_bytes = Some(0);
    walk.differing.gone_bytes = Some(0);
    if before.path.is_none() && after.path.is_none() {
        walk.trees(before.snapshot.root, after.snapshot.root)?;
    } else {
        let (before, after) = (side::part(before, &read, &findings)?, side::part(after, &read, &findings)?);
        walk.pair(before, after)?;
    }
    chunks.tell_misread(&findings);
    Ok(walk.finish())
}

/// Compares a snapshot, or a part of it, with a source; shows the differences in the order of names.
///
/// With a path the source must have one root, which is compared with that part. Without, the roots of both are compared by
/// their paths; a source of one root is compared with a snapshot of one root whatever their paths are.
/// Sockets are never backed up and are passed over.
///
/// # Errors
/// [`Error::NotInSnapshot`], [`Error::Invalid`]
/// when there is not one thing on each side, trouble with the store, and what `found` returns. Trouble with the source is a finding.
pub fn diff_with_source(
    repository: &Repository,
    before: DiffSide<'_>,
    source: &dyn Source,
    options: &DiffOptions,
    found: &mut dyn FnMut(&Change<'_>) -> Result<()>,
) -> Result<DiffReport> {
    let findings = Findings::new(Arc::new(Silent));
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    // What a source shows is not held against the snapshot: nothing of it is counted.
    let extents = (Extent::of(before.snapshot), Extent::of(before.snapshot));
    let mut walk = Walk::new(repository, &read, &findings, options, extents, found);
    let roots = side::roots_of(source)?;
    let mut listed = side::list_roots(&roots, &findings)?;
    let is_single = before.path.is_some() || (listed.len() == 1 && before.snapshot.paths.len() == 1);
    match listed.pop() {
        None => return Err(Error::Invalid { what: "nothing of the source can be looked at".into() }),
        Some(after) if is_single && listed.is_empty() => walk.pair(side::part(before, &read, &findings)?, after)?,
        _ if is_single => return Err(side::not_one("the source")),
        _ => walk.roots(before.snapshot.root, roots)?,
    }
    chunks.tell_misread(&findings);
    Ok(walk.finish())
}
