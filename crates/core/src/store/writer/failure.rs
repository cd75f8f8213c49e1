//! The first failure of any thread.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{BackendError, Error, Result};

/// Keeps the first error and tells everybody.
#[derive(Debug, Default)]
pub(super) struct Failure {
    is_set: AtomicBool,
    first: Mutex<Option<Arc<Error>>>,
}

impl Failure {
    pub(super) fn set(&self, error: Error) {
        self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| Arc::new(error));
        self.is_set.store(true, Ordering::Release);
    }

    /// Passes while nothing has failed; afterwards everybody gets the same error.
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_set.load(Ordering::Acquire) {
            return Ok(());
        }
        match &*self.first.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(copy(error)),
            None => Ok(()),
        }
    }
}

/// The same error once more: several threads stop for one reason, and each says it.
fn copy(error: &Arc<Error>) -> Error {
    match &**error {
        Error::Cancelled => Error::Cancelled,
        Error::Store { action, object, source } => {
            Error::Store { action, object: object.clone(), source: BackendError::new(source.kind, source.to_string()) }
        }
        Error::Damaged { object, what } => Error::Damaged { object: object.clone(), what: what.clone() },
        Error::Unreliable { what } => Error::Unreliable { what: what.clone() },
        Error::Panicked { doing } => Error::Panicked { doing },
        other => Error::Invalid { what: other.to_string() },
    }
}
