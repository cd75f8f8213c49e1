//! The index of a repository: all segments that count, and the question where a chunk lies.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    cache::{PageCache, RowCache},
    record::{ChunkRow, Entry, IdPrefix, Location},
    segment::{Cached, Segment, Trouble},
    shelf::{Held, Shelf},
};
use crate::{
    backend::ObjectName,
    error::Result,
    id::{ChunkId, ChunkKind},
};

/// Opened pages that an index keeps: with what surrounds them, 8 MiB.
const CACHED_PAGES: usize = 8 << 10;
/// Rows of packs that an index keeps: with what surrounds them, less than 1 MiB.
const CACHED_ROWS: usize = 4 << 10;

/// Names one record of an index whose segments stay as they are: verify keeps one bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal {
    /// Position in [`Index::segments`].
    pub segment: u32,
    /// Number of the record in that segment.
    pub record: u32,
}

/// Where the chunks of a repository lie. Shared by threads; segments can be added while others ask.
#[derive(Debug)]
pub struct Index {
    /// Replaced as a whole, so that a question holds no lock while it reads.
    segments: RwLock<Arc<Shelf>>,
    pages: PageCache,
    rows: RowCache,
}

/// Given a record with its segment, that segment's part of the cache and its number, decides whether the search ends.
type Take<'a, T> = dyn FnMut(&Segment, &Cached<'_>, u32, &Entry) -> Result<Option<T>> + 'a;

/// What becomes of a search that can not read a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// What the copy stands for is asked.
    AskOriginals,
    /// It is told: records of other segments have no ordinals here.
    IsTrouble,
}

/// The first record of one of many chunks, whose pack is not looked up yet.
struct Row {
    segment: u32,
    /// The pack's number in that segment.
    number: u32,
    /// Which of the many chunks.
    place: usize,
    chunk: ChunkRow<IdPrefix>,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An index without segments.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Shelf::default())
    }

    pub(super) fn of(shelf: Shelf) -> Self {
        Self {
            segments: RwLock::new(Arc::new(shelf)),
            pages: PageCache::new(CACHED_PAGES),
            rows: RowCache::new(CACHED_ROWS),
        }
    }

    /// The same, keeping hardly any page: for tests of what is read how often.
    #[cfg(test)]
    pub(super) fn keeping_little(self) -> Self {
        Self { pages: PageCache::new(1), rows: RowCache::new(1), ..self }
    }

    /// Adds a segment that is newer than all others.
    pub fn add(&self, segment: Segment) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut segments).push(Held::new(Arc::new(segment)));
    }

    /// The segments, oldest first; their positions never change.
    #[must_use]
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.shelf().held.iter().map(|held| Arc::clone(&held.segment)).collect()
    }

    /// The segments, oldest first, whose pack tables tell what is named: a copy that is hurt hides nothing while what it stands for opens.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn segments_that_tell(&self) -> Result<Vec<Arc<Segment>>> {
        let shelf = self.shelf();
        let mut segments = Vec::with_capacity(shelf.held.len());
        for held in &shelf.held {
            match held.originals.as_ref().filter(|_| held.segment.is_hurt()) {
                Some(originals) => {
                    segments.extend(originals.index()?.segments());
                    if !originals.are_whole() {
                        segments.push(Arc::clone(&held.segment));
                    }
                }
                None => segments.push(Arc::clone(&held.segment)),
            }
        }
        Ok(segments)
    }

    /// The names of those of which a part was met that does not open.
    #[must_use]
    pub fn hurt(&self) -> BTreeSet<ObjectName> {
        let segments = self.segments().into_iter().filter(|segment| segment.is_hurt());
        segments.map(|segment| segment.name().clone()).collect()
    }

    /// Returns the first location of a chunk that `accept` takes; segments are asked newest first.
    ///
    /// # Errors
    /// Damage is returned only when no other segment has an acceptable location: a writer takes it for "not known",
    /// a restore for a loss. Other failures of the store end the search.
    pub fn find(
        &self,
        id: &ChunkId,
        kind: ChunkKind,
        accept: &mut dyn FnMut(&Location) -> bool,
    ) -> Result<Option<Location>> {
        self.search(&IdPrefix::from(id), kind, Unread::AskOriginals, &mut |segment, cached, _, entry| {
            let location = Location::new(segment.object(), &entry.chunk, segment.pack(entry.pack, cached)?)?;
            Ok(accept(&location).then_some(location))
        })
    }

    /// What [`find`](Self::find) returns for each of many chunks, in their order; `accept` is told which of them a location is of,
    /// and may be asked twice about one.
    ///
    /// Ids are looked up in their own order and packs in theirs, so that a page which several chunks need is opened once for all
    /// of them, however few pages are kept: the more of an index a batch asks for, the less each of it costs.
    ///
    /// # Errors
    /// Each chunk has its own, as for [`find`](Self::find).
    pub fn find_many(
        &self,
        ids: &[ChunkId],
        kind: ChunkKind,
        accept: &mut dyn FnMut(usize, &Location) -> bool,
    ) -> Vec<Result<Option<Location>>> {
        let mut order: Vec<(IdPrefix, usize)> = ids.iter().map(IdPrefix::from).zip(0..).collect();
        order.sort_unstable();
        let mut rows = Vec::with_capacity(ids.len());
        let mut found: Vec<Result<Option<Location>>> = ids.iter().map(|_| Ok(None)).collect();
        let mut alone = Vec::new();
        for (id, place) in order {
            let first = self.search(&id, kind, Unread::IsTrouble, &mut |_, cached, _, entry| {
                Ok(Some(Row { segment: cached.segment, number: entry.pack, place, chunk: entry.chunk }))
            });
            match first {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => {}
                Err(_) => alone.push(place),
            }
        }
        rows.sort_unstable_by_key(|row| (row.segment, row.number, row.place));
        let shelf = self.shelf();
        for row in rows {
            let segment = shelf.held.get(row.segment as usize).map(|held| &held.segment);
            let location = segment.and_then(|segment| {
                let pack = segment.pack(row.number, &self.cached(row.segment)).ok()?;
                Location::new(segment.object(), &row.chunk, pack).ok()
            });
            match location.filter(|location| accept(row.place, location)) {
                Some(location) => set(&mut found, row.place, Ok(Some(location))),
                None => alone.push(row.place),
            }
        }
        // Trouble, or a location that was not taken: what else there is, is the business of a search for this chunk alone.
        for place in alone {
            if let Some(id) = ids.get(place) {
                set(&mut found, place, self.find(id, kind, &mut |location| accept(place, location)));
            }
        }
        found
    }

    /// Tells whether some segment may hold an id, by what is in memory: `false` only where [`find`](Self::find) would read nothing and
    /// find nothing. A segment that was not asked yet may hold anything.
    #[must_use]
    pub fn may_hold(&self, id: &ChunkId) -> bool {
        let id = IdPrefix::from(id);
        self.shelf().around(id.fence()).any(|(_, held)| held.segment.may_hold(&id))
    }

    /// Returns which record [`find`](Self::find) would look at first.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn ordinal(&self, id: &ChunkId, kind: ChunkKind) -> Result<Option<Ordinal>> {
        self.search(&IdPrefix::from(id), kind, Unread::IsTrouble, &mut |_, cached, record, _| {
            Ok(Some(Ordinal { segment: cached.segment, record }))
        })
    }

    /// Returns which record [`find`](Self::find) would look at first, and where that says the chunk lies.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn place(&self, id: &ChunkId, kind: ChunkKind) -> Result<Option<(Ordinal, Location)>> {
        self.search(&IdPrefix::from(id), kind, Unread::IsTrouble, &mut |segment, cached, record, entry| {
            let location = Location::new(segment.object(), &entry.chunk, segment.pack(entry.pack, cached)?)?;
            Ok(Some((Ordinal { segment: cached.segment, record }, location)))
        })
    }

    /// Shows the records of a chunk to `take` until it gives something.
    fn search<T>(&self, id: &IdPrefix, kind: ChunkKind, unread: Unread, take: &mut Take<'_, T>) -> Result<Option<T>> {
        let mut trouble = Trouble::default();
        for (number, held) in self.shelf().around(id.fence()) {
            let segment = u32::try_from(number).expect("fewer than 2^32 segments");
            let cached = self.cached(segment);
            let taken =
                held.segment.find(id, kind, &cached, &mut |record, entry| take(&held.segment, &cached, record, entry));
            // A copy that can not be read costs time, not data: what it stands for is asked (rule I5).
            let taken = match (taken, &held.originals) {
                (Err(error), Some(originals)) if unread == Unread::AskOriginals => {
                    originals.index()?.search(id, kind, unread, take).and_then(|found| {
                        // Nothing there, where nothing of it could be hidden.
                        if found.is_none() && !originals.are_whole() { Err(error) } else { Ok(found) }
                    })
                }
                (taken, _) => taken,
            };
            if let Some(taken) = trouble.outlive(taken)? {
                return Ok(Some(taken));
            }
        }
        trouble.nothing_found()
    }

    fn cached(&self, segment: u32) -> Cached<'_> {
        Cached { pages: &self.pages, rows: &self.rows, segment }
    }

    fn shelf(&self) -> Arc<Shelf> {
        // Adding can not panic half way: the vector is replaced or pushed to.
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn set(found: &mut [Result<Option<Location>>], place: usize, answer: Result<Option<Location>>) {
    if let Some(found) = found.get_mut(place) {
        *found = answer;
    }
}
