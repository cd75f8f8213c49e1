//! One turn of a steady verification: what is due, in its order, as far as time and bytes allow.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use lbak_core::{error::Result, id::PackId, repository::Repository};

use crate::{
    Share, Steady, VerifyReport,
    data::{PackReading, Unsound},
    history::History,
    ledger::Ledger,
    packs::Packs,
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
        let mut due = history.due(self.steady, now);
        due.retain(|&place| self.packs.listed().get(place).is_some_and(|pack| self.share.contains(&pack.id)));
        ledger.expect_bytes(self.bytes_of(&due).min(self.steady.max_bytes.unwrap_or(u64::MAX)));

        let read = Mutex::new(BTreeSet::new());
        let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
        let next_due = || {
            let place = *due.get(next.fetch_add(1, Ordering::Relaxed))?;
            let size = self.packs.listed().get(place)?.size;
            let before = bytes.fetch_add(size, Ordering::Relaxed);
            let is_over = self.steady.max_time.is_some_and(|most| self.begun.elapsed() >= most)
                || before > 0 && self.steady.max_bytes.is_some_and(|most| before.saturating_add(size) > most);
            (!is_over).then_some(place)
        };
        // What is damaged is not remembered: it is due again the next time, until nobody needs it any more.
        let outcome = reading.run_in_turn(&next_due, &|place| {
            read.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
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

    fn bytes_of(&self, places: &[usize]) -> u64 {
        places.iter().filter_map(|&place| self.packs.listed().get(place)).map(|pack| pack.size).sum()
    }
}
