//! Which packs no segment names: eight bytes of memory for each pack that is there, and no more, however large the index is.
//!
//! A merged segment names some chunks of nearly every pack, and so do all its neighbours: their tables together are far longer than the
//! list of packs. They are gone through only until every pack was named.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::{AT_ONCE, Repository, view::View};
use crate::{
    backend::{Backend, Folder, ObjectName},
    error::{Error, Result},
    id::PackId,
    index::Segment,
    store::for_each,
};

/// The packs that readers ask themselves for what is in them, as the index does not tell all of it.
pub(super) enum Loose {
    /// Whatever is there.
    All,
    /// None that was there when they were listed.
    None,
    /// Those that were not named.
    Unnamed(Tally),
}

impl Loose {
    /// Those of which something is named by no segment that opens. A merged segment names some chunks of nearly every pack, so what one
    /// hides may lie in packs that others name, too.
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer.
    pub(super) fn of(repository: &Repository, view: &View) -> Result<Self> {
        // What it named nobody knows: neither packs nor tables need to be looked at for that.
        if view.lacks_merged {
            return Ok(Self::All);
        }
        let tally = Tally::list(&**repository.backend())?;
        let (hurt, sound): (Vec<_>, Vec<_>) =
            view.index.segments_that_tell()?.into_iter().partition(|segment| segment.is_hurt());
        let is_unknown = AtomicBool::new(false);
        // The newest first: the tables of sessions' own segments are short, and no other names their packs.
        for (segments, is_hidden) in [(hurt, true), (sound, false)] {
            let find = |give: &mut dyn FnMut(_) -> bool| {
                let mut segments = segments.iter().rev();
                while !is_unknown.load(Ordering::Relaxed) && (is_hidden || !tally.is_complete()) {
                    if !segments.next().is_some_and(&mut *give) {
                        break;
                    }
                }
                Ok(())
            };
            for_each(AT_ONCE, find, &|segment| tally.count(segment, is_hidden, &is_unknown))?;
        }
        if is_unknown.into_inner() {
            return Ok(Self::All);
        }
        Ok(if tally.is_complete() && tally.hidden.load(Ordering::Relaxed) == 0 {
            Self::None
        } else {
            Self::Unnamed(tally)
        })
    }

    /// Tells whether a pack is one of them.
    pub(super) fn contains(&self, pack: &PackId) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Unnamed(tally) => tally.is_loose(pack),
        }
    }
}

/// The packs that are there, by the first eight bytes of their names, and which of them were named.
pub(super) struct Tally {
    /// Sorted, each once.
    beginnings: Vec<u64>,
    /// Where those begin that have the same first two bytes.
    parts: Vec<usize>,
    named: Bits,
    /// Named, but perhaps not all that is in them.
    is_hidden: Bits,
    /// How many were not named and are not hidden.
    left: AtomicUsize,
    hidden: AtomicUsize,
}

impl Tally {
    fn list(backend: &dyn Backend) -> Result<Self> {
        let mut beginnings = Vec::new();
        for_each_pack(backend, &mut |pack, _| beginnings.push(beginning(&pack)))?;
        Ok(Self::of(beginnings))
    }

    fn of(mut beginnings: Vec<u64>) -> Self {
        beginnings.sort_unstable();
        let mut twice: Vec<u64> =
            beginnings.windows(2).filter(|pair| pair.first() == pair.last()).flatten().copied().collect();
        twice.dedup();
        beginnings.dedup();
        let parts = (0..=1 << 16).map(|part| beginnings.partition_point(|beginning| beginning >> 48 < part)).collect();
        let (named, is_hidden) = (Bits::new(beginnings.len()), Bits::new(beginnings.len()));
        let (left, hidden) = (AtomicUsize::new(beginnings.len()), AtomicUsize::new(0));
        let tally = Self { beginnings, parts, named, is_hidden, left, hidden };
        // Nobody could tell which of the two is named.
        twice.into_iter().for_each(|beginning| tally.hide(beginning));
        tally
    }

    /// Counts the packs that a segment names.
    fn count(&self, segment: &Segment, is_hidden: bool, is_unknown: &AtomicBool) -> Result<()> {
        if !is_hidden && self.is_complete() {
            return Ok(()); // it was given out before that was so
        }
        let mut hide = |pack: PackId| self.hide(beginning(&pack));
        let mut name = |pack: PackId| self.name(beginning(&pack));
        match segment.for_each_pack(if is_hidden { &mut hide } else { &mut name }) {
            Ok(()) => Ok(()),
            Err(error) if !is_segment_at_fault(&error) => Err(error),
            // Nobody knows which they are.
            Err(_) if matches!(segment.name(), ObjectName::MergedSegment(_)) => {
                is_unknown.store(true, Ordering::Relaxed);
                Ok(())
            }
            // What it named until there is as doubtful as the rest of it; its other packs nobody names.
            Err(_) => match segment.for_each_pack(&mut hide) {
                Err(error) if !is_segment_at_fault(&error) => Err(error),
                _ => Ok(()),
            },
        }
    }

    fn name(&self, beginning: u64) {
        if let Some(place) = self.place(beginning)
            && self.named.set(place)
            && !self.is_hidden.get(place)
        {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn hide(&self, beginning: u64) {
        if let Some(place) = self.place(beginning)
            && self.is_hidden.set(place)
        {
            self.hidden.fetch_add(1, Ordering::Relaxed);
            if !self.named.get(place) {
                self.left.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Tells whether every pack was named, or is asked anyway.
    fn is_complete(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// A pack that came after the list is loose, too.
    fn is_loose(&self, pack: &PackId) -> bool {
        self.place(beginning(pack)).is_none_or(|place| self.is_hidden.get(place) || !self.named.get(place))
    }

    fn place(&self, beginning: u64) -> Option<usize> {
        let part = usize::try_from(beginning >> 48).ok()?;
        let (from, to) = (*self.parts.get(part)?, *self.parts.get(part + 1)?);
        self.beginnings.get(from..to)?.binary_search(&beginning).ok().map(|place| from + place)
    }
}

/// One bit for each of many, set by several threads.
struct Bits(Vec<AtomicU64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Tells whether it was not set before.
    fn set(&self, place: usize) -> bool {
        let bit = 1 << (place % 64);
        self.0.get(place / 64).is_some_and(|bits| bits.fetch_or(bit, Ordering::AcqRel) & bit == 0)
    }

    fn get(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|bits| bits.load(Ordering::Acquire) & (1 << (place % 64)) != 0)
    }
}

/// Shows every pack that is there with its size.
pub(super) fn for_each_pack(backend: &dyn Backend, show: &mut dyn FnMut(PackId, u64)) -> Result<()> {
    let prefix = Folder::Packs.prefix();
    let listed = backend.list(prefix, &mut |name, size| {
        if let Some(ObjectName::Pack(pack)) = ObjectName::parse(name) {
            show(pack, size);
        }
        Ok(())
    });
    listed.map_err(|error| Error::store("list", prefix, error))
}

/// Names of packs are hashes: two that begin alike are a curiosity, and taken care of.
fn beginning(pack: &PackId) -> u64 {
    u64::from_be_bytes(*pack.0.first_chunk().expect("a name has 32 bytes"))
}

fn is_segment_at_fault(error: &Error) -> bool {
    error.is_damage() || matches!(error, Error::Newer { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(beginning: u64, end: u8) -> PackId {
        let mut id = [end; 32];
        id[..8].copy_from_slice(&beginning.to_be_bytes());
        PackId(id)
    }

    #[test]
    fn packs_are_told_apart_also_those_that_begin_alike() {
        let beginnings = [7, 1 << 48, u64::MAX, 7, (1 << 48) + 1, 0];
        let tally = Tally::of(beginnings.to_vec());
        assert!(!tally.is_complete());
        beginnings.iter().for_each(|beginning| tally.name(*beginning));
        tally.name(12);
        assert!(tally.is_complete());
        let loose: Vec<u64> = beginnings.into_iter().filter(|beginning| tally.is_loose(&pack(*beginning, 1))).collect();
        assert_eq!(loose, [7, 7], "nobody knows which of them was named");
        assert!(tally.is_loose(&pack(12, 1)), "it came later");
        tally.hide(0);
        tally.hide(0);
        assert!(tally.is_loose(&pack(0, 1)) && tally.is_complete());
        assert_eq!(tally.hidden.load(Ordering::Relaxed), 2);
    }
}
