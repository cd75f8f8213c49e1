//! The place that is restored to, and what all workers share.

mod counts;
mod opening;

use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError, atomic::AtomicUsize},
};

use lbak_core::{
    browse,
    codec::Codec,
    error::{Error, Result, escape},
    observe::{Cancellation, FindingKind, Progress},
    patterns::{Choice, Matched, PatternCount, Patterns, Tally},
};
use rustix::{fs::Stat, io::Errno};

use self::counts::Restored;
pub(crate) use self::counts::add;
use crate::{
    findings::Findings,
    handles::Handles,
    options::{Delete, InPlace, Overwrite, Place, RestoreOptions},
    owners::Owners,
    system::{self, Identity},
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

    /// Where a path of the snapshot goes.
    fn place_of(&self, path: &[u8]) -> PathBuf {
        let shown = self.shown.get().map_or(&b"/"[..], Vec::as_slice);
        let mut below = path.strip_prefix(shown).unwrap_or(path);
        while let Some(rest) = below.strip_prefix(b"/") {
            below = rest;
        }
        if below.is_empty() { self.path.clone() } else { self.path.join(OsStr::from_bytes(below)) }
    }
}
