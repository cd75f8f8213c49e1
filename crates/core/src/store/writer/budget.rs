//! Bounds the bytes in flight between reading and storing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::failure::Failure;
use crate::error::Result;

/// How many bytes may be in flight at once: read and not yet in a pack, and in packs on their way.
#[derive(Debug)]
pub struct Budget {
    read_limit: usize,
    queue_limit: usize,
    used: Mutex<Used>,
    freed: Condvar,
    failure: Arc<Failure>,
}

#[derive(Debug, Default)]
struct Used {
    /// Read, and not yet in a pack.
    read: usize,
    /// In packs on their way.
    queued: usize,
}

/// Bytes taken from a budget, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    read: usize,
    queued: usize,
}

impl Budget {
    pub(super) fn new(read_limit: usize, queue_limit: usize, failure: Arc<Failure>) -> Self {
        Self { read_limit, queue_limit, used: Mutex::default(), freed: Condvar::new(), failure }
    }

    /// Waits until `bytes` more may be read and takes them; more than the whole budget waits until nothing else is in
    /// flight. Called by threads that read, never by workers: those would wait for themselves.
    ///
    /// # Errors
    /// The writer's failure, if there is one.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Share> {
        let mut used = self.used();
        loop {
            self.failure.check()?;
            let fits = used.read == 0 || used.read + bytes <= self.read_limit;
            if fits && used.queued <= self.queue_limit {
                used.read += bytes;
                return Ok(Share { budget: Arc::clone(self), read: bytes, queued: 0 });
            }
            used = self.freed.wait(used).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Counts a pack on its way, without waiting: its bytes exist already, and who reads more waits for it.
    pub(super) fn queue(self: &Arc<Self>, bytes: usize) -> Share {
        self.used().queued += bytes;
        Share { budget: Arc::clone(self), read: 0, queued: bytes }
    }

    /// Wakes all who wait, so that they see a failure.
    pub(super) fn wake(&self) {
        let _used = self.used();
        self.freed.notify_all();
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        used.read -= self.read;
        used.queued -= self.queued;
        drop(used);
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn who_wants_too_much_waits_for_the_others() {
        let budget = Arc::new(Budget::new(10, 10, Arc::default()));
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
        assert_eq!(budget.used().read, 0);
    }

    #[test]
    fn nothing_is_read_while_too_many_packs_are_on_their_way() {
        let budget = Arc::new(Budget::new(10, 10, Arc::default()));
        let packs = (budget.queue(8), budget.queue(8));
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _share = budget.take(1).expect("a pack has arrived");
                order.lock().expect("lock").push("read");
            });
            order.lock().expect("lock").push("stored");
            drop(packs.0);
        });
        assert_eq!(*order.lock().expect("lock"), ["stored", "read"]);
    }

    #[test]
    fn a_failure_wakes_who_waits() {
        let failure = Arc::new(Failure::default());
        let budget = Arc::new(Budget::new(10, 10, Arc::clone(&failure)));
        let _all = budget.take(10).expect("free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(1).map(drop));
            failure.set(Error::Cancelled);
            budget.wake();
            assert!(matches!(waiting.join().expect("no panic"), Err(Error::Cancelled)));
        });
    }
}
