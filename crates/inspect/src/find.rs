//! The verb `find`: in which snapshots something is, and where.

use std::{cell::Cell, collections::HashSet};

use lbak_core::{
    browse::{Chunks, Findings, join, open_tree, pass},
    error::Result,
    id::{ChunkId, ChunkKind},
    observe::{Finding, Silent},
    repository::Repository,
    snapshot::{Extent, FindingCount, Manifest},
    tree::{Entry, NameRule, Node, ReadChunk, TreeReader},
};

use crate::wanted::{FindOptions, Wanted};

/// Directories without a match that are remembered: 32 MiB. When there are more, the others are walked again.
const REMEMBERED: usize = 1 << 20;

/// Something that was looked for.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The snapshot that it is in.
    pub snapshot: &'a Manifest,
    /// Its absolute path in the source.
    pub path: &'a [u8],
    /// What is stored of it. The name of a root is its path.
    pub entry: &'a Entry,
}

/// What came of a search.
#[derive(Clone, Debug, Default)]
pub struct FindReport {
    /// How often something was found, over all snapshots.
    pub hits: u64,
    /// Snapshots that something was found in.
    pub snapshots: u64,
    /// Snapshots that were looked into.
    pub searched: u64,
    /// Directories that were read, over all snapshots.
    pub directories_read: u64,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that are lost to damage: what is looked for may have been among them.
    pub lost: u64,
}

/// Looks for names in snapshots, one snapshot after the other in the order given, each in the order of names.
///
/// A directory in which nothing was found is not entered again where another snapshot holds the same one at the same path.
///
/// # Errors
/// [`Error::Invalid`](lbak_core::error::Error::Invalid) for a pattern that can match nothing, trouble with the store,
/// and what `found` returns.
pub fn find<'s>(
    repository: &Repository,
    snapshots: impl IntoIterator<Item = &'s Manifest>,
    options: &FindOptions,
    found: &mut dyn FnMut(Hit<'_>) -> Result<()>,
) -> Result<FindReport> {
    let wanted = Wanted::new(options)?;
    let findings = Findings::new(std::sync::Arc::new(Silent));
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let mut search = Search {
        wanted: &wanted,
        read: &read,
        findings: &findings,
        found,
        barren: Barren::default(),
        hits: 0,
        read_count: Cell::new(0),
    };
    let mut report = FindReport::default();
    for snapshot in snapshots {
        let before = search.hits;
        search.snapshot(snapshot)?;
        report.searched += 1;
        report.snapshots += u64::from(search.hits > before);
    }
    report.hits = search.hits;
    report.directories_read = search.read_count.get();
    chunks.tell_misread(&findings);
    report.lost = findings.lost();
    (report.finding_counts, report.findings) = findings.take();
    Ok(report)
}

struct Search<'a, 'f> {
    wanted: &'a Wanted<'a>,
    read: &'a ReadChunk<'a>,
    findings: &'a Findings,
    found: &'f mut dyn FnMut(Hit<'_>) -> Result<()>,
    barren: Barren,
    hits: u64,
    read_count: Cell<u64>,
}

/// A directory that is being walked.
struct Level<'a> {
    entries: TreeReader<'a>,
    path_length: usize,
    /// Where the names below the root begin in the path.
    below_root: usize,
    place: u128,
    hits_before: u64,
    /// Part of it is lost, so that nobody knows what is there.
    is_hurt: bool,
}

impl<'a> Search<'a, '_> {
    /// Trees may be deeper than the stack: the levels are kept in a list.
    fn snapshot(&mut self, snapshot: &Manifest) -> Result<()> {
        let mut path = Vec::new();
        let mut extent = Extent::of(snapshot);
        let mut levels: Vec<Level<'a>> = Vec::new();
        levels.extend(self.enter(NameRule::AbsolutePath, snapshot.root, &path, 0)?);
        while let Some(level) = levels.last_mut() {
            self.wanted.check_cancelled()?;
            path.truncate(level.path_length);
            match level.entries.next() {
                Some(Ok(entry)) => {
                    extent.meet(&entry)?;
                    join(&mut path, &entry.name);
                    let is_root = level.path_length == 0;
                    let below_root = if is_root { below(&path) } else { level.below_root };
                    // A root is known by its last name, what is below it by the path from there.
                    let shown = if is_root { last_name(&path) } else { path.get(below_root..).unwrap_or_default() };
                    if self.wanted.matches(&path, shown, &entry) {
                        self.hits += 1;
                        (self.found)(Hit { snapshot, path: &path, entry: &entry })?;
                    }
                    let Node::Directory { tree } = entry.node else { continue };
                    if !self.wanted.may_be_below(&path, shown, is_root) {
                        continue;
                    }
                    let lost_before = self.findings.lost();
                    let next = self.enter(NameRule::Component, tree, &path, below_root)?;
                    let is_lost = self.findings.lost() > lost_before;
                    if let Some(level) = levels.last_mut() {
                        level.is_hurt |= is_lost;
                    }
                    levels.extend(next);
                }
                Some(Err(lost)) => {
                    level.is_hurt = true;
                    pass(lost, self.findings, &path)?;
                }
                None => {
                    let Some(done) = levels.pop() else { return Ok(()) };
                    if let Some(above) = levels.last_mut() {
                        above.is_hurt |= done.is_hurt;
                    }
                    // What is damaged is told of in each snapshot that it hurts.
                    if done.hits_before == self.hits && !done.is_hurt {
                        self.barren.add(done.place);
                    }
                }
            }
        }
        Ok(())
    }

    /// Opens a directory, unless it is known to hold nothing that is looked for.
    fn enter(&self, rule: NameRule, tree: ChunkId, path: &[u8], below_root: usize) -> Result<Option<Level<'a>>> {
        let place = place(&tree, path, below_root);
        if self.barren.0.contains(&place) {
            return Ok(None);
        }
        self.read_count.update(|count| count + 1);
        let entries = open_tree(rule, tree, self.read, self.findings, path)?;
        let (path_length, hits_before) = (path.len(), self.hits);
        Ok(entries.map(|entries| Level { entries, path_length, below_root, place, hits_before, is_hurt: false }))
    }
}

/// Directories in which nothing is: a bounded memory that costs time when it is full, never a match.
#[derive(Default)]
struct Barren(HashSet<u128>);

impl Barren {
    fn add(&mut self, place: u128) {
        if self.0.len() < REMEMBERED {
            self.0.insert(place);
        }
    }
}

/// A tree at its path: patterns look at both. 128 bits of a hash do not meet by accident.
fn place(tree: &ChunkId, path: &[u8], below_root: usize) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tree.as_bytes()).update(&(below_root as u64).to_le_bytes()).update(path);
    let hash = hasher.finalize();
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

/// Where the names below a root begin.
pub(crate) fn below(root: &[u8]) -> usize {
    if root == b"/" { 1 } else { root.len() + 1 }
}

/// The last name of a path.
pub(crate) fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}
