//! Which holes are believed.
//!
//! Where a file has holes is a hint of the file system, and file systems have been wrong about bytes that were written a
//! moment before and not yet brought to the disk: ext4 in 2011, and OpenZFS until 2.2.2 in 2023, whose holes in fresh files made
//! copies of zeros (openzfs/zfs issue 15526). A backup must not do that, and files that were changed a moment ago are what
//! it reads. So a hole is read, and believed when it is zeros. Reading terabytes of nothing is out of the question: before
//! a long hole is believed, the system is asked to bring to the disk what it holds of the file, the hole is asked for
//! again, and its two ends are read; it is at its ends that a hole is too long.

use std::{ops::Range, os::fd::OwnedFd};

use rustix::{fs::SeekFrom, io::Errno};

use super::{super::SourceError, system};

/// Holes up to this length are read: 2 ms.
const SHORT: u64 = 16 << 20;

/// Bytes of holes of one file that are read; all others count as long.
const MOST: u64 = 256 << 20;

/// Bytes at each end of a long hole that are read.
const ENDS: u64 = 64 << 10;

/// Bytes read at once.
const STEP: usize = 128 << 10;

/// What is known of a file's holes.
#[derive(Debug, Default)]
pub(super) struct Holes {
    /// The system was asked to bring all to the disk, and nothing speaks against it.
    is_flushed: Option<bool>,
    read_bytes: u64,
    zeros: Vec<u8>,
}

impl Holes {
    /// Tells whether a hole that the file system has told of is recorded as one; else it is read like data.
    pub(super) fn believe(&mut self, fd: &OwnedFd, hole: Range<u64>) -> Result<bool, SourceError> {
        let is_hole = self.look_into(fd, &hole);
        // Room that is set aside and not written counts as data while zeros of it are in memory: what was looked into would
        // be no hole to the next who asks.
        system::forget_read(fd, hole);
        is_hole
    }

    fn look_into(&mut self, fd: &OwnedFd, hole: &Range<u64>) -> Result<bool, SourceError> {
        let length = hole.end - hole.start;
        if length <= 2 * ENDS || (length <= SHORT && self.read_bytes + length <= MOST) {
            self.read_bytes += length;
            return self.is_zeros(fd, hole.clone());
        }
        if !*self.is_flushed.get_or_insert_with(|| flush(fd)) {
            return Ok(false);
        }
        // What was not on the disk may turn out to be data.
        let is_hole = match rustix::fs::seek(fd, SeekFrom::Data(hole.start)) {
            Ok(start) => start >= hole.end,
            Err(errno) => errno == Errno::NXIO,
        };
        let (first, last) = (hole.start..hole.start + ENDS, hole.end - ENDS..hole.end);
        Ok(is_hole && self.is_zeros(fd, first)? && self.is_zeros(fd, last)?)
    }

    fn is_zeros(&mut self, fd: &OwnedFd, mut range: Range<u64>) -> Result<bool, SourceError> {
        self.zeros.resize(STEP, 0);
        while range.start < range.end {
            let wanted = usize::try_from(range.end - range.start).unwrap_or(STEP).min(STEP);
            let read = system::read_at(fd, &mut self.zeros[..wanted], range.start)?;
            if self.zeros[..read].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            if read == 0 {
                // It has become shorter: whoever reads on meets the end.
                return Ok(false);
            }
            range.start += read as u64;
        }
        Ok(true)
    }
}

/// Brings to the disk what the system holds of a file.
fn flush(fd: &OwnedFd) -> bool {
    match rustix::fs::fdatasync(fd) {
        // Where nothing can be written, nothing is waiting for it.
        Ok(()) | Err(Errno::ROFS | Errno::INVAL | Errno::NOTSUP | Errno::NOSYS) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// OpenZFS until 2.2.2 told of holes where bytes had been written a moment before.
    #[test]
    fn a_hole_that_is_none_is_not_believed() {
        // Short ones are read; of long ones the system is asked again, and both ends are read.
        for length in [1, ENDS, 3 * ENDS, SHORT, SHORT + 1, SHORT + 3 * ENDS] {
            let size = usize::try_from(length).expect("a few MiB");
            for at in [0, size / 2, size - 1] {
                let mut bytes = vec![0; size];
                bytes[at] = 1;
                let mut file = tempfile::tempfile().expect("a file");
                file.write_all(&bytes).expect("write");
                let fd = OwnedFd::from(file);
                assert!(!Holes::default().believe(&fd, 0..length).expect("readable"), "{length} bytes, one at {at}");
            }
        }
    }

    #[test]
    fn what_is_zeros_may_be_a_hole() {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(SHORT).expect("extend");
        assert!(Holes::default().believe(&OwnedFd::from(file), 0..SHORT).expect("readable"));
    }
}
