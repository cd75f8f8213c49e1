//! Writes the committed corpora anew, after a change of the format: `cargo run --package lbak-fuzzing --example seeds`.
//!
//! Each seed is a real encoding behind the parameters that its target reads. The numbers in them never change, but for
//! slots and what they draw at random.

#![allow(clippy::cast_possible_truncation, reason = "small numbers, made here")]

mod records;

mod repository;

mod words;

use std::{fs, path::Path};

use lbak_core::{
    codec::{
        Header, Kind, TAG,
        slot::{Credential, SlotRecord, seal_slot},
    },
    id::{ChunkId, ChunkKind, PackId, RepositoryId, SessionId, SlotId},
    index::{Filter, IdPrefix, Summary},
    keys::{KeyFile, PasswordCost},
    metadata::{Metadata, Timestamp},
    pack::{BlockRow, ChunkEntry, Directory},
    parity::{CoveredPack, ParityList},
    tree::{
        Attributes, Content, Entry, EntryFlags, ListChild, ListNode, Node, Piece, TreeChild, TreeNode,
        encode_attributes, encode_list, encode_tree,
    },
};

const REPOSITORY: RepositoryId = RepositoryId([2; 16]);
const SESSION: SessionId = SessionId([3; 16]);
const SLOT: SlotId = SlotId([5; 16]);

fn main() {
    header();
    directory();
    segment();
    tree();
    records::seeds();
    slot_and_key_file();
    words::seeds();
    repository::seeds();
    parity();
}

fn parity() {
    let pack = |number: u32| CoveredPack { id: PackId(hash(number)), stored_length: 100_000 * number };
    for (name, slices, recovery, packs) in [("one", 1, 1, 1_u32..2), ("several", 3, 7, 1..6), ("many", 64, 20, 1..60)] {
        let list = ParityList::new(slices, recovery, packs.map(pack).collect()).expect("a list");
        seed("parity", name, &[&list.encode()]);
        seed(
            "parity",
            &format!("{name}-behind-header"),
            &[&header_of(Kind::Parity).encode(), &list.encode(), &[0; 16]],
        );
    }
}

fn seed(target: &str, name: &str, parts: &[&[u8]]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder for seeds");
    fs::write(folder.join(name), parts.concat()).expect("a seed");
}

fn hash(number: u32) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

fn header_of(kind: Kind) -> Header {
    Header {
        kind,
        epoch: 0,
        read_features: 0,
        collect_features: 0,
        repository: REPOSITORY,
        session: SESSION,
        random: [4; 32],
    }
}

fn header() {
    seed("header", "alone", &[&header_of(Kind::DataPack).encode()]);
    seed("header", "config", &[&header_of(Kind::Config).encode(), &[1; 40]]);
    seed("header", "slot", &[&header_of(Kind::Slot).encode(), &[1; 64]]);
    seed("header", "newer", &[b"lbak", &[1, 2, 1, 1], &[7; 72]]);
}

fn directory() {
    let chunk = |number: u32, base| ChunkEntry {
        kind: ChunkKind::from_number((number % 3) as u8).expect("three kinds"),
        length: 1000,
        id: ChunkId(hash(number)),
        base,
    };
    let block = |offset, chunks: Vec<ChunkEntry>| BlockRow {
        offset,
        sealed_length: 500,
        plain_length: 1000 * u32::try_from(chunks.len()).expect("few"),
        is_padding: chunks.is_empty(),
        chunks,
    };
    let one = Directory {
        blocks: vec![block(80, vec![chunk(1, None), chunk(2, Some(ChunkId(hash(9))))]), block(580, vec![])],
    };
    let full = (0..40_u32).map(|number| chunk(number, None)).collect();
    let many = Directory { blocks: vec![block(80, vec![chunk(50, None)]), block(580, full), block(1080, vec![])] };
    for (name, directory) in [("empty", Directory::default()), ("one", one), ("many", many)] {
        let end: u32 = 80 + directory.blocks.iter().map(|block| block.sealed_length).sum::<u32>();
        let plain = directory.encode();
        let sealed = u32::try_from(plain.len() + TAG).expect("small");
        let trailer = [&sealed.to_le_bytes()[..], &[0, 0]].concat();
        seed("directory", name, &[&trailer, &(end + sealed + 6).to_le_bytes(), &plain]);
    }
    // A trailer that does not fit: 80 is where the blocks end.
    seed("directory", "unfilled", &[&[0xff; 6], &80_u32.to_le_bytes(), &Directory::default().encode()[..8]]);
}

fn segment() {
    let prefix = |number| IdPrefix::from(&ChunkId(hash(number)));
    let mut ids: Vec<IdPrefix> = (0..30).map(prefix).collect();
    ids.sort_unstable();

    let summary =
        Summary { records: 30, packs: 3, filter_length: 100, smallest: ids[0], largest: *ids.last().expect("30 ids") };
    seed("segment", "summary", &[&[0], &summary.stored_length().to_le_bytes(), &summary.encode()]);

    let page = |ids: &[IdPrefix]| {
        let mut page: Vec<u8> = ids.iter().flat_map(record).collect();
        page.resize(1008, 0);
        page
    };
    seed("segment", "page-full", &[&[1, 24], &3_u32.to_le_bytes(), &page(&ids[..24])]);
    seed("segment", "page-short", &[&[1, 6], &3_u32.to_le_bytes(), &page(&ids[24..])]);

    let row = |number: u32| {
        let header = header_of(if number == 0 { Kind::TreePack } else { Kind::DataPack }).encode();
        [&hash(number)[..], &(16_u32 << 20).to_le_bytes(), &header[4..16], &header[32..]].concat()
    };
    let mut rows: Vec<u8> = (0..3).flat_map(row).collect();
    rows.resize(1008, 0);
    seed("segment", "packs", &[&[2, 3], &rows]);

    let fence = |id: &IdPrefix| id.0[..8].to_vec();
    let fences: Vec<u8> = ids.iter().flat_map(fence).collect();
    seed("segment", "fences", &[&[3], &30_u32.to_le_bytes(), &ids[7].0, &fences]);
    let equal = [[1; 8], [5; 8], [5; 8], [5; 8], [9; 8]].concat();
    seed("segment", "fences-equal", &[&[3], &5_u32.to_le_bytes(), &[5; 20], &equal]);

    let keys: Vec<u64> = (0..40).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    seed("segment", "filter", &[&[4], &keys[3].to_le_bytes(), &Filter::build(keys.clone()).encode()]);
    seed("segment", "filter-everything", &[&[4], &[0; 8], &Filter::everything().encode()]);
    let keys: Vec<u8> = keys.into_iter().flat_map(u64::to_le_bytes).collect();
    seed("segment", "filter-keys", &[&[5], &keys]);
}

fn record(id: &IdPrefix) -> Vec<u8> {
    let number = u32::from(id.0[0]);
    let mut bytes = id.0.to_vec();
    bytes.extend_from_slice(&(number % 3).to_le_bytes());
    bytes.extend_from_slice(&(80 + number).to_le_bytes());
    for length in [500, 2000, 1000, number] {
        bytes.extend_from_slice(&u32::to_le_bytes(length)[..3]);
    }
    bytes.push((number % 3) as u8 | if number.is_multiple_of(7) { 0x80 } else { 0 });
    bytes
}

fn entry(name: &str, node: Node, size: u64) -> Entry {
    let time = Timestamp { seconds: 1_790_000_000, nanoseconds: 123_456_789 };
    let metadata = Metadata {
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        user: b"user"[..].into(),
        group: b"group"[..].into(),
        mtime: time,
        ctime: time,
        inode: 4711,
        ..Metadata::default()
    };
    let mut entry = Entry::new(name.into(), node, &metadata);
    entry.size = size;
    entry
}

fn tree() {
    let file = |pieces: Vec<Piece>| Node::File { content: Content::Inline(pieces) };
    let list = Content::List { id: ChunkId(hash(3)), level: 1, pieces: 5_000 };
    let mut long = entry("h-list", Node::File { content: list.clone() }, 1 << 40);
    long.attributes = Attributes::Stored(list);
    let mut linked = entry("b-sparse", file(vec![Piece::data(10, ChunkId(hash(2))), Piece::hole(90)]), 100);
    (linked.link_group, linked.flags) = (7, EntryFlags::UNSETTLED);
    linked.attributes = Attributes::Inline(vec![(b"user.origin".to_vec(), b"here".to_vec())]);
    let run = vec![
        entry("a-file", file(vec![Piece::data(1234, ChunkId(hash(1)))]), 1234),
        linked,
        entry("c-directory", Node::Directory { tree: ChunkId(hash(4)) }, 0),
        entry("d-link", Node::Symlink { target: b"../a-file".to_vec() }, 0),
        entry("e-pipe", Node::Fifo, 0),
        entry("f-device", Node::BlockDevice { major: 8, minor: 1 }, 0),
        entry("g-socket", Node::Socket, 0),
        long,
        entry("i-empty", file(vec![]), 0),
    ];
    let roots = vec![
        entry("/etc", Node::Directory { tree: ChunkId(hash(5)) }, 0),
        entry("/var/lib/model", Node::Directory { tree: ChunkId(hash(6)) }, 0),
    ];
    let inner = |names: [&str; 2]| TreeNode::Inner {
        level: 1,
        children: names
            .into_iter()
            .map(|last| TreeChild { id: ChunkId(hash(8)), entries: 300, last: last.into() })
            .collect(),
    };
    seed("tree", "run", &[&[0], &encode_tree(&TreeNode::Run(run))]);
    seed("tree", "empty", &[&[0], &encode_tree(&TreeNode::Run(vec![]))]);
    seed("tree", "inner", &[&[0], &encode_tree(&inner(["m", "z"]))]);
    seed("tree", "roots", &[&[1], &encode_tree(&TreeNode::Run(roots))]);
    seed("tree", "roots-inner", &[&[1], &encode_tree(&inner(["/m", "/z"]))]);

    let pieces = (1..20).map(|number| match number % 5 {
        0 => Piece::hole(1 << 30),
        _ => Piece::data(u64::from(number) << 16, ChunkId(hash(number))),
    });
    let children = (1..8).map(|number| ListChild {
        id: ChunkId(hash(number)),
        pieces: 130 + u64::from(number),
        bytes: u64::from(number) << 30,
    });
    seed("tree", "pieces", &[&[2], &encode_list(&ListNode::Pieces(pieces.collect()))]);
    seed("tree", "holes", &[&[2], &encode_list(&ListNode::Pieces(vec![Piece::hole(1); 1_025]))]);
    seed("tree", "list-inner", &[&[2], &encode_list(&ListNode::Inner { level: 2, children: children.collect() })]);
    let pairs =
        [(b"system.acl".to_vec(), vec![2, 0, 0, 0]), (b"user.x".to_vec(), vec![]), (b"user.y".to_vec(), vec![1; 200])];
    seed("tree", "attributes", &[&[3], &encode_attributes(&pairs)]);
}

fn slot_and_key_file() {
    let secret = hash(0);
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!("lbak-key-1 {digits} {}\n", &blake3::hash(&secret).to_hex()[..8]);
    seed("keyfile", "sound", &[text.as_bytes()]);
    seed("keyfile", "mistyped", &[text.replacen('0', "1", 1).as_bytes()]);
    seed("keyfile", "no-checksum", &[&text.as_bytes()[..75]]);
    seed("keyfile", "spaced", &[text.replace(' ', "\r\n\t ").as_bytes()]);

    let key = Credential::KeyFile(KeyFile::parse(text.as_bytes()).expect("a sound key file"));
    let record =
        SlotRecord { masters: vec![(0, [9; 32])], label: "a seed".into(), created_seconds: 1, config: vec![8; 200] };
    let password = Credential::password("correct horse");
    let seal = |credential, cost| {
        let sealed = seal_slot(REPOSITORY, SLOT, credential, cost, &record).expect("random bytes");
        let stored = sealed.as_bytes();
        stored[..stored.len() - 34].to_vec() // the target adds the empty signature field and the checksum
    };
    let by_password = seal(&password, PasswordCost::CHEAPEST);
    let mut absurd = by_password.clone();
    absurd[84..88].copy_from_slice(&u32::MAX.to_le_bytes());
    seed("slot", "key-file", &[&seal(&key, PasswordCost::CHEAPEST)]);
    seed("slot", "password", &[&by_password]);
    seed("slot", "absurd", &[&absurd]);
    seed("slot", "cut", &[&by_password[..170]]);
}
