//! Snapshots of trees in memory and on disk, read back chunk by chunk.

mod changing;
mod hooked;
mod large;
mod linked;
mod odd;
mod replaced;
mod wide;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::*;
use crate::{
    backend::{Backend, Folder, MemoryBackend, ObjectName},
    codec::slot::Credential,
    id::ChunkKind,
    keys::PasswordCost,
    observe::{Difference, Observer, ReadReason},
    repository::{InitOptions, NewSlot},
    snapshot::LineageKind,
    source::{LocalSource, MemoryNode, MemorySource},
    store::{ChunkReader, list_names},
    tree::{ContentReader, Entry, NameRule, Node, TreeReader},
};

fn repository(backend: &Arc<MemoryBackend>) -> Repository {
    let backend: Arc<dyn Backend> = Arc::clone(backend) as _;
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    Repository::init(backend, &[slot], &InitOptions { threads: Some(3), ..Default::default() }).expect("init")
}

/// Every file of a snapshot with its content, every directory and link.
fn contents(repository: &Repository, report: &SnapshotReport) -> BTreeMap<String, Vec<u8>> {
    entries(repository, report).into_iter().map(|(path, (_, content))| (path, content)).collect()
}

/// Every entry of a snapshot, and what a file holds, a link points to, or what else it is.
fn entries(repository: &Repository, report: &SnapshotReport) -> BTreeMap<String, (Entry, Vec<u8>)> {
    let catalog = repository.catalog().expect("catalog");
    let snapshot = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).expect("committed");
    let view = repository.view().expect("view");
    assert!(view.damage.is_empty() && catalog.damaged.is_empty());
    let reader = repository.reader(&view);
    let mut found = BTreeMap::new();
    walk_tree(&reader, NameRule::AbsolutePath, &snapshot.manifest.root, "", &mut found);
    found
}

fn walk_tree(
    reader: &ChunkReader,
    rule: NameRule,
    tree: &ChunkId,
    path: &str,
    found: &mut BTreeMap<String, (Entry, Vec<u8>)>,
) {
    let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
    for entry in TreeReader::open(rule, *tree, &read).expect("tree") {
        let entry: Entry = entry.expect("entry");
        let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name));
        let content = match &entry.node {
            Node::Directory { tree } => {
                walk_tree(reader, NameRule::Component, tree, &path, found);
                b"directory".to_vec()
            }
            Node::File { content } => {
                let mut bytes = Vec::new();
                for piece in ContentReader::new(content, Some(entry.size), &read) {
                    let piece = piece.expect("piece").piece;
                    match piece.chunk {
                        Some(id) => bytes.extend_from_slice(&reader.read(ChunkKind::Data, &id).expect("chunk")),
                        None => bytes.resize(bytes.len() + usize::try_from(piece.length).expect("small"), 0),
                    }
                }
                bytes
            }
            Node::Symlink { target } => [b"-> ", target.as_slice()].concat(),
            other => format!("{other:?}").into_bytes(),
        };
        found.insert(path, (entry, content));
    }
}

fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

struct LaterClock;

impl crate::repository::Clock for LaterClock {
    fn now(&self) -> crate::metadata::Timestamp {
        let mut now = crate::metadata::Timestamp::from(std::time::SystemTime::now());
        now.seconds += 3600;
        now
    }
}

fn later(backend: &Arc<MemoryBackend>) -> Repository {
    let backend: Arc<dyn Backend> = Arc::clone(backend) as _;
    let options =
        crate::repository::OpenOptions { clock: Arc::new(LaterClock), threads: Some(3), expected: None, cache: None };
    Repository::open(backend, &Credential::password("p"), &options).expect("open")
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    std::fs::write(path, bytes).expect("write");
}

#[test]
fn a_tree_comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let root = folder.path().join("tree");
    let mut expected = BTreeMap::new();
    let name = |relative: &str| format!("/{}", folder.path().join("tree").join(relative).display());
    for (number, (relative, length)) in [
        ("a", 0),
        ("b/one", 1),
        ("b/two", 100_000),
        ("b/c/d/large", 9_000_000),
        ("b/c/d/middle", 1_500_000),
        ("z", 300_000),
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = noise(u8::try_from(number).expect("few"), length);
        write(&root.join(relative), &bytes);
        expected.insert(name(relative), bytes);
    }
    for number in 0..3000 {
        let bytes = format!("file {number}").into_bytes();
        write(&root.join(format!("many/{number}")), &bytes);
        expected.insert(name(&format!("many/{number}")), bytes);
    }
    std::os::unix::fs::symlink("b/one", root.join("link")).expect("link");
    expected.insert(name("link"), b"-> b/one".to_vec());
    for directory in ["", "b", "b/c", "b/c/d", "many"] {
        expected.insert(name(directory).trim_end_matches('/').to_owned(), b"directory".to_vec());
    }

    let backend = Arc::new(MemoryBackend::new());
    drop(repository(&backend));
    let repository = later(&backend);
    let source = LocalSource::new(std::slice::from_ref(&root)).expect("source");
    let first = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!(first.findings, []);
    assert!(first.is_complete);
    assert_eq!(first.lineage, Lineage::Full);
    assert_eq!((first.totals.files, first.totals.directories, first.totals.links), (3006, 5, 1));
    assert_eq!(contents(&repository, &first), expected);

    let second = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!(second.lineage, Lineage::Incremental { parent: first.snapshot });
    assert_eq!((second.files.unchanged, second.files.changed, second.files.new), (3006, 0, 0));
    assert_eq!((second.files.read_bytes, second.sizes.new, second.sizes.stored), (0, 0, 0));
    assert_eq!(contents(&repository, &second), expected);

    write(&root.join("b/two"), b"changed");
    std::fs::remove_file(root.join("z")).expect("remove");
    expected.insert(name("b/two"), b"changed".to_vec());
    expected.remove(&name("z"));
    let options = SnapshotOptions { lineage: LineageKind::Differential, ..Default::default() };
    let third = snapshot(&repository, &source, &options).expect("snapshot");
    assert_eq!(third.lineage, Lineage::Differential { base: first.snapshot });
    assert_eq!((third.files.unchanged, third.files.changed, third.files.new), (3004, 1, 0));
    assert_eq!(contents(&repository, &third), expected);

    let options = SnapshotOptions { lineage: LineageKind::Full, ..Default::default() };
    let fourth = snapshot(&repository, &source, &options).expect("snapshot");
    assert_eq!(fourth.files.new, 3005);
    assert_eq!((fourth.sizes.new, fourth.sizes.stored), (0, 0), "all of it is known");
    assert_eq!(contents(&repository, &fourth), expected);
    let sessions = list_names(&*backend, Folder::Sessions.prefix()).expect("list");
    assert!(sessions.iter().all(|(name, _)| matches!(name, ObjectName::Session(_))) && sessions.len() == 4);
}

/// Long attributes go to packs of data while trees are being gathered. Storing them once dropped what was gathered and kept
/// its ids, and the snapshot failed.
#[test]
fn long_attributes_come_between_gathered_trees() {
    let directory = |attributes: usize| {
        let mut file = MemoryNode::file("x");
        file.attributes = vec![(b"user.long".to_vec(), noise(7, attributes))];
        MemoryNode::directory([("a", MemoryNode::directory([("b", MemoryNode::file("y"))])), ("z", file)])
    };
    let source =
        MemorySource::new([("/r", MemoryNode::directory([("one", directory(3)), ("two", directory(40_000))]))]);
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let report = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!(contents(&repository, &report).len(), 9);
}

/// A source of one's own that panics must not leave the walk waiting for what the panic took with it.
#[test]
fn a_source_that_panics_stops_the_run_with_an_error() {
    struct Panicking;
    impl crate::source::SourceFile for Panicking {
        fn read(&mut self, _: &mut [u8]) -> Result<crate::source::Portion, crate::source::SourceError> {
            panic!("a defect in somebody's source")
        }
        fn metadata(&self) -> Result<crate::metadata::Metadata, crate::source::SourceError> {
            Ok(crate::metadata::Metadata { size: 10, ..Default::default() })
        }
        fn attributes(&self) -> Result<crate::source::ExtendedAttributes, crate::source::UnreadAttributes> {
            Ok(Vec::new())
        }
    }
    struct OneFile;
    impl crate::source::Directory for OneFile {
        fn entries(&self) -> Result<crate::source::Listing, crate::source::SourceError> {
            let metadata = crate::metadata::Metadata { size: 10, links: 1, ..Default::default() };
            Ok(Box::new(std::iter::once(Ok(crate::source::Found { name: b"/file".to_vec(), metadata }))))
        }
        fn directory(
            &self,
            _: &[u8],
            _: &crate::metadata::Metadata,
        ) -> Result<Arc<dyn Directory>, crate::source::SourceError> {
            unreachable!("there is none")
        }
        fn file(
            &self,
            _: &[u8],
            _: &crate::metadata::Metadata,
        ) -> Result<Box<dyn crate::source::SourceFile>, crate::source::SourceError> {
            Ok(Box::new(Panicking))
        }
        fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, crate::source::SourceError> {
            unreachable!("there is none")
        }
        fn attributes(
            &self,
            _: &[u8],
            _: crate::metadata::FileKind,
        ) -> Result<crate::source::ExtendedAttributes, crate::source::UnreadAttributes> {
            Ok(Vec::new())
        }
    }
    impl Source for OneFile {
        fn kind(&self) -> crate::source::SourceKind {
            crate::source::SourceKind::Files
        }
        fn roots(&self) -> Result<Arc<dyn Directory>, crate::source::SourceError> {
            Ok(Arc::new(OneFile))
        }
    }
    let backend = Arc::new(MemoryBackend::new());
    let repository = repository(&backend);
    let error = snapshot(&repository, &OneFile, &SnapshotOptions::default()).expect_err("it panicked");
    assert!(matches!(error, Error::Panicked { .. }), "{error}");
    assert!(repository.catalog().expect("catalog").snapshots.is_empty());
}

/// Hears why files are read.
#[derive(Default)]
struct Reasons(std::sync::Mutex<BTreeMap<String, (u64, ReadReason)>>);

impl Observer for Reasons {
    fn event(&self, event: &Event<'_>) {
        if let Event::Read { path, bytes, reason } = event {
            let name = String::from_utf8_lossy(path).rsplit('/').next().expect("a name").to_owned();
            assert!(self.0.lock().expect("lock").insert(name, (*bytes, *reason)).is_none(), "told once");
        }
    }

    fn wants_paths(&self) -> bool {
        true
    }
}

/// Takes a snapshot and returns why each file was read.
fn reasons(repository: &Repository, source: &dyn Source, dry_run: bool) -> BTreeMap<String, (u64, ReadReason)> {
    let reasons = Arc::new(Reasons::default());
    let observer = Arc::<Reasons>::clone(&reasons);
    snapshot(repository, source, &SnapshotOptions { observer, dry_run, ..Default::default() }).expect("snapshot");
    std::mem::take(&mut *reasons.0.lock().expect("lock"))
}

#[test]
fn what_is_read_is_told_with_the_reason() {
    use Difference as D;
    use ReadReason as R;
    type Change = fn(&mut MemoryNode);
    let cases: [(&str, Change, Option<ReadReason>); 9] = [
        ("same", |_| {}, None),
        ("mtime", |node| node.metadata.mtime.nanoseconds += 1, Some(R::Changed(D::Mtime))),
        ("ctime", |node| node.metadata.ctime.nanoseconds += 1, Some(R::Changed(D::Ctime))),
        ("inode", |node| node.metadata.inode += 1000, Some(R::Changed(D::Inode))),
        ("links", |node| node.metadata.links = 2, Some(R::Changed(D::Links))),
        ("size", |node| *node = MemoryNode::file("other"), Some(R::Changed(D::Size))),
        ("kind", |node| *node = MemoryNode::symlink("x"), Some(R::Changed(D::Kind))),
        ("mode", |node| (node.metadata.ctime.seconds, node.metadata.mode) = (7, 0o600), Some(R::Changed(D::Metadata))),
        ("fresh", |_| {}, Some(R::Unsettled)),
    ];
    let now = crate::metadata::Timestamp::from(std::time::SystemTime::now());
    let mut before: Vec<(String, MemoryNode)> = Vec::new();
    let mut after = Vec::new();
    for (number, (name, change, _)) in cases.iter().enumerate() {
        let mut node = MemoryNode::file("content");
        node.metadata.inode = 10 + number as u64;
        if *name == "fresh" {
            node.metadata.ctime = now;
        }
        before.push(((*name).to_owned(), node.clone()));
        change(&mut node);
        after.push(((*name).to_owned(), node));
    }
    after.push(("new".to_owned(), MemoryNode::symlink("x")));
    let source = |nodes: &[(String, MemoryNode)]| MemorySource::new([("/r", MemoryNode::directory(nodes.to_vec()))]);

    let repository = repository(&Arc::new(MemoryBackend::new()));
    let first = reasons(&repository, &source(&before), false);
    assert_eq!(first.len(), before.len());
    assert!(first.values().all(|told| *told == (7, R::Uncompared)));
    let mut expected: BTreeMap<String, ReadReason> =
        cases.iter().filter_map(|(name, _, reason)| Some(((*name).to_owned(), (*reason)?))).collect();
    expected.insert("new".to_owned(), R::New);
    for dry_run in [true, false] {
        let told = reasons(&repository, &source(&after), dry_run);
        assert_eq!(told.iter().map(|(name, told)| (name.clone(), told.1)).collect::<BTreeMap<_, _>>(), expected);
        assert_eq!((told["size"].0, told["kind"].0, told["mtime"].0), (5, 0, 7));
    }
    let silent = reasons(&repository, &source(&after), false);
    assert!(silent.keys().eq(["fresh"]), "{silent:?}");
}
