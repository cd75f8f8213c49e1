//! Which packs are there, and which the index names: a list that is cut short is not believed.

use lbak_core::{
    backend::{Backend, BackendErrorKind, Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    index::PackRow,
    repository::{Repository, View},
};

use crate::{ledger::Ledger, packs::Packs};

/// Asks for a pack by its name, and tells whether it is missing.
pub(super) fn is_missing(backend: &dyn Backend, pack: &PackId) -> Result<bool> {
    let name = ObjectName::Pack(*pack);
    match backend.get_range(&name, 0, 1) {
        Ok(_) => Ok(false),
        Err(error) if error.kind == BackendErrorKind::NotFound => Ok(true),
        // Emptied, or not readable where it begins: it is there.
        Err(error) if error.kind == BackendErrorKind::Corrupt => Ok(false),
        Err(error) => Err(Error::store("read", name, error)),
    }
}

/// The packs that are there, and those that the index names.
///
/// # Errors
/// When the store does not answer, or did not list a pack that is there.
pub(super) fn list_packs(repository: &Repository, view: &View, ledger: &Ledger<'_>) -> Result<Packs> {
    list_packs_with(repository, view, ledger, &mut |_| {})
}

/// The same, and shows what the index says of each pack that it names.
pub(crate) fn list_packs_with(
    repository: &Repository,
    view: &View,
    ledger: &Ledger<'_>,
    named: &mut dyn FnMut(&PackRow),
) -> Result<Packs> {
    let packs = Packs::list(&**repository.backend())?;
    for segment in view.index.segments() {
        ledger.check_cancelled()?;
        // Without records no pack is compared with the index: that is not what is repaired here.
        for row in ledger.outlive(segment.pack_rows())?.into_iter().flatten() {
            packs.name(&row, 0);
            named(&row);
        }
    }
    // A list may be cut short: what it lacks is asked for by name (rule I9).
    for pack in packs.missing() {
        if !is_missing(&**repository.backend(), &pack)? {
            return Err(Error::store("list", Folder::Packs.prefix(), BackendErrorKind::Corrupt.into()));
        }
    }
    Ok(packs)
}
