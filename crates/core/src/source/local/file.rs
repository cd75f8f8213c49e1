//! One regular file, read from front to end, around its holes.

use std::{
    cell::Cell,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    fs::{OFlags, SeekFrom},
    io::Errno,
};

use super::{
    super::{ExtendedAttributes, Portion, SourceError, SourceErrorKind, SourceFile, UnreadAttributes},
    Walk, attributes,
    holes::Holes,
    pseudo,
    system::{self, Links},
};
use crate::metadata::{FileKind, Metadata};

/// Files above this are announced to the system as read from front to end.
const LARGE: u64 = 1 << 20;

/// A server's clock can not be asked without writing to it. One that is behind by more than an hour breaks more than backups.
const SHARED_CLOCK_LAG: u32 = 3600;

pub(super) struct LocalFile {
    fd: OwnedFd,
    walk: Arc<Walk>,
    device: u64,
    /// What it was when it was opened, until it is asked for or something is read.
    opened: Cell<Option<Metadata>>,
    offset: u64,
    /// A read that ended here brought less than there was room for: the end, where the file was seen to end, too.
    short_at: Option<u64>,
    size: u64,
    /// Where the data that `offset` lies in ends; `u64::MAX` in a file without holes.
    data_end: u64,
    holes: Holes,
}

impl LocalFile {
    pub(super) fn open(at: BorrowedFd<'_>, name: &[u8], links: Links, walk: &Arc<Walk>) -> Result<Self, SourceError> {
        // A FIFO opens at once for reading, a device is not read: both are refused by the look that follows.
        let fd = system::open(at, name, links, OFlags::empty())?;
        let metadata = system::look_at_open(&fd, &walk.people)?;
        if metadata.kind != FileKind::File {
            return Err(SourceError::new(SourceErrorKind::Changed, "it is no regular file any more"));
        }
        if metadata.size > LARGE {
            system::will_read_all(&fd);
        }
        let data_end = if has_holes(&fd, &metadata) { 0 } else { u64::MAX };
        Ok(Self {
            fd,
            walk: Arc::clone(walk),
            device: metadata.device,
            size: metadata.size,
            opened: Cell::new(Some(metadata)),
            offset: 0,
            short_at: None,
            data_end,
            holes: Holes::default(),
        })
    }

    /// Finds the data at or behind the offset; returns the length of the hole before it.
    fn pass_hole(&mut self) -> Result<Option<u64>, SourceError> {
        let start = match rustix::fs::seek(&self.fd, SeekFrom::Data(self.offset)) {
            Ok(start) => start,
            // No more data: a hole up to the end, or the end itself.
            Err(Errno::NXIO) => system::look_at_open(&self.fd, &self.walk.people)?.size,
            // A file system that knows no holes.
            Err(_) => {
                self.data_end = u64::MAX;
                return Ok(None);
            }
        };
        if start > self.offset {
            if self.holes.believe(&self.fd, self.offset..start)? {
                let length = start - self.offset;
                (self.offset, self.data_end) = (start, start);
                return Ok(Some(length));
            }
            self.data_end = start;
            return Ok(None);
        }
        // The file may have changed between the calls: at least something is read, or the end is met.
        let end = rustix::fs::seek(&self.fd, SeekFrom::Hole(self.offset)).unwrap_or(u64::MAX);
        self.data_end = end.max(self.offset.saturating_add(1));
        Ok(None)
    }
}

/// Tells whether a file has a hole, with one call.
///
/// What is allocated does not tell it: attributes may count, and room that is kept behind the end.
fn has_holes(fd: &OwnedFd, metadata: &Metadata) -> bool {
    metadata.size > 0 && rustix::fs::seek(fd, SeekFrom::Hole(0)).is_ok_and(|hole| hole < metadata.size)
}

impl SourceFile for LocalFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, SourceError> {
        self.opened.take();
        if self.short_at == Some(self.size) && self.offset == self.size {
            return Ok(Portion::End);
        }
        if self.offset >= self.data_end
            && let Some(length) = self.pass_hole()?
        {
            return Ok(Portion::Hole(length));
        }
        // A read that could pass the last place that a file can have is refused, even at the end of the longest file.
        let data_end = self.data_end.min(i64::MAX.unsigned_abs());
        let data = usize::try_from(data_end.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let wanted = data.min(buffer.len());
        let read = system::read_at(&self.fd, &mut buffer[..wanted], self.offset)?;
        self.offset += read as u64;
        self.short_at = (read < wanted).then_some(self.offset);
        Ok(if read == 0 { Portion::End } else { Portion::Data(read) })
    }

    fn metadata(&self) -> Result<Metadata, SourceError> {
        if let Some(metadata) = self.opened.take() {
            return Ok(metadata);
        }
        system::look_at_open(&self.fd, &self.walk.people)
    }

    fn clock_lag_seconds(&self) -> u32 {
        if self.walk.has_shared_clock(self.device, &self.fd) { SHARED_CLOCK_LAG } else { 0 }
    }

    fn is_made_up(&self) -> bool {
        pseudo::is_open_pseudo(self.fd.as_fd())
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        attributes::of_open(&self.fd)
    }
}
