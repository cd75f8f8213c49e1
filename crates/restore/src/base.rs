//! What is there already of a file, compared piece by piece with what it is to be.
//!
//! A piece that is in its place is neither read from the repository nor written. Comparing is done by the workers, for many
//! pieces at once.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lbak_core::id::{ChunkId, ChunkKind};
use rustix::{
    fs::{FileType, OFlags, Stat},
    io::{Errno, Result},
};

use crate::{
    directory::Directory,
    file::{File, LARGE, MOST_OPEN, State},
    holes,
    system::{self, Identity},
    target::Target,
    temporary,
};

/// A file that holds some of what is wanted.
pub(crate) struct Base {
    pub(crate) identity: Identity,
    pub(crate) size: u64,
    /// It has other names, which may lie anywhere.
    pub(crate) has_links: bool,
    standing: Standing,
    /// It may not keep its other names.
    is_to_be_parted: bool,
    /// A piece of it was in its place.
    has_matched: AtomicBool,
    /// A piece of it was not.
    has_differed: AtomicBool,
}

/// Under which name it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its own.
    There,
    /// That of files that are being made.
    LeftNew,
    /// That of files that are being changed.
    LeftUpdate,
}

impl Base {
    /// A file that has its name.
    pub(crate) fn there(stat: &Stat, is_to_be_parted: bool) -> Self {
        Self { is_to_be_parted, ..Self::of(stat, Standing::There) }
    }

    /// What a restore that was interrupted has left of a file that has no name now.
    pub(crate) fn left(target: &Target, directory: &Directory, name: &[u8], size: u64) -> Result<Option<Self>> {
        if !directory.was_there() || !directory.present(target).has_temporary {
            return Ok(None);
        }
        let at = directory.fd(target)?;
        let look = |name: &[u8]| system::look(at.as_fd(), name).ok().filter(is_ours);
        if let Some(stat) = look(&temporary::update_name(&target.codec, name)) {
            return Ok(Some(Self::of(&stat, Standing::LeftUpdate)));
        }
        if size <= LARGE {
            return Ok(None);
        }
        let left = look(&temporary::new_name(&target.codec, name));
        Ok(left.map(|stat| Self::of(&stat, Standing::LeftNew)))
    }

    fn of(stat: &Stat, standing: Standing) -> Self {
        Self {
            identity: system::identity(stat),
            size: system::size(stat),
            has_links: stat.st_nlink > 1,
            standing,
            is_to_be_parted: false,
            has_matched: AtomicBool::new(false),
            has_differed: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_its_name(&self) -> bool {
        self.standing == Standing::There
    }

    pub(crate) fn is_left_new(&self) -> bool {
        self.standing == Standing::LeftNew
    }

    pub(crate) fn is_left_update(&self) -> bool {
        self.standing == Standing::LeftUpdate
    }

    pub(crate) fn has_matched(&self) -> bool {
        self.has_matched.load(Ordering::Relaxed)
    }

    /// Tells whether nothing of it has to be written, once all pieces have been compared.
    pub(crate) fn is_as_wanted(&self, size: u64) -> bool {
        self.has_its_name() && self.size == size && !self.is_to_be_parted && !self.has_differed.load(Ordering::Relaxed)
    }

    /// Tells whether a chunk is in its place.
    pub(crate) fn holds(
        &self,
        target: &Target,
        file: &File,
        offset: u64,
        length: u32,
        id: &ChunkId,
        buffer: &mut Vec<u8>,
    ) -> bool {
        let mut holds = || -> Result<bool> {
            if offset.saturating_add(u64::from(length)) > self.size {
                return Ok(false);
            }
            let fd = self.open(target, file, &mut file.state())?;
            buffer.resize(length as usize, 0);
            let read = system::read_at(&*fd, buffer, offset)?;
            Ok(read == buffer.len() && target.codec.keys().chunk_id(ChunkKind::Data, buffer) == *id)
        };
        // What can not be read is not in its place.
        self.note(holds().unwrap_or(false))
    }

    /// Tells whether a hole is in its place. Zeros that could be a hole become one where the file is changed or was left by
    /// another restore; one that keeps its name is not touched for them.
    pub(crate) fn has_hole(&self, target: &Target, file: &File, offset: u64, length: u64) -> bool {
        let end = offset.saturating_add(length).min(self.size);
        let has_hole = || -> Result<bool> {
            if offset >= end {
                return Ok(true);
            }
            let fd = self.open(target, file, &mut file.state())?;
            let Some((start, _)) = holes::data_from(&*fd, offset, end)? else { return Ok(true) };
            if !are_zeros(target, &fd, start, end)? {
                return Ok(false);
            }
            if target.dry_run {
                return Ok(true);
            }
            if self.has_its_name() {
                // Who has it open or sends it elsewhere would meet a change that nobody needs.
                return Ok(self.is_as_wanted(file.size()));
            }
            // Reading gives the same bytes before and after, by whatever name: nothing is lost when this is interrupted.
            let name = file.name_of_base(target, self, &file.state());
            let at = file.directory.fd(target)?;
            let fd = system::open_file(at.as_fd(), &name, OFlags::RDWR, self.identity)?;
            match holes::punch(fd, offset, end - offset, self.size) {
                // Where there are no holes, zeros are all that can be had.
                Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Ok(true),
                Err(errno) => Err(errno),
            }
        };
        self.note(has_hole().unwrap_or(false))
    }

    fn note(&self, matches: bool) -> bool {
        let noted = if matches { &self.has_matched } else { &self.has_differed };
        noted.store(true, Ordering::Relaxed);
        matches
    }

    /// The open file, to be read.
    pub(crate) fn open(&self, target: &Target, file: &File, state: &mut State) -> Result<Arc<OwnedFd>> {
        if let Some(fd) = &state.base_fd {
            return Ok(Arc::clone(fd));
        }
        let at = file.directory.fd(target)?;
        let name = file.name_of_base(target, self, state);
        let fd = system::open_file(at.as_fd(), &name, OFlags::RDONLY, self.identity)?;
        if target.is_reading_back {
            system::forget_cached(&fd);
        }
        let fd = Arc::new(fd);
        if target.open_files.load(Ordering::Relaxed) < MOST_OPEN {
            target.open_files.fetch_add(1, Ordering::Relaxed);
            state.base_fd = Some(Arc::clone(&fd));
        }
        Ok(fd)
    }
}

/// Only what nobody else can have made or can write to is gone on with: whoever finds out the name of one that was left could
/// put his own there, and change it after it was compared.
fn is_ours(stat: &Stat) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let is_written_by_others = system::permissions(stat) & 0o022 != 0;
    let is_file = system::kind(stat) == FileType::RegularFile && stat.st_nlink == 1;
    is_file && stat.st_uid == user && !is_written_by_others
}

fn are_zeros(target: &Target, fd: &OwnedFd, mut offset: u64, end: u64) -> Result<bool> {
    let mut buffer = vec![0; 256 << 10];
    while let Some((start, stop)) = holes::data_from(fd, offset, end)? {
        offset = start;
        while offset < stop {
            if target.cancellation.is_cancelled() {
                return Ok(false);
            }
            let step = usize::try_from(stop - offset).unwrap_or(usize::MAX).min(buffer.len());
            let read = system::read_at(fd, buffer.get_mut(..step).unwrap_or_default(), offset)?;
            if buffer.get(..read).is_some_and(|read| read.iter().any(|&byte| byte != 0)) {
                return Ok(false);
            }
            if read == 0 {
                return Ok(true);
            }
            offset += read as u64;
        }
    }
    Ok(true)
}
