//! The verbs `restore` and `verify` of 2,000 small files and one of 32 MiB, from a store in memory; files go to a temporary folder.

#[expect(dead_code, reason = "each bench uses a part of it")]
mod data;

use std::{sync::Arc, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use data::MIB;
use lbak::{
    Backend, Credential, Depth, InitOptions, KeyFile, Manifest, MemoryBackend, NewSlot, Repository, RestoreOptions,
    Share, SnapshotOptions, VerifyOptions, restore, snapshot, verify,
};

const SMALL_FILES: usize = 2_000;

/// A repository with one snapshot.
fn repository() -> (Repository, Manifest, u64) {
    let (source, bytes) = data::source(SMALL_FILES, 32 * MIB);
    let credential = Credential::KeyFile(KeyFile::generate().expect("random bytes"));
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let slot = NewSlot::new(credential, "bench");
    let repository = Repository::init(backend, &[slot], &InitOptions::default()).expect("an empty store");
    snapshot(&repository, &source, &SnapshotOptions::default()).expect("a snapshot");
    let catalog = repository.catalog().expect("one snapshot");
    let manifest = catalog.snapshots.into_iter().next().expect("one snapshot").manifest;
    (repository, manifest, bytes)
}

fn restoring(criterion: &mut Criterion) {
    let (repository, manifest, bytes) = repository();
    let mut group = criterion.benchmark_group("restore");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("into a new folder", |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().expect("a folder for temporary files"),
            |folder| {
                let options = RestoreOptions::default();
                restore(&repository, &manifest, &folder.path().join("there"), &options).expect("it restores");
                folder // removed when the time is taken
            },
            BatchSize::PerIteration,
        );
    });
}

fn verifying(criterion: &mut Criterion) {
    let (repository, _, bytes) = repository();
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Bytes(bytes));
    let mut check = |name: &str, depth: Depth| {
        let options = VerifyOptions { depth, ..VerifyOptions::default() };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let report = verify(&repository, &options).expect("it can be read");
                assert!(report.is_sound(), "nothing is damaged");
            });
        });
    };
    check("structure", Depth::Structure);
    check("all data", Depth::ReadData { share: Share::default() });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(3_000));
    targets = restoring, verifying
}
criterion_main!(benches);
