//! Which repository is meant, and how it is opened.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lbak::{
    Backend, BackendErrorKind, Credential, Error, InitOptions, LocalBackend, NewSlot, ObjectName, OpenOptions,
    Repository, escape,
};

use crate::{
    default_repository::{DefaultRepository, is_there},
    environment,
    exit::{Exit, Trouble},
    habits::{self, Foreign},
    invocation::Invocation,
    known::Known,
    remote_places,
    secrets::{NewKeyFile, Offered},
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
fn is_no_folder(place: &Path) -> bool {
    match place.metadata() {
        Ok(metadata) => !metadata.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::NotADirectory,
    }
}

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

fn unlock(
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
    Ok(Opened { repository, backend })
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
    let is_made = backend.get(&ObjectName::Config).is_ok();
    let credential = Credential::KeyFile(key.key.clone());
    is_made && Repository::open(Arc::new(backend), &credential, &OpenOptions::default()).is_ok()
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

fn tell(invocation: &Invocation<'_>, default: &DefaultRepository) {
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
