//! Passwords and key files: where they come from, and which of them counts.
//!
//! ```text
//! --key-file  >  --password-file | --password-command  >  LBAK_KEY_FILE  >  LBAK_PASSWORD…  >  the terminal
//! ```
//!
//! An option beats a variable, a key file beats a password. Never a password as an argument: every user of the machine
//! can read those.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use lbak::{Credential, KeyFile};
use zeroize::Zeroizing;

use crate::{
    arguments::GlobalArguments,
    environment::Environment,
    exit::{Exit, Trouble},
    habits::{self, Foreign},
};

/// Longer than any password: a file that was named by mistake is not read whole.
const LONGEST: usize = 64 << 10;

/// Where a password comes from.
#[derive(Clone)]
pub(crate) enum PasswordSource {
    /// A file; one line end at its end does not belong to the password.
    File(PathBuf),
    /// A command for `sh -c` that prints it.
    Command(OsString),
    /// A variable.
    Variable(OsString),
}

/// What is offered by options, or by variables.
#[derive(Clone, Default)]
pub(crate) struct Offered {
    /// A key file.
    pub(crate) key_file: Option<PathBuf>,
    /// A password.
    pub(crate) password: Option<PasswordSource>,
}

impl Offered {
    /// What the options offer.
    pub(crate) fn by_options(arguments: &GlobalArguments) -> Self {
        Self::new(arguments.key_file.clone(), arguments.password_file.clone(), arguments.password_command.clone())
    }

    /// An offer of a key file and of a password from one of two places.
    pub(crate) fn new(
        key_file: Option<PathBuf>,
        password_file: Option<PathBuf>,
        password_command: Option<OsString>,
    ) -> Self {
        let password = password_file.map(PasswordSource::File).or(password_command.map(PasswordSource::Command));
        Self { key_file, password }
    }

    /// What the variables offer.
    pub(crate) fn by_variables(environment: &Environment) -> Self {
        let variable = environment.password.clone().map(PasswordSource::Variable);
        let other = Self::new(
            environment.key_file.clone(),
            environment.password_file.clone(),
            environment.password_command.clone(),
        );
        Self { password: variable.or(other.password), ..other }
    }

    /// Nothing is offered.
    pub(crate) fn is_empty(&self) -> bool {
        self.key_file.is_none() && self.password.is_none()
    }

    /// All of this, if there is anything; else the other.
    pub(crate) fn or(self, other: Self) -> Self {
        if self.is_empty() { other } else { self }
    }

    /// For each of key file and password, this one's, else the other's: a new repository gets a slot for both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { key_file: self.key_file.or(other.key_file), password: self.password.or(other.password) }
    }

    /// What a repository is opened with; asks on the terminal when nothing is offered.
    pub(crate) fn credential(&self, place: &Path) -> anyhow::Result<Credential> {
        match (&self.key_file, &self.password) {
            (Some(file), _) => read_key_file(file).map(Credential::KeyFile),
            (None, Some(password)) => password.read(),
            (None, None) => ask(&format!("password for {}: ", place.display())),
        }
    }
}

impl PasswordSource {
    /// Where it comes from, for people.
    pub(crate) fn described(&self, is_by_variable: bool) -> String {
        let by = |name: &str| if is_by_variable { format!(" ({name})") } else { String::new() };
        match self {
            Self::File(path) => format!("in {}{}", path.display(), by("LBAK_PASSWORD_FILE")),
            Self::Command(_) => format!("of the password command{}", by("LBAK_PASSWORD_COMMAND")),
            Self::Variable(_) => "in LBAK_PASSWORD".to_owned(),
        }
    }

    /// Reads the password.
    pub(crate) fn read(&self) -> anyhow::Result<Credential> {
        let (bytes, from) = match self {
            Self::File(path) => (read_password_file(path)?, format!("the password file {}", path.display())),
            Self::Command(command) => (run_password_command(command)?, "the output of the password command".to_owned()),
            Self::Variable(value) => (Zeroizing::new(value.as_bytes().to_vec()), "LBAK_PASSWORD".to_owned()),
        };
        password(bytes, &from)
    }
}

/// Asks for a new password, twice.
pub(crate) fn ask_for_new() -> anyhow::Result<Credential> {
    let hint = "give --new-key-file, --new-password-file or --new-password-command (to `init`: without `new-`)";
    let first = prompt("new password: ", hint)?;
    let again = prompt("the same again: ", hint)?;
    if first != again {
        return Err(Trouble::usage("the two passwords differ").into());
    }
    password(Zeroizing::new(first.as_bytes().to_vec()), "the password")
}

fn ask(text: &str) -> anyhow::Result<Credential> {
    let hint = match habits::foreign_variable(Foreign::Password) {
        Some(variable) => {
            &format!("{variable} is not lbak's: set LBAK_PASSWORD_FILE, or give --password-file or --key-file")
        }
        None => "give --key-file, --password-file or --password-command, or set LBAK_PASSWORD_FILE",
    };
    password(Zeroizing::new(prompt(text, hint)?.as_bytes().to_vec()), "the password")
}

fn prompt(text: &str, hint: &str) -> anyhow::Result<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        let trouble =
            Trouble::new(Exit::WrongKey, "no password and no key file was given, and there is no terminal to ask on");
        return Err(trouble.hint(hint).into());
    }
    rpassword::prompt_password(text).map(Zeroizing::new).context("cannot read the password from the terminal")
}

fn password(bytes: Zeroizing<Vec<u8>>, from: &str) -> anyhow::Result<Credential> {
    if bytes.is_empty() {
        return Err(Trouble::new(Exit::WrongKey, format!("{from} is empty")).into());
    }
    Ok(Credential::Password(bytes))
}

fn read_password_file(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let read = File::open(path).and_then(read_secret);
    read.map_err(|error| missing(error, format!("cannot read the password file {}", path.display())))
}

fn run_password_command(command: &OsStr) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let failed = |error| missing(error, "cannot run the password command".to_owned());
    let mut child = Command::new("sh").arg("-c").arg(command).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let printed = child.stdout.take().map_or(Ok(Zeroizing::default()), read_secret);
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(Trouble::new(Exit::WrongKey, format!("the password command failed: {status}")).into());
    }
    printed.map_err(failed)
}

/// Reads a secret to its end and takes away one line end.
fn read_secret(reader: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Allocated once: growing would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    reader.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LONGEST {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    let length = bytes.strip_suffix(b"\n").map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads a key file.
pub(crate) fn read_key_file(path: &Path) -> anyhow::Result<KeyFile> {
    let text = File::open(path).and_then(read_secret);
    let text = text.map_err(|error| missing(error, format!("cannot read the key file {}", path.display())))?;
    KeyFile::parse(&text).map_err(|error| {
        anyhow::Error::from(error).context(Trouble::new(Exit::WrongKey, format!("cannot use {}", path.display())))
    })
}

/// A key file of `init` and `key add`.
pub(crate) struct NewKeyFile {
    /// The key.
    pub(crate) key: KeyFile,
    /// Where it is, when it was made just now.
    made: Option<PathBuf>,
}

impl NewKeyFile {
    /// Reads the file, or makes it with a new key: readable by its owner alone, durable, never overwritten.
    pub(crate) fn read_or_make(path: &Path) -> anyhow::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Ok(Self { key: read_key_file(path)?, made: None });
        }
        let key = KeyFile::generate()?;
        let failed = || format!("cannot make the key file {}", path.display());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(failed)?;
        let this = Self { key, made: Some(path.to_owned()) };
        let written = file
            .write_all(this.key.to_text().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(folder_of(path))?.sync_all());
        if let Err(error) = written {
            this.take_back();
            return Err(error).with_context(failed);
        }
        Ok(this)
    }

    /// Tells whether the file was made just now.
    pub(crate) fn is_new(&self) -> bool {
        self.made.is_some()
    }

    /// Removes a file that was made just now and opens nothing.
    pub(crate) fn take_back(self) {
        if let Some(path) = self.made {
            let _ = fs::remove_file(path);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn missing(error: io::Error, what: String) -> anyhow::Error {
    anyhow::Error::from(error).context(Trouble::new(Exit::WrongKey, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_does_not_belong_to_a_password() {
        let read = |text: &[u8]| read_secret(text).expect("a slice reads").to_vec();
        assert_eq!(read(b"secret\n"), b"secret");
        assert_eq!(read(b"secret\r\n"), b"secret");
        assert_eq!(read(b" se cret \n\n"), b" se cret \n");
        assert!(read_secret(io::repeat(b'x')).is_err());
    }

    #[test]
    fn a_key_file_is_made_once_and_only_for_its_owner() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("key");
        let made = NewKeyFile::read_or_make(&path).expect("it is made");
        assert!(made.is_new());
        assert_eq!(path.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
        let text = fs::read(&path).expect("it is there");
        assert!(!NewKeyFile::read_or_make(&path).expect("it is read").is_new());
        assert_eq!(fs::read(&path).expect("it is there"), text);
    }
}
