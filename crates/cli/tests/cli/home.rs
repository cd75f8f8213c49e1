//! A home directory for one test, and how the binary is run in it.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use lbak::{
    Committed, Credential, Error, KeyFile, LocalBackend, Manifest, OpenOptions, Repository, repository::Announcement,
    snapshot::Purpose,
};

/// A home with nothing in it.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, PathBuf)>,
}

/// What came of one run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// A home without a repository.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), variables: Vec::new() }
    }

    /// A home with a repository that the environment names, and some data.
    pub(crate) fn with_repository() -> Self {
        let home = Self::empty().with("LBAK_REPOSITORY", "repository").with("LBAK_KEY_FILE", "key");
        home.run(["init"]).expect_code(0);
        home.write("data/a", "the first file");
        home.write("data/sub/b", "the second file");
        home
    }

    /// Sets a variable to a path in this home.
    pub(crate) fn with(mut self, variable: &'static str, path: &str) -> Self {
        let path = self.path(path);
        self.variables.push((variable, path));
        self
    }

    /// A path in this home.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The same as text.
    pub(crate) fn text(&self, path: &str) -> String {
        self.path(path).to_str().expect("temporary folders have plain names").to_owned()
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The binary with this home, in this home, without a terminal.
    pub(crate) fn command<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lbak"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.env("TZ", "UTC").env("LOGNAME", "me");
        command.envs(self.variables.iter().map(|(name, path)| (name, path)));
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Run {
        Run::of(&self.command(arguments).output().expect("the binary runs"))
    }

    /// Takes a snapshot of `data` and returns its id.
    pub(crate) fn snapshot(&self) -> String {
        let run = self.run(["snapshot", "data", "--json"]).expect_code(0);
        run.message("summary")["snapshot_id"].as_str().expect("an id").to_owned()
    }

    /// The repository, opened by the library.
    pub(crate) fn library(&self) -> Repository {
        let key = KeyFile::parse(self.read("key").as_bytes()).expect("a key file");
        let backend = LocalBackend::open(self.path("repository")).expect("a folder");
        let credential = Credential::KeyFile(key);
        Repository::open(Arc::new(backend), &credential, &OpenOptions::default()).expect("it opens")
    }

    /// The newest snapshot of the repository.
    pub(crate) fn newest(&self) -> Committed {
        self.library().catalog().expect("a catalog").snapshots.pop().expect("a snapshot")
    }

    /// Commits another snapshot with the same content: `change` says how it differs.
    pub(crate) fn commit_like_newest(&self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.newest().manifest;
        change(&mut manifest);
        let repository = self.library();
        let announcement = Announcement {
            host: manifest.host.clone(),
            user: manifest.user.clone(),
            paths: manifest.paths.clone(),
            purpose: Purpose::Snapshot,
            program: "a test".into(),
            pinned: Vec::new(),
        };
        let committed: Result<_, Error> =
            repository.announce(&announcement).and_then(|session| repository.commit(session.id, &manifest));
        committed.expect("it is committed");
    }

    /// Every object in a folder of the repository.
    pub(crate) fn objects(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("repository").join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

/// Flips one bit behind the header of an object: in the first block of a pack, in the sealed part of anything else.
pub(crate) fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[100] ^= 1;
    fs::remove_file(path).expect("it is there");
    fs::write(path, bytes).expect("it is written");
}

/// Runs as a user who may not do everything, if that can be had.
pub(crate) fn as_ordinary_user(home: &Home, arguments: &[&str]) -> Run {
    let mut command = home.command(arguments);
    if rustix::process::getuid().is_root() {
        // Nobody: the number is the same everywhere.
        command.uid(65534).gid(65534);
    }
    Run::of(&command.output().expect("the binary runs"))
}

/// Gives a home to the user who may not do everything.
pub(crate) fn give(home: &Home) {
    if rustix::process::getuid().is_root() {
        let mut open = vec![home.path("")];
        while let Some(path) = open.pop() {
            std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("root may");
            open.extend(fs::read_dir(&path).into_iter().flatten().map(|entry| entry.expect("an entry").path()));
        }
    }
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is text");
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Passes with this exit code only.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        self
    }

    /// Passes when standard error holds this text.
    #[track_caller]
    pub(crate) fn expect_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not said: {self:#?}");
        self
    }

    /// Passes when standard output holds this text.
    #[track_caller]
    pub(crate) fn expect_stdout(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text:?} is not said: {self:#?}");
        self
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub(crate) fn messages(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// The last JSON line of a type.
    #[track_caller]
    pub(crate) fn message(&self, message_type: &str) -> serde_json::Value {
        let found = self.messages().into_iter().rfind(|message| message["message_type"] == message_type);
        found.unwrap_or_else(|| panic!("no {message_type}: {self:#?}"))
    }
}
