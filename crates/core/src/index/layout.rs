//! Which part of a segment lies where, and the two small parts: summary and fences.
//!
//! ```text
//! 0 header 80 · 80 summary 144 · 224 pages 1,024 each · pack table, pages of 1,024 · fences · filter · signature · its length u16
//! ```

use super::record::{IdPrefix, PACKS_IN_PAGE, RECORDS_IN_PAGE, SEALED_PAGE};
use crate::{
    codec::{HEADER, TAG},
    error::{Error, Result},
};

/// Most records of a segment: it is built and sealed in memory.
pub const MOST_RECORDS: u32 = 1 << 20;

/// More bytes than any segment has: its pages and its pack table are 150 MB at most, and its filter has 32 bits for its length.
pub const LARGEST_SEGMENT: u64 = 5 << 30;

/// Plain bytes of a summary.
pub(super) const SUMMARY: usize = 128;
/// Where the pages begin; what is read of each segment when a repository is opened.
pub(super) const PAGES_FROM: usize = HEADER + SUMMARY + TAG;
/// The empty signature's length.
pub(super) const TRAILER: usize = 2;

const VERSION: u32 = 1;
/// How far from its guessed place a fence usually is: a full segment has a deviation of 21 pages.
const FIRST_STEP: usize = 32;
#[expect(clippy::cast_possible_truncation, reason = "a seal has 16 bytes")]
const SEAL: u32 = TAG as u32;

/// How much of what a segment holds, and from which id to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records of chunks.
    pub records: u32,
    /// Rows of the pack table.
    pub packs: u32,
    /// Length of the sealed filter.
    pub filter_length: u32,
    /// The first id.
    pub smallest: IdPrefix,
    /// The last id.
    pub largest: IdPrefix,
}

impl Summary {
    /// Pages of records.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.records.div_ceil(RECORDS_IN_PAGE)
    }

    /// How many records a page holds: all pages but the last are full. Zero for a page that is not there.
    #[must_use]
    pub fn records_in(&self, page: u32) -> u32 {
        self.records.saturating_sub(page.saturating_mul(RECORDS_IN_PAGE)).min(RECORDS_IN_PAGE)
    }

    /// Pages of the pack table.
    #[must_use]
    pub fn pack_pages(&self) -> u32 {
        self.packs.div_ceil(PACKS_IN_PAGE)
    }

    /// How many rows a page of the pack table holds.
    #[must_use]
    pub fn packs_in(&self, page: u32) -> u32 {
        self.packs.saturating_sub(page.saturating_mul(PACKS_IN_PAGE)).min(PACKS_IN_PAGE)
    }

    /// Where a page of records begins.
    pub(super) fn page_at(&self, page: u32) -> u64 {
        PAGES_FROM as u64 + u64::from(page) * SEALED_PAGE as u64
    }

    /// Where a page of the pack table begins.
    pub(super) fn pack_page_at(&self, page: u32) -> u64 {
        self.page_at(self.pages()) + u64::from(page) * SEALED_PAGE as u64
    }

    /// Where the fences begin; the filter follows them.
    pub(super) fn fences_at(&self) -> u64 {
        self.pack_page_at(self.pack_pages())
    }

    /// Length of the sealed fences.
    pub(super) fn fences_length(&self) -> u32 {
        self.pages() * 8 + SEAL
    }

    /// Length of the whole object.
    #[must_use]
    pub fn stored_length(&self) -> u64 {
        self.fences_at() + u64::from(self.fences_length()) + u64::from(self.filter_length) + TRAILER as u64
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> [u8; SUMMARY] {
        let mut bytes = [0; SUMMARY];
        let numbers = [VERSION, self.records, self.pages(), self.packs, self.fences_length(), self.filter_length];
        for (field, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            field.copy_from_slice(&number.to_le_bytes());
        }
        bytes[24..44].copy_from_slice(&self.smallest.0);
        bytes[44..64].copy_from_slice(&self.largest.0);
        bytes
    }
}

/// Reads the summary of a segment of `size` bytes.
///
/// # Errors
/// [`Error::Damaged`] when its numbers do not fit one another and the size; [`Error::Newer`] for a later version.
pub fn parse_summary(object: &str, size: u64, plain: &[u8]) -> Result<Summary> {
    let damaged = |wrong: String| Error::damaged(object, format!("its summary is wrong: {wrong}"));
    let bytes: &[u8; SUMMARY] = plain.try_into().map_err(|_| damaged(format!("it has {} bytes", plain.len())))?;
    let (numbers, rest) = bytes.split_at(24);
    let number = |at: usize| numbers.as_chunks().0.get(at).map_or(0, |field| u32::from_le_bytes(*field));
    let (version, records, packs) = (number(0), number(1), number(3));
    if version != VERSION {
        return Err(Error::Newer { object: object.to_owned(), needs: format!("segment version {version}") });
    }
    if !(1..=MOST_RECORDS).contains(&records) {
        return Err(damaged(format!("{records} records")));
    }
    // Every pack is named by a record: so many rows are never believed that the table outgrows the pages.
    if !(1..=records).contains(&packs) {
        return Err(damaged(format!("{packs} packs for {records} records")));
    }
    let (smallest, rest) = rest.split_first_chunk().expect("104 bytes hold 20");
    let (largest, zeros) = rest.split_first_chunk().expect("84 bytes hold 20");
    let summary = Summary {
        records,
        packs,
        filter_length: number(5),
        smallest: IdPrefix(*smallest),
        largest: IdPrefix(*largest),
    };
    if number(2) != summary.pages() || number(4) != summary.fences_length() {
        return Err(damaged("its parts do not have the lengths that follow from their counts".into()));
    }
    if smallest > largest || zeros.iter().any(|&byte| byte != 0) {
        return Err(damaged("its ids are out of order, or something follows them".into()));
    }
    if summary.stored_length() != size {
        return Err(damaged(format!("the segment has {size} bytes instead of {}", summary.stored_length())));
    }
    Ok(summary)
}

/// The first eight bytes of each page's first id, as big-endian numbers: they sort like the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fences(Box<[u64]>);

impl Fences {
    /// The pages that may hold an id: nearly always one, more where ids that begin alike lie on both sides of a fence.
    #[must_use]
    pub fn pages_of(&self, id: &IdPrefix) -> std::ops::Range<u32> {
        let key = id.fence();
        let first = self.first_from(key);
        let equal = self.0.iter().skip(first).take_while(|&&fence| fence == key).count();
        // The page before the first fence that is not smaller may end with the id.
        let number = |page: usize| u32::try_from(page).expect("at most 2^20 pages: checked in parse_summary");
        number(first.saturating_sub(1))..number(first + equal)
    }

    /// The first fence that is not smaller than a key.
    ///
    /// Ids are spread evenly, so the place is guessed from the key, to within the square root of the number of records; from there
    /// steps that double find two fences around it, whatever the fences are. That touches a few lines of memory near one another
    /// where halving from the start touches one in each of sixteen places.
    fn first_from(&self, key: u64) -> usize {
        let (Some(&lowest), Some(&highest)) = (self.0.first(), self.0.last()) else { return 0 };
        if key <= lowest {
            return 0;
        }
        if key > highest {
            return self.0.len();
        }
        let last = self.0.len() - 1;
        let guess = u128::from(key - lowest) * last as u128 / u128::from((highest - lowest).max(1));
        let guess = usize::try_from(guess).unwrap_or(last).min(last);
        let is_before = |place: usize| self.0.get(place).is_some_and(|&fence| fence < key);
        let (mut from, mut to, mut step) = (guess, guess, FIRST_STEP);
        while is_before(to) {
            (from, to, step) = (to, (to + step).min(last), 2 * step);
        }
        while from > 0 && !is_before(from) {
            (from, to, step) = (from.saturating_sub(step), from, 2 * step);
        }
        from + self.0.get(from..to).unwrap_or_default().partition_point(|&fence| fence < key)
    }
}

/// Reads the fences of a segment of so many pages.
///
/// # Errors
/// [`Error::Damaged`] when they are not one for each page, in order.
pub fn parse_fences(object: &str, pages: u32, plain: &[u8]) -> Result<Fences> {
    let (fences, rest) = plain.as_chunks();
    let fences: Box<[u64]> = fences.iter().map(|fence| u64::from_be_bytes(*fence)).collect();
    if !rest.is_empty() || fences.len() != pages as usize || pages > MOST_RECORDS || !fences.is_sorted() {
        return Err(Error::damaged(object, "its fences are out of order, or not one for each page"));
    }
    Ok(Fences(fences))
}
