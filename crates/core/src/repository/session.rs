//! A session: announced before anything is read, decided by one create-only slot.

use super::{Repository, open::check_features, view::View};
use crate::{
    backend::ObjectName,
    codec::{Kind, object_hash},
    error::{Error, Result},
    id::{ObjectHash, SessionId},
    keys::fill_random,
    snapshot::{Catalog, ClosedRecord, Manifest, Purpose, SessionRecord, Slot, read_slot},
    store::{put_object, put_slot},
};

/// Who announces a session, and what for.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Name of the host that the source belongs to.
    pub host: String,
    /// Name of the user.
    pub user: String,
    /// The paths, absolute, in byte order.
    pub paths: Vec<Vec<u8>>,
    /// What for.
    pub purpose: Purpose,
    /// The program and its version.
    pub program: String,
    /// Snapshots that must stay while it works.
    pub pinned: Vec<SessionId>,
}

/// An announced session with what it read afterwards, in the order that safety asks for.
#[derive(Debug)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Snapshots of its group of host and paths (and of others whose keyed hash is the same).
    pub catalog: Catalog,
    /// Which packs may be used, and the index.
    pub view: View,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The snapshot is visible; this is its head.
    Committed(ObjectHash),
    /// A collector closed the session: everything is repeated under a new one.
    Lost,
}

impl Repository {
    /// Puts `sessions/<s>`, and only then reads: the newest `fin` and the unfinished marks, the snapshots, the index.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Newer`], or [`Error::Damaged`] when the authority on reclaiming does not open.
    pub fn announce(&self, announcement: &Announcement) -> Result<Session> {
        let id = self.announce_only(announcement)?;
        let group = self.codec().keys().session_group(&announcement.host, &announcement.paths);
        let reclaiming = View::reclaiming_for_writing(self)?;
        let catalog = self.catalog_of(group)?;
        let view = View::for_writing(self, reclaiming)?;
        Ok(Session { id, catalog, view })
    }

    /// Puts `sessions/<s>` and reads nothing: for who repairs what every other writer reads next.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Newer`].
    pub fn announce_only(&self, announcement: &Announcement) -> Result<SessionId> {
        check_features(&*self.0.backend, "w-")?;
        let group = self.codec().keys().session_group(&announcement.host, &announcement.paths);
        let mut id = SessionId([0; 16]);
        fill_random(&mut id.0)?;
        id.0[..2].copy_from_slice(&group);
        let record = SessionRecord {
            author: format!("{}@{}", announcement.user, announcement.host),
            purpose: announcement.purpose,
            program: announcement.program.clone(),
            started_at: self.now(),
            pinned: announcement.pinned.clone(),
        };
        let name = ObjectName::Session(id);
        let sealed = self.codec().seal_object(&name, SessionRecord::KIND, id, &record.encode()?)?;
        put_object(&*self.0.backend, &name, &sealed)?;
        Ok(id)
    }

    /// Reads what a session would read, without announcing one: for dry runs.
    ///
    /// # Errors
    /// As [`announce`](Self::announce).
    pub fn look(&self, announcement: &Announcement) -> Result<Session> {
        let group = self.codec().keys().session_group(&announcement.host, &announcement.paths);
        let view = self.view()?;
        let catalog = self.catalog_of(group)?;
        Ok(Session { id: SessionId([0; 16]), catalog, view })
    }

    fn catalog_of(&self, group: [u8; 2]) -> Result<Catalog> {
        Catalog::load_with(&*self.0.backend, self.codec(), Some(group), self.1.slots.as_ref())
    }

    /// Commits a snapshot: puts its manifest into the session's slot. Everything it refers to is stored and confirmed.
    ///
    /// # Errors
    /// [`Error::Store`] when it can not be told whether it was committed; a slot that does not open is damage, never `closed`.
    pub fn commit(&self, session: SessionId, manifest: &Manifest) -> Result<Outcome> {
        let name = ObjectName::Snapshot(session);
        let sealed = self.codec().seal_object(&name, Kind::Manifest, session, &manifest.encode()?)?;
        if put_slot(&*self.0.backend, &name, &sealed)? {
            return Ok(Outcome::Committed(object_hash(sealed.as_bytes())));
        }
        match read_slot(&*self.0.backend, self.codec(), session)? {
            Slot::Closed(_) => Ok(Outcome::Lost),
            Slot::Committed(_) => Err(Error::damaged(name, "it holds a snapshot that this session did not take")),
        }
    }

    /// Ends a session that has nothing to commit: its slot is closed. Tells whether it was this call that closed it; when a collector
    /// was first, what the session stored may be reclaimed.
    ///
    /// # Errors
    /// [`Error::Store`] when that can not be told.
    pub fn conclude(&self, session: SessionId, by: &str, reason: &str) -> Result<bool> {
        let record = ClosedRecord { by: by.to_owned(), reason: reason.to_owned(), at: self.now() };
        let name = ObjectName::Snapshot(session);
        let sealed = self.codec().seal_object(&name, ClosedRecord::KIND, session, &record.encode()?)?;
        put_slot(&*self.0.backend, &name, &sealed)
    }

    /// Gives a session up: its slot is closed, so that nobody waits for it. Best effort.
    pub fn abandon(&self, session: SessionId, by: &str, reason: &str) {
        let _ = self.conclude(session, by, reason);
    }
}
