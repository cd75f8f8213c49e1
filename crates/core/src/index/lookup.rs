//! The index of a repository: all segments that count, and the question where a chunk lies.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
    thread,
};

use super::{
    cache::PageCache,
    record::{Entry, IdPrefix, Location},
    segment::{Cached, Segment, Trouble, is_segment_at_fault},
};
use crate::{
    backend::{Backend, Folder, ObjectName},
    codec::Codec,
    error::{Error, Result},
    id::{ChunkId, ChunkKind, SegmentId, SessionId},
};

/// Opened pages that an index keeps: with what surrounds them, 8 MiB.
const CACHED_PAGES: usize = 8 << 10;
/// Segments are opened by this many threads: each waits for the store.
const OPENERS: usize = 8;

/// Which segments count: what the newest `fin` says. The default is that of a repository without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The merged segments that count, and no others.
    pub merged: BTreeSet<SegmentId>,
    /// Segments whose records stand in merged ones.
    pub replaced: BTreeSet<SegmentId>,
    /// Closed sessions whose packs were removed.
    pub buried: BTreeSet<SessionId>,
}

impl Counted {
    fn counts(&self, name: &ObjectName) -> bool {
        match name {
            ObjectName::Segment(id) => !self.replaced.contains(id),
            ObjectName::MergedSegment(id) => self.merged.contains(id) && !self.replaced.contains(id),
            _ => false,
        }
    }
}

/// What [`Index::load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The segments that could be opened.
    pub index: Index,
    /// Trouble with the others: damaged, missing, or [`Error::Newer`] (whoever collects stops there).
    pub damaged: Vec<Error>,
}

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
    cache: PageCache,
}

/// Given a record with its segment, that segment's part of the cache and its number, decides whether the search ends.
type Take<'a, T> = dyn FnMut(&Segment, &Cached<'_>, u32, &Entry) -> Result<Option<T>> + 'a;

/// A segment with the range of its ids beside it: most merged segments are passed over without being touched.
#[derive(Clone, Debug)]
struct Held {
    smallest: u64,
    largest: u64,
    segment: Arc<Segment>,
}

impl Held {
    fn new(segment: Segment) -> Self {
        let (smallest, largest) = (segment.summary().smallest.fence(), segment.summary().largest.fence());
        Self { smallest, largest, segment: Arc::new(segment) }
    }
}

/// The segments of an index, oldest first.
///
/// Merged ones come in runs, each with a range of ids of its own: in a run the right one is found by halving, so that a hundred
/// million chunks in hundreds of merged segments cost a lookup no more than those in one.
#[derive(Clone, Debug, Default)]
struct Shelf {
    held: Vec<Held>,
    runs: Vec<Range<usize>>,
}

impl Shelf {
    fn push(&mut self, held: Held) {
        let number = self.held.len();
        let follows = self.held.last().is_some_and(|last| last.largest <= held.smallest);
        match self.runs.last_mut().filter(|_| follows) {
            Some(run) => run.end = number + 1,
            None => self.runs.push(number..number + 1),
        }
        self.held.push(held);
    }

    /// The segments that may hold an id, newest first, with their numbers.
    fn around(&self, fence: u64) -> impl Iterator<Item = (usize, &Held)> {
        self.runs.iter().rev().flat_map(move |run| {
            let held = self.held.get(run.clone()).unwrap_or_default();
            let end = held.partition_point(|held| held.smallest <= fence);
            let near = held.iter().take(end).enumerate().rev().take_while(move |(_, held)| held.largest >= fence);
            near.map(|(place, held)| (run.start + place, held))
        })
    }
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
        Self { segments: RwLock::default(), cache: PageCache::new(CACHED_PAGES) }
    }

    /// Opens every segment that counts: one listing, one small read for each.
    ///
    /// A damaged segment is reported and left out: what it alone names will be stored again, or is lost to a restore until the
    /// index is rebuilt from the packs.
    ///
    /// # Errors
    /// When the store fails otherwise: its silence is no proof that a segment is gone.
    pub fn load(backend: &Arc<dyn Backend>, codec: &Codec, counted: &Counted) -> Result<Loaded> {
        let mut names = BTreeSet::new();
        let prefix = Folder::Index.prefix();
        backend
            .list(prefix, &mut |name, size| {
                names.extend(ObjectName::parse(name).filter(|name| counted.counts(name)).map(|name| (name, size)));
                Ok(())
            })
            .map_err(|source| Error::store("list", prefix, source))?;
        let mut damaged: Vec<Error> = counted
            .merged
            .difference(&counted.replaced)
            .map(|id| ObjectName::MergedSegment(*id))
            .filter(|name| names.range((name.clone(), 0)..).next().is_none_or(|(found, _)| found != name))
            .map(|name| Error::damaged(name, "it is not there, though the newest fin names it"))
            .collect();
        let names: Vec<(ObjectName, u64)> = names.into_iter().collect();
        let mut segments = Vec::with_capacity(names.len());
        for opened in open_all(backend, codec, &names)? {
            match opened {
                Ok(segment) if counted.buried.contains(&segment.session()) => {}
                Ok(segment) => segments.push(Held::new(segment)),
                Err(error) if is_segment_at_fault(&error) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        // Merged segments hold what is older; nothing tells the age of a session's own.
        segments.sort_by_cached_key(|held| {
            let own = matches!(held.segment.name(), ObjectName::Segment(_));
            (own, held.segment.summary().smallest, held.segment.name().clone())
        });
        let mut shelf = Shelf::default();
        segments.into_iter().for_each(|held| shelf.push(held));
        let index = Self { segments: RwLock::new(Arc::new(shelf)), ..Self::new() };
        Ok(Loaded { index, damaged })
    }

    /// Adds a segment that is newer than all others.
    pub fn add(&self, segment: Segment) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut segments).push(Held::new(segment));
    }

    /// The segments, oldest first; their positions never change.
    #[must_use]
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.shelf().held.iter().map(|held| Arc::clone(&held.segment)).collect()
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
        self.search(id, kind, &mut |segment, cached, _, entry| {
            let location = Location::new(segment.object(), &entry.chunk, segment.pack(entry.pack, cached)?)?;
            Ok(accept(&location).then_some(location))
        })
    }

    /// Returns which record [`find`](Self::find) would look at first.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn ordinal(&self, id: &ChunkId, kind: ChunkKind) -> Result<Option<Ordinal>> {
        self.search(id, kind, &mut |_, cached, record, _| Ok(Some(Ordinal { segment: cached.segment, record })))
    }

    /// Returns which record [`find`](Self::find) would look at first, and where that says the chunk lies.
    ///
    /// # Errors
    /// As for [`find`](Self::find).
    pub fn place(&self, id: &ChunkId, kind: ChunkKind) -> Result<Option<(Ordinal, Location)>> {
        self.search(id, kind, &mut |segment, cached, record, entry| {
            let location = Location::new(segment.object(), &entry.chunk, segment.pack(entry.pack, cached)?)?;
            Ok(Some((Ordinal { segment: cached.segment, record }, location)))
        })
    }

    /// Shows the records of a chunk to `take` until it gives something.
    fn search<T>(&self, id: &ChunkId, kind: ChunkKind, take: &mut Take<'_, T>) -> Result<Option<T>> {
        let id = IdPrefix::from(id);
        let fence = id.fence();
        let mut trouble = Trouble::default();
        for (number, held) in self.shelf().around(fence) {
            let segment = u32::try_from(number).expect("fewer than 2^32 segments");
            let cached = Cached { pages: &self.cache, segment };
            let taken =
                held.segment.find(&id, kind, &cached, &mut |record, entry| take(&held.segment, &cached, record, entry));
            if let Some(taken) = trouble.outlive(taken)? {
                return Ok(Some(taken));
            }
        }
        trouble.nothing_found()
    }

    fn shelf(&self) -> Arc<Shelf> {
        // Adding can not panic half way: the vector is replaced or pushed to.
        Arc::clone(&self.segments.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Opens the segments with several threads; what comes of each stands in its place.
fn open_all(backend: &Arc<dyn Backend>, codec: &Codec, names: &[(ObjectName, u64)]) -> Result<Vec<Result<Segment>>> {
    let open = |share: &[(ObjectName, u64)]| -> Vec<Result<Segment>> {
        share.iter().map(|(name, size)| Segment::open(backend, codec, name, *size)).collect()
    };
    let share = names.len().div_ceil(OPENERS);
    if share <= 1 {
        return Ok(open(names));
    }
    thread::scope(|scope| {
        let mut openers = Vec::with_capacity(OPENERS);
        for share in names.chunks(share) {
            let opener = thread::Builder::new().name("lbak-index".into()).spawn_scoped(scope, || open(share));
            openers.push(opener.map_err(|source| Error::System { what: "a thread", source })?);
        }
        let mut opened = Vec::with_capacity(names.len());
        for opener in openers {
            opened.extend(opener.join().map_err(|_| Error::Panicked { doing: "opening the index" })?);
        }
        Ok(opened)
    })
}
