//! Cutting: how fast content-defined cuts are found, in bytes of content.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::MIB;
use lbak_core::chunk::ChunkSizes;

fn cut(criterion: &mut Criterion) {
    let cutter = data::codec().keys().cutter(ChunkSizes::default());
    let mut group = criterion.benchmark_group("cut");
    group.throughput(Throughput::Bytes(32 * MIB as u64));
    // Zeros are the worst case: no cut but the longest.
    let contents =
        [("noise", data::noise(1, 32 * MIB)), ("text", data::text(1, 32 * MIB)), ("zeros", vec![0; 32 * MIB])];
    for (name, content) in &contents {
        group.bench_function(*name, |bencher| bencher.iter(|| cutter.cut_all(black_box(content)).count()));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_000));
    targets = cut
}
criterion_main!(benches);
