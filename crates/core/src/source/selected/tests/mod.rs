//! What is shown, of trees in memory and on disk, and what becomes of it in snapshots.

mod patterns;

mod ahead;

mod left_out;

mod marks;

mod file_systems;

mod telling;

mod snapshots;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use super::{super::*, *};
use crate::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::slot::Credential,
    id::{ChunkId, ChunkKind},
    keys::PasswordCost,
    repository::{InitOptions, NewSlot, Repository},
    store::ChunkReader,
    tree::{Entry, NameRule, Node, TreeReader},
};

type Names = BTreeSet<String>;

/// Every path that a source shows, directories with a slash at the end.
fn shown(source: &dyn Source) -> Names {
    let mut names = Names::new();
    let roots = source.roots().expect("roots");
    let mut open: Vec<(String, Arc<dyn Directory>)> = vec![(String::new(), roots)];
    while let Some((path, directory)) = open.pop() {
        for found in directory.entries().expect("list") {
            let found = found.expect("it was looked at");
            let name = String::from_utf8(found.name.clone()).expect("text");
            let whole = if path.is_empty() { name } else { format!("{}/{name}", path.trim_end_matches('/')) };
            if found.metadata.kind == FileKind::Directory {
                names.insert(format!("{}/", whole.trim_end_matches('/')));
                open.push((whole, directory.directory(&found.name, &found.metadata).expect("open")));
            } else {
                names.insert(whole);
            }
        }
    }
    names
}

/// What rules leave of a source, without the root `/r`.
fn left(source: &dyn Source, rules: SelectionRules) -> (Vec<String>, Vec<(Exclusion, u64)>) {
    let selected = SelectedSource::new(source, rules);
    let names = shown(&selected);
    let below = names.iter().filter_map(|name| name.strip_prefix("/r/").filter(|name| !name.is_empty()));
    let excluded = selected.excluded().iter().map(|count| (count.exclusion, count.count)).collect();
    (below.map(str::to_owned).collect(), excluded)
}

fn directory<const N: usize>(entries: [(&str, MemoryNode); N]) -> MemoryNode {
    MemoryNode::directory(entries)
}

fn file(content: &str) -> MemoryNode {
    MemoryNode::file(content)
}

fn root<const N: usize>(entries: [(&str, MemoryNode); N]) -> MemorySource {
    MemorySource::new([("/r", directory(entries))])
}

fn excluding(patterns: &[&str]) -> SelectionRules {
    selecting(patterns, &[])
}

fn selecting(exclude: &[&str], include: &[&str]) -> SelectionRules {
    SelectionRules { patterns: Patterns::new(exclude, include).expect("patterns"), ..SelectionRules::default() }
}

fn sample() -> MemorySource {
    root([
        ("a.txt", file("a")),
        ("cache", directory([("big", file("b")), ("keep.txt", file("k"))])),
        ("deep", directory([("down", directory([("b.txt", file("b")), ("c.bin", file("c"))]))])),
        ("none", directory([("d.bin", file("d")), ("empty", directory([]))])),
    ])
}

/// A source that counts how often a directory of a name is opened, by a name that begins with it.
struct Counting<'a>(&'a dyn Source, Arc<Mutex<Vec<String>>>);

struct CountingDirectory(Arc<dyn Directory>, Arc<Mutex<Vec<String>>>);

impl Source for Counting<'_> {
    fn kind(&self) -> SourceKind {
        self.0.kind()
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(CountingDirectory(self.0.roots()?, Arc::clone(&self.1))))
    }
}

impl Directory for CountingDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        self.0.entries()
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        self.1.lock().expect("lock").push(String::from_utf8_lossy(name).into_owned());
        Ok(Arc::new(Self(self.0.directory(name, expected)?, Arc::clone(&self.1))))
    }

    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        self.0.file(name, expected)
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.0.link_target(name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.0.attributes(name, kind)
    }

    /// `proc` and what begins with it.
    fn is_pseudo(&self, name: &[u8]) -> bool {
        name.starts_with(b"proc")
    }
}

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

fn on_device(device: u64, mut node: MemoryNode) -> MemoryNode {
    node.metadata.device = device;
    node
}

fn repository() -> Repository {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    Repository::init(backend, &[slot], &InitOptions { threads: Some(2), ..Default::default() }).expect("init")
}

fn take(repository: &Repository, source: &dyn Source, rules: SelectionRules) -> (SnapshotReport, Vec<String>) {
    let (report, entries) = take_entries(repository, source, rules);
    (report, entries.into_iter().map(|(name, _)| name).collect())
}

/// The same with what is stored of each.
fn take_entries(
    repository: &Repository,
    source: &dyn Source,
    rules: SelectionRules,
) -> (SnapshotReport, Vec<(String, Entry)>) {
    let selected = SelectedSource::new(source, rules);
    let report = snapshot(repository, &selected, &SnapshotOptions::default()).expect("snapshot");
    assert!(report.is_complete && report.findings.is_empty(), "what was not wanted is not missing: {report:?}");
    let catalog = repository.catalog().expect("catalog");
    let taken = catalog.snapshots.iter().find(|taken| taken.manifest.id == report.snapshot).expect("committed");
    let reader = repository.reader(&repository.view().expect("view"));
    let mut entries = Vec::new();
    collect(&reader, NameRule::AbsolutePath, &taken.manifest.root, "", &mut entries);
    (report, entries)
}

fn collect(reader: &ChunkReader, rule: NameRule, tree: &ChunkId, path: &str, entries: &mut Vec<(String, Entry)>) {
    let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
    for entry in TreeReader::open(rule, *tree, &read).expect("tree") {
        let entry = entry.expect("entry");
        let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name).trim_start_matches('/'));
        entries.push((path.clone(), entry.clone()));
        if let Node::Directory { tree } = &entry.node {
            collect(reader, NameRule::Component, tree, &path, entries);
        }
    }
}
