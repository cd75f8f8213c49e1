//! A whole repository behind the seal: whoever has its key has written whatever he likes, and every verb goes over it.
//!
//! Nothing may panic, hang, or take more memory than the limit that the fuzzer is started with; what is restored stays in its folder; and
//! what `verify` calls sound is listed, streamed and restored without a loss. A snapshot that holds far more than it says is named by it, too,
//! whatever else it says.
//!
//! Input: parts, see [`store`].

mod store;

use std::{
    fmt,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{
    amend::{AmendOptions, Changes, amend},
    capture::{SnapshotOptions, snapshot},
    error::Error,
    observe::{Cancellation, Event, Observer},
    repository::Repository,
    snapshot::{Catalog, Committed, Manifest},
    source::{MemoryNode, MemorySource},
    tree::{Entry, NameRule, Node, check_name},
};
use lbak_inspect::{DiffOptions, DiffSide, FindOptions, StatsOptions, diff, find, history, stats};
use lbak_restore::{DumpCheck, DumpOptions, ListOptions, Place, RestoreOptions, dump, list, restore};
use lbak_verify::{
    Depth, Share, VerifyOptions, VerifyReport,
    repair::{ParityOptions, RepairOptions, add_parity, repair_index, repair_packs, repair_records, repair_snapshots},
    verify, verify_without_key,
};

use super::config;

/// Entries after which a walk is stopped: trees may share what is below them without end.
const PATIENCE: u64 = 300;

/// Bytes after which a stream is not taken any further.
const ENOUGH: u64 = 1 << 20;

/// What is restored in earnest has no more entries than this, and no more bytes than [`ENOUGH`].
const FEW: u64 = 40;

/// Snapshots of one input that are looked into.
const SNAPSHOTS: usize = 3;

/// The repository that an input stands for; `None` when it has features that nobody knows.
#[must_use]
pub fn repository_of(input: &[u8]) -> Option<Repository> {
    let (backend, codec) = config::sound_store();
    store::fill(&backend, codec, input);
    config::open(&backend).ok()
}

/// Runs the target.
pub fn repository(input: &[u8]) {
    let Some(repository) = repository_of(input) else { return };
    let Ok(catalog) = repository.catalog() else { return };
    let manifests: Vec<&Manifest> = catalog.snapshots.iter().map(|found| &found.manifest).take(SNAPSHOTS).collect();

    let depth = Depth::ReadData { share: Share::All };
    let options = VerifyOptions { depth, ..VerifyOptions::default() };
    // Whoever has no key reads the same bytes.
    let _ = verify_without_key(&**repository.backend(), &options);
    let verified = Verified(verify(&repository, &options).ok());
    let mut are_few = true;
    for manifest in &manifests {
        are_few &= look_into(&repository, manifest, &verified);
    }
    compare(&repository, &catalog, &manifests);
    change(&repository, catalog.snapshots.first(), are_few);
}

/// What `verify` said; nothing when it came to no end.
struct Verified(Option<VerifyReport>);

impl Verified {
    fn is_sound(&self) -> bool {
        self.0.as_ref().is_some_and(VerifyReport::is_sound)
    }

    /// Panics when a verb met damage that it had not told of.
    fn assert_has_told<T: fmt::Debug>(&self, outcome: &Result<T, Error>) {
        let Some((report, error)) = self.0.as_ref().zip(outcome.as_ref().err()).filter(|(_, error)| error.is_damage())
        else {
            return;
        };
        assert!(!report.is_sound(), "verify called it sound: {error}");
        // That a snapshot holds far more than it says follows from no other damage.
        let snapshot = error.damaged_object().filter(|object| object.starts_with("snapshot "));
        let is_named = |object: &str| report.damage.iter().any(|damage| damage.object == object);
        assert!(snapshot.is_none_or(is_named), "verify has not named it: {error}; {:?}", report.damage);
    }
}

/// Stops what it hears of after so many entries.
struct Stopping {
    entries: AtomicU64,
    cancellation: Cancellation,
}

impl Stopping {
    fn new() -> (Arc<Self>, Cancellation) {
        let cancellation = Cancellation::default();
        (Arc::new(Self { entries: AtomicU64::new(0), cancellation: cancellation.clone() }), cancellation)
    }

    fn count(&self) {
        if self.entries.fetch_add(1, Ordering::Relaxed) == PATIENCE {
            self.cancellation.cancel();
        }
    }
}

impl Observer for Stopping {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Restored { .. } | Event::Finding(_)) {
            self.count();
        }
    }

    fn wants_paths(&self) -> bool {
        true
    }
}

/// Takes so many bytes, and then no more.
struct Enough(u64);

impl Write for Enough {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a walk has seen.
#[derive(Default)]
struct Seen {
    entries: u64,
    bytes: u64,
    has_devices: bool,
}

impl Seen {
    fn take(&mut self, entry: &Entry) -> Result<(), Error> {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        self.has_devices |= matches!(entry.node, Node::BlockDevice { .. } | Node::CharacterDevice { .. });
        if self.entries > PATIENCE { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Quick to restore, and nothing that the machine might answer to.
    fn is_harmless(&self) -> bool {
        self.entries <= FEW && self.bytes <= ENOUGH && !self.has_devices
    }
}

/// Returns whether it has no more entries than anybody has patience for. Others are what the tests of `extent` are about.
fn look_into(repository: &Repository, manifest: &Manifest, verified: &Verified) -> bool {
    let mut seen = Seen::default();
    let listed =
        list(repository, manifest, None, &ListOptions { recursive: true, ..ListOptions::default() }, &mut |found| {
            seen.take(found.entry)
        });
    let is_listed = listed.as_ref().is_ok_and(|report| report.lost == 0);
    assert!(is_listed || listed.is_err() || !verified.is_sound(), "verify called it sound: {listed:?}");
    verified.assert_has_told(&listed);

    let (observer, cancellation) = Stopping::new();
    let are_few = seen.entries <= PATIENCE;
    let check = if are_few { DumpCheck::Index } else { DumpCheck::Nothing };
    let options = DumpOptions { check, observer, cancellation, ..DumpOptions::default() };
    let dumped = dump(repository, manifest, &options, &mut Enough(ENOUGH));
    verified.assert_has_told(&dumped);

    let (observer, cancellation) = Stopping::new();
    let options = RestoreOptions { dry_run: true, observer, cancellation, ..RestoreOptions::default() };
    let nowhere = std::env::temp_dir().join("lbak-fuzz-a-dry-run-makes-nothing");
    verified.assert_has_told(&restore(repository, manifest, &nowhere, &options));
    assert!(!nowhere.exists(), "a dry run has made it");
    if is_listed && seen.is_harmless() {
        restore_in_earnest(repository, manifest, verified);
    }
    are_few
}

fn restore_in_earnest(repository: &Repository, manifest: &Manifest, verified: &Verified) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, place) in [("contents", Place::Contents), ("original", Place::Original)] {
        let (observer, cancellation) = Stopping::new();
        let options = RestoreOptions { place, sync: false, observer, cancellation, ..RestoreOptions::default() };
        let restored = restore(repository, manifest, &folder.path().join(name), &options);
        verified.assert_has_told(&restored);
        if let Ok(report) = restored {
            assert!(report.lost == 0 || !verified.is_sound(), "verify called it sound: {report:?}");
        }
    }
    let names = std::fs::read_dir(folder.path())
        .expect("our folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let strange: Vec<String> = names.filter(|name| name != "contents" && name != "original").collect();
    assert_eq!(strange, Vec::<String>::new(), "it was written beside the target");
}

fn compare(repository: &Repository, catalog: &Catalog, manifests: &[&Manifest]) {
    let (observer, cancellation) = Stopping::new();
    let options = FindOptions { cancellation: cancellation.clone(), ..FindOptions::default() };
    let _ = find(repository, manifests.iter().copied(), &options, &mut |_| {
        observer.count();
        Ok(())
    });
    let _ = history(repository, manifests.iter().copied(), &options, &mut |_| {
        observer.count();
        Ok(())
    });
    if let [one, other, ..] = manifests {
        let side = |manifest| DiffSide { snapshot: manifest, path: None };
        let options = DiffOptions { metadata: true, cancellation, ..DiffOptions::default() };
        let _ = diff(repository, side(one), side(other), &options, &mut |_| {
            observer.count();
            Ok(())
        });
    }
    let ids: Vec<_> = catalog.snapshots.iter().map(|found| found.manifest.id).collect();
    let _ = stats(repository, &ids, &StatsOptions { each: true, ..StatsOptions::default() });
}

/// Whoever writes goes by what is there: the snapshot before, the index, marks.
fn change(repository: &Repository, committed: Option<&Committed>, are_few: bool) {
    let (observer, cancellation) = Stopping::new();
    let depth = Depth::ReadData { share: Share::All };
    let repair = RepairOptions { depth, observer, cancellation, ..RepairOptions::default() };
    let _ = repository.mend_config("fuzz");
    let _ = repair_records(repository, &repair);
    let _ = repair_index(repository, &repair);
    let parity = ParityOptions { percent: 1, cancellation: repair.cancellation.clone(), ..ParityOptions::default() };
    let _ = add_parity(repository, &parity);
    let _ = repair_packs(repository, &repair);
    if are_few {
        let _ = repair_snapshots(repository, &repair);
    }
    let Some(committed) = committed else { return };
    let changes = Changes { description: Some("another".into()), ..Changes::default() };
    let _ = amend(repository, committed, &AmendOptions { changes, ..AmendOptions::default() });

    let manifest = &committed.manifest;
    let Some(Ok(path)) = manifest.paths.first().map(|path| std::str::from_utf8(path)) else { return };
    if check_name(NameRule::AbsolutePath, path.as_bytes()).is_err() {
        return;
    }
    let tree = MemoryNode::directory([("a", MemoryNode::file("b"))]);
    let options =
        SnapshotOptions { host: manifest.host.clone(), user: manifest.user.clone(), ..SnapshotOptions::default() };
    let _ = snapshot(repository, &MemorySource::new([(path, tree)]), &options);
}
