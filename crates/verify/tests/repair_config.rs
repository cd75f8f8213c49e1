//! `config` is written anew from the copy in the key slot, and what was damaged of it is kept; stopped at any change, and again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use common::*;
use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend, ObjectName},
    error::Error,
    repository::{Repository, StoredObject},
    snapshot::{AsideObject, REPLACED_CONFIG},
    source::MemoryNode,
};
use lbak_testkit::{CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation};
use lbak_verify::VerifyReport;

/// A repository, and the same with a `config` of which a bit is turned over.
fn spoilt() -> (BTreeMap<String, Bytes>, BTreeMap<String, Bytes>) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take(&repository, "h", MemoryNode::directory(small_tree()));
    let sound = backend.contents();
    flip(&backend, "config", 100);
    (sound, backend.contents())
}

fn filled(contents: &BTreeMap<String, Bytes>) -> Arc<MemoryBackend> {
    let backend = Arc::new(MemoryBackend::new());
    contents.iter().for_each(|(name, bytes)| backend.tamper(name, Some(bytes.clone())));
    backend
}

/// What the records say that `config` was, the oldest first.
fn kept(repository: &Repository) -> Vec<AsideObject> {
    let records = repository.objects_like(lbak_core::backend::Folder::Aside, "").unwrap();
    let open = |(name, size): (ObjectName, u64)| match repository.open_stored(&name, size).unwrap() {
        StoredObject::Aside(record) => record.objects,
        other => panic!("{other:?}"),
    };
    records.into_iter().flat_map(open).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// It is as it was, everything else that was there still is, and the damaged bytes are kept once.
fn is_mended(backend: &Arc<MemoryBackend>, sound: &BTreeMap<String, Bytes>, damaged: &Bytes, what: &str) {
    let stored = backend.contents();
    assert!(sound.iter().all(|(name, bytes)| stored.get(name) == Some(bytes)), "{what}");
    let repository = reopen(Arc::clone(backend) as _);
    assert!(repository.damage().is_empty(), "{what}");
    let kept = kept(&repository);
    assert_eq!(kept.len(), 1, "{what}: {kept:?}");
    assert_eq!(kept[0].name, REPLACED_CONFIG, "{what}");
    assert!(kept[0].what.ends_with(&format!("{} in hex: {}", damaged.len(), hex(damaged))), "{what}: {kept:?}");
    let report: VerifyReport = read_data(&repository);
    assert!(report.is_sound() && report.set_aside.is_empty(), "{what}: {:?}", report.damage);
    assert_eq!(report.notes.iter().filter(|note| note.contains("config")).count(), 1, "{what}: {:?}", report.notes);
}

#[test]
fn a_damaged_config_is_kept_before_it_is_replaced() {
    let (sound, spoilt) = spoilt();
    let backend = filled(&spoilt);
    let repository = reopen(Arc::clone(&backend) as _);
    assert_eq!(damaged(&structure(&repository)), ["config"]);
    assert!(repository.mend_config("me").unwrap());
    assert!(!repository.mend_config("me").unwrap());
    is_mended(&backend, &sound, &spoilt["config"], "once");
    // It is told again when it is damaged again, and kept again.
    flip(&backend, "config", 50);
    assert_eq!(damaged(&structure(&repository)), ["config"]);
    assert!(repository.mend_config("me").unwrap());
    assert_eq!(kept(&repository).len(), 2);
    assert!(structure(&repository).is_sound());
    // Of one that is missing nothing is to be kept.
    backend.tamper("config", None);
    assert!(repository.mend_config("me").unwrap());
    assert_eq!(kept(&repository).len(), 2);
}

#[test]
fn of_a_huge_config_the_beginning_is_kept() {
    let (sound, _) = spoilt();
    let backend = filled(&sound);
    let huge = Bytes::from(vec![7; 66 << 20]);
    backend.tamper("config", Some(huge.clone()));
    let repository = reopen(Arc::clone(&backend) as _);
    assert_eq!(repository.damage().len(), 1);
    let report = structure(&repository);
    assert_eq!(damaged(&report), ["config"]);
    assert!(report.bytes_read < 1 << 20);
    take(&repository, "h", MemoryNode::directory(small_tree()));
    assert!(repository.mend_config("me").unwrap());
    is_mended(&backend, &sound, &huge.slice(..4096), "huge");
    assert!(kept(&repository)[0].what.contains("it had 69206016 bytes, the first 4096 in hex"));
}

#[test]
fn what_was_misread_once_is_not_replaced() {
    let (sound, _) = spoilt();
    let faulty = Arc::new(FaultyBackend::new(filled(&sound), []));
    let repository = reopen(Arc::clone(&faulty) as _);
    faulty.add(Fault::new(Operation::Get, Effect::FlipBit(100)).on("config").once());
    assert!(!repository.mend_config("me").unwrap());
    assert_eq!((faulty.struck(), faulty.inner().contents() == sound), (1, true));
}

#[test]
fn stopped_at_any_change_the_next_call_ends_it() {
    let (sound, spoilt) = spoilt();
    let mut stops = 0;
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let what = format!("{last:?} after {changes}");
            let backend = filled(&spoilt);
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&backend), changes, last));
            let outcome = reopen(Arc::clone(&crashing) as _).mend_config("me");
            assert_eq!(outcome.is_err(), crashing.has_crashed(), "{what}");
            // Whatever it left opens, names nothing but `config`, and never lost its bytes.
            let repository = reopen(Arc::clone(&backend) as _);
            let found = structure(&repository);
            assert!(found.damage.iter().all(|damage| damage.object == "config"), "{what}: {:?}", found.damage);
            let is_there = backend.contents().get("config") == Some(&spoilt["config"]);
            assert!(is_there || kept(&repository).len() == 1, "{what}");
            assert_eq!(repository.mend_config("me").unwrap(), !found.is_sound(), "{what}");
            is_mended(&backend, &sound, &spoilt["config"], &what);
            if !crashing.has_crashed() {
                break;
            }
            stops += 1;
        }
    }
    assert_eq!(stops, 6, "put, remove, put");
}

#[test]
fn whatever_fails_a_repair_that_says_it_was_done_was() {
    let (sound, spoilt) = spoilt();
    let mut struck = 0;
    let effects = [
        Effect::FailBefore(BackendErrorKind::Unreachable),
        Effect::FailAfter(BackendErrorKind::Unreachable),
        Effect::FailBefore(BackendErrorKind::Full),
        Effect::Pretend,
        Effect::FlipBit(60),
        Effect::CutShort(5),
    ];
    for operation in [Operation::Put, Operation::Remove, Operation::Get, Operation::GetRange, Operation::List] {
        for effect in effects {
            for skip in 0..6 {
                let what = format!("{operation:?} {effect:?} after {skip}");
                let backend = filled(&spoilt);
                let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
                let repository = reopen(Arc::clone(&faulty) as _);
                faulty.add(Fault::new(operation, effect).after(skip).once());
                let outcome = repository.mend_config("me");
                struck += faulty.struck();
                faulty.heal();
                match outcome {
                    Ok(true) => assert_eq!(backend.contents()["config"], sound["config"], "{what}"),
                    Ok(false) => panic!("{what}: it was damaged"),
                    Err(Error::Store { .. } | Error::Damaged { .. }) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
                repository.mend_config("me").unwrap();
                assert_eq!(backend.contents()["config"], sound["config"], "{what}");
                assert!(structure(&reopen(Arc::clone(&backend) as _)).is_sound(), "{what}");
                assert!(!kept(&repository).is_empty(), "{what}");
            }
        }
    }
    assert!(struck > 40, "{struck}");
}
