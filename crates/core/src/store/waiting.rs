//! Reading for workers: by themselves where a store answers at once, else by threads beside them that may wait.
//!
//! A store in memory or on a disk of this machine answers mostly from memory, and what a worker has read is in its processor's cache:
//! restoring a kernel tree took 8 % less time than with threads that read for it, and 5 % less with an empty page cache. With a network in
//! between, a worker would have nothing to do for as long as an answer takes.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::at_once;
use crate::{
    backend::{Backend, Latency},
    error::Result,
};

/// Threads beyond the number of workers: so many may wait while every worker is busy.
const BEYOND_WORKERS: usize = 2;

/// Does `work` for each item, a few at once, and returns what came of each, in the order of the items: what it reads from the store,
/// it reads where it runs; what it computes, it lets [`install`](rayon::ThreadPool::install) on the workers.
///
/// After an error no more are begun. A worker that calls it does all of them itself where they would be left to threads that wait: these
/// need the workers.
///
/// # Errors
/// The first of `work`.
pub fn map_reading<T: Sync, R: Send>(
    backend: &dyn Backend,
    workers: &rayon::ThreadPool,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    match backend.describe().latency {
        Latency::Low => workers.install(|| items.par_iter().with_max_len(1).map(&work).collect()),
        Latency::High if workers.current_thread_index().is_some() => items.iter().map(work).collect(),
        Latency::High => map_beside(workers, items, work),
    }
}

fn map_beside<T: Sync, R: Send>(
    workers: &rayon::ThreadPool,
    items: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let done: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::default()).collect();
    let most = (workers.current_num_threads() + BEYOND_WORKERS).min(items.len());
    let find = |give: &mut dyn FnMut(_) -> bool| {
        let _all = items.iter().zip(&done).all(give);
        Ok(())
    };
    at_once::for_each(most, find, &|(item, place): (&T, &Mutex<Option<R>>)| {
        let result = work(item)?;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        Ok(())
    })?;
    Ok(done.into_iter().filter_map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;

    fn workers() -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads")
    }

    #[test]
    fn every_item_is_done_once_in_its_place_and_none_on_a_worker() {
        let (workers, calls) = (workers(), AtomicUsize::new(0));
        let items: Vec<u64> = (1..=1000).collect();
        let work = |item: &u64| {
            calls.fetch_add(1, Ordering::Relaxed);
            assert_eq!(rayon::current_thread_index(), None, "a worker would wait");
            Ok(workers.install(|| rayon::current_thread_index().map(|_| item * 2)))
        };
        let doubled = map_beside(&workers, &items, work).expect("no error");
        assert_eq!(doubled, items.iter().map(|item| Some(item * 2)).collect::<Vec<_>>());
        assert_eq!(calls.into_inner(), 1000);
    }

    #[test]
    fn the_first_error_ends_it() {
        let (workers, begun) = (workers(), AtomicUsize::new(0));
        let items: Vec<usize> = (0..100_000).collect();
        let work = |item: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 10 { Err(Error::Cancelled) } else { Ok(()) }
        };
        assert!(matches!(map_beside(&workers, &items, work), Err(Error::Cancelled)));
        assert!(begun.load(Ordering::Relaxed) < items.len(), "everything was begun all the same");
        assert!(map_beside(&workers, &items[..0], work).is_ok_and(|done| done.is_empty()));
    }
}
