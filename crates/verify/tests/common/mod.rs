//! A small repository in memory with an object of every kind, and ways to spoil it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod forge;
pub(crate) mod mended;
pub(crate) mod parity;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName, Sealed},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::{Kind, slot::Credential},
    id::{ChunkKind, ObjectHash, PackId, SessionId},
    keys::PasswordCost,
    metadata::Timestamp,
    pack::{Directory, read_directory},
    repository::{Announcement, InitOptions, NewSlot, OpenOptions, Repository},
    snapshot::{DamagedRecord, FinRecord, ForgottenRecord, LineageKind, MarkRecord, Purpose, RemovalsRecord},
    source::{MemoryNode, MemorySource},
    store::ChunkReader,
    tree::{Entry, NameRule, Node, TreeReader, for_each_reference},
};
use lbak_testkit::objects::noise;
use lbak_verify::{Depth, Share, VerifyOptions, VerifyReport, verify};

pub(crate) fn slot() -> NewSlot {
    NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() }
}

pub(crate) fn new_repository(backend: Arc<dyn Backend>) -> Repository {
    Repository::init(backend, &[slot()], &InitOptions { threads: Some(2), ..Default::default() }).unwrap()
}

pub(crate) fn reopen(backend: Arc<dyn Backend>) -> Repository {
    let options = OpenOptions { threads: Some(2), ..Default::default() };
    Repository::open(backend, &Credential::password("p"), &options).unwrap()
}

pub(crate) fn options(host: &str) -> SnapshotOptions {
    let mut options =
        SnapshotOptions { host: host.into(), lineage: LineageKind::Incremental, ..SnapshotOptions::default() };
    options.writer.data_pack_bytes = 2 << 20;
    options
}

pub(crate) fn take(repository: &Repository, host: &str, tree: MemoryNode) -> SnapshotReport {
    snapshot(repository, &MemorySource::new([("/r", tree)]), &options(host)).unwrap()
}

/// A file whose attributes are stored apart.
pub(crate) fn with_attributes() -> MemoryNode {
    let mut file = MemoryNode::file("attributes");
    file.attributes = vec![(b"user.a".to_vec(), noise(77, 20_000))];
    MemoryNode::directory([("w", file)])
}

/// Large files in blocks of their own, small ones that share a block, a list of pieces.
pub(crate) fn large_tree() -> Vec<(&'static str, MemoryNode)> {
    vec![
        ("a", MemoryNode::file(noise(1, 1 << 20))),
        ("b", MemoryNode::file(noise(2, 3 << 19))),
        (
            "d",
            MemoryNode::directory([
                ("one", MemoryNode::file(noise(3, 1000))),
                ("two", MemoryNode::file(noise(4, 100_000))),
                ("x", MemoryNode::directory([("deep", MemoryNode::file(noise(5, 50)))])),
            ]),
        ),
        (
            "e",
            MemoryNode::directory([("copy", MemoryNode::file(noise(1, 1 << 20))), ("link", MemoryNode::symlink("x"))]),
        ),
        (
            "h",
            MemoryNode::sparse_file((0..600_u16).map(|number| (1 << 20, [&number.to_le_bytes()[..], &[1]].concat()))),
        ),
    ]
}

/// Puts an object of every kind that snapshots do not make.
pub(crate) fn put_records(repository: &Repository, live: SessionId, forgotten: SessionId) {
    let at = Timestamp::default();
    let text = || "test".to_owned();
    let session = SessionId([9; 16]);
    let put = |name: &ObjectName, kind, plain: Vec<u8>| -> Sealed {
        let sealed = repository.codec().seal_object(name, kind, session, &plain).unwrap();
        repository.backend().put(name, &sealed).unwrap();
        sealed
    };
    let record = ForgottenRecord { by: text(), reason: text(), at };
    put(&ObjectName::Forgotten(forgotten), Kind::Forgotten, record.encode().unwrap());
    let record = DamagedRecord { by: text(), what: text(), at };
    put(&ObjectName::Damaged(PackId([5; 32])), Kind::Damaged, record.encode().unwrap());
    let record = RemovalsRecord { packs: vec![], segments: vec![], merged: vec![] };
    let removals = put(&ObjectName::Removals(0), Kind::Removals, record.encode().unwrap());
    let removals = ObjectHash(*blake3::hash(removals.as_bytes()).as_bytes());
    let fin =
        FinRecord { merged: vec![], replaced: vec![], live: vec![live], buried: vec![], removals, previous: None };
    put(&ObjectName::Fin(0), Kind::Fin, fin.encode().unwrap());
    put(&ObjectName::Mark(1), Kind::Mark, MarkRecord { condemned: vec![] }.encode().unwrap());
    let announcement = Announcement {
        host: "h".into(),
        user: "u".into(),
        paths: vec![b"/closed".to_vec()],
        purpose: Purpose::Restore,
        program: "test".into(),
        pinned: vec![],
    };
    let session = repository.announce(&announcement).unwrap();
    repository.abandon(session.id, "test", "it is one");
}

pub(crate) fn deep(share: Share) -> VerifyOptions {
    VerifyOptions { depth: Depth::ReadData { share }, ..VerifyOptions::default() }
}

pub(crate) fn read_data(repository: &Repository) -> VerifyReport {
    verify(repository, &deep(Share::All)).unwrap()
}

pub(crate) fn structure(repository: &Repository) -> VerifyReport {
    verify(repository, &VerifyOptions::default()).unwrap()
}

pub(crate) fn damaged(report: &VerifyReport) -> Vec<&str> {
    report.damage.iter().map(|damage| damage.object.as_str()).collect()
}

pub(crate) fn flip(backend: &MemoryBackend, name: &str, place: usize) {
    let mut bytes = backend.contents()[name].to_vec();
    bytes[place] ^= 1;
    backend.tamper(name, Some(Bytes::from(bytes)));
}

/// Does something to the store, lets `check` look at it, and undoes it.
pub(crate) fn spoiled<T>(backend: &MemoryBackend, spoil: impl FnOnce(), check: impl FnOnce() -> T) -> T {
    let before = backend.contents();
    spoil();
    let outcome = check();
    for name in backend.contents().keys().filter(|name| !before.contains_key(*name)) {
        backend.tamper(name, None);
    }
    for (name, bytes) in before {
        backend.tamper(&name, Some(bytes));
    }
    outcome
}

pub(crate) fn names(backend: &MemoryBackend, prefix: &str) -> Vec<String> {
    backend.contents().into_keys().filter(|name| name.starts_with(prefix)).collect()
}

pub(crate) fn pack_id(name: &str) -> PackId {
    match ObjectName::parse(name) {
        Some(ObjectName::Pack(pack)) => pack,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn directory(repository: &Repository, name: &str) -> (Kind, Directory) {
    let mut size = 0;
    repository
        .backend()
        .list(name, &mut |_, bytes| {
            size = bytes;
            Ok(())
        })
        .unwrap();
    let (header, directory) = read_directory(&**repository.backend(), repository.codec(), pack_id(name), size).unwrap();
    (header.kind, directory)
}

/// For every path of a snapshot, places.
pub(crate) type Places = BTreeMap<Vec<u8>, BTreeSet<(PackId, u32)>>;

/// For every path of every snapshot, the places (pack, block) of the chunks that its entry itself refers to, found naively.
pub(crate) fn places(repository: &Repository) -> BTreeMap<String, Places> {
    let view = repository.view().unwrap();
    let reader = repository.reader(&view);
    let mut all = BTreeMap::new();
    for snapshot in repository.catalog().unwrap().snapshots {
        let mut paths = BTreeMap::new();
        walk(&reader, NameRule::AbsolutePath, &snapshot.manifest.root, b"", &mut paths);
        all.insert(snapshot.manifest.id.to_string(), paths);
    }
    all
}

fn walk(reader: &ChunkReader, rule: NameRule, tree: &lbak_core::id::ChunkId, path: &[u8], paths: &mut Places) {
    let read = |kind: ChunkKind, id: &lbak_core::id::ChunkId| reader.read(kind, id);
    for entry in TreeReader::open(rule, *tree, &read).unwrap() {
        let entry: Entry = entry.unwrap();
        let path = if path.is_empty() { entry.name.clone() } else { [path, b"/", entry.name.as_slice()].concat() };
        let mut needs = BTreeSet::new();
        for_each_reference(&entry, &read, &mut |reference| {
            let reference = reference.unwrap();
            let location = reader.locate(reference.kind, &reference.id, &mut |_| true).unwrap();
            needs.insert((location.pack.id, location.block_offset));
            Ok(())
        })
        .unwrap();
        paths.insert(path.clone(), needs);
        if let Node::Directory { tree } = &entry.node {
            walk(reader, NameRule::Component, tree, &path, paths);
        }
    }
}

/// Tells whether each directory is one run of entries. Which names end a run depends on the repository's key.
pub(crate) fn has_single_runs(repository: &Repository) -> bool {
    let view = repository.view().unwrap();
    let reader = repository.reader(&view);
    let read = |kind: ChunkKind, id: &lbak_core::id::ChunkId| reader.read(kind, id);
    let mut open: Vec<_> = repository
        .catalog()
        .unwrap()
        .snapshots
        .iter()
        .map(|snapshot| (NameRule::AbsolutePath, snapshot.manifest.root))
        .collect();
    while let Some((rule, tree)) = open.pop() {
        // A version and a level.
        if read(ChunkKind::Tree, &tree).unwrap()[1] != 0 {
            return false;
        }
        for entry in TreeReader::open(rule, tree, &read).unwrap() {
            if let Node::Directory { tree } = entry.unwrap().node {
                open.push((NameRule::Component, tree));
            }
        }
    }
    true
}

/// What a report says is hurt.
pub(crate) fn hurt(report: &VerifyReport) -> BTreeMap<String, Vec<Vec<u8>>> {
    report
        .hurt
        .iter()
        .map(|hurt| {
            assert_eq!(hurt.paths.len() as u64, hurt.path_count);
            (hurt.snapshot.to_string(), hurt.paths.clone())
        })
        .collect()
}

/// A few files and directories: small enough to try every fault on.
pub(crate) fn small_tree() -> Vec<(&'static str, MemoryNode)> {
    vec![
        ("a", MemoryNode::file(noise(1, 1 << 20))),
        ("b", MemoryNode::file(noise(2, 3 << 19))),
        (
            "d",
            MemoryNode::directory([
                ("one", MemoryNode::file(noise(3, 1000))),
                ("two", MemoryNode::file(noise(4, 100_000))),
                ("x", MemoryNode::directory([("deep", MemoryNode::file(noise(5, 50)))])),
            ]),
        ),
        ("empty", MemoryNode::directory::<&str>([])),
    ]
}

/// What every snapshot holds, read naively: for each path its entry without the chunks, and a hash of its bytes (`None` where
/// some are lost).
pub(crate) type Contents = BTreeMap<String, BTreeMap<Vec<u8>, Option<[u8; 32]>>>;

pub(crate) fn contents(repository: &Repository) -> Contents {
    let view = repository.view().unwrap();
    let reader = repository.reader(&view);
    let mut all = Contents::new();
    for snapshot in repository.catalog().unwrap().snapshots {
        let mut files = BTreeMap::new();
        read_all(&reader, NameRule::AbsolutePath, &snapshot.manifest.root, b"", &mut files);
        all.insert(snapshot.manifest.id.to_string(), files);
    }
    all
}

fn read_all(
    reader: &ChunkReader,
    rule: NameRule,
    tree: &lbak_core::id::ChunkId,
    path: &[u8],
    files: &mut BTreeMap<Vec<u8>, Option<[u8; 32]>>,
) {
    let read = |kind: ChunkKind, id: &lbak_core::id::ChunkId| reader.read(kind, id);
    let Ok(entries) = TreeReader::open(rule, *tree, &read) else {
        files.insert([path, b"/*"].concat(), None);
        return;
    };
    for entry in entries {
        let Ok(entry) = entry else {
            files.insert([path, b"/*"].concat(), None);
            continue;
        };
        let path = if path.is_empty() { entry.name.clone() } else { [path, b"/", entry.name.as_slice()].concat() };
        let mut hasher = blake3::Hasher::new();
        let mut is_whole = true;
        if let Node::File { content } = &entry.node {
            for piece in lbak_core::tree::ContentReader::new(content, Some(entry.size), &read) {
                match piece.map(|placed| placed.piece) {
                    Ok(lbak_core::tree::Piece { length, chunk: None }) => _ = hasher.update(&length.to_le_bytes()),
                    Ok(lbak_core::tree::Piece { chunk: Some(id), .. }) => match reader.read(ChunkKind::Data, &id) {
                        Ok(bytes) => _ = hasher.update(&bytes),
                        Err(_) => is_whole = false,
                    },
                    Err(_) => is_whole = false,
                }
            }
        }
        hasher.update(&format!("{:?} {} {:?} {:?}", entry.kind(), entry.mode, entry.mtime, entry.flags).into_bytes());
        files.insert(path.clone(), is_whole.then(|| *hasher.finalize().as_bytes()));
        if let Node::Directory { tree } = &entry.node {
            read_all(reader, NameRule::Component, tree, &path, files);
        }
    }
}
