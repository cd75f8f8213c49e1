//! Bytes that look like text to a compressor and are nowhere the same: about four to one at the default level.
//!
//! A mebibyte follows from the seed and its own number alone, so that a stream of any length begins like a longer one, and
//! whoever reads it back makes it again beside it. One core makes 2 to 3 GB/s: the generator is seldom what is waited for.

use std::io::{self, Read};

/// Bytes that are made at once.
pub(crate) const PIECE: usize = 1 << 20;
/// Phrases are copied from so many bytes; what is further back than a compressor looks would not compress.
const DICTIONARY: usize = 64 << 10;

/// Numbers without end (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}

/// Makes the pieces of one stream.
pub(crate) struct Content {
    seed: u64,
    dictionary: Vec<u8>,
}

impl Content {
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let letters = b"etaoinshrdlu, .\n";
        let dictionary =
            std::iter::repeat_with(|| letters[(numbers.draw() % 16) as usize]).take(DICTIONARY + 64).collect();
        Self { seed, dictionary }
    }

    /// Fills the buffer with the beginning of piece `number`: phrases of 24 to 55 bytes, each behind 4 bytes that nobody can guess.
    pub(crate) fn fill(&self, number: u64, buffer: &mut [u8]) {
        let mut numbers = Numbers(self.seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        let mut rest = buffer;
        while !rest.is_empty() {
            let drawn = numbers.draw();
            let (from, length) = ((drawn >> 48) as usize, 24 + (drawn >> 40 & 31) as usize);
            let noise = (drawn ^ 0x5bd1_e995_5bd1_e995).to_le_bytes();
            let (at, taken) = rest.split_at_mut(rest.len().min(length + 4));
            let (head, phrase) = at.split_at_mut(at.len().min(4));
            head.copy_from_slice(&noise[..head.len()]);
            phrase.copy_from_slice(&self.dictionary[from..from + phrase.len()]);
            rest = taken;
        }
    }
}

/// The stream as something that is read.
pub(crate) struct Stream {
    content: Content,
    left: u64,
    next: u64,
    piece: Vec<u8>,
    at: usize,
}

impl Stream {
    pub(crate) fn new(seed: u64, bytes: u64) -> Self {
        Self { content: Content::new(seed), left: bytes, next: 0, piece: vec![0; PIECE], at: PIECE }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.content.fill(self.next, &mut self.piece);
            (self.next, self.at) = (self.next + 1, 0);
        }
        let piece = &self.piece[self.at..];
        let length = buffer.len().min(piece.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        buffer[..length].copy_from_slice(&piece[..length]);
        (self.at, self.left) = (self.at + length, self.left - length as u64);
        Ok(length)
    }
}
