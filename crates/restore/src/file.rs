//! A file on its way: its pieces come in any order, from any worker; who brings the last one finishes it.
//!
//! A file of a piece or two is made, written, given its metadata and closed in one go. One of many stays open in
//! between, unless too many do. A file that can not be completed is removed: nothing half is left under its name.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lbak_core::{error::Result, observe::FindingKind, tree::Entry};
use rustix::fs::AtFlags;

use crate::{
    directory::Directory,
    links::Origin,
    metadata,
    system::{self, Identity},
    target::{Target, add},
};

/// Files that stay open between two of their pieces. Above that they are closed and opened again.
const MOST_OPEN: usize = 384;

/// A regular file that is being restored.
pub(crate) struct File {
    directory: Arc<Directory>,
    /// Without its content, which is kept by whoever plans it.
    entry: Entry,
    /// Told when it is complete, if it has more names.
    origin: Option<Arc<Origin>>,
    /// One for the planner, one for each piece that is still to come.
    pending: AtomicU64,
    /// Its end is not written.
    ends_in_hole: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    fd: Option<Arc<OwnedFd>>,
    /// Known when it was closed in between.
    identity: Option<Identity>,
    is_made: bool,
    is_over: bool,
    failure: Option<(FindingKind, String)>,
}

impl File {
    /// A file that its directory waits for.
    pub(crate) fn new(directory: &Arc<Directory>, entry: Entry, origin: Option<Arc<Origin>>) -> Arc<Self> {
        directory.hold();
        Arc::new(Self {
            directory: Arc::clone(directory),
            entry,
            origin,
            pending: AtomicU64::new(1),
            ends_in_hole: AtomicBool::new(false),
            state: Mutex::default(),
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.entry.size
    }

    /// Waits for one piece more.
    pub(crate) fn expect_piece(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the last bytes are a hole.
    pub(crate) fn end_in_hole(&self) {
        self.ends_in_hole.store(true, Ordering::Relaxed);
    }

    /// Tells whether there is no use in going on with it.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().failure.is_some()
    }

    /// Notes why it will be withheld. The first reason counts.
    pub(crate) fn fail(&self, kind: FindingKind, message: impl std::fmt::Display) {
        self.state().failure.get_or_insert_with(|| (kind, message.to_string()));
    }

    /// Writes a piece; trouble of this file alone makes it fail.
    pub(crate) fn write(&self, target: &Target, offset: u64, bytes: &[u8]) -> Result<()> {
        let opened = {
            let mut state = self.state();
            if state.failure.is_some() || state.is_over {
                return Ok(());
            }
            self.open(target, &mut state)
        };
        let written = opened.and_then(|fd| {
            let written = system::write_at(&fd, bytes, offset);
            if target.open_files.load(Ordering::Relaxed) > MOST_OPEN {
                self.close_for_now(target, &fd);
            }
            written
        });
        match written {
            Ok(()) => {
                add(&target.restored.written, bytes.len() as u64);
                Ok(())
            }
            Err(errno) => self.fail_to_write(target, errno),
        }
    }

    /// Counts a piece, or the planner, as done with. The last one finishes the file.
    pub(crate) fn release(&self, target: &Target) -> Result<()> {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 { self.finish(target) } else { Ok(()) }
    }

    /// Removes it, because the whole restore has stopped.
    pub(crate) fn abandon(&self, target: &Target) {
        let mut state = self.state();
        if !state.is_over {
            state.is_over = true;
            self.remove(target, &mut state);
        }
    }

    fn finish(&self, target: &Target) -> Result<()> {
        let mut state = self.state();
        if state.is_over {
            return Ok(());
        }
        if state.failure.is_none() && !target.dry_run {
            let completed = self.open(target, &mut state).and_then(|fd| {
                if self.ends_in_hole.load(Ordering::Relaxed) {
                    rustix::fs::ftruncate(&fd, self.entry.size)?;
                }
                metadata::set_on_open(target, fd.as_fd(), &self.entry, &|| self.path());
                match &self.origin {
                    Some(_) => Ok(Some(system::identity(&rustix::fs::fstat(&fd)?))),
                    None => Ok(None),
                }
            });
            match completed {
                Ok(identity) => state.identity = identity,
                Err(errno) => {
                    drop(state);
                    self.fail_to_write(target, errno)?;
                    state = self.state();
                }
            }
        }
        state.is_over = true;
        match state.failure.take() {
            Some((kind, message)) => {
                self.remove(target, &mut state);
                match kind {
                    FindingKind::Lost => target.findings.lose(1, self.path(), message),
                    kind => target.findings.note(kind, self.path(), message),
                }
                if let Some(origin) = &self.origin {
                    origin.failed();
                }
            }
            None => {
                self.close(target, &mut state);
                add(&target.restored.files, 1);
                add(&target.restored.bytes, self.entry.size);
                if let Some(origin) = &self.origin {
                    origin.complete(state.identity.unwrap_or_default());
                }
            }
        }
        drop(state);
        self.directory.release(target);
        Ok(())
    }

    /// The open file: made when it is not there yet, opened again when it was closed.
    fn open(&self, target: &Target, state: &mut State) -> rustix::io::Result<Arc<OwnedFd>> {
        if let Some(fd) = &state.fd {
            return Ok(Arc::clone(fd));
        }
        let at = self.directory.fd(target)?;
        let fd = match state.identity {
            Some(identity) => system::reopen_file(at.as_fd(), &self.entry.name, identity)?,
            None => system::create_file(at.as_fd(), &self.entry.name)?,
        };
        state.is_made = true;
        target.open_files.fetch_add(1, Ordering::Relaxed);
        let fd = Arc::new(fd);
        state.fd = Some(Arc::clone(&fd));
        Ok(fd)
    }

    fn close_for_now(&self, target: &Target, fd: &OwnedFd) {
        let mut state = self.state();
        // Without knowing which file it is it can not be opened again: then it stays open.
        if let Ok(stat) = rustix::fs::fstat(fd) {
            state.identity = Some(system::identity(&stat));
            self.close(target, &mut state);
        }
    }

    fn close(&self, target: &Target, state: &mut State) {
        if state.fd.take().is_some() {
            target.open_files.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn remove(&self, target: &Target, state: &mut State) {
        self.close(target, state);
        if std::mem::take(&mut state.is_made)
            && let Ok(at) = self.directory.fd(target)
        {
            // Nothing can be done when this fails too; the file is named in a finding, or the restore has failed.
            let _ = rustix::fs::unlinkat(&*at, &self.entry.name, AtFlags::empty());
        }
    }

    fn fail_to_write(&self, target: &Target, errno: rustix::io::Errno) -> Result<()> {
        let message = match self.directory.collision(target, &self.entry.name, errno) {
            Some(message) => message,
            None => target.judge("write", &self.path(), errno)?,
        };
        self.fail(FindingKind::Unwritable, message);
        Ok(())
    }

    fn path(&self) -> Vec<u8> {
        self.directory.path_of(&self.entry.name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
