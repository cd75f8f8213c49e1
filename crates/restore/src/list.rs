//! Shows what a snapshot holds, without reading any file.

use lbak_core::{
    browse::{Chunks, Findings, join, open_tree, pass, select},
    error::Result,
    id::{ChunkId, ChunkKind},
    observe::{Cancellation, Finding},
    repository::Repository,
    snapshot::{Extent, FindingCount, Manifest},
    tree::{Entry, NameRule, Node, ReadChunk},
};

/// Something in a snapshot.
#[derive(Clone, Debug)]
pub struct ListedEntry<'a> {
    /// Its absolute path in the source.
    pub path: Vec<u8>,
    /// What is stored of it. The name of a root is its path.
    pub entry: &'a Entry,
}

/// How a snapshot is listed.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// What is below directories, too.
    pub recursive: bool,
    /// Stops it.
    pub cancellation: Cancellation,
}

/// What came of a listing.
#[derive(Clone, Debug, Default)]
pub struct ListReport {
    /// Entries that were shown.
    pub entries: u64,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Entries that are lost to damage.
    pub lost: u64,
}

/// Shows the entries of a snapshot in the order of their names, each directory before what is in it.
///
/// With a `path` that names a directory, and for the single directory of a snapshot of one, what is in it is shown; for
/// anything else the entry itself; for a snapshot of several paths those. What is damaged is a finding.
///
/// # Errors
/// [`Error::NotInSnapshot`](lbak_core::error::Error::NotInSnapshot), trouble with the store, what `found` returns,
/// [`Error::Cancelled`](lbak_core::error::Error::Cancelled), and [`Error::Damaged`](lbak_core::error::Error::Damaged) when there is far more than the snapshot says that it holds.
pub fn list(
    repository: &Repository,
    snapshot: &Manifest,
    path: Option<&[u8]>,
    options: &ListOptions,
    found: &mut dyn FnMut(ListedEntry<'_>) -> Result<()>,
) -> Result<ListReport> {
    let findings = Findings::new(std::sync::Arc::new(lbak_core::observe::Silent));
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let selected = select(snapshot, path, &read, &findings)?;
    let is_single = path.is_some() || selected.len() == 1;
    let extent = Extent::of(snapshot);
    let mut listing = Listing { read: &read, findings: &findings, options, found, entries: 0, extent };
    for root in &selected {
        match root.entry.node {
            Node::Directory { tree } if is_single => listing.directory(tree, root.path.clone())?,
            _ => listing.show(&root.entry, root.path.clone())?,
        }
    }
    let entries = listing.entries;
    chunks.tell_misread(&findings);
    let lost = findings.lost();
    let (finding_counts, findings) = findings.take();
    Ok(ListReport { entries, finding_counts, findings, lost })
}

struct Listing<'a, 'f> {
    read: &'a ReadChunk<'a>,
    findings: &'a Findings,
    options: &'a ListOptions,
    found: &'f mut dyn FnMut(ListedEntry<'_>) -> Result<()>,
    entries: u64,
    extent: Extent,
}

impl Listing<'_, '_> {
    fn show(&mut self, entry: &Entry, path: Vec<u8>) -> Result<()> {
        self.meet(&path, entry)?;
        match entry.node {
            Node::Directory { tree } if self.options.recursive => self.directory(tree, path),
            _ => Ok(()),
        }
    }

    fn meet(&mut self, path: &[u8], entry: &Entry) -> Result<()> {
        self.options.cancellation.check()?;
        self.extent.meet(entry)?;
        self.entries += 1;
        (self.found)(ListedEntry { path: path.to_vec(), entry })
    }

    /// Shows what is in a directory. Trees may be deeper than the stack: the levels are kept in a list.
    fn directory(&mut self, tree: ChunkId, mut path: Vec<u8>) -> Result<()> {
        let open = |tree: ChunkId, path: &[u8]| open_tree(NameRule::Component, tree, self.read, self.findings, path);
        let mut levels = Vec::new();
        levels.extend(open(tree, &path)?.map(|entries| (entries, path.len())));
        while let Some((entries, length)) = levels.last_mut() {
            path.truncate(*length);
            match entries.next() {
                Some(Ok(entry)) => {
                    join(&mut path, &entry.name);
                    self.meet(&path, &entry)?;
                    if let (Node::Directory { tree }, true) = (&entry.node, self.options.recursive) {
                        levels.extend(open(*tree, &path)?.map(|entries| (entries, path.len())));
                    }
                }
                Some(Err(lost)) => pass(lost, self.findings, &path)?,
                None => {
                    levels.pop();
                }
            }
        }
        Ok(())
    }
}
