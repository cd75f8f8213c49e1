//! Proof that the conformance suite bites: stores with one defect each, and the rule that has to find it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering},
    thread::yield_now,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lbak_core::backend::{
    Backend, BackendError, BackendErrorKind, Description, Latency, MemoryBackend, ObjectName, Promise, Sealed,
};
use lbak_testkit::conformance;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    NoPlace,
    Overwrites,
    AcceptsEqualBytes,
    AsksBeforeItCreates,
    ShowsPartialObjects,
    LosesTheLastByte,
    FoldsTheDigitsOfNumbers,
    InventsMissingObjects,
    IgnoresOffsets,
    ShortRanges,
    OverflowsOnRanges,
    FillsFromTheFront,
    LeavesTheRestOfABuffer,
    KeepsRemoved,
    RemovesNeighbours,
    FailsToRemoveMissing,
    NeverForgetsNames,
    TruncatesLists,
    ListsZeroSizes,
    ListsWholeFolders,
    ListsOnlyFolders,
    FailsOnEmptyFolders,
    SwallowsListenerErrors,
    RemembersMisses,
    RemembersLists,
    ListsByPosition,
}

use Defect::*;

/// Every defect with the rule that finds it.
const PLANTED: [(Defect, &str); 26] = [
    (NoPlace, "a_store_says_where_it_is"),
    (Overwrites, "a_taken_name_is_refused_and_keeps_its_bytes"),
    (AcceptsEqualBytes, "a_taken_name_is_refused_even_for_equal_bytes"),
    (AsksBeforeItCreates, "of_writers_that_race_exactly_one_wins"),
    (ShowsPartialObjects, "a_reader_never_sees_part_of_an_object"),
    (LosesTheLastByte, "what_was_put_is_read_back"),
    (FoldsTheDigitsOfNumbers, "every_name_of_the_format_can_be_stored"),
    (InventsMissingObjects, "a_missing_object_is_not_found"),
    (IgnoresOffsets, "ranges_are_exact"),
    (ShortRanges, "a_range_past_the_end_is_corrupt"),
    (FillsFromTheFront, "a_callers_buffer_is_filled_with_the_range"),
    (LeavesTheRestOfABuffer, "a_callers_buffer_is_filled_with_the_range"),
    (OverflowsOnRanges, "a_range_past_the_end_is_corrupt"),
    (KeepsRemoved, "a_removed_object_is_gone_and_nothing_else"),
    (RemovesNeighbours, "a_removed_object_is_gone_and_nothing_else"),
    (FailsToRemoveMissing, "removing_what_is_not_there_is_no_error"),
    (NeverForgetsNames, "a_removed_name_can_be_put_again"),
    (TruncatesLists, "a_list_of_many_objects_is_complete"),
    (ListsZeroSizes, "a_list_has_names_and_true_sizes"),
    (ListsWholeFolders, "a_list_follows_its_prefix"),
    (ListsOnlyFolders, "a_list_follows_its_prefix"),
    (FailsOnEmptyFolders, "an_empty_store_lists_nothing"),
    (SwallowsListenerErrors, "an_error_of_the_listener_ends_the_list"),
    (RemembersMisses, "a_read_after_a_change_reflects_it"),
    (RemembersLists, "a_read_after_a_change_reflects_it"),
    (ListsByPosition, "a_list_during_changes_has_all_that_stays"),
];

#[test]
fn every_planted_defect_is_found_by_its_rule() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let verdicts: Vec<_> = PLANTED.iter().map(|&(defect, rule)| (defect, rule, broken_rules(defect))).collect();
    std::panic::set_hook(quiet);
    for (defect, rule, broken) in verdicts {
        assert!(broken.contains(&rule), "{defect:?} should break {rule}, and broke {broken:?}");
    }
}

#[test]
fn every_rule_finds_something() {
    for rule in &conformance::RULES {
        let is_planted = PLANTED.iter().any(|(_, name)| *name == rule.name);
        assert!(is_planted, "no planted defect for {}", rule.name);
    }
}

fn broken_rules(defect: Defect) -> Vec<&'static str> {
    let is_broken = |rule: &conformance::Rule| {
        catch_unwind(AssertUnwindSafe(|| rule.check(&Planted::new(defect))))
            .is_err_and(|panic| panic.downcast_ref::<String>().is_some_and(|text| text.contains(rule.name)))
    };
    conformance::RULES.iter().filter(|rule| is_broken(rule)).map(|rule| rule.name).collect()
}

#[derive(Debug)]
struct Planted {
    defect: Defect,
    store: MemoryBackend,
    /// Names that were once missing, or once there; what the defect needs.
    remembered: Mutex<BTreeMap<String, Vec<(String, u64)>>>,
    puts: AtomicUsize,
    /// Objects that somebody got.
    gets: AtomicUsize,
}

impl Planted {
    fn new(defect: Defect) -> Self {
        Self {
            defect,
            store: MemoryBackend::new(),
            remembered: Mutex::default(),
            puts: AtomicUsize::new(0),
            gets: AtomicUsize::new(0),
        }
    }

    fn remembers(&self, name: &ObjectName) -> bool {
        self.remembered.lock().unwrap().contains_key(&name.to_string())
    }

    fn remember(&self, name: &ObjectName) {
        self.remembered.lock().unwrap().insert(name.to_string(), Vec::new());
    }

    /// A file system that is not quite up to the names.
    fn folded(&self, name: &ObjectName) -> ObjectName {
        match name {
            ObjectName::Fin(_) if self.defect == FoldsTheDigitsOfNumbers => ObjectName::Fin(0),
            name => name.clone(),
        }
    }
}

impl Backend for Planted {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let name = &self.folded(name);
        let (text, bytes) = (name.to_string(), object.as_bytes());
        match self.defect {
            Overwrites => self.store.tamper(&text, Some(bytes.clone())),
            AcceptsEqualBytes if self.store.get(name).is_ok_and(|there| there == bytes) => {}
            AsksBeforeItCreates => {
                if self.store.get(name).is_ok() {
                    return Err(BackendErrorKind::AlreadyExists.into());
                }
                (0..200).for_each(|_| yield_now());
                self.store.tamper(&text, Some(bytes.clone()));
            }
            ShowsPartialObjects => {
                if self.store.get(name).is_ok() {
                    return Err(BackendErrorKind::AlreadyExists.into());
                }
                let gets = self.gets.load(Ordering::SeqCst);
                self.store.tamper(&text, Some(bytes.slice(..bytes.len() / 2)));
                // Until somebody has it, if anybody looks at all: on a busy machine the one who looks may not run for long.
                let patience = Instant::now() + Duration::from_millis(10);
                let is_early = self.puts.load(Ordering::Relaxed) < 30;
                while is_early && self.gets.load(Ordering::SeqCst) == gets && Instant::now() < patience {
                    yield_now();
                }
                self.store.tamper(&text, Some(bytes.clone()));
            }
            LosesTheLastByte => self.store.tamper(&text, Some(bytes.slice(..bytes.len() - 1))),
            NeverForgetsNames if self.remembers(name) => return Err(BackendErrorKind::AlreadyExists.into()),
            NeverForgetsNames => {
                self.store.put(name, object)?;
                self.remember(name);
            }
            _ => self.store.put(name, object)?,
        }
        Ok(())
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        if self.defect == RemembersMisses && self.remembers(name) {
            return Err(BackendErrorKind::NotFound.into());
        }
        let result = self.store.get(&self.folded(name));
        self.gets.fetch_add(usize::from(result.is_ok()), Ordering::SeqCst);
        match self.defect {
            InventsMissingObjects => Ok(result.unwrap_or_default()),
            RemembersMisses if result.is_err() => {
                self.remember(name);
                result
            }
            _ => result,
        }
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        match self.defect {
            IgnoresOffsets => {
                let range = self.store.get_range(name, offset, length)?;
                Ok(self.store.get(name)?.slice(..range.len()))
            }
            ShortRanges => {
                let object = self.store.get(name)?;
                let start = usize::try_from(offset).unwrap().min(object.len());
                let end = usize::try_from(offset.saturating_add(length)).unwrap().min(object.len());
                Ok(object.slice(start..end))
            }
            OverflowsOnRanges => {
                let object = self.store.get(name)?;
                let end = usize::try_from(offset.wrapping_add(length)).unwrap();
                if end > object.len() {
                    return Err(BackendErrorKind::Corrupt.into());
                }
                Ok(object.slice(usize::try_from(offset).unwrap()..end))
            }
            _ => self.store.get_range(name, offset, length),
        }
    }

    fn get_range_into(&self, name: &ObjectName, offset: u64, buffer: &mut [u8]) -> Result<(), BackendError> {
        match self.defect {
            FillsFromTheFront => {
                self.store.get_range(name, offset, buffer.len() as u64)?;
                self.store.get_range_into(name, 0, buffer)
            }
            LeavesTheRestOfABuffer => {
                let object = self.store.get(name)?;
                let behind = object.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
                let length = behind.len().min(buffer.len());
                buffer[..length].copy_from_slice(&behind[..length]);
                Ok(())
            }
            _ => self.store.get_range_into(name, offset, buffer),
        }
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let folder_end = prefix.rfind('/').map_or(0, |slash| slash + 1);
        let mut listed = Vec::new();
        let asked = match self.defect {
            ListsWholeFolders => &prefix[..folder_end],
            _ => prefix,
        };
        if self.defect == ListsByPosition {
            // Page by page, each page by its number: what moves up in between is missed.
            while let Some((name, bytes)) =
                self.store.contents().iter().filter(|(n, _)| n.starts_with(prefix)).nth(listed.len())
            {
                listed.push((name.clone(), bytes.len() as u64));
                yield_now();
            }
        } else {
            self.store.list(asked, &mut |name, size| {
                listed.push((name.to_owned(), size));
                Ok(())
            })?;
        }
        match self.defect {
            TruncatesLists => listed.truncate(1000),
            ListsZeroSizes => listed.iter_mut().for_each(|(_, size)| *size = 0),
            ListsOnlyFolders if !prefix.ends_with('/') => listed.clear(),
            FailsOnEmptyFolders if listed.is_empty() => return Err(BackendErrorKind::NotFound.into()),
            RemembersLists => {
                listed = self.remembered.lock().unwrap().entry(prefix.to_owned()).or_insert(listed).clone();
            }
            _ => {}
        }
        for (name, size) in listed {
            match found(&name, size) {
                Err(_) if self.defect == SwallowsListenerErrors => return Ok(()),
                result => result?,
            }
        }
        Ok(())
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        match self.defect {
            KeepsRemoved => Ok(()),
            RemovesNeighbours => {
                let text = name.to_string();
                // By the beginning of the name, as a glob would.
                let beginning = &text[..text.len().saturating_sub(2).max(1)];
                let neighbours: Vec<_> =
                    self.store.contents().into_keys().filter(|there| there.starts_with(beginning)).collect();
                neighbours.iter().for_each(|there| self.store.tamper(there, None));
                Ok(())
            }
            FailsToRemoveMissing => {
                self.store.get(name)?;
                self.store.remove(name)
            }
            _ => self.store.remove(name),
        }
    }

    fn describe(&self) -> Description {
        let place = if self.defect == NoPlace { String::new() } else { format!("{:?}", self.defect) };
        let latency = Latency::Low;
        Description { place, exclusive_create: Promise::Kept, fresh_reads: Promise::Kept, latency }
    }
}
