//! Who refers to each chunk: nobody, one snapshot, several of those asked about, or another one. Two bytes for each.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicU64, Ordering},
};

use lbak_core::{
    error::{Error, Result},
    index::{Location, Ordinal, Segment},
};

use super::Weight;

const NOBODY: u16 = 0;
/// Several of the snapshots asked about, and no other.
const OURS: u16 = u16::MAX - 1;
/// A snapshot that was not asked about.
const OTHERS: u16 = u16::MAX;
/// Snapshots that can be told apart: numbers between the others.
const MOST_MARKS: usize = OURS as usize - 1;

/// Who refers to a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// One of those asked about, by number from 1 on.
    Ours(u16),
    /// Any other.
    Other,
}

impl Owner {
    /// The snapshot at this place of those asked about.
    pub(super) fn ours(place: usize) -> Self {
        Self::Ours(u16::try_from(place + 1).expect("no more than can be told apart: checked in Owners::new"))
    }
}

/// Marks and sums that several threads move.
pub(super) struct Owners {
    marks: Vec<Box<[AtomicU16]>>,
    /// What any of ours refers to.
    all: Sum,
    /// What ours alone refer to.
    exclusive: Sum,
    each: Vec<Sum>,
}

#[derive(Default)]
struct Sum {
    chunks: AtomicU64,
    plain_bytes: AtomicU64,
    stored_bytes: AtomicU64,
}

impl Owners {
    /// Nobody refers to anything yet.
    pub(super) fn new(segments: &[Arc<Segment>], marks: usize) -> Result<Self> {
        if marks > MOST_MARKS {
            let what = format!("at most {MOST_MARKS} snapshots can be told apart: choose fewer");
            return Err(Error::Invalid { what });
        }
        let records = |segment: &Arc<Segment>| (0..segment.summary().records).map(|_| AtomicU16::new(NOBODY)).collect();
        Ok(Self {
            marks: segments.iter().map(records).collect(),
            all: Sum::default(),
            exclusive: Sum::default(),
            each: (0..marks).map(|_| Sum::default()).collect(),
        })
    }

    /// Notes that a snapshot refers to a chunk; tells whether that is news, so that what the chunk refers to is to be visited.
    pub(super) fn refer(&self, owner: Owner, ordinal: Ordinal, location: &Location) -> bool {
        let record = self.marks.get(ordinal.segment as usize).and_then(|segment| segment.get(ordinal.record as usize));
        let Some(record) = record else { return false };
        let next = |before: u16| match (before, owner) {
            (NOBODY, Owner::Ours(mark)) => Some(mark),
            (OURS | OTHERS, Owner::Ours(_)) | (OTHERS, Owner::Other) => None,
            (before, Owner::Ours(mark)) => (before != mark).then_some(OURS),
            (_, Owner::Other) => Some(OTHERS),
        };
        let Ok(before) = record.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) else { return false };
        let weight = weigh(location);
        let of = |mark: u16| usize::from(mark).checked_sub(1).and_then(|place| self.each.get(place));
        match (before, owner) {
            (NOBODY, Owner::Ours(mark)) => {
                [Some(&self.all), Some(&self.exclusive), of(mark)]
                    .into_iter()
                    .flatten()
                    .for_each(|sum| sum.add(weight));
            }
            (NOBODY, Owner::Other) => {}
            (OURS, _) => self.exclusive.take(weight),
            (before, Owner::Other) => {
                [Some(&self.exclusive), of(before)].into_iter().flatten().for_each(|sum| sum.take(weight));
            }
            (before, Owner::Ours(_)) => of(before).into_iter().for_each(|sum| sum.take(weight)),
        }
        true
    }

    /// What any of those asked about refers to.
    pub(super) fn all(&self) -> Weight {
        self.all.weight()
    }

    /// What those asked about refer to and no other.
    pub(super) fn exclusive(&self) -> Weight {
        self.exclusive.weight()
    }

    /// What one of them refers to and no other.
    pub(super) fn of(&self, place: usize) -> Weight {
        self.each.get(place).map(Sum::weight).unwrap_or_default()
    }
}

/// A chunk's bytes, and its share of its block.
fn weigh(location: &Location) -> Weight {
    let (length, block) = (u64::from(location.length), u64::from(location.block_length).max(1));
    Weight { chunks: 1, plain_bytes: length, stored_bytes: u64::from(location.sealed_length) * length / block }
}

impl Sum {
    fn add(&self, weight: Weight) {
        self.chunks.fetch_add(weight.chunks, Ordering::Relaxed);
        self.plain_bytes.fetch_add(weight.plain_bytes, Ordering::Relaxed);
        self.stored_bytes.fetch_add(weight.stored_bytes, Ordering::Relaxed);
    }

    /// Takes away what was added: the index gives the same answer both times.
    fn take(&self, weight: Weight) {
        self.chunks.fetch_sub(weight.chunks, Ordering::Relaxed);
        self.plain_bytes.fetch_sub(weight.plain_bytes, Ordering::Relaxed);
        self.stored_bytes.fetch_sub(weight.stored_bytes, Ordering::Relaxed);
    }

    fn weight(&self) -> Weight {
        Weight {
            chunks: self.chunks.load(Ordering::Relaxed),
            plain_bytes: self.plain_bytes.load(Ordering::Relaxed),
            stored_bytes: self.stored_bytes.load(Ordering::Relaxed),
        }
    }
}
