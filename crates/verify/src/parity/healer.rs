//! Heals one pack at a time: nothing is believed but its hash.

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, ObjectName},
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
    /// The bytes of a pack, proven by its hash; none when no parity object gives them. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`], or when the store does not answer.
    pub(crate) fn heal(&self, pack: &PackId) -> Result<Option<Bytes>> {
        for object in &self.objects {
            let Some(position) = object.list.position(pack) else { continue };
            let Some(checksums) = outlive(object.read_checksums(self.backend))? else { continue };
            if let Some(bytes) = self.heal_in(&Group { object, checksums }, position)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The damaged packs that can be healed: each is, for a try.
    ///
    /// # Errors
    /// As [`heal`](Self::heal).
    pub(crate) fn healable(&self) -> Result<Vec<PackId>> {
        let mut healable = Vec::new();
        for pack in self.ledger.damaged_packs() {
            if self.heal(&pack)?.is_some() {
                healable.push(pack);
            }
        }
        Ok(healable)
    }

    fn heal_in(&self, group: &Group<'_>, position: usize) -> Result<Option<Bytes>> {
        let list = &group.object.list;
        let Some(covered) = list.packs().get(position) else { return Ok(None) };
        let mut patient = self.read_all(group, position, covered)?;
        let wrong = patient.is_right.iter().enumerate().filter(|(_, is_right)| !**is_right);
        let mut slices: Vec<usize> =
            wrong.filter_map(|(sector, _)| list.place(position, sector)).map(|place| place.slice).collect();
        slices.sort_unstable();
        slices.dedup();
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
            outlive(read.map_err(|error| Error::store("read", name, error)))
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
