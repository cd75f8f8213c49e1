//! A directory that things are restored into. It gets its metadata when nothing in it is missing any more.
//!
//! Everything is one name in one open directory, so that no link that somebody puts on the way is ever followed. A
//! directory that was closed in between is opened again from its parent, and compared with what was made.

mod child;

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lbak_core::{
    error::{Result, escape},
    observe::FindingKind,
    tree::Entry,
};
use rustix::{
    fs::{AtFlags, FileType, Stat},
    io::Errno,
};

pub(crate) use self::child::{gets_metadata, open_up};
use crate::{
    existing::{self, Present},
    extra::{self, Extra, Spared},
    handles::Handle,
    inherited::Inherited,
    metadata::{self, Origin},
    system::{self, Identity},
    target::Target,
    temporary,
};

/// A directory, made or entered.
pub(crate) struct Directory {
    parent: Option<Arc<Directory>>,
    /// A name of the parent; for the one at the top, the path that is shown.
    name: Vec<u8>,
    handle: Arc<Handle>,
    /// The one at the top stays open.
    top: Option<Arc<OwnedFd>>,
    identity: Identity,
    /// What it gets at the end; `None` for what is only on the way, or stays as it is.
    entry: Option<Entry>,
    /// It is not only on the way: a link in its place is never followed.
    is_restored: bool,
    /// It was there before, and may hold anything.
    was_there: bool,
    /// It would be made: a dry run.
    is_imagined: bool,
    /// What it held when that was asked for the first time.
    present: OnceLock<Present>,
    /// What new files in it have of it.
    inherited: OnceLock<Inherited>,
    /// What to do in the end with names that the snapshot does not have.
    extra: Mutex<Option<Extra>>,
    /// Something in it could not be restored: nothing is deleted.
    is_partial: AtomicBool,
    /// One for whoever lists it, one for each thing that is still to come.
    pending: AtomicU64,
}

/// What is done with a directory that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Something else has the name.
    Refuse,
    /// It is used, unless it is a symbolic link.
    Enter,
    /// It is used, and a symbolic link to it too.
    Follow,
}

/// The directory at the top, as it was opened.
#[derive(Default)]
pub(crate) struct Top {
    /// `None` in a dry run that would make it.
    pub(crate) open: Option<(OwnedFd, Identity)>,
    /// The path that findings give it.
    pub(crate) shown: Vec<u8>,
    /// What it gets at the end.
    pub(crate) entry: Option<Entry>,
    /// It may hold anything.
    pub(crate) was_there: bool,
}

impl Directory {
    /// The one at the top.
    pub(crate) fn top(top: Top) -> Arc<Self> {
        let is_imagined = top.open.is_none();
        let (fd, identity) = top.open.map(|(fd, identity)| (Arc::new(fd), identity)).unzip();
        Arc::new(Self {
            parent: None,
            name: top.shown,
            handle: Arc::default(),
            top: fd,
            identity: identity.unwrap_or_default(),
            entry: top.entry,
            is_restored: true,
            was_there: top.was_there,
            is_imagined,
            present: OnceLock::new(),
            inherited: OnceLock::new(),
            extra: Mutex::default(),
            is_partial: AtomicBool::new(false),
            pending: AtomicU64::new(1),
        })
    }

    /// Which one it is; nothing that tells it from others in a dry run that would make it.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// The one it lies in.
    pub(crate) fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// Tells whether it may hold things that this restore has not made.
    pub(crate) fn was_there(&self) -> bool {
        self.was_there && !self.is_imagined
    }

    /// What it held when that was asked for the first time.
    pub(crate) fn present(&self, target: &Target) -> &Present {
        self.present.get_or_init(|| match self.fd(target) {
            Ok(fd) if self.was_there() => Present::read(&*fd),
            _ => Present::default(),
        })
    }

    /// What new files in it have of it, asked of one that was just made.
    pub(crate) fn inherited(&self, target: &Target, file: BorrowedFd<'_>) -> Option<&Inherited> {
        if self.inherited.get().is_none() {
            let inherited = Inherited::of(file, self.fd(target).ok()?.as_fd()).ok()?;
            let _ = self.inherited.set(inherited);
        }
        self.inherited.get()
    }

    /// Looks at a name that may be there already, spelt exactly so.
    pub(crate) fn existing(&self, target: &Target, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
        if !self.was_there() || !target.looks() || !self.present(target).contains(name) {
            return Ok(None);
        }
        match system::look(self.fd(target)?.as_fd(), name) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Says what is to be done in the end with names that the snapshot does not have.
    pub(crate) fn expect(&self, extra: Extra) {
        *self.extra.lock().unwrap_or_else(PoisonError::into_inner) = Some(extra);
    }

    /// Notes that something in it is not restored: what the snapshot does not have may be the last copy of it.
    pub(crate) fn miss(&self) {
        self.is_partial.store(true, Ordering::Relaxed);
    }

    /// The open directory.
    pub(crate) fn fd(&self, target: &Target) -> rustix::io::Result<Arc<OwnedFd>> {
        if let Some(fd) = self.top.as_ref() {
            return Ok(Arc::clone(fd));
        }
        if let Some(fd) = self.handle.get() {
            return Ok(fd);
        }
        // From the nearest directory above that is open, all on the way down are opened again.
        let mut closed = vec![self];
        let mut nearest = None;
        while let Some(parent) = closed.last().and_then(|directory| directory.parent.as_deref()) {
            nearest = parent.top.clone().or_else(|| parent.handle.get());
            if nearest.is_some() {
                break;
            }
            closed.push(parent);
        }
        let mut fd = nearest.ok_or(Errno::BADF)?;
        for directory in closed.into_iter().rev() {
            // On the way of `--original` a link may have been followed; what is behind it is compared all the same.
            let follow = !directory.is_restored;
            let opened = system::open_directory(fd.as_fd(), &directory.name, follow)?;
            if system::identity(&rustix::fs::fstat(&opened)?) != directory.identity {
                return Err(Errno::STALE);
            }
            fd = target.handles.keep(&directory.handle, opened);
        }
        Ok(fd)
    }

    /// Waits for one thing more.
    pub(crate) fn hold(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for one thing less. With the last one it gets its metadata, and then, perhaps, the one above it.
    pub(crate) fn release(&self, target: &Target) {
        let mut directory = Some(self);
        while let Some(complete) = directory.filter(|one| one.pending.fetch_sub(1, Ordering::AcqRel) == 1) {
            complete.open_above(target);
            complete.finish(target);
            directory = complete.parent.as_deref();
        }
    }

    /// Opens the directory above as `..`, while this one still lets anybody through: on the way up from 100,000 levels,
    /// all of those above would be opened again and again from the top.
    fn open_above(&self, target: &Target) {
        let is_closed = |above: &&Self| above.top.is_none() && above.handle.get().is_none();
        let above = self.parent.as_deref().filter(is_closed);
        if let (Some(above), Some(fd)) = (above, self.handle.get())
            && let Ok(opened) = system::open_directory(fd.as_fd(), b"..", false)
            && rustix::fs::fstat(&opened).is_ok_and(|stat| system::identity(&stat) == above.identity)
        {
            target.handles.keep(&above.handle, opened);
        }
    }

    fn finish(&self, target: &Target) {
        if self.is_imagined {
            return;
        }
        if let Some(extra) = self.extra.lock().unwrap_or_else(PoisonError::into_inner).take() {
            match extra.why_spared().or_else(|| self.is_partial.load(Ordering::Relaxed).then_some(Spared::NotRestored))
            {
                Some(why) => extra::spare(target, self, &extra, why),
                None => extra::remove(target, self, &extra),
            }
        }
        if target.dry_run {
            return;
        }
        if self.was_there() && target.in_place.is_some() && self.present(target).has_temporary {
            self.clean(target);
        }
        if self.parent.is_none() {
            target.end();
        }
        let Some(entry) = &self.entry else { return };
        let path = || self.path();
        let origin = if self.was_there { Origin::WasThere } else { Origin::Made };
        match self.fd(target) {
            Ok(fd) => metadata::set_on_open(target, fd.as_fd(), entry, origin, &path),
            Err(errno) => target.findings.note(FindingKind::MetadataUnset, path(), format!("cannot open it: {errno}")),
        }
    }

    /// Removes what restores that were interrupted have left; nothing of this one is unfinished in it any more.
    fn clean(&self, target: &Target) {
        let Ok(fd) = self.fd(target) else { return };
        for name in existing::names(&*fd).unwrap_or_default() {
            let is_left = temporary::is_new_name(&name)
                && system::look(fd.as_fd(), &name)
                    .is_ok_and(|stat| system::kind(&stat) == FileType::RegularFile && stat.st_nlink == 1);
            if is_left {
                let _ = rustix::fs::unlinkat(&*fd, name.as_slice(), AtFlags::empty());
            }
        }
    }

    /// Its path in the snapshot.
    pub(crate) fn path(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut directory = Some(self);
        while let Some(one) = directory {
            names.push(one.name.as_slice());
            directory = one.parent.as_deref();
        }
        let mut path = Vec::new();
        for name in names.into_iter().rev() {
            if !path.is_empty() && path != b"/" {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        path
    }

    /// The path of a name in it.
    pub(crate) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.path();
        if path != b"/" {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        path
    }

    /// Notes that a name in it was not made; one that is taken is told with the name that took it.
    pub(crate) fn note_unwritable(
        &self,
        target: &Target,
        action: &'static str,
        name: &[u8],
        errno: Errno,
    ) -> Result<()> {
        self.miss();
        let message = if errno == Errno::NOTEMPTY {
            Some(existing::in_the_way(target).to_owned())
        } else {
            self.collision(target, name, errno)
        };
        match message {
            Some(message) => {
                target.findings.note(FindingKind::Unwritable, self.path_of(name), message);
                Ok(())
            }
            None => target.note_unwritable(action, self.path_of(name), errno),
        }
    }

    /// Says what stands in the way of a name, when that is the trouble.
    pub(crate) fn collision(&self, target: &Target, name: &[u8], errno: Errno) -> Option<String> {
        if errno != Errno::EXIST {
            return None;
        }
        self.miss();
        let other = self.fd(target).ok().and_then(|fd| system::other_name(fd.as_fd(), name));
        Some(match other {
            Some(other) => {
                format!("\"{}\" is there already, which this file system takes for the same name", escape(&other))
            }
            None => "it is there already".to_owned(),
        })
    }
}

impl Drop for Directory {
    /// Lets go of those above one by one: left to the compiler, a tree that is 100,000 deep would overflow the stack.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some(mut directory) = above.and_then(Arc::into_inner) {
            above = directory.parent.take();
        }
    }
}
