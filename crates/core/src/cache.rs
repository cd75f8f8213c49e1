//! The folder in which a client keeps copies of what it has read of one repository.
//!
//! What is in it costs time when it is lost, never data (rule I5), so nothing in it is synced. Who uses it binds each file to what it
//! describes and checks it; here is only how files get there whole.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// By this, programs that copy directories know a cache: <https://bford.info/cachedir/>.
const TAG: &str = "CACHEDIR.TAG";
const SIGNATURE: &[u8] =
    b"Signature: 8a477f597d28d172789f06886806bc55\n# Copies that lbak makes anew when they are gone.\n";
/// What a file is called until it is whole.
const UNFINISHED: &str = ".new-";

/// A folder of one repository's own, made when it is needed.
#[derive(Clone, Debug)]
pub struct CacheFolder(PathBuf);

impl CacheFolder {
    /// The folder of that path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a file in the place of another of that name, whole; makes the folder, and those above it, where they are missing.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if !self.file(TAG).exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            self.put(TAG, SIGNATURE)?;
        }
        self.put(name, bytes)
    }

    /// Removes the files of whose names this holds, and those that somebody left unfinished.
    pub fn remove_if(&self, is_unwanted: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(UNFINISHED) || is_unwanted(name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.file(&format!("{UNFINISHED}{}-{name}", std::process::id()));
        let written = File::create(&unfinished).and_then(|mut file| file.write_all(bytes));
        written.and_then(|()| fs::rename(&unfinished, self.file(name))).inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_whole_in_a_folder_that_says_what_it_is() {
        let above = tempfile::tempdir().expect("a folder");
        let folder = CacheFolder::new(above.path().join("a/b"));
        folder.replace("list", b"first").expect("it can be written");
        folder.replace("list", b"second").expect("it can be written");
        assert_eq!(fs::read(folder.file("list")).expect("it is there"), b"second");
        assert!(fs::read(folder.file(TAG)).expect("it is there").starts_with(b"Signature: 8a477f597d28d172789f0"));
        fs::write(folder.file(".new-1-list"), "half").expect("it is ours");
        folder.remove_if(|name| name == "list");
        let left: Vec<_> = fs::read_dir(folder.path())
            .expect("it is there")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, [TAG]);
        assert!(CacheFolder::new(folder.file(TAG).join("c")).replace("list", b"").is_err());
    }
}
