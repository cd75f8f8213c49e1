//! Whose the objects are that root stores in a repository of somebody else: that somebody's, or he could not read his own
//! backups any more, nor check them, nor collect what is old.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Gid, Stat, Uid};

/// The owner of a repository's folder, where that is not who stores.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Owner(Option<(Uid, Gid)>);

impl Owner {
    /// Only root gives files away; everybody else stores what is his own.
    pub(super) fn of(root: &Stat) -> Self {
        let is_others = root.st_uid != 0 && rustix::process::geteuid().is_root();
        Self(is_others.then(|| (Uid::from_raw(root.st_uid), Gid::from_raw(root.st_gid))))
    }

    /// Gives away a file or folder that was made just now and has no name that anybody relies on yet. Where that can not be (a
    /// server that does not believe in root), it stays as it is: stored is stored.
    pub(super) fn give(self, made: impl AsFd) {
        if let Some((user, group)) = self.0 {
            let _ = rustix::fs::fchown(made, Some(user), Some(group));
        }
    }

    /// The same of a folder, unless somebody has put another one into its place meanwhile.
    pub(super) fn give_folder(self, made: BorrowedFd<'_>) {
        if self.0.is_some() && rustix::fs::fstat(made).is_ok_and(|status| status.st_uid == 0) {
            self.give(made);
        }
    }
}
