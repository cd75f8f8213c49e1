//! Heals one pack at a time: nothing is believed but its hash.

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, BackendErrorKind, ObjectName},
    error::{Error, Result},
    id::PackId,
    parity::{CHECKSUM, CoveredPack, ParityObject, RUN, Run, SECTOR, checksum},
};
use reed_solomon_simd::{
    engine::DefaultEngine,
    rate::{HighRateDecoder, RateDecoder},
};

use crate::ledger::Ledger;

static ZEROS: [u8; SECTOR] = [0; SECTOR];

/// Makes packs whole again from what is left of them and from parity objects.
pub(crate) struct Healer<'a> {
    pub(crate) backend: &'a dyn Backend,
    pub(crate) objects: Vec<ParityObject>,
    pub(crate) ledger: &'a Ledger<'a>,
}

/// A parity object in use.
struct Group<'a> {
    object: &'a ParityObject,
    checksums: Bytes,
}

/// The pack that is being healed: its sectors, those that are not there being zeros.
struct Patient {
    position: usize,
    bytes: Vec<u8>,
    is_right: Vec<bool>,
}

impl Healer<'_> {
    /// The bytes of a pack, proven by its hash; none when no parity object gives them, or they are there already. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`], or when the store does not answer.
    pub(crate) fn heal(&self, pack: &PackId) -> Result<Option<Bytes>> {
        for object in &self.objects {
            let Some(position) = object.list.position(pack) else { continue };
            let Some(checksums) = outlive(object.read_checksums(self.backend))? else { continue };
            if let Some(bytes) = self.tell(self.heal_in(&Group { object, checksums }, position))? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// What came of one parity object: when nothing can be decoded with it, that is damage of it, and another one may still help.
    fn tell(&self, healed: Result<Option<Bytes>>) -> Result<Option<Bytes>> {
        Ok(self.ledger.outlive(healed)?.flatten())
    }

    /// The damaged packs that can be healed: each is, for a try, which reads its whole group; of more than `most` the others are left
    /// untried, and that is told.
    ///
    /// # Errors
    /// As [`heal`](Self::heal).
    pub(crate) fn healable(&self, most: usize) -> Result<Vec<PackId>> {
        let mut healable = Vec::new();
        if self.objects.is_empty() {
            return Ok(healable);
        }
        let damaged = self.ledger.damaged_packs();
        for pack in damaged.iter().take(most) {
            if self.heal(pack)?.is_some() {
                healable.push(*pack);
            }
        }
        if let Some(untried) = damaged.len().checked_sub(most).filter(|&untried| untried > 0) {
            self.ledger.note(format!(
                "whether {untried} more damaged packs can be healed was not tried: `verify --read-data` does, `repair packs` heals them"
            ));
        }
        Ok(healable)
    }

    /// Which sectors of a pack are not as they were; all of them when that can not be told.
    ///
    /// # Errors
    /// As [`heal`](Self::heal).
    pub(super) fn lost_sectors(&self, object: &ParityObject, position: usize) -> Result<Vec<usize>> {
        let Some(covered) = object.list.packs().get(position) else { return Ok(Vec::new()) };
        let Some(checksums) = outlive(object.read_checksums(self.backend))? else {
            return Ok((0..covered.sectors()).collect());
        };
        let patient = self.read_all(&Group { object, checksums }, position, covered)?;
        Ok(patient.lost().collect())
    }

    fn heal_in(&self, group: &Group<'_>, position: usize) -> Result<Option<Bytes>> {
        let list = &group.object.list;
        let Some(covered) = list.packs().get(position) else { return Ok(None) };
        let mut patient = self.read_all(group, position, covered)?;
        let mut slices: Vec<usize> =
            patient.lost().filter_map(|sector| list.place(position, sector)).map(|place| place.slice).collect();
        slices.sort_unstable();
        slices.dedup();
        if slices.is_empty() && !self.is_longer(covered) {
            // What is wrong with it was so when it was written, or it needs a newer version.
            return Ok(None);
        }
        if !slices.is_empty() {
            let decoder = HighRateDecoder::new(list.places(), list.recovery(), SECTOR, DefaultEngine::new(), None);
            let mut decoder = decoder.map_err(|error| Error::damaged(group.object.name(), error))?;
            for slice in slices {
                self.ledger.check_cancelled()?;
                if !self.decode(group, slice, &mut patient, &mut decoder)? {
                    return Ok(None);
                }
            }
        }
        patient.bytes.truncate(covered.stored_length as usize);
        let is_whole = *blake3::hash(&patient.bytes).as_bytes() == covered.id.0;
        Ok(is_whole.then(|| Bytes::from(patient.bytes)))
    }

    /// Tells whether something stands behind the end of a pack.
    fn is_longer(&self, covered: &CoveredPack) -> bool {
        self.backend.get_range(&ObjectName::Pack(covered.id), covered.stored_length.into(), 1).is_ok()
    }

    /// Reads what is left of a pack.
    fn read_all(&self, group: &Group<'_>, position: usize, covered: &CoveredPack) -> Result<Patient> {
        let mut bytes = vec![0; covered.sectors() * SECTOR];
        let mut is_right = vec![false; covered.sectors()];
        let runs = bytes.chunks_mut(RUN * SECTOR).zip(is_right.chunks_mut(RUN));
        for (number, (bytes, is_right)) in runs.enumerate() {
            let run = Run { pack: position, first: number * RUN, sectors: is_right.len() };
            self.read_run(group, run, bytes, is_right)?;
        }
        Ok(Patient { position, bytes, is_right })
    }

    /// Reads a run of a pack into `bytes` and tells which of its sectors are as they were.
    fn read_run(&self, group: &Group<'_>, run: Run, bytes: &mut [u8], is_right: &mut [bool]) -> Result<()> {
        is_right.fill(false);
        let list = &group.object.list;
        let Some((covered, number)) = list.packs().get(run.pack).zip(list.number(run.pack, run.first)) else {
            return Ok(());
        };
        let name = ObjectName::Pack(covered.id);
        let (start, end) =
            (run.first * SECTOR, ((run.first + run.sectors) * SECTOR).min(covered.stored_length as usize));
        self.read_tolerantly(&name, start, end, bytes)?;
        for (sector, is_right) in is_right.iter_mut().enumerate().take(run.sectors) {
            let bytes = bytes.get(sector * SECTOR..(sector + 1) * SECTOR).unwrap_or_default();
            *is_right = group.is_right(number + sector, bytes);
        }
        Ok(())
    }

    /// Reads a range of an object; where that can not be read, sector by sector, with zeros for those that can not.
    fn read_tolerantly(&self, name: &ObjectName, start: usize, end: usize, bytes: &mut [u8]) -> Result<()> {
        bytes.fill(0);
        let read = |from: usize, to: usize| {
            let read = self.backend.get_range(name, from as u64, (to - from) as u64);
            match read {
                // Nothing of it is there: so many more questions would have the same answer.
                Err(error) if error.kind == BackendErrorKind::NotFound => Ok(Some(Bytes::new())),
                read => outlive(read.map_err(|error| Error::store("read", name, error))),
            }
        };
        let mut put = |from: usize, found: &[u8]| {
            if let Some(place) = bytes.get_mut(from - start..from - start + found.len()) {
                place.copy_from_slice(found);
            }
        };
        if let Some(found) = read(start, end)? {
            put(start, &found);
            return Ok(());
        }
        for from in (start..end).step_by(SECTOR) {
            if let Some(found) = read(from, end.min(from + SECTOR))? {
                put(from, &found);
            }
        }
        Ok(())
    }

    /// Gives a pack the sectors back that it lacks in a slice; tells whether that could be done.
    fn decode(
        &self,
        group: &Group<'_>,
        slice: usize,
        patient: &mut Patient,
        decoder: &mut HighRateDecoder<DefaultEngine>,
    ) -> Result<bool> {
        let list = &group.object.list;
        let damaged = |error| Error::damaged(group.object.name(), error);
        decoder.reset(list.places(), list.recovery(), SECTOR).map_err(damaged)?;
        let mut lacking = 0;
        let mut lost = Vec::new();
        let (mut bytes, mut is_right) = (vec![0; RUN * SECTOR], [false; RUN]);
        for row in 0..list.rows() {
            let run = list.run(slice, row).unwrap_or(Run { pack: 0, first: 0, sectors: 0 });
            let is_own = run.sectors > 0 && run.pack == patient.position;
            if !is_own && run.sectors > 0 {
                self.read_run(group, run, &mut bytes, &mut is_right)?;
            }
            for number in 0..RUN {
                let own = run.first + number;
                let (sector, is_right) = match number {
                    _ if number >= run.sectors => (Some(&ZEROS[..]), true),
                    _ if is_own => (
                        patient.bytes.get(own * SECTOR..(own + 1) * SECTOR),
                        patient.is_right.get(own).copied().unwrap_or_default(),
                    ),
                    _ => (
                        bytes.get(number * SECTOR..(number + 1) * SECTOR),
                        is_right.get(number).copied().unwrap_or_default(),
                    ),
                };
                match sector.filter(|_| is_right) {
                    Some(sector) => decoder.add_original_shard(row * RUN + number, sector).map_err(damaged)?,
                    None => lacking += 1,
                }
                if is_own && number < run.sectors && !is_right {
                    lost.push((row * RUN + number, own));
                }
            }
            if lacking > list.recovery() {
                return Ok(false);
            }
        }
        if self.add_recovery(group, slice, decoder)? < lacking {
            return Ok(false);
        }
        let restored = decoder.decode().map_err(damaged)?;
        for (place, own) in lost {
            let found = restored.restored_original(place);
            let Some((found, sector)) = found.zip(patient.bytes.get_mut(own * SECTOR..(own + 1) * SECTOR)) else {
                return Ok(false);
            };
            sector.copy_from_slice(found);
        }
        Ok(true)
    }

    /// Gives the decoder the recovery sectors that are as they were; tells how many.
    fn add_recovery(
        &self,
        group: &Group<'_>,
        slice: usize,
        decoder: &mut HighRateDecoder<DefaultEngine>,
    ) -> Result<usize> {
        let list = &group.object.list;
        let (mut given, mut bytes) = (0, vec![0; RUN * SECTOR]);
        for first in (0..list.recovery()).step_by(RUN) {
            let sectors = RUN.min(list.recovery() - first);
            let start = usize::try_from(list.recovery_at(slice)).unwrap_or(usize::MAX - RUN * SECTOR) + first * SECTOR;
            self.read_tolerantly(&group.object.name(), start, start + sectors * SECTOR, &mut bytes)?;
            for (number, sector) in bytes.chunks(SECTOR).enumerate().take(sectors) {
                if group.is_right(list.recovery_number(slice, first + number), sector) {
                    let added = decoder.add_recovery_shard(first + number, sector);
                    added.map_err(|error| Error::damaged(group.object.name(), error))?;
                    given += 1;
                }
            }
        }
        Ok(given)
    }
}

impl Patient {
    /// The sectors that it lacks.
    fn lost(&self) -> impl Iterator<Item = usize> {
        self.is_right.iter().enumerate().filter(|(_, is_right)| !**is_right).map(|(sector, _)| sector)
    }
}

impl Group<'_> {
    /// Compares a sector with its checksum.
    fn is_right(&self, number: usize, sector: &[u8]) -> bool {
        self.checksums
            .get(number * CHECKSUM..(number + 1) * CHECKSUM)
            .is_some_and(|expected| checksum(sector) == expected)
    }
}

/// Nothing where there was damage.
fn outlive<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_of_one_object() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lbak_core::{
        backend::MemoryBackend,
        capture::{SnapshotOptions, snapshot},
        codec::slot::Credential,
        keys::PasswordCost,
        repository::{InitOptions, NewSlot, Repository},
        source::{MemoryNode, MemorySource},
    };

    use super::*;
    use crate::{
        VerifyOptions,
        parity::{ParityOptions, add_parity, read_objects},
    };

    /// What is wrong with a pack that has the bytes that were written is nothing that parity heals: a newer version wrote it, or it was wrong
    /// when it got its name.
    #[test]
    fn a_pack_that_is_as_it_was_written_is_not_healed() {
        let backend = Arc::new(MemoryBackend::new());
        let slot =
            NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
        let repository = Repository::init(Arc::clone(&backend) as _, &[slot], &InitOptions::default()).expect("init");
        let source = MemorySource::new([("/file", MemoryNode::file("some bytes"))]);
        snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
        add_parity(&repository, &ParityOptions { percent: 100, ..ParityOptions::default() }).expect("parity");
        let options = VerifyOptions::default();
        let ledger = Ledger::new(&options);
        let objects = read_objects(&*backend, None).expect("parity");
        let pack = objects.first().and_then(|object| object.packs().next()).expect("a pack");
        let healer = Healer { backend: &*backend, objects, ledger: &ledger };
        let name = ObjectName::Pack(pack).to_string();
        ledger.damage(&name, "it needs something that this version does not know");
        assert_eq!((healer.heal(&pack).expect("read"), healer.healable(usize::MAX).expect("read")), (None, vec![]));

        // What the decoder refuses is damage of the parity, and no reason to stop.
        let refused = |error| Err(Error::damaged("parity/1", error));
        let error = reed_solomon_simd::Error::UnsupportedShardCount { original_count: 1, recovery_count: 0 };
        assert_eq!(healer.tell(refused(error)).expect("it goes on"), None);
        assert!(ledger.has("parity/1"));
        assert!(healer.tell(Err(Error::Cancelled)).is_err());

        let sound = backend.contents().remove(&name).expect("it is there");
        let mut flipped = sound.to_vec();
        flipped.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        for spoilt in [Some(Bytes::from(flipped)), Some([&sound[..], b"more"].concat().into()), None] {
            backend.tamper(&name, spoilt);
            assert_eq!(healer.heal(&pack).expect("read"), Some(sound.clone()));
            assert_eq!(healer.healable(usize::MAX).expect("read"), [pack]);
        }
    }
}
