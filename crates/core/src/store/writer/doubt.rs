//! Packs that the index names and that may not be there, or not be sound.
//!
//! The index is believed, as asking the store for every pack would cost a request each. Only when a run has met a pack that is
//! missing or damaged does it ask for every other one before it relies on it: what made one go may have taken more.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    backend::{Backend, BackendErrorKind, ObjectName},
    error::{Error, Result},
    id::PackId,
};

/// What this run has met.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    is_raised: AtomicBool,
    /// Packs that were asked for or met, and whether chunks in them may be referred to.
    packs: Mutex<HashMap<PackId, bool>>,
}

impl Doubt {
    /// Takes note of an object that is damaged or missing.
    pub(super) fn raise(&self, object: Option<&str>) {
        self.is_raised.store(true, Ordering::Relaxed);
        if let Some(ObjectName::Pack(pack)) = object.and_then(ObjectName::parse) {
            self.packs.lock().unwrap_or_else(PoisonError::into_inner).insert(pack, false);
        }
    }

    /// Tells whether a pack is there, as far as that is in doubt.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(super) fn permits(&self, pack: &PackId, backend: &dyn Backend) -> Result<bool> {
        if !self.is_raised.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let known = self.packs.lock().unwrap_or_else(PoisonError::into_inner).get(pack).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let name = ObjectName::Pack(*pack);
        let is_there = match backend.get_range(&name, 0, 1) {
            Ok(_) => true,
            Err(error) if matches!(error.kind, BackendErrorKind::NotFound | BackendErrorKind::Corrupt) => false,
            Err(error) => return Err(Error::store("read", name, error)),
        };
        self.packs.lock().unwrap_or_else(PoisonError::into_inner).insert(*pack, is_there);
        Ok(is_there)
    }
}
