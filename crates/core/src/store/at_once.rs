//! Many things at a time, by threads that wait for the store and not for a processor.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use crate::error::{Error, Result};

/// Things that wait for a thread: whoever finds them is not to run ahead.
const WAITING: usize = 64;

/// Does the work for each thing that `find` gives, in any order and as many at a time as there are to be threads; where fewer can be had,
/// these do it, or the caller does. After an error nothing more is begun; `find` hears that nobody takes what it gives.
///
/// Things are taken as they are found, millions of them, and nothing is kept of what comes of them; a worker may call it. `find` waits
/// while all threads are busy, so it is not to hold anything of the store's that they need: a listing, say.
///
/// # Errors
/// The first of the work, [`Error::Panicked`] where that panicked, or else that of `find`.
pub(crate) fn for_each<T: Send>(
    threads: usize,
    find: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<()>,
    work: &(dyn Fn(T) -> Result<()> + Sync),
) -> Result<()> {
    let work = Work { work, has_failed: AtomicBool::new(false), failure: Mutex::default() };
    let (give, take) = sync_channel(WAITING);
    let take = Mutex::new(take);
    let found = thread::scope(|scope| {
        let run = || work.take_all(&take);
        let begin = |number| thread::Builder::new().name(format!("lbak-waiting-{number}")).spawn_scoped(scope, run);
        let begun = (0..threads).take_while(|number| begin(*number).is_ok()).count();
        // Those who take are there until nothing can come any more, which is when this is dropped.
        let give = give;
        find(&mut |thing| {
            if begun == 0 {
                work.do_one(thing);
                return !work.has_failed();
            }
            !work.has_failed() && give.send(thing).is_ok()
        })
    });
    work.failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(found, Err)
}

struct Work<'a, T> {
    work: &'a (dyn Fn(T) -> Result<()> + Sync),
    has_failed: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl<T> Work<'_, T> {
    /// After a failure things are taken all the same, and left: whoever gives them is not to wait.
    fn take_all(&self, take: &Mutex<Receiver<T>>) {
        loop {
            // Held while it waits: the others would only wait, too.
            let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(thing) = next else { return };
            self.do_one(thing);
        }
    }

    fn do_one(&self, thing: T) {
        if self.has_failed() {
            return;
        }
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| (self.work)(thing)));
        if let Err(error) = outcome.unwrap_or(Err(Error::Panicked { doing: "waiting for the store" })) {
            self.has_failed.store(true, Ordering::Relaxed);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, atomic::AtomicUsize};

    use super::*;

    const THREADS: usize = 8;

    #[test]
    fn all_is_done_and_several_at_a_time() {
        // Nobody passes before all threads are there.
        let (barrier, done) = (Barrier::new(THREADS), Mutex::new(Vec::new()));
        let all = 0..THREADS * 20;
        let find = |give: &mut dyn FnMut(usize) -> bool| {
            assert!(all.clone().all(give));
            Ok(())
        };
        let work = |number| {
            barrier.wait();
            done.lock().expect("lock").push(number);
            Ok(())
        };
        for_each(THREADS, find, &work).expect("all of them");
        let mut done = done.into_inner().expect("lock");
        done.sort_unstable();
        assert_eq!(done, all.collect::<Vec<_>>());
    }

    #[test]
    fn an_error_or_a_panic_ends_it_and_whoever_finds_hears_of_it() {
        let endless = |give: &mut dyn FnMut(u64) -> bool| {
            // There is no end to them but the error.
            let _last = (0..u64::MAX).find(|number| !give(*number));
            Err(Error::Cancelled)
        };
        let fail = |number: u64| if number == 3 { Err(Error::TooLate { what: "third".into() }) } else { Ok(()) };
        let panic = |number: u64| if number == 3 { panic!("the third") } else { Ok(()) };
        for threads in [0, 1, THREADS] {
            assert!(matches!(for_each(threads, endless, &fail), Err(Error::TooLate { .. })), "{threads}");
            assert!(matches!(for_each(threads, endless, &panic), Err(Error::Panicked { .. })), "{threads}");
            let found = for_each(threads, |_: &mut dyn FnMut(u64) -> bool| Err(Error::Cancelled), &|_| Ok(()));
            assert!(matches!(found, Err(Error::Cancelled)), "{threads}");
        }
    }

    #[test]
    fn without_any_thread_the_caller_does_it() {
        let (here, done) = (thread::current().id(), AtomicUsize::new(0));
        let work = |_| {
            assert_eq!(thread::current().id(), here);
            done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let find = |give: &mut dyn FnMut(u64) -> bool| {
            assert!((0..100).all(give));
            Ok(())
        };
        for_each(0, find, &work).expect("all of them");
        assert_eq!(done.into_inner(), 100);
    }
}
