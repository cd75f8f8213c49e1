//! From plain to stored bytes and back, on one core: chunk ids, blocks, seals.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::MIB;
use lbak_core::{
    codec::{BlockDecoder, BlockEncoder, Compression, Domain, Kind},
    id::{ChunkKind, SessionId},
};

/// A block of data aims at this.
const BLOCK: usize = 2 * MIB;
/// A page of the index, without its seal.
const PAGE: usize = 1_008;

fn chunk_id(criterion: &mut Criterion) {
    let (codec, chunk) = (data::codec(), data::noise(1, MIB));
    let mut group = criterion.benchmark_group("chunk id");
    for length in [4 << 10, MIB] {
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(format!("{} KiB", length >> 10), |bencher| {
            bencher.iter(|| codec.keys().chunk_id(ChunkKind::Data, black_box(&chunk[..length])));
        });
    }
}

fn block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Bytes(BLOCK as u64));
    for (name, plain) in [("text", data::text(1, BLOCK)), ("noise", data::noise(1, BLOCK))] {
        let mut scratch = Vec::new();
        for (level, compression) in [("fast", Compression::Fast), ("auto", Compression::Auto)] {
            let mut encoder = BlockEncoder::new(compression).expect("memory");
            group.bench_function(format!("encode {name}, {level}"), |bencher| {
                bencher.iter(|| black_box(encoder.encode(black_box(&plain), &mut scratch).length()));
            });
        }
        let encoded = BlockEncoder::new(Compression::Auto).expect("memory").encode(&plain, &mut scratch).to_vec();
        let mut decoder = BlockDecoder::new().expect("memory");
        let mut decoded = Vec::new();
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| {
                let plain = decoder.decode("bench", black_box(&encoded), BLOCK, &mut decoded);
                black_box(plain.expect("a sound block").len())
            });
        });
        assert_eq!(decoder.decode("bench", &encoded, BLOCK, &mut decoded).expect("a sound block"), plain);
    }
}

fn seal(criterion: &mut Criterion) {
    let codec = data::codec();
    let sealer = codec.sealer(Kind::DataPack, SessionId([3; 16])).expect("random bytes");
    let opener = codec.opener("bench", sealer.header()).expect("its own keys");
    let mut group = criterion.benchmark_group("seal");
    for (name, length) in [("a block", BLOCK), ("a page of the index", PAGE)] {
        group.throughput(Throughput::Bytes(length as u64));
        let mut buffer = data::noise(1, length);
        group.bench_function(format!("seal {name}"), |bencher| {
            // One counter over and over: nothing of this is stored.
            bencher.iter(|| sealer.seal_in_place(Domain::Block, 80, &[], black_box(&mut buffer)));
        });
        let mut sealed = data::noise(1, length);
        sealer.seal_tail(Domain::Block, 80, &[], &mut sealed, 0);
        group.bench_function(format!("open {name}, with a copy"), |bencher| {
            bencher.iter(|| {
                buffer.clone_from(&sealed); // opened in place
                opener.open(Domain::Block, 80, &[], &mut buffer).expect("sealed above").len()
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = chunk_id, block, seal
}
criterion_main!(benches);
