//! Makes few large segments of many: their records in one order, each new segment with a range of ids of its own.
//!
//! ```text
//! segments ── some pages of each ── smallest id first ── records, until their segment would need too much memory
//!                                                          └─ the packs that they name, read only now ── seal ── put
//! ```
//!
//! Memory is bounded by what the caller allows for one new segment, plus a few pages of each old one. Which segments are worth merging,
//! and where the new ones go, is the caller's business.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, binary_heap::PeekMut},
    sync::Arc,
};

use super::{
    builder::SegmentBuilder,
    layout::MOST_RECORDS,
    record::{PackRow, Page, RECORD, SEALED_PAGE, pack_number_of, prefix_of},
    records::Pages,
    segment::Segment,
};
use crate::{
    backend::{ObjectName, Sealed},
    codec::{Codec, Kind},
    error::{Error, Result},
    id::SessionId,
};

/// Memory that a record costs until its segment is put: as it is collected, sealed, and in a filter that is being built.
const RECORD_BYTES: usize = 2 * RECORD + 28;
/// The same of a pack: its row, its sealed row, and its number among the packs of the old segments.
const PACK_BYTES: usize = 128 + 104 + 32;
/// Sealed pages of all old segments together that are read ahead.
const READ_AHEAD: usize = 16 << 20;
/// Most pages of one segment that are read ahead: more would not be read faster.
const MOST_PAGES_AHEAD: usize = 256;

/// How much a merge may do at once.
#[derive(Clone, Copy, Debug)]
pub struct MergeOptions {
    /// Memory for one new segment until it is put; a new segment holds as many records as that allows, at most 2²⁰.
    pub segment_memory_bytes: usize,
}

impl Default for MergeOptions {
    fn default() -> Self {
        Self { segment_memory_bytes: 64 << 20 }
    }
}

/// Merges segments into new ones that hold the same records; records that several segments have in common are kept once.
///
/// The new segments are given to `put` in the order of their ids. They say that `session` wrote them.
///
/// # Errors
/// The first trouble with an old segment ends the merge: what was put until then does not hold everything.
pub fn merge(
    segments: &[Arc<Segment>],
    codec: &Codec,
    session: SessionId,
    options: &MergeOptions,
    put: &mut dyn FnMut(&ObjectName, &Sealed) -> Result<()>,
) -> Result<()> {
    let ahead = READ_AHEAD / SEALED_PAGE / segments.len().max(1);
    let ahead = u32::try_from(ahead.clamp(1, MOST_PAGES_AHEAD)).expect("at most 256");
    let mut cursors = Vec::with_capacity(segments.len());
    let mut heads = BinaryHeap::with_capacity(segments.len());
    for (source, segment) in (0..).zip(segments) {
        let mut cursor = Cursor { pages: Pages::new(segment, ahead), page: None, next: 0 };
        if let Some(record) = cursor.next()? {
            heads.push(Reverse(Head { record, source }));
        }
        cursors.push(cursor);
    }
    let mut collected = Collected::default();
    while let Some(mut head) = heads.peek_mut() {
        let Head { record, source } = head.0;
        // Only between two ids, so that the ranges of new segments do not meet.
        if collected.is_full(options) && !collected.ends_with(&record)
            || collected.records.len() == MOST_RECORDS as usize
        {
            collected.seal(segments, codec, session, put)?;
        }
        collected.push(source, record);
        match cursors.get_mut(source as usize).map(Cursor::next).transpose()?.flatten() {
            Some(record) => head.0.record = record,
            None => drop(PeekMut::pop(head)),
        }
    }
    if collected.records.is_empty() { Ok(()) } else { collected.seal(segments, codec, session, put) }
}

/// The next record of an old segment.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    /// Begins with the id.
    record: [u8; RECORD],
    source: u32,
}

/// The records of an old segment, one after another.
struct Cursor<'a> {
    pages: Pages<'a>,
    page: Option<Page>,
    next: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> Result<Option<[u8; RECORD]>> {
        loop {
            if let Some(record) = self.page.as_ref().and_then(|page| page.stored(self.next)) {
                self.next += 1;
                return Ok(Some(*record));
            }
            match self.pages.next().transpose()? {
                Some((_, page)) => (self.page, self.next) = (Some(page), 0),
                None => return Ok(None),
            }
        }
    }
}

/// What the next new segment will hold.
#[derive(Default)]
struct Collected {
    /// Their packs are numbered in the order in which they came.
    records: Vec<[u8; RECORD]>,
    /// The old segment and the pack's number in it → the number here.
    packs: HashMap<(u32, u32), u32>,
}

impl Collected {
    fn is_full(&self, options: &MergeOptions) -> bool {
        self.records.len() * RECORD_BYTES + self.packs.len() * PACK_BYTES >= options.segment_memory_bytes
    }

    fn ends_with(&self, record: &[u8; RECORD]) -> bool {
        self.records.last().is_some_and(|last| prefix_of(last) == prefix_of(record))
    }

    fn push(&mut self, source: u32, mut record: [u8; RECORD]) {
        let next = u32::try_from(self.packs.len()).expect("at most one for each record");
        let number = *self.packs.entry((source, pack_number_of(&record))).or_insert(next);
        renumber(&mut record, number);
        self.records.push(record);
    }

    /// Seals and puts a segment, and begins the next.
    fn seal(
        &mut self,
        segments: &[Arc<Segment>],
        codec: &Codec,
        session: SessionId,
        put: &mut dyn FnMut(&ObjectName, &Sealed) -> Result<()>,
    ) -> Result<()> {
        let Self { mut records, packs } = std::mem::take(self);
        let (rows, numbers) = unified(read_rows(segments, packs)?)?;
        for record in &mut records {
            let number = numbers.get(pack_number_of(record) as usize).copied();
            renumber(record, number.expect("each was numbered in push"));
        }
        let (name, sealed) = SegmentBuilder::from_merge(rows, records).finish(codec, Kind::MergedSegment, session)?;
        put(&name, &sealed)
    }
}

fn renumber(record: &mut [u8; RECORD], pack: u32) {
    record[20..24].copy_from_slice(&pack.to_le_bytes());
}

/// The rows of packs, each with its number.
fn read_rows(segments: &[Arc<Segment>], packs: HashMap<(u32, u32), u32>) -> Result<Vec<(PackRow, u32)>> {
    let mut wanted: Vec<((u32, u32), u32)> = packs.into_iter().collect();
    wanted.sort_unstable();
    let mut rows = Vec::with_capacity(wanted.len());
    for of_one in wanted.chunk_by(|one, other| one.0.0 == other.0.0) {
        let Some(segment) = of_one.first().and_then(|((source, _), _)| segments.get(*source as usize)) else {
            continue;
        };
        let numbers: Vec<u32> = of_one.iter().map(|((_, number), _)| *number).collect();
        rows.extend(segment.pack_rows_at(&numbers)?.into_iter().zip(of_one.iter().map(|(_, number)| *number)));
    }
    if rows.len() == wanted.len() { Ok(rows) } else { Err(Error::Panicked { doing: "merging segments" }) }
}

/// Each pack once, in the order of names, and for each old number its place there.
///
/// # Errors
/// [`Error::Damaged`] when segments tell different things about one pack: which of them is right nobody can say here.
fn unified(mut rows: Vec<(PackRow, u32)>) -> Result<(Vec<PackRow>, Vec<u32>)> {
    rows.sort_unstable_by_key(|(row, number)| (row.id, *number));
    let mut numbers = vec![0; rows.len()];
    let mut unified: Vec<PackRow> = Vec::with_capacity(rows.len());
    for (row, number) in rows {
        match unified.last() {
            Some(last) if last.id == row.id && *last != row => {
                let what =
                    format!("segments do not agree on {}: the index is to be repaired", ObjectName::Pack(row.id));
                return Err(Error::damaged("index", what));
            }
            Some(last) if last.id == row.id => {}
            _ => unified.push(row),
        }
        if let Some(place) = numbers.get_mut(number as usize) {
            *place = u32::try_from(unified.len() - 1).expect("at most one for each record");
        }
    }
    Ok((unified, numbers))
}
