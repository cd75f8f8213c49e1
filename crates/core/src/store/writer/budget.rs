//! Bounds the bytes in flight between reading and storing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;
use crate::error::Result;

/// A number of bytes that may be in flight at once.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: Mutex<usize>,
    freed: Condvar,
    failure: Arc<Failure>,
}

/// Bytes taken from a budget, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: usize, failure: Arc<Failure>) -> Self {
        Self { limit, used: Mutex::new(0), freed: Condvar::new(), failure }
    }

    /// Waits until `bytes` fit and takes them; more than the whole budget waits until nothing else is in flight.
    /// Called by threads that read, never by workers: those would wait for themselves.
    ///
    /// # Errors
    /// The writer's failure, if there is one.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Share> {
        let mut used = self.used();
        loop {
            self.failure.check()?;
            if *used == 0 || *used + bytes <= self.limit {
                *used += bytes;
                return Ok(Share { budget: Arc::clone(self), bytes });
            }
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes bytes without waiting: those of a pack, which exist already.
    pub(super) fn take_regardless(self: &Arc<Self>, bytes: usize) -> Share {
        *self.used() += bytes;
        Share { budget: Arc::clone(self), bytes }
    }

    /// Wakes all who wait, so that they see a failure.
    pub(super) fn wake(&self) {
        let _used = self.used();
        self.freed.notify_all();
    }

    fn used(&self) -> MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.budget.used() -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn who_wants_too_much_waits_for_the_others() {
        let budget = Arc::new(Budget::new(10, Arc::default()));
        let (first, second) = (budget.take(6).expect("free"), budget.take(4).expect("free"));
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _all = budget.take(100).expect("more than there is, alone");
                order.lock().expect("lock").push("taken");
            });
            order.lock().expect("lock").push("given back");
            drop((first, second));
        });
        assert_eq!(*order.lock().expect("lock"), ["given back", "taken"]);
        assert_eq!(*budget.used(), 0);
    }

    #[test]
    fn a_failure_wakes_who_waits() {
        let failure = Arc::new(Failure::default());
        let budget = Arc::new(Budget::new(10, Arc::clone(&failure)));
        let _all = budget.take(10).expect("free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(1).map(drop));
            failure.set(Error::Cancelled);
            budget.wake();
            assert!(matches!(waiting.join().expect("no panic"), Err(Error::Cancelled)));
        });
    }
}
