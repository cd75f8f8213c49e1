//! Sessions that a collector closes before they are committed.

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    codec::Kind,
    error::Error,
    id::{PackId, SessionId},
    snapshot::{Lineage, LineageKind, MarkRecord},
    store::list_names,
};
use lbak_testkit::objects::trailed;

use crate::{
    house::{Tree, init, memory},
    meddling::meddled,
    objects::{close, names, pack_ids, packs},
};

#[test]
fn a_closed_session_is_begun_again_and_nothing_is_read_or_stored_twice() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    let codec = init(&backend).codec().clone();
    let repository = meddled(&backend, move |backend, session| close(&codec, backend, session));
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
    let repository = meddled(&backend, take_all);
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
    let repository = meddled(&backend, condemn);
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

#[test]
fn a_slot_that_does_not_open_is_damage_and_never_closed() {
    let (tree, (_, backend)) = (Tree::new(), memory());
    drop(init(&backend));
    let rubbish = |backend: &dyn Backend, session| {
        let name = ObjectName::Snapshot(session);
        backend.put(&name, &trailed(&name, b"rubbish without a signature\0\0")).unwrap();
    };
    let error = tree.snapshot(&meddled(&backend, rubbish), LineageKind::Full).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
