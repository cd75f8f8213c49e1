//! Which repository is meant, and how it is opened.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lbak::{Backend, BackendErrorKind, Credential, Error, LocalBackend, OpenOptions, Repository};

use crate::{
    default_repository::DefaultRepository,
    environment,
    exit::{Exit, Trouble},
    habits::{self, Foreign},
    invocation::Invocation,
    known::Known,
    remote_places,
    secrets::Offered,
};

/// An open repository in a folder.
pub(crate) struct Opened {
    /// The repository.
    pub(crate) repository: Repository,
    /// Its folder.
    pub(crate) backend: Arc<LocalBackend>,
}

/// The place that was meant.
pub(crate) enum Place {
    /// Named by an option or a variable.
    Named(PathBuf),
    /// Nothing was named.
    Default(DefaultRepository),
}

impl Place {
    /// The place that options and variables name, else the default one.
    pub(crate) fn meant(invocation: &Invocation<'_>) -> anyhow::Result<Self> {
        let named = invocation.global.repository.as_ref().or(invocation.environment.repository.as_ref());
        let Some(named) = named else {
            let default = DefaultRepository::places().ok_or_else(|| {
                Trouble::new(
                    Exit::NoRepository,
                    "no repository was named, and there is no home directory to look for one in",
                )
                .hint("give -r PLACE or set LBAK_REPOSITORY")
            })?;
            return Ok(Self::Default(default));
        };
        if named.is_empty() {
            return Err(Trouble::usage("the repository's place is empty").into());
        }
        Ok(Self::Named(remote_places::folder(named)?))
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Named(folder) => folder,
            Self::Default(default) => &default.folder,
        }
    }
}

/// Opens the repository that is meant.
pub(crate) fn open(invocation: &Invocation<'_>, threads: Option<usize>) -> anyhow::Result<Opened> {
    open_with(invocation, &offered(invocation), threads)
}

/// Opens the repository that is meant, with what is offered.
pub(crate) fn open_with(
    invocation: &Invocation<'_>,
    offered: &Offered,
    threads: Option<usize>,
) -> anyhow::Result<Opened> {
    let place = Place::meant(invocation)?;
    let backend = open_backend(invocation, &place)?;
    let credential = credential(&place, offered)?;
    invocation.signals.listen(invocation.output).context("cannot listen for signals")?;
    if let Some(file) = &offered.key_file {
        warn_of_open_key(invocation, file);
    }
    unlock(invocation, place.folder(), backend, &credential, threads)
        .map_err(|error| name_key(invocation, offered, error))
}

/// Whoever reads the key reads all backups.
fn warn_of_open_key(invocation: &Invocation<'_>, file: &Path) {
    let mode = file.metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o007 != 0 {
        let file = file.display();
        invocation
            .output
            .warn(&format!("every user of this machine can use the key file {file}: `chmod 600` keeps it private"));
    }
}

/// What opened nothing is told with where it came from.
fn name_key(invocation: &Invocation<'_>, offered: &Offered, error: anyhow::Error) -> anyhow::Error {
    let Some(Error::WrongKey { slots: 1.., .. }) = error.downcast_ref() else { return error };
    let by = |is_so: bool, name: &str| if is_so { format!(" ({name})") } else { String::new() };
    let from = match (&offered.key_file, &offered.password) {
        (Some(file), _) => {
            let is_by_variable = invocation.environment.key_file.as_ref() == Some(file);
            format!("the key file {}{}", file.display(), by(is_by_variable, "LBAK_KEY_FILE"))
        }
        (None, Some(password)) => {
            let is_by_variable = Offered::by_options(invocation.global).is_empty();
            format!("the password {}", password.described(is_by_variable))
        }
        (None, None) => "the password that was typed".to_owned(),
    };
    let trouble = Trouble::new(Exit::WrongKey, error.to_string());
    trouble.hint(format!("is it the password or key file of this repository? What was tried is {from}")).into()
}

/// Opens a copy of the repository in another folder, with the same key.
pub(crate) fn open_copy(invocation: &Invocation<'_>, folder: &Path) -> anyhow::Result<Repository> {
    let place = Place::Named(folder.to_owned());
    let backend = open_backend(invocation, &place)?;
    let credential = match Place::meant(invocation)? {
        meant @ Place::Default(_) => credential(&meant, &offered(invocation))?,
        Place::Named(_) => credential(&place, &offered(invocation))?,
    };
    Ok(Repository::open(backend, &credential, &OpenOptions::default())?)
}

/// Opens only the folder: for what needs no key.
pub(crate) fn open_backend(invocation: &Invocation<'_>, place: &Place) -> anyhow::Result<Arc<LocalBackend>> {
    if let Place::Default(default) = place {
        if !default.is_there() {
            return Err(no_default(default).into());
        }
        tell(invocation, default);
    }
    let folder = place.folder();
    match LocalBackend::open(folder) {
        Ok(backend) => Ok(Arc::new(backend)),
        Err(error) if error.kind == BackendErrorKind::NotFound => {
            Err(Error::NoRepository { place: folder.display().to_string() }.into())
        }
        Err(_) if is_no_folder(folder) => {
            let what = format!("no lbak repository at {}: it is not a folder", folder.display());
            let hint = "a repository is a folder: give it with -r PLACE or LBAK_REPOSITORY";
            Err(Trouble::new(Exit::NoRepository, what).hint(hint).into())
        }
        Err(error) => Err(Error::store("open", folder.display(), error).into()),
    }
}

/// Tells whether something else than a folder is at a place, or on the way to it.
pub(crate) fn is_no_folder(place: &Path) -> bool {
    match place.metadata() {
        Ok(metadata) => !metadata.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::NotADirectory,
    }
}

/// What options offer, else what variables do.
pub(crate) fn offered(invocation: &Invocation<'_>) -> Offered {
    Offered::by_options(invocation.global).or(Offered::by_variables(&invocation.environment))
}

fn credential(place: &Place, offered: &Offered) -> anyhow::Result<Credential> {
    match place {
        Place::Default(default) if offered.is_empty() => {
            if !default.is_key_there() {
                let what = format!("the key of the default repository, {}, is not there", default.key.display());
                let hint =
                    "put the copy of it back that was kept elsewhere, or give another key that opens the repository";
                return Err(Trouble::new(Exit::WrongKey, what).hint(hint).into());
            }
            let key_file = Some(default.key.clone());
            Offered { key_file, password: None }.credential(&default.folder)
        }
        _ => offered.credential(place.folder()),
    }
}

/// Opens the repository in a folder with this.
pub(crate) fn unlock(
    invocation: &Invocation<'_>,
    folder: &Path,
    backend: Arc<LocalBackend>,
    credential: &Credential,
    threads: Option<usize>,
) -> anyhow::Result<Opened> {
    let known = Known::of(folder);
    let options =
        OpenOptions { threads, expected: known.repository(), cache: environment::cache(), ..OpenOptions::default() };
    let shared: Arc<dyn Backend> = Arc::clone(&backend) as Arc<dyn Backend>;
    let repository = Repository::open(shared, credential, &options).map_err(|error| match (&error, known.file()) {
        (Error::OtherRepository { .. }, Some(file)) => {
            let hint = format!("if this is what you mean, remove {} and try again", file.display());
            let message = error.to_string();
            Trouble::new(Exit::Failed, message).hint(hint).into()
        }
        _ => anyhow::Error::from(error),
    })?;
    known.remember(repository.id());
    for damage in repository.damage() {
        invocation.output.warn(&damage.to_string());
    }
    // One repository is opened for a command; one that is made is opened once more.
    let _ = invocation.misread.set(repository.misread().clone());
    Ok(Opened { repository, backend })
}

/// Says what the owner of the default repository must know.
pub(crate) fn tell(invocation: &Invocation<'_>, default: &DefaultRepository) {
    if let Some(variable) = habits::foreign_variable(Foreign::Repository) {
        invocation.output.note(&format!("{variable} is not lbak's: it is not read"));
    }
    default.notice().iter().for_each(|line| invocation.output.note(line));
}

fn no_default(default: &DefaultRepository) -> Trouble {
    let folder = default.folder.display();
    if let Some(variable) = habits::foreign_variable(Foreign::Repository) {
        let trouble = Trouble::new(Exit::NoRepository, "no repository was named");
        return trouble.hint(format!("{variable} is not lbak's: set LBAK_REPOSITORY or give -r PLACE"));
    }
    let trouble = Trouble::new(
        Exit::NoRepository,
        format!("no repository was named, and the default one, {folder}, is not there"),
    );
    if default.is_key_there() {
        let key = default.key.display();
        return trouble
            .hint(format!("its key {key} is there: is the disk mounted? If there never was one, remove the key"));
    }
    trouble.hint("give -r PLACE or set LBAK_REPOSITORY; `lbak snapshot PATH` makes the default repository when no LBAK_ variable is set")
}
