//! Questions to the store before anything is set aside: asked twice, and in an order that makes the answers hold.

use std::collections::BTreeSet;

use lbak_core::{
    backend::{Backend, Folder, ObjectName},
    error::{Error, Result},
    id::SessionId,
    repository::Repository,
    store::list_names,
};

use crate::{ledger::Ledger, object::check_object};

/// Reads again what is damaged, from where it lies: bad memory or a bad cable spoils what is sound once.
pub(super) fn twice<T>(repository: &Repository, name: &ObjectName, read: impl Fn() -> Result<T>) -> Result<T> {
    read().or_else(|error| {
        if !error.is_of_one_object() {
            return Err(error);
        }
        repository.backend().forget_cached(name);
        let outcome = read();
        if outcome.is_ok() && error.is_doubtful() {
            repository.misread().note(name);
        }
        outcome
    })
}

/// Sessions that are announced and have neither committed nor given up, as far as is known.
pub(super) fn undecided_sessions(repository: &Repository, live: &[SessionId]) -> Result<BTreeSet<SessionId>> {
    let backend = &**repository.backend();
    let sessions_in = |folder: Folder| -> Result<BTreeSet<SessionId>> {
        let names = list_names(backend, folder.prefix())?.into_iter();
        Ok(names
            .filter_map(|(name, _)| match name {
                ObjectName::Session(session) | ObjectName::Snapshot(session) => Some(session),
                _ => None,
            })
            .collect())
    };
    // Who decides in between is found undecided only when it was asked in this order; the next repair knows.
    let announced = sessions_in(Folder::Sessions)?;
    let decided = sessions_in(Folder::Snapshots)?;
    Ok(announced.into_iter().filter(|session| !decided.contains(session) && !live.contains(session)).collect())
}

/// What a header says may be damage, too: what needs a newer version is left alone only when its bytes are those that were
/// written.
///
/// # Errors
/// What really needs a newer version; trouble with the store.
pub(super) fn really(
    backend: &dyn Backend,
    name: &ObjectName,
    size: u64,
    error: Error,
    ledger: &Ledger<'_>,
) -> Result<Error> {
    if !matches!(error, Error::Newer { .. }) {
        return Ok(error);
    }
    match check_object(backend, name, size, ledger, &mut |_| {}) {
        Ok(()) => Err(error),
        Err(damage) => Ok(damage),
    }
}
