//! Writers beside collectors, faults and crashes: what section 10 of `docs/format.md` promises, tried.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendError, BackendErrorKind, Description, Folder, MemoryBackend, ObjectName, Sealed},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::{Codec, Kind, slot::Credential},
    error::{Error, Result},
    id::{ObjectHash, PackId, SegmentId, SessionId},
    keys::PasswordCost,
    metadata::Timestamp,
    observe::{Cancellation, Event, Finding, FindingKind, Observer},
    repository::{Clock, InitOptions, NewSlot, OpenOptions, Repository},
    snapshot::{ClosedRecord, DamagedRecord, FinRecord, Lineage, LineageKind, MarkRecord, SourceKind},
    source::{CommandSource, LocalSource, Source, StreamSource},
    store::{WriterOptions, list_names},
};
use lbak_restore::{RestoreOptions, restore};
use lbak_testkit::{
    CrashingBackend, Effect, Fault, FaultyBackend, LastChange, Operation,
    objects::{noise, trailed},
    trees::compare,
};

/// An hour ahead, so that files made just now are settled.
struct LaterClock;

impl Clock for LaterClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::from(std::time::SystemTime::now());
        Timestamp { seconds: now.seconds + 3600, ..now }
    }
}

fn credential() -> Credential {
    Credential::password("p")
}

fn memory() -> (Arc<MemoryBackend>, Arc<dyn Backend>) {
    let memory = Arc::new(MemoryBackend::new());
    (Arc::clone(&memory), memory)
}

fn init(backend: &Arc<dyn Backend>) -> Repository {
    let slot = NewSlot { credential: credential(), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { clock: Arc::new(LaterClock), threads: Some(2), ..InitOptions::default() };
    Repository::init(Arc::clone(backend), &[slot], &options).unwrap()
}

fn open(backend: Arc<dyn Backend>) -> Repository {
    let options = OpenOptions { clock: Arc::new(LaterClock), threads: Some(2), expected: None, cache: None };
    Repository::open(backend, &credential(), &options).unwrap()
}

/// A folder of a few files, made anew for each test.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(tree.path().join("folder")).unwrap();
        for (name, length) in [("empty", 0), ("small", 10), ("middle", 100_000), ("large", 3_000_000)] {
            tree.write(name, length);
        }
        for number in 0..40 {
            std::fs::write(tree.path().join(format!("folder/{number}")), format!("number {number}")).unwrap();
        }
        tree
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn write(&self, name: &str, length: usize) {
        std::fs::write(self.path().join(name), noise(length as u64, length)).unwrap();
    }

    fn snapshot(&self, repository: &Repository, lineage: LineageKind) -> Result<SnapshotReport> {
        let source = LocalSource::new(&[self.path()])?;
        snapshot(repository, &source, &SnapshotOptions { lineage, ..SnapshotOptions::default() })
    }

    /// Restores a snapshot and compares it with the folder.
    fn assert_restores(&self, repository: &Repository, report: &SnapshotReport) {
        assert_restores(repository, report, &self.path());
    }

    /// A copy as it is now, to compare with later.
    fn keep(&self) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let status = std::process::Command::new("cp").arg("-a").arg(self.path()).arg(copy.path()).status();
        assert!(status.unwrap().success());
        copy
    }
}

fn assert_restores(repository: &Repository, report: &SnapshotReport, expected: &Path) {
    let catalog = repository.catalog().unwrap();
    let found = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).unwrap();
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let restored = restore(repository, &found.manifest, &out, &RestoreOptions::default()).unwrap();
    // A damaged index is said, and costs nothing.
    let lost = restored.findings.iter().filter(|finding| finding.kind != FindingKind::DamagedObject);
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&Finding>::new());
    assert_eq!(compare(expected, &out), Vec::<String>::new());
}

fn packs(backend: &dyn Backend) -> Vec<ObjectName> {
    names(backend, Folder::Packs)
}

fn names(backend: &dyn Backend, folder: Folder) -> Vec<ObjectName> {
    list_names(backend, folder.prefix()).unwrap().into_iter().map(|(name, _)| name).collect()
}

fn pack_ids(backend: &dyn Backend) -> Vec<PackId> {
    let id = |name| match name {
        ObjectName::Pack(id) => id,
        other => panic!("{other} among the packs"),
    };
    packs(backend).into_iter().map(id).collect()
}

fn segment_ids(backend: &dyn Backend) -> Vec<SegmentId> {
    let id = |name| match name {
        ObjectName::Segment(id) => id,
        other => panic!("{other} among the segments"),
    };
    names(backend, Folder::Index).into_iter().map(id).collect()
}

/// Puts a record of reclaiming, as a collector would.
fn put(repository: &Repository, name: &ObjectName, kind: Kind, plain: &[u8]) {
    let sealed = repository.codec().seal_object(name, kind, SessionId([9; 16]), plain).unwrap();
    repository.backend().put(name, &sealed).unwrap();
}

fn put_fin(repository: &Repository, round: u64, replaced: Vec<SegmentId>, buried: Vec<SessionId>) {
    let removals = ObjectHash([0; 32]);
    let fin = FinRecord { merged: Vec::new(), replaced, live: Vec::new(), buried, removals, previous: None };
    put(repository, &ObjectName::Fin(round), Kind::Fin, &fin.encode().unwrap());
}

/// Does something to the store just before a slot is written.
struct Meddling {
    inner: Arc<dyn Backend>,
    meddle: Mutex<Option<Meddler>>,
}

type Meddler = Box<dyn FnOnce(&dyn Backend, SessionId) + Send>;

impl std::fmt::Debug for Meddling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddling")
    }
}

impl Backend for Meddling {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        if let ObjectName::Snapshot(session) = name
            && let Some(meddle) = self.meddle.lock().unwrap().take()
        {
            meddle(&*self.inner, *session);
        }
        self.inner.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        self.inner.get(name)
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.inner.get_range(name, offset, length)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        self.inner.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.inner.remove(name)
    }

    fn describe(&self) -> Description {
        self.inner.describe()
    }
}

fn meddled(inner: &Arc<dyn Backend>, meddle: Meddler) -> Repository {
    open(Arc::new(Meddling { inner: Arc::clone(inner), meddle: Mutex::new(Some(meddle)) }))
}

/// A collector closes the session.
fn close(codec: &Codec, backend: &dyn Backend, session: SessionId) {
    let name = ObjectName::Snapshot(session);
    let record = ClosedRecord { by: "test".into(), reason: "test".into(), at: Timestamp::default() };
    let sealed = codec.seal_object(&name, Kind::Closed, session, &record.encode().unwrap()).unwrap();
    backend.put(&name, &sealed).unwrap();
}

#[test]
fn a_closed_session_is_begun_again_and_nothing_is_read_or_stored_twice() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let codec = init(&backend).codec().clone();
    let repository = meddled(&backend, Box::new(move |backend, session| close(&codec, backend, session)));
    let report = tree.snapshot(&repository, LineageKind::Full).unwrap();
    assert_eq!((report.lost_sessions, report.lineage), (1, Lineage::Full));
    assert_eq!(report.files.read_bytes, 0, "all of it was found again");
    let stored = [Folder::Packs, Folder::Index].map(|folder| list_names(&*backend, folder.prefix()).unwrap());
    let stored_bytes: u64 = stored.iter().flatten().map(|(_, size)| size).sum();
    assert_eq!(report.sizes.stored, stored_bytes, "what the lost session stored is counted, and nothing twice");
    assert!(report.sizes.new > 3_000_000);
    let recorded = repository.catalog().unwrap().snapshots.pop().unwrap().manifest.sizes;
    assert_eq!(recorded, report.sizes);
    assert_eq!(names(&*backend, Folder::Sessions).len(), 2);
    tree.assert_restores(&repository, &report);
}

#[test]
fn what_a_collector_took_with_a_closed_session_is_stored_again() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let codec = init(&backend).codec().clone();
    let take_all = move |backend: &dyn Backend, session| {
        close(&codec, backend, session);
        for name in packs(backend).iter().chain(&names(backend, Folder::Index)) {
            backend.remove(name).unwrap();
        }
    };
    let repository = meddled(&backend, Box::new(take_all));
    let report = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert_eq!(report.lost_sessions, 1);
    assert!(report.sizes.new > 3_000_000);
    tree.assert_restores(&repository, &report);
}

/// The tree of what was read lies in sound packs, what it refers to in condemned ones: it is looked up chunk by chunk.
#[test]
fn what_a_closed_session_stored_is_not_taken_over_unseen() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let codec = init(&backend).codec().clone();
    let is_data = |backend: &dyn Backend, pack: &PackId| {
        backend.get_range(&ObjectName::Pack(*pack), 0, 80).unwrap()[4] == Kind::DataPack as u8
    };
    let condemn = move |backend: &dyn Backend, session| {
        close(&codec, backend, session);
        let condemned = pack_ids(backend).into_iter().filter(|pack| is_data(backend, pack)).collect();
        let mark = MarkRecord { condemned }.encode().unwrap();
        let sealed = codec.seal_object(&ObjectName::Mark(0), Kind::Mark, SessionId([9; 16]), &mark).unwrap();
        backend.put(&ObjectName::Mark(0), &sealed).unwrap();
    };
    let repository = meddled(&backend, Box::new(condemn));
    let stored = || pack_ids(&*backend);
    let report = tree.snapshot(&repository, LineageKind::Full).unwrap();
    assert_eq!(report.lost_sessions, 1);
    let mark = repository.codec().open_object(
        &ObjectName::Mark(0),
        &[Kind::Mark],
        None,
        &backend.get(&ObjectName::Mark(0)).unwrap(),
    );
    let condemned = MarkRecord::decode("mark", &mark.unwrap().plain).unwrap().condemned;
    assert!(!condemned.is_empty() && condemned.len() < stored().len());
    for pack in condemned {
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    tree.assert_restores(&repository, &report);
}

/// A stream of some bytes that no other has, and a command that prints them.
fn streams(folder: &Path, seed: u64) -> (Vec<u8>, [Box<dyn Source>; 2]) {
    let bytes = noise(seed, 5_000_000);
    let file = folder.join(seed.to_string());
    std::fs::write(&file, &bytes).unwrap();
    let stream = StreamSource::new("db/dump", std::io::Cursor::new(bytes.clone())).unwrap();
    let command = CommandSource::new("db/dump", [Path::new("cat"), &file]).unwrap();
    (bytes, [Box::new(stream), Box::new(command)])
}

fn restored(repository: &Repository, report: &SnapshotReport) -> Vec<u8> {
    let catalog = repository.catalog().unwrap();
    let found = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).unwrap();
    let out = tempfile::tempdir().unwrap();
    restore(repository, &found.manifest, out.path(), &RestoreOptions::default()).unwrap();
    std::fs::read(out.path().join("dump")).unwrap()
}

#[test]
fn a_stream_whose_session_was_closed_is_committed_without_being_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, sources) = streams(folder.path(), 1);
    for (source, is_command) in sources.iter().zip([false, true]) {
        let (_, backend) = memory();
        let codec = init(&backend).codec().clone();
        let repository = meddled(&backend, Box::new(move |backend, session| close(&codec, backend, session)));
        let report = snapshot(&repository, &**source, &SnapshotOptions::default()).unwrap();
        assert_eq!((report.lost_sessions, report.lineage, report.is_complete), (1, Lineage::Full, true));
        assert_eq!((report.files.read_bytes, report.sizes.logical), (0, 5_000_000));
        assert!(restored(&repository, &report) == bytes);
        let catalog = repository.catalog().unwrap();
        let recorded = matches!(&catalog.snapshots[0].manifest.source, SourceKind::Command { words, status: 0 } if words[0] == b"cat");
        assert_eq!(
            (recorded, catalog.snapshots[0].manifest.paths.as_slice()),
            (is_command, &[b"/db/dump".to_vec()][..])
        );
    }
}

#[test]
fn a_stream_of_which_a_collector_took_a_part_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (_, [stream, command]) = streams(folder.path(), 2);
    for (source, is_removed) in [(stream, false), (command, true)] {
        let (_, backend) = memory();
        let owner = init(&backend);
        let codec = owner.codec().clone();
        let condemn = move |backend: &dyn Backend, session| {
            close(&codec, backend, session);
            let mark = MarkRecord { condemned: pack_ids(backend) }.encode().unwrap();
            let sealed = codec.seal_object(&ObjectName::Mark(0), Kind::Mark, SessionId([9; 16]), &mark).unwrap();
            backend.put(&ObjectName::Mark(0), &sealed).unwrap();
            let gone = if is_removed { [packs(backend), names(backend, Folder::Index)].concat() } else { Vec::new() };
            gone.iter().for_each(|name| backend.remove(name).unwrap());
        };
        let repository = meddled(&backend, Box::new(condemn));
        let error = snapshot(&repository, &*source, &SnapshotOptions::default()).unwrap_err();
        assert!(matches!(&error, Error::ReadOnce { path } if path == "/db/dump"), "{error}");
        assert!(owner.catalog().unwrap().snapshots.is_empty(), "nothing is committed");
    }
}

#[test]
fn a_stream_is_always_read_and_stored_once() {
    let (_, backend) = memory();
    let repository = init(&backend);
    // The same time of last change, and the length that is said before it is read is always 0: nothing but reading tells.
    let at = Timestamp { seconds: 1_700_000_000, nanoseconds: 0 };
    let take = |bytes: &[u8]| {
        let source = StreamSource::new("dump", std::io::Cursor::new(bytes.to_vec())).unwrap();
        let source = source.modified_at(at).allow_empty(true);
        snapshot(&repository, &source, &SnapshotOptions::default()).unwrap()
    };
    let first = take(b"");
    let second = take(&noise(3, 4_000_000));
    assert_eq!(second.lineage, Lineage::Incremental { parent: first.snapshot });
    let third = take(&noise(3, 4_000_000));
    assert_eq!((third.files.read_bytes, third.files.changed, third.files.unchanged), (4_000_000, 1, 0));
    assert_eq!(third.sizes.new, 0);
    let fourth = take(b"");
    assert_eq!((fourth.files.unchanged, fourth.sizes.logical), (0, 0));
}

#[test]
fn a_full_store_ends_the_command_that_would_fill_it() {
    let (_, memory) = memory();
    drop(init(&memory));
    let full = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("packs/").after(2);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [full]));
    let writer = WriterOptions { data_pack_bytes: 1 << 20, uploads: 1, ..WriterOptions::default() };
    let options = SnapshotOptions { writer, ..SnapshotOptions::default() };
    // When it has sent its last byte it waits: only a signal ends it.
    let script = "head -c 60000000 /dev/urandom; sleep 1000";
    let source = CommandSource::new("noise", ["sh", "-c", script]).unwrap();
    let error = snapshot(&open(Arc::clone(&faulty) as _), &source, &options).unwrap_err();
    assert!(matches!(&error, Error::Store { action: "write", .. }), "{error}");
    assert!(open(memory).catalog().unwrap().snapshots.is_empty());
}

#[test]
fn a_slot_that_does_not_open_is_damage_and_never_closed() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    drop(init(&backend));
    let rubbish = |backend: &dyn Backend, session| {
        let name = ObjectName::Snapshot(session);
        backend.put(&name, &trailed(&name, b"rubbish without a signature\0\0")).unwrap();
    };
    let error = tree.snapshot(&meddled(&backend, Box::new(rubbish)), LineageKind::Full).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn condemned_packs_are_not_referred_to_until_the_round_is_over() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    let first = tree.snapshot(&repository, LineageKind::Full).unwrap();
    let condemned = pack_ids(&*backend);
    put(&repository, &ObjectName::Mark(0), Kind::Mark, &MarkRecord { condemned: condemned.clone() }.encode().unwrap());

    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert_eq!(second.lineage, Lineage::Incremental { parent: first.snapshot });
    assert!(second.sizes.new > 3_000_000, "everything is stored anew");
    for pack in condemned {
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    tree.assert_restores(&repository, &second);

    put_fin(&repository, 0, Vec::new(), Vec::new());
    let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert_eq!(third.sizes.new, 0, "a mark is void while its fin stands");
}

#[test]
fn what_a_damaged_pack_held_is_stored_anew() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for pack in pack_ids(&*backend) {
        let record = DamagedRecord { by: "test".into(), what: "a flipped bit".into(), at: Timestamp::default() };
        put(&repository, &ObjectName::Damaged(pack), Kind::Damaged, &record.encode().unwrap());
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000);
    tree.assert_restores(&repository, &second);
}

/// The parent's trees are sound, and nothing in the source has changed: what it refers to is looked up all the same.
#[test]
fn what_a_damaged_pack_of_data_held_is_stored_anew_though_no_file_changed() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    let is_data =
        |pack: &PackId| backend.get_range(&ObjectName::Pack(*pack), 0, 80).unwrap()[4] == Kind::DataPack as u8;
    let damaged: Vec<PackId> = pack_ids(&*backend).into_iter().filter(is_data).collect();
    for pack in &damaged {
        let record = DamagedRecord { by: "test".into(), what: "a flipped bit".into(), at: Timestamp::default() };
        put(&repository, &ObjectName::Damaged(*pack), Kind::Damaged, &record.encode().unwrap());
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000, "{:?}", second.sizes);
    for pack in damaged {
        backend.remove(&ObjectName::Pack(pack)).unwrap();
    }
    tree.assert_restores(&repository, &second);
}

/// A repository whose packs were all gone got a snapshot every night, each with exit code 0, none of which could be restored.
#[test]
fn packs_that_are_found_missing_or_damaged_are_told_and_stored_anew() {
    for case in ["missing", "damaged"] {
        let (tree, (memory, backend)) = (Tree::new(), memory());
        let repository = init(&backend);
        tree.snapshot(&repository, LineageKind::Full).unwrap();
        for pack in pack_ids(&*backend) {
            let name = ObjectName::Pack(pack);
            // What is damaged of data is not seen by a snapshot that reads no data; what is missing is.
            let is_data = backend.get_range(&name, 0, 80).unwrap()[4] == Kind::DataPack as u8;
            if case == "missing" || !is_data {
                let damaged = (case == "damaged").then(|| {
                    let mut bytes = memory.get(&name).unwrap().to_vec();
                    bytes[100] ^= 1;
                    bytes.into()
                });
                memory.tamper(&name.to_string(), damaged);
            }
        }
        let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
        assert!(!second.damage.is_empty(), "{case}");
        assert!(second.finding_counts.iter().any(|count| count.kind == FindingKind::ParentUnread), "{case}");
        tree.assert_restores(&repository, &second);
        let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
        assert_eq!(third.damage, [""; 0], "{case}: the parent is whole again");
        assert_eq!(third.sizes.new, 0, "{case}");
    }
}

#[test]
fn segments_count_as_the_newest_fin_says() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    let first = tree.snapshot(&repository, LineageKind::Full).unwrap();
    let all = segment_ids(&*backend);
    let counted = || repository.view().unwrap().index.segments().len();
    assert_eq!(counted(), all.len());
    put_fin(&repository, 0, all.clone(), Vec::new());
    assert_eq!(counted(), 0, "replaced");
    put_fin(&repository, 1, Vec::new(), vec![first.session]);
    assert_eq!(counted(), 0, "buried");
    put_fin(&repository, 2, Vec::new(), Vec::new());
    assert_eq!(counted(), all.len(), "the newest is the authority");
}

#[test]
fn a_damaged_segment_costs_space_and_never_a_snapshot() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for name in names(&*backend, Folder::Index) {
        let mut damaged = backend.get(&name).unwrap().to_vec();
        damaged[90] ^= 1;
        memory.tamper(&name.to_string(), Some(damaged.into()));
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new > 3_000_000, "nothing that only the damaged segment knows is taken on trust");
    assert_eq!(second.damage.len(), 1);
    tree.assert_restores(&repository, &second);
}

/// The parent's trees open, and what they refer to is named by a damaged segment alone.
#[test]
fn what_only_a_damaged_segment_names_is_not_taken_over_unseen() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    let first = names(&*backend, Folder::Index);
    tree.write("more", 1000);
    tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    for name in first {
        let mut damaged = backend.get(&name).unwrap().to_vec();
        damaged[90] ^= 1;
        memory.tamper(&name.to_string(), Some(damaged.into()));
    }
    let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(third.sizes.new > 3_000_000, "{:?}", third.sizes);
    tree.assert_restores(&repository, &third);
}

#[test]
fn a_parent_tree_that_does_not_open_is_read_again_and_said() {
    let (tree, (memory, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    for (name, bytes) in memory.contents() {
        // The kind of a pack stands in the clear.
        if name.starts_with("packs/") && bytes[4] == Kind::TreePack as u8 {
            let mut damaged = bytes.to_vec();
            damaged[100] ^= 1;
            memory.tamper(&name, Some(damaged.into()));
        }
    }
    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.is_complete);
    let kinds: Vec<FindingKind> = second.finding_counts.iter().map(|count| count.kind).collect();
    assert_eq!(kinds, [FindingKind::ParentUnread]);
    assert_eq!(second.files.unchanged, 0, "everything is read again");
}

/// Cancels as soon as something was stored.
struct Impatient(Cancellation);

impl Observer for Impatient {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Progress(progress) if progress.new_bytes > 1_000_000) {
            self.0.cancel();
        }
    }
}

#[test]
fn an_interrupted_run_commits_nothing_and_the_next_one_uses_what_it_stored() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    for number in 0..20 {
        tree.write(&format!("more-{number}"), 2_000_000 + number);
    }
    let cancellation = Cancellation::default();
    let observer = Arc::new(Impatient(cancellation.clone()));
    let options = SnapshotOptions { observer, cancellation, ..SnapshotOptions::default() };
    let source = LocalSource::new(&[tree.path()]).unwrap();
    let error = snapshot(&repository, &source, &options).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(repository.catalog().unwrap().snapshots.is_empty());

    let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
    assert!(second.sizes.new + 1_000_000 < second.sizes.logical, "{:?}", second.sizes);
    tree.assert_restores(&repository, &second);
}

#[test]
fn what_fitted_into_a_full_store_is_used_when_there_is_room() {
    let (tree, (_, memory)) = (Tree::new(), memory());
    drop(init(&memory));
    for number in 0..20 {
        tree.write(&format!("more-{number}"), 1_000_000 + number);
    }
    let full = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("packs/").after(5);
    let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [full]));
    let writer = WriterOptions { data_pack_bytes: 1 << 20, uploads: 1, ..WriterOptions::default() };
    let options = SnapshotOptions { writer, ..SnapshotOptions::default() };
    let source = LocalSource::new(&[tree.path()]).unwrap();
    let error = snapshot(&open(Arc::clone(&faulty) as _), &source, &options).unwrap_err();
    assert!(matches!(&error, Error::Store { action: "write", .. }), "{error}");

    let second = tree.snapshot(&open(memory), LineageKind::Incremental).unwrap();
    assert!(second.sizes.new + 3_000_000 < second.sizes.logical, "{:?}", second.sizes);
}

/// Every kind of error, before and after the operation was done; and of what changes the store, that it only says that it was done.
fn effects(operation: Operation) -> Vec<Effect> {
    use BackendErrorKind::{Corrupt, Denied, Full, NotFound, Other, Unreachable};
    let kinds = match operation {
        Operation::Put => vec![Full, Denied, Unreachable, Other],
        _ => vec![Denied, Unreachable, Other],
    };
    let mut effects: Vec<Effect> =
        kinds.into_iter().flat_map(|kind| [Effect::FailBefore(kind), Effect::FailAfter(kind)]).collect();
    match operation {
        Operation::Put => effects.push(Effect::Pretend),
        // What is missing or short where something refers to it is damage, and met as such.
        Operation::Get | Operation::GetRange => {
            effects.extend([Effect::FailBefore(NotFound), Effect::FailBefore(Corrupt)]);
        }
        _ => {}
    }
    effects
}

#[test]
fn whichever_operation_fails_nothing_is_lost_and_the_next_run_succeeds() {
    let before = Tree::new();
    for operation in [Operation::Put, Operation::Get, Operation::GetRange, Operation::List] {
        for effect in effects(operation) {
            for skip in 0.. {
                let (tree, (_, memory)) = (before.keep(), memory());
                let first = tree.snapshot(&init(&memory), LineageKind::Full).unwrap();
                tree.write("changing", 50_000 + usize::try_from(skip).unwrap());
                let repository = open(Arc::clone(&memory));

                let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), []));
                let failing = open(Arc::clone(&faulty) as _);
                faulty.add(Fault::new(operation, effect).after(skip).once());
                let outcome = tree.snapshot(&failing, LineageKind::Incremental);
                let is_read = matches!(operation, Operation::Get | Operation::GetRange);
                let committed = repository.catalog().unwrap().snapshots.len();
                match &outcome {
                    // A lost acknowledgement may be survived; what was reported restores.
                    Ok(report) => tree.assert_restores(&repository, report),
                    Err(Error::Store { .. }) => {}
                    // The store said that what it has is not there.
                    Err(error) if error.is_damage() && is_read => {}
                    Err(error) => panic!("{operation:?} {effect:?} {skip}: {error}"),
                }
                assert!(outcome.is_err() || committed == 2, "success means that it is there");
                let third = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
                tree.assert_restores(&repository, &third);
                before.assert_restores(&repository, &first);
                if faulty.struck() == 0 {
                    break;
                }
            }
        }
    }
}

#[test]
fn stopped_after_any_change_it_continues_and_what_was_there_is_unharmed() {
    let before = Tree::new();
    for last in [LastChange::Lost, LastChange::Done] {
        for changes in 0.. {
            let (tree, (_, memory)) = (before.keep(), memory());
            let first = tree.snapshot(&init(&memory), LineageKind::Full).unwrap();
            tree.write("changing", 50_000 + usize::try_from(changes).unwrap());
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&memory), changes, last));
            let outcome = tree.snapshot(&open(Arc::clone(&crashing) as _), LineageKind::Incremental);
            assert!(outcome.is_err() || !crashing.has_crashed());

            let repository = open(memory);
            let second = tree.snapshot(&repository, LineageKind::Incremental).unwrap();
            tree.assert_restores(&repository, &second);
            before.assert_restores(&repository, &first);
            if outcome.is_ok() {
                assert!(changes >= 4, "session, two packs, segment, slot");
                break;
            }
        }
    }
}

#[test]
fn features_of_a_newer_version_are_refused_by_name() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let repository = init(&backend);
    put(&repository, &ObjectName::Feature("c-later".into()), Kind::Feature, b"");
    tree.snapshot(&repository, LineageKind::Full).unwrap();
    put(&repository, &ObjectName::Feature("w-later".into()), Kind::Feature, b"");
    let error = tree.snapshot(&open(Arc::clone(&backend)), LineageKind::Full).unwrap_err();
    assert!(matches!(&error, Error::Newer { needs, .. } if needs == "features/w-later"), "{error}");
    put(&repository, &ObjectName::Feature("r-later".into()), Kind::Feature, b"");
    let error = Repository::open(backend, &credential(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Newer { needs, .. } if needs == "features/r-later"), "{error}");
}
