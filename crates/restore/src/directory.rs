//! A directory that things are restored into. It gets its metadata when nothing in it is missing any more.
//!
//! Everything is one name in one open directory, so that no link that somebody puts on the way is ever followed. A
//! directory that was closed in between is opened again from its parent, and compared with what was made.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lbak_core::{error::Result, error::escape, observe::FindingKind, tree::Entry};
use rustix::io::Errno;

use crate::{
    handles::Handle,
    metadata,
    system::{self, Identity},
    target::{Target, add},
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
    /// What it gets at the end; `None` for what was there, or is only on the way.
    entry: Option<Entry>,
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

impl Directory {
    /// The one at the top.
    pub(crate) fn top(open: Option<(OwnedFd, Identity)>, shown: Vec<u8>, entry: Option<Entry>) -> Arc<Self> {
        let (top, identity) = open.map(|(fd, identity)| (Arc::new(fd), identity)).unzip();
        Arc::new(Self {
            parent: None,
            name: shown,
            handle: Arc::default(),
            top,
            identity: identity.unwrap_or_default(),
            entry,
            pending: AtomicU64::new(1),
        })
    }

    /// Makes a directory in this one, which then waits for it. `None` after a finding.
    pub(crate) fn child(
        self: &Arc<Self>,
        target: &Target,
        name: &[u8],
        entry: Option<Entry>,
        existing: Existing,
    ) -> Result<Option<Arc<Self>>> {
        let made = if target.dry_run {
            Ok((None, Identity::default(), true))
        } else {
            self.make(target, name, entry.is_some(), existing)
        };
        let (fd, identity, is_made) = match made {
            Ok((fd, identity, is_made)) => (fd, identity, is_made),
            Err(errno) => {
                self.note_unwritable(target, "create", name, errno)?;
                return Ok(None);
            }
        };
        self.hold();
        if entry.is_some() {
            add(&target.restored.directories, 1);
        }
        let child = Self {
            parent: Some(Arc::clone(self)),
            name: name.to_vec(),
            handle: Arc::default(),
            top: None,
            identity,
            entry: entry.filter(|_| is_made && !target.dry_run),
            pending: AtomicU64::new(1),
        };
        if let Some(fd) = fd {
            target.will_write_to(identity.0, &fd);
            target.handles.keep(&child.handle, fd);
        }
        Ok(Some(Arc::new(child)))
    }

    fn make(
        &self,
        target: &Target,
        name: &[u8],
        is_private: bool,
        existing: Existing,
    ) -> rustix::io::Result<(Option<OwnedFd>, Identity, bool)> {
        let at = self.fd(target)?;
        // What gets its own mode at the end is nobody else's until then; what is only on the way is as `mkdir` makes it.
        let mode = if is_private { 0o700 } else { 0o777 };
        let is_made = match rustix::fs::mkdirat(&*at, name, system::mode(mode)) {
            Ok(()) => true,
            Err(Errno::EXIST) if existing != Existing::Refuse => false,
            Err(errno) => return Err(errno),
        };
        let follow = existing == Existing::Follow && !is_made;
        let fd = system::open_directory(at.as_fd(), name, follow)?;
        let identity = system::identity(&rustix::fs::fstat(&fd)?);
        Ok((Some(fd), identity, is_made))
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
            let follow = directory.entry.is_none();
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
            complete.finish(target);
            directory = complete.parent.as_deref();
        }
    }

    fn finish(&self, target: &Target) {
        let Some(entry) = self.entry.as_ref().filter(|_| !target.dry_run) else { return };
        let path = || self.path();
        match self.fd(target) {
            Ok(fd) => metadata::set_on_open(target, fd.as_fd(), entry, &path),
            Err(errno) => target.findings.note(FindingKind::MetadataUnset, path(), format!("cannot open it: {errno}")),
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
        match self.collision(target, name, errno) {
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
