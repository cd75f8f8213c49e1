//! The code of one slice: a Reed–Solomon code over 16-bit numbers, "high rate" in the crate's words, fed run by run.
//!
//! The crate's own encoder holds everything that it codes. The code is linear: this one keeps the sum of what each chunk of sectors adds, and
//! gives the same sectors.

use lbak_core::parity::SECTOR;
use reed_solomon_simd::engine::{DefaultEngine, Engine, ShardsRefMut};

/// Blocks of 64 bytes, which the engine works on, in a sector.
const BLOCKS: usize = SECTOR / 64;

/// Makes the recovery sectors of a slice.
pub(super) struct SliceEncoder {
    recovery: usize,
    /// What full chunks have added.
    sum: Vec<[u8; 64]>,
    /// The chunk that is being filled.
    chunk: Vec<[u8; 64]>,
    filled: usize,
    /// The place of its first sector.
    start: usize,
}

impl SliceEncoder {
    pub(super) fn new(recovery: usize) -> Self {
        let blocks = recovery.next_power_of_two() * BLOCKS;
        Self { recovery, sum: vec![[0; 64]; blocks], chunk: vec![[0; 64]; blocks], filled: 0, start: 0 }
    }

    /// Takes the next sector; what it lacks is zeros.
    pub(super) fn push(&mut self, engine: &DefaultEngine, sector: &[u8]) {
        let place = self.filled * BLOCKS;
        let blocks = self.chunk.get_mut(place..place + BLOCKS).expect("a full chunk is added at once");
        let (taken, rest) = blocks.as_flattened_mut().split_at_mut(sector.len().min(SECTOR));
        taken.copy_from_slice(sector.get(..SECTOR).unwrap_or(sector));
        rest.fill(0);
        self.filled += 1;
        if self.filled == self.sectors() {
            self.add(engine);
        }
    }

    /// The recovery sectors, one behind the other.
    pub(super) fn finish(mut self, engine: &DefaultEngine) -> Vec<[u8; 64]> {
        if self.filled > 0 {
            self.chunk.iter_mut().skip(self.filled * BLOCKS).for_each(|block| *block = [0; 64]);
            self.add(engine);
        }
        self.chunk = Vec::new();
        let sectors = self.sectors();
        engine.fft(&mut ShardsRefMut::new(sectors, BLOCKS, &mut self.sum), 0, sectors, self.recovery, 0);
        self.sum.truncate(self.recovery * BLOCKS);
        self.sum
    }

    fn sectors(&self) -> usize {
        self.recovery.next_power_of_two()
    }

    fn add(&mut self, engine: &DefaultEngine) {
        let sectors = self.sectors();
        let mut chunk = ShardsRefMut::new(sectors, BLOCKS, &mut self.chunk);
        engine.ifft(&mut chunk, 0, sectors, self.filled, self.start + sectors);
        for (sum, block) in self.sum.iter_mut().zip(&self.chunk) {
            sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
        }
        self.start += sectors;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use reed_solomon_simd::rate::{HighRateEncoder, RateEncoder};

    use super::*;

    #[test]
    fn fed_run_by_run_the_code_is_the_one_of_the_crate() {
        let engine = DefaultEngine::new();
        for (originals, recovery) in [(1, 1), (16, 1), (17, 3), (48, 5), (64, 64), (100, 128), (300, 13)] {
            let sectors: Vec<Vec<u8>> =
                (0..originals).map(|number| lbak_testkit::objects::noise(number, SECTOR)).collect();
            let mut expected =
                HighRateEncoder::new(sectors.len(), recovery, SECTOR, DefaultEngine::new(), None).expect("supported");
            let mut slice = SliceEncoder::new(recovery);
            for sector in &sectors {
                expected.add_original_shard(sector).expect("as many as were told");
                slice.push(&engine, sector);
            }
            let expected: Vec<u8> =
                expected.encode().expect("all are there").recovery_iter().flatten().copied().collect();
            assert!(slice.finish(&engine).as_flattened() == expected, "{originals} {recovery}");
        }
    }

    /// Pins the code itself: another version of the crate must give these bytes.
    #[test]
    fn the_code_is_the_one_that_was_written_before() {
        let engine = DefaultEngine::new();
        let mut slice = SliceEncoder::new(3);
        (0..20).for_each(|number| slice.push(&engine, &lbak_testkit::objects::noise(number, SECTOR)));
        let hash = blake3::hash(slice.finish(&engine).as_flattened());
        assert_eq!(hash.to_hex().as_str(), GOLDEN);
    }

    const GOLDEN: &str = "bc93ba62f0a4d2597bfe0bc666fe813290c9dfb2617d7db8ebe7a44147cf1111";
}
