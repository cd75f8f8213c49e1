//! A naive model beside the real thing: random sequences of changes, snapshots of every lineage, crashes, damage, repairs and restores.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use lbak::{Committed, LineageKind, MemoryBackend, RepairOptions, Repository, SnapshotId, repair_index, repair_packs};
use lbak_testkit::{Fate, PowerCutBackend};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::support::{Model, Outcome, Version, init, is_long, open, restore_and_compare, seed, take, verify_all};

/// One step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    /// A file gets other content; a path that was a directory is left alone.
    Write {
        file: usize,
        seed: u64,
        length: usize,
    },
    Remove {
        file: usize,
    },
    Snapshot {
        host: bool,
        lineage: LineageKind,
    },
    /// The power fails at this change of a snapshot.
    Crash {
        changes: u64,
        is_kept: bool,
        lineage: LineageKind,
    },
    /// Every snapshot is restored and compared, and the repository verified.
    Check,
    /// A byte of a pack, or of the index, flips; what can be repaired is, and then the source is backed up again.
    Damage {
        object: usize,
        place: usize,
        is_index: bool,
    },
}

const FILES: [&str; 8] = ["a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "f/a", "g"];

fn lineage() -> impl Strategy<Value = LineageKind> {
    prop_oneof![
        3 => Just(LineageKind::Incremental),
        2 => Just(LineageKind::Differential),
        1 => Just(LineageKind::Full)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![Just(0), 1..50_usize, 1000..40_000_usize, 300_000..1_400_000_usize];
    prop_oneof![
        5 => (0..FILES.len(), 0..6_u64, length).prop_map(|(file, seed, length)| Step::Write { file, seed, length }),
        2 => (0..FILES.len()).prop_map(|file| Step::Remove { file }),
        4 => (any::<bool>(), lineage()).prop_map(|(host, lineage)| Step::Snapshot { host, lineage }),
        2 => (0..7_u64, any::<bool>(), lineage()).prop_map(|(changes, is_kept, lineage)| Step::Crash { changes, is_kept, lineage }),
        1 => Just(Step::Check),
        2 => (any::<usize>(), any::<usize>(), prop::bool::weighted(0.3))
            .prop_map(|(object, place, is_index)| Step::Damage { object, place, is_index }),
    ]
}

/// The real thing and what it should be.
struct World {
    backend: Arc<MemoryBackend>,
    now: Model,
    clock: i64,
    committed: BTreeMap<SnapshotId, Model>,
    /// Snapshots that damage may have hurt for good: then they restore what is left and say what is not.
    may_lack: bool,
    restores: u64,
}

impl World {
    fn new() -> Self {
        let backend = Arc::new(MemoryBackend::new());
        init(Arc::clone(&backend) as _);
        Self { backend, now: Model::default(), clock: 0, committed: BTreeMap::new(), may_lack: false, restores: 0 }
    }

    fn repository(&self) -> Repository {
        open(Arc::clone(&self.backend) as _)
    }

    fn run(&mut self, step: &Step) {
        self.clock += 1;
        match step {
            Step::Write { file, seed, length } => {
                let version = Version { seed: *seed, length: *length, at: self.clock };
                self.now.0.insert(FILES[*file].into(), version);
            }
            Step::Remove { file } => _ = self.now.0.remove(FILES[*file]),
            Step::Snapshot { host, lineage } => self.snapshot(if *host { "one" } else { "other" }, *lineage),
            Step::Crash { changes, is_kept, lineage } => self.crash(*changes, *is_kept, *lineage),
            Step::Check => self.check(),
            Step::Damage { object, place, is_index } => self.damage(*object, *place, *is_index),
        }
    }

    fn snapshot(&mut self, host: &str, lineage: LineageKind) {
        let report = take(&self.repository(), host, lineage, &self.now).unwrap();
        assert!(report.is_complete);
        self.committed.insert(report.snapshot, self.now.clone());
        self.restore(&report.snapshot);
    }

    fn crash(&mut self, changes: u64, is_kept: bool, lineage: LineageKind) {
        let power = Arc::new(PowerCutBackend::new(self.backend.contents(), changes));
        let outcome = take(&open(Arc::clone(&power) as _), "one", lineage, &self.now);
        let fate = if is_kept { Fate::Kept } else { Fate::Lost };
        self.backend = Arc::new(power.disk(|_| fate));
        match outcome {
            Ok(report) => _ = self.committed.insert(report.snapshot, self.now.clone()),
            // It may have been committed, with nobody left to hear it.
            Err(_) => {
                for found in self.found() {
                    self.committed.entry(found.manifest.id).or_insert_with(|| self.now.clone());
                }
            }
        }
    }

    /// Spoils an object and does what `verify` tells one to do.
    fn damage(&mut self, object: usize, place: usize, is_index: bool) {
        let prefix = if is_index { "index/" } else { "packs/" };
        let objects: Vec<(String, Bytes)> =
            self.backend.contents().into_iter().filter(|(name, _)| name.starts_with(prefix)).collect();
        if objects.is_empty() {
            return;
        }
        let (name, bytes) = &objects[object % objects.len()];
        let mut flipped = bytes.to_vec();
        flipped[place % bytes.len()] ^= 4;
        self.backend.tamper(name, Some(flipped.into()));
        let repository = self.repository();
        let found = verify_all(&repository);
        let named = |damage: &lbak::Damage| damage.object == *name;
        assert!(found.damage.iter().chain(&found.set_aside).any(named), "{name}: {:?}", found.damage);
        let may_lack_after = self.may_lack || !is_index;
        self.may_lack = true;
        self.check();
        repair_index(&repository, &RepairOptions::default()).unwrap();
        repair_packs(&self.repository(), &RepairOptions::default()).unwrap();
        // A lost index costs nothing any more.
        self.may_lack = may_lack_after;
        self.check();
        // What was lost of files that are still there is stored anew; the newest restores in any case.
        self.snapshot("one", LineageKind::Incremental);
        self.snapshot("other", LineageKind::Differential);
    }

    fn check(&mut self) {
        let repository = self.repository();
        let found = verify_all(&repository);
        let is_of_index = |damage: &lbak::Damage| damage.object.starts_with("index");
        assert!(self.may_lack || found.damage.iter().all(is_of_index), "{:?}", found.damage);
        // A restore looks into no more of a damaged segment than it needs; `verify` trusts none of it.
        let is_index_whole = !found.damage.iter().any(is_of_index);
        let ids: Vec<SnapshotId> = self.committed.keys().copied().collect();
        assert_eq!(self.found().len(), ids.len(), "every committed snapshot is there, and no other");
        for id in ids {
            let is_hurt = found.hurt.iter().any(|hurt| hurt.snapshot == id);
            let outcome = self.restore_one(&repository, &id);
            assert!(is_hurt || outcome == Outcome::Identical, "{id}: verify said nothing of it");
            assert!(!is_hurt || outcome == Outcome::Said || !is_index_whole, "{id}: it restores: {:?}", found.hurt);
            assert!(self.may_lack || outcome == Outcome::Identical, "{id}");
        }
    }

    fn restore(&mut self, id: &SnapshotId) {
        let repository = self.repository();
        assert_eq!(self.restore_one(&repository, id), Outcome::Identical, "what was just taken restores");
    }

    fn restore_one(&mut self, repository: &Repository, id: &SnapshotId) -> Outcome {
        let found = self.found().into_iter().find(|found| found.manifest.id == *id).unwrap();
        self.restores += 1;
        restore_and_compare(repository, &found.manifest, &self.committed[id], "oracle")
    }

    fn found(&self) -> Vec<Committed> {
        self.repository().catalog().unwrap().snapshots
    }
}

#[test]
fn whatever_happens_each_committed_snapshot_restores_what_the_model_says() {
    let cases = if is_long() { 2000 } else { 24 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let figures = std::cell::Cell::new((0, 0, 0));
    runner
        .run(&prop::collection::vec(step(), 4..14), |steps| {
            let mut world = World::new();
            steps.iter().for_each(|step| world.run(step));
            world.check();
            let (all_steps, snapshots, restores) = figures.get();
            figures.set((all_steps + steps.len(), snapshots + world.committed.len(), restores + world.restores));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (steps, snapshots, restores) = figures.get();
    println!(
        "oracle: {cases} sequences, {steps} steps, {snapshots} snapshots, {restores} restores compared with the model, 0 violations (seed {})",
        seed()
    );
}
