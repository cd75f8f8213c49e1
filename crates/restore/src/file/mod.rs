//! A file on its way: its pieces come in any order, from any worker; who brings the last one finishes it.
//!
//! ```text
//! nothing is there          → a new file under a temporary name → its own name
//! something is there         → its pieces are compared (base.rs); while none differs nothing is written
//!   small, linked, running   → a copy under a temporary name is changed → takes its place
//!   large                    → it is moved to a temporary name and changed there → its own name again
//! left by an interruption    → what is there of it is compared in the same way
//! ```
//!
//! A file of a piece or two is made, written, given its metadata and closed in one go. One of many stays open in
//! between, unless too many do. Nothing half is ever seen under its name.

mod working;

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lbak_core::{
    browse::{Chunks, in_words},
    error::{Result, escape},
    id::{ChunkId, ChunkKind},
    observe::{Action, FindingKind},
    tree::{Content, ContentReader, Entry},
};
use rustix::{fs::Stat, io::Errno};

use self::working::Work;
use crate::{
    base::Base,
    directory::Directory,
    existing, holes,
    links::Origin,
    metadata,
    system::{self, Identity},
    target::{Target, add},
    temporary,
};

/// Files that stay open between two of their pieces. Above that they are closed and opened again.
pub(crate) const MOST_OPEN: usize = 384;

/// Files above this many bytes are worth going on with after an interruption, and are not copied to be changed.
pub(crate) const LARGE: u64 = 64 << 20;

/// A regular file that is being restored.
pub(crate) struct File {
    pub(crate) directory: Arc<Directory>,
    /// Without its content, which is kept by whoever plans it.
    pub(crate) entry: Entry,
    /// Told when it is complete, if it has more names.
    origin: Option<Arc<Origin>>,
    /// What is there of it.
    pub(crate) base: Option<Base>,
    /// What has its name and has to go.
    replaced: Option<Stat>,
    /// One for the planner, one for each piece that is still to come.
    pending: AtomicU64,
    /// Nothing of it is to be planned any more.
    is_planned: AtomicBool,
    /// Its end is not written.
    ends_in_hole: AtomicBool,
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    fd: Option<Arc<OwnedFd>>,
    /// What is there of it, open to be compared.
    pub(crate) base_fd: Option<Arc<OwnedFd>>,
    /// Of what is written; known when it was closed in between.
    identity: Option<Identity>,
    work: Work,
    is_over: bool,
    failure: Option<(FindingKind, String)>,
}

impl File {
    /// A file that its directory waits for.
    pub(crate) fn new(
        directory: &Arc<Directory>,
        entry: Entry,
        origin: Option<Arc<Origin>>,
        base: Option<Base>,
        replaced: Option<Stat>,
    ) -> Arc<Self> {
        directory.hold();
        Arc::new(Self {
            directory: Arc::clone(directory),
            entry,
            origin,
            base,
            replaced,
            pending: AtomicU64::new(1),
            is_planned: AtomicBool::new(false),
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

    /// Notes that all of its pieces are known.
    pub(crate) fn is_planned_now(&self) {
        self.is_planned.store(true, Ordering::Relaxed);
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
        self.change(target, bytes.len() as u64, |fd| system::write_at(fd, bytes, offset))
    }

    /// Makes a hole where there may be something else.
    pub(crate) fn make_hole(&self, target: &Target, offset: u64, length: u64) -> Result<()> {
        self.change(target, 0, |fd| {
            holes::make(fd, offset, length, self.entry.size, &|| !target.cancellation.is_cancelled())
        })
    }

    fn change(&self, target: &Target, bytes: u64, write: impl Fn(&OwnedFd) -> rustix::io::Result<()>) -> Result<()> {
        let opened = {
            let mut state = self.state();
            if state.failure.is_some() || state.is_over {
                return Ok(());
            }
            self.open(target, &mut state)
        };
        let written = opened.and_then(|fd| {
            let written = write(&fd);
            if target.open_files.load(Ordering::Relaxed) > MOST_OPEN {
                self.close_for_now(target, &fd);
            }
            written
        });
        match written {
            Ok(()) => {
                add(&target.restored.written, bytes);
                add(&target.restored.done, bytes);
                Ok(())
            }
            Err(errno) => self.fail_to_write(target, errno),
        }
    }

    /// Counts a piece, or the planner, as done with. The last one finishes the file.
    pub(crate) fn release(&self, target: &Target) -> Result<()> {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 { self.finish(target) } else { Ok(()) }
    }

    /// Leaves it, because the whole restore has stopped. A large one is worth going on with.
    pub(crate) fn abandon(&self, target: &Target) {
        let mut state = self.state();
        if !state.is_over {
            state.is_over = true;
            if state.work == Work::New && self.entry.size <= LARGE {
                self.remove(target, &mut state);
            }
            if let Some(left) = self.left_beside(target, &state) {
                let message = format!("it was being changed; {left}; the next restore goes on with it");
                target.findings.note(FindingKind::Unwritable, self.path(), message);
            }
            self.close(target, &mut state);
        }
    }

    fn finish(&self, target: &Target) -> Result<()> {
        let mut state = self.state();
        if state.is_over {
            return Ok(());
        }
        let mut action = Action::Kept;
        let is_as_wanted = || self.base.as_ref().is_some_and(|base| base.is_as_wanted(self.entry.size));
        if target.is_reading_back && !is_as_wanted() {
            let message = "it does not read back as it is in the snapshot".to_owned();
            state.failure.get_or_insert((FindingKind::Unwritable, message));
        }
        if state.failure.is_none() {
            match self.complete(target, &mut state) {
                Ok(done) => action = done,
                Err(errno) => {
                    drop(state);
                    self.fail_to_write(target, errno)?;
                    state = self.state();
                }
            }
        }
        state.is_over = true;
        match state.failure.take() {
            Some((kind, message)) => self.withhold(target, &mut state, kind, message),
            None => {
                self.close(target, &mut state);
                add(&target.restored.files, 1);
                add(&target.restored.bytes, self.entry.size);
                if !target.is_reading_back {
                    target.act(action, self.entry.size, &|| self.path());
                }
                if let Some(origin) = &self.origin {
                    origin.complete(state.identity.unwrap_or_default());
                }
            }
        }
        drop(state);
        self.directory.release(target);
        Ok(())
    }

    /// All pieces are in their places: gives it its size, metadata and name.
    fn complete(&self, target: &Target, state: &mut State) -> rustix::io::Result<Action> {
        if let Some(base) = self.base.as_ref().filter(|base| base.is_as_wanted(self.entry.size)) {
            // Nothing was written, and nothing needs to be.
            state.identity = Some(base.identity);
            if target.is_reading_back {
                return Ok(Action::Kept);
            }
            let at = self.directory.fd(target)?;
            let stat = system::look(at.as_fd(), &self.entry.name)?;
            if system::identity(&stat) != base.identity {
                return Err(Errno::STALE);
            }
            let path = || self.path();
            let is_changed = metadata::mend_on_name(target, at.as_fd(), &self.entry.name, &self.entry, &stat, &path);
            return Ok(if is_changed { Action::Updated } else { Action::Kept });
        }
        let was_there = self.replaced.is_some() || self.base.as_ref().is_some_and(Base::has_its_name);
        let action = if was_there { Action::Updated } else { Action::Created };
        if target.dry_run {
            // The restore itself gives it another number, so no name that leads to the old one is its name.
            state.identity = None;
            let at = self.directory.fd(target);
            let is_mounted = |at: Arc<OwnedFd>| system::is_mount_point_at(at.as_fd(), &self.entry.name) == Some(true);
            return if was_there && at.is_ok_and(is_mounted) { Err(Errno::BUSY) } else { Ok(action) };
        }
        let fd = self.open(target, state)?;
        if self.ends_in_hole.load(Ordering::Relaxed) || self.base.is_some() {
            rustix::fs::ftruncate(&fd, self.entry.size)?;
        }
        // Its time and size make the next restore believe that it is complete: then it has to be.
        if self.entry.size > LARGE && target.sync {
            rustix::fs::fdatasync(&fd)?;
        }
        let origin = match (&self.base, self.directory.inherited(target, fd.as_fd())) {
            (Some(_), _) => metadata::Origin::WasThere,
            (None, None) => metadata::Origin::Made,
            (None, Some(inherited)) => metadata::Origin::MadeWith(inherited),
        };
        metadata::set_on_open(target, fd.as_fd(), &self.entry, origin, &|| self.path());
        if self.origin.is_some() {
            state.identity = Some(system::identity(&rustix::fs::fstat(&fd)?));
        }
        self.publish(target, state)?;
        Ok(action)
    }

    /// Tells why it is not restored. What was there before stays, unless it was large and is being changed.
    fn withhold(&self, target: &Target, state: &mut State, kind: FindingKind, mut message: String) {
        if let Some(left) = self.left_beside(target, state) {
            message.push_str(&format!("; {left}"));
        } else {
            self.remove(target, state);
            if self.base.as_ref().is_some_and(Base::has_its_name) && !target.is_reading_back {
                message.push_str("; what was there stays");
            }
        }
        self.close(target, state);
        self.directory.miss();
        match kind {
            FindingKind::Lost => target.findings.lose(1, self.path(), message),
            kind => target.findings.note(kind, self.path(), message),
        }
        if let Some(origin) = &self.origin {
            origin.failed();
        }
    }

    /// Says where a large file lies that has lost its name while it was changed.
    fn left_beside(&self, target: &Target, state: &State) -> Option<String> {
        let is_moved = state.work == Work::Update || self.base.as_ref().is_some_and(Base::is_left_update);
        let name = is_moved.then(|| temporary::update_name(&target.codec, &self.entry.name))?;
        Some(format!("what there is of it lies at \"{}\"", escape(&self.directory.path_of(&name))))
    }

    /// Notes what is lost of a large file that would be changed where it is, before it is: then it is left alone.
    pub(crate) fn look_for_losses(&self, chunks: &Chunks, target: &Target, content: &Content) -> Result<()> {
        let is_changed_there = |base: &&Base| base.has_its_name() && !base.has_links && base.size > LARGE;
        let Some(base) = self.base.as_ref().filter(is_changed_there) else { return Ok(()) };
        if target.is_reading_back {
            return Ok(());
        }
        let read = |kind: ChunkKind, id: &ChunkId| chunks.read(kind, id);
        let mut buffer = Vec::new();
        for placed in ContentReader::new(content, Some(self.size()), &read) {
            target.cancellation.check()?;
            let placed = match placed {
                Ok(placed) => placed,
                // Whoever plans its pieces meets it too.
                Err(lost) if lost.error.is_damage() => {
                    self.fail(FindingKind::Lost, in_words(&lost));
                    return Ok(());
                }
                Err(lost) => return Err(lost.error),
            };
            let Some(id) = placed.piece.chunk else { continue };
            let Some(error) = chunks.missing(ChunkKind::Data, &id)? else { continue };
            let length = u32::try_from(placed.piece.length).unwrap_or(u32::MAX);
            if !base.holds(target, self, placed.offset, length, &id, &mut buffer) {
                self.fail(FindingKind::Lost, in_words(&error));
                return Ok(());
            }
        }
        Ok(())
    }

    fn fail_to_write(&self, target: &Target, errno: Errno) -> Result<()> {
        // A copy was broken off because the whole restore was.
        if errno == Errno::CANCELED {
            target.cancellation.check()?;
        }
        let message = match (errno, self.directory.collision(target, &self.entry.name, errno)) {
            (_, Some(message)) => message,
            (Errno::NOTEMPTY, None) => existing::in_the_way(target).to_owned(),
            (_, None) => target.judge("write", &self.path(), errno)?,
        };
        self.fail(FindingKind::Unwritable, message);
        Ok(())
    }

    pub(crate) fn path(&self) -> Vec<u8> {
        self.directory.path_of(&self.entry.name)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
