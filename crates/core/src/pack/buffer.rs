//! The bytes of a pack while it is built: used again for the next one, for fresh memory costs a page fault for every
//! 4 KiB, and aligned to pages, so that a file system can take them from here without a copy of its own.
//!
//! Workers get [rooms](PackBuffer::room) of it that are theirs alone, fill them at the same time, and give them back; joined again they
//! are one piece of memory, which nothing was copied for.

use std::{
    mem::take,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::BytesMut;

/// What direct writes ask for: the size of a page, and of the largest common sector.
const ALIGNMENT: usize = 4096;

/// Buffers that wait for the next pack; more than these are on their way only when the store is slow.
const IDLE: usize = 2;

/// Buffers for packs of one size. Clones share them.
#[derive(Clone, Debug)]
pub struct PackBuffers {
    idle: Arc<Mutex<Vec<BytesMut>>>,
    capacity: usize,
}

/// A buffer that goes back when it is dropped. It reads as what was put into it so far.
#[derive(Debug)]
pub struct PackBuffer {
    /// Bytes before the first that is aligned.
    lead: BytesMut,
    /// The pack so far.
    bytes: BytesMut,
    /// What is free: it holds what was there for another pack.
    free: BytesMut,
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
        let mut free = idle.unwrap_or_else(|| BytesMut::zeroed(self.capacity));
        // A platform may decline to answer; then nothing is aligned and everything else holds.
        let start = Some(free.as_ptr().align_offset(ALIGNMENT)).filter(|&start| start < ALIGNMENT).unwrap_or(0);
        let lead = free.split_to(start);
        let bytes = free.split_to(0);
        PackBuffer { lead, bytes, free, home: self.clone() }
    }
}

impl PackBuffer {
    /// Bytes so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes so far.
    #[must_use]
    pub fn filled(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Hands out the next so many bytes, whatever they are, for somebody else to fill and to [join](Self::join) again, in this order.
    #[must_use]
    pub fn room(&mut self, length: usize) -> BytesMut {
        if length <= self.free.len() { self.free.split_to(length) } else { BytesMut::zeroed(length) }
    }

    /// Takes back what was handed out next.
    pub fn join(&mut self, room: BytesMut) {
        // Copies only what did not fit, and has memory of its own.
        self.bytes.unsplit(room);
    }

    /// Makes room for so many more bytes, whatever they are, and returns them.
    pub fn extend_by(&mut self, more: usize) -> &mut [u8] {
        let from = self.bytes.len();
        let room = self.room(more);
        self.join(room);
        &mut self.bytes[from..]
    }

    /// Appends bytes.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.extend_by(more.len()).copy_from_slice(more);
    }
}

impl AsRef<[u8]> for PackBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for PackBuffer {
    fn drop(&mut self) {
        // One that had to grow, or of which a room was never given back, is not kept: it was the exception.
        if self.lead.len() + self.bytes.len() + self.free.len() != self.home.capacity {
            return;
        }
        let mut whole = take(&mut self.lead);
        whole.unsplit(take(&mut self.bytes));
        whole.unsplit(take(&mut self.free));
        let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(whole);
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
        assert_eq!(second.length(), 0);
        second.extend_from_slice(&[2; 100]);
        assert_eq!(second.as_ref().as_ptr(), place, "the same memory");
        assert_eq!(second.as_ref(), [2; 100], "and nothing of what was in it");

        second.extend_from_slice(&[3; 100_000]);
        assert_eq!(second.length(), 100_100);
        assert_eq!((second.as_ref()[99], second.as_ref()[100], second.as_ref()[100_099]), (2, 3, 3));
        drop(second);
        assert_eq!(buffers.lend().filled().len(), 0);
    }

    #[test]
    fn rooms_that_are_filled_in_any_order_are_one_piece_again() {
        let buffers = PackBuffers::new(10_000);
        for _ in 0..3 {
            let mut buffer = buffers.lend();
            buffer.extend_from_slice(b"head");
            let place = buffer.as_ref().as_ptr();
            let [mut one, mut two] = [buffer.room(1_000), buffer.room(2_000)];
            two.fill(2);
            one.fill(1);
            buffer.join(one);
            buffer.join(two);
            buffer.extend_from_slice(b"tail");
            assert_eq!(buffer.as_ref(), [b"head".as_slice(), &[1; 1_000], &[2; 2_000], b"tail"].concat());
            assert_eq!(buffer.as_ref().as_ptr(), place, "nothing was copied");
            drop(buffer);
            assert_eq!(buffers.idle.lock().expect("not poisoned").len(), 1, "it is used again");
        }
    }

    #[test]
    fn a_room_that_is_never_given_back_costs_the_buffer_and_nothing_else() {
        let buffers = PackBuffers::new(10_000);
        let mut buffer = buffers.lend();
        let room = buffer.room(100);
        drop(buffer);
        drop(room);
        assert!(buffers.idle.lock().expect("not poisoned").is_empty());
        assert_eq!(buffers.lend().length(), 0);
    }
}
