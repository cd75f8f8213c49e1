//! The verb `snapshot` over a store in memory: 2,000 small files and one of 32 MiB, first and again.
//!
//! What a disk adds is not in these figures; all cores work.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::MIB;
use lbak_core::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::slot::Credential,
    keys::KeyFile,
    repository::{InitOptions, NewSlot, OpenOptions, Repository},
    source::MemorySource,
};

const SMALL_FILES: usize = 2_000;

fn take(repository: &Repository, source: &MemorySource) -> SnapshotReport {
    snapshot(repository, source, &SnapshotOptions::default()).expect("a snapshot")
}

fn capture(criterion: &mut Criterion) {
    let (source, bytes) = data::source(SMALL_FILES, 32 * MIB);
    let credential = Credential::KeyFile(KeyFile::generate().expect("random bytes"));
    let init = |backend: Arc<dyn Backend>| {
        let slot = NewSlot::new(credential.clone(), "bench");
        Repository::init(backend, &[slot], &InitOptions::default()).expect("an empty store")
    };
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("first", |bencher| {
        bencher.iter_batched(
            || init(Arc::new(MemoryBackend::new())),
            |repository| take(&repository, &source),
            BatchSize::PerIteration,
        );
    });

    let first = Arc::new(MemoryBackend::new());
    take(&init(Arc::clone(&first) as Arc<dyn Backend>), &source);
    // Each time a copy of the store as the first snapshot left it, so that snapshots do not pile up.
    let reopen = || {
        let copy = MemoryBackend::new();
        first.contents().into_iter().for_each(|(name, bytes)| copy.tamper(&name, Some(bytes)));
        Repository::open(Arc::new(copy), &credential, &OpenOptions::default()).expect("a sound repository")
    };
    group.bench_function("unchanged", |bencher| {
        bencher.iter_batched(
            reopen,
            |repository| {
                let report = take(&repository, &source);
                assert_eq!(report.files.read_bytes, 0, "nothing changed, nothing is read");
                report
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(3_000));
    targets = capture
}
criterion_main!(benches);
