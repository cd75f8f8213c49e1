//! Entries that no honest snapshot holds: odd names, lengths, numbers, times, kinds. Each is restored freshly, where it was, and over
//! what is there, deleting; beside it stands a canary that must stay as it is.

use std::{collections::BTreeSet, fs};

use lbak_core::{
    id::{ChunkId, ChunkKind},
    metadata::Timestamp,
    observe::FindingKind,
    tree::{Content, Entry, Node, Piece},
};
use lbak_restore::RestoreReport;

use crate::{
    hostile::{attack, directory, entry, link_to, one},
    support::{Folders, Forge},
};

/// Attacks with the entries of one directory.
fn attack_with(make: impl Fn(&mut Forge, &dyn Fn(&[u8]) -> Entry) -> Vec<Entry>) -> (Folders, RestoreReport) {
    attack(|forge, _, file| {
        let entries = make(forge, file);
        let tree = forge.tree(entries);
        one(tree)
    })
}

fn is_told(report: &RestoreReport) -> bool {
    report.lost > 0 || report.findings.iter().any(|finding| finding.kind == FindingKind::Unwritable)
}

fn restored_names(folders: &Folders) -> BTreeSet<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let entries = fs::read_dir(&folders.target).expect("list");
    entries.map(|entry| entry.expect("entry").file_name().into_vec()).collect()
}

#[test]
fn names_that_mean_something_elsewhere_are_names_here() {
    let names: [&[u8]; 12] = [
        b"\x1b[2J",
        b"C:",
        b"CON",
        b"a ",
        b"a.",
        b"...",
        b"-rf",
        b"~",
        b"$(touch x)",
        b"..\\..\\canary",
        b"\xff\xfe",
        b"\n",
    ];
    for name in names {
        let (folders, report) = attack_with(|_, file| vec![file(name)]);
        assert_eq!(report.lost, 0, "{name:?}: {:?}", report.findings);
        assert_eq!(restored_names(&folders), BTreeSet::from([name.to_vec()]));
    }
}

#[test]
fn names_that_are_too_long_are_told_and_harm_nothing() {
    for length in [256, 4096, 4097, 70_000] {
        let (folders, report) = attack_with(|_, file| vec![file(&vec![b'x'; length])]);
        assert!(is_told(&report), "{length}: {:?}", report.findings);
        assert_eq!(restored_names(&folders), BTreeSet::new());
    }
}

#[test]
fn names_that_come_twice_or_in_disorder_are_refused() {
    for case in 0..5 {
        let (_, report) = attack(|forge, canary, file| {
            let below = forge.tree(vec![file(b"file")]);
            let entries = match case {
                0 => vec![file(b"x"), file(b"x")],
                1 => vec![file(b"x"), entry(b"x", directory(below))],
                2 => vec![entry(b"x", directory(below)), entry(b"x", directory(below))],
                3 => vec![entry(b"x", link_to(&canary.join("file"))), file(b"x")],
                _ => vec![file(b"y"), file(b"x")],
            };
            let tree = forge.tree(entries);
            one(tree)
        });
        assert!(report.lost > 0, "case {case}");
    }
}

#[test]
fn lengths_that_can_not_be_are_told_and_take_no_room() {
    let hole = |length| Piece { length, chunk: None };
    for pieces in [vec![hole(u64::MAX)], vec![hole(u64::MAX), hole(2)], vec![hole(1 << 63), hole(1 << 63)]] {
        let (folders, report) = attack_with(|_, file| {
            let mut bad = file(b"a");
            bad.size = pieces.iter().fold(0, |sum: u64, piece| sum.wrapping_add(piece.length));
            bad.node = Node::File { content: Content::Inline(pieces.clone()) };
            vec![bad, file(b"b")]
        });
        assert!(is_told(&report), "{pieces:?}: {:?}", report.findings);
        assert!(!folders.target.join("a").exists(), "{pieces:?}");
    }
}

#[test]
fn times_and_modes_that_can_not_be_harm_nothing() {
    let at = |seconds, nanoseconds| Timestamp { seconds, nanoseconds };
    for time in [at(i64::MIN, 0), at(i64::MAX, 999_999_999), at(0, u32::MAX)] {
        let (_, report) = attack_with(|_, file| {
            let mut bad = file(b"a");
            bad.mtime = time;
            vec![bad]
        });
        assert!(report.lost <= 1, "{time:?}");
    }
    let (_, report) = attack_with(|_, file| {
        let mut bad = file(b"a");
        (bad.mode, bad.uid, bad.gid) = (u32::MAX, u32::MAX, u32::MAX);
        vec![bad]
    });
    assert!(report.lost <= 1);
}

#[test]
fn devices_of_any_number_stay_in_the_target_or_are_told() {
    for node in [
        Node::CharacterDevice { major: u32::MAX, minor: u32::MAX },
        Node::BlockDevice { major: u32::MAX, minor: 0 },
        Node::BlockDevice { major: 4095, minor: 1 << 20 },
        Node::Socket,
    ] {
        let (folders, report) = attack_with(|_, _| vec![entry(b"a", node.clone())]);
        // Numbers that the kernel would cut make no node at all.
        assert!(restored_names(&folders).is_empty(), "{:?}", report.findings);
        assert!(!report.findings.is_empty());
    }
}

#[test]
fn chunks_that_are_something_else_are_refused() {
    for case in 0..4 {
        let (folders, report) = attack_with(|forge, file| {
            let data = forge.store(ChunkKind::Data, b"evil".to_vec());
            let tree = forge.tree(vec![file(b"deep")]);
            let node = match case {
                // Data where a directory should be, a directory where data should be, and what is nowhere.
                0 => directory(data),
                1 => Node::File { content: Content::Inline(vec![Piece::data(4, tree)]) },
                2 => directory(ChunkId([7; 32])),
                _ => Node::File { content: Content::Inline(vec![Piece::data(4, ChunkId([7; 32]))]) },
            };
            vec![entry(b"a", node)]
        });
        assert!(report.lost > 0, "case {case}: {:?}", report.findings);
        assert!(!folders.target.join("a").is_file(), "case {case}");
    }
}

/// Bad memory between hashing and sealing, or somebody who has the keys: what is sealed rightly is proven by its id alone (I14).
#[test]
fn content_under_the_id_of_another_is_refused() {
    for is_directory in [false, true] {
        let (folders, report) = attack_with(|forge, file| {
            let kind = if is_directory { ChunkKind::Tree } else { ChunkKind::Data };
            let chunk = match is_directory {
                true => lbak_core::tree::encode_tree(&lbak_core::tree::TreeNode::Run(vec![file(b"deep")])),
                false => b"evil".to_vec(),
            };
            let id = forge.store_as(kind, ChunkId([9; 32]), &chunk);
            let file = Node::File { content: Content::Inline(vec![Piece::data(4, id)]) };
            vec![entry(b"a", if is_directory { directory(id) } else { file })]
        });
        assert!(report.lost > 0, "{:?}", report.findings);
        let restored = folders.target.join("a");
        assert!(!restored.is_file() && !restored.join("deep").exists());
    }
}
