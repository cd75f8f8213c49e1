//! A directory of 1,000 files: written, read, and read beside its older self as an incremental snapshot does.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{cmp::Ordering, collections::HashMap, hint::black_box, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lbak_core::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    keys::Keys,
    metadata::{Metadata, Timestamp},
    tree::{Content, Entry, NameRule, Node, Piece, TreeNode, TreeReader, TreeWriter, decode_tree, encode_tree},
};

const ENTRIES: usize = 1_000;

/// Files of one chunk; `changes` of them are newer.
fn entries(changes: usize) -> Vec<Entry> {
    let numbers: Vec<u64> = data::numbers(5).take(ENTRIES).collect();
    let entry = |number: usize, drawn: u64| {
        let is_changed = number < changes;
        let time = Timestamp {
            seconds: 1_790_000_000 + i64::from(is_changed),
            nanoseconds: u32::try_from(drawn % 999_999_937).expect("below 2^32"),
        };
        let metadata = Metadata {
            mode: 0o644,
            uid: 1000,
            gid: 1000,
            user: b"user"[..].into(),
            group: b"group"[..].into(),
            mtime: time,
            ctime: time,
            size: drawn % 100_000 + 1,
            inode: 4_000_000 + number as u64,
            ..Metadata::default()
        };
        let chunk = ChunkId(*blake3::hash(&drawn.to_le_bytes()).as_bytes());
        let content = Content::Inline(vec![Piece::data(metadata.size, chunk)]);
        Entry::new(format!("layer-{:05}.{:016x}.json", number * 7, drawn).into(), Node::File { content }, &metadata)
    };
    numbers.into_iter().enumerate().map(|(number, drawn)| entry(number, drawn)).collect()
}

/// Where the chunks go: a map, so that nothing but the tree is measured.
#[derive(Default)]
struct Chunks(HashMap<ChunkId, Bytes>);

impl Chunks {
    fn write(&mut self, keys: &Keys, entries: &[Entry]) -> ChunkId {
        let mut store = |kind, bytes: Vec<u8>| {
            let id = keys.chunk_id(kind, &bytes);
            self.0.insert(id, bytes.into());
            Ok(id)
        };
        let mut writer = TreeWriter::new(keys, NameRule::Component);
        for entry in entries {
            writer.push(entry, &mut store).expect("sorted names");
        }
        writer.finish(&mut store).expect("a map refuses nothing")
    }

    fn read(&self, _: ChunkKind, id: &ChunkId) -> Result<Bytes> {
        self.0.get(id).cloned().ok_or_else(|| Error::Lost { what: format!("chunk {}", id.short()) })
    }
}

fn tree(criterion: &mut Criterion) {
    let codec = data::codec();
    let keys = codec.keys();
    let (before, after) = (entries(0), entries(10));
    let mut chunks = Chunks::default();
    let (old, new) = (chunks.write(keys, &before), chunks.write(keys, &after));
    let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
    let open = |id| TreeReader::open(NameRule::Component, id, &read).expect("written above");

    let mut group = criterion.benchmark_group("tree of 1,000");
    let encoded = encode_tree(&TreeNode::Run(before[..ENTRIES / 4].to_vec())); // what fits into one node
    let bytes = encode_tree(&TreeNode::Run(before.clone())).len() as u64;
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("write", |bencher| {
        bencher.iter(|| Chunks::default().write(keys, black_box(&before)));
    });
    group.bench_function("read", |bencher| {
        bencher.iter(|| open(old).map(|entry| entry.expect("written above").size).sum::<u64>());
    });
    group.throughput(Throughput::Bytes(2 * bytes));
    group.bench_function("merge with its older self", |bencher| {
        bencher.iter(|| {
            let changed = changed_entries(open(old), open(new));
            assert_eq!(changed, 10);
        });
    });
    group.throughput(Throughput::Bytes(encoded.len() as u64));
    group.bench_function("decode one node", |bencher| {
        bencher.iter(|| decode_tree("bench", NameRule::Component, black_box(&encoded)).expect("encoded above"));
    });
}

/// Goes through two directories by name, one run of each at a time.
fn changed_entries(old: TreeReader<'_>, new: TreeReader<'_>) -> usize {
    let mut old = old.map(|entry| entry.expect("written above")).peekable();
    let mut changed = 0;
    for entry in new.map(|entry| entry.expect("written above")) {
        while old.next_if(|old| old.name < entry.name).is_some() {}
        let is_same = old
            .next_if(|old| old.name.cmp(&entry.name) == Ordering::Equal)
            .is_some_and(|old| (old.size, old.mtime, old.ctime) == (entry.size, entry.mtime, entry.ctime));
        changed += usize::from(!is_same);
    }
    changed
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = tree
}
criterion_main!(benches);
