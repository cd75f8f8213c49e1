//! Which snapshots repairs have made of one another: what was made already is not made again, and stands behind what it is of.
//!
//! ```text
//! origin:   old ◄── old, tagged ◄── made ◄── made of that      one family, known by the first session
//! ```

use std::collections::HashMap;

use lbak_core::{
    id::{ChunkId, SessionId, SnapshotId},
    metadata::Timestamp,
    snapshot::{Catalog, Manifest},
};

/// A snapshot of a family.
struct Member {
    family: SessionId,
    id: SnapshotId,
    root: ChunkId,
    ended_at: Timestamp,
    point_in_time: Option<Timestamp>,
}

/// The families of the snapshots of a repository.
pub(super) struct Families {
    /// What the slots say each session's snapshot was made of; older versions of snapshots are among them.
    origins: HashMap<SessionId, Option<SessionId>>,
    members: Vec<Member>,
}

impl Families {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let all = catalog.snapshots.iter().chain(&catalog.replaced).chain(&catalog.forgotten);
        let origins = all.map(|snapshot| (snapshot.session, snapshot.manifest.origin)).collect();
        let mut families = Self { origins, members: Vec::new() };
        for snapshot in &catalog.snapshots {
            families.note(snapshot.session, &snapshot.manifest);
        }
        families
    }

    /// Takes in a snapshot.
    pub(super) fn add(&mut self, session: SessionId, manifest: &Manifest) {
        self.origins.insert(session, manifest.origin);
        self.note(session, manifest);
    }

    fn note(&mut self, session: SessionId, manifest: &Manifest) {
        let &Manifest { id, root, ended_at, point_in_time, .. } = manifest;
        self.members.push(Member { family: self.first_of(session), id, root, ended_at, point_in_time });
    }

    /// The session that a snapshot goes back to, as far as that is told.
    fn first_of(&self, session: SessionId) -> SessionId {
        let mut first = session;
        // No honest writer makes a circle; one that is there ends the walk.
        for _ in 0..self.origins.len() {
            match self.origins.get(&first) {
                Some(Some(origin)) => first = *origin,
                _ => break,
            }
        }
        first
    }

    fn others(&self, session: SessionId, id: SnapshotId) -> impl Iterator<Item = &Member> {
        let family = self.first_of(session);
        self.members.iter().filter(move |member| member.family == family && member.id != id)
    }

    /// The other snapshots of the family of one.
    pub(super) fn others_of(&self, session: SessionId, id: SnapshotId) -> impl Iterator<Item = SnapshotId> {
        self.others(session, id).map(|member| member.id)
    }

    /// A snapshot of the family that holds exactly what is under this root, and is not hurt.
    pub(super) fn with_root(
        &self,
        session: SessionId,
        id: SnapshotId,
        root: ChunkId,
        is_hurt: impl Fn(&SnapshotId) -> bool,
    ) -> Option<SnapshotId> {
        self.others(session, id).find(|other| other.root == root && !is_hurt(&other.id)).map(|other| other.id)
    }

    /// The times of a new snapshot of what is left of this one: behind it and all that were made of it before, and before all that
    /// were taken later.
    pub(super) fn times_behind(&self, session: SessionId, old: &Manifest) -> (Timestamp, Option<Timestamp>) {
        let mut ended_at = old.ended_at;
        let mut point_in_time = old.point_in_time;
        for other in self.others(session, old.id) {
            ended_at = ended_at.max(other.ended_at);
            point_in_time = point_in_time.max(other.point_in_time);
        }
        (just_after(ended_at), point_in_time.map(just_after))
    }
}

fn just_after(time: Timestamp) -> Timestamp {
    match time.nanoseconds.checked_add(1).filter(|nanoseconds| *nanoseconds < 1_000_000_000) {
        Some(nanoseconds) => Timestamp { nanoseconds, ..time },
        None => Timestamp { seconds: time.seconds.saturating_add(1), nanoseconds: 0 },
    }
}
