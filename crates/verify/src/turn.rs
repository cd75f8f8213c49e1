//! One turn of a steady verification: what is due, in its order, as far as time and bytes allow.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use lbak_core::{error::Result, id::PackId, repository::Repository};

use crate::{
    Share, Steady, VerifyReport,
    data::{Outcome, PackReading, Unsound},
    history::History,
    ledger::Ledger,
    object::read_bytes,
    pace::Pace,
    packs::{ListedPack, Packs},
};

/// What a turn needs.
pub(crate) struct Turn<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) packs: &'a Packs,
    /// Packs that are known to be damaged: nobody relies on them.
    pub(crate) damaged_packs: &'a HashSet<PackId>,
    pub(crate) share: &'a Share,
    pub(crate) steady: &'a Steady,
    pub(crate) begun: Instant,
}

impl Turn<'_> {
    /// Reads what is due, and remembers in the repository what was read.
    pub(crate) fn read(
        &self,
        reading: &PackReading<'_>,
        ledger: &Ledger<'_>,
        report: &mut VerifyReport,
    ) -> Result<Unsound> {
        let now = self.repository.now();
        let mut history = History::load(self.repository, self.packs, ledger)?;
        let due = history.due(self.packs, self.damaged_packs, self.steady, now).into_iter();
        let due = due.filter_map(|place| self.shared(place).map(|pack| (place, read_bytes(&pack.name(), pack.size))));
        let pace = Pace::new(due.collect(), self.steady, rayon::current_num_threads());
        ledger.expect_bytes(pace.expected_bytes());

        let read = Mutex::new(BTreeSet::new());
        let next = || pace.next(self.begun.elapsed());
        // What is damaged is not remembered: it is due again the next time, until nobody needs it any more.
        let outcome = reading.run_in_turn(&next, &|place, outcome| match (outcome, self.shared(place)) {
            (Outcome::Sound, _) => _ = read.lock().unwrap_or_else(PoisonError::into_inner).insert(place),
            // Those that are known to be damaged come last: what they take, they take from nobody, and there may be many of them.
            (Outcome::Unsound(took), Some(pack)) if !self.damaged_packs.contains(&pack.id) => {
                pace.give_back(read_bytes(&pack.name(), pack.size), took);
            }
            _ => {}
        });
        let read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
        // When it was interrupted, too.
        if !read.is_empty()
            && let Err(error) = history.add(self.repository, self.packs, &read, &self.steady.by)
        {
            ledger.note(format!("what was read could not be remembered, and will be read again: {error}"));
            history = History::load(self.repository, self.packs, ledger)?;
        }
        let unsound = outcome?;
        report.coverage = Some(history.coverage(self.packs, self.damaged_packs, self.steady, now));
        Ok(unsound)
    }

    /// The pack at a place, when it belongs to the share that is read.
    fn shared(&self, place: usize) -> Option<&ListedPack> {
        self.packs.listed().get(place).filter(|pack| self.share.contains(&pack.id))
    }
}
