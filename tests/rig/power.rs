//! The power fails at every change of a snapshot and of a repair, what was under way is lost, kept or torn, and the power fails again
//! while the next run recovers.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use lbak::{
    Backend, LineageKind, MemoryBackend, ParityOptions, RepairOptions, Repository, Result, SnapshotId, add_parity,
    repair_index, repair_packs, repair_snapshots,
};
use lbak_testkit::{Fate, PowerCutBackend, Unacknowledged};

use crate::support::{
    Model, Outcome, Random, Version, filled, init, is_long, open, restore_and_compare, seed, take, verify_all,
};

/// What is stored before the power fails, and what it restores to.
pub(crate) struct Before {
    contents: BTreeMap<String, Bytes>,
    pub(crate) models: Vec<(SnapshotId, Model)>,
    /// What is to be backed up next.
    next: Model,
}

impl Before {
    fn new() -> Self {
        let backend = Arc::new(MemoryBackend::new());
        let before = Self::in_store(Arc::clone(&backend) as _);
        Self { contents: backend.contents(), ..before }
    }

    /// Takes the first snapshot into this store.
    pub(crate) fn in_store(backend: Arc<dyn Backend>) -> Self {
        let model = first();
        let taken = take(&init(backend), "h", LineageKind::Incremental, &model).unwrap();
        Self { contents: BTreeMap::new(), models: vec![(taken.snapshot, model)], next: next() }
    }

    /// Everything that was there is unharmed, and the next snapshot succeeds and restores.
    pub(crate) fn check_and_go_on(&self, disk: Arc<dyn Backend>, torn: &[String], what: &str) {
        let repository = open(disk);
        self.check(&repository, torn, what);
        take(&repository, "h", LineageKind::Incremental, &self.next).unwrap_or_else(|error| panic!("{what}: {error}"));
        let all = self.check(&repository, torn, what);
        assert!(all > self.models.len(), "{what}: the new snapshot is there");
    }

    /// Every snapshot restores; `verify` names nothing but what the disk tore.
    pub(crate) fn check(&self, repository: &Repository, torn: &[String], what: &str) -> usize {
        let found = verify_all(repository);
        for damage in &found.damage {
            assert!(torn.contains(&damage.object), "{what}: {damage:?}, torn was {torn:?}");
        }
        assert!(found.hurt.is_empty(), "{what}: {:?}", found.hurt);
        let snapshots = repository.catalog().unwrap().snapshots;
        for (id, _) in &self.models {
            assert!(snapshots.iter().any(|found| found.manifest.id == *id), "{what}: {id} is gone");
        }
        for found in &snapshots {
            let known = self.models.iter().find(|(id, _)| *id == found.manifest.id);
            let model = known.map_or(&self.next, |(_, model)| model);
            let outcome = restore_and_compare(repository, &found.manifest, model, what);
            assert_eq!(outcome, Outcome::Identical, "{what}");
        }
        snapshots.len()
    }
}

fn first() -> Model {
    Model::of(&[("a", 1, 700_000), ("b", 2, 900_000), ("d/c", 3, 5_000), ("d/e", 4, 20)])
}

/// What is backed up after that.
pub(crate) fn next() -> Model {
    let mut model = first();
    for (path, seed, length) in [("d/new", 5, 1_500_000), ("d/c", 6, 6_000), ("other", 7, 1_200_000)] {
        model.0.insert(path.into(), Version { seed, length, at: 5 });
    }
    model
}

/// What may have become of the changes under way: each alone lost, kept and torn at some of its bytes (at all, in the long
/// form, while it is small), and some mixtures.
fn fates(under_way: &[Unacknowledged], random: &mut Random) -> Vec<Vec<Fate>> {
    let all = |fate: Fate| vec![fate; under_way.len()];
    let mut fates = vec![all(Fate::Lost), all(Fate::Kept)];
    if under_way.is_empty() {
        return vec![Vec::new()];
    }
    for (number, change) in under_way.iter().enumerate() {
        let length = change.object.as_ref().map_or(0, Bytes::len);
        let mut lengths: Vec<usize> = match (is_long(), length) {
            (true, 0..4096) => (0..length).collect(),
            (true, _) => (0..64).map(|_| random.below(length)).chain([0, 1, 79, 80, length - 1]).collect(),
            (false, _) => vec![0, random.below(length), length.saturating_sub(1)],
        };
        lengths.dedup();
        for length in lengths {
            let mut torn = all(if random.next() & 1 == 0 { Fate::Lost } else { Fate::Kept });
            torn[number] = Fate::Torn(length);
            fates.push(torn);
        }
    }
    if under_way.len() > 1 {
        for _ in 0..4 {
            fates.push(under_way.iter().map(|_| [Fate::Lost, Fate::Kept][random.below(2)]).collect());
        }
    }
    fates
}

/// The disk with one answer, and what is torn on it.
fn disk(power: &PowerCutBackend, fates: &[Fate]) -> (Arc<MemoryBackend>, Vec<String>) {
    let (mut number, mut torn) = (0, Vec::new());
    let disk = power.disk(|change| {
        let fate = fates[number];
        number += 1;
        if matches!(fate, Fate::Torn(_)) {
            torn.push(change.name.clone());
        }
        fate
    });
    (Arc::new(disk), torn)
}

/// What is done with a store that lost its power: the store, the snapshots that were committed before, and what to call it.
type Recovery<'a> = &'a dyn Fn(&Arc<MemoryBackend>, &[String], &str);

/// Cuts the power at every change of `work`, and at some changes of what recovers from it. Returns the number of states.
fn cut_everywhere(
    before: &Before,
    name: &str,
    work: &dyn Fn(&Repository) -> Result<()>,
    recover: Recovery<'_>,
) -> (u64, u64) {
    let mut random = Random(seed());
    let (mut states, mut states_again) = (0, 0);
    for changes in 0.. {
        let power = Arc::new(PowerCutBackend::new(before.contents.clone(), changes));
        let repository = open(Arc::clone(&power) as _);
        let outcome = work(&repository);
        assert!(outcome.is_err() || power.unacknowledged().is_empty(), "{name}: done, and something is under way");
        if !power.has_failed() {
            outcome.unwrap();
            assert!(changes >= 2, "{name}: {changes} changes");
            break;
        }
        let under_way = power.unacknowledged();
        for fates in fates(&under_way, &mut random) {
            let what = format!("{name}: power cut at change {changes}, {fates:?}");
            let (after, torn) = disk(&power, &fates);
            states += 1;
            // Again during the recovery, at a change of its own.
            let again = Arc::new(PowerCutBackend::new(after.contents(), random.next() % 6));
            let _ = work(&open(Arc::clone(&again) as _));
            if again.has_failed() {
                let answer = if random.next() & 1 == 0 { Fate::Lost } else { Fate::Kept };
                recover(&Arc::new(again.disk(|_| answer)), &torn, &format!("{what}, and again"));
                states_again += 1;
            }
            recover(&after, &torn, &what);
        }
    }
    (states, states_again)
}

#[test]
fn a_power_cut_at_any_change_of_a_snapshot_harms_nothing_and_the_next_run_goes_on() {
    let before = Before::new();
    let work = |repository: &Repository| take(repository, "h", LineageKind::Incremental, &before.next).map(drop);
    let recover = |disk: &Arc<MemoryBackend>, torn: &[String], what: &str| {
        before.check_and_go_on(Arc::clone(disk) as _, torn, what);
    };
    let (states, again) = cut_everywhere(&before, "snapshot", &work, &recover);
    println!(
        "power cuts in a snapshot: {states} states, {again} more with a second cut during recovery, 0 violations (seed {})",
        seed()
    );
}

#[test]
fn a_power_cut_at_any_change_of_init_leaves_nothing_or_a_repository() {
    let (mut states, mut opened) = (0, 0);
    for changes in 0.. {
        let power = Arc::new(PowerCutBackend::new(BTreeMap::new(), changes));
        let slots = crate::support::credentials().clone().map(|credential| lbak::NewSlot {
            credential,
            cost: lbak::PasswordCost::CHEAPEST,
            label: String::new(),
        });
        let outcome = Repository::init(Arc::clone(&power) as _, &slots, &lbak::InitOptions::default());
        if !power.has_failed() {
            outcome.unwrap();
            break;
        }
        for fate in [Fate::Lost, Fate::Kept] {
            let disk = Arc::new(power.disk(|_| fate));
            states += 1;
            // What opens works; what does not, says so, and holds nothing.
            if let Ok(repository) = crate::support::open_with(Arc::clone(&disk) as _, &slots[0].credential) {
                take(&repository, "h", LineageKind::Incremental, &Model::of(&[("a", 1, 10)])).unwrap();
                // A slot carries a copy of the config: it opens the repository although that was not written any more.
                let found = verify_all(&repository);
                assert!(found.damage.iter().all(|damage| damage.object == "config"), "{:?}", found.damage);
                opened += 1;
            }
        }
    }
    println!("power cuts in init: {states} states, {opened} open and work, the others hold nothing");
}

#[test]
fn a_power_cut_at_any_change_of_a_repair_harms_nothing_and_the_next_one_ends_it() {
    let mut before = Before::new();
    let repository = open(filled(&before.contents) as _);
    let second = take(&repository, "h", LineageKind::Incremental, &before.next).unwrap();
    before.models.push((second.snapshot, before.next.clone()));
    // Everything of the index is damaged, and a pack whose bytes the next snapshot has.
    let backend = MemoryBackend::new();
    let lister = Arc::clone(repository.backend());
    lister
        .list("", &mut |name, _| {
            let object = lister.get(&lbak::ObjectName::parse(name).unwrap()).unwrap();
            let mut bytes = object.to_vec();
            if name.starts_with("index/") {
                bytes[90] ^= 1;
            }
            backend.tamper(name, Some(bytes.into()));
            Ok(())
        })
        .unwrap();
    let damaged: Vec<String> = backend.contents().into_keys().filter(|name| name.starts_with("index/")).collect();
    before.contents = backend.contents();
    let repair = |repository: &Repository| -> Result<()> {
        repair_index(repository, &RepairOptions::default())?;
        repair_packs(repository, &RepairOptions::default())?;
        repair_snapshots(repository, &RepairOptions::default()).map(drop)
    };
    let recover = |disk: &Arc<MemoryBackend>, torn: &[String], what: &str| {
        let repository = open(Arc::clone(disk) as _);
        repair(&repository).unwrap_or_else(|error| panic!("{what}: {error}"));
        let repository = open(Arc::clone(disk) as _);
        let may = [torn, &damaged].concat();
        before.check(&repository, &may, what);
    };
    let (states, again) = cut_everywhere(&before, "repair", &repair, &recover);
    println!("power cuts in a repair: {states} states, {again} more with a second cut, 0 violations (seed {})", seed());
}

/// Two snapshots, of which the second is of what is otherwise backed up next.
fn with_second() -> Before {
    let mut before = Before::new();
    let backend = filled(&before.contents);
    let second = take(&open(Arc::clone(&backend) as _), "h", LineageKind::Incremental, &before.next).unwrap();
    before.models.push((second.snapshot, before.next.clone()));
    before.contents = backend.contents();
    before
}

fn parity(percent: u32) -> ParityOptions {
    ParityOptions { percent, read_parity: true, ..ParityOptions::default() }
}

#[test]
fn a_power_cut_at_any_change_of_adding_parity_harms_nothing_and_the_next_run_ends_it() {
    let before = with_second();
    // Twice, so that there is some already.
    let work = |repository: &Repository| -> Result<()> {
        add_parity(repository, &parity(20))?;
        add_parity(repository, &parity(100)).map(drop)
    };
    let recover = |disk: &Arc<MemoryBackend>, _: &[String], what: &str| {
        let repository = open(Arc::clone(disk) as _);
        let report = add_parity(&repository, &parity(100)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(report.damage, [], "{what}: what was torn is replaced");
        before.check(&repository, &[], what);
        for name in disk.contents().into_keys().filter(|name| name.starts_with("packs/")) {
            disk.tamper(&name, None);
            let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
            assert!(report.is_whole() && disk.contents().contains_key(&name), "{what}: {name} is not put back");
        }
        before.check(&repository, &[], what);
    };
    let (states, again) = cut_everywhere(&before, "add-parity", &work, &recover);
    println!(
        "power cuts in adding parity: {states} states, {again} more with a second cut, 0 violations (seed {})",
        seed()
    );
}

#[test]
fn a_power_cut_at_any_change_of_healing_harms_nothing_and_the_next_run_ends_it() {
    let mut before = with_second();
    let backend = filled(&before.contents);
    add_parity(&open(Arc::clone(&backend) as _), &parity(100)).unwrap();
    let mut packs: Vec<(usize, String)> = backend
        .contents()
        .into_iter()
        .filter(|(name, _)| name.starts_with("packs/"))
        .map(|(name, bytes)| (bytes.len(), name))
        .collect();
    packs.sort();
    // Two of data: one is missing, the other has a wrong byte.
    let [.., (_, damaged), (_, missing)] = &packs[..] else { panic!("two packs") };
    let mut bytes = backend.contents()[damaged].to_vec();
    bytes[5000] ^= 1;
    backend.tamper(damaged, Some(bytes.into()));
    backend.tamper(missing, None);
    before.contents = backend.contents();
    let work = |repository: &Repository| repair_packs(repository, &RepairOptions::default()).map(drop);
    let recover = |disk: &Arc<MemoryBackend>, torn: &[String], what: &str| {
        let repository = open(Arc::clone(disk) as _);
        let report = repair_packs(&repository, &RepairOptions::default());
        let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(report.is_whole(), "{what}: {report:?}");
        // What was torn of the first repair's own records and packs is not what this one is about.
        before.check(&repository, torn, what);
    };
    let (states, again) = cut_everywhere(&before, "healing", &work, &recover);
    println!("power cuts in healing: {states} states, {again} more with a second cut, 0 violations (seed {})", seed());
}
