//! Buffers for file content, used again: a fresh one costs the system a page fault for every 4 KiB.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

/// Buffers that are not in use. Those that have grown for a part of a large file are kept apart: in the end all would
/// be that large otherwise.
#[derive(Default)]
pub(super) struct Buffers {
    small: Mutex<Vec<Vec<u8>>>,
    large: Mutex<Vec<Vec<u8>>>,
}

/// Capacity that makes a buffer a large one: more than a batch of small files needs.
const LARGE: usize = 4 << 20;

/// A buffer that goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Lends an empty buffer, with room from whatever it was used for before.
    pub(super) fn small(self: &Arc<Self>) -> Buffer {
        self.lend(&self.small)
    }

    /// Lends an empty buffer for a part of a large file.
    pub(super) fn large(self: &Arc<Self>) -> Buffer {
        self.lend(&self.large)
    }

    fn lend(self: &Arc<Self>, idle: &Mutex<Vec<Vec<u8>>>) -> Buffer {
        let bytes = idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Buffer { bytes, home: Arc::clone(self) }
    }
}

impl Buffer {
    /// Makes `length` bytes usable; those that were not used before are zero.
    pub(super) fn grow(&mut self, length: usize) {
        self.bytes.resize(length.max(self.bytes.len()), 0);
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let idle = if bytes.capacity() > LARGE { &self.home.large } else { &self.home.small };
        idle.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}
