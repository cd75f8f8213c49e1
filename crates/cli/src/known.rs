//! Hosts remember which repository lies where, and refuse another one at the same place.
//!
//! A file `$XDG_STATE_HOME/lbak/known/<hash of the place>` holds the repository's id. Best effort: a host that can
//! not write it is only less wary.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use lbak::RepositoryId;

use crate::environment::xdg;

/// What this host remembers of a place.
pub(crate) struct Known {
    file: Option<PathBuf>,
    place: PathBuf,
}

impl Known {
    /// The memory of a repository's folder, which must be there.
    pub(crate) fn of(folder: &Path) -> Self {
        let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let hash = blake3::hash(place.as_os_str().as_bytes()).to_hex();
        let file = xdg("XDG_STATE_HOME", ".local/state").map(|state| state.join("lbak/known").join(&hash[..32]));
        Self { file, place }
    }

    /// The file, where there is a place for it.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The repository that was here the last time.
    pub(crate) fn repository(&self) -> Option<RepositoryId> {
        let text = fs::read_to_string(self.file.as_ref()?).ok()?;
        RepositoryId::from_hex(text.split_ascii_whitespace().next()?)
    }

    /// Remembers the repository that is here.
    pub(crate) fn remember(&self, repository: RepositoryId) {
        let Some(file) = self.file.as_ref().filter(|_| self.repository() != Some(repository)) else { return };
        let line = format!("{repository} {}\n", lbak::escape(self.place.as_os_str().as_bytes()));
        let temporary = file.with_extension(format!("tmp{}", std::process::id()));
        let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| fs::write(&temporary, line)).and_then(|()| fs::rename(&temporary, file));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
    }
}
