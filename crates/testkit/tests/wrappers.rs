//! The wrappers do what they say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use lbak_core::backend::{
    Backend, BackendError, BackendErrorKind, Description, LocalBackend, MemoryBackend, ObjectName, Sealed,
};
use lbak_testkit::{
    CrashingBackend, Effect, Fate, Fault, FaultyBackend, LastChange, MisreadingBackend, Operation, PowerCutBackend,
    RecordingBackend,
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

/// A store that reads into the buffers of those who ask, and counts how often.
#[derive(Debug, Default)]
struct WithBuffers {
    store: MemoryBackend,
    reads: AtomicUsize,
}

impl Backend for WithBuffers {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.store.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.store.get(name)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.store.get_range(name, offset, length)
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.store.get_range_into(name, offset, buffer)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.store.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.store.remove(name)
    }

    fn describe(&self) -> Description {
        self.store.describe()
    }
}

#[test]
fn a_stores_own_way_to_read_is_used_and_is_hit_too() {
    let (name, object) = pack(noise(1, 1000));
    let faulty = FaultyBackend::new(WithBuffers::default(), []);
    faulty.put(&name, &object).unwrap();
    let mut buffer = [0; 100];
    faulty.get_range_into(&name, 100, &mut buffer).unwrap();
    assert_eq!(buffer, object.as_bytes()[100..200]);
    assert_eq!(faulty.inner().reads.load(Ordering::Relaxed), 1);

    let once = |effect| faulty.add(Fault::new(Operation::GetRange, effect).on("packs/").once());
    once(Effect::FlipBit(103));
    faulty.get_range_into(&name, 100, &mut buffer).unwrap();
    let different: Vec<_> = (0..100).filter(|&at| buffer[at] != object.as_bytes()[100 + at]).collect();
    assert_eq!(different, [3]);
    once(Effect::CutShort(1));
    assert_eq!(faulty.get_range_into(&name, 100, &mut buffer).unwrap_err().kind, BackendErrorKind::Corrupt);
    once(Effect::FailBefore(BackendErrorKind::Denied));
    assert_eq!(faulty.get_range_into(&name, 100, &mut buffer).unwrap_err().kind, BackendErrorKind::Denied);
    faulty.get_range_into(&name, 100, &mut buffer).unwrap();
    assert_eq!((buffer.as_slice(), faulty.struck()), (&object.as_bytes()[100..200], 3));

    let crashing = CrashingBackend::new(WithBuffers::default(), 1, LastChange::Lost);
    crashing.put(&name, &object).unwrap();
    crashing.get_range_into(&name, 100, &mut buffer).unwrap();
    put(&crashing, 1).unwrap_err();
    assert_eq!(crashing.get_range_into(&name, 0, &mut buffer).unwrap_err().kind, BackendErrorKind::Unreachable);
    assert_eq!(crashing.inner().reads.load(Ordering::Relaxed), 1);
}

#[test]
fn parts_of_an_opened_object_are_hit_and_die_with_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = || LocalBackend::create(folder.path().join("store")).unwrap();
    let (name, object) = pack(noise(1, 1000));
    store().put(&name, &object).unwrap();
    let mut buffer = [0; 10];

    let denied = Effect::FailBefore(BackendErrorKind::Denied);
    let faults = [denied, Effect::FlipBit(7), denied].into_iter().zip([0, 2, 3]);
    let faults = faults.map(|(effect, skip)| Fault::new(Operation::GetRange, effect).after(skip).once());
    let faulty = FaultyBackend::new(store(), faults);
    assert_eq!(faulty.open_parts(&name).unwrap_err().kind, BackendErrorKind::Denied, "the first operation");
    let parts = faulty.open_parts(&name).unwrap().expect("files are opened");
    parts.read(500, &mut buffer).unwrap();
    assert_eq!(buffer[7] ^ object.as_bytes()[507], 1 << 7, "the third");
    assert_eq!(parts.read(500, &mut buffer).unwrap_err().kind, BackendErrorKind::Denied, "the fourth");
    parts.read(500, &mut buffer).unwrap();
    assert_eq!(buffer, object.as_bytes()[500..510]);

    let crashing = CrashingBackend::new(store(), 0, LastChange::Lost);
    let parts = crashing.open_parts(&name).unwrap().expect("files are opened");
    parts.read(500, &mut buffer).unwrap();
    put(&crashing, 1).unwrap_err();
    assert_eq!(parts.read(500, &mut buffer).unwrap_err().kind, BackendErrorKind::Unreachable);
    assert_eq!(crashing.open_parts(&name).unwrap_err().kind, BackendErrorKind::Unreachable);
}

#[test]
fn what_was_under_way_when_the_power_failed_is_lost_kept_or_torn_and_nothing_else_is() {
    let held = trailed(&session(0), b"body").as_bytes().clone();
    let store = PowerCutBackend::new(BTreeMap::from([(session(0).to_string(), held)]), 2);
    put(&store, 1).unwrap();
    put(&store, 2).unwrap();
    assert!(!store.has_failed() && store.unacknowledged().is_empty());
    assert_eq!(put(&store, 3), Err(BackendErrorKind::Unreachable));
    assert!(store.has_failed());
    assert_eq!(store.get(&session(1)).unwrap_err().kind, BackendErrorKind::Unreachable);
    assert_eq!(put(&store, 4), Err(BackendErrorKind::Unreachable));

    let under_way = store.unacknowledged();
    assert_eq!(under_way.iter().map(|change| change.name.clone()).collect::<Vec<_>>(), [session(3).to_string()]);
    for (fate, length) in [(Fate::Lost, None), (Fate::Kept, Some(0)), (Fate::Torn(5), Some(5))] {
        let disk = store.disk(|_| fate);
        assert_eq!(count(&disk), 3 + usize::from(length.is_some()), "{fate:?}");
        let whole = under_way[0].object.as_ref().expect("it was put");
        let found = disk.get(&session(3)).ok();
        assert_eq!(found.map(|bytes| bytes.len()), length.map(|length| if length == 0 { whole.len() } else { length }));
    }

    // Of a removal there is no half.
    let store = PowerCutBackend::new(store.disk(|_| Fate::Lost).contents(), 0);
    assert!(store.remove(&session(0)).is_err());
    for (fate, left) in [(Fate::Lost, 3), (Fate::Torn(5), 3), (Fate::Kept, 2)] {
        assert_eq!(count(&store.disk(|_| fate)), left, "{fate:?}");
    }
}

#[test]
fn what_is_read_wrongly_is_read_rightly_once_it_was_forgotten() {
    let (name, object) = pack(noise(1, 1000));
    let (other, another) = pack(noise(2, 1000));
    let store = MisreadingBackend::new(MemoryBackend::new());
    store.put(&name, &object).unwrap();
    store.put(&other, &another).unwrap();
    store.spoil(&name, 300);
    for _ in 0..2 {
        let read = store.get(&name).unwrap();
        let different: Vec<_> = (0..1000).filter(|&at| read[at] != object.as_bytes()[at]).collect();
        assert_eq!(different, [300], "each time");
    }
    let mut buffer = [0; 10];
    store.get_range_into(&name, 295, &mut buffer).unwrap();
    assert_eq!(buffer[5] ^ object.as_bytes()[300], 1);
    assert_eq!(store.get_range(&name, 301, 100).unwrap(), object.as_bytes()[301..401]);
    assert_eq!(store.get(&other).unwrap(), *another.as_bytes());

    store.forget_cached(&other);
    assert_ne!(store.get(&name).unwrap(), *object.as_bytes());
    store.forget_cached(&name);
    assert_eq!(store.get(&name).unwrap(), *object.as_bytes());
    assert_eq!(store.forgotten(), BTreeMap::from([(name.to_string(), 1), (other.to_string(), 1)]));
}
