//! Snapshots of which something was lost, and what a repair has written beside them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    id::{ChunkKind, PackId, SnapshotId},
    metadata::Timestamp,
    observe::FindingKind,
    repository::Repository,
    snapshot::Committed,
    source::MemoryNode,
    store::ChunkReader,
    tree::{ContentReader, Entry, EntryFlags, NameRule, Node, TreeReader},
};
use lbak_verify::{
    Depth, Share,
    repair::{Mended, MendedSnapshot, RepairOptions, SnapshotsRepairReport, repair_snapshots},
};

use super::{flip, large_tree, new_repository, take, with_attributes};

pub(crate) fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take(&repository, "h", MemoryNode::directory(large_tree()));
    take(&repository, "x", with_attributes());
    (backend, repository)
}

/// Of data of the first host: the others are small.
pub(crate) fn largest_pack(backend: &MemoryBackend) -> String {
    let contents = backend.contents();
    let packs = contents.iter().filter(|(name, _)| name.starts_with("packs/"));
    packs.max_by_key(|(_, bytes)| bytes.len()).unwrap().0.clone()
}

pub(crate) fn deep_repair(repository: &Repository) -> SnapshotsRepairReport {
    let options = RepairOptions { depth: Depth::ReadData { share: Share::All }, ..RepairOptions::default() };
    repair_snapshots(repository, &options).unwrap()
}

/// A file or directory of a snapshot: its bytes with zeros for holes, and its flags.
pub(crate) type Files = BTreeMap<Vec<u8>, (Option<Vec<u8>>, EntryFlags)>;

pub(crate) fn files(repository: &Repository, id: SnapshotId) -> Files {
    let view = repository.view().unwrap();
    let reader = repository.reader(&view);
    let snapshot = snapshot_of(repository, id);
    let mut files = Files::new();
    walk(&reader, NameRule::AbsolutePath, &snapshot.manifest.root, b"", &mut files);
    files
}

pub(crate) fn snapshot_of(repository: &Repository, id: SnapshotId) -> Committed {
    repository.catalog().unwrap().snapshots.into_iter().find(|snapshot| snapshot.manifest.id == id).unwrap()
}

fn walk(reader: &ChunkReader, rule: NameRule, tree: &lbak_core::id::ChunkId, path: &[u8], files: &mut Files) {
    let read = |kind: ChunkKind, id: &lbak_core::id::ChunkId| reader.read(kind, id);
    for entry in TreeReader::open(rule, *tree, &read).unwrap() {
        let entry: Entry = entry.unwrap();
        let path = if path.is_empty() { entry.name.clone() } else { [path, b"/", entry.name.as_slice()].concat() };
        let bytes = match &entry.node {
            Node::File { content } if entry.size < 10 << 20 => {
                let mut bytes = Vec::new();
                for placed in ContentReader::new(content, Some(entry.size), &read) {
                    let piece = placed.unwrap().piece;
                    match piece.chunk {
                        Some(id) => bytes.extend_from_slice(&reader.read(ChunkKind::Data, &id).unwrap()),
                        None => bytes.resize(bytes.len() + usize::try_from(piece.length).unwrap(), 0),
                    }
                }
                Some(bytes)
            }
            _ => None,
        };
        files.insert(path.clone(), (bytes, entry.flags));
        if let Node::Directory { tree } = &entry.node {
            walk(reader, NameRule::Component, tree, &path, files);
        }
    }
}

/// The ranges that the findings of a snapshot name.
pub(crate) fn lost_ranges(repository: &Repository, id: SnapshotId) -> BTreeMap<Vec<u8>, Vec<Range<usize>>> {
    let mut lost: BTreeMap<Vec<u8>, Vec<Range<usize>>> = BTreeMap::new();
    let findings = snapshot_of(repository, id).manifest.findings;
    assert_eq!(findings.total(), findings.first.len() as u64);
    for finding in findings.first.iter().filter(|finding| finding.kind == FindingKind::Lost) {
        let ranges = lost.entry(finding.path.clone()).or_default();
        let Some(named) = finding.message.strip_prefix("bytes ").and_then(|rest| rest.strip_suffix(" are lost")) else {
            continue;
        };
        for range in named.split(", ") {
            let (first, last) = range.split_once('-').unwrap();
            ranges.push(first.parse().unwrap()..last.parse::<usize>().unwrap() + 1);
        }
    }
    lost
}

pub(crate) fn check_new(repository: &Repository, whole: &Files, old: SnapshotId, new: SnapshotId) {
    let found = files(repository, new);
    let lost = lost_ranges(repository, new);
    assert!(!lost.is_empty());
    for (path, (bytes, flags)) in whole {
        let is_below_lost =
            lost.iter().any(|(above, ranges)| ranges.is_empty() && path.len() > above.len() && path.starts_with(above));
        let Some((left, left_flags)) = found.get(path) else {
            assert!(is_below_lost, "{:?} is missing and nobody says so", String::from_utf8_lossy(path));
            continue;
        };
        let ranges = lost.get(path).cloned().unwrap_or_default();
        assert_eq!(
            left_flags.contains(EntryFlags::CONTENT_LOST),
            lost.contains_key(path) && !left_flags.contains(EntryFlags::METADATA_INCOMPLETE)
        );
        assert!(!flags.contains(EntryFlags::CONTENT_LOST));
        let (Some(bytes), Some(left)) = (bytes, left) else { continue };
        let mut expected = bytes.clone();
        for range in ranges {
            expected[range].fill(0);
        }
        assert!(expected == *left, "{:?} has other bytes than are said to be lost", String::from_utf8_lossy(path));
    }
    assert!(found.keys().all(|path| whole.contains_key(path)));
    let (old, new) = (snapshot_of(repository, old), snapshot_of(repository, new));
    assert_eq!(new.manifest.origin, Some(old.session));
    assert!(!new.manifest.is_complete && new.order() > old.order());
    assert_eq!((&new.manifest.host, &new.manifest.paths), (&old.manifest.host, &old.manifest.paths));
    let files = found.values().filter(|(bytes, _)| bytes.is_some()).count() as u64;
    assert!(new.manifest.totals.files >= files && new.manifest.totals.files <= old.manifest.totals.files);
}

/// Flips a bit in every block that a path of the first snapshot needs.
pub(crate) fn lose(backend: &MemoryBackend, places: &BTreeSet<(PackId, u32)>) {
    for (pack, offset) in places {
        flip(backend, &ObjectName::Pack(*pack).to_string(), *offset as usize + 20);
    }
}

pub(crate) fn written(report: &SnapshotsRepairReport) -> Vec<SnapshotId> {
    let written = |hurt: &MendedSnapshot| if let Mended::Written(new) = hurt.outcome { Some(new) } else { None };
    report.hurt.iter().filter_map(written).collect()
}

pub(crate) fn order(repository: &Repository, ids: &[SnapshotId]) -> Vec<(Timestamp, SnapshotId)> {
    ids.iter().map(|id| snapshot_of(repository, *id).order()).collect()
}
