//! The verb `amend`: another tag or description for a snapshot that was taken.
//!
//! ```text
//! what interrupted runs left → carried over, marked
//!   → session announced → marks, snapshots, index read → is it still there, and all that it refers to?
//!   → the new version in the new slot, with the same snapshot id and the old session as its origin
//!   → forgotten/<old session>
//! ```
//!
//! Objects never change, so the manifest is written anew. Whoever does that refers to chunks without having them and could
//! not store them again: while something is being reclaimed every one of them is looked up, and what is not found is "too
//! late"; the old version then stays as it is. After a crash between the two puts both versions are there and only the new one
//! counts ([`replaced`](crate::snapshot::replaced)); the next amend puts the mark that is missing, and does so before its own
//! change: a version without a mark may be a month old, and what is said now must win over it.

mod changes;
mod found;

pub use changes::Changes;

use crate::{
    backend::ObjectName,
    error::{Error, Result},
    id::{SessionId, SnapshotId},
    observe::Cancellation,
    repository::{Announcement, Outcome, Repository, Session},
    snapshot::{Catalog, Committed, ForgottenRecord, Manifest, Purpose},
    store::put_slot,
};

/// Attempts that may be lost to reclaiming, or overtaken by others who change the same snapshot, before that is taken for a fault.
const MOST_TRIES: u32 = 8;

/// How a snapshot is changed.
#[derive(Clone, Debug, Default)]
pub struct AmendOptions {
    /// What is changed.
    pub changes: Changes,
    /// Name of the user who changes it, for people.
    pub user: String,
    /// The program and its version, when it is not lbak itself.
    pub program: Option<String>,
    /// Tell what would be, change nothing.
    pub dry_run: bool,
    /// Stops it; then nothing was changed.
    pub cancellation: Cancellation,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct AmendReport {
    /// The snapshot as it is now; after a dry run, as it would be, still with the old session and head.
    pub snapshot: Committed,
    /// Its tags and description as they were before.
    pub before: Before,
    /// A new version was written; else it was so already.
    pub is_changed: bool,
    /// Old versions that were marked as forgotten, those of interrupted runs included.
    pub forgotten: Vec<SessionId>,
}

/// What could have been changed, as it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The tags.
    pub tags: Vec<String>,
    /// The description.
    pub description: String,
}

/// Changes tags and description of a snapshot; its id, content and times stay.
///
/// The changes are made to the snapshot as it is when this runs, whatever the given version says. When others change the same
/// snapshot at the same time, all changes are kept. A snapshot that somebody forgets at the same moment may stay.
///
/// # Errors
/// [`Error::TooLate`] when something that the snapshot refers to is being reclaimed, [`Error::NoSnapshot`] when it was
/// forgotten meanwhile, [`Error::Invalid`] for changes that make no sense, [`Error::Store`], [`Error::Cancelled`]: the old
/// version stays, unless the store failed so late that this can not be told; then the next attempt tells.
pub fn amend(repository: &Repository, snapshot: &Committed, options: &AmendOptions) -> Result<AmendReport> {
    options.changes.check()?;
    let amending = Amending::new(repository, snapshot, options);
    let known = amending.catalog()?;
    let old = amending.current(&known)?;
    let before = Before { tags: old.manifest.tags.clone(), description: old.manifest.description.clone() };
    if options.dry_run {
        let manifest = options.changes.applied_to(&old.manifest);
        let is_changed = manifest != old.manifest;
        let snapshot = Committed { manifest, ..old.clone() };
        return Ok(AmendReport { snapshot, before, is_changed, forgotten: Vec::new() });
    }
    // What was left behind before this began must not come on top of it.
    let mut settled = amending.settle(known)?;
    settled.is_changed |= amending.change(&options.changes)?;
    let Settled { snapshot, is_changed, forgotten } = amending.settle(amending.catalog()?)?;
    settled.forgotten.extend(forgotten);
    Ok(AmendReport { snapshot, before, is_changed: settled.is_changed || is_changed, forgotten: settled.forgotten })
}

/// A snapshot of which one version is left without a mark.
struct Settled {
    /// That version.
    snapshot: Committed,
    /// Something of the others was carried over to it.
    is_changed: bool,
    /// The others that got their marks.
    forgotten: Vec<SessionId>,
}

struct Amending<'a> {
    repository: &'a Repository,
    id: SnapshotId,
    announcement: Announcement,
    cancellation: &'a Cancellation,
}

impl<'a> Amending<'a> {
    fn new(repository: &'a Repository, snapshot: &Committed, options: &'a AmendOptions) -> Self {
        let manifest = &snapshot.manifest;
        let program = options.program.clone().unwrap_or_else(|| concat!("lbak ", env!("CARGO_PKG_VERSION")).to_owned());
        let announcement = Announcement {
            host: manifest.host.clone(),
            user: options.user.clone(),
            paths: manifest.paths.clone(),
            purpose: Purpose::Rewrite,
            program,
            pinned: vec![snapshot.session],
        };
        Self { repository, id: manifest.id, announcement, cancellation: &options.cancellation }
    }

    /// The snapshots of the same host and paths: all versions of this one are among them.
    fn catalog(&self) -> Result<Catalog> {
        let keys = self.repository.codec().keys();
        let group = keys.session_group(&self.announcement.host, &self.announcement.paths);
        Catalog::load(&**self.repository.backend(), self.repository.codec(), Some(group))
    }

    fn current<'c>(&self, catalog: &'c Catalog) -> Result<&'c Committed> {
        let found = catalog.snapshots.iter().find(|snapshot| snapshot.manifest.id == self.id);
        found.ok_or_else(|| Error::NoSnapshot { asked: format!("{}: it is gone, or was forgotten", self.id) })
    }

    /// Commits a new version with these changes; tells whether there was anything to change.
    fn change(&self, changes: &Changes) -> Result<bool> {
        let mut is_trusting = true;
        for _ in 0..MOST_TRIES {
            if !self.would_change(changes, &self.catalog()?)? {
                return Ok(false);
            }
            let session = self.repository.announce(&self.announcement)?;
            let outcome = self.commit(changes, &session, is_trusting);
            match outcome {
                Ok(Some(Outcome::Committed(_))) => return Ok(true),
                // Somebody else was quicker with the same change.
                Ok(None) => self.abandon(&session, "there was nothing left to change"),
                // A collector closed the session: from now on everything must be found again.
                Ok(Some(Outcome::Lost)) => is_trusting = false,
                Err(error) => {
                    self.abandon(&session, &error.to_string());
                    return Err(error);
                }
            }
        }
        Err(Error::SessionsLost { times: MOST_TRIES, place: self.repository.backend().describe().place })
    }

    fn would_change(&self, changes: &Changes, catalog: &Catalog) -> Result<bool> {
        let manifest = &self.current(catalog)?.manifest;
        Ok(changes.applied_to(manifest) != *manifest)
    }

    /// Everything between the announcement and the slot.
    fn commit(&self, changes: &Changes, session: &Session, is_trusting: bool) -> Result<Option<Outcome>> {
        if !self.would_change(changes, &session.catalog)? {
            return Ok(None);
        }
        let old = self.current(&session.catalog)?;
        if !is_trusting || !session.view.is_parent_trusted() {
            found::look_up(self.repository, &session.view, &old.manifest, self.cancellation)?;
        }
        self.cancellation.check()?;
        let (origin, heads) = (Some(old.session), session.catalog.heads());
        let manifest = Manifest { origin, heads, ..changes.applied_to(&old.manifest) };
        self.repository.commit(session.id, &manifest).map(Some)
    }

    /// Carries over what other versions have that were made at the same time, and puts the marks that are missing.
    fn settle(&self, mut known: Catalog) -> Result<Settled> {
        let mut is_changed = false;
        for _ in 0..MOST_TRIES {
            let Some(theirs) = self.overtaken(&known) else {
                let forgotten = self.forget_replaced(&known)?;
                return Ok(Settled { snapshot: self.current(&known)?.clone(), is_changed, forgotten });
            };
            is_changed |= self.change(&theirs)?;
            known = self.catalog()?;
        }
        Err(Error::TooLate { what: format!("others keep changing snapshot {}", self.id.short()) })
    }

    /// What another version has that was made at the same time as the one that counts, and this one has not.
    fn overtaken(&self, catalog: &Catalog) -> Option<Changes> {
        let current = self.current(catalog).ok()?;
        let replaced = |session: SessionId| catalog.replaced.iter().find(|old| old.session == session);
        let origins = |version: &Committed| -> Vec<SessionId> {
            let mut line = vec![version.session];
            let mut next = version.manifest.origin;
            while let Some(origin) = next.filter(|origin| !line.contains(origin)) {
                line.push(origin);
                next = replaced(origin).and_then(|old| old.manifest.origin);
            }
            line
        };
        let mainline = origins(current);
        let is_last =
            |version: &Committed| !catalog.replaced.iter().any(|other| other.manifest.origin == Some(version.session));
        let unsettled = catalog.unsettled_versions(self.id);
        let mut others = unsettled.filter(|version| !mainline.contains(&version.session) && is_last(version));
        others.find_map(|other| {
            let common = origins(other).into_iter().find(|session| mainline.contains(session)).and_then(replaced)?;
            let changes = Changes::between(&common.manifest, &other.manifest);
            (changes.applied_to(&current.manifest) != current.manifest).then_some(changes)
        })
    }

    /// Puts the marks that are missing. The version that counts is there: no order among these can lose the snapshot.
    fn forget_replaced(&self, catalog: &Catalog) -> Result<Vec<SessionId>> {
        let current = self.current(catalog)?;
        let (backend, codec) = (&**self.repository.backend(), self.repository.codec());
        let mut forgotten = Vec::new();
        for old in catalog.unsettled_versions(self.id) {
            let record = ForgottenRecord {
                by: format!("{}@{}", self.announcement.user, self.announcement.host),
                reason: format!("replaced by {}", current.session),
                at: self.repository.now(),
            };
            let name = ObjectName::Forgotten(old.session);
            let sealed = codec.seal_object(&name, ForgottenRecord::KIND, current.session, &record.encode()?)?;
            // One that somebody else put says the same.
            put_slot(backend, &name, &sealed)?;
            forgotten.push(old.session);
        }
        Ok(forgotten)
    }

    fn abandon(&self, session: &Session, reason: &str) {
        self.repository.abandon(session.id, &self.announcement.program, reason);
    }
}
