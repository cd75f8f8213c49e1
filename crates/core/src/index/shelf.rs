//! The segments of an index in their order, and which of them may hold an id.

use std::{ops::Range, sync::Arc};

use super::{copies::Originals, segment::Segment};

/// A segment with the range of its ids beside it: most merged segments are passed over without being touched.
#[derive(Clone, Debug)]
pub(super) struct Held {
    smallest: u64,
    largest: u64,
    pub(super) segment: Arc<Segment>,
    /// What it stands for, when it is a copy.
    pub(super) originals: Option<Arc<Originals>>,
}

impl Held {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        let (smallest, largest) = (segment.summary().smallest.fence(), segment.summary().largest.fence());
        Self { smallest, largest, segment, originals: None }
    }

    pub(super) fn copy(segment: Arc<Segment>, originals: &Arc<Originals>) -> Self {
        Self { originals: Some(Arc::clone(originals)), ..Self::new(segment) }
    }
}

/// The segments of an index, oldest first.
///
/// Merged ones come in runs, each with a range of ids of its own: in a run the right one is found by halving, so that a hundred
/// million chunks in hundreds of merged segments cost a lookup no more than those in one.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    pub(super) held: Vec<Held>,
    runs: Vec<Range<usize>>,
}

impl Shelf {
    pub(super) fn push(&mut self, held: Held) {
        let number = self.held.len();
        let follows = self.held.last().is_some_and(|last| last.largest <= held.smallest);
        match self.runs.last_mut().filter(|_| follows) {
            Some(run) => run.end = number + 1,
            None => self.runs.push(number..number + 1),
        }
        self.held.push(held);
    }

    /// The segments that may hold an id, newest first, with their numbers.
    pub(super) fn around(&self, fence: u64) -> impl Iterator<Item = (usize, &Held)> {
        self.runs.iter().rev().flat_map(move |run| {
            let held = self.held.get(run.clone()).unwrap_or_default();
            let end = held.partition_point(|held| held.smallest <= fence);
            let near = held.iter().take(end).enumerate().rev().take_while(move |(_, held)| held.largest >= fence);
            near.map(|(place, held)| (run.start + place, held))
        })
    }
}
