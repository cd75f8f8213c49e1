//! One bit for every record of the index: flat memory however many chunks there are.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use lbak_core::index::{Ordinal, Segment};

/// Bits that several threads set.
pub(crate) struct Bits(Vec<Box<[AtomicU64]>>);

impl Bits {
    /// All unset, for the segments of an index.
    pub(crate) fn new(segments: &[Arc<Segment>]) -> Self {
        let words = |segment: &Arc<Segment>| segment.summary().records.div_ceil(64);
        Self(segments.iter().map(|segment| (0..words(segment)).map(|_| AtomicU64::new(0)).collect()).collect())
    }

    /// Sets a bit and tells whether it was unset.
    pub(crate) fn set(&self, ordinal: Ordinal) -> bool {
        let bit = 1 << (ordinal.record % 64);
        self.word(ordinal).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
    }

    /// Tells whether a bit is set.
    pub(crate) fn is_set(&self, ordinal: Ordinal) -> bool {
        let bit = 1 << (ordinal.record % 64);
        self.word(ordinal).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn word(&self, ordinal: Ordinal) -> Option<&AtomicU64> {
        self.0.get(ordinal.segment as usize)?.get(ordinal.record as usize / 64)
    }
}
