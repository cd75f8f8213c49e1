//! The environment: the few variables that lbak knows, read in one place.
//!
//! A variable that begins with `LBAK_` and is not known is an error: a misspelt `LBAK_PASWORD_FILE` must not
//! lead to another repository or another key than the one that was meant. So is one that is set and empty.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use crate::exit::Trouble;

const PREFIX: &[u8] = b"LBAK_";

const REPOSITORY: &str = "LBAK_REPOSITORY";
const PASSWORD: &str = "LBAK_PASSWORD";
const PASSWORD_FILE: &str = "LBAK_PASSWORD_FILE";
const PASSWORD_COMMAND: &str = "LBAK_PASSWORD_COMMAND";
const KEY_FILE: &str = "LBAK_KEY_FILE";

const KNOWN: [&str; 5] = [REPOSITORY, PASSWORD, PASSWORD_FILE, PASSWORD_COMMAND, KEY_FILE];

/// What the environment says.
#[derive(Default)]
pub(crate) struct Environment {
    /// Where the repository lies.
    pub(crate) repository: Option<OsString>,
    /// The password itself.
    pub(crate) password: Option<OsString>,
    /// The file that holds the password.
    pub(crate) password_file: Option<PathBuf>,
    /// The command that prints the password.
    pub(crate) password_command: Option<OsString>,
    /// The key file.
    pub(crate) key_file: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables that begin with `LBAK_`.
    pub(crate) fn read() -> anyhow::Result<Self> {
        Self::from_variables(env::vars_os())
    }

    /// Nothing that begins with `LBAK_` is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.repository.is_none()
            && self.password.is_none()
            && self.password_file.is_none()
            && self.password_command.is_none()
            && self.key_file.is_none()
    }

    /// Reads those of a given environment.
    pub(crate) fn from_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> anyhow::Result<Self> {
        let mut environment = Self::default();
        for (name, value) in variables.filter(|(name, _)| name.as_bytes().starts_with(PREFIX)) {
            let shown = name.to_string_lossy().into_owned();
            let Some(name) = name.to_str().filter(|name| KNOWN.contains(name)) else {
                let trouble = Trouble::usage(format!("lbak does not know the variable {shown}"));
                return Err(trouble.hint(format!("it knows {}", KNOWN.join(", "))).into());
            };
            if value.is_empty() {
                return Err(Trouble::usage(format!("the variable {shown} is set, but empty")).into());
            }
            match name {
                REPOSITORY => environment.repository = Some(value),
                PASSWORD => environment.password = Some(value),
                PASSWORD_FILE => environment.password_file = Some(value.into()),
                PASSWORD_COMMAND => environment.password_command = Some(value),
                _ => environment.key_file = Some(value.into()),
            }
        }
        environment.refuse_several_passwords()?;
        Ok(environment)
    }

    fn refuse_several_passwords(&self) -> anyhow::Result<()> {
        let set = [
            (PASSWORD, self.password.is_some()),
            (PASSWORD_FILE, self.password_file.is_some()),
            (PASSWORD_COMMAND, self.password_command.is_some()),
        ];
        let set: Vec<&str> = set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
        if set.len() > 1 {
            return Err(Trouble::usage(format!("{} are set: give one password", set.join(" and "))).into());
        }
        Ok(())
    }
}

/// Name of this host.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Name of the user who runs this, or a number where there is none.
pub(crate) fn user() -> String {
    let named = ["LOGNAME", "USER"].into_iter().find_map(|name| env::var(name).ok().filter(|name| !name.is_empty()));
    let number = rustix::process::getuid().as_raw();
    named.or_else(|| name_of(number)).unwrap_or_else(|| number.to_string())
}

/// The name of a user of this machine.
fn name_of(number: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, user) = (fields.next()?, fields.nth(1)?);
        (user.parse() == Ok(number) && !name.is_empty()).then(|| name.to_owned())
    })
}

/// A folder of the XDG base directory specification, or its default below the home directory.
///
/// The specification asks to ignore relative paths.
pub(crate) fn xdg(variable: &str, default: &str) -> Option<PathBuf> {
    let is_absolute = |path: &PathBuf| path.is_absolute();
    let given = env::var_os(variable).map(PathBuf::from).filter(is_absolute);
    given.or_else(|| env::home_dir().filter(is_absolute).map(|home| home.join(OsStr::new(default))))
}

/// Where copies of what was read from repositories are kept.
pub(crate) fn cache() -> Option<PathBuf> {
    xdg("XDG_CACHE_HOME", ".cache").map(|caches| caches.join("lbak"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Environment::from_variables(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_variable_is_an_error_and_others_are_nobodys_business() {
        let error = read(&[("LBAK_PASWORD_FILE", "/run/secret")]).err();
        assert_eq!(error.as_deref(), Some("lbak does not know the variable LBAK_PASWORD_FILE"));
        assert!(read(&[("PATH", "/bin"), ("LBAKX", "")]).is_ok_and(|environment| environment.is_empty()));
    }

    #[test]
    fn a_variable_that_is_set_and_empty_is_an_error() {
        assert!(read(&[("LBAK_REPOSITORY", "")]).is_err());
    }

    #[test]
    fn two_passwords_are_an_error() {
        let error = read(&[("LBAK_PASSWORD", "a"), ("LBAK_PASSWORD_FILE", "b")]).err();
        assert_eq!(error.as_deref(), Some("LBAK_PASSWORD and LBAK_PASSWORD_FILE are set: give one password"));
    }
}
