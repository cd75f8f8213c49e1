//! A pack: filled with blocks that are already encoded, finished, and its directory read back; on one core.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::MIB;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    codec::{Codec, Encoded, Kind},
    id::{ChunkId, ChunkKind, SessionId},
    pack::{ChunkEntry, FinishedPack, PackBuffers, PackBuilder, read_directory},
};

const TARGET: u32 = 16 << 20;
/// As of source code: 2 MiB of it, compressed, with 256 chunks.
const BLOCK: usize = MIB / 2;
const CHUNKS_IN_BLOCK: u32 = 256;

fn chunks() -> Vec<ChunkEntry> {
    let chunk = |number: u32| ChunkEntry {
        kind: ChunkKind::Data,
        length: 8_000,
        id: ChunkId(*blake3::hash(&number.to_le_bytes()).as_bytes()),
        base: None,
    };
    (0..CHUNKS_IN_BLOCK).map(chunk).collect()
}

/// Seals blocks into a pack until it is full.
fn fill(codec: &Codec, buffers: &PackBuffers, encoded: &[u8], chunks: &[ChunkEntry]) -> FinishedPack {
    let sealer = codec.sealer(Kind::DataPack, SessionId([3; 16])).expect("random bytes");
    let pack = PackBuilder::new(sealer, TARGET, buffers.lend());
    while let Some(place) = pack.reserve(encoded.len(), 8_000 * CHUNKS_IN_BLOCK, chunks.to_vec()) {
        if pack.fill(place, Encoded(encoded, &[])) {
            return pack.finish().expect("memory that keeps its bits");
        }
    }
    assert!(pack.close(), "it holds blocks, all of them filled");
    pack.finish().expect("memory that keeps its bits")
}

fn pack(criterion: &mut Criterion) {
    let (codec, encoded, chunks) = (data::codec(), data::noise(1, BLOCK), chunks());
    let buffers = PackBuffers::new(TARGET as usize);
    let mut group = criterion.benchmark_group("pack of 16 MiB");
    group.throughput(Throughput::Bytes(TARGET.into()));
    group.bench_function("fill and finish", |bencher| {
        bencher.iter_batched(|| (), |()| fill(&codec, &buffers, black_box(&encoded), &chunks), BatchSize::PerIteration);
    });

    let finished = fill(&codec, &buffers, &encoded, &chunks);
    let length = finished.sealed.as_bytes().len() as u64;
    let backend = MemoryBackend::new();
    backend.put(&ObjectName::Pack(finished.id), &finished.sealed).expect("a new name");
    let count: usize = finished.directory.blocks.iter().map(|block| block.chunks.len()).sum();
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("read the directory", |bencher| {
        bencher.iter(|| read_directory(&backend, &codec, finished.id, length).expect("sealed above"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = pack
}
criterion_main!(benches);
