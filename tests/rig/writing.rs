//! What a writer asks of the store in which order, and what it takes for stored (section 10 of `docs/format.md`).

use std::sync::Arc;

use lbak::{BackendErrorKind, Error, LineageKind, MemoryBackend};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation, RecordingBackend};

use crate::support::{Model, init, open, take};

fn model() -> Model {
    Model::of(&[("a", 1, 700_000), ("b", 2, 900_000), ("d/c", 3, 5_000)])
}

/// A collector waits for whoever has announced himself, and for nobody else: what was read before that may be gone by now.
#[test]
fn a_writer_announces_itself_before_it_reads_what_it_may_refer_to() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    drop(init(Arc::clone(&backend) as _));
    for lineage in [LineageKind::Full, LineageKind::Incremental] {
        let repository = open(Arc::clone(&backend) as _);
        backend.take();
        take(&repository, "h", lineage, &model()).unwrap();
        let records = backend.take();
        let place = |operation: Operation, prefix: &str| {
            let is_it =
                |record: &&lbak_testkit::Record| record.operation == operation && record.name.starts_with(prefix);
            let mut places = records.iter().enumerate().filter(|(_, record)| is_it(record)).map(|(place, _)| place);
            let first = places.next().unwrap_or_else(|| panic!("no {operation:?} of {prefix}: {records:#?}"));
            (first, places.next_back().unwrap_or(first))
        };
        let announced = place(Operation::Put, "sessions/").1;
        // The newest fin and the unfinished marks, the snapshots, the index: each read before the next.
        let in_order = ["fin/", "marks/", "snapshots/", "index/"].map(|prefix| place(Operation::List, prefix));
        assert!(announced < in_order[0].0, "{records:#?}");
        assert!(in_order.is_sorted_by(|before, after| before.1 < after.0), "{in_order:?}");
        // And what refers to something comes after it.
        let committed = place(Operation::Put, "snapshots/").0;
        if lineage == LineageKind::Full {
            let (packs, segments) = (place(Operation::Put, "packs/"), place(Operation::Put, "index/"));
            assert!(in_order[3].1 < packs.0 && packs.1 < segments.1 && segments.1 < committed, "{records:#?}");
        }
    }
}

/// A proxy had cut packs at 2,097,152 bytes and acknowledged them; nobody looked before they were needed.
#[test]
fn what_can_not_be_read_back_is_not_taken_for_stored() {
    let effects = [
        Effect::FlipBit(7),
        Effect::CutShort(1),
        Effect::FailBefore(BackendErrorKind::NotFound),
        Effect::FailBefore(BackendErrorKind::Unreachable),
    ];
    for folder in ["packs/", "index/"] {
        for effect in effects {
            let memory = Arc::new(MemoryBackend::new());
            drop(init(Arc::clone(&memory) as _));
            let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), []));
            let repository = open(Arc::clone(&faulty) as _);
            faulty.add(Fault::new(Operation::GetRange, effect).on(folder).once());
            let error = take(&repository, "h", LineageKind::Full, &model()).unwrap_err();
            assert!(matches!(error, Error::Store { .. }), "{folder} {effect:?}: {error}");
            assert_eq!(faulty.struck(), 1);
            assert!(open(memory).catalog().unwrap().snapshots.is_empty(), "{folder} {effect:?}");
        }
    }
}

/// What a store does not list is not what it does not have, and what it refuses it does not keep.
#[test]
fn what_fails_for_good_stops_a_writer_and_nothing_is_committed() {
    let lists =
        ["fin/", "marks/", "damaged/", "forgotten/", "snapshots/", "index/"].map(|prefix| (Operation::List, prefix));
    let puts = ["sessions/", "packs/", "index/", "snapshots/"].map(|prefix| (Operation::Put, prefix));
    for (operation, prefix) in lists.into_iter().chain(puts) {
        let memory = Arc::new(MemoryBackend::new());
        drop(init(Arc::clone(&memory) as _));
        let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), []));
        let repository = open(Arc::clone(&faulty) as _);
        faulty.add(Fault::new(operation, Effect::FailBefore(BackendErrorKind::Denied)).on(prefix));
        let error = take(&repository, "h", LineageKind::Full, &model()).unwrap_err();
        assert!(matches!(error, Error::Store { .. }), "{operation:?} {prefix}: {error}");
        assert!(open(memory).catalog().unwrap().snapshots.is_empty(), "{operation:?} {prefix}");
    }
}
