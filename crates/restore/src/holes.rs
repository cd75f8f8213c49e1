//! Holes: where the data of a file lies, and how what has to be a hole becomes one.

use std::os::fd::AsFd;

use rustix::{
    fs::SeekFrom,
    io::{Errno, Result},
};

use crate::system::{read_at, write_at};

/// The next bytes from `offset` on that are no hole, as a range below `end`; `None` when there are none.
pub(crate) fn data_from(fd: impl AsFd, offset: u64, end: u64) -> Result<Option<(u64, u64)>> {
    let start = match rustix::fs::seek(&fd, SeekFrom::Data(offset)) {
        Ok(start) if start >= end => return Ok(None),
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // Who does not know holes has none.
        Err(Errno::INVAL | Errno::NOTSUP) => return Ok(Some((offset, end))),
        Err(errno) => return Err(errno),
    };
    let stop = rustix::fs::seek(&fd, SeekFrom::Hole(start)).unwrap_or(end).min(end);
    Ok(Some((start, stop.max(start + 1).min(end))))
}

/// Makes a hole in a file that is to have this size at the end; where there are none, zeros. What lies behind the last wanted byte
/// is cut off, and only what takes room is written over: never more than the file holds, however long the hole.
pub(crate) fn make(fd: impl AsFd, offset: u64, length: u64, size: u64, go_on: &dyn Fn() -> bool) -> Result<()> {
    match punch(&fd, offset, length, size) {
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL | Errno::FBIG) => {}
        outcome => return outcome,
    }
    let there = rustix::fs::fstat(&fd).map(|stat| crate::system::size(&stat))?;
    let end = offset.saturating_add(length);
    if end >= size {
        // It gets its size again when it is complete.
        return if there > offset { rustix::fs::ftruncate(fd, offset) } else { Ok(()) };
    }
    write_zeros(fd, offset, end.min(there), go_on)
}

/// Writes zeros over what takes room between two places.
fn write_zeros(fd: impl AsFd, mut offset: u64, end: u64, go_on: &dyn Fn() -> bool) -> Result<()> {
    let zeros = vec![0; 1 << 20];
    while let Some((start, stop)) = data_from(&fd, offset, end)? {
        offset = start;
        while offset < stop {
            if !go_on() {
                return Err(Errno::CANCELED);
            }
            let step = usize::try_from(stop - offset).unwrap_or(usize::MAX).min(zeros.len());
            write_at(&fd, zeros.get(..step).unwrap_or_default(), offset)?;
            offset += step as u64;
        }
    }
    Ok(())
}

/// No file system has larger blocks, but for a few that have no holes.
#[cfg(target_os = "linux")]
const LARGEST_BLOCK: u64 = 1 << 20;

/// Makes a hole in a file of this size, which stays as it is.
#[cfg(target_os = "linux")]
pub(crate) fn punch(fd: impl AsFd, offset: u64, length: u64, size: u64) -> Result<()> {
    use rustix::fs::FallocateFlags as Flags;
    // Behind the end too, or the last block would stay.
    let is_end = offset.saturating_add(length) >= size;
    let longer = if is_end { length.checked_next_multiple_of(LARGEST_BLOCK).unwrap_or(length) } else { length };
    let punch = |length| rustix::fs::fallocate(&fd, Flags::PUNCH_HOLE | Flags::KEEP_SIZE, offset, length);
    match punch(longer) {
        // It would end behind the longest file that there can be.
        Err(Errno::FBIG | Errno::INVAL) if longer > length => punch(length),
        outcome => outcome,
    }
}

/// Makes a hole in a file.
#[cfg(not(target_os = "linux"))]
pub(crate) fn punch(_: impl AsFd, _: u64, _: u64, _: u64) -> Result<()> {
    Err(Errno::NOTSUP)
}

/// Copies the bytes of a range that are no holes.
pub(crate) fn copy(from: impl AsFd, to: impl AsFd, end: u64, go_on: &dyn Fn() -> bool) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while let Some((start, stop)) = data_from(&from, offset, end)? {
        offset = start;
        while offset < stop {
            if !go_on() {
                return Err(Errno::CANCELED);
            }
            let step = usize::try_from(stop - offset).unwrap_or(usize::MAX).min(buffer.len());
            let read = read_at(&from, buffer.get_mut(..step).unwrap_or_default(), offset)?;
            if read == 0 {
                return Ok(());
            }
            write_at(&to, buffer.get(..read).unwrap_or_default(), offset)?;
            offset += read as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        os::unix::fs::{FileExt, MetadataExt},
    };

    use lbak_testkit::not_run;

    use super::*;

    const TIB: u64 = 1 << 40;

    /// A file of so many bytes with some data near its end; `None` where there are no such files.
    fn long_file(size: u64, data_at: &[u64]) -> Option<File> {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(size).ok()?;
        data_at.iter().for_each(|&at| file.write_all_at(b"data", at).expect("write"));
        (file.metadata().expect("metadata").blocks() * 512 < 1 << 20).then_some(file)
    }

    fn byte_at(file: &File, at: u64) -> u8 {
        let mut byte = [9];
        file.read_exact_at(&mut byte, at).expect("read");
        byte[0]
    }

    /// Where holes could not be made, terabytes of zeros were written.
    #[test]
    fn zeros_are_written_only_over_what_takes_room() {
        let Some(file) = long_file(4 * TIB, &[0, TIB, 3 * TIB]) else {
            return not_run("the temporary directory has no holes");
        };
        write_zeros(&file, 100, 3 * TIB, &|| true).expect("write");
        assert_eq!([0, TIB, 3 * TIB].map(|at| byte_at(&file, at)), [b'd', 0, b'd']);
        assert!(file.metadata().expect("metadata").blocks() * 512 < 1 << 20);
        assert_eq!(file.metadata().expect("metadata").len(), 4 * TIB);
        assert_eq!(write_zeros(&file, 0, 4 * TIB, &|| false), Err(Errno::CANCELED));
    }

    /// The last hole of the longest file that there can be was refused, because it was made longer than that.
    #[test]
    fn the_last_hole_of_the_longest_file_is_made() {
        let longest = [i64::MAX.unsigned_abs(), 16 * TIB - 4096, 8 * TIB];
        let found = longest.into_iter().find_map(|size| long_file(size, &[size - 5000]).map(|file| (file, size)));
        let Some((file, size)) = found else {
            return not_run("the temporary directory has no long files");
        };
        make(&file, size - 10_000, 10_000, size, &|| true).expect("make");
        file.set_len(size).expect("as it is when it is complete");
        assert_eq!(byte_at(&file, size - 5000), 0);
    }
}
