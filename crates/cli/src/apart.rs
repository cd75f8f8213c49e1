//! Keeps the repository apart from what is backed up, restored or written: none of it is, or lies in, the repository.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::{
    default_repository::{DefaultRepository, is_there},
    exit::Trouble,
    invocation::Invocation,
    opening::{Opened, Place},
};

/// Passes when nothing that is to be backed up is the repository or lies in it. Folders are told by what they are, not by
/// their names, of which a mount may give them several.
pub(crate) fn refuse_inside(place: &Place, paths: &[PathBuf]) -> anyhow::Result<()> {
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let folder = place.folder();
    // A folder that holds no repository is told as that.
    let is_used = ["config", "keys"].iter().any(|name| is_there(&folder.join(name)));
    let Some(repository) = identity(folder).filter(|_| is_used) else { return Ok(()) };
    // A list may name a hundred thousand files of one folder.
    let mut folders: HashMap<PathBuf, bool> = HashMap::new();
    let mut is_inside = |folder: &Path| match folders.get(folder) {
        Some(is_inside) => *is_inside,
        None => {
            let is_inside = folder.ancestors().any(|above| identity(above) == Some(repository));
            folders.insert(folder.to_owned(), is_inside);
            is_inside
        }
    };
    for path in paths {
        let is_inside = path
            .canonicalize()
            .is_ok_and(|path| identity(&path) == Some(repository) || path.parent().is_some_and(&mut is_inside));
        if is_inside {
            let (path, folder) = (path.display(), folder.display());
            let trouble = Trouble::usage(format!("{path} is, or lies in, the repository {folder}: nothing was stored"));
            return Err(trouble.hint("a repository does not back up itself; name what is to be backed up").into());
        }
    }
    Ok(())
}

/// What a restore must leave alone: the repository, and the files that open it, by whatever name it meets them.
pub(crate) fn untouched(invocation: &Invocation<'_>, opened: &Opened) -> Vec<(u64, u64)> {
    let mut untouched = opened.backend.identities();
    let (options, environment) = (invocation.global, &invocation.environment);
    let named = [&options.key_file, &options.password_file, &environment.key_file, &environment.password_file];
    let default = DefaultRepository::places().map(|default| default.key);
    for file in named.into_iter().flatten().chain(&default) {
        // A link that leads to it is as good as the file.
        let found = [file.metadata(), file.symlink_metadata()];
        untouched.extend(found.iter().flatten().map(|metadata| (metadata.dev(), metadata.ino())));
    }
    untouched
}

/// Passes when a file that is to be written would not lie in the repository.
pub(crate) fn refuse_output(opened: &Opened, file: &Path) -> anyhow::Result<()> {
    if lbak::lies_in(file, &opened.backend.identities()) {
        let trouble = Trouble::usage(format!("{} lies in the repository: nothing was written", file.display()));
        return Err(trouble.hint("choose a place outside of it").into());
    }
    Ok(())
}
