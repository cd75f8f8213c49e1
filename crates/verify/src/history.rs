//! When each pack was last read: a ledger in the repository, so that what was unread longest comes first, whoever reads.
//!
//! Each steady verification adds one record, `readings/<n>`, of the packs that it read and found sound. Records are read from the newest
//! back until every pack is accounted for; nothing in them is needed by a restore, and losing them costs reading again.

use std::collections::{BTreeSet, HashSet};

use lbak_core::{
    backend::{Folder, ObjectName},
    error::{Error, Result},
    id::{PackId, SessionId},
    metadata::Timestamp,
    repository::{Repository, StoredObject},
    snapshot::ReadingRecord,
    store::{list_names, put_slot},
};

use crate::{
    Coverage, Steady,
    ledger::Ledger,
    packs::{ListedPack, Packs},
};

/// Packs in one record: 16 MiB.
const PACKS_IN_RECORD: usize = 1 << 20;

/// Others may be adding records at the same time.
const MOST_TRIES: u64 = 100;

/// Never.
const NEVER: i64 = i64::MIN;

/// When packs were last read, in seconds since 1970, in the order of [`Packs::listed`].
pub(crate) struct History {
    last: Vec<i64>,
    /// The number of the next record.
    next: u64,
}

impl History {
    /// Reads the ledger, as far back as it tells something new. A damaged record is told, and its packs count as unread.
    pub(crate) fn load(repository: &Repository, packs: &Packs, ledger: &Ledger<'_>) -> Result<Self> {
        let now = repository.now();
        let mut records = list_names(&**repository.backend(), Folder::Readings.prefix())?;
        let number = |name: &ObjectName| if let ObjectName::Reading(number) = name { Some(*number) } else { None };
        let next =
            records.iter().filter_map(|(name, _)| number(name)).max().map_or(0, |newest| newest.saturating_add(1));
        let mut history = Self { last: vec![NEVER; packs.listed().len()], next };
        let mut unknown = history.last.len();
        records.reverse();
        for (name, size) in records {
            if unknown == 0 {
                break;
            }
            ledger.check_cancelled()?;
            let record = match repository.open_stored(&name, size) {
                Ok(StoredObject::Reading(record)) => record,
                // It was told with the other small objects.
                Err(error) if !error.is_of_one_object() => return Err(error),
                _ => continue,
            };
            // By a clock that was wrong; what it says of the past can not be told.
            if record.at > now {
                ledger.note(format!("{name} is dated in the future: what it tells is not believed"));
                continue;
            }
            for prefix in &record.packs {
                for place in packs.places_of(prefix) {
                    let Some(last) = history.last.get_mut(place) else { continue };
                    unknown -= usize::from(*last == NEVER);
                    *last = (*last).max(record.at.seconds);
                }
            }
        }
        Ok(history)
    }

    /// The places of the packs that are due, those that were unread longest first, those that are known to be damaged last: nobody relies
    /// on them, and being found damaged again they would come first for ever.
    pub(crate) fn due(&self, packs: &Packs, damaged: &HashSet<PackId>, steady: &Steady, now: Timestamp) -> Vec<usize> {
        let newest = newest_due(steady, now);
        let is_damaged = |place: usize| packs.listed().get(place).is_some_and(|pack| damaged.contains(&pack.id));
        let mut due: Vec<usize> = (0..self.last.len()).filter(|&place| self.last_of(place) <= newest).collect();
        due.sort_by_key(|&place| (is_damaged(place), self.last_of(place)));
        due
    }

    /// Notes packs that were read now, and adds them to the ledger in the repository.
    ///
    /// # Errors
    /// When the record can not be stored.
    pub(crate) fn add(
        &mut self,
        repository: &Repository,
        packs: &Packs,
        read: &BTreeSet<usize>,
        by: &str,
    ) -> Result<()> {
        let at = repository.now();
        let prefix = |pack: &ListedPack| *pack.id.0.first_chunk().expect("an id has 32 bytes");
        let prefixes: Vec<[u8; 16]> = read.iter().filter_map(|&place| packs.listed().get(place)).map(prefix).collect();
        for &place in read {
            if let Some(last) = self.last.get_mut(place) {
                *last = (*last).max(at.seconds);
            }
        }
        for packs in prefixes.chunks(PACKS_IN_RECORD) {
            self.put(repository, &ReadingRecord { by: by.to_owned(), at, packs: packs.to_vec() })?;
        }
        Ok(())
    }

    fn put(&mut self, repository: &Repository, record: &ReadingRecord) -> Result<()> {
        let plain = record.encode()?;
        for _ in 0..MOST_TRIES {
            let name = ObjectName::Reading(self.next);
            self.next = self.next.saturating_add(1);
            let sealed = repository.codec().seal_object(&name, ReadingRecord::KIND, SessionId([0; 16]), &plain)?;
            if put_slot(&**repository.backend(), &name, &sealed)? {
                return Ok(());
            }
        }
        Err(Error::SessionsLost {
            times: u32::try_from(MOST_TRIES).unwrap_or(u32::MAX),
            place: repository.backend().describe().place,
        })
    }

    /// How much of what is there was read, and when.
    pub(crate) fn coverage(
        &self,
        packs: &Packs,
        damaged: &HashSet<PackId>,
        steady: &Steady,
        now: Timestamp,
    ) -> Coverage {
        let newest = newest_due(steady, now);
        let mut coverage = Coverage { max_age: steady.max_age, ..Coverage::default() };
        for (place, pack) in packs.listed().iter().enumerate().filter(|(_, pack)| !damaged.contains(&pack.id)) {
            let last = self.last_of(place);
            coverage.packs += 1;
            coverage.bytes += pack.size;
            // Without an age everything that was ever read is covered.
            let is_covered = if steady.max_age.is_some() { last > newest } else { last != NEVER };
            if is_covered {
                coverage.packs_covered += 1;
                coverage.bytes_covered += pack.size;
            }
            coverage.packs_never += u64::from(last == NEVER);
            if last != NEVER {
                coverage.oldest = Some(coverage.oldest.map_or(last, |oldest: i64| oldest.min(last)));
            }
        }
        coverage
    }

    fn last_of(&self, place: usize) -> i64 {
        self.last.get(place).copied().unwrap_or(NEVER)
    }
}

/// Packs that were read later than this are not due.
fn newest_due(steady: &Steady, now: Timestamp) -> i64 {
    let Some(age) = steady.max_age else { return i64::MAX };
    now.seconds.saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}
