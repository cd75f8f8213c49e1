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

/// Iterates over the pages of a segment with their numbers, read in pieces past the cache.
///
/// A page that does not open is one error in its place; when the store does not give the bytes, the error is the last item.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    segment: &'a Segment,
    at_once: u32,
    /// Sealed pages, the first of which has this number.
    sealed: Vec<u8>,
    sealed_from: u32,
    next: u32,
}

impl<'a> Pages<'a> {
    /// Reads so many pages at once.
    pub(super) fn new(segment: &'a Segment, at_once: u32) -> Self {
        Self { segment, at_once, sealed: Vec::new(), sealed_from: 0, next: 0 }
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<(u32, Page)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, pages) = (self.next, self.segment.summary().pages());
        if number >= pages {
            return None;
        }
        let held = u32::try_from(self.sealed.len() / SEALED_PAGE).expect("as many as are read at once");
        if number >= self.sealed_from + held {
            let count = (pages - number).min(self.at_once);
            let offset = self.segment.summary().page_at(number);
            match self.segment.read(offset, u64::from(count) * SEALED_PAGE as u64) {
                Ok(sealed) => (self.sealed, self.sealed_from) = (sealed, number),
                Err(error) => {
                    self.next = pages;
                    return Some(Err(error));
                }
            }
        }
        self.next += 1;
        let start = (number - self.sealed_from) as usize * SEALED_PAGE;
        let sealed = self.sealed.get_mut(start..start + SEALED_PAGE).unwrap_or_default();
        let page = match self.segment.open_page(number, sealed) {
            Err(error) if error.is_damage() => self.segment.open_page_again(number),
            outcome => outcome,
        };
        Some(page.map(|page| (number, page)))
    }
}

/// Iterates over the records of a segment in the order of ids.
///
/// A page that does not open is one error in place of its records; when the store does not give the bytes, the error is the last item.
/// Holds the pack table and 1 MiB of pages.
#[derive(Debug)]
pub struct Records<'a> {
    segment: &'a Segment,
    packs: Vec<Arc<PackRow>>,
    pages: Pages<'a>,
    /// The page whose records come next, the number of its first record, and how many were given out.
    page: Option<(Page, u32, u32)>,
}

impl<'a> Records<'a> {
    pub(super) fn new(segment: &'a Segment) -> Result<Self> {
        let packs = segment.pack_rows()?;
        Ok(Self { segment, packs, pages: Pages::new(segment, PAGES_AT_ONCE), page: None })
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
            match self.pages.next()? {
                Ok((number, page)) => self.page = Some((page, number * RECORDS_IN_PAGE, 0)),
                Err(error) => {
                    self.page = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
