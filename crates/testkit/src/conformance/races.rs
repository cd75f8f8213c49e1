//! Rules that take several threads to break.
//!
//! A store that breaks one may be lucky now and then, so each is tried often; one that keeps them never fails.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{ScopedJoinHandle, scope, yield_now},
};

use lbak_core::backend::{
    Backend,
    BackendErrorKind::{AlreadyExists, NotFound},
    ObjectName, Promise, Sealed,
};

use super::{Outcome, done, ensure, fails, listed, session};
use crate::objects::{noise, trailed};

fn joined<T>(thread: ScopedJoinHandle<'_, Outcome<T>>) -> Outcome<T> {
    thread.join().unwrap_or_else(|_| Err("it panicked".into()))
}

/// Not asked of a store that says it can not.
pub(super) fn of_writers_that_race_exactly_one_wins(backend: &dyn Backend) -> Outcome {
    const WRITERS: usize = 6;
    if backend.describe().exclusive_create == Promise::Broken {
        return Ok(());
    }
    for round in 0..25 {
        let name = session(round);
        let barrier = Barrier::new(WRITERS);
        let objects: Vec<Sealed> =
            (0..WRITERS).map(|writer| trailed(&name, &noise(writer as u64, 3000 + writer))).collect();
        let results: Vec<_> = scope(|scope| {
            let writers: Vec<_> = objects
                .iter()
                .map(|object| {
                    let (name, barrier) = (&name, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        let result = backend.put(name, object);
                        // What a loser reads is what won, at once.
                        Ok((result, done("get after the race for", name, backend.get(name))?))
                    })
                })
                .collect();
            writers.into_iter().map(joined).collect::<Outcome<_>>()
        })?;
        let won: Vec<usize> = (0..WRITERS).filter(|&writer| results[writer].0.is_ok()).collect();
        ensure!(won.len() == 1, "of {WRITERS} writers of {name}, {} were told that they had won", won.len());
        for (result, read) in results {
            ensure!(read == objects[won[0]].as_bytes(), "after the race for {name} not all read the winner's bytes");
            if result.is_err() {
                fails("put of the taken", &name, result, AlreadyExists)?;
            }
        }
    }
    Ok(())
}

pub(super) fn a_reader_never_sees_part_of_an_object(backend: &dyn Backend) -> Outcome {
    if backend.describe().exclusive_create == Promise::Broken {
        return Ok(());
    }
    let objects: Vec<(ObjectName, Sealed)> = (0..30)
        .map(|number| {
            let name = session(number);
            let object = trailed(&name, &noise(number, 300_000));
            (name, object)
        })
        .collect();
    let is_written = AtomicBool::new(false);
    scope(|scope| {
        let readers: Vec<_> = [Look::Get, Look::GetRange, Look::List]
            .into_iter()
            .map(|look| {
                let (objects, is_written) = (&objects, &is_written);
                scope.spawn(move || objects.iter().try_for_each(|object| watch(backend, object, look, is_written)))
            })
            .collect();
        let written = objects.iter().try_for_each(|(name, object)| done("put", name, backend.put(name, object)));
        is_written.store(true, Ordering::Release);
        readers.into_iter().try_for_each(joined).and(written)
    })
}

#[derive(Clone, Copy)]
enum Look {
    Get,
    GetRange,
    List,
}

/// Looks for an object until it is there, and wants it whole the first time it is seen.
fn watch(backend: &dyn Backend, object: &(ObjectName, Sealed), look: Look, is_written: &AtomicBool) -> Outcome {
    let (name, bytes) = (&object.0, object.1.as_bytes());
    let size = bytes.len() as u64;
    loop {
        // Asked before looking: what is not there then has not been written.
        let was_written = is_written.load(Ordering::Acquire);
        let seen = match look {
            Look::Get => backend.get(name).map(|seen| (seen.len() as u64, seen == bytes)),
            Look::GetRange => {
                backend.get_range(name, size - 1000, 1000).map(|seen| (size, seen == bytes[bytes.len() - 1000..]))
            }
            Look::List => match listed(backend, &name.to_string())?.first() {
                Some(&(_, seen)) => Ok((seen, seen == size)),
                None => Err(NotFound.into()),
            },
        };
        match seen {
            Ok((_, true)) => return Ok(()),
            Ok((seen, false)) => {
                return Err(format!("{name} was seen with {seen} of its {size} bytes, or with others"));
            }
            Err(error) if error.kind == NotFound && !was_written => yield_now(),
            // The writer reports why there is none.
            Err(error) if error.kind == NotFound => return Ok(()),
            Err(error) => return Err(format!("a reader of {name} got an error while it was written: {error}")),
        }
    }
}

/// One thread changes, another reads when it is told: the store's own threads and caches must not matter.
pub(super) fn a_read_after_a_change_reflects_it(backend: &dyn Backend) -> Outcome {
    if backend.describe().fresh_reads == Promise::Broken {
        return Ok(());
    }
    // A store that remembers what it did not find has something to forget.
    for number in 0..40 {
        fails("get of", session(number), backend.get(&session(number)), NotFound)?;
    }
    listed(backend, "sessions/")?;

    let (changes, changed) = mpsc::channel::<(ObjectName, bool)>();
    let (seen, all_seen) = mpsc::channel::<()>();
    scope(|scope| {
        let reader = scope.spawn(move || {
            for (name, is_there) in changed {
                check_change(backend, &name, is_there)?;
                // The writer has gone when it failed, and says so itself.
                let _ = seen.send(());
            }
            Ok(())
        });
        // Ends early when the reader has failed, which says so itself.
        let tell =
            |name: &ObjectName, is_there| changes.send((name.clone(), is_there)).is_ok() && all_seen.recv().is_ok();
        let changing = (0..40).try_for_each(|number| {
            let name = session(number);
            done("put", &name, backend.put(&name, &trailed(&name, b"there")))?;
            if tell(&name, true) && number % 2 == 0 {
                done("remove", &name, backend.remove(&name))?;
                tell(&name, false);
            }
            Ok(())
        });
        drop(changes);
        joined(reader).and(changing)
    })
}

fn check_change(backend: &dyn Backend, name: &ObjectName, is_there: bool) -> Outcome {
    for prefix in ["sessions/", &name.to_string()] {
        let is_listed = listed(backend, prefix)?.iter().any(|(found, _)| *found == name.to_string());
        ensure!(is_listed || !is_there, "{name} was put and is not listed under {prefix:?}");
        ensure!(!is_listed || is_there, "{name} was removed and is listed under {prefix:?}");
    }
    if is_there {
        done("get after put of", name, backend.get(name))?;
        done("get_range after put of", name, backend.get_range(name, 0, 10))?;
        Ok(())
    } else {
        fails("get after remove of", name, backend.get(name), NotFound)?;
        fails("get_range after remove of", name, backend.get_range(name, 0, 10), NotFound)
    }
}

pub(super) fn a_list_during_changes_has_all_that_stays(backend: &dyn Backend) -> Outcome {
    const STAYING: u64 = 150;
    const PASSING: u64 = 40;
    const LISTS: u64 = 40;
    let object = |number: u64| {
        let name = session(number);
        let object = trailed(&name, &noise(number, 100)[..100 - usize::from(number.is_multiple_of(2))]);
        (name, object)
    };
    let put = |number: u64| {
        let (name, object) = object(number);
        done("put", &name, backend.put(&name, &object))
    };
    let sizes: BTreeMap<String, u64> = (0..STAYING + PASSING)
        .map(object)
        .map(|(name, object)| (name.to_string(), object.as_bytes().len() as u64))
        .collect();
    let staying: Vec<String> = (0..STAYING).map(|number| session(number).to_string()).collect();
    (0..STAYING).try_for_each(put)?;

    let is_over = AtomicBool::new(false);
    scope(|scope| {
        let lister = scope.spawn(|| {
            let checked = (0..LISTS).try_for_each(|_| check_list(&listed(backend, "sessions/")?, &sizes, &staying));
            is_over.store(true, Ordering::Release);
            checked
        });
        // Objects come and go, before and behind those that stay, for as long as the lists take.
        let mut coming = (STAYING..STAYING + PASSING).cycle();
        let mut there = VecDeque::new();
        let mut change = || {
            let number = coming.next().unwrap_or(STAYING);
            put(number)?;
            there.push_back(number);
            match there.pop_front() {
                Some(gone) if there.len() > 5 => done("remove", session(gone), backend.remove(&session(gone))),
                Some(stays) => {
                    there.push_front(stays);
                    Ok(())
                }
                None => Ok(()),
            }
        };
        let mut changing = Ok(());
        while changing.is_ok() && !is_over.load(Ordering::Acquire) {
            changing = change();
        }
        joined(lister).and(changing)
    })
}

/// Checks one list: all that stays once, what passes or not, nothing else.
fn check_list(found: &[(String, u64)], sizes: &BTreeMap<String, u64>, staying: &[String]) -> Outcome {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, size) in found {
        ensure!(sizes.get(name) == Some(size), "{name} is listed with {size} bytes, which it never had");
        *times.entry(name).or_default() += 1;
    }
    for name in staying {
        let times = times.get(name.as_str()).copied().unwrap_or(0);
        ensure!(times == 1, "{name} was there all the time and is listed {times} times");
    }
    Ok(())
}
