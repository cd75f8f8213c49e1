//! The place that is restored to, and what all workers share.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use lbak_core::{
    browse,
    codec::Codec,
    error::{Error, Result, escape},
    observe::{Action, Cancellation, Event, FindingKind, Progress},
    patterns::{Choice, Matched, PatternCount, Patterns, Tally},
    snapshot::Totals,
    tree::Entry,
};
use rustix::{
    fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, Stat},
    io::Errno,
};

use crate::{
    directory::{self, Directory, Top},
    findings::Findings,
    handles::Handles,
    metadata,
    options::{ActionCounts, Delete, InPlace, Overwrite, Place, RestoreOptions},
    owners::Owners,
    system::{self, Identity},
    temporary,
};

/// Where things go, and what was done so far.
pub(crate) struct Target {
    path: PathBuf,
    /// The path in the snapshot that it stands for; known when it is open.
    shown: OnceLock<Vec<u8>>,
    /// Nothing is made.
    pub(crate) dry_run: bool,
    /// What is there is compared with the snapshot, and nothing else is done.
    pub(crate) is_reading_back: bool,
    pub(crate) place: Place,
    pub(crate) in_place: Option<InPlace>,
    pub(crate) patterns: Patterns,
    tally: Mutex<Tally>,
    /// What nothing is done with.
    untouched: HashSet<Identity>,
    /// Files that had more than one name when one of these was met.
    linked: Mutex<HashSet<Identity>>,
    /// Extended attributes that are set.
    pub(crate) attributes: Patterns,
    pub(crate) codec: Codec,
    /// Everything is to be on stable storage.
    pub(crate) sync: bool,
    tell_each: bool,
    /// Paths of what is restored, which may be mount points of their own.
    roots: Mutex<HashSet<Vec<u8>>>,
    /// The target, locked against other restores.
    locked: Mutex<Option<OwnedFd>>,
    /// The directory in which a file tells that this restore is not complete.
    unfinished: Mutex<Option<OwnedFd>>,
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
    /// Bytes done with, of unfinished files too: written, or found in their place.
    pub(crate) done: AtomicU64,
    /// Bytes written, of unfinished files too.
    pub(crate) written: AtomicU64,
    created: AtomicU64,
    updated: AtomicU64,
    kept: AtomicU64,
    deleted: AtomicU64,
    /// Directories in which nothing was deleted because names were left out of the snapshot.
    pub(crate) spared_directories: AtomicU64,
}

/// Three files of the longest length, all hole, have more bytes than can be counted: the count stays at the largest.
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.update(Ordering::Relaxed, Ordering::Relaxed, |count| count.saturating_add(more));
}

impl Target {
    pub(crate) fn new(
        path: &Path,
        options: &RestoreOptions,
        codec: Codec,
        findings: browse::Findings,
        expected: Progress,
    ) -> Self {
        Self {
            path: path.to_owned(),
            shown: OnceLock::new(),
            dry_run: options.dry_run,
            is_reading_back: false,
            place: options.place,
            in_place: options.in_place,
            patterns: options.patterns.clone(),
            tally: Mutex::default(),
            untouched: options.untouched.iter().copied().collect(),
            linked: Mutex::default(),
            attributes: options.attributes.clone(),
            codec,
            sync: options.sync,
            tell_each: options.observer.wants_paths(),
            roots: Mutex::default(),
            locked: Mutex::default(),
            unfinished: Mutex::default(),
            findings: Findings::new(findings),
            cancellation: options.cancellation.clone(),
            handles: Handles::default(),
            owners: Owners::new(options.ownership),
            open_files: AtomicUsize::new(0),
            restored: Restored::default(),
            file_systems: Mutex::default(),
            expected,
        }
    }

    /// The same place, to compare what is there with the snapshot.
    pub(crate) fn to_read_back(&self, options: &RestoreOptions) -> Self {
        let noted = browse::Findings::new(options.observer.clone());
        let mut target = Self::new(&self.path, options, self.codec.clone(), noted, self.expected);
        target.findings = self.findings.of_reading_back(options.observer.clone());
        (target.dry_run, target.is_reading_back, target.tell_each) = (true, true, false);
        target
    }

    /// Notes the path of something that was asked for.
    pub(crate) fn add_root(&self, path: Vec<u8>) {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
    }

    /// Tells whether a path was asked for, not only met below another.
    pub(crate) fn is_root_of_restore(&self, path: &[u8]) -> bool {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    /// Length of the path of the root that a path lies below.
    pub(crate) fn root_length_of(&self, path: &[u8]) -> usize {
        let roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let slashes = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(place, _)| place);
        let is_root = |&length: &usize| path.get(..length).is_some_and(|above| roots.contains(above));
        slashes.filter(is_root).max().unwrap_or_default()
    }

    /// Chooses by what was found to match a name, and counts it.
    pub(crate) fn choose(&self, matched: &Matched) -> Choice {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).count(matched);
        self.patterns.choice(matched)
    }

    /// How many names each pattern has matched.
    pub(crate) fn pattern_counts(&self) -> Vec<PatternCount> {
        self.patterns.counts(&self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells whether what is there and is no directory has more than one name, or had when one of them was met: whether
    /// another one is gone by now depends on who was quicker, and in a dry run none ever is.
    pub(crate) fn is_linked(&self, stat: &Stat) -> bool {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = system::identity(stat);
        linked.contains(&identity) || stat.st_nlink > 1 && linked.insert(identity)
    }

    /// Tells whether nothing is done with this, whatever the snapshot has.
    pub(crate) fn is_untouched(&self, identity: Identity) -> bool {
        self.untouched.contains(&identity)
    }

    /// What existing files are changed; `None` where nothing that is there is.
    pub(crate) fn overwrite(&self) -> Option<Overwrite> {
        self.in_place.map(|in_place| in_place.overwrite)
    }

    /// Tells whether names that the snapshot does not have are deleted.
    pub(crate) fn deletes(&self) -> bool {
        !self.is_reading_back && self.in_place.is_some_and(|in_place| in_place.delete != Delete::Nothing)
    }

    /// Tells whether they are deleted also where names were left out of the snapshot.
    pub(crate) fn deletes_left_out(&self) -> bool {
        self.in_place.is_some_and(|in_place| in_place.delete == Delete::ExtraOfIncomplete)
    }

    /// Tells whether what is there already is looked at.
    pub(crate) fn looks(&self) -> bool {
        self.in_place.is_some() || self.is_reading_back
    }

    /// Opens the directory that everything goes into; makes it when it is missing.
    ///
    /// `shown` is the path that findings give it. With `entry` it gets that metadata at the end: always when it was missing or
    /// empty, like any other directory otherwise. Tells what that does with it.
    pub(crate) fn open(&self, shown: Vec<u8>, mut entry: Option<Entry>) -> Result<(Arc<Directory>, Action)> {
        self.shown.get_or_init(|| shown.clone());
        let failed = |action| move |errno: Errno| self.error(action, &[], errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut action = Action::Kept;
        let opened = match rustix::fs::openat(CWD, &self.path, flags, Mode::empty()) {
            Err(Errno::NOENT) if self.dry_run => {
                // It would be made, if there is where.
                let above = match self.path.parent() {
                    Some(above) if !above.as_os_str().is_empty() => above,
                    _ => Path::new("."),
                };
                rustix::fs::openat(CWD, above, flags, Mode::empty()).map_err(failed("create"))?;
                return Ok((Directory::top(Top { shown, ..Top::default() }), Action::Created));
            }
            Err(Errno::NOENT) => {
                // Private until it gets the mode of the directory that it stands for.
                let mode = if entry.is_some() { 0o700 } else { 0o777 };
                rustix::fs::mkdirat(CWD, &self.path, system::mode(mode)).map_err(failed("create"))?;
                action = Action::Created;
                rustix::fs::openat(CWD, &self.path, flags, Mode::empty())
            }
            opened => opened,
        };
        let fd = opened.map_err(failed("open"))?;
        let stat = rustix::fs::fstat(&fd).map_err(failed("open"))?;
        let mut was_there = true;
        if !self.is_reading_back {
            let is_contents = self.place == Place::Contents;
            let held = if is_contents { holds(&fd).map_err(failed("list"))? } else { Held::Something };
            if is_contents && held != Held::Nothing && self.in_place.is_none() {
                return Err(Error::TargetNotEmpty { path: self.path.clone() });
            }
            was_there = held != Held::Nothing;
            if let Some(wanted) = entry.as_ref().filter(|_| action != Action::Created) {
                let is_own = held != Held::Something;
                let is_same = || metadata::is_directory_same(self, fd.as_fd(), &stat, wanted);
                if !is_own && !directory::gets_metadata(self, Some(&stat), wanted) {
                    entry = None;
                } else if !is_same() {
                    action = Action::Updated;
                }
            }
            if entry.is_some() && !self.dry_run {
                directory::open_up(self, &stat, &fd);
            }
            if is_contents && !self.dry_run {
                self.begin_in(&fd, held)?;
            }
        }
        let identity = system::identity(&stat);
        self.will_write_to(identity.0, &fd);
        Ok((Directory::top(Top { open: Some((fd, identity)), shown, entry, was_there }), action))
    }

    /// Makes sure that no other restore writes there, and leaves a sign of this one until it is complete.
    fn begin_in(&self, fd: &OwnedFd, held: Held) -> Result<()> {
        // Some file systems have no locks; there nobody is kept away.
        if rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            let what = format!("another restore is writing to {}: wait for its end", self.path.display());
            return Err(Error::Invalid { what });
        }
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = fd.try_clone().ok();
        if held == Held::Something {
            return Ok(());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(fd, temporary::UNFINISHED, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.error("write to", &[], errno))?;
        *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = fd.try_clone().ok();
        Ok(())
    }

    /// Takes the sign away that this restore is not complete.
    pub(crate) fn end(&self) {
        let unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(fd) = unfinished {
            // Left behind it only makes the next restore set the metadata of the target.
            let _ = rustix::fs::unlinkat(fd, temporary::UNFINISHED, AtFlags::empty());
        }
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
            bytes: self.restored.done.load(Ordering::Relaxed),
            ..self.expected
        };
        self.findings.observer().event(&Event::Progress(progress));
    }

    /// Counts what was done with an entry, and tells it to who wants to hear of each.
    pub(crate) fn act(&self, action: Action, bytes: u64, path: &dyn Fn() -> Vec<u8>) {
        let counter = match action {
            Action::Created => &self.restored.created,
            Action::Updated => &self.restored.updated,
            Action::Kept => &self.restored.kept,
            Action::Deleted => &self.restored.deleted,
        };
        add(counter, 1);
        if self.tell_each {
            let path = path();
            self.findings.observer().event(&Event::Restored {
                action,
                path: &path,
                target: &self.place_of(&path),
                bytes,
            });
        }
    }

    /// Where a path of the snapshot goes.
    fn place_of(&self, path: &[u8]) -> PathBuf {
        let shown = self.shown.get().map_or(&b"/"[..], Vec::as_slice);
        let mut below = path.strip_prefix(shown).unwrap_or(path);
        while let Some(rest) = below.strip_prefix(b"/") {
            below = rest;
        }
        if below.is_empty() { self.path.clone() } else { self.path.join(OsStr::from_bytes(below)) }
    }

    /// What was done with the entries.
    pub(crate) fn actions(&self) -> ActionCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ActionCounts {
            created: load(&self.restored.created),
            updated: load(&self.restored.updated),
            kept: load(&self.restored.kept),
            deleted: load(&self.restored.deleted),
        }
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

impl Drop for Target {
    /// Unlocks it. That the descriptors are closed is not enough: a process that is just being started may have copies.
    fn drop(&mut self) {
        let locked = self.locked.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(fd) = locked {
            let _ = rustix::fs::flock(fd, FlockOperation::Unlock);
        }
    }
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    /// What a restore into an empty directory has left that did not come to its end.
    Unfinished,
    Something,
}

fn holds(fd: &OwnedFd) -> rustix::io::Result<Held> {
    let mut others = 0;
    let mut is_unfinished = false;
    for entry in rustix::fs::Dir::read_from(fd)? {
        match entry?.file_name().to_bytes() {
            b"." | b".." => {}
            temporary::UNFINISHED => is_unfinished = true,
            _ => others += 1,
        }
    }
    Ok(match (is_unfinished, others) {
        (_, 0) => Held::Nothing,
        (true, _) => Held::Unfinished,
        (false, _) => Held::Something,
    })
}
