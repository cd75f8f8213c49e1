//! Another tag or description: nothing is lost to a crash, to a collector, or to somebody who does the same at the same time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use lbak::{
    AmendOptions, Backend, Catalog, Changes, Committed, Credential, Error, Folder, InitOptions, Lineage, MemoryBackend,
    MemorySource, NewSlot, ObjectName, OpenOptions, PasswordCost, RestoreOptions, SessionId, SnapshotOptions,
    Timestamp, VerifyOptions, amend,
    codec::Kind,
    id::PackId,
    repository::Repository,
    restore, snapshot,
    snapshot::{ClosedRecord, DamagedRecord, ForgottenRecord, MarkRecord},
    source::MemoryNode,
    store::list_names,
    verify,
};
use lbak_testkit::{CrashingBackend, LastChange, MeddlingBackend, Operation, RecordingBackend, objects::noise};

fn init(backend: &Arc<dyn Backend>) -> Repository {
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    let options = InitOptions { threads: Some(2), ..InitOptions::default() };
    Repository::init(Arc::clone(backend), &[slot], &options).unwrap()
}

fn open(backend: Arc<dyn Backend>) -> Repository {
    let options = OpenOptions { threads: Some(2), ..OpenOptions::default() };
    Repository::open(backend, &Credential::password("p"), &options).unwrap()
}

/// A repository with one snapshot that is tagged `old`.
fn with_snapshot() -> (Arc<MemoryBackend>, Arc<dyn Backend>, Repository) {
    let memory = Arc::new(MemoryBackend::new());
    let backend: Arc<dyn Backend> = Arc::clone(&memory) as _;
    let repository = init(&backend);
    take(&repository, "r");
    (memory, backend, repository)
}

fn take(repository: &Repository, name: &str) {
    let mut stored_apart = MemoryNode::file("attributes");
    stored_apart.attributes = vec![(b"user.a".to_vec(), noise(77, 20_000))];
    let many = (0..600_u16).map(|number| (1 << 20, [&number.to_le_bytes()[..], &[1]].concat()));
    let tree = MemoryNode::directory([
        ("a", MemoryNode::file(noise(1, 300_000))),
        ("attributes", stored_apart),
        ("list", MemoryNode::sparse_file(many)),
        ("sub", MemoryNode::directory([("b", MemoryNode::file("b"))])),
    ]);
    let source = MemorySource::new([(format!("/{name}"), tree)]);
    let options = SnapshotOptions { tags: vec!["old".into()], description: "first".into(), ..Default::default() };
    snapshot(repository, &source, &options).unwrap();
}

fn changes(add: &[&str], remove: &[&str]) -> Changes {
    let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    Changes { add_tags: owned(add), remove_tags: owned(remove), ..Changes::default() }
}

fn options(changes: Changes) -> AmendOptions {
    AmendOptions { changes, user: "me".into(), ..AmendOptions::default() }
}

fn only(repository: &Repository) -> Committed {
    let catalog: Catalog = repository.catalog().unwrap();
    assert_eq!(catalog.damaged.len(), 0);
    let [snapshot] = &catalog.snapshots[..] else { panic!("not exactly one: {:?}", catalog.snapshots) };
    snapshot.clone()
}

fn tags(snapshot: &Committed) -> Vec<&str> {
    snapshot.manifest.tags.iter().map(String::as_str).collect()
}

fn assert_sound_and_restores(repository: &Repository) {
    let report = verify(repository, &VerifyOptions::default()).unwrap();
    assert!(report.is_sound(), "{:?}", report.damage);
    assert_eq!(report.snapshots, 1);
    let out = tempfile::tempdir().unwrap();
    let options = RestoreOptions { sync: false, ..RestoreOptions::default() };
    let report = restore(repository, &only(repository).manifest, &out.path().join("out"), &options).unwrap();
    assert_eq!(report.lost, 0);
    assert_eq!(std::fs::read(out.path().join("out/a")).unwrap(), noise(1, 300_000));
}

fn names(backend: &dyn Backend, folder: Folder) -> Vec<ObjectName> {
    list_names(backend, folder.prefix()).unwrap().into_iter().map(|(name, _)| name).collect()
}

fn packs(backend: &dyn Backend, kind: Kind) -> Vec<PackId> {
    let is_of_kind = |name: &ObjectName| backend.get(name).unwrap()[4] == kind as u8;
    let id = |name| if let ObjectName::Pack(id) = name { Some(id) } else { None };
    names(backend, Folder::Packs).into_iter().filter(is_of_kind).filter_map(id).collect()
}

/// Puts a record of reclaiming, as a collector would.
fn put(repository: &Repository, name: &ObjectName, kind: Kind, plain: &[u8]) {
    let sealed = repository.codec().seal_object(name, kind, SessionId([9; 16]), plain).unwrap();
    repository.backend().put(name, &sealed).unwrap();
}

fn condemn(repository: &Repository, condemned: Vec<PackId>) {
    put(repository, &ObjectName::Mark(0), Kind::Mark, &MarkRecord { condemned }.encode().unwrap());
}

fn meddled(inner: &Arc<dyn Backend>, meddle: impl FnOnce(SessionId) + Send + 'static) -> Repository {
    let backend = MeddlingBackend::new(Arc::clone(inner));
    backend.before_commit(|_, session| meddle(session));
    open(Arc::new(backend))
}

/// A collector closes the session.
fn close(repository: &Repository, session: SessionId) {
    let name = ObjectName::Snapshot(session);
    let record = ClosedRecord { by: "test".into(), reason: "test".into(), at: Timestamp::default() };
    let sealed = repository.codec().seal_object(&name, Kind::Closed, session, &record.encode().unwrap()).unwrap();
    repository.backend().put(&name, &sealed).unwrap();
}

#[test]
fn tags_and_description_change_and_nothing_else() {
    let (_, backend, repository) = with_snapshot();
    let before = only(&repository);
    let all = Changes { description: Some("second".into()), ..changes(&["new", "also"], &["old", "never"]) };
    let report = amend(&repository, &before, &options(all)).unwrap();
    assert!(report.is_changed);
    assert_eq!((report.before.tags, report.before.description.as_str()), (vec!["old".to_owned()], "first"));
    assert_eq!(report.forgotten, [before.session]);

    let after = only(&repository);
    assert_eq!((tags(&after), after.manifest.description.as_str()), (vec!["also", "new"], "second"));
    assert_eq!((after.manifest.origin, report.snapshot.session), (Some(before.session), after.session));
    let mut as_before = after.manifest.clone();
    as_before.tags.clone_from(&before.manifest.tags);
    as_before.description.clone_from(&before.manifest.description);
    (as_before.origin, as_before.heads) = (None, Vec::new());
    assert_eq!(as_before, before.manifest, "id, content, times, lineage and sizes are what they were");
    assert_eq!(after.manifest.heads, [before.head]);
    assert_eq!(names(&*backend, Folder::Forgotten), [ObjectName::Forgotten(before.session)]);
    assert_sound_and_restores(&repository);

    let again = amend(&repository, &before, &options(changes(&["more"], &[]))).unwrap();
    assert_eq!(tags(&again.snapshot), ["also", "more", "new"], "an old version in hand is no reason to undo");
    let set = Changes { set_tags: Some(vec!["b".into(), "a".into(), "b".into()]), ..Changes::default() };
    assert_eq!(tags(&amend(&repository, &after, &options(set)).unwrap().snapshot), ["a", "b"]);
    assert_sound_and_restores(&repository);
}

#[test]
fn what_is_so_already_writes_nothing() {
    let (memory, _, repository) = with_snapshot();
    let objects = memory.contents().len();
    let report = amend(&repository, &only(&repository), &options(changes(&["old"], &["other"]))).unwrap();
    assert!(!report.is_changed && report.forgotten.is_empty());
    let dry = AmendOptions { dry_run: true, ..options(changes(&["new"], &["old"])) };
    let report = amend(&repository, &only(&repository), &dry).unwrap();
    assert!(report.is_changed && report.forgotten.is_empty());
    assert_eq!((tags(&report.snapshot), tags(&only(&repository))), (vec!["new"], vec!["old"]));
    assert_eq!(memory.contents().len(), objects);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let (memory, _, repository) = with_snapshot();
    let (objects, snapshot) = (memory.contents().len(), only(&repository));
    for wrong in [changes(&[""], &[]), changes(&["a"], &["a"])] {
        let error = amend(&repository, &snapshot, &options(wrong)).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    assert_eq!(memory.contents().len(), objects);
}

#[test]
fn the_next_snapshot_is_compared_with_the_changed_one() {
    let (_, _, repository) = with_snapshot();
    let first = amend(&repository, &only(&repository), &options(changes(&["new"], &[]))).unwrap().snapshot;
    take(&repository, "r");
    let catalog = repository.catalog().unwrap();
    let second = catalog.snapshots.iter().find(|found| found.manifest.id != first.manifest.id).unwrap();
    assert_eq!(second.manifest.lineage, Lineage::Incremental { parent: first.manifest.id });
    amend(&repository, &first, &options(changes(&["newer"], &[]))).unwrap();
    let report = verify(&repository, &VerifyOptions::default()).unwrap();
    assert!(report.is_sound(), "{:?}", report.damage);
    assert_eq!(report.snapshots, 2);
}

#[test]
fn stopped_after_any_change_the_snapshot_is_there_once_and_the_next_attempt_finishes() {
    for last in [LastChange::Lost, LastChange::Done] {
        for count in 0.. {
            let (memory, backend, repository) = with_snapshot();
            let old = only(&repository);
            let crashing = Arc::new(CrashingBackend::new(Arc::clone(&backend), count, last));
            let outcome = amend(&open(Arc::clone(&crashing) as _), &old, &options(changes(&["new"], &[])));
            assert!(outcome.is_err() || !crashing.has_crashed());

            let left = only(&repository);
            assert_eq!(left.manifest.id, old.manifest.id);
            assert!([vec!["old"], vec!["new", "old"]].contains(&tags(&left)), "{:?}", tags(&left));
            assert_sound_and_restores(&repository);

            let report = amend(&repository, &old, &options(changes(&["new"], &[]))).unwrap();
            assert_eq!(tags(&report.snapshot), ["new", "old"]);
            assert!(memory.contents().contains_key(&ObjectName::Forgotten(old.session).to_string()));
            assert_eq!(repository.catalog().unwrap().unsettled_versions(old.manifest.id).count(), 0);
            assert_sound_and_restores(&repository);
            if outcome.is_ok() {
                assert_eq!(count, 3, "session, slot, forgotten");
                break;
            }
        }
    }
}

#[test]
fn while_something_is_reclaimed_everything_is_looked_up() {
    let (_, backend, repository) = with_snapshot();
    condemn(&repository, Vec::new());
    let recording = Arc::new(RecordingBackend::new(Arc::clone(&backend)));
    amend(&open(Arc::clone(&recording) as _), &only(&repository), &options(changes(&["new"], &[]))).unwrap();
    assert!(recording.count(Operation::GetRange, "packs/") > 0, "trees are read");
    assert_eq!(tags(&only(&repository)), ["new", "old"]);
    assert_sound_and_restores(&repository);
}

#[test]
fn a_condemned_pack_that_is_needed_is_too_late_and_the_old_version_stays() {
    for kind in [Kind::DataPack, Kind::TreePack] {
        let (_, backend, repository) = with_snapshot();
        let old = only(&repository);
        condemn(&repository, packs(&*backend, kind));
        let error = amend(&repository, &old, &options(changes(&["new"], &[]))).unwrap_err();
        assert!(matches!(error, Error::TooLate { .. }), "{error}");
        assert_eq!((only(&repository).session, names(&*backend, Folder::Forgotten).len()), (old.session, 0));
        let slots = names(&*backend, Folder::Snapshots).len();
        assert_eq!((slots, names(&*backend, Folder::Sessions).len()), (2, 2), "its own session is closed");
        assert_sound_and_restores(&repository);
    }
}

#[test]
fn a_pack_that_is_marked_as_damaged_and_needed_is_too_late() {
    let (_, backend, repository) = with_snapshot();
    for pack in packs(&*backend, Kind::DataPack) {
        let record = DamagedRecord { by: "test".into(), what: "a bit".into(), at: Timestamp::default() };
        put(&repository, &ObjectName::Damaged(pack), Kind::Damaged, &record.encode().unwrap());
    }
    let error = amend(&repository, &only(&repository), &options(changes(&["new"], &[]))).unwrap_err();
    assert!(matches!(error, Error::TooLate { .. }), "{error}");
    assert_eq!(tags(&only(&repository)), ["old"]);
}

#[test]
fn a_closed_session_is_begun_again_and_everything_looked_up() {
    let (_, backend, repository) = with_snapshot();
    let collector = repository.clone();
    let meddling = meddled(&backend, move |session| close(&collector, session));
    amend(&meddling, &only(&repository), &options(changes(&["new"], &[]))).unwrap();
    assert_eq!(names(&*backend, Folder::Sessions).len(), 3);
    assert_eq!(tags(&only(&repository)), ["new", "old"]);

    // And when it took something with it, that is found out, though its mark is gone.
    let (_, backend, repository) = with_snapshot();
    let collector = repository.clone();
    let meddling = meddled(&backend, move |session| {
        close(&collector, session);
        names(&**collector.backend(), Folder::Index).iter().for_each(|name| collector.backend().remove(name).unwrap());
    });
    let error = amend(&meddling, &only(&repository), &options(changes(&["new"], &[]))).unwrap_err();
    assert!(matches!(error, Error::TooLate { .. }), "{error}");
}

#[test]
fn a_snapshot_that_was_forgotten_is_not_brought_back() {
    let (_, _, repository) = with_snapshot();
    let old = only(&repository);
    let record = ForgottenRecord { by: "test".into(), reason: "test".into(), at: Timestamp::default() };
    put(&repository, &ObjectName::Forgotten(old.session), Kind::Forgotten, &record.encode().unwrap());
    let error = amend(&repository, &old, &options(changes(&["new"], &[]))).unwrap_err();
    assert!(matches!(error, Error::NoSnapshot { .. }), "{error}");
    assert!(repository.catalog().unwrap().snapshots.is_empty());
}

#[test]
fn forgetting_the_version_that_counts_forgets_the_snapshot_though_an_older_one_has_no_mark() {
    let (memory, _, repository) = with_snapshot();
    let old = only(&repository);
    let new = amend(&repository, &old, &options(changes(&["new"], &[]))).unwrap().snapshot;
    memory.tamper(&ObjectName::Forgotten(old.session).to_string(), None);
    assert_eq!(only(&repository).session, new.session);
    let record = ForgottenRecord { by: "test".into(), reason: "test".into(), at: Timestamp::default() };
    put(&repository, &ObjectName::Forgotten(new.session), Kind::Forgotten, &record.encode().unwrap());
    let catalog = repository.catalog().unwrap();
    assert_eq!((catalog.snapshots.len(), catalog.forgotten.len(), catalog.replaced.len()), (0, 1, 1));
    assert_eq!(catalog.unsettled_versions(old.manifest.id).count(), 1, "whoever forgets it finds it here");
}

#[test]
fn of_two_changes_at_the_same_time_none_is_lost() {
    // Session ids are random: in some of the rounds the one that comes second has the smaller one.
    for _ in 0..8 {
        let (_, backend, repository) = with_snapshot();
        let (other, old) = (repository.clone(), only(&repository));
        let theirs = old.clone();
        let meddling = meddled(&backend, move |_| {
            let all = Changes { description: Some("theirs".into()), ..changes(&["theirs"], &["old"]) };
            amend(&other, &theirs, &options(all)).unwrap();
        });
        let report = amend(&meddling, &old, &options(changes(&["ours"], &[]))).unwrap();
        let left = only(&repository);
        assert_eq!(report.snapshot.session, left.session);
        assert_eq!((tags(&left), left.manifest.description.as_str()), (vec!["ours", "theirs"], "theirs"));
        assert_eq!(left.manifest.id, old.manifest.id);
        assert_eq!(repository.catalog().unwrap().unsettled_versions(old.manifest.id).count(), 0);
        assert_sound_and_restores(&repository);
    }
}

#[test]
fn two_at_the_same_time_of_which_the_second_dies_leave_one_snapshot() {
    for count in 0..6 {
        let (_, backend, repository) = with_snapshot();
        let (other, old) = (repository.clone(), only(&repository));
        let theirs = old.clone();
        let crashing: Arc<dyn Backend> =
            Arc::new(CrashingBackend::new(Arc::clone(&backend), 1 + count, LastChange::Done));
        let meddling = meddled(&crashing, move |_| {
            amend(&other, &theirs, &options(changes(&["theirs"], &[]))).unwrap();
        });
        let _ = amend(&meddling, &old, &options(changes(&["ours"], &[])));
        let left = only(&repository);
        assert!(tags(&left).contains(&"old") && tags(&left).len() > 1, "{:?}", tags(&left));
        amend(&repository, &old, &options(changes(&["ours"], &[]))).unwrap();
        assert_eq!(tags(&only(&repository)), ["old", "ours", "theirs"], "after {count} changes");
        assert_sound_and_restores(&repository);
    }
}

#[test]
fn what_an_interrupted_change_left_does_not_win_over_a_later_one() {
    // Session ids are random: in some of the rounds the interrupted one is the version that counts.
    for _ in 0..8 {
        let (_, backend, repository) = with_snapshot();
        let (other, old) = (repository.clone(), only(&repository));
        let described = |text: &str| Changes { description: Some(text.to_owned()), ..changes(&[text], &[]) };
        let (theirs, finished) = (old.clone(), described("finished"));
        let crashing: Arc<dyn Backend> = Arc::new(CrashingBackend::new(Arc::clone(&backend), 1, LastChange::Done));
        let meddling = meddled(&crashing, move |_| {
            amend(&other, &theirs, &options(finished)).unwrap();
        });
        amend(&meddling, &old, &options(described("interrupted"))).unwrap_err();
        let versions = names(&*backend, Folder::Snapshots).len();
        assert_eq!((versions, repository.catalog().unwrap().unsettled_versions(old.manifest.id).count()), (3, 1));

        let report = amend(&repository, &old, &options(described("later"))).unwrap();
        let left = only(&repository);
        assert_eq!((report.is_changed, report.snapshot.session), (true, left.session));
        assert_eq!(left.manifest.description, "later");
        assert_eq!(tags(&left), ["finished", "interrupted", "later", "old"], "what both said is kept");
        assert_eq!(repository.catalog().unwrap().unsettled_versions(old.manifest.id).count(), 0);
        assert_sound_and_restores(&repository);
    }
}

#[test]
fn it_costs_three_objects_and_reads_no_pack() {
    let (_, backend, repository) = with_snapshot();
    let recording = Arc::new(RecordingBackend::new(Arc::clone(&backend)));
    let opened = open(Arc::clone(&recording) as _);
    amend(&opened, &only(&repository), &options(changes(&["new"], &[]))).unwrap();
    let packs: usize =
        [Operation::Get, Operation::GetRange].iter().map(|operation| recording.count(*operation, "packs/")).sum();
    assert_eq!((packs, recording.count(Operation::Put, "")), (0, 3), "session, slot, forgotten");
}
