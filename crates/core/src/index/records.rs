//! All records of a segment, one after another.

use std::sync::Arc;

use super::{
    record::{Entry, IdPrefix, Location, PackRow, Page, RECORDS_IN_PAGE, SEALED_PAGE},
    segment::Segment,
};
use crate::error::{Error, Result};

/// Pages read at once: 1 MiB.
const PAGES_AT_ONCE: u32 = 1_024;

/// A record with its location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number in the segment.
    pub number: u32,
    /// The beginning of the chunk's id.
    pub id: IdPrefix,
    /// Where the chunk lies.
    pub location: Location,
}

/// Iterates over the records of a segment in the order of ids.
///
/// A page that does not open is one error in place of its records; when the store does not give the bytes, the error is the last item.
/// Holds the pack table and 1 MiB of pages.
#[derive(Debug)]
pub struct Records<'a> {
    segment: &'a Segment,
    packs: Vec<Arc<PackRow>>,
    /// Sealed pages, the first of which has this number.
    sealed: Vec<u8>,
    sealed_from: u32,
    next_page: u32,
    /// The page whose records come next, the number of its first record, and how many were given out.
    page: Option<(Page, u32, u32)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(segment: &'a Segment) -> Result<Self> {
        let packs = segment.pack_rows()?;
        Ok(Self { segment, packs, sealed: Vec::new(), sealed_from: 0, next_page: 0, page: None })
    }

    /// Opens the next page; `None` behind the last.
    fn turn(&mut self) -> Option<Result<()>> {
        let (number, pages) = (self.next_page, self.segment.summary().pages());
        if number >= pages {
            return None;
        }
        let held = u32::try_from(self.sealed.len() / SEALED_PAGE).expect("at most 1,024 pages");
        if number >= self.sealed_from + held {
            let count = (pages - number).min(PAGES_AT_ONCE);
            let offset = self.segment.summary().page_at(number);
            match self.segment.read(offset, u64::from(count) * SEALED_PAGE as u64) {
                Ok(sealed) => (self.sealed, self.sealed_from) = (sealed, number),
                Err(error) => {
                    self.next_page = pages;
                    return Some(Err(error));
                }
            }
        }
        self.next_page += 1;
        let start = (number - self.sealed_from) as usize * SEALED_PAGE;
        let sealed = self.sealed.get_mut(start..start + SEALED_PAGE).unwrap_or_default();
        Some(self.segment.open_page(number, sealed).map(|page| self.page = Some((page, number * RECORDS_IN_PAGE, 0))))
    }

    fn located(&self, number: u32, entry: &Entry) -> Result<Record> {
        let object = self.segment.object();
        let pack = self.packs.get(entry.pack as usize).map(Arc::clone);
        let pack = pack.ok_or_else(|| Error::damaged(object, "a record names a pack that is not in the table"))?;
        Ok(Record { number, id: entry.chunk.id, location: Location::new(object, &entry.chunk, pack)? })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((page, first, given)) = &mut self.page
                && let Some(entry) = page.get(*given as usize)
            {
                let number = *first + *given;
                *given += 1;
                return Some(self.located(number, &entry));
            }
            self.page = None;
            if let Err(error) = self.turn()? {
                return Some(Err(error));
            }
        }
    }
}
