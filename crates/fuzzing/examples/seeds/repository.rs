//! Whole repositories: sound ones, and some that their owner made to trouble whoever reads them.

use lbak_core::{
    codec::{BlockEncoder, Compression},
    id::{ChunkId, PackId, SnapshotId},
    pack::{BlockRow, ChunkEntry, Directory},
    snapshot::{FinRecord, Lineage, Manifest, MarkRecord, Sizes, SourceKind, StoredFindings, Totals},
    tree::{
        Attributes, Content, Entry, ListChild, ListNode, Node, Piece, TreeChild, TreeNode, encode_attributes,
        encode_list, encode_tree,
    },
};

use crate::{
    entry, hash,
    records::{encoded, manifest},
    seed,
};

const DATA: u8 = 0;
const TREE: u8 = 1;
const LIST: u8 = 2;
const BLOCK: u8 = 3;
const PACK: u8 = 4;
const MANIFEST: u8 = 6;

/// Stands for the id of an earlier part.
fn mark(number: usize) -> [u8; 32] {
    let mut mark = [0xc5; 32];
    mark[31] = u8::try_from(number).expect("few parts");
    mark
}

fn id(number: usize) -> ChunkId {
    ChunkId(mark(number))
}

/// The parts of one input.
#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
    count: usize,
}

impl Parts {
    /// Adds one and returns its number.
    fn add(&mut self, kind: u8, part: &[u8]) -> usize {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&u16::try_from(part.len()).expect("a short part").to_le_bytes());
        self.bytes.extend_from_slice(part);
        self.count += 1;
        self.count - 1
    }

    fn tree(&mut self, entries: Vec<Entry>) -> usize {
        self.add(TREE, &encode_tree(&TreeNode::Run(entries)))
    }

    /// A snapshot of `/r`, which is this tree.
    fn snapshot(&mut self, tree: usize, (files, directories, logical): (u64, u64, u64)) -> usize {
        let root = self.tree(vec![entry("/r", Node::Directory { tree: id(tree) }, 0)]);
        let manifest = Manifest {
            // Two with the same id would be versions of one.
            id: SnapshotId([u8::try_from(self.count).expect("few parts"); 16]),
            root: id(root),
            lineage: Lineage::Full,
            paths: vec![b"/r".to_vec()],
            totals: Totals { files, directories, links: 1, others: 1 },
            sizes: Sizes { logical, new: logical, stored: logical },
            source: SourceKind::Files,
            findings: StoredFindings::default(),
            is_complete: true,
            origin: None,
            heads: vec![],
            ..manifest()
        };
        self.add(MANIFEST, &encoded(manifest.encode()))
    }

    fn write(&self, name: &str) {
        seed("repository", name, &[&self.bytes]);
    }
}

fn file(name: &str, pieces: Vec<Piece>) -> Entry {
    let size = pieces.iter().map(|piece| piece.length).sum();
    entry(name, Node::File { content: Content::Inline(pieces) }, size)
}

/// Writes them.
pub(crate) fn seeds() {
    sound();
    large();
    shared();
    rounds();
    parts_of_packs();
}

fn sound() {
    let mut parts = Parts::default();
    let text = parts.add(DATA, b"some text of a file");
    let more = parts.add(DATA, b"more");
    let below = parts.tree(vec![file("b", vec![Piece::data(4, id(more))])]);
    let mut linked = file("c", vec![Piece::data(19, id(text)), Piece::hole(4096)]);
    linked.link_group = 1;
    let other = Entry { name: b"d".to_vec(), ..linked.clone() };
    let mut attributed = file("e", vec![]);
    attributed.attributes = Attributes::Inline(vec![(b"user.origin".to_vec(), b"here".to_vec())]);
    let top = parts.tree(vec![
        entry("a", Node::Directory { tree: id(below) }, 0),
        linked,
        other,
        attributed,
        entry("f", Node::Symlink { target: b"../../etc/passwd".to_vec() }, 0),
        entry("g", Node::Fifo, 0),
    ]);
    parts.snapshot(top, (4, 2, 8242));
    // Another one, of which something is gone.
    let lacking =
        parts.tree(vec![file("a", vec![Piece::data(5, ChunkId(hash(1)))]), file("b", vec![Piece::data(4, id(more))])]);
    parts.snapshot(lacking, (2, 1, 9));
    parts.write("sound");
}

/// A list of two levels, and a directory of two runs.
fn large() {
    let mut parts = Parts::default();
    let piece = parts.add(DATA, b"12345678");
    let list = parts.add(LIST, &encode_list(&ListNode::Pieces(vec![Piece::data(8, id(piece)); 1025])));
    let child = ListChild { id: id(list), pieces: 1025, bytes: 8200 };
    let above = parts.add(LIST, &encode_list(&ListNode::Inner { level: 1, children: vec![child; 2] }));
    let content = Content::List { id: id(above), level: 1, pieces: 2050 };
    // Shorter ones lie in the entry.
    let pairs = encode_attributes(&[(b"user.x".to_vec(), vec![1; 17_000])]);
    let attributes = parts.add(DATA, &pairs);
    let mut stored = entry("a-list", Node::File { content }, 16_400);
    stored.attributes = Attributes::Stored(Content::Inline(vec![Piece::data(pairs.len() as u64, id(attributes))]));
    let first = parts.tree(vec![stored, file("b", vec![])]);
    let second = parts.tree(vec![file("m", vec![]), file("z", vec![Piece::data(8, id(piece))])]);
    let children = [(first, "b"), (second, "z")]
        .map(|(run, last)| TreeChild { id: id(run), entries: 2, last: last.into() })
        .to_vec();
    let top = parts.add(TREE, &encode_tree(&TreeNode::Inner { level: 1, children }));
    parts.snapshot(top, (4, 1, 16_408));
    // A block that claims more than it has, and one that has more than it claims.
    let mut packed = Vec::new();
    BlockEncoder::new(Compression::Fast).expect("memory").encode(&[0; 100_000], &mut packed);
    for claim in [4_u32, 200_000] {
        parts.add(BLOCK, &[&[0], &claim.to_le_bytes()[..], &packed].concat());
    }
    parts.write("large");
}

/// 2^40 paths in a few trees, sound and not, and a file of 8 GiB in four lists.
fn shared() {
    let mut parts = Parts::default();
    for leaf in [vec![], vec![file("x", vec![Piece::data(4, ChunkId(hash(1)))])]] {
        let mut below = parts.tree(leaf);
        for _ in 0..40 {
            let child = |name| entry(name, Node::Directory { tree: id(below) }, 0);
            below = parts.tree(vec![child("a"), child("b")]);
        }
        parts.snapshot(below, (1, 41, 4));
    }
    parts.write("shared-trees");

    let mut parts = Parts::default();
    let piece = parts.add(DATA, b"1234");
    let (mut pieces, mut level) = (1025, 0);
    let mut list = parts.add(LIST, &encode_list(&ListNode::Pieces(vec![Piece::data(4, id(piece)); 1025])));
    for _ in 0..3 {
        let child = ListChild { id: id(list), pieces, bytes: pieces * 4 };
        level += 1;
        pieces *= 128;
        list = parts.add(LIST, &encode_list(&ListNode::Inner { level, children: vec![child; 128] }));
    }
    let content = Content::List { id: id(list), level, pieces };
    let top = parts.tree(vec![entry("large", Node::File { content }, pieces * 4)]);
    parts.snapshot(top, (1, 1, 4));
    parts.write("shared-lists");
}

/// Snapshots, a session that was closed, what was forgotten and found damaged, and rounds of reclaiming.
fn rounds() {
    let mut parts = Parts::default();
    let text = parts.add(DATA, b"text");
    let top = parts.tree(vec![file("a", vec![Piece::data(4, id(text))])]);
    let snapshot = parts.snapshot(top, (1, 1, 4));
    parts.snapshot(top, (1, 1, 4));
    let record = |name: &str| {
        let path = format!("{}/../../fuzz/corpus/manifest/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).expect("it was written before")[1..].to_vec()
    };
    parts.add(7, &record("closed"));
    parts.add(8, &record("session"));
    let number = u8::try_from(snapshot).expect("few parts");
    parts.add(9, &[&[number], &record("forgotten")[..]].concat());
    let pack = parts.add(PACK, &pack_of(b"more", id(text)));
    parts.add(10, &[&[u8::try_from(pack).expect("few parts")], &record("damaged")[..]].concat());
    let mark_of = MarkRecord { condemned: vec![PackId(mark(pack))] };
    parts.add(11, &[&[2], &encoded(mark_of.encode())[..]].concat());
    let removals = parts.add(12, &[&[1], &record("removals")[..]].concat());
    let fin = FinRecord {
        merged: vec![],
        replaced: vec![],
        live: vec![],
        buried: vec![],
        removals: lbak_core::id::ObjectHash(mark(removals)),
        previous: None,
    };
    parts.add(13, &[&[1], &encoded(fin.encode())[..]].concat());
    parts.add(14, &[&[1], &record("reading")[..]].concat());
    parts.write("rounds");
}

/// The parts of a pack that holds one raw chunk.
fn pack_of(plain: &[u8], id: ChunkId) -> Vec<u8> {
    let block = [&[0], plain].concat();
    let length = u32::try_from(plain.len()).expect("short");
    let sealed_length = length + 17;
    let entry = ChunkEntry { kind: lbak_core::id::ChunkKind::Tree, length, id, base: None };
    let row = BlockRow { offset: 80, sealed_length, plain_length: length, is_padding: false, chunks: vec![entry] };
    let directory = Directory { blocks: vec![row] }.encode();
    let block_length = u16::try_from(block.len()).expect("short");
    [&block_length.to_le_bytes()[..], &block, &directory].concat()
}

/// Packs and segments whose parts were made by hand.
fn parts_of_packs() {
    let mut parts = Parts::default();
    let tree = encode_tree(&TreeNode::Run(vec![]));
    parts.add(PACK, &pack_of(&tree, ChunkId(hash(1))));
    let part = |name: &str, skipped: usize| {
        let path = format!("{}/../../fuzz/corpus/segment/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).expect("it was written before")[skipped..].to_vec()
    };
    let (full, short) = (part("page-full", 6), part("page-short", 6));
    let fences = [&full[..8], &short[..8]].concat();
    let filter = part("filter-keys", 1);
    let filter =
        lbak_core::index::Filter::build(filter.as_chunks().0.iter().map(|key| u64::from_le_bytes(*key)).collect());
    let filter = filter.encode();
    let mut summary = part("summary", 9);
    let sealed_filter = u32::try_from(filter.len() + 16).expect("short");
    summary[20..24].copy_from_slice(&sealed_filter.to_le_bytes());
    for is_merged in [0, 1] {
        let segment = [&[is_merged, 2, 1], &summary[..], &full, &short, &part("packs", 2), &fences, &filter].concat();
        parts.add(5, &segment);
    }
    parts.snapshot(0, (0, 1, 0));
    parts.write("by-hand");
}
