//! The verb `history`: what is looked for, name by name, with all its versions.
//!
//! All snapshots are walked side by side, and what several of them share is one lane: a directory that a hundred snapshots
//! have in common is read once. Memory is that of the directories on the way down, one for each version of them.

use std::{cell::Cell, iter::Peekable, rc::Rc};

use lbak_core::{
    browse::{Chunks, Findings, join, open_tree, pass},
    error::Result,
    id::{ChunkId, ChunkKind},
    observe::{Finding, Silent},
    repository::Repository,
    snapshot::{Extent, FindingCount, Manifest},
    tree::{Entry, NameRule, Node, ReadChunk, TreeReader},
};

use crate::{
    find::{below, last_name},
    wanted::{FindOptions, Wanted},
};

/// A path and what stood there over time.
#[derive(Debug)]
pub struct PathHistory<'a> {
    /// Its absolute path in the source.
    pub path: &'a [u8],
    /// Each different content once, the one that was there first in front. Never empty.
    pub versions: Vec<PathVersion<'a>>,
}

/// One content of a path, and the snapshots that have it.
#[derive(Debug)]
pub struct PathVersion<'a> {
    /// What the first of them stores of it: of snapshots with the same content, metadata may differ.
    pub entry: Entry,
    /// The oldest of them.
    pub first: &'a Manifest,
    /// The newest of them. Between the two, other contents may have come and gone.
    pub last: &'a Manifest,
    /// How many there are.
    pub snapshots: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct HistoryReport {
    /// Paths that were found.
    pub paths: u64,
    /// Snapshots that were looked into.
    pub searched: u64,
    /// Directories that were read: each version once, however many snapshots have it.
    pub directories_read: u64,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that are lost to damage: what is looked for may have been among them.
    pub lost: u64,
}

/// Looks for names in all of these snapshots at once; shows each path once, in the order of names, with its versions.
///
/// A version is a different content: of a file its bytes, of a directory everything in it, of a link its target.
///
/// # Errors
/// [`Error::Invalid`](lbak_core::error::Error::Invalid) for a pattern that can match nothing, trouble with the store,
/// and what `found` returns.
pub fn history<'s>(
    repository: &Repository,
    snapshots: impl IntoIterator<Item = &'s Manifest>,
    options: &FindOptions,
    found: &mut dyn FnMut(PathHistory<'_>) -> Result<()>,
) -> Result<HistoryReport> {
    let wanted = Wanted::new(options)?;
    let findings = Findings::new(std::sync::Arc::new(Silent));
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let mut snapshots: Vec<&Manifest> = snapshots.into_iter().collect();
    snapshots.sort_by_key(|snapshot| (snapshot.point_in_time.unwrap_or(snapshot.ended_at), snapshot.id));
    let read_count = Cell::new(0);
    let walk =
        Walk { snapshots: &snapshots, wanted: &wanted, read: &read, findings: &findings, read_count: &read_count };
    let paths = walk.run(found)?;
    chunks.tell_misread(&findings);
    let lost = findings.lost();
    let (finding_counts, findings) = findings.take();
    Ok(HistoryReport {
        paths,
        searched: snapshots.len() as u64,
        directories_read: read_count.get(),
        finding_counts,
        findings,
        lost,
    })
}

struct Walk<'a> {
    /// Oldest first.
    snapshots: &'a [&'a Manifest],
    wanted: &'a Wanted<'a>,
    read: &'a ReadChunk<'a>,
    findings: &'a Findings,
    read_count: &'a Cell<u64>,
}

/// One version of a directory, and the snapshots that have it, by number.
struct Lane<'a> {
    entries: Peekable<TreeReader<'a>>,
    holders: Rc<Vec<usize>>,
}

/// All versions of the directory at a path.
struct Level<'a> {
    lanes: Vec<Lane<'a>>,
    path_length: usize,
    below_root: usize,
}

/// A content and the snapshots that have it.
struct Found {
    entry: Entry,
    holders: Rc<Vec<usize>>,
}

impl<'a> Walk<'a> {
    fn run(&self, found: &mut dyn FnMut(PathHistory<'_>) -> Result<()>) -> Result<u64> {
        let mut roots: Vec<(ChunkId, Rc<Vec<usize>>)> = Vec::new();
        for (number, snapshot) in self.snapshots.iter().enumerate() {
            gather(&mut roots, snapshot.root, &Rc::new(vec![number]));
        }
        let (mut path, mut paths) = (Vec::new(), 0);
        // A path is met once, whatever number of snapshots has it.
        let mut extent = Extent::of_all(self.snapshots.iter().copied());
        let mut levels = vec![self.enter(NameRule::AbsolutePath, roots, &path, 0)?];
        while let Some(level) = levels.last_mut() {
            self.wanted.check_cancelled()?;
            path.truncate(level.path_length);
            let Some(versions) = self.next(level, &path)? else {
                levels.pop();
                continue;
            };
            versions.iter().try_for_each(|version| extent.meet(&version.entry))?;
            let Some(name) = versions.first().map(|version| &version.entry.name) else { continue };
            join(&mut path, name);
            let is_root = level.path_length == 0;
            let below_root = if is_root { below(&path) } else { level.below_root };
            let shown = if is_root { last_name(&path) } else { path.get(below_root..).unwrap_or_default() };
            let mut trees = Vec::new();
            if self.wanted.may_be_below(&path, shown, is_root) {
                for version in &versions {
                    if let Node::Directory { tree } = version.entry.node {
                        gather(&mut trees, tree, &version.holders);
                    }
                }
            }
            let matching = |version: &Found| self.wanted.matches(&path, shown, &version.entry);
            let matches: Vec<Found> = versions.into_iter().filter(matching).collect();
            if !matches.is_empty() {
                paths += 1;
                found(self.told(&path, matches))?;
            }
            if !trees.is_empty() {
                levels.push(self.enter(NameRule::Component, trees, &path, below_root)?);
            }
        }
        Ok(paths)
    }

    fn enter(
        &self,
        rule: NameRule,
        trees: Vec<(ChunkId, Rc<Vec<usize>>)>,
        path: &[u8],
        below_root: usize,
    ) -> Result<Level<'a>> {
        let mut lanes = Vec::with_capacity(trees.len());
        for (tree, holders) in trees {
            self.read_count.update(|count| count + 1);
            let entries = open_tree(rule, tree, self.read, self.findings, path)?;
            lanes.extend(entries.map(|entries| Lane { entries: entries.peekable(), holders }));
        }
        Ok(Level { lanes, path_length: path.len(), below_root })
    }

    /// Everything that the versions of a directory have under its next name; `None` at the end.
    fn next(&self, level: &mut Level<'a>, path: &[u8]) -> Result<Option<Vec<Found>>> {
        for lane in &mut level.lanes {
            while let Some(lost) = lane.entries.next_if(Result::is_err) {
                lost.map_or_else(|lost| pass(lost, self.findings, path), |_| Ok(()))?;
            }
        }
        let names = level.lanes.iter_mut().filter_map(|lane| match lane.entries.peek() {
            Some(Ok(entry)) => Some(&entry.name),
            _ => None,
        });
        let Some(name) = names.min().cloned() else { return Ok(None) };
        let mut versions: Vec<Found> = Vec::new();
        for lane in &mut level.lanes {
            let is_here = |entry: &Result<Entry, _>| entry.as_ref().is_ok_and(|entry| entry.name == name);
            let Some(Ok(entry)) = lane.entries.next_if(is_here) else { continue };
            match versions.iter_mut().find(|version| version.entry.node == entry.node) {
                Some(version) => {
                    if lane.holders.iter().min() < version.holders.iter().min() {
                        version.entry = entry;
                    }
                    Rc::make_mut(&mut version.holders).extend_from_slice(&lane.holders);
                }
                None => versions.push(Found { entry, holders: Rc::clone(&lane.holders) }),
            }
        }
        Ok(Some(versions))
    }

    fn told<'p>(&'p self, path: &'p [u8], found: Vec<Found>) -> PathHistory<'p> {
        let mut found: Vec<(usize, Found)> =
            found.into_iter().filter_map(|found| Some((*found.holders.iter().min()?, found))).collect();
        found.sort_by_key(|(first, _)| *first);
        let version = |(first, Found { entry, holders }): (usize, Found)| {
            let last = holders.iter().max().copied().unwrap_or(first);
            let (first, last) = (self.snapshots.get(first)?, self.snapshots.get(last)?);
            Some(PathVersion { entry, first, last, snapshots: holders.len() as u64 })
        };
        PathHistory { path, versions: found.into_iter().filter_map(version).collect() }
    }
}

/// Adds holders of a tree to those that are known already.
fn gather(trees: &mut Vec<(ChunkId, Rc<Vec<usize>>)>, tree: ChunkId, holders: &Rc<Vec<usize>>) {
    match trees.iter_mut().find(|(known, _)| *known == tree) {
        Some((_, known)) => Rc::make_mut(known).extend_from_slice(holders),
        None => trees.push((tree, Rc::clone(holders))),
    }
}
