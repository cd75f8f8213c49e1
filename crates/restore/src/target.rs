//! The place that is restored to, and what all workers share.

use std::{
    collections::HashMap,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use lbak_core::{
    error::{Error, Result, escape},
    observe::{Cancellation, Event, FindingKind, Progress},
    snapshot::Totals,
    tree::Entry,
};
use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
};

use crate::{directory::Directory, findings::Findings, handles::Handles, metadata::Owners, options::Place, system};

/// Where things go, and what was done so far.
pub(crate) struct Target {
    path: PathBuf,
    /// Nothing is made.
    pub(crate) dry_run: bool,
    pub(crate) findings: Findings,
    pub(crate) cancellation: Cancellation,
    pub(crate) handles: Handles,
    pub(crate) owners: Owners,
    /// Files that are open between two of their pieces.
    pub(crate) open_files: AtomicUsize,
    pub(crate) restored: Restored,
    /// One open directory of each file system that was written to, opened before that.
    file_systems: Mutex<HashMap<u64, OwnedFd>>,
    /// Totals that are known beforehand.
    expected: Progress,
}

/// Counts of what is there.
#[derive(Default)]
pub(crate) struct Restored {
    pub(crate) files: AtomicU64,
    pub(crate) directories: AtomicU64,
    pub(crate) links: AtomicU64,
    pub(crate) others: AtomicU64,
    /// Sizes of finished files.
    pub(crate) bytes: AtomicU64,
    /// Bytes written, of unfinished files too.
    pub(crate) written: AtomicU64,
}

/// Three files of the longest length, all hole, have more bytes than can be counted: the count stays at the largest.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.update(Ordering::Relaxed, Ordering::Relaxed, |count| count.saturating_add(more));
}

impl Target {
    pub(crate) fn new(
        path: &Path,
        dry_run: bool,
        findings: Findings,
        cancellation: Cancellation,
        expected: Progress,
    ) -> Self {
        Self {
            path: path.to_owned(),
            dry_run,
            findings,
            cancellation,
            handles: Handles::default(),
            owners: Owners::of_process(),
            open_files: AtomicUsize::new(0),
            restored: Restored::default(),
            file_systems: Mutex::default(),
            expected,
        }
    }

    /// Opens the directory that everything goes into; makes it when it is missing.
    ///
    /// `shown` is the path that findings give it. With `entry` it gets that metadata at the end.
    pub(crate) fn open(&self, place: Place, shown: Vec<u8>, entry: Option<Entry>) -> Result<Arc<Directory>> {
        let failed = |action| move |errno: Errno| self.error(action, &[], errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = match rustix::fs::openat(CWD, &self.path, flags, Mode::empty()) {
            Err(Errno::NOENT) if self.dry_run => {
                // It would be made, if there is where.
                let above = match self.path.parent() {
                    Some(above) if !above.as_os_str().is_empty() => above,
                    _ => Path::new("."),
                };
                rustix::fs::openat(CWD, above, flags, Mode::empty()).map_err(failed("create"))?;
                return Ok(Directory::top(None, shown, None));
            }
            Err(Errno::NOENT) => {
                // Private until it gets the mode of the directory that it stands for.
                let mode = if entry.is_some() { 0o700 } else { 0o777 };
                rustix::fs::mkdirat(CWD, &self.path, system::mode(mode)).map_err(failed("create"))?;
                rustix::fs::openat(CWD, &self.path, flags, Mode::empty())
            }
            opened => opened,
        };
        let fd = opened.map_err(failed("open"))?;
        if place == Place::Contents && !is_empty(&fd).map_err(failed("list"))? {
            return Err(Error::TargetNotEmpty { path: self.path.clone() });
        }
        let identity = system::identity(&rustix::fs::fstat(&fd).map_err(failed("open"))?);
        self.will_write_to(identity.0, &fd);
        Ok(Directory::top(Some((fd, identity)), shown, entry))
    }

    /// Notes that things are made on this file system.
    pub(crate) fn will_write_to(&self, device: u64, fd: &OwnedFd) {
        let mut file_systems = self.file_systems.lock().unwrap_or_else(PoisonError::into_inner);
        if let std::collections::hash_map::Entry::Vacant(vacant) = file_systems.entry(device)
            && let Ok(fd) = fd.try_clone()
        {
            vacant.insert(fd);
        }
    }

    /// Makes everything durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let file_systems = self.file_systems.lock().unwrap_or_else(PoisonError::into_inner);
        file_systems
            .values()
            .try_for_each(|fd| system::sync_file_system(fd.as_fd()))
            .map_err(|errno| self.error("sync", &[], errno))
    }

    /// Puts trouble with one name into words; what every other name would meet too is an error.
    pub(crate) fn judge(&self, action: &'static str, path: &[u8], errno: Errno) -> Result<String> {
        const OF_ALL: [Errno; 6] = [Errno::NOSPC, Errno::DQUOT, Errno::ROFS, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
        if OF_ALL.contains(&errno) {
            return Err(self.error(action, path, errno));
        }
        Ok(format!("cannot {action} it: {errno}"))
    }

    /// Notes that something was not written.
    pub(crate) fn note_unwritable(&self, action: &'static str, path: Vec<u8>, errno: Errno) -> Result<()> {
        let message = self.judge(action, &path, errno)?;
        self.findings.note(FindingKind::Unwritable, path, message);
        Ok(())
    }

    fn error(&self, action: &'static str, shown: &[u8], errno: Errno) -> Error {
        let mut path = self.path.clone();
        if !shown.is_empty() {
            // For people: where in the snapshot it was is what tells them most.
            path.as_mut_os_string().push(format!(" (for {})", escape(shown)));
        }
        Error::Target { action, path, source: errno.into() }
    }

    /// Tells how far it is.
    pub(crate) fn tell_progress(&self) {
        let progress = Progress {
            files: self.restored.files.load(Ordering::Relaxed),
            bytes: self.restored.written.load(Ordering::Relaxed),
            ..self.expected
        };
        self.findings.observer().event(&Event::Progress(progress));
    }

    /// What is there.
    pub(crate) fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            files: load(&self.restored.files),
            directories: load(&self.restored.directories),
            links: load(&self.restored.links),
            others: load(&self.restored.others),
        }
    }
}

fn is_empty(fd: &OwnedFd) -> rustix::io::Result<bool> {
    for entry in rustix::fs::Dir::read_from(fd)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
