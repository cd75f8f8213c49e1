//! What was said of nodes: what was found true, so that whoever says the same is not asked again, and what was found wrong, so that it is
//! told once, in whatever order threads meet it.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use lbak_core::{error::Error, index::Ordinal};

use crate::node::Said;

/// Stands for what was said of a node that is still to be opened, or was not found true.
const UNHEARD: u64 = 0;

/// Holds some twenty bytes of each node of which more was said than that it is a directory, and of each thing that was found wrong.
#[derive(Default)]
pub(crate) struct Heard {
    numbers: RandomState,
    /// What was found true last.
    kept: Mutex<HashMap<Ordinal, u64>>,
    told: Mutex<HashSet<(Ordinal, u64)>>,
}

impl Heard {
    /// Tells of a node that is met whether it is to be opened, and if so, whether for the first time.
    pub(crate) fn meet(&self, ordinal: Ordinal, said: &Said, is_first: impl FnOnce() -> bool) -> Option<bool> {
        let number = said.number(&self.numbers);
        // Held meanwhile: whoever comes second finds what the first has noted.
        let mut kept = self.kept();
        let is_first = is_first();
        if is_first && number.is_some() {
            kept.insert(ordinal, UNHEARD);
        }
        (is_first || kept.get(&ordinal).copied() != number).then_some(is_first)
    }

    /// Tells whether just this was found true last of a node that was met before.
    pub(crate) fn is_true(&self, ordinal: Ordinal, said: &Said) -> bool {
        self.kept().get(&ordinal).copied() == said.number(&self.numbers)
    }

    /// Remembers what was found true.
    pub(crate) fn keep(&self, ordinal: Ordinal, said: &Said) {
        match said.number(&self.numbers) {
            Some(number) => _ = self.kept().insert(ordinal, number),
            None => _ = self.kept().remove(&ordinal),
        }
    }

    /// Tells whether this was not found wrong with a node before.
    pub(crate) fn is_new(&self, ordinal: Ordinal, wrong: &Error) -> bool {
        let told = (ordinal, self.numbers.hash_one(wrong.to_string()));
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(told)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Ordinal, u64>> {
        // Every change is one call.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
