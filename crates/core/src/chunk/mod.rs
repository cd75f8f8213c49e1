//! Cuts a byte slice where its content says so.
//!
//! The same bytes give the same cuts wherever they lie in a file, so an insertion near the front
//! moves the cuts and does not change the chunks behind it. No I/O happens here.
//!
//! The algorithm is FastCDC (Xia and others, USENIX ATC 2016 and IEEE TPDS 2020) as the crate
//! `fastcdc` has it in `v2020::cut_gear`, with normalisation level 2 and a table of our own that is
//! derived from the repository's key: who does not have the key can not tell where a known file would be cut.

use fastcdc::v2020::{Normalization, cut_gear, select_masks};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Bounds of a chunk's length in bytes, fixed when the repository is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkSizes {
    /// No chunk but a file's last is shorter.
    pub minimum: u32,
    /// The length that the cutter aims at.
    pub average: u32,
    /// No chunk is longer.
    pub maximum: u32,
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self { minimum: 256 << 10, average: 1 << 20, maximum: 4 << 20 }
    }
}

/// The largest chunk that the format allows, in bytes.
pub const LARGEST_CHUNK: u32 = 8 << 20;

impl ChunkSizes {
    /// Checks that the cutter can work with these sizes.
    ///
    /// # Errors
    /// [`Error::Invalid`] when they are out of order, odd, or beyond what the format allows.
    pub fn check(&self) -> Result<()> {
        // The crate wants even sizes and takes its masks from the average's logarithm.
        let is_ordered = self.minimum < self.average && self.average < self.maximum;
        let is_sane = self.minimum >= 64
            && self.minimum.is_multiple_of(2)
            && (256..=4 << 20).contains(&self.average)
            && self.average.is_power_of_two()
            && self.maximum.is_multiple_of(2)
            && self.maximum <= LARGEST_CHUNK;
        if is_ordered && is_sane {
            return Ok(());
        }
        Err(Error::Invalid {
            what: format!(
                "chunk sizes {} < {} < {} can not be used: even numbers, the average a power of two of at most 4 MiB, the maximum at most 8 MiB",
                self.minimum, self.average, self.maximum
            ),
        })
    }
}

/// Finds cuts with one repository's table.
pub struct Cutter {
    sizes: ChunkSizes,
    small_mask: u64,
    large_mask: u64,
    gear: Box<[u64; 256]>,
    gear_shifted: Box<[u64; 256]>,
}

impl std::fmt::Debug for Cutter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cutter").field("sizes", &self.sizes).finish_non_exhaustive() // the table is secret
    }
}

impl Cutter {
    /// A cutter for checked sizes and a secret table.
    #[must_use]
    pub fn new(sizes: ChunkSizes, gear: Box<[u64; 256]>) -> Self {
        let (small_mask, large_mask) = select_masks(sizes.average as usize, Normalization::Level2);
        let mut gear_shifted = gear.clone();
        gear_shifted.iter_mut().for_each(|value| *value <<= 1);
        Self { sizes, small_mask, large_mask, gear, gear_shifted }
    }

    /// Tells whether a table cuts runs of one byte sanely: with an unlucky one, every position of such a run would be a cut.
    #[must_use]
    pub fn is_table_usable(sizes: ChunkSizes, gear: &[u64; 256]) -> bool {
        // In a run of one byte the hash settles at the sum of all shifted copies of its value, which is its negation.
        let (_, large_mask) = select_masks(sizes.average as usize, Normalization::Level2);
        gear.iter().all(|value| value.wrapping_neg() & large_mask != 0)
    }

    /// The sizes it cuts to.
    #[must_use]
    pub fn sizes(&self) -> ChunkSizes {
        self.sizes
    }

    /// Returns the length of the first chunk of `bytes`, which must begin at a cut.
    ///
    /// `None` when more bytes are needed to tell: fewer than the maximum are there, no cut is among them, and the content goes on
    /// (`is_end` is false). With `is_end`, non-empty bytes always give a length.
    #[must_use]
    pub fn cut(&self, bytes: &[u8], is_end: bool) -> Option<usize> {
        let is_enough = is_end || bytes.len() >= self.sizes.maximum as usize;
        // Shorter than any chunk: there is nothing to look for.
        if bytes.is_empty() || !is_enough && bytes.len() <= self.sizes.minimum as usize {
            return None;
        }
        let (_, length) = cut_gear(
            bytes,
            self.sizes.minimum as usize,
            self.sizes.average as usize,
            self.sizes.maximum as usize,
            self.small_mask,
            self.large_mask,
            self.small_mask << 1,
            self.large_mask << 1,
            self.gear.as_slice(),
            self.gear_shifted.as_slice(),
        );
        // Whether a cut is one depends on what is before it alone; the end of the bytes is none while more follow.
        (is_enough || length < bytes.len()).then_some(length)
    }

    /// Cuts a whole content into the lengths of its chunks.
    pub fn cut_all<'a>(&'a self, mut bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        std::iter::from_fn(move || {
            let length = self.cut(bytes, true)?;
            bytes = &bytes[length..];
            Some(length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table and content that never change (splitmix64), so that the cuts below are golden.
    fn numbers(seed: u64) -> impl Iterator<Item = u64> {
        let mut state = seed;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut value = state;
            value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            value ^ (value >> 31)
        })
    }

    fn cutter() -> Cutter {
        let table: Vec<u64> = numbers(1).take(256).collect();
        Cutter::new(ChunkSizes::default(), table.into_boxed_slice().try_into().expect("256 values"))
    }

    fn content(length: usize) -> Vec<u8> {
        numbers(2).flat_map(u64::to_le_bytes).take(length).collect()
    }

    #[test]
    fn cuts_are_pinned() {
        let cuts: Vec<usize> = cutter().cut_all(&content(8 << 20)).collect();
        assert_eq!(cuts, GOLDEN_CUTS);
    }

    #[test]
    fn cuts_do_not_depend_on_how_much_is_seen_at_once() {
        let (cutter, content) = (cutter(), content((8 << 20) + 12345));
        let whole: Vec<usize> = cutter.cut_all(&content).collect();
        let maximum = cutter.sizes().maximum as usize;
        // From the largest chunk to what is nearly never enough at once.
        for seen in [maximum, maximum - 1, 3_000_001, 1 << 20, (256 << 10) + 1, 256 << 10, 99_999] {
            let (mut start, mut end, mut piecewise) = (0, 0, Vec::new());
            while start < content.len() {
                end = (end + seen).min(content.len());
                while let Some(length) = cutter.cut(&content[start..end], end == content.len()) {
                    piecewise.push(length);
                    start += length;
                }
            }
            assert_eq!(whole, piecewise, "{seen} bytes at a time");
        }
        assert_eq!(whole.iter().sum::<usize>(), content.len());
    }

    #[test]
    fn an_insertion_moves_the_cuts_behind_it_and_changes_no_others() {
        let (cutter, before) = (cutter(), content(16 << 20));
        let after = [b"inserted".as_slice(), &before].concat();
        let ends = |bytes: &[u8], shift: usize| -> Vec<usize> {
            cutter
                .cut_all(bytes)
                .scan(0, |end, length| {
                    *end += length;
                    Some(*end - shift)
                })
                .collect()
        };
        let (old, new) = (ends(&before, 0), ends(&after, 8));
        let shared = old.iter().filter(|end| new.contains(end)).count();
        assert!(shared + 2 >= old.len(), "{old:?} {new:?}");
    }

    #[test]
    fn sizes_that_the_cutter_can_not_use_are_refused() {
        assert!(ChunkSizes::default().check().is_ok());
        for (minimum, average, maximum) in [
            (0, 1 << 20, 4 << 20),
            (1 << 20, 1 << 20, 4 << 20),
            (255, 1024, 4096),
            (256, 1000, 4096),
            (256, 1024, 16 << 20),
        ] {
            assert!(ChunkSizes { minimum, average, maximum }.check().is_err());
        }
    }

    /// Written down once; other cuts would store every repository's data anew.
    const GOLDEN_CUTS: &[usize] = &[2_422_325, 667_009, 828_528, 1_148_454, 2_024_430, 1_076_845, 221_017];
}
