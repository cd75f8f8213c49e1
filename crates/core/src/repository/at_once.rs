//! Many small reads at a time, by threads that wait for the store and not for a processor.
//!
//! Unlike [`map_reading`](crate::store::map_reading) it takes things as they are found, millions of them, and keeps nothing of what comes of
//! them; a worker may call it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    thread,
};

use crate::error::{Error, Result};

/// How many at a time.
const THREADS: usize = 8;
/// Things that wait for a thread: whoever finds them is not to run ahead.
const WAITING: usize = 64;

/// Does the work for each thing that `find` gives, in any order and several at a time. After an error nothing more is begun; `find` hears
/// that nobody takes what it gives.
///
/// # Errors
/// The first of the work, or else that of `find`.
pub(super) fn for_each<T: Send>(
    find: impl FnOnce(&mut dyn FnMut(T) -> bool) -> Result<()>,
    work: &(dyn Fn(T) -> Result<()> + Sync),
) -> Result<()> {
    let has_failed = AtomicBool::new(false);
    thread::scope(|scope| {
        let (give, take) = sync_channel(WAITING);
        let take = Arc::new(Mutex::new(take));
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (take, has_failed) = (Arc::clone(&take), &has_failed);
            let run = move || {
                while !has_failed.load(Ordering::Relaxed) {
                    // Held while it waits: the others would only wait, too.
                    let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(thing) = next else { break };
                    work(thing).inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
                }
                Ok(())
            };
            let thread = thread::Builder::new().name("lbak-waiting".into()).spawn_scoped(scope, run);
            threads.push(thread.map_err(|source| Error::System { what: "a thread", source })?);
        }
        // With the last thread that takes, what is given is refused.
        drop(take);
        let found = find(&mut |thing| give.send(thing).is_ok());
        drop(give);
        let mut worked = Ok(());
        for thread in threads {
            let outcome =
                thread.join().map_err(|_| Error::Panicked { doing: "reading many objects" }).and_then(|done| done);
            worked = worked.and(outcome);
        }
        worked.and(found)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

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
        for_each(find, &work).expect("all of them");
        let mut done = done.into_inner().expect("lock");
        done.sort_unstable();
        assert_eq!(done, all.collect::<Vec<_>>());
    }

    #[test]
    fn an_error_ends_it_and_whoever_finds_hears_of_it() {
        let mut given = 0_u64;
        let find = |give: &mut dyn FnMut(u64) -> bool| {
            // There is no end to them but the error.
            while give(given) {
                given += 1;
            }
            Err(Error::Cancelled)
        };
        let fail = |number: u64| if number == 3 { Err(Error::TooLate { what: "third".into() }) } else { Ok(()) };
        assert!(matches!(for_each(find, &fail), Err(Error::TooLate { .. })));
        let found = for_each(|_: &mut dyn FnMut(u64) -> bool| Err(Error::Cancelled), &|_| Ok(()));
        assert!(matches!(found, Err(Error::Cancelled)));
    }
}
