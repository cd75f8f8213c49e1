//! Repairs beside others who work: rounds that are still removing, sessions that are under way, and stores that err once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;

use common::*;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    codec::{Kind, object_hash},
    error::Error,
    id::{ChunkKind, PackId, SessionId},
    index::{ChunkRow, SegmentBuilder},
    repository::{Repository, StoredObject},
    snapshot::{FinRecord, MarkRecord, RemovalsRecord},
    source::MemoryNode,
    store::chunk_rows,
};
use lbak_testkit::{Effect, Fault, FaultyBackend, MeddlingBackend, Operation};
use lbak_verify::repair::{RepairOptions, repair_index, repair_packs};

fn small() -> (Arc<MemoryBackend>, Repository) {
    let backend = Arc::new(MemoryBackend::new());
    let repository = new_repository(Arc::clone(&backend) as _);
    take(&repository, "h", MemoryNode::directory(small_tree()));
    take(&repository, "x", with_attributes());
    (backend, repository)
}

fn put(repository: &Repository, name: &ObjectName, kind: Kind, plain: Vec<u8>) -> Vec<u8> {
    let sealed = repository.codec().seal_object(name, kind, SessionId([9; 16]), &plain).unwrap();
    repository.backend().put(name, &sealed).unwrap();
    sealed.as_bytes().to_vec()
}

/// Round 0 is finished, and this pack is about to go.
fn put_round(repository: &Repository, pack: PackId) {
    let list = RemovalsRecord { packs: vec![pack], segments: vec![], merged: vec![] };
    let list = put(repository, &ObjectName::Removals(0), Kind::Removals, list.encode().unwrap());
    let removals = object_hash(&list);
    let fin = FinRecord { merged: vec![], replaced: vec![], live: vec![], buried: vec![], removals, previous: None };
    put(repository, &ObjectName::Fin(0), Kind::Fin, fin.encode().unwrap());
}

fn put_mark(repository: &Repository, pack: PackId) {
    let mark = MarkRecord { condemned: vec![pack] }.encode().unwrap();
    put(repository, &ObjectName::Mark(0), Kind::Mark, mark);
}

fn first_pack(backend: &MemoryBackend) -> PackId {
    pack_id(&names(backend, "packs/")[0])
}

fn object(repository: &Repository, name: ObjectName) -> StoredObject {
    let size = repository.backend().get(&name).unwrap().len() as u64;
    repository.open_stored(&name, size).unwrap()
}

/// Between its fin and the last removal a round's packs still lie there, and no segment names them.
#[test]
fn nothing_is_indexed_that_a_finished_round_is_still_removing() {
    for is_marked in [false, true] {
        let (backend, repository) = small();
        let pack = first_pack(&backend);
        put_round(&repository, pack);
        if is_marked {
            put_mark(&repository, pack);
            backend.tamper(&ObjectName::Removals(0).to_string(), None);
        }
        names(&backend, "index/").iter().for_each(|name| backend.tamper(name, None));
        let before = backend.contents();
        let error = repair_index(&repository, &RepairOptions::default()).unwrap_err();
        assert!(matches!(error, Error::TooLate { .. }), "{error}");
        let is_new = |name: &String| !before.contains_key(name);
        let new: Vec<String> = backend.contents().into_keys().filter(is_new).collect();
        assert!(new.iter().all(|name| name.starts_with("sessions/") || name.starts_with("snapshots/")), "{new:?}");
    }
}

/// Where the fin does not open nobody can go on removing, and writers stand still: the repair takes the list over.
#[test]
fn what_a_round_with_a_damaged_fin_was_removing_stays_on_the_list() {
    let (backend, repository) = small();
    let pack = first_pack(&backend);
    put_round(&repository, pack);
    put_mark(&repository, pack);
    flip(&backend, &ObjectName::Fin(0).to_string(), 100);
    let report = repair_index(&repository, &RepairOptions::default()).unwrap();
    assert!(report.is_changed, "{report:?}");
    let view = repository.view().unwrap();
    let rows: Vec<PackId> =
        view.index.segments().iter().flat_map(|segment| segment.pack_rows().unwrap()).map(|row| row.id).collect();
    assert!(!rows.contains(&pack) && !rows.is_empty(), "{rows:?}");
    let StoredObject::Removals(list) = object(&repository, ObjectName::Removals(1)) else { panic!("no list") };
    assert_eq!(list.packs, [pack]);
    let StoredObject::Fin(fin) = object(&repository, ObjectName::Fin(1)) else { panic!("no fin") };
    assert_eq!(fin.removals, object_hash(&backend.contents()[&ObjectName::Removals(1).to_string()]));
}

/// A pack is right when its bytes are; that the index has its length wrong is the index's damage.
#[test]
fn a_wrong_length_in_the_index_is_mended_there_and_marks_no_pack() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let name = names(&backend, "index/").into_iter().next().unwrap();
    let mut builder = SegmentBuilder::new();
    let view = repository.view().unwrap();
    let segment = view.index.segments().into_iter().find(|segment| segment.name().to_string() == name).unwrap();
    for row in segment.pack_rows().unwrap() {
        let mut row = *row;
        let (_, directory) = directory(&repository, &ObjectName::Pack(row.id).to_string());
        row.stored_length += 4096;
        builder.add_pack(row, &chunk_rows(&directory)).unwrap();
    }
    let (wrong, sealed) = builder.finish(repository.codec(), Kind::Segment, segment.session()).unwrap();
    backend.tamper(&name, None);
    backend.put(&wrong, &sealed).unwrap();

    let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert!(report.damaged.is_empty() && names(&backend, "damaged/").is_empty(), "{report:?}");
    assert!(!structure(&repository).is_sound());
    let report = repair_index(&repository, &RepairOptions::default()).unwrap();
    assert_eq!(report.segments_set_aside, 1, "{report:?}");
    let verified = read_data(&repository);
    assert!(verified.is_sound(), "{:?}", verified.damage);
    assert_eq!(contents(&repository), expected);
}

/// A record that points beside its chunk costs that chunk when it is restored, however sound its pack is.
#[test]
fn an_index_that_points_beside_a_chunk_is_found_by_reading_data() {
    let (backend, repository) = small();
    let mut is_one_moved = false;
    for name in names(&backend, "index/") {
        let view = repository.view().unwrap();
        let segment = view.index.segments().into_iter().find(|segment| segment.name().to_string() == name).unwrap();
        let mut builder = SegmentBuilder::new();
        for row in segment.pack_rows().unwrap() {
            let (_, directory) = directory(&repository, &ObjectName::Pack(row.id).to_string());
            let mut rows = chunk_rows(&directory);
            let is_movable = |row: &&mut ChunkRow| row.kind == ChunkKind::Data && row.offset > 0;
            if let Some(moved) = rows.iter_mut().find(is_movable).filter(|_| !is_one_moved) {
                (moved.offset, is_one_moved) = (moved.offset - 1, true);
            }
            builder.add_pack(*row, &rows).unwrap();
        }
        let (wrong, sealed) = builder.finish(repository.codec(), Kind::Segment, segment.session()).unwrap();
        backend.tamper(&name, None);
        backend.put(&wrong, &sealed).unwrap();
    }
    assert!(is_one_moved);
    assert!(structure(&repository).is_sound(), "that takes reading");
    assert_eq!(damaged(&read_data(&repository)), ["index"]);
}

/// A store that lists a wrong length once must not have a sound pack marked.
#[test]
fn a_list_that_changes_between_two_readings_marks_nothing() {
    let (backend, repository) = small();
    drop(repository);
    let name = names(&backend, "packs/").pop().unwrap();
    let listing = Arc::new(MeddlingBackend::new(Arc::clone(&backend)));
    let repository = reopen(Arc::clone(&listing) as _);
    listing.misstate(&name, backend.contents()[&name].len() as u64 - 1);
    let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert!(listing.is_done(), "it was listed");
    assert!(report.damaged.is_empty() && report.notes.iter().any(|note| note.contains("length")), "{report:?}");
    assert_eq!(names(&backend, "damaged/"), Vec::<String>::new());
    assert!(read_data(&repository).is_sound());
}

/// What a crash has left and nothing names costs nobody anything: a mark would cost every snapshot.
#[test]
fn a_damaged_pack_that_nothing_names_is_told_and_not_marked() {
    let (backend, repository) = small();
    let whole = backend.contents()[&names(&backend, "packs/")[0]].clone();
    let loose = ObjectName::Pack(PackId([7; 32])).to_string();
    backend.tamper(&loose, Some(whole.slice(..whole.len() / 2)));
    for _ in 0..2 {
        let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
        assert!(report.is_whole() && report.damaged.is_empty(), "{report:?}");
        assert!(report.notes.iter().any(|note| note.contains(&loose)), "{:?}", report.notes);
        assert_eq!(names(&backend, "damaged/"), Vec::<String>::new());
    }
}

#[test]
fn a_pack_that_is_asked_for_and_unknown_is_told() {
    let (_, repository) = small();
    let options = RepairOptions { packs: vec![PackId([7; 32])], ..RepairOptions::default() };
    let error = repair_packs(&repository, &options).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains("0707"), "{error}");
}

/// A backup that runs has put packs and not yet the segment that names them.
#[test]
fn packs_of_a_session_that_is_under_way_are_left_to_it() {
    let (backend, repository) = small();
    let before: Vec<String> = backend.contents().into_keys().collect();
    take(&repository, "running", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000)));
    let new = |prefix: &str| names(&backend, prefix).into_iter().filter(|name| !before.contains(name));
    new("index/").chain(new("snapshots/")).for_each(|name| backend.tamper(&name, None));
    let packs = new("packs/").count() as u64;
    let report = repair_index(&repository, &RepairOptions::default()).unwrap();
    assert!(!report.is_changed && report.damage.is_empty(), "{report:?}");
    assert!(report.packs_left == packs && packs > 0, "{report:?}");
    assert_eq!(names(&backend, "fin/"), Vec::<String>::new());
}

/// What is set aside is so for good.
#[test]
fn a_segment_that_is_read_wrongly_once_stays() {
    let (backend, repository) = small();
    drop(repository);
    let mut struck = 0;
    for skip in 0.. {
        let faulty = Arc::new(FaultyBackend::new(Arc::clone(&backend), []));
        let repository = reopen(Arc::clone(&faulty) as _);
        faulty.add(Fault::new(Operation::GetRange, Effect::FlipBit(90)).on("index/").after(skip).once());
        let report = repair_index(&repository, &RepairOptions { dry_run: true, ..RepairOptions::default() });
        if faulty.struck() == 0 {
            break;
        }
        struck += 1;
        // Read wrongly later it is an error, and nothing is written.
        if let Ok(report) = report {
            assert!(!report.is_changed && report.segments_set_aside == 0, "after {skip}: {report:?}");
        }
    }
    assert!(struck > 4, "{struck}");
}

/// With the fin that buried it gone, a late segment of a closed session must not name packs that were removed.
#[test]
fn late_segments_of_closed_sessions_bring_nothing_back() {
    let (backend, repository) = small();
    let expected = contents(&repository);
    let known: Vec<String> = backend.contents().into_keys().collect();
    let report = take(&repository, "late", MemoryNode::file(lbak_testkit::objects::noise(50, 200_000)));
    let is_new = |name: &String| !known.contains(name);
    names(&backend, "packs/").into_iter().filter(is_new).for_each(|name| backend.tamper(&name, None));
    backend.tamper(&ObjectName::Snapshot(report.session).to_string(), None);
    assert!(repository.conclude(report.session, "test", "it took too long").unwrap());
    let nothing = RemovalsRecord { packs: vec![], segments: vec![], merged: vec![] }.encode().unwrap();
    let removals = object_hash(&put(&repository, &ObjectName::Removals(0), Kind::Removals, nothing));
    let buried = vec![report.session];
    let fin = FinRecord { merged: vec![], replaced: vec![], live: vec![], buried, removals, previous: None };
    put(&repository, &ObjectName::Fin(0), Kind::Fin, fin.encode().unwrap());
    flip(&backend, &ObjectName::Fin(0).to_string(), 100);
    let report = repair_index(&repository, &RepairOptions::default()).unwrap();
    assert_eq!((report.is_changed, report.packs_carried), (true, 0), "{report:?}");
    let verified = structure(&repository);
    assert!(verified.notes.iter().all(|note| !note.contains("missing")), "{:?}", verified.notes);
    assert_eq!(contents(&repository), expected);
}

/// A round that ends between the two looks of a repair has taken packs away, and the segments that named them count no more: that is
/// no loss.
#[test]
fn a_pack_that_is_reclaimed_meanwhile_is_not_marked() {
    let (backend, repository) = small();
    let pack = names(&backend, "packs/").pop().unwrap();
    backend.tamper(&pack, None);
    let replaced = repository.view().unwrap().index.segments();
    let replaced = replaced.iter().filter_map(|segment| match segment.name() {
        ObjectName::Segment(id) => Some(*id),
        _ => None,
    });
    let nothing = RemovalsRecord { packs: vec![], segments: vec![], merged: vec![] }.encode().unwrap();
    let removals = object_hash(&nothing);
    let (replaced, live) = (replaced.collect(), vec![]);
    let fin = FinRecord { merged: vec![], replaced, live, buried: vec![], removals, previous: None };
    let fin = put(&repository, &ObjectName::Fin(0), Kind::Fin, fin.encode().unwrap());
    let round = ObjectName::Fin(0).to_string();
    backend.tamper(&round, None);
    drop(repository);

    let meddling = MeddlingBackend::new(Arc::clone(&backend));
    meddling.after(Operation::Put, "sessions/", move |inner, _| inner.tamper(&round, Some(fin.into())));
    let repository = reopen(Arc::new(meddling));
    let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
    assert!(names(&backend, "fin/").len() == 1);
    assert!(report.damaged.is_empty(), "{report:?}");
    assert_eq!(names(&backend, "damaged/"), Vec::<String>::new());
}
