//! Where everything that is found comes together: damage by object, notes, counts, progress.

use std::{
    collections::{BTreeMap, btree_map},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{
    backend::ObjectName,
    error::{BackendErrorKind, Error, Result},
    id::PackId,
    observe::{Event, Finding, FindingKind, Progress, Stage},
};

use crate::{Damage, VerifyOptions};

/// What came together, each sorted by object.
pub(crate) struct Found {
    pub(crate) damage: Vec<Damage>,
    pub(crate) set_aside: Vec<Damage>,
    pub(crate) notes: Vec<String>,
}

/// Collects from several threads; the outcome does not depend on their timing.
pub(crate) struct Ledger<'a> {
    options: &'a VerifyOptions,
    damage: Mutex<BTreeMap<String, Damage>>,
    /// Damage that was set aside: nothing needs what it is in.
    aside: Mutex<BTreeMap<String, Damage>>,
    notes: Mutex<Vec<String>>,
    bytes: AtomicU64,
    /// Zero while it is not known.
    total_bytes: AtomicU64,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(options: &'a VerifyOptions) -> Self {
        Self {
            options,
            damage: Mutex::default(),
            aside: Mutex::default(),
            notes: Mutex::default(),
            bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
        }
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.options.cancellation.check()
    }

    pub(crate) fn stage(&self, stage: Stage) {
        self.options.observer.event(&Event::Stage(stage));
    }

    pub(crate) fn expect_bytes(&self, total: u64) {
        self.total_bytes.store(total, Ordering::Relaxed);
    }

    /// Something is read once more than was expected.
    pub(crate) fn expect_more_bytes(&self, more: u64) {
        let add = |total: u64| (total > 0).then(|| total.saturating_add(more));
        let _ = self.total_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Counts bytes that were read and tells how far it is.
    pub(crate) fn read(&self, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let total = self.total_bytes.load(Ordering::Relaxed);
        let total_bytes = (total > 0).then_some(total);
        self.options.observer.event(&Event::Progress(Progress { bytes, total_bytes, ..Progress::default() }));
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, note: String) {
        self.options.observer.event(&Event::Note(&note));
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// Options for a look of which nobody is told.
    pub(crate) fn quiet(&self) -> VerifyOptions {
        VerifyOptions { cancellation: self.options.cancellation.clone(), ..VerifyOptions::default() }
    }

    /// Notes damage of an object.
    pub(crate) fn damage(&self, object: impl ToString, what: impl ToString) {
        let (object, what) = (object.to_string(), what.to_string());
        let mut all = self.all();
        match all.entry(object) {
            btree_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.more += 1;
                // Of several reasons the first by name: threads find them in any order.
                if what < known.what {
                    known.what = what;
                }
            }
            btree_map::Entry::Vacant(place) => {
                let damage = Damage { object: place.key().clone(), what, more: 0 };
                let finding = Finding {
                    kind: FindingKind::DamagedObject,
                    path: damage.object.clone().into_bytes(),
                    message: damage.what.clone(),
                };
                place.insert(damage);
                drop(all);
                self.options.observer.event(&Event::Finding(&finding));
            }
        }
    }

    /// Notes an error that is damage, or a need for a newer version: what can not be checked is not sound.
    ///
    /// # Errors
    /// Every other error.
    pub(crate) fn blame(&self, error: Error) -> Result<()> {
        match error {
            Error::Damaged { object, what } => self.damage(object, what),
            Error::Newer { object, needs } => {
                self.damage(object, format!("it needs {needs}, which this version does not know"));
            }
            Error::Lost { what } => self.damage("index", format!("{what} is in no segment")),
            Error::Store { ref object, ref source, .. } if error.is_damage() => match source.kind {
                BackendErrorKind::NotFound => self.damage(object, "it is missing"),
                _ => self.damage(object, format!("it can not be read: {source}")),
            },
            error => return Err(error),
        }
        Ok(())
    }

    /// The value, or nothing when there was damage, which is noted.
    ///
    /// # Errors
    /// As [`blame`](Self::blame).
    pub(crate) fn outlive<T>(&self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.blame(error).map(|()| None),
        }
    }

    /// Notes damage of an object that nothing needs.
    ///
    /// # Errors
    /// As [`blame`](Self::blame).
    pub(crate) fn outlive_aside<T>(&self, outcome: Result<T>) -> Result<()> {
        let apart = Self::new(self.options);
        apart.outlive(outcome)?;
        self.aside().extend(std::mem::take(&mut *apart.all()));
        Ok(())
    }

    /// Takes an object out of what is damaged: nothing needs it.
    pub(crate) fn set_aside(&self, object: &str) {
        if let Some(damage) = self.all().remove(object) {
            self.aside().insert(object.to_owned(), damage);
        }
    }

    /// The same, with what was said of it when it was set aside.
    pub(crate) fn set_aside_as(&self, object: &str, what: &str) {
        if let Some(damage) = self.all().remove(object) {
            self.aside().insert(object.to_owned(), Damage { what: what.to_owned(), ..damage });
        }
    }

    /// Tells whether any object is damaged for which this holds.
    pub(crate) fn any(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        self.all().keys().any(|object| is_wanted(object))
    }

    /// Tells whether this object is damaged.
    pub(crate) fn has(&self, object: &str) -> bool {
        self.all().contains_key(object)
    }

    /// The packs that are damaged.
    pub(crate) fn damaged_packs(&self) -> Vec<PackId> {
        let pack = |object: &String| match ObjectName::parse(object) {
            Some(ObjectName::Pack(pack)) => Some(pack),
            _ => None,
        };
        self.all().keys().filter_map(pack).collect()
    }

    /// Everything that was found.
    pub(crate) fn finish(self) -> Found {
        let values = |damage: Mutex<BTreeMap<String, Damage>>| {
            damage.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
        };
        let notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        Found { damage: values(self.damage), set_aside: values(self.aside), notes }
    }

    fn aside(&self) -> MutexGuard<'_, BTreeMap<String, Damage>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Damage>> {
        // Every change is one call: a panic elsewhere leaves nothing half done.
        self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
