//! Bytes and holes of two files. Only what is data on one side is read: a file of 8 TiB of holes costs two calls.

use std::{
    cmp::{max, min},
    ops::Range,
    os::fd::OwnedFd,
};

use rustix::{
    fs::SeekFrom,
    io::{Errno, Result},
};

/// Bytes that are compared at once.
const STEP: usize = 256 << 10;

/// A file that is compared.
pub(super) struct Side {
    pub(super) fd: OwnedFd,
    pub(super) size: u64,
    /// What its file system gives out at once.
    pub(super) block: u64,
}

/// Ranges of a file, in order, none empty, none touching another.
type Ranges = Vec<Range<u64>>;

/// Finds the first byte that differs in files of one length.
pub(super) fn first_difference(left: &Side, right: &Side) -> Result<Option<u64>> {
    // Most files are small: to clear the whole room for each would cost more than to read them.
    let room = usize::try_from(left.size).unwrap_or(STEP).min(STEP);
    let (mut ours, mut theirs) = (vec![0; room], vec![0; room]);
    for range in union(data(left)?, data(right)?) {
        let mut offset = range.start;
        while offset < range.end {
            let wanted = usize::try_from(range.end - offset).unwrap_or(STEP).min(STEP);
            let (ours, theirs) = (&mut ours[..wanted], &mut theirs[..wanted]);
            fill(&left.fd, ours, offset)?;
            fill(&right.fd, theirs, offset)?;
            if let Some(place) = ours.iter().zip(&*theirs).position(|(ours, theirs)| ours != theirs) {
                return Ok(Some(offset + place as u64));
            }
            offset += wanted as u64;
        }
    }
    Ok(None)
}

/// Finds the first hole of `of` that is data in `other`, in whole blocks of both file systems.
pub(super) fn first_filled_hole(of: &Side, other: &Side) -> Result<Option<Range<u64>>> {
    let block = max(of.block, other.block);
    let filled = data(other)?;
    for hole in holes(of)? {
        let end = if hole.end == of.size { hole.end } else { hole.end / block * block };
        let hole = hole.start.next_multiple_of(block)..end;
        // Those that end before it do not matter, and the next one decides.
        let next = filled.partition_point(|data| data.end <= hole.start);
        if let Some(data) = filled.get(next).filter(|data| data.start < hole.end) {
            return Ok(Some(max(data.start, hole.start)..min(data.end, hole.end)));
        }
    }
    Ok(None)
}

/// Where there is data; all of it where the file system knows no holes.
fn data(side: &Side) -> Result<Ranges> {
    let mut ranges = Ranges::new();
    let mut offset = 0;
    while offset < side.size {
        let start = match rustix::fs::seek(&side.fd, SeekFrom::Data(offset)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::NOTSUP) => offset,
            Err(errno) => return Err(errno),
        };
        let end = rustix::fs::seek(&side.fd, SeekFrom::Hole(start)).unwrap_or(side.size).min(side.size);
        if end <= start {
            break;
        }
        ranges.push(start..end);
        offset = end;
    }
    Ok(ranges)
}

fn holes(side: &Side) -> Result<Ranges> {
    let mut holes = Ranges::new();
    let mut offset = 0;
    for data in data(side)? {
        if data.start > offset {
            holes.push(offset..data.start);
        }
        offset = data.end;
    }
    if offset < side.size {
        holes.push(offset..side.size);
    }
    Ok(holes)
}

fn union(one: Ranges, other: Ranges) -> Ranges {
    let mut all = [one, other].concat();
    all.sort_unstable_by_key(|range| range.start);
    let mut merged = Ranges::new();
    for range in all {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = max(last.end, range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Fills a buffer from a place of a file; one that has become shorter is an error.
fn fill(fd: &OwnedFd, mut buffer: &mut [u8], mut offset: u64) -> Result<()> {
    while !buffer.is_empty() {
        match rustix::io::pread(fd, &mut *buffer, offset) {
            Ok(0) => return Err(Errno::NODATA),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
