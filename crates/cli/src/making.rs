//! Makes repositories: where `init` says, and the default one with the first backup.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::Path,
    sync::Arc,
};

use anyhow::Context;
use lbak::{
    Backend, Credential, Error, InitOptions, LocalBackend, NewSlot, ObjectName, OpenOptions, Repository, escape,
};

use crate::{
    default_repository::{DefaultRepository, is_there},
    environment,
    exit::{Exit, Trouble},
    invocation::Invocation,
    known::Known,
    opening::{Opened, Place, is_no_folder, open, tell, unlock},
    secrets::{NewKeyFile, Offered},
};

/// Passes when nothing is at the place where a repository is to be made, or an empty folder.
pub(crate) fn refuse_used(place: &Path) -> anyhow::Result<()> {
    let not_empty = |holds: String| Error::NotEmpty { place: place.display().to_string(), holds };
    let names = match fs::read_dir(place) {
        Ok(names) => names,
        Err(_) if is_no_folder(place) => {
            return Err(Trouble::new(Exit::Failed, format!("{} is not a folder", place.display())).into());
        }
        // What is not there is made; anything else is told by whoever tries.
        Err(_) => return Ok(()),
    };
    if is_there(&place.join("config")) {
        return Err(not_empty("it holds a repository already".into()).into());
    }
    // The top folder of a file system has a folder of its own for what a check of it finds.
    let is_of_file_system = |name: &io::Result<fs::DirEntry>| {
        name.as_ref().is_ok_and(|name| name.file_name() == "lost+found" && name.path().is_dir())
    };
    match names.into_iter().find(|name| !is_of_file_system(name)) {
        None => Ok(()),
        Some(name) => {
            let name = name.with_context(|| format!("cannot list {}", place.display()))?.file_name();
            Err(not_empty(format!("it holds {}", escape(name.as_bytes()))).into())
        }
    }
}

/// Makes a repository with these slots and remembers it.
pub(crate) fn make(folder: &Path, slots: &[NewSlot], threads: Option<usize>) -> anyhow::Result<Opened> {
    let backend = LocalBackend::create(folder).map_err(|error| Error::store("make", folder.display(), error))?;
    let backend = Arc::new(backend);
    let shared: Arc<dyn Backend> = Arc::clone(&backend) as Arc<dyn Backend>;
    let repository = Repository::init(shared, slots, &InitOptions { threads, ..InitOptions::default() })?;
    Known::of(folder).remember(repository.id());
    Ok(Opened { repository, backend })
}

/// Makes a repository whose key file may have been made for it; a key that came to open nothing is taken back.
pub(crate) fn make_with_key(
    folder: &Path,
    key: NewKeyFile,
    mut slots: Vec<NewSlot>,
    label: Option<&str>,
) -> anyhow::Result<Opened> {
    slots.insert(0, slot(Credential::KeyFile(key.key.clone()), label));
    let made = make(folder, &slots, None);
    if made.is_err() && !has_config_with(folder, &key) {
        key.take_back();
    }
    made
}

/// A slot with a label; without one it says who made it where.
pub(crate) fn slot(credential: Credential, label: Option<&str>) -> NewSlot {
    let maker = || format!("{}@{}", environment::user(), environment::host());
    NewSlot::new(credential, label.map_or_else(maker, str::to_owned))
}

/// Whether a repository is there that this key opens: an error told after everything was stored.
fn has_config_with(folder: &Path, key: &NewKeyFile) -> bool {
    let Ok(backend) = LocalBackend::open(folder) else { return false };
    let is_made = backend.get_range(&ObjectName::Config, 0, 1).is_ok();
    let credential = Credential::KeyFile(key.key.clone());
    is_made && Repository::open(Arc::new(backend), &credential, &OpenOptions::default()).is_ok()
}

/// Opens the repository that is meant; makes the default one when nothing at all was said about it and it is for more than
/// a dry run.
pub(crate) fn open_or_make_default(
    invocation: &Invocation<'_>,
    threads: Option<usize>,
    is_dry_run: bool,
) -> anyhow::Result<Opened> {
    if let Place::Default(default) = Place::meant(invocation)? {
        let is_nothing_said = invocation.environment.is_empty() && Offered::by_options(invocation.global).is_empty();
        if is_nothing_said && !default.is_there() && !default.is_key_there() {
            if is_dry_run {
                let trouble = Trouble::new(Exit::NoRepository, "there is no repository yet: nothing was made");
                let folder = default.folder.display();
                let hint = format!("give -r PLACE or set LBAK_REPOSITORY; without --dry-run {folder} is made");
                return Err(trouble.hint(hint).into());
            }
            invocation.signals.listen(invocation.output).context("cannot listen for signals")?;
            return make_default(invocation, &default, threads);
        }
    }
    open(invocation, threads)
}

fn make_default(
    invocation: &Invocation<'_>,
    default: &DefaultRepository,
    threads: Option<usize>,
) -> anyhow::Result<Opened> {
    for folder in [default.folder.parent(), default.key.parent()].into_iter().flatten() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let key = NewKeyFile::read_or_make(&default.key)?;
    let credential = Credential::KeyFile(key.key.clone());
    let opened = make_with_key(&default.folder, key, Vec::new(), None).inspect_err(|_| {
        // Removes it only when it is empty: then the next attempt starts afresh.
        let _ = fs::remove_dir(&default.folder);
    })?;
    invocation.output.note("made the default repository with a new key");
    tell(invocation, default);
    // Opened once with what lies on the disk: the key file is proven before anything depends on it.
    unlock(invocation, &default.folder, opened.backend, &credential, threads)
}
