//! What lies in a repository, and what a collector puts there.

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    codec::{Codec, Kind},
    id::{ObjectHash, PackId, SegmentId, SessionId},
    metadata::Timestamp,
    repository::Repository,
    snapshot::{ClosedRecord, FinRecord},
    store::list_names,
};

pub(crate) fn packs(backend: &dyn Backend) -> Vec<ObjectName> {
    names(backend, Folder::Packs)
}

pub(crate) fn names(backend: &dyn Backend, folder: Folder) -> Vec<ObjectName> {
    list_names(backend, folder.prefix()).unwrap().into_iter().map(|(name, _)| name).collect()
}

pub(crate) fn pack_ids(backend: &dyn Backend) -> Vec<PackId> {
    let id = |name| match name {
        ObjectName::Pack(id) => id,
        other => panic!("{other} among the packs"),
    };
    packs(backend).into_iter().map(id).collect()
}

pub(crate) fn segment_ids(backend: &dyn Backend) -> Vec<SegmentId> {
    let id = |name| match name {
        ObjectName::Segment(id) => id,
        other => panic!("{other} among the segments"),
    };
    names(backend, Folder::Index).into_iter().map(id).collect()
}

/// Puts a record of reclaiming, as a collector would.
pub(crate) fn put(repository: &Repository, name: &ObjectName, kind: Kind, plain: &[u8]) {
    let sealed = repository.codec().seal_object(name, kind, SessionId([9; 16]), plain).unwrap();
    repository.backend().put(name, &sealed).unwrap();
}

pub(crate) fn put_fin(repository: &Repository, round: u64, replaced: Vec<SegmentId>, buried: Vec<SessionId>) {
    let removals = ObjectHash([0; 32]);
    let fin = FinRecord { merged: Vec::new(), replaced, live: Vec::new(), buried, removals, previous: None };
    put(repository, &ObjectName::Fin(round), Kind::Fin, &fin.encode().unwrap());
}

/// A collector closes the session.
pub(crate) fn close(codec: &Codec, backend: &dyn Backend, session: SessionId) {
    let name = ObjectName::Snapshot(session);
    let record = ClosedRecord { by: "test".into(), reason: "test".into(), at: Timestamp::default() };
    let sealed = codec.seal_object(&name, Kind::Closed, session, &record.encode().unwrap()).unwrap();
    backend.put(&name, &sealed).unwrap();
}
