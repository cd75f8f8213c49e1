//! Under which name a file lies while it is being made or changed.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, Uid},
    io::Errno,
};

use super::{File, LARGE, State};
use crate::{base::Base, existing, holes, system, target::Target, temporary};

/// Where the bytes of a file go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing was written.
    #[default]
    None,
    /// To a file under the name of those that are being made.
    New,
    /// To the file that was there, under the name of those that are being changed.
    Update,
}

impl File {
    /// Gives it its name.
    pub(super) fn publish(&self, target: &Target, state: &mut State) -> rustix::io::Result<()> {
        let at = self.directory.fd(target)?;
        let (from, to) = (self.working_name(target, state.work), self.entry.name.as_slice());
        let takes_place = state.work == Work::New && self.base.as_ref().is_some_and(Base::has_its_name);
        if takes_place {
            rustix::fs::renameat(&*at, &from, &*at, to)?;
        } else {
            if let Some(stat) = &self.replaced {
                existing::make_free(target, &self.directory, to, stat)?;
            }
            system::rename_new(at.as_fd(), &from, to)?;
        }
        state.work = Work::None;
        Ok(())
    }

    /// The open file: made when it is not there yet, opened again when it was closed.
    pub(super) fn open(&self, target: &Target, state: &mut State) -> rustix::io::Result<Arc<OwnedFd>> {
        if let Some(fd) = &state.fd {
            return Ok(Arc::clone(fd));
        }
        let at = self.directory.fd(target)?;
        let fd = match (state.identity.filter(|_| state.work != Work::None), &self.base) {
            (Some(identity), _) => {
                system::open_file(at.as_fd(), &self.working_name(target, state.work), OFlags::WRONLY, identity)?
            }
            (None, None) => self.create(target, state)?,
            (None, Some(base)) => self.begin_from(target, base, state)?,
        };
        target.open_files.fetch_add(1, Ordering::Relaxed);
        let fd = Arc::new(fd);
        state.fd = Some(Arc::clone(&fd));
        Ok(fd)
    }

    pub(super) fn create(&self, target: &Target, state: &mut State) -> rustix::io::Result<OwnedFd> {
        let at = self.directory.fd(target)?;
        let name = temporary::new_name(&target.codec, &self.entry.name);
        let created = match system::create_file(at.as_fd(), &name) {
            Err(Errno::EXIST) if self.directory.was_there() => {
                // Left by a restore that was killed, or set there to be found: it is not written into.
                rustix::fs::unlinkat(&*at, name.as_slice(), AtFlags::empty())?;
                system::create_file(at.as_fd(), &name)
            }
            created => created,
        }?;
        state.work = Work::New;
        Ok(created)
    }

    /// Makes what is there ready to be changed.
    pub(super) fn begin_from(&self, target: &Target, base: &Base, state: &mut State) -> rustix::io::Result<OwnedFd> {
        let at = self.directory.fd(target)?;
        let mut write_to = |name: &[u8], work: Work| {
            let fd = system::open_file(at.as_fd(), name, OFlags::RDWR, base.identity)?;
            state.work = work;
            Ok(fd)
        };
        if base.is_left_new() {
            return write_to(&temporary::new_name(&target.codec, &self.entry.name), Work::New);
        }
        if base.is_left_update() {
            return write_to(&temporary::update_name(&target.codec, &self.entry.name), Work::Update);
        }
        if !base.has_matched() && self.is_planned.load(Ordering::Relaxed) {
            return self.create(target, state);
        }
        let fd = self.create(target, state)?;
        let from = match base.open(target, self, state) {
            // Nothing of it could be compared: there is nothing to copy.
            Err(Errno::ACCESS) if !base.has_matched() => return Ok(fd),
            from => from?,
        };
        if system::clone(&*from, &fd) {
            return Ok(fd);
        }
        if base.size > LARGE && !base.has_links {
            // Opened while it still has its name: one that is running can not be.
            if let Ok(moved) = system::open_file(at.as_fd(), &self.entry.name, OFlags::RDWR, base.identity) {
                let name = temporary::update_name(&target.codec, &self.entry.name);
                if moved_away(at.as_fd(), &moved, &self.entry.name, &name) {
                    rustix::fs::unlinkat(&*at, temporary::new_name(&target.codec, &self.entry.name), AtFlags::empty())?;
                    state.work = Work::Update;
                    return Ok(moved);
                }
            }
        }
        holes::copy(&*from, &fd, base.size.min(self.entry.size), &|| !target.cancellation.is_cancelled())?;
        Ok(fd)
    }

    pub(super) fn working_name(&self, target: &Target, work: Work) -> Vec<u8> {
        match work {
            Work::None => self.entry.name.clone(),
            Work::New => temporary::new_name(&target.codec, &self.entry.name),
            Work::Update => temporary::update_name(&target.codec, &self.entry.name),
        }
    }

    /// The name under which what is there of it lies now.
    pub(crate) fn name_of_base(&self, target: &Target, base: &Base, state: &State) -> Vec<u8> {
        if base.is_left_new() {
            return temporary::new_name(&target.codec, &self.entry.name);
        }
        let is_moved = base.is_left_update() || state.work == Work::Update;
        self.working_name(target, if is_moved { Work::Update } else { Work::None })
    }

    pub(super) fn close_for_now(&self, target: &Target, fd: &OwnedFd) {
        let mut state = self.state();
        // Without knowing which file it is it can not be opened again: then it stays open.
        if let Ok(stat) = rustix::fs::fstat(fd) {
            state.identity = Some(system::identity(&stat));
            self.close(target, &mut state);
        }
    }

    pub(super) fn close(&self, target: &Target, state: &mut State) {
        let closed = usize::from(state.fd.take().is_some()) + usize::from(state.base_fd.take().is_some());
        target.open_files.fetch_sub(closed, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, target: &Target, state: &mut State) {
        self.close(target, state);
        if std::mem::take(&mut state.work) == Work::New
            && let Ok(at) = self.directory.fd(target)
        {
            let name = temporary::new_name(&target.codec, &self.entry.name);
            // Nothing can be done when this fails too; the file is named in a finding, or the restore has failed.
            let _ = rustix::fs::unlinkat(&*at, name, AtFlags::empty());
        }
    }
}

/// Moves a file to another name, as one that nobody else writes to: only such a file is gone on with after an interruption.
fn moved_away(at: BorrowedFd<'_>, file: &OwnedFd, from: &[u8], to: &[u8]) -> bool {
    let Ok(stat) = rustix::fs::fstat(file) else { return false };
    let user = rustix::process::geteuid();
    let is_mine = stat.st_uid == user.as_raw();
    let made_mine = || if is_mine { Ok(()) } else { rustix::fs::fchown(file, Some(user), None) };
    if made_mine().and_then(|()| rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)).is_err() {
        return false;
    }
    if system::rename_new(at, from, to).is_ok() {
        return true;
    }
    // It was allowed once; what can not be given back is set when the file is complete.
    if !is_mine {
        let _ = rustix::fs::fchown(file, Some(Uid::from_raw(stat.st_uid)), None);
    }
    let _ = rustix::fs::fchmod(file, system::mode(system::permissions(&stat)));
    false
}
