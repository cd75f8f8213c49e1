//! Buffers for file content, used again: a fresh one costs the system a page fault for every 4 KiB, and filling it with zeros
//! before it is read into costs as much as reading.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Buffers that are not in use. Those that have grown for a part of a large file are kept apart: in the end all would
/// be that large otherwise.
pub(super) struct Buffers {
    small: Mutex<Vec<Vec<u8>>>,
    large: Mutex<Vec<Vec<u8>>>,
    /// Bytes of all buffers, lent or not.
    held: AtomicUsize,
    /// Bytes from which on none is kept that comes back.
    kept: usize,
}

/// Bytes of buffers for each worker from which on none is kept that comes back: as many as a source of large files keeps busy, or one of
/// small files. One that changes between the two would come to hold both otherwise.
const KEPT_BYTES: usize = 13 << 20;

/// Capacity that makes a buffer a large one: more than a batch of small files needs.
const LARGE: usize = 4 << 20;

/// Bytes, and room behind them that may hold what was read for another use. Goes back when it is dropped.
pub(super) struct Buffer {
    /// As long as it ever was.
    room: Vec<u8>,
    length: usize,
    /// Lent for a part of a large file, which with small chunks may be short: it must come back to where it is lent from again.
    is_large: bool,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Buffers that keep so many workers busy.
    pub(super) fn new(workers: usize) -> Arc<Self> {
        let kept = KEPT_BYTES.saturating_mul(workers.max(2));
        Arc::new(Self { small: Mutex::default(), large: Mutex::default(), held: AtomicUsize::new(0), kept })
    }

    /// Lends an empty buffer, with room from whatever it was used for before.
    pub(super) fn small(self: &Arc<Self>) -> Buffer {
        self.lend(&self.small, false)
    }

    /// Lends an empty buffer for a part of a large file.
    pub(super) fn large(self: &Arc<Self>) -> Buffer {
        self.lend(&self.large, true)
    }

    fn lend(self: &Arc<Self>, idle: &Mutex<Vec<Vec<u8>>>, is_large: bool) -> Buffer {
        let room = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Buffer { room, length: 0, is_large, home: Arc::clone(self) }
    }
}

impl Buffer {
    /// Sets memory aside for so many bytes in all, without touching it.
    pub(super) fn set_aside(&mut self, length: usize) {
        let before = self.room.capacity();
        self.room.reserve_exact(length.saturating_sub(self.room.len()));
        self.home.held.fetch_add(self.room.capacity() - before, Ordering::Relaxed);
    }

    /// The next so many bytes, to be written and then [added](Self::add).
    pub(super) fn next(&mut self, length: usize) -> &mut [u8] {
        let end = self.length + length;
        if self.room.len() < end {
            self.set_aside(end);
            self.room.resize(end, 0);
        }
        &mut self.room[self.length..end]
    }

    /// Takes on so many bytes that were written to what is [next](Self::next).
    pub(super) fn add(&mut self, length: usize) {
        assert!(self.length + length <= self.room.len(), "only what was written is added");
        self.length += length;
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.next(bytes.len()).copy_from_slice(bytes);
        self.add(bytes.len());
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.room);
        if self.home.held.load(Ordering::Relaxed) > self.home.kept {
            self.home.held.fetch_sub(room.capacity(), Ordering::Relaxed);
            return;
        }
        let idle = if self.is_large || room.capacity() > LARGE { &self.home.large } else { &self.home.small };
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With chunks of at most 2 MiB, every part of a large file took new memory, which was kept: as much as the file is long.
    #[test]
    fn a_buffer_is_lent_again_however_little_was_in_it() {
        let buffers = Buffers::new(2);
        for _ in 0..10 {
            buffers.large().extend_from_slice(b"a part");
            buffers.small().extend_from_slice(b"a batch");
        }
        let idle = |kind: &Mutex<Vec<Vec<u8>>>| kind.lock().expect("lock").len();
        assert_eq!((idle(&buffers.large), idle(&buffers.small)), (1, 1));
        buffers.small().set_aside(2 * LARGE);
        assert_eq!((idle(&buffers.large), idle(&buffers.small)), (2, 0), "what has grown is kept apart");
    }

    #[test]
    fn no_more_is_kept_than_one_kind_of_source_needs() {
        let buffers = Buffers::new(2);
        let held = || buffers.held.load(Ordering::Relaxed);
        let lend = |count: usize, length: usize| -> Vec<Buffer> {
            let lent = |_| {
                let mut buffer = if length > LARGE { buffers.large() } else { buffers.small() };
                buffer.set_aside(length);
                buffer
            };
            (0..count).map(lent).collect()
        };
        drop(lend(4, 6 << 20));
        assert_eq!(held(), 24 << 20, "those of large files are kept");
        drop(lend(7, 2 << 20));
        assert!(held() <= 2 * KEPT_BYTES, "{} bytes are kept", held());
        let idle = |kind: &Mutex<Vec<Vec<u8>>>| kind.lock().expect("lock").iter().map(Vec::capacity).sum::<usize>();
        assert_eq!(idle(&buffers.small) + idle(&buffers.large), held(), "what is gone is not counted");
    }

    #[test]
    fn what_a_buffer_held_before_is_never_part_of_it() {
        let buffers = Buffers::new(2);
        let mut first = buffers.small();
        first.extend_from_slice(b"secret");
        drop(first);
        let mut second = buffers.small();
        assert!(second.is_empty());
        second.next(3).copy_from_slice(b"new");
        assert!(second.is_empty(), "not added yet");
        second.add(2);
        assert_eq!(&second[..], b"ne");
        second.truncate(1);
        second.truncate(5);
        second.extend_from_slice(b"xt");
        assert_eq!(&second[..], b"nxt");
    }
}
