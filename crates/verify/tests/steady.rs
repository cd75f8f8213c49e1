//! Steady verification: every pack in its turn, and a figure of coverage that is true.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use common::*;
use lbak_core::{
    backend::{Backend, BackendErrorKind, MemoryBackend},
    codec::slot::Credential,
    metadata::Timestamp,
    repository::{Clock, OpenOptions, Repository},
    source::MemoryNode,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation};
use lbak_verify::{Coverage, Share, Steady, VerifyOptions, VerifyReport, repair, verify};

const DAY: i64 = 86_400;

#[derive(Debug)]
struct At(AtomicI64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.0.load(Ordering::Relaxed), nanoseconds: 0 }
    }
}

/// Some ten packs of data and trees, and a clock that stands still.
fn small() -> (Arc<MemoryBackend>, Arc<At>) {
    let backend = Arc::new(MemoryBackend::new());
    fill(&new_repository(Arc::clone(&backend) as _));
    (backend, Arc::new(At(AtomicI64::new(1_000_000 * DAY / 100))))
}

fn fill(repository: &Repository) {
    for number in 0..5_u64 {
        let file = MemoryNode::file(lbak_testkit::objects::noise(number + 100, 300_000));
        take(repository, &format!("h{number}"), MemoryNode::directory([("a", file)]));
    }
}

/// The largest pack, and its length.
fn largest_pack(backend: &MemoryBackend) -> (String, u64) {
    let packs = backend.contents().into_iter().filter(|(name, _)| name.starts_with("packs/"));
    packs.map(|(name, bytes)| (name, bytes.len() as u64)).max_by_key(|(_, length)| *length).unwrap()
}

fn at(backend: Arc<dyn Backend>, clock: &Arc<At>) -> Repository {
    let options = OpenOptions { threads: Some(2), clock: Arc::clone(clock) as _, ..Default::default() };
    Repository::open(backend, &Credential::password("p"), &options).unwrap()
}

fn steadily(repository: &Repository, steady: Steady) -> VerifyReport {
    verify(repository, &VerifyOptions { steady: Some(steady), ..deep(Share::All) }).unwrap()
}

fn covered(report: &VerifyReport) -> Coverage {
    report.coverage.unwrap()
}

#[test]
fn in_small_steps_everything_is_read_once_before_anything_is_read_twice() {
    let (backend, clock) = small();
    let packs = names(&backend, "packs/").len() as u64;
    let largest =
        backend.contents().iter().filter(|(name, _)| name.starts_with("packs/")).map(|(_, b)| b.len() as u64).max();
    let repository = at(Arc::clone(&backend) as _, &clock);
    let step = || Steady { max_bytes: largest, ..Steady::default() };
    let (mut read, mut runs) = (0, 0);
    loop {
        let before = read;
        let report = steadily(&repository, step());
        assert!(report.is_sound() && report.packs_read >= 1);
        read += report.packs_read;
        runs += 1;
        let coverage = covered(&report);
        // What room the last step leaves goes to those that were read first.
        let once = read.min(packs);
        assert_eq!((coverage.packs, coverage.packs_covered, coverage.packs_never), (packs, once, packs - once));
        assert!(before < packs && runs < 50);
        if coverage.packs_never == 0 {
            break;
        }
        clock.0.fetch_add(DAY, Ordering::Relaxed);
    }
    assert!(runs >= 5, "{runs}");
    assert_eq!(names(&backend, "readings/").len(), runs);

    // Of all that were read, the first is the one that is due.
    let oldest =
        covered(&steadily(&repository, Steady { max_time: Some(Duration::ZERO), ..Steady::default() })).oldest.unwrap();
    clock.0.fetch_add(DAY, Ordering::Relaxed);
    let newer = covered(&steadily(&repository, step())).oldest.unwrap();
    assert!(newer >= oldest);
}

#[test]
fn what_was_read_within_the_age_is_not_read_again() {
    let (backend, clock) = small();
    let age = || Steady { max_age: Some(Duration::from_secs(30 * 86_400)), ..Steady::default() };
    let repository = at(Arc::clone(&backend) as _, &clock);
    let first = steadily(&repository, age());
    assert_eq!((first.packs_read, covered(&first).packs_covered), (first.packs, first.packs));
    clock.0.fetch_add(29 * DAY, Ordering::Relaxed);
    let report = steadily(&repository, age());
    assert_eq!((report.packs_read, covered(&report).packs_covered), (0, report.packs));
    assert_eq!(names(&backend, "readings/").len(), 1, "nothing was read, and nothing is remembered");
    // A new pack is due at once, the others when they are 30 days old.
    take(&repository, "new", MemoryNode::directory([("b", MemoryNode::file("new"))]));
    let report = steadily(&repository, age());
    assert_eq!(report.packs_read, 2);
    clock.0.fetch_add(DAY, Ordering::Relaxed);
    let old = covered(&steadily(&repository, Steady { max_time: Some(Duration::ZERO), ..age() }));
    // Two are new; of the others one is read, whatever the limit.
    assert_eq!((old.packs_covered, old.packs_never), (3, 0));
    let report = steadily(&repository, age());
    assert_eq!((report.packs_read, covered(&report).packs_covered), (first.packs - 1, report.packs));
}

#[test]
fn damage_is_told_every_time_until_nobody_needs_it() {
    let (backend, clock) = small();
    let repository = at(Arc::clone(&backend) as _, &clock);
    let age = || Steady { max_age: Some(Duration::from_secs(30 * 86_400)), ..Steady::default() };
    steadily(&repository, age());
    let pack = names(&backend, "packs/").into_iter().max_by_key(|name| backend.contents()[name].len()).unwrap();
    flip(&backend, &pack, 200);
    assert!(steadily(&repository, age()).is_sound(), "it is not due");
    clock.0.fetch_add(31 * DAY, Ordering::Relaxed);
    for _ in 0..3 {
        let report = steadily(&repository, age());
        assert_eq!(damaged(&report), [pack.as_str()]);
        let coverage = covered(&report);
        assert_eq!(coverage.packs - coverage.packs_covered, 1, "a damaged pack is not covered");
    }
    repair::repair_packs(&repository, &repair::RepairOptions::default()).unwrap();
    assert!(!steadily(&repository, age()).is_sound(), "a snapshot needs it still");
    fill(&repository);
    let report = steadily(&repository, age());
    assert!(report.is_sound(), "{:?}", report.damage);
    assert_eq!((covered(&report).packs_covered, report.set_aside.len()), (report.packs - 1, 1));
}

/// A damaged pack is never remembered as read, so it was due first in every turn, and used up what was allowed.
#[test]
fn nothing_waits_for_ever_behind_a_damaged_pack() {
    let (backend, clock) = small();
    let (pack, largest) = largest_pack(&backend);
    flip(&backend, &pack, 200);
    let repository = at(Arc::clone(&backend) as _, &clock);
    // From here on it is the only one that was never read.
    steadily(&repository, Steady::default());
    for step in [
        Steady { max_bytes: Some(largest), ..Steady::default() },
        Steady { max_bytes: Some(0), ..Steady::default() },
        Steady { max_time: Some(Duration::ZERO), ..Steady::default() },
    ] {
        // What is read from here on is newer than this.
        clock.0.fetch_add(DAY, Ordering::Relaxed);
        let begun = clock.0.load(Ordering::Relaxed);
        let packs = names(&backend, "packs/").len() as u64;
        for turn in 1..packs {
            let report = steadily(&repository, step.clone());
            assert_eq!(damaged(&report), [pack.as_str()], "{step:?} {turn}");
            assert!(report.packs_read >= 2, "{step:?} {turn}");
            if step.max_bytes != Some(largest) {
                assert_eq!(report.packs_read, 2, "the damaged one and another: {step:?} {turn}");
            }
        }
        let after = covered(&steadily(&repository, step.clone()));
        assert_eq!((after.packs - after.packs_covered, after.packs_never), (1, 1), "{step:?}");
        assert!(after.oldest.unwrap() >= begun, "every sound pack was read: {step:?}");
    }
}

/// After a repair nobody relies on it, and still it came first.
#[test]
fn what_is_marked_as_damaged_comes_last() {
    let (backend, clock) = small();
    let (pack, largest) = largest_pack(&backend);
    let repository = at(Arc::clone(&backend) as _, &clock);
    flip(&backend, &pack, 200);
    repair::repair_packs(&repository, &repair::RepairOptions::default()).unwrap();
    fill(&repository);
    for step in [
        Steady { max_bytes: Some(largest), ..Steady::default() },
        Steady { max_time: Some(Duration::ZERO), ..Steady::default() },
    ] {
        clock.0.fetch_add(DAY, Ordering::Relaxed);
        let begun = clock.0.load(Ordering::Relaxed);
        for _ in 1..names(&backend, "packs/").len() {
            let report = steadily(&repository, step.clone());
            assert!(report.is_sound() && report.packs_read >= 1, "{step:?}: {:?}", report.damage);
        }
        let after = covered(&steadily(&repository, step.clone()));
        assert_eq!((after.packs - after.packs_covered, after.packs_never), (0, 0), "{step:?}");
        assert!(after.oldest.unwrap() >= begun, "every sound pack was read: {step:?}");
    }
    // When all others were read within the age, it is the only one that is due, and is read within the limit.
    let age = Steady { max_age: Some(Duration::from_secs(30 * 86_400)), ..Steady::default() };
    assert_eq!(steadily(&repository, age).packs_read, 1);
}

#[test]
fn a_damaged_or_future_record_costs_reading_again() {
    let (backend, clock) = small();
    let repository = at(Arc::clone(&backend) as _, &clock);
    let all = Steady::default;
    let first = steadily(&repository, all());
    let record = names(&backend, "readings/").pop().unwrap();
    let age = || Steady { max_age: Some(Duration::from_secs(86_400)), ..Steady::default() };
    spoiled(
        &backend,
        || flip(&backend, &record, 100),
        || {
            let report = steadily(&repository, age());
            assert_eq!(report.packs_read, first.packs);
            assert_eq!(damaged(&report), [record.as_str()], "it is told");
            let report = steadily(&repository, age());
            assert!(report.is_sound() && report.packs_read == 0, "a newer one stands in for it: {:?}", report.damage);
            assert_eq!(report.set_aside.len(), 1);
        },
    );
    // The clock was a year ahead when that was read.
    clock.0.fetch_sub(365 * DAY, Ordering::Relaxed);
    let report = steadily(&repository, age());
    assert_eq!(report.packs_read, first.packs);
    assert!(report.notes.iter().any(|note| note.contains("future")));
    assert_eq!(steadily(&repository, age()).packs_read, 0);
}

#[test]
fn what_can_not_be_remembered_is_said_and_not_counted() {
    let (backend, clock) = small();
    let full = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("readings/");
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), [full]));
    let repository = at(Arc::clone(&faulty) as _, &clock);
    let report = steadily(&repository, Steady::default());
    assert!(report.is_sound() && report.packs_read == report.packs && faulty.struck() > 0);
    assert_eq!((covered(&report).packs_covered, covered(&report).packs_never), (0, report.packs));
    assert!(report.notes.iter().any(|note| note.contains("could not be remembered")), "{:?}", report.notes);
}

#[test]
fn several_may_read_at_once() {
    let (backend, clock) = small();
    std::thread::scope(|threads| {
        for _ in 0..3 {
            let repository = at(Arc::clone(&backend) as _, &clock);
            threads.spawn(move || assert!(steadily(&repository, Steady::default()).is_sound()));
        }
    });
    let records = names(&backend, "readings/").len();
    assert_eq!(records, 3);
    assert!(read_data(&at(Arc::clone(&backend) as _, &clock)).is_sound());
}
