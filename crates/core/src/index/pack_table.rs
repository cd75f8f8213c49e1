//! The pack table of a segment, read anew each time: whoever asks for one pack goes through the cache of pages.

use std::sync::Arc;

use super::{
    record::{PACKS_IN_PAGE, PackRow, SEALED_PAGE},
    segment::Segment,
};
use crate::{error::Result, id::PackId};

/// Pages that are read at once: 1 MiB.
const PAGES_AT_ONCE: u32 = 1_024;

impl Segment {
    /// All packs that records refer to, read anew each time.
    ///
    /// # Errors
    /// When a page of the pack table can not be read or opened.
    pub fn pack_rows(&self) -> Result<Vec<Arc<PackRow>>> {
        self.read_twice(&mut || self.read_pack_rows())
    }

    fn read_pack_rows(&self) -> Result<Vec<Arc<PackRow>>> {
        let pages = self.summary().pack_pages();
        let mut sealed = self.read(self.summary().pack_page_at(0), u64::from(pages) * SEALED_PAGE as u64)?;
        let mut packs = Vec::with_capacity(self.summary().packs as usize);
        for (number, page) in (0..).zip(sealed.chunks_exact_mut(SEALED_PAGE)) {
            packs.extend(self.open_packs(number, page)?);
        }
        Ok(packs)
    }

    /// Shows the ids of all packs that records refer to, a piece of the table at a time: nothing is held, however many there are. One may be
    /// shown twice.
    ///
    /// # Errors
    /// When a page of the pack table can not be read or opened; what stands before it was shown.
    pub fn for_each_pack(&self, show: &mut dyn FnMut(PackId)) -> Result<()> {
        let pages = self.summary().pack_pages();
        let mut from = 0;
        while from < pages {
            let to = pages.min(from + PAGES_AT_ONCE);
            self.read_twice(&mut || {
                let length = u64::from(to - from) * SEALED_PAGE as u64;
                let mut sealed = self.read(self.summary().pack_page_at(from), length)?;
                for (number, page) in (from..to).zip(sealed.chunks_exact_mut(SEALED_PAGE)) {
                    self.open_packs(number, page)?.iter().for_each(|row| show(row.id));
                }
                Ok(())
            })?;
            from = to;
        }
        Ok(())
    }

    /// The rows of the pack table with these ascending numbers, read anew, a mebibyte at most at once; pages without any of
    /// them are not opened.
    pub(super) fn pack_rows_at(&self, numbers: &[u32]) -> Result<Vec<PackRow>> {
        let page_of = |number: &u32| number / PACKS_IN_PAGE;
        let piece_of = |number: &u32| page_of(number) / PAGES_AT_ONCE;
        let mut rows = Vec::with_capacity(numbers.len());
        for piece in numbers.chunk_by(|one, other| piece_of(one) == piece_of(other)) {
            let (first, last) = (piece.first().map_or(0, page_of), piece.last().map_or(0, page_of));
            let length = u64::from(last - first + 1) * SEALED_PAGE as u64;
            let mut sealed = self.read(self.summary().pack_page_at(first), length)?;
            for wanted in piece.chunk_by(|one, other| page_of(one) == page_of(other)) {
                let page = wanted.first().map_or(0, page_of);
                let at = (page - first) as usize * SEALED_PAGE;
                let packs = self.open_packs(page, sealed.get_mut(at..at + SEALED_PAGE).unwrap_or_default())?;
                for number in wanted {
                    let row = packs.get((number % PACKS_IN_PAGE) as usize);
                    rows.push(**row.ok_or_else(|| self.no_such_pack(*number))?);
                }
            }
        }
        Ok(rows)
    }
}
