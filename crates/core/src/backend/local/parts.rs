//! Files that stay open for as long as somebody reads their parts, and no more of them than the process can spare.
//!
//! A part costs one system call: no name is looked up again. That is what an index of a hundred million chunks is asked through.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::{
    io::{pread, retry_on_intr},
    process::{Resource, getrlimit},
};

use super::failed;
use crate::backend::{BackendError, BackendErrorKind, Parts};

/// More are never kept: what they would be worth is measured in `docs/benchmarks.md`, with an index of a hundred million chunks.
const MOST: u64 = 1_024;

/// How many more files may be kept open.
#[derive(Debug)]
pub(super) struct Permits {
    left: AtomicUsize,
}

impl Default for Permits {
    /// A quarter of what the process may have: sources, targets and other stores need the rest.
    fn default() -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(4 * MOST);
        Self::new(usize::try_from((files / 4).min(MOST)).unwrap_or(0))
    }
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        Self { left: AtomicUsize::new(count) }
    }

    /// `None` when all are taken.
    pub(super) fn take(self: &Arc<Self>) -> Option<Permit> {
        let one_less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok()?;
        Some(Permit(Arc::clone(self)))
    }
}

/// One file may be kept open while this lives.
#[derive(Debug)]
pub(super) struct Permit(Arc<Permits>);

impl Permit {
    pub(super) fn with(self, file: OwnedFd) -> OpenFile {
        OpenFile { file, _permit: self }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, Ordering::Relaxed);
    }
}

/// A file that stays open.
#[derive(Debug)]
pub(super) struct OpenFile {
    /// Closed before the permit is given back.
    file: OwnedFd,
    _permit: Permit,
}

impl Parts for OpenFile {
    fn read(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), BackendError> {
        while !buffer.is_empty() {
            let read = match retry_on_intr(|| pread(&self.file, &mut *buffer, offset)).map_err(failed)? {
                0 => return Err(BackendErrorKind::Corrupt.into()),
                read => read,
            };
            offset += read as u64;
            buffer = buffer.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back_when_files_are_closed() {
        let permits = Arc::new(Permits::new(2));
        let (one, two) = (permits.take(), permits.take());
        assert!(one.is_some() && two.is_some() && permits.take().is_none());
        drop(one);
        assert!(permits.take().is_some());
        assert!(Permits::default().left.into_inner() <= 1_024);
    }
}
