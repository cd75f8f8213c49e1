//! The default repository: where it is, when it is made, and what its owner must know.
//!
//! It makes the first backup one command long. It lies on the same disk as the data, so it protects against mistakes and not
//! against the loss of the disk; that is said at every use, with the way to keep its key.

use std::path::{Path, PathBuf};

use crate::environment::xdg;

/// The places of the default repository and of its key.
#[derive(Clone, Debug)]
pub(crate) struct DefaultRepository {
    /// The repository's folder, in the user's data directory.
    pub(crate) folder: PathBuf,
    /// Its key, in the configuration directory.
    pub(crate) key: PathBuf,
}

impl DefaultRepository {
    /// Its places; `None` for a user without a home.
    pub(crate) fn places() -> Option<Self> {
        let folder = xdg("XDG_DATA_HOME", ".local/share")?.join("lbak/repository");
        let key = xdg("XDG_CONFIG_HOME", ".config")?.join("lbak/default.key");
        Some(Self { folder, key })
    }

    /// Tells whether anything is at its place. What can not be looked at is there.
    pub(crate) fn is_there(&self) -> bool {
        is_there(&self.folder)
    }

    /// Tells whether anything is at the place of its key.
    pub(crate) fn is_key_there(&self) -> bool {
        is_there(&self.key)
    }

    /// What is said at every use, line by line.
    pub(crate) fn notice(&self) -> [String; 3] {
        let (folder, key) = (self.folder.display(), self.key.display());
        [
            format!("using the default repository {folder}"),
            "  it lies on the same disk as your data, and does not survive the loss of that disk".to_owned(),
            format!("  without its key nothing can be restored: copy {key} to another machine, or print it"),
        ]
    }
}

/// Tells whether anything is at a path. What can not be looked at is there.
pub(crate) fn is_there(path: &Path) -> bool {
    // A link that leads nowhere (a disk that is not mounted) is there, too.
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
