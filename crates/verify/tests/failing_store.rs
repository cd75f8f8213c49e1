//! A sound repository in a store that fails: `verify` says that it could not look, and never that something is damaged which it could not see,
//! or that all is well with what it has not read.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, which tell their figures")]

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use common::{parity::*, *};
use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend},
    error::{Error, Result},
    observe::{Event, Observer},
    source::MemoryNode,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation};
use lbak_verify::{Depth, Share, VerifyOptions, VerifyReport, repair::add_parity, verify};

/// An object of every kind, and small.
fn sound_store() -> BTreeMap<String, Bytes> {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    add_packs(&repository, 0..2, 60_000);
    let first = take(&repository, "x", with_attributes());
    let forgotten = take(&repository, "h", MemoryNode::directory([("z", MemoryNode::file("forgotten"))]));
    put_records(&repository, first.session, forgotten.session);
    add_parity(&repository, &with(100)).unwrap();
    assert!(read_data(&repository).is_sound());
    backend.contents()
}

/// Hears what is told before the end.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        if let Event::Finding(finding) = event
            && finding.kind.is_damage()
        {
            self.0.lock().unwrap().push(finding.to_string());
        }
    }
}

/// What came of a verification of which the n-th operation failed, for every n: how many there were, and how many of them it told of.
struct Sweep<'a> {
    store: &'a BTreeMap<String, Bytes>,
    options: VerifyOptions,
    failures: u64,
    told: u64,
}

impl Sweep<'_> {
    fn every(&mut self, operation: Operation, effect: Effect, times: u64, check: Check<'_>) {
        for skip in 0.. {
            let faulty = Arc::new(FaultyBackend::new(filled(self.store), []));
            let repository = reopen(Arc::clone(&faulty) as _);
            faulty.add(Fault { times, ..Fault::new(operation, effect).after(skip) });
            let heard = Arc::new(Heard::default());
            let options = VerifyOptions { observer: Arc::clone(&heard) as _, ..self.options.clone() };
            let outcome = verify(&repository, &options);
            if faulty.struck() == 0 {
                assert!(outcome.unwrap().is_sound());
                return;
            }
            self.failures += 1;
            self.told += u64::from(!outcome.as_ref().is_ok_and(VerifyReport::is_sound));
            let depth = &self.options.depth;
            let what = format!("{depth:?}, {operation:?} {effect:?} {times} times after {skip}");
            check(Outcome { outcome, told: heard.0.lock().unwrap().clone(), is_lasting: times > 1, what });
        }
    }
}

/// What came of one verification.
struct Outcome {
    outcome: Result<VerifyReport>,
    /// Damage that was told while it went on.
    told: Vec<String>,
    /// Whether the store stayed as it was.
    is_lasting: bool,
    /// How to call it.
    what: String,
}

type Check<'a> = &'a dyn Fn(Outcome);

/// A store that does not answer says nothing of what it holds.
fn check_unanswered(Outcome { outcome, told, is_lasting, what }: Outcome) {
    assert!(told.is_empty(), "{what}: {told:?}");
    match outcome {
        Err(Error::Store { ref object, .. }) if !object.is_empty() => {}
        // What could not be read was read again.
        Ok(report) => assert!(report.is_sound() && !is_lasting, "{what}: {:?}", report.damage),
        Err(error) => panic!("{what}: {error}"),
    }
}

/// What it said of an object, or gave of it, is damage of that object, until another look says otherwise.
fn check_wrong(Outcome { outcome, is_lasting, what, .. }: Outcome) {
    match outcome {
        Err(error) => assert!(error.damaged_object().is_some_and(|object| !object.is_empty()), "{what}: {error}"),
        Ok(report) if !report.is_sound() => assert!(report.damage.iter().all(|damage| !damage.object.is_empty())),
        Ok(report) => assert!(!is_lasting, "{what}: called sound, and misread {:?}", report.misread),
    }
}

#[test]
fn whichever_operation_fails_verify_neither_calls_it_sound_nor_damaged() {
    use BackendErrorKind::{Corrupt, Denied, NotFound, Other, Unreachable};
    let store = sound_store();
    for depth in [Depth::Structure, Depth::ReadData { share: Share::All }] {
        let options = VerifyOptions { depth, ..VerifyOptions::default() };
        let mut sweep = Sweep { store: &store, options, failures: 0, told: 0 };
        for times in [1, u64::MAX] {
            for operation in [Operation::Get, Operation::GetRange, Operation::List] {
                for kind in [Unreachable, Denied, Other] {
                    sweep.every(operation, Effect::FailBefore(kind), times, &check_unanswered);
                }
            }
            for operation in [Operation::Get, Operation::GetRange] {
                let said = [NotFound, Corrupt].map(Effect::FailBefore);
                for effect in said.into_iter().chain([Effect::FlipBit(100), Effect::CutShort(1)]) {
                    sweep.every(operation, effect, times, &check_wrong);
                }
            }
        }
        let Sweep { options, failures, told, .. } = sweep;
        println!(
            "verify, {:?}: {failures} failures of the store, {told} of them told; no damage named that was none",
            options.depth
        );
        assert!(failures > 500 && told > 300, "{failures} {told}");
    }
}
