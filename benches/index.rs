//! The index: building a segment, merging several, and asking them for chunks that are there and for strangers.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{hint::black_box, sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lbak_core::{
    backend::{Backend, LocalBackend, MemoryBackend},
    codec::{Codec, Header, Kind},
    id::{ChunkId, ChunkKind, PackId, SessionId},
    index::{ChunkRow, Counted, Index, MergeOptions, PackRow, SegmentBuilder, merge},
};

const SESSION: SessionId = SessionId([3; 16]);
/// A session puts a segment at the latest after so many new chunks.
const RECORDS: u32 = 131_072;
const SEGMENTS: u32 = 8;
const CHUNKS_IN_PACK: u32 = 1_024;
const LOOKUPS: u32 = 1_000;
const BATCH: u32 = 100_000;

fn id(number: u32) -> ChunkId {
    ChunkId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// Packs of a thousand small chunks, from a number on.
fn builder(codec: &Codec, from: u32, records: u32) -> SegmentBuilder {
    let mut builder = SegmentBuilder::new();
    for first in (from..from + records).step_by(CHUNKS_IN_PACK as usize) {
        let chunks: Vec<ChunkRow> = (0..CHUNKS_IN_PACK)
            .map(|position| ChunkRow {
                id: id(first + position),
                kind: ChunkKind::Data,
                has_base: false,
                block_offset: 80 + position / 128 * 1_000_000,
                sealed_length: 1_000_000,
                block_length: 2_000_000,
                offset: position % 128 * 15_000,
                length: 15_000,
            })
            .collect();
        let header = Header::draw(Kind::DataPack, 0, codec.repository(), SESSION).expect("random bytes");
        let pack = PackRow { id: PackId(id(u32::MAX - first).0), stored_length: 16 << 20, header };
        builder.add_pack(pack, &chunks).expect("sound rows");
    }
    builder
}

fn build(criterion: &mut Criterion) {
    let codec = data::codec();
    let finish = |builder: SegmentBuilder| builder.finish(&codec, Kind::Segment, SESSION).expect("records").1;
    let stored = finish(builder(&codec, 0, RECORDS)).as_bytes().len();
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Bytes(stored as u64));
    group.bench_function("build a segment of 131,072", |bencher| {
        bencher.iter_batched(|| builder(&codec, 0, RECORDS), finish, BatchSize::PerIteration);
    });
}

/// Eight segments, as sessions left them.
fn stored(codec: &Codec, backend: impl Backend + 'static) -> Index {
    for segment in 0..SEGMENTS {
        let (name, sealed) =
            builder(codec, segment * RECORDS, RECORDS).finish(codec, Kind::Segment, SESSION).expect("records");
        backend.put(&name, &sealed).expect("a new name");
    }
    let backend: Arc<dyn Backend> = Arc::new(backend);
    Index::load(&backend, codec, &Counted::default()).expect("sound segments").index
}

fn merging(criterion: &mut Criterion) {
    let codec = data::codec();
    let segments = stored(&codec, MemoryBackend::new()).segments();
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements((SEGMENTS * RECORDS).into()));
    group.bench_function("merge 8 segments of 131,072", |bencher| {
        bencher.iter(|| {
            merge(&segments, &codec, SESSION, &MergeOptions::default(), &mut |_, sealed| {
                black_box(sealed);
                Ok(())
            })
        });
    });
}

fn lookup(criterion: &mut Criterion) {
    // In files, whose pages the page cache has.
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let backend = LocalBackend::create(folder.path().join("repository")).expect("a new folder");
    let index = stored(&data::codec(), backend);
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(LOOKUPS.into()));
    let all = SEGMENTS * RECORDS;
    let mut ask = |name: &str, first: u32, step: u32, range: u32, expected: bool| {
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for _ in 0..LOOKUPS {
                    number = (number + step) % range;
                    let found =
                        index.find(&id(first + number), ChunkKind::Data, &mut |_| true).expect("sound segments");
                    assert_eq!(black_box(found).is_some(), expected);
                }
            });
        });
    };
    // A prime step goes everywhere: most pages are not in the cache and are opened. A short range stays in it.
    ask("1,000 found, pages opened", 0, 524_287, all, true);
    ask("1,000 found, pages cached", 0, 1, LOOKUPS, true);
    ask("1,000 not found", all, 524_287, all, false);
    let ids: Vec<ChunkId> = (0..BATCH).map(|number| id(number.wrapping_mul(524_287) % all)).collect();
    group.throughput(Throughput::Elements(BATCH.into()));
    group.bench_function("100,000 found at once", |bencher| {
        bencher.iter(|| {
            let found = index.find_many(&ids, ChunkKind::Data, &mut |_, _| true);
            assert!(found.iter().all(|found| matches!(found, Ok(Some(_)))));
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500));
    targets = build, merging, lookup
}
criterion_main!(benches);
