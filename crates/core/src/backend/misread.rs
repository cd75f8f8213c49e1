//! What was read wrongly once and rightly the second time: bad memory, a cable, a disk that begins to fail.
//!
//! Whoever opens what is stored reads it once more before it counts as damaged ([`Misread::read_twice`]). When that helped, nothing is
//! lost and everything is right, but the machine is not: the name of the object is kept here until somebody tells it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Backend, ObjectName};
use crate::error::Result;

/// The names of objects that were read wrongly once, until they are told. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Misread(Arc<Register>);

#[derive(Debug, Default)]
struct Register {
    untold: Mutex<BTreeSet<ObjectName>>,
    /// Who is left to tell what this one was not asked for: the run that should have told it may have failed.
    above: Option<Misread>,
}

impl Misread {
    /// A list for a part of the work. What nobody takes from it, nor from its clones, is on this list when the last of them is gone.
    #[must_use]
    pub fn below(&self) -> Self {
        Self(Arc::new(Register { untold: Mutex::default(), above: Some(self.clone()) }))
    }

    /// Notes an object, however often it was read wrongly.
    pub fn note(&self, name: &ObjectName) {
        self.0.untold.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }

    /// The names, since this was asked last, for whoever tells them.
    #[must_use]
    pub fn take(&self) -> BTreeSet<ObjectName> {
        std::mem::take(&mut *self.0.untold.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does again what [may come out otherwise](crate::error::Error::is_doubtful), from where the object lies and not from memory that may
    /// hold it wrongly; notes the object when that helped.
    ///
    /// # Errors
    /// That of the second reading, or of the first where no second may help.
    pub fn read_twice<T>(
        &self,
        backend: &dyn Backend,
        name: &ObjectName,
        read: &mut dyn FnMut() -> Result<T>,
    ) -> Result<T> {
        match read() {
            Err(error) if error.is_doubtful() => {
                backend.forget_cached(name);
                read().inspect(|_| self.note(name))
            }
            outcome => outcome,
        }
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        let untold = std::mem::take(self.untold.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let Some(above) = &self.above {
            untold.iter().for_each(|name| above.note(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::MemoryBackend,
        error::{BackendErrorKind, Error},
        id::PackId,
    };

    #[test]
    fn what_a_part_of_the_work_did_not_tell_is_left_to_the_whole() {
        let (whole, told, untold) = (Misread::default(), [1; 32], [2; 32]);
        let part = whole.below();
        let clone = part.clone();
        part.note(&ObjectName::Pack(PackId(told)));
        assert_eq!(clone.take(), [ObjectName::Pack(PackId(told))].into());
        clone.note(&ObjectName::Pack(PackId(untold)));
        drop(part);
        assert!(whole.take().is_empty(), "somebody may still tell it");
        drop(clone);
        assert_eq!(whole.take(), [ObjectName::Pack(PackId(untold))].into());
        assert!(whole.take().is_empty(), "once");
    }

    #[test]
    fn what_was_not_there_and_is_there_later_was_not_misread() {
        let (misread, backend, name) = (Misread::default(), MemoryBackend::new(), ObjectName::Pack(PackId([1; 32])));
        let mut came = false;
        let outcome = misread.read_twice(&backend, &name, &mut || {
            let not_found = Error::store("read", &name, BackendErrorKind::NotFound.into());
            if std::mem::replace(&mut came, true) { Ok(()) } else { Err(not_found) }
        });
        assert!(outcome.is_err_and(|error| error.is_damage()) && misread.take().is_empty());
        let mut times = 0;
        let outcome = misread.read_twice(&backend, &name, &mut || {
            times += 1;
            if times == 1 { Err(Error::damaged(&name, "a bit")) } else { Ok(times) }
        });
        assert!(matches!(outcome, Ok(2)));
        assert_eq!(misread.take(), [name].into());
    }
}
