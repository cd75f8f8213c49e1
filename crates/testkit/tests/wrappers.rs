//! The wrappers do what they say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use lbak_core::backend::{Backend, BackendErrorKind, MemoryBackend, ObjectName};
use lbak_testkit::{
    CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation, RecordingBackend,
    objects::{noise, pack, session_id, trailed},
};

fn session(number: u64) -> ObjectName {
    ObjectName::Session(session_id(number))
}

fn put(backend: &dyn Backend, number: u64) -> Result<(), BackendErrorKind> {
    backend.put(&session(number), &trailed(&session(number), b"body")).map_err(|error| error.kind)
}

fn count(backend: &dyn Backend) -> usize {
    let mut count = 0;
    backend
        .list("sessions/", &mut |_, _| {
            count += 1;
            Ok(())
        })
        .unwrap();
    count
}

#[test]
fn a_fault_strikes_when_and_where_it_should() {
    let fault = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("sessions/").after(1).once();
    let backend = FaultyBackend::new(MemoryBackend::new(), [fault]);
    assert_eq!(put(&backend, 1), Ok(()));
    let (name, object) = pack("elsewhere");
    backend.put(&name, &object).unwrap();
    assert_eq!(put(&backend, 2), Err(BackendErrorKind::Full));
    assert_eq!(put(&backend, 2), Ok(()));
    assert_eq!(backend.struck(), 1);
    assert_eq!(count(&backend), 2);
}

#[test]
fn a_lost_acknowledgement_leaves_the_object() {
    let fault = Fault::new(Operation::Put, Effect::FailAfter(BackendErrorKind::Unreachable));
    let backend = FaultyBackend::new(MemoryBackend::new(), [fault]);
    assert_eq!(put(&backend, 1), Err(BackendErrorKind::Unreachable));
    // The store's own answer comes first.
    assert_eq!(put(&backend, 1), Err(BackendErrorKind::AlreadyExists));
    backend.heal();
    assert_eq!(put(&backend, 2), Ok(()));
    assert_eq!(count(backend.inner()), 2);
}

#[test]
fn what_a_store_pretends_to_have_done_was_not_done() {
    let pretend = |operation| Fault::new(operation, Effect::Pretend).once();
    let backend = FaultyBackend::new(MemoryBackend::new(), [pretend(Operation::Put), pretend(Operation::Remove)]);
    assert_eq!((put(&backend, 1), count(&backend)), (Ok(()), 0));
    assert_eq!((put(&backend, 1), count(&backend)), (Ok(()), 1));
    backend.remove(&session(1)).unwrap();
    assert_eq!(count(&backend), 1);
    backend.remove(&session(1)).unwrap();
    assert_eq!((count(&backend), backend.struck()), (0, 2));
}

#[test]
fn reads_and_lists_are_spoiled_without_a_word() {
    let (name, object) = pack(noise(1, 1000));
    let backend = FaultyBackend::new(MemoryBackend::new(), []);
    backend.put(&name, &object).unwrap();
    (0..5).for_each(|number| put(&backend, number).unwrap());

    backend.add(Fault::new(Operation::Get, Effect::FlipBit(1003)));
    let spoiled = backend.get(&name).unwrap();
    let different: Vec<_> = (0..1000).filter(|&at| spoiled[at] != object.as_bytes()[at]).collect();
    assert_eq!(different, [3]);
    assert_eq!((spoiled[3] ^ object.as_bytes()[3]).count_ones(), 1);

    backend.add(Fault::new(Operation::GetRange, Effect::CutShort(7)));
    assert_eq!(backend.get_range(&name, 100, 100).unwrap(), object.as_bytes()[100..193]);
    assert_eq!(backend.get_range(&name, 100, 5).unwrap().len(), 0);

    backend.add(Fault::new(Operation::List, Effect::TruncateList(3)));
    assert_eq!(count(&backend), 3);
    assert_eq!(count(backend.inner()), 5);
}

#[test]
fn after_a_crash_nothing_answers_and_the_rest_is_there() {
    for (last, left) in [(LastChange::Lost, 2), (LastChange::Done, 3)] {
        let backend = CrashingBackend::new(MemoryBackend::new(), 2, last);
        put(&backend, 1).unwrap();
        backend.get(&session(1)).unwrap();
        put(&backend, 2).unwrap();
        assert!(!backend.has_crashed());
        assert_eq!(put(&backend, 3), Err(BackendErrorKind::Unreachable));
        assert!(backend.has_crashed());
        assert_eq!(put(&backend, 4), Err(BackendErrorKind::Unreachable));
        assert_eq!(backend.get(&session(1)).unwrap_err().kind, BackendErrorKind::Unreachable);
        assert!(backend.list("", &mut |_, _| Ok(())).is_err());
        assert!(backend.remove(&session(1)).is_err());
        assert_eq!(count(backend.inner()), left);
    }
}

#[test]
fn everything_is_written_down() {
    let backend = RecordingBackend::new(MemoryBackend::new());
    let (name, object) = pack(noise(1, 1000));
    backend.put(&name, &object).unwrap();
    put(&backend, 1).unwrap();
    put(&backend, 1).unwrap_err();
    backend.get_range(&name, 10, 20).unwrap();
    backend.list("packs/", &mut |_, _| Ok(())).unwrap();
    assert_eq!(backend.count(Operation::Put, ""), 3);
    assert_eq!(backend.count(Operation::Put, "packs/"), 1);
    assert_eq!(backend.bytes(Operation::Put, "packs/"), 1000);
    assert_eq!(backend.bytes(Operation::GetRange, "packs/"), 20);
    assert_eq!(backend.count(Operation::Get, ""), 0);
    let records = backend.take();
    assert_eq!(records[2].error, Some(BackendErrorKind::AlreadyExists));
    assert_eq!((records[3].offset, records[3].bytes), (10, 20));
    assert_eq!((records[4].name.as_str(), records[4].listed), ("packs/", 1));
    assert_eq!(backend.records(), []);
}
