//! The bytes of a pack while it is built: used again for the next one, for fresh memory costs a page fault for every
//! 4 KiB, and aligned to pages, so that a file system can take them from here without a copy of its own.

use std::sync::{Arc, Mutex, PoisonError};

/// What direct writes ask for: the size of a page, and of the largest common sector.
const ALIGNMENT: usize = 4096;

/// Buffers that wait for the next pack; more than these are on their way only when the store is slow.
const IDLE: usize = 2;

/// Buffers for packs of one size. Clones share them.
#[derive(Clone, Debug)]
pub struct PackBuffers {
    idle: Arc<Mutex<Vec<Vec<u8>>>>,
    capacity: usize,
}

/// A buffer that goes back when it is dropped. It reads as what was put into it so far.
#[derive(Debug)]
pub struct PackBuffer {
    /// What lies behind the end is old.
    bytes: Vec<u8>,
    /// Where the first aligned byte is.
    start: usize,
    length: usize,
    home: PackBuffers,
}

impl PackBuffers {
    /// Buffers for packs of up to so many bytes; a pack that becomes larger gets a larger one.
    #[must_use]
    pub fn new(pack_bytes: usize) -> Self {
        Self { idle: Arc::default(), capacity: pack_bytes + ALIGNMENT }
    }

    /// Lends an empty buffer.
    #[must_use]
    pub fn lend(&self) -> PackBuffer {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = idle.unwrap_or_else(|| vec![0; self.capacity]);
        let start = start_of(&bytes);
        PackBuffer { bytes, start, length: 0, home: self.clone() }
    }
}

/// The place of the first aligned byte.
fn start_of(bytes: &[u8]) -> usize {
    // A platform may decline to answer; then nothing is aligned and everything else holds.
    Some(bytes.as_ptr().align_offset(ALIGNMENT)).filter(|&start| start < ALIGNMENT).unwrap_or(0)
}

impl PackBuffer {
    /// Bytes so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes so far.
    #[must_use]
    pub fn filled(&mut self) -> &mut [u8] {
        let end = self.start + self.length;
        &mut self.bytes[self.start..end]
    }

    /// Makes room for so many more bytes, whatever they are, and returns them.
    pub fn extend_by(&mut self, more: usize) -> &mut [u8] {
        let (from, to) = (self.start + self.length, self.start + self.length + more);
        if to > self.bytes.len() {
            self.move_to_larger(self.length + more);
            return self.extend_by(more);
        }
        self.length += more;
        &mut self.bytes[from..to]
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.extend_by(more.len()).copy_from_slice(more);
    }

    fn move_to_larger(&mut self, length: usize) {
        let mut larger = vec![0; length.next_multiple_of(1 << 20) + ALIGNMENT];
        let start = start_of(&larger);
        larger[start..start + self.length].copy_from_slice(self.filled());
        (self.bytes, self.start) = (larger, start);
    }
}

impl AsRef<[u8]> for PackBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length]
    }
}

impl Drop for PackBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // One that had to grow is not kept: it was the exception.
        if idle.len() < IDLE && bytes.len() == self.home.capacity {
            idle.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_grows_when_it_must() {
        let buffers = PackBuffers::new(10_000);
        let mut first = buffers.lend();
        first.extend_from_slice(&[1; 9_000]);
        let place = first.as_ref().as_ptr();
        assert!((place as usize).is_multiple_of(ALIGNMENT));
        drop(first);

        let mut second = buffers.lend();
        assert_eq!((second.length(), second.as_ref().as_ptr()), (0, place));
        second.extend_from_slice(&[2; 6_000]);
        second.extend_from_slice(&[3; 6_000_000]);
        assert_eq!(second.length(), 6_006_000);
        assert_eq!(second.as_ref()[5_999..6_001], [2, 3]);
        assert!((second.as_ref().as_ptr() as usize).is_multiple_of(ALIGNMENT));
        drop(second);
        assert_eq!(buffers.lend().bytes.len(), buffers.capacity, "the large one is gone");
    }
}
