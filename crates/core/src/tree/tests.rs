//! What directories promise: what is written is read back, a change costs little, hostile bytes do no harm.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    sample::{Chunks, any_entry, id, keys, plain_file},
    *,
};
use crate::error::Error;

fn write(entries: &[Entry], rule: NameRule, chunks: &mut Chunks) -> ChunkId {
    let keys = keys();
    let mut writer = TreeWriter::new(&keys, rule);
    let store: &mut StoreChunk<'_> = &mut |kind, bytes| Ok(chunks.store(kind, bytes));
    for entry in entries {
        writer.push(entry, store).expect("a valid entry");
    }
    writer.finish(store).expect("stored")
}

fn read(root: ChunkId, chunks: &Chunks) -> Vec<Entry> {
    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let reader = TreeReader::open(NameRule::Component, root, &read).expect("root");
    let expected = reader.entries();
    let entries: Vec<Entry> = reader.map(|entry| entry.expect("nothing is lost")).collect();
    assert_eq!(entries.len() as u64, expected);
    entries
}

fn files(count: usize) -> Vec<Entry> {
    (0..count).map(|number| plain_file(&format!("file-{number:06}"))).collect()
}

fn level_of(root: ChunkId, chunks: &Chunks) -> u8 {
    chunks.chunks[&root].1[1]
}

proptest! {
    #[test]
    fn entries_round_trip(entry in any_entry()) {
        let node = TreeNode::Run(vec![entry]);
        let decoded = decode_tree("test", NameRule::Component, &encode_tree(&node)).expect("decode");
        prop_assert_eq!(decoded, node);
    }

    #[test]
    fn directories_round_trip(entries in proptest::collection::vec(any_entry(), 0..40)) {
        let sorted: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let sorted: Vec<Entry> = sorted.into_values().collect();
        let mut chunks = Chunks::new();
        let root = write(&sorted, NameRule::Component, &mut chunks);
        prop_assert_eq!(read(root, &chunks), sorted);
    }

    #[test]
    fn cut_and_changed_encodings_are_refused_or_mean_what_they_say(entry in any_entry()) {
        let bytes = encode_tree(&TreeNode::Run(vec![entry]));
        for length in 0..bytes.len() {
            check_decoding(&bytes[..length]);
        }
        let mut changed = bytes;
        for bit in 0..changed.len() * 8 {
            changed[bit / 8] ^= 1 << (bit % 8);
            check_decoding(&changed);
            changed[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), level in 0..3_u8) {
        check_decoding(&bytes);
        if let [version, claimed, ..] = bytes.as_mut_slice() {
            (*version, *claimed) = (1, level);
        }
        check_decoding(&bytes);
    }
}

/// What is accepted as a node of either kind, or as attributes, encodes to the same bytes.
fn check_decoding(bytes: &[u8]) {
    for rule in [NameRule::Component, NameRule::AbsolutePath] {
        if let Ok(node) = decode_tree("test", rule, bytes) {
            assert_eq!(encode_tree(&node), bytes);
        }
    }
    if let Ok(node) = decode_list("test", bytes) {
        assert_eq!(encode_list(&node), bytes);
    }
    if let Ok(pairs) = decode_attributes("test", bytes) {
        assert_eq!(encode_attributes(&pairs), bytes);
    }
}

#[test]
fn the_encoding_of_an_entry_is_pinned() {
    let mut entry = plain_file("a");
    entry.link_group = 1;
    entry.flags.insert(EntryFlags::UNSETTLED);
    entry.mtime.seconds = -2;
    entry.attributes = Attributes::Inline(vec![(b"user.k".to_vec(), b"v".to_vec())]);
    let golden = [
        &[1, 0, 1, b'a', 0, 1, 0xa4, 0x03, 0xe8, 0x07, 0xe8, 0x07, 4][..],
        b"user\x05group",
        &[3, 0x95, 0x9a, 0xef, 0x3a],                            // mtime
        &[0x80, 0xee, 0x89, 0xab, 0x0d, 0x95, 0x9a, 0xef, 0x3a], // ctime
        &[0xd2, 0x09, 0xd2, 0xe6, 0x96, 0x02, 1],                // size, inode, link group
        &[0, 1, 0xa4, 0x13],
        id(1).as_bytes(),
        b"\x01\x01\x06user.k\x01v",
    ]
    .concat();
    assert_eq!(encode_tree(&TreeNode::Run(vec![entry])), golden);
}

#[test]
fn small_directories_are_one_chunk() {
    for count in [0, 1, 20] {
        let mut chunks = Chunks::new();
        let root = write(&files(count), NameRule::Component, &mut chunks);
        assert_eq!((chunks.chunks.len(), level_of(root, &chunks)), (1, 0));
        assert_eq!(read(root, &chunks).len(), count);
    }
}

#[test]
fn a_directory_that_ends_at_a_cut_gets_no_level_above_it() {
    let all = files(5_000);
    let keys = keys();
    let end = all.iter().position(|entry| keys.run_hash(&entry.name) & 0xff == 0).expect("one in 256 is a cut");
    let mut chunks = Chunks::new();
    let root = write(&all[..=end.min(200)], NameRule::Component, &mut chunks);
    assert_eq!((chunks.chunks.len(), level_of(root, &chunks)), (1, 0));
}

#[test]
fn a_large_directory_is_read_and_searched_run_by_run() {
    let entries = files(5_000);
    let mut chunks = Chunks::new();
    let root = write(&entries, NameRule::Component, &mut chunks);
    assert!(level_of(root, &chunks) >= 1 && chunks.chunks.len() > 10);
    assert_eq!(read(root, &chunks), entries);
    assert!(chunks.chunks.values().all(|(_, bytes)| bytes.len() <= RUN_LIMIT));

    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let reader = TreeReader::open(NameRule::Component, root, &read).expect("root");
    chunks.read.borrow_mut().clear();
    for wanted in [0, 1, 2_500, 4_999] {
        assert_eq!(reader.find(&entries[wanted].name).expect("found"), Some(entries[wanted].clone()));
    }
    assert!(chunks.read.borrow().len() <= 4 * usize::from(level_of(root, &chunks)));
    for missing in ["", "file-", "file-002500x", "file-004999x", "zebra"] {
        assert_eq!(reader.find(missing.as_bytes()).expect("read"), None);
    }
}

#[test]
fn an_insertion_into_a_large_directory_rewrites_a_few_chunks() {
    let mut entries = files(10_000);
    let mut chunks = Chunks::new();
    write(&entries, NameRule::Component, &mut chunks);
    let before: BTreeSet<ChunkId> = chunks.chunks.keys().copied().collect();
    for name in ["a-first", "file-005000-inserted", "last"] {
        entries.push(plain_file(name));
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let mut after = Chunks::new();
        write(&entries, NameRule::Component, &mut after);
        let new = after.chunks.keys().filter(|id| !before.contains(id)).count();
        assert!(new <= 20, "{new} of {} chunks are new", after.chunks.len());
        assert!(after.chunks.len() > 25);
    }
}

#[test]
fn a_lost_run_costs_only_its_own_entries() {
    let entries = files(5_000);
    let mut chunks = Chunks::new();
    let root = write(&entries, NameRule::Component, &mut chunks);
    let lost = chunks.level_0()[3];
    chunks.chunks.remove(&lost);

    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let reader = TreeReader::open(NameRule::Component, root, &read).expect("root");
    let (mut found, mut holes) = (Vec::new(), Vec::new());
    for entry in reader {
        match entry {
            Ok(entry) => found.push(entry),
            Err(hole) => holes.push(hole),
        }
    }
    let [hole] = holes.as_slice() else { panic!("{holes:?}") };
    assert!(hole.error.is_damage());
    assert_eq!(found.len() as u64 + hole.entries, 5_000);
    let is_lost =
        |entry: &&Entry| hole.after.as_ref().is_none_or(|after| entry.name > *after) && entry.name <= hole.last;
    assert_eq!(entries.iter().filter(is_lost).count() as u64, hole.entries);
    assert_eq!(found.iter().filter(is_lost).count(), 0);
}

#[test]
fn nodes_that_lie_about_their_children_are_refused() {
    let mut chunks = Chunks::new();
    let run = write(&files(3), NameRule::Component, &mut chunks);
    let child = TreeChild { id: run, entries: 3, last: b"file-000002".to_vec() };
    let mut inner = |level, children| chunks.store(ChunkKind::Tree, encode_tree(&TreeNode::Inner { level, children }));
    let after = TreeChild { id: run, entries: 3, last: b"file-000002x".to_vec() };
    let truthful = inner(1, vec![child.clone()]);
    let lies = [
        inner(2, vec![child.clone()]),                                      // a level is left out
        inner(1, vec![TreeChild { id: truthful, ..child.clone() }]),        // levels do not fall
        inner(1, vec![TreeChild { entries: 4, ..child.clone() }]),          // another count
        inner(1, vec![TreeChild { last: b"g".to_vec(), ..child.clone() }]), // another last name
        inner(1, vec![child.clone(), after]),                               // the same names again
    ];
    let read_back = |root| {
        let read = |kind, id: &ChunkId| chunks.read(kind, id);
        let reader = TreeReader::open(NameRule::Component, root, &read).expect("the node itself is in order");
        let mut found: Vec<_> = reader.collect();
        found.pop().expect("something").is_ok()
    };
    assert!(read_back(truthful));
    for lie in lies {
        assert!(!read_back(lie));
    }
}

#[test]
fn nodes_out_of_order_or_out_of_bounds_are_refused() {
    let decode = |node: &TreeNode| decode_tree("test", NameRule::Component, &encode_tree(node));
    let one = |name: &str| plain_file(name);
    for names in [["b", "a"], ["a", "a"], ["a", ".."], [".", "a"], ["a", "a/b"], ["", "a"]] {
        assert!(decode(&TreeNode::Run(names.map(one).to_vec())).is_err(), "{names:?}");
    }
    let child = |last: &str, entries| TreeChild { id: id(1), entries, last: last.as_bytes().to_vec() };
    for children in
        [vec![], vec![child("a", 0)], vec![child("b", 1), child("a", 1)], vec![child("a", u64::MAX), child("b", 1)]]
    {
        assert!(decode(&TreeNode::Inner { level: 1, children }).is_err());
    }
    assert!(decode(&TreeNode::Inner { level: 16, children: vec![child("a", 1)] }).is_err());
    assert!(decode(&TreeNode::Run(files(5_000))).is_err(), "more than one run in a chunk");

    let change = |change: fn(&mut Entry)| {
        let mut entry = one("a");
        change(&mut entry);
        decode(&TreeNode::Run(vec![entry]))
    };
    assert!(change(|entry| entry.size += 1).is_err());
    assert!(change(|entry| entry.mode = 0o10_000).is_err());
    assert!(change(|entry| entry.mtime.nanoseconds = 1_000_000_000).is_err());
    assert!(change(|entry| entry.node = Node::Fifo).is_err(), "a FIFO has no size");
    assert!(change(|entry| entry.attributes = Attributes::Inline(vec![])).is_err());
    let twice = (b"user.a".to_vec(), vec![]);
    assert!(
        change(|entry| entry.attributes = Attributes::Inline(vec![(b"user.a".to_vec(), vec![0; 20_000])])).is_err()
    );
    assert!(decode_attributes("test", &encode_attributes(&[twice.clone(), twice])).is_err());
}

#[test]
fn huge_counts_cost_nothing() {
    let lying = |prefix: &[u8]| [prefix, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]].concat();
    assert!(decode_attributes("test", &lying(&[])).is_err());
    assert!(decode_tree("test", NameRule::Component, &lying(&[1, 0])).is_err());
    assert!(decode_list("test", &lying(&[1, 0, 0xfe])).is_err());
}

#[test]
fn later_versions_and_kinds_ask_for_a_newer_program() {
    let bytes = encode_tree(&TreeNode::Run(vec![plain_file("a")]));
    for (at, value) in [(0, 2), (4, 7), (5, 64)] {
        let mut newer = bytes.clone();
        newer[at] = value;
        assert!(matches!(decode_tree("test", NameRule::Component, &newer), Err(Error::Newer { .. })), "{at}");
    }
}

#[test]
fn the_writer_refuses_what_could_not_be_read_back() {
    let keys = keys();
    let store: &mut StoreChunk<'_> = &mut |_, _| Ok(id(0));
    let mut writer = TreeWriter::new(&keys, NameRule::Component);
    writer.push(&plain_file("b"), store).expect("in order");
    for name in ["a", "b", "..", "c/d"] {
        assert!(matches!(writer.push(&plain_file(name), store), Err(Error::Invalid { .. })), "{name}");
    }
    let mut roots = TreeWriter::new(&keys, NameRule::AbsolutePath);
    assert!(roots.push(&plain_file("b"), store).is_err());
    roots.push(&plain_file("/b/c"), store).expect("an absolute path");
}

#[test]
fn enormous_directories_get_a_second_level() {
    let mut chunks = Chunks::new();
    let root = write(&files(200_000), NameRule::Component, &mut chunks);
    assert!(level_of(root, &chunks) >= 2);
    let read = |kind, id: &ChunkId| chunks.read(kind, id);
    let reader = TreeReader::open(NameRule::Component, root, &read).expect("root");
    assert!(reader.find(b"file-123456").expect("found").is_some());
    assert!(
        reader.map(|entry| entry.expect("nothing is lost").name).eq(files(200_000).into_iter().map(|file| file.name))
    );
}
