//! Which packs a parity object is of, and where everything lies: in it, and in the slices.

use super::{CHECKSUM, LARGEST_COVERED, MOST_IN_SLICE, MOST_PACKS, MOST_RECOVERY, MOST_SECTORS, RUN, SECTOR};
use crate::{
    codec::{HEADER, TAG},
    error::{Error, Result},
    id::PackId,
};

const VERSION: u32 = 1;
/// Version, number of packs, slices, recovery sectors of a slice.
pub(super) const FIXED: usize = 16;
const ROW: usize = 32 + 4;
/// The signature's length, which is all of the signature in version 1.
const TRAILER: usize = 2;

/// A pack that a parity object is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredPack {
    /// Its id.
    pub id: PackId,
    /// Its length in bytes.
    pub stored_length: u32,
}

impl CoveredPack {
    /// Its sectors; the last one may be cut short.
    #[must_use]
    pub fn sectors(&self) -> usize {
        (self.stored_length as usize).div_ceil(SECTOR)
    }

    /// Its runs; the last one may be cut short.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.sectors().div_ceil(RUN)
    }
}

/// The list of a parity object: a plan that adds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParityList {
    slices: usize,
    recovery: usize,
    packs: Vec<CoveredPack>,
    /// For each pack the number of its first run and of its first sector; behind them how many there are.
    firsts: Vec<(usize, usize)>,
}

/// The sectors of a pack that stand together in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which pack of the list.
    pub pack: usize,
    /// The first of its sectors.
    pub first: usize,
    /// How many: the last run of a pack may be shorter, and the rest is zeros.
    pub sectors: usize,
}

/// Where a sector of a pack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectorPlace {
    /// In which slice.
    pub slice: usize,
    /// At which place of its sectors.
    pub place: usize,
}

impl ParityList {
    /// A list of packs in this order.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the format has no such group.
    pub fn new(slices: usize, recovery: usize, packs: Vec<CoveredPack>) -> Result<Self> {
        let invalid = |what| Error::Invalid { what: format!("no parity object can be so: {what}") };
        Self::checked(slices, recovery, packs).map_err(invalid)
    }

    fn checked(slices: usize, recovery: usize, packs: Vec<CoveredPack>) -> Result<Self, &'static str> {
        if !(1..=MOST_PACKS).contains(&packs.len()) {
            return Err("it has no packs, or too many");
        }
        if packs.iter().any(|pack| !(1..=LARGEST_COVERED).contains(&pack.stored_length)) {
            return Err("a pack is empty or too long");
        }
        let mut ids: Vec<PackId> = packs.iter().map(|pack| pack.id).collect();
        ids.sort_unstable();
        if ids.array_windows().any(|[one, next]| one == next) {
            return Err("it has a pack twice");
        }
        let mut firsts = Vec::with_capacity(packs.len() + 1);
        let (mut runs, mut sectors) = (0, 0);
        for pack in &packs {
            firsts.push((runs, sectors));
            runs += pack.runs();
            sectors += pack.sectors();
        }
        firsts.push((runs, sectors));
        if sectors > MOST_SECTORS {
            return Err("its packs are too long together");
        }
        if !(1..=runs).contains(&slices) || runs.div_ceil(slices) * RUN > MOST_IN_SLICE {
            return Err("its packs do not fit its slices");
        }
        if !(1..=MOST_IN_SLICE).contains(&recovery) || slices * recovery > MOST_RECOVERY {
            return Err("it has no recovery sectors, or too many");
        }
        Ok(Self { slices, recovery, packs, firsts })
    }

    /// How many slices there are.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.slices
    }

    /// Recovery sectors of each slice: so many sectors of it may be lost.
    #[must_use]
    pub fn recovery(&self) -> usize {
        self.recovery
    }

    /// The packs, in order.
    #[must_use]
    pub fn packs(&self) -> &[CoveredPack] {
        &self.packs
    }

    /// The place of a pack in the list.
    #[must_use]
    pub fn position(&self, pack: &PackId) -> Option<usize> {
        self.packs.iter().position(|covered| covered.id == *pack)
    }

    /// Sectors of all packs.
    #[must_use]
    pub fn sectors(&self) -> usize {
        self.firsts.last().map_or(0, |last| last.1)
    }

    /// Places for sectors of packs in each slice; those behind the last run are zeros.
    #[must_use]
    pub fn places(&self) -> usize {
        self.rows() * RUN
    }

    /// Runs of a slice.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.firsts.last().map_or(0, |last| last.0).div_ceil(self.slices)
    }

    /// The run at one of the [`rows`](Self::rows) of a slice; none where nothing but zeros stands.
    #[must_use]
    pub fn run(&self, slice: usize, row: usize) -> Option<Run> {
        let number = row * self.slices + slice;
        let pack = self.firsts.partition_point(|first| first.0 <= number).checked_sub(1)?;
        let covered = self.packs.get(pack)?;
        let first = (number - self.firsts.get(pack)?.0) * RUN;
        Some(Run { pack, first, sectors: RUN.min(covered.sectors() - first) })
    }

    /// Where a sector of a pack stands.
    #[must_use]
    pub fn place(&self, pack: usize, sector: usize) -> Option<SectorPlace> {
        self.packs.get(pack).filter(|covered| sector < covered.sectors())?;
        let run = self.firsts.get(pack)?.0 + sector / RUN;
        Some(SectorPlace { slice: run % self.slices, place: run / self.slices * RUN + sector % RUN })
    }

    /// Most sectors that one slice has of a pack.
    #[must_use]
    pub fn most_in_slice(&self, pack: &CoveredPack) -> usize {
        // Runs are dealt out in turn.
        (pack.runs().div_ceil(self.slices) * RUN).min(pack.sectors())
    }

    /// How many packs may be lost as a whole at once, whichever they are.
    #[must_use]
    pub fn most_lost_packs(&self) -> usize {
        let mut most: Vec<usize> = self.packs.iter().map(|pack| self.most_in_slice(pack)).collect();
        most.sort_unstable_by(|one, other| other.cmp(one));
        let lost = most.into_iter().scan(0, |lost: &mut usize, most| {
            *lost += most;
            Some(*lost)
        });
        lost.take_while(|lost| *lost <= self.recovery).count()
    }

    /// The number of a pack's sector among the checksums.
    #[must_use]
    pub fn number(&self, pack: usize, sector: usize) -> Option<usize> {
        Some(self.firsts.get(pack)?.1 + sector)
    }

    /// The number of a recovery sector among the checksums: they stand behind those of the packs.
    #[must_use]
    pub fn recovery_number(&self, slice: usize, place: usize) -> usize {
        self.sectors() + slice * self.recovery + place
    }

    /// Where the recovery sectors of a slice begin in the object.
    #[must_use]
    pub fn recovery_at(&self, slice: usize) -> u64 {
        (HEADER + self.encoded_length() + TAG + slice * self.recovery * SECTOR) as u64
    }

    /// Where the checksums begin in the object.
    #[must_use]
    pub fn checksums_at(&self) -> u64 {
        self.recovery_at(self.slices)
    }

    /// Length of all checksums.
    #[must_use]
    pub fn checksums_length(&self) -> usize {
        (self.sectors() + self.slices * self.recovery) * CHECKSUM
    }

    /// Length of the whole object.
    #[must_use]
    pub fn stored_length(&self) -> u64 {
        self.checksums_at() + (self.checksums_length() + TRAILER) as u64
    }

    pub(super) fn encoded_length(&self) -> usize {
        FIXED + self.packs.len() * ROW
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let number = |value: usize| u32::try_from(value).expect("limits are far below").to_le_bytes();
        let mut bytes = Vec::with_capacity(self.encoded_length());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for value in [self.packs.len(), self.slices, self.recovery] {
            bytes.extend_from_slice(&number(value));
        }
        for pack in &self.packs {
            bytes.extend_from_slice(&pack.id.0);
            bytes.extend_from_slice(&pack.stored_length.to_le_bytes());
        }
        bytes
    }

    /// Tells from its first bytes how long a list is.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Newer`].
    pub fn length(object: &str, bytes: &[u8]) -> Result<usize> {
        let short = || Error::damaged(object, "it ends within its list of packs");
        let [version, packs, ..] = fields(bytes).ok_or_else(short)?;
        if version > VERSION {
            return Err(Error::Newer { object: object.to_owned(), needs: format!("parity version {version}") });
        }
        let packs = usize::try_from(packs).ok().filter(|packs| (1..=MOST_PACKS).contains(packs));
        match packs {
            Some(packs) if version == VERSION => Ok(FIXED + packs * ROW),
            _ => Err(Error::damaged(object, "it does not begin with a list of packs")),
        }
    }

    /// Reads a list, which is all of `bytes`.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Newer`].
    pub fn parse(object: &str, bytes: &[u8]) -> Result<Self> {
        let damaged = |what: &str| Error::damaged(object, what);
        if Self::length(object, bytes)? != bytes.len() {
            return Err(damaged("it ends within its list of packs"));
        }
        let Some(([_, _, slices, recovery], rows)) = fields(bytes).zip(bytes.get(FIXED..)) else {
            return Err(damaged("it ends within its list of packs"));
        };
        let packs = rows.as_chunks::<ROW>().0.iter().filter_map(|row| {
            let (id, length) = row.split_at_checked(32)?;
            let stored_length = u32::from_le_bytes(length.try_into().ok()?);
            Some(CoveredPack { id: PackId::from_slice(id)?, stored_length })
        });
        Self::checked(slices as usize, recovery as usize, packs.collect()).map_err(damaged)
    }
}

fn fields(bytes: &[u8]) -> Option<[u32; FIXED / 4]> {
    let fixed = bytes.first_chunk::<FIXED>()?;
    let mut numbers = fixed.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number));
    Some([numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?])
}
