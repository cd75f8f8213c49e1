//! The session of a restore that may take long: it keeps a collector from removing what is being read.
//!
//! A restore goes on without one where the repository can not be written to; then packs that go while it runs are looked
//! for again in the index (`chunks.rs`), and a snapshot that is forgotten in between is lost.

use lbak_core::{
    browse::in_words,
    error::Error,
    id::SessionId,
    observe::Event,
    repository::{Announcement, Repository, View},
    snapshot::{Manifest, Purpose},
};

use crate::options::RestoreOptions;

/// What was announced, and what was read afterwards.
pub(crate) struct Announced {
    pub(crate) session: Ending,
    pub(crate) view: Option<View>,
}

/// A session that is closed at the end, so that nobody waits for it.
#[must_use = "a session that is not closed is waited for"]
pub(crate) struct Ending(Option<SessionId>);

impl Announced {
    /// Announces a session for a restore that is long enough.
    pub(crate) fn for_restore(repository: &Repository, snapshot: &Manifest, options: &RestoreOptions) -> Self {
        let is_short = snapshot.sizes.logical < options.announce_from;
        if options.dry_run || is_short {
            return Self { session: Ending(None), view: None };
        }
        let announcement = Announcement {
            host: snapshot.host.clone(),
            user: snapshot.user.clone(),
            // Of no group that anybody lists to take a snapshot.
            paths: Vec::new(),
            purpose: Purpose::Restore,
            program: concat!("lbak ", env!("CARGO_PKG_VERSION")).to_owned(),
            pinned: slots_of(repository, snapshot),
        };
        match repository.announce(&announcement) {
            Ok(session) => Self { session: Ending(Some(session.id)), view: Some(session.view) },
            Err(error) => {
                options.observer.event(&Event::Note(&without(&error)));
                Self { session: Ending(None), view: None }
            }
        }
    }
}

fn without(error: &Error) -> String {
    format!("no session keeps what is restored from being collected: {}", in_words(error))
}

/// The slot that holds a snapshot. Mostly it is named like it; one that was committed under a second session is not.
fn slots_of(repository: &Repository, snapshot: &Manifest) -> Vec<SessionId> {
    let found = repository.catalog().ok().and_then(|catalog| {
        catalog.snapshots.into_iter().find(|found| found.manifest.id == snapshot.id).map(|found| found.session)
    });
    vec![found.unwrap_or(SessionId(snapshot.id.0))]
}

impl Ending {
    /// Closes the session.
    pub(crate) fn end(self, repository: &Repository) {
        if let Some(session) = self.0 {
            repository.abandon(session, "lbak restore", "the restore has ended");
        }
    }
}
