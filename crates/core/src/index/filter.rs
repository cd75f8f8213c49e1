//! Tells of most ids that a segment does not have them, in about nine bits per id.
//!
//! A binary fuse filter with three positions and fingerprints of 8 bits: Graf and Lemire, "Binary Fuse Filters: Fast and
//! Smaller Than Xor Filters", ACM Journal of Experimental Algorithmics 27 (2022). One id in 256 that is not there passes.
//!
//! ```text
//! stored: seed u64 · windows u32 (0: no fingerprints, everything may be there) · window bits u32 · fingerprints
//!         fingerprints: (windows + 2) << window bits, one byte each
//! ```
//!
//! The same ids give the same filter: seeds are tried in a fixed order, and only so many of them.

use crate::error::{Error, Result};

/// Seed, windows, window bits.
const HEAD: usize = 16;
/// Larger windows do not make the filter smaller.
const MOST_WINDOW_BITS: u32 = 18;
/// Each seed succeeds with a probability of well over one half, whatever the ids: 64 in a row fail never.
const MOST_SEEDS: u64 = 64;

/// A filter over the first eight bytes of ids, read as little-endian numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    seed: u64,
    windows: u32,
    window_bits: u32,
    fingerprints: Box<[u8]>,
}

impl Filter {
    /// A filter that holds nothing back: for a segment whose own can not be read.
    #[must_use]
    pub fn everything() -> Self {
        Self { seed: 0, windows: 0, window_bits: 0, fingerprints: Box::default() }
    }

    /// Builds a filter that contains every key. Needs about 15 bytes per key while it works.
    #[must_use]
    pub fn build(mut keys: Vec<u64>) -> Self {
        // Two equal keys share all their positions and could never be told apart.
        keys.sort_unstable();
        keys.dedup();
        let (windows, window_bits) = shape(keys.len());
        let mut filter = Self { seed: 0, windows, window_bits, fingerprints: Box::default() };
        for attempt in 0..MOST_SEEDS {
            filter.seed = mix(attempt.wrapping_add(0x9e37_79b9_7f4a_7c15));
            if let Some(fingerprints) = filter.solve(&keys) {
                filter.fingerprints = fingerprints;
                return filter;
            }
        }
        Self::everything()
    }

    /// Tells whether a key may be there. Never false for one that is.
    #[must_use]
    pub fn contains(&self, key: u64) -> bool {
        if self.windows == 0 {
            return true;
        }
        let hash = self.hash(key);
        let found = self.positions(hash).into_iter().fold(0, |xor, position| {
            xor ^ self.fingerprints.get(position).copied().unwrap_or_default() // always there: checked in parse
        });
        found == fingerprint(hash)
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.fingerprints.len());
        bytes.extend_from_slice(&self.seed.to_le_bytes());
        bytes.extend_from_slice(&self.windows.to_le_bytes());
        bytes.extend_from_slice(&self.window_bits.to_le_bytes());
        bytes.extend_from_slice(&self.fingerprints);
        bytes
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Damaged`] when its sizes do not fit one another.
    pub fn parse(object: &str, plain: &[u8]) -> Result<Self> {
        let damaged = || Error::damaged(object, "its filter does not have the size that it claims");
        let (seed, rest) = plain.split_first_chunk().ok_or_else(damaged)?;
        let (windows, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (window_bits, fingerprints) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (windows, window_bits) = (u32::from_le_bytes(*windows), u32::from_le_bytes(*window_bits));
        let expected = match windows {
            0 if window_bits == 0 => 0,
            1.. if window_bits <= MOST_WINDOW_BITS => (u64::from(windows) + 2) << window_bits,
            _ => return Err(damaged()),
        };
        if fingerprints.len() as u64 != expected {
            return Err(damaged());
        }
        Ok(Self { seed: u64::from_le_bytes(*seed), windows, window_bits, fingerprints: fingerprints.into() })
    }

    fn hash(&self, key: u64) -> u64 {
        mix(key.wrapping_add(self.seed))
    }

    /// Three positions in three neighbouring windows.
    fn positions(&self, hash: u64) -> [usize; 3] {
        let window = 1_u64 << self.window_bits;
        let reach = u64::from(self.windows) << self.window_bits;
        let first = ((u128::from(hash) * u128::from(reach)) >> 64) as u64;
        // The exclusive or changes the place in a window and never leaves it.
        let second = (first + window) ^ ((hash >> 18) & (window - 1));
        let third = (first + 2 * window) ^ (hash & (window - 1));
        [first, second, third].map(|position| usize::try_from(position).unwrap_or(usize::MAX))
    }

    /// Finds fingerprints such that the three of each key give its own; `None` when this seed does not allow it.
    ///
    /// A position that only one key has left decides that key. Taking such keys away one by one makes others lonely;
    /// set in the reverse order, nothing that was decided changes again.
    fn solve(&self, keys: &[u64]) -> Option<Box<[u8]>> {
        let length = (self.windows as usize + 2) << self.window_bits;
        // Per position: how many keys are left, and the exclusive or of their hashes: of the last one, its hash.
        let (mut counts, mut hashes) = (vec![0_u8; length], vec![0_u64; length]);
        for &key in keys {
            let hash = self.hash(key);
            for position in self.positions(hash) {
                counts[position] = counts[position].checked_add(1)?;
                hashes[position] ^= hash;
            }
        }
        let mut lonely: Vec<usize> = (0..length).filter(|&position| counts[position] == 1).collect();
        let mut order = Vec::with_capacity(keys.len());
        while let Some(decided) = lonely.pop() {
            if counts[decided] != 1 {
                continue; // its key was taken away at another of its positions
            }
            let hash = hashes[decided];
            counts[decided] = 0;
            order.push(decided);
            for position in self.positions(hash).into_iter().filter(|&position| position != decided) {
                counts[position] -= 1;
                hashes[position] ^= hash;
                if counts[position] == 1 {
                    lonely.push(position);
                }
            }
        }
        if order.len() != keys.len() {
            return None;
        }
        let mut fingerprints = vec![0; length].into_boxed_slice();
        for decided in order.into_iter().rev() {
            let hash = hashes[decided];
            let others = self.positions(hash).into_iter().fold(0, |xor, position| xor ^ fingerprints[position]);
            fingerprints[decided] = fingerprint(hash) ^ others;
        }
        Some(fingerprints)
    }
}

/// How many windows of how many bits suit a number of keys: the formulas of the paper's authors for three positions.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "at most 2^20 keys; any shape is valid, a worse one only costs bits or a seed more"
)]
fn shape(keys: usize) -> (u32, u32) {
    let keys = keys.max(2) as f64;
    let window_bits = ((keys.ln() / 3.33_f64.ln() + 2.25) as u32).min(MOST_WINDOW_BITS);
    let room = (keys * (0.875 + 0.25 * 1e6_f64.ln() / keys.ln()).max(1.125)) as u32;
    (room.div_ceil(1 << window_bits).saturating_sub(2).max(1), window_bits)
}

/// The finisher of MurmurHash3.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[expect(clippy::cast_possible_truncation, reason = "a fingerprint is the lowest byte")]
fn fingerprint(hash: u64) -> u8 {
    (hash ^ (hash >> 32)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u64, salt: u64) -> Vec<u64> {
        (0..count).map(|number| mix(mix(number).wrapping_add(salt))).collect()
    }

    #[test]
    fn every_key_is_found_whatever_their_number() {
        for count in (0..200).chain([1_000, 4_097, 131_072]) {
            let filter = Filter::build(keys(count, 1));
            assert!(filter.windows > 0, "{count}");
            assert!(keys(count, 1).into_iter().all(|key| filter.contains(key)), "{count}");
            assert_eq!(Filter::parse("test", &filter.encode()).expect("parse"), filter);
            assert_eq!(Filter::build(keys(count, 1)), filter, "the same keys give the same filter");
        }
    }

    /// Written down once: a reader that computes otherwise would not find what is stored.
    #[test]
    fn the_stored_form_is_pinned() {
        let filter = Filter::build((0..40).map(|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect());
        assert_eq!((filter.windows, filter.window_bits), (1, 5));
        assert_eq!(
            blake3::hash(&filter.encode()).to_hex().as_str(),
            "0ef5b02fb2406675d32cfd6d370a82ee829ec034c8e0ab621446f29e31a6b91b"
        );
    }

    #[test]
    fn strangers_rarely_pass_and_keys_cost_about_nine_bits() {
        let filter = Filter::build(keys(100_000, 1));
        let passed = keys(100_000, 2).into_iter().filter(|&key| filter.contains(key)).count();
        assert!((200..600).contains(&passed), "{passed} of 100,000");
        assert!(filter.encode().len() * 8 < 1_000_000, "{} bytes", filter.encode().len());
    }

    #[test]
    fn equal_keys_and_keys_that_an_enemy_chose_still_give_a_filter() {
        for keys in [vec![7; 1_000], (0..1_000).collect(), (0..1_000).map(|number| number << 54).collect()] {
            let filter = Filter::build(keys.clone());
            assert!(keys.into_iter().all(|key| filter.contains(key)));
        }
    }

    #[test]
    fn a_filter_without_fingerprints_holds_nothing_back() {
        let filter = Filter::parse("test", &Filter::everything().encode()).expect("parse");
        assert!(filter.contains(0) && filter.contains(u64::MAX));
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        let sound = Filter::build(keys(50, 1)).encode();
        for length in 0..sound.len() {
            assert!(Filter::parse("test", &sound[..length]).is_err(), "cut at {length}");
        }
        assert!(Filter::parse("test", &[sound.as_slice(), &[0]].concat()).is_err());
        for (windows, window_bits) in [(0, 3), (u32::MAX, 18), (1, 19), (1, u32::MAX), (u32::MAX, 63)] {
            let mut lying = sound.clone();
            lying[8..12].copy_from_slice(&u32::to_le_bytes(windows));
            lying[12..16].copy_from_slice(&u32::to_le_bytes(window_bits));
            assert!(Filter::parse("test", &lying).is_err(), "{windows} windows of {window_bits} bits");
        }
    }
}
