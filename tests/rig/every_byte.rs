//! A flip of any byte, a cut at any length, a swap of any two objects: found, and never restored silently.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use lbak::{
    Error, LineageKind, MemoryBackend, ObjectName, PackId, ParityOptions, Repository, SnapshotId, Timestamp,
    VerifyOptions, VerifyReport, add_parity,
    codec::Kind,
    id::ObjectHash,
    snapshot::{AsideRecord, DamagedRecord, FinRecord, ForgottenRecord, MarkRecord, ReadingRecord, RemovalsRecord},
    verify_without_key,
};

use crate::support::{
    Model, Outcome, Random, credentials, filled, init, is_long, open_with, restore_and_compare, seed, take, verify_all,
};

/// What is tried on, and what its snapshots must restore to.
struct Stored {
    contents: BTreeMap<String, Bytes>,
    models: BTreeMap<SnapshotId, Model>,
}

/// Three snapshots of two hosts, a fourth that is forgotten, and an object of every kind.
fn stored() -> Stored {
    let backend = Arc::new(MemoryBackend::new());
    let repository = init(Arc::clone(&backend) as _);
    let mut model = Model::of(&[("a", 1, 3000), ("d/b", 2, 10), ("d/c", 3, 0), ("d/e/f", 4, 700)]);
    let mut models = BTreeMap::new();
    let first = take(&repository, "one", LineageKind::Incremental, &model).unwrap();
    models.insert(first.snapshot, model.clone());
    model.0.insert("d/new".into(), crate::support::Version { seed: 9, length: 500, at: 1 });
    let second = take(&repository, "one", LineageKind::Differential, &model).unwrap();
    models.insert(second.snapshot, model.clone());
    let third = take(&repository, "other", LineageKind::Full, &model).unwrap();
    models.insert(third.snapshot, model.clone());
    let forgotten = take(&repository, "other", LineageKind::Incremental, &model).unwrap();

    let at = Timestamp::default();
    let text = || "test".to_owned();
    let put = |name: &ObjectName, kind, plain: Vec<u8>| {
        let sealed = repository.codec().seal_object(name, kind, lbak_testkit::objects::session_id(7), &plain).unwrap();
        repository.backend().put(name, &sealed).unwrap();
        ObjectHash(*blake3::hash(sealed.as_bytes()).as_bytes())
    };
    let record = ForgottenRecord { by: text(), reason: text(), at };
    put(&ObjectName::Forgotten(forgotten.session), Kind::Forgotten, record.encode().unwrap());
    let record = DamagedRecord { by: text(), what: text(), at };
    put(&ObjectName::Damaged(PackId([5; 32])), Kind::Damaged, record.encode().unwrap());
    let record = RemovalsRecord { packs: vec![], segments: vec![], merged: vec![] };
    let removals = put(&ObjectName::Removals(0), Kind::Removals, record.encode().unwrap());
    let live = vec![first.session];
    let fin = FinRecord { merged: vec![], replaced: vec![], live, buried: vec![], removals, previous: None };
    put(&ObjectName::Fin(0), Kind::Fin, fin.encode().unwrap());
    put(&ObjectName::Mark(1), Kind::Mark, MarkRecord { condemned: vec![] }.encode().unwrap());
    put(&ObjectName::Reading(0), Kind::Reading, ReadingRecord { by: text(), at, packs: vec![] }.encode().unwrap());
    put(&ObjectName::Aside(0), Kind::Aside, AsideRecord { by: text(), at, objects: vec![] }.encode().unwrap());
    // Enough for every pack that is damaged alone.
    add_parity(&repository, &ParityOptions { percent: 100, ..ParityOptions::default() }).unwrap();
    let stored = Stored { contents: backend.contents(), models };
    let untouched = stored.try_out(&stored.contents, &[], "untouched");
    assert_eq!(untouched, (0, stored.models.len() as u64));
    stored
}

fn pack_of(object: &str) -> Option<PackId> {
    match ObjectName::parse(object) {
        Some(ObjectName::Pack(pack)) => Some(pack),
        _ => None,
    }
}

impl Stored {
    /// Opens the spoilt store with whatever still opens it; nothing but all keys at once may cost that.
    fn open(&self, backend: &Arc<MemoryBackend>, what: &str) -> Repository {
        let mut refused = Vec::new();
        for credential in credentials() {
            match open_with(Arc::clone(backend) as _, credential) {
                Ok(repository) => return repository,
                Err(error) => refused.push(error),
            }
        }
        panic!("{what}: no key opens it: {refused:?}");
    }

    /// Looks at a spoilt store in every way: the objects are found with and without a key, and nothing wrong is restored.
    /// Returns how many snapshots restored completely, and how many said what they lack.
    fn try_out(&self, contents: &BTreeMap<String, Bytes>, spoilt: &[&str], what: &str) -> (u64, u64) {
        let backend = filled(contents);
        let keyless = verify_without_key(&*backend, &VerifyOptions::default()).unwrap();
        let named: Vec<&str> = keyless.damage.iter().map(|damage| damage.object.as_str()).collect();
        assert_eq!(named, spoilt, "{what}: without a key");
        let repository = self.open(&backend, what);
        let found = verify_all(&repository);
        for object in spoilt {
            assert!(found.damage.iter().any(|damage| damage.object == *object), "{what}: {:?}", found.damage);
        }
        assert_eq!(found.is_sound(), spoilt.is_empty(), "{what}: {:?}", found.damage);
        let packs: Vec<PackId> = spoilt.iter().filter_map(|object| pack_of(object)).collect();
        assert_eq!((&found.healable, &keyless.healable), (&packs, &packs), "{what}: parity heals it");

        let outcomes = self.restore_all(&repository, &found, what);
        let catalog = repository.catalog().unwrap();
        let there = catalog.snapshots.iter().filter(|found| self.models.contains_key(&found.manifest.id)).count();
        assert!(there == self.models.len() || !catalog.damaged.is_empty(), "{what}: a snapshot is gone without a word");
        outcomes
    }

    /// Restores every snapshot that is known. How many said what they lack, each of which `verify` has foretold, and how many restored completely.
    fn restore_all(&self, repository: &Repository, found: &VerifyReport, what: &str) -> (u64, u64) {
        let (mut said, mut identical) = (0, 0);
        for snapshot in repository.catalog().unwrap().snapshots {
            // A forgotten snapshot whose `forgotten/` is spoilt is there again, which is not wrong.
            let Some(model) = self.models.get(&snapshot.manifest.id) else { continue };
            let is_hurt = found.hurt.iter().any(|hurt| hurt.snapshot == snapshot.manifest.id);
            match restore_and_compare(repository, &snapshot.manifest, model, what) {
                Outcome::Identical => identical += 1,
                Outcome::Said => {
                    assert!(is_hurt, "{what}: verify said nothing of {}", snapshot.manifest.id);
                    said += 1;
                }
            }
        }
        (said, identical)
    }

    fn changed(&self, name: &str, bytes: Vec<u8>) -> BTreeMap<String, Bytes> {
        let mut contents = self.contents.clone();
        contents.insert(name.to_owned(), bytes.into());
        contents
    }

    /// Places to try in an object of so many bytes: all of them, or a slice that begins elsewhere for every seed.
    fn places(&self, name: &str, length: usize, share: usize) -> impl Iterator<Item = usize> + use<> {
        let step = if is_long() {
            1
        } else if name.starts_with("packs/") || name.starts_with("parity/") {
            40 * share
        } else {
            share
        };
        let start = Random(seed() ^ length as u64).below(step);
        (0..length).skip(start).step_by(step)
    }
}

#[test]
fn a_flip_of_any_byte_is_found_and_never_restored_silently() {
    let stored = stored();
    let (mut flips, mut said, mut identical, mut bytes_in_all) = (0, 0, 0, 0);
    for (name, bytes) in &stored.contents {
        bytes_in_all += bytes.len();
        for place in stored.places(name, bytes.len(), 4) {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 1 << ((place as u64 ^ seed()) % 8);
            let what = format!("byte {place} of {name}");
            let (lost, whole) = stored.try_out(&stored.changed(name, flipped), &[name], &what);
            (flips, said, identical) = (flips + 1, said + lost, identical + whole);
        }
    }
    println!(
        "every byte: {flips} flips in {} objects ({bytes_in_all} bytes), {flips} found with and without a key; \
         {identical} restores identical, {said} said what they lack, 0 wrong (seed {})",
        stored.contents.len(),
        seed(),
    );
    assert!(flips > 1000, "{flips}");
}

#[test]
fn a_cut_at_any_length_is_found_and_never_restored_silently() {
    let stored = stored();
    let (mut cuts, mut said, mut identical) = (0, 0, 0);
    for (name, bytes) in &stored.contents {
        let ends = [0, bytes.len() - 1];
        for length in stored.places(name, bytes.len(), 16).filter(|length| !ends.contains(length)).chain(ends) {
            let what = format!("{name} cut to {length} bytes");
            let cut = stored.changed(name, bytes[..length].to_vec());
            let (lost, whole) = stored.try_out(&cut, &[name], &what);
            (cuts, said, identical) = (cuts + 1, said + lost, identical + whole);
        }
        // Longer by a byte, and by a copy of itself.
        for more in [vec![0], bytes.to_vec()] {
            let longer = stored.changed(name, [bytes.as_ref(), &more].concat());
            stored.try_out(&longer, &[name], &format!("{name} with {} bytes more", more.len()));
            cuts += 1;
        }
    }
    println!(
        "every length: {cuts} cuts and extensions, {cuts} found with and without a key; {identical} restores identical, {said} said what \
         they lack, 0 wrong (seed {})",
        seed(),
    );
}

#[test]
fn a_swap_of_any_two_objects_is_found_and_never_restored_silently() {
    let stored = stored();
    let names: Vec<&String> = stored.contents.keys().collect();
    let (mut swaps, mut said, mut identical) = (0, 0, 0);
    for (number, one) in names.iter().enumerate() {
        for other in &names[number + 1..] {
            let mut contents = stored.contents.clone();
            contents.insert((*one).clone(), stored.contents[*other].clone());
            contents.insert((*other).clone(), stored.contents[*one].clone());
            let what = format!("{one} and {other} swapped");
            let (lost, whole) = stored.try_swapped(&contents, &[one, other], &what);
            (swaps, said, identical) = (swaps + 1, said + lost, identical + whole);
        }
    }
    println!(
        "every swap: {swaps} swaps of two of {} objects, {swaps} found; {identical} restores identical, {said} said what they lack, 0 wrong",
        names.len(),
    );
}

#[test]
fn an_object_that_is_gone_is_found_where_it_is_needed_and_never_missed_silently() {
    let stored = stored();
    let (mut gone, mut said) = (0, 0);
    for name in stored.contents.keys() {
        let mut contents = stored.contents.clone();
        contents.remove(name);
        let repository = stored.open(&filled(&contents), &format!("{name} is gone"));
        let found = verify_all(&repository);
        said += stored.restore_all(&repository, &found, &format!("{name} is gone")).0;
        // Segments can be gone and be rebuilt, or be of no use; packs that something needs are missed.
        if name.starts_with("packs/") {
            assert!(found.damage.iter().any(|damage| damage.object == *name), "{name}: {:?}", found.damage);
        }
        gone += 1;
    }
    println!("every object gone: {gone} tried, {said} restores said what they lack, 0 wrong");
}

impl Stored {
    /// Trailers say nothing of names: without a key, only packs and segments are known to be in the wrong place.
    fn try_swapped(&self, contents: &BTreeMap<String, Bytes>, spoilt: &[&str], what: &str) -> (u64, u64) {
        let backend = filled(contents);
        let repository = self.open(&backend, what);
        let found = verify_all(&repository);
        for object in spoilt {
            assert!(found.damage.iter().any(|damage| damage.object == *object), "{what}: {object}: {:?}", found.damage);
        }
        self.restore_all(&repository, &found, what)
    }
}

#[test]
fn no_single_slot_costs_the_access_that_others_give() {
    let stored = stored();
    let mut tried = 0;
    for (name, bytes) in stored.contents.iter().filter(|(name, _)| name.starts_with("keys/") || *name == "config") {
        for place in stored.places(name, bytes.len(), 8) {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 0x80;
            let backend = filled(&stored.changed(name, flipped));
            let opened = credentials().iter().map(|credential| open_with(Arc::clone(&backend) as _, credential));
            let refused: Vec<Error> = opened.filter_map(Result::err).collect();
            assert!(refused.len() <= usize::from(name != "config"), "byte {place} of {name}: {refused:?}");
            tried += 1;
        }
    }
    println!("keys: {tried} flips in config and slots, every other slot opened the repository");
}
