//! How far a turn of steady verification goes: which pack comes next, and when its time or its bytes are used up.
//!
//! A pack that is found damaged is not remembered as read, so it comes first again in the next turn. What it takes does not count, else it
//! would stand before all others for ever. A turn always reads one pack that counts, however small its limits: night by night everything is read.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::Steady;

/// What is due, and how much of it was begun. Several threads take from it.
pub(crate) struct Pace<'a> {
    /// Places of packs and their sizes, in the order of reading.
    due: Vec<(usize, u64)>,
    steady: &'a Steady,
    workers: u32,
    begun: Mutex<Begun>,
}

/// What was begun. Of the packs, those that are sound, or are still being read.
#[derive(Default)]
struct Begun {
    next: usize,
    packs: usize,
    bytes: u64,
    /// Time that workers spent on packs which do not count.
    lost: Duration,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(due: Vec<(usize, u64)>, steady: &'a Steady, workers: usize) -> Self {
        let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
        Self { due, steady, workers, begun: Mutex::default() }
    }

    /// Bytes that will be read, as far as limits of bytes tell.
    pub(crate) fn expected_bytes(&self) -> u64 {
        let all = self.due.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        all.min(self.steady.max_bytes.unwrap_or(u64::MAX))
    }

    /// The place of the pack to read next, `elapsed` after the verification began; none when that is enough.
    pub(crate) fn next(&self, elapsed: Duration) -> Option<usize> {
        let mut begun = self.begun();
        let &(place, size) = self.due.get(begun.next)?;
        if begun.packs > 0 && (self.is_late(elapsed, begun.lost) || self.is_full(begun.bytes, size)) {
            return None;
        }
        begun.next += 1;
        begun.packs += 1;
        begun.bytes = begun.bytes.saturating_add(size);
        Some(place)
    }

    /// A pack of this size does not count, and took a worker so long.
    pub(crate) fn give_back(&self, size: u64, took: Duration) {
        let mut begun = self.begun();
        begun.packs = begun.packs.saturating_sub(1);
        begun.bytes = begun.bytes.saturating_sub(size);
        begun.lost += took;
    }

    /// What was lost is made up for, by as much time again at most. One worker's time is a part of everybody's.
    fn is_late(&self, elapsed: Duration, lost: Duration) -> bool {
        let lost = lost / self.workers;
        self.steady.max_time.is_some_and(|most| elapsed >= most.saturating_add(lost.min(most)))
    }

    fn is_full(&self, bytes: u64, more: u64) -> bool {
        self.steady.max_bytes.is_some_and(|most| bytes.saturating_add(more) > most)
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        // A panic elsewhere leaves counts that are right: nothing between their changes can fail.
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;
    const MINUTE: Duration = Duration::from_secs(60);

    fn due() -> Vec<(usize, u64)> {
        vec![(7, 10), (3, 10), (5, 10), (1, 10)]
    }

    #[test]
    fn one_pack_is_read_whatever_the_limits_and_then_they_hold() {
        for steady in [
            Steady { max_bytes: Some(0), ..Steady::default() },
            Steady { max_time: Some(Duration::ZERO), ..Steady::default() },
        ] {
            let pace = Pace::new(due(), &steady, 2);
            assert_eq!((pace.next(START), pace.next(START)), (Some(7), None));
            // It was damaged: it is as if it had not been there.
            pace.give_back(10, MINUTE);
            assert_eq!((pace.next(MINUTE), pace.next(MINUTE)), (Some(3), None));
        }
    }

    #[test]
    fn what_is_damaged_takes_no_bytes_from_the_others() {
        let steady = Steady { max_bytes: Some(25), ..Steady::default() };
        let pace = Pace::new(due(), &steady, 1);
        assert_eq!(pace.expected_bytes(), 25);
        assert_eq!([START; 3].map(|now| pace.next(now)), [Some(7), Some(3), None]);
        pace.give_back(10, START);
        // What was refused before is not passed over.
        assert_eq!([START; 2].map(|now| pace.next(now)), [Some(5), None]);
    }

    #[test]
    fn what_is_damaged_takes_time_from_the_others_only_beyond_as_much_again() {
        let steady = Steady { max_time: Some(10 * MINUTE), ..Steady::default() };
        let pace = Pace::new(due(), &steady, 2);
        assert_eq!((pace.next(START), pace.next(START)), (Some(7), Some(3)));
        // One of two workers lost six minutes: that is three of the turn's.
        pace.give_back(10, 6 * MINUTE);
        assert_eq!((pace.next(12 * MINUTE), pace.next(13 * MINUTE)), (Some(5), None));
        pace.give_back(10, 600 * MINUTE);
        assert_eq!((pace.next(20 * MINUTE), pace.next(19 * MINUTE)), (None, Some(1)));
    }

    #[test]
    fn without_limits_it_ends_with_what_is_due() {
        let steady = Steady::default();
        let pace = Pace::new(due(), &steady, 1);
        let all: Vec<usize> = std::iter::from_fn(|| pace.next(MINUTE)).collect();
        assert_eq!((all, pace.expected_bytes()), (vec![7, 3, 5, 1], 40));
    }
}
